"""What goes round in circles is noticed, and read again by a beam; nothing else is."""

import pytest
import torch
from torch import Tensor, nn

from im2latex.bundle import Bundle
from im2latex.decoding.repetition import SECOND_BEAM, is_repetitive
from im2latex.images import ImageSpec
from im2latex.predictor import Predictor
from im2latex.tests.tiny_decoder import TOKENIZER
from im2latex.tokenizer import EOS, PAD

RIGHT = TOKENIZER.encode(["x", "^", "{", "2", "}"])
CIRCLE = RIGHT * 6
WORSE = TOKENIZER.encode(["x"])


class Circles(nn.Module):
    """Reads dark pictures in circles, and others rightly; a beam finds `found`, best first."""

    def __init__(self, found: list[list[int]]) -> None:
        super().__init__()
        self.found, self.searched = found, 0

    def forward(self, images: Tensor, beam: int = 1) -> tuple[Tensor, Tensor]:
        return in_rows([CIRCLE if image.mean() > 0.5 else RIGHT for image in images])

    def search(self, images: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        assert (len(images), beam) == (1, SECOND_BEAM)
        self.searched += 1
        token_ids, log_probs = in_rows(self.found)
        return token_ids.unsqueeze(0), log_probs.unsqueeze(0)


def in_rows(formulas: list[list[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, formulas)) + 1
    token_ids = torch.tensor([ids + [EOS] + [PAD] * (longest - len(ids) - 1) for ids in formulas])
    return token_ids, -0.5 * token_ids.ne(PAD)


def reads_of(decoder: Circles, *inks: float) -> list[str]:
    predictor = Predictor(Bundle(decoder, TOKENIZER, ImageSpec(), {}))
    return [found.tokens for found in predictor.predict_prepared([torch.full((1, 16, 32), ink) for ink in inks])]


@pytest.mark.parametrize(
    ("tokens", "repetitive"),
    [
        ([], False),
        ([5] * 16, False),
        ([5] * 17, True),
        ([4, 5] * 9, True),
        (list(range(8)) + [4, 5] * 9 + list(range(8)), True),
        (list(range(6)) * 3, False),
        (list(range(6)) * 4, True),
        (list(range(40)) * 3, False),
        (list(range(40)) * 4, True),
        ([*range(5), *range(5), *range(5), 9, *range(5), *range(5), *range(5)], False),
    ],
)
def test_the_same_tokens_four_times_in_a_row_are_a_circle_unless_they_are_few(tokens, repetitive):
    assert is_repetitive(tokens) is repetitive


def test_only_pictures_that_were_read_in_circles_get_a_beam():
    decoder = Circles([RIGHT, WORSE])
    assert reads_of(decoder, 0.9, 0.1, 0.9) == ["x ^ { 2 }"] * 3
    assert decoder.searched == 2


@pytest.mark.parametrize(
    ("found", "wanted"),
    [([CIRCLE, WORSE, RIGHT], WORSE), ([CIRCLE + RIGHT, CIRCLE], CIRCLE + RIGHT)],
)
def test_of_the_beam_the_best_that_does_not_repeat_itself_is_taken_or_else_the_best(found, wanted):
    assert reads_of(Circles(found), 0.9) == [TOKENIZER.decode(wanted)]


def test_who_asks_for_a_beam_gets_what_it_found():
    decoder = Circles([WORSE])
    predictor = Predictor(Bundle(decoder, TOKENIZER, ImageSpec(), {}))
    (found,) = predictor.predict_prepared([torch.full((1, 16, 32), 0.9)], beam=2)
    assert found.tokens == TOKENIZER.decode(CIRCLE)
    assert decoder.searched == 0
