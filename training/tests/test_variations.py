"""A variation is what the decoder itself reads once another token is written at one place."""

import io
from pathlib import Path

import pytest
import torch

from im2latex.decoding import Decoder, variations
from im2latex.decoding.draft import Draft
from im2latex.decoding.variations import vary
from im2latex.images import open_image, prepare
from im2latex.predictor import Predictor
from im2latex.tests.test_decoding import IMAGES, SIZES
from im2latex.tests.test_grammar import GRAMMAR, TOKENIZER
from im2latex.tokenizer import BOS, EOS
from training.draft_graph import draft_graph

FORMULA = Path(__file__).parents[2] / "docs/images/formula.png"


@pytest.fixture(params=[False, True], ids=["eager", "scripted"])
def reader(request):
    """A decoder, and its draft."""
    torch.manual_seed(0)
    made = Decoder(SIZES.build(len(TOKENIZER)), SIZES.max_tokens, GRAMMAR).eval()
    torch.nn.init.normal_(made.model.embedding.weight, std=0.5)
    return (saved(made) if request.param else made), Draft(draft_graph(made))


def saved(decoder):
    """The decoder as a bundle holds it, which shares nothing with what TorchScript optimised for other tests."""
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(decoder), file)
    return torch.jit.load(io.BytesIO(file.getvalue()))


def read_on(decoder, image, start):
    """What the decoder writes, token by token, after `start`, with what all of it is worth."""
    reading, written, logs = decoder.begin(image[None]), torch.tensor([[BOS]]), []
    while int(written[0, -1]) != EOS:
        newest, log_prob, after = decoder.advance(written, reading)
        place = written.shape[1] - 1
        if place < len(start) and int(newest) != start[place]:
            newest = torch.tensor([start[place]])
            scores, state = decoder.model.step(written[:, -1], reading[4:])
            log_prob = scores.float().log_softmax(-1)[:, start[place]]
            after = decoder.mask.advance(reading[:4], newest) + state
        reading = after
        written = torch.cat([written, newest[None]], 1)
        logs.append(float(log_prob))
    return written[0, 1:].tolist(), logs


def first_difference(one, other):
    return next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


@torch.inference_mode()
def test_the_decoder_goes_on_from_one_other_token_at_the_most_doubtful_places(reader):
    decoder, draft = reader
    for image in IMAGES[:2]:
        token_ids = decoder(image[None])[0][0].tolist()
        found = vary(decoder, draft, image, token_ids, 6)
        assert len({tuple(ids) for ids, _ in found}) == len(found) == 6
        for ids, log_probs in found:
            place = first_difference(ids, token_ids)
            expected, logs = read_on(decoder, image, ids[: place + 1])
            assert ids == expected
            assert log_probs == pytest.approx(logs, abs=1e-3)


@torch.inference_mode()
def test_tokens_that_are_far_less_probable_are_not_tried(reader, monkeypatch):
    token_ids = reader[0](IMAGES[:1])[0][0].tolist()
    assert vary(*reader, IMAGES[0], token_ids, 3)
    monkeypatch.setattr(variations, "FAINTEST", 0.0)
    assert vary(*reader, IMAGES[0], token_ids, 3) == []


def test_what_goes_on_as_the_reading_does_is_verified_in_few_passes():
    predictor = Predictor.load()
    decoder, passes = predictor.bundle.decoder, []

    class Watched:
        begin, model, mask, max_tokens = decoder.begin, decoder.model, decoder.mask, decoder.max_tokens

        def verify(self, guessed, written, reading):
            passes.append(guessed.shape[1])
            return decoder.verify(guessed, written, reading)

    image = prepare(open_image(FORMULA.read_bytes()), predictor.bundle.spec)
    tokens = predictor.predict(FORMULA).tokens.split()
    found = vary(Watched(), predictor.draft, image, [*predictor.bundle.tokenizer.encode(tokens), EOS], 16)
    assert len(found) == 16
    assert len(passes) < 2 * len(found)
