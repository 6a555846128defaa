"""What looks like the picture is taken, in whatever look it is printed; and nothing is lost where none does."""

import json
import sys
from dataclasses import replace

import pytest
from PIL import Image

from im2latex import cli
from im2latex.checker import KNOWN, Checker
from im2latex.errors import ImageError, RenderError
from im2latex.latex import canonicalize
from im2latex.prediction import SAME, Prediction
from im2latex.predictor import Predictor
from im2latex.rendering.look import Look
from im2latex.second_look import LOST
from im2latex.tests.rendering import draw

TRUE, WRONG, WRONGER = r"\frac{a+b}{c}=x^{2}", r"\frac{a+b}{c}=x^{3}", r"\frac{a+b}{c}=x_{2}"
LESS_SURE = 0.6


class Hesitant(Checker):
    """Finds the formulas in every picture, each less probable than the one before; greedily, the first."""

    def __init__(self, *formulas, tokens_are_sure=0.0):
        super().__init__(Predictor.load().bundle)
        self.formulas = formulas
        self.confidences = [tokens_are_sure]
        self.searched = 0

    def _read(self, sizes, beam, alternatives, leaves_circles):
        best, *others = (
            Prediction(latex, latex, 0.9 * LESS_SURE**n, self.confidences) for n, latex in enumerate(self.formulas)
        )
        count = sum(map(len, sizes))
        self.searched += count * (beam > 1)
        return [replace(best, alternatives=others[:alternatives])] * count


def picture_of(formula, **look):
    (rendered,) = draw(formula, look=Look(**look))
    return rendered.image


@pytest.mark.needs_latex
@pytest.mark.parametrize(
    "look",
    [{}, {"font_size": 10, "dpi": 300, "halve": False}, {"style": "inline", "font_size": 11}],
)
def test_the_reading_that_looks_like_the_picture_is_taken(look):
    predictor = Hesitant(WRONG, WRONGER, TRUE)
    found = predictor.predict(picture_of(TRUE, **look))
    assert found.latex == TRUE
    assert found.likeness > 0.9
    assert found.alternatives == []
    assert predictor.searched == 1


@pytest.mark.needs_latex
@pytest.mark.parametrize("wrong", [r"\frac{a+b}{c}=x^{3}", r"\frac{a+d}{c}=x^{3}", r"\frac{a+b}{c}=x^{2},"])
def test_what_no_beam_finds_is_found_by_doubting_every_token_and_of_the_best_again(wrong):
    tokens = " ".join(canonicalize(wrong))
    found = Hesitant(tokens, tokens_are_sure=KNOWN).predict(picture_of(TRUE))
    assert found.latex == TRUE
    assert found.likeness > SAME
    assert Hesitant(tokens, tokens_are_sure=KNOWN - 0.01).predict(picture_of(TRUE)).latex == tokens


@pytest.mark.needs_latex
def test_without_a_draft_nothing_is_doubted():
    predictor = Hesitant(WRONG, tokens_are_sure=KNOWN)
    predictor.draft = None
    assert predictor.predict(picture_of(TRUE)).latex == WRONG


class Astray(Hesitant):
    """Reads the first formula in a picture of the size that it sees first, the last in all others, which it counts."""

    def __init__(self, *formulas, mean_log_prob, tokens_are_sure):
        super().__init__(*formulas, tokens_are_sure=tokens_are_sure)
        self.mean_log_prob = mean_log_prob
        self.own = None
        self.others = 0

    def _read(self, sizes, beam, alternatives, leaves_circles):
        self.own = self.own or sizes[0].shape
        found = [self.formulas[-1 if images.shape != self.own else 0] for images in sizes for _ in images]
        self.others += found.count(self.formulas[-1])
        return [Prediction(each, each, 0.5, self.confidences, mean_log_prob=self.mean_log_prob) for each in found]


@pytest.mark.needs_latex
@pytest.mark.parametrize(
    ("mean_log_prob", "tokens_are_sure", "is_resized"),
    [(LOST - 0.01, KNOWN, True), (LOST + 0.01, KNOWN, False), (LOST - 0.01, KNOWN - 0.01, False)],
    ids=["lost", "not lost", "noise"],
)
def test_what_lost_its_way_is_read_in_other_sizes_and_compared_in_its_own(mean_log_prob, tokens_are_sure, is_resized):
    predictor = Astray(WRONGER, TRUE, mean_log_prob=mean_log_prob, tokens_are_sure=tokens_are_sure)
    found = predictor.predict(picture_of(TRUE))
    assert bool(predictor.others) == is_resized
    if is_resized:
        assert found.latex == TRUE
        assert found.likeness >= SAME


@pytest.mark.needs_latex
def test_only_what_does_not_look_the_same_is_searched_and_the_order_stays():
    predictor = Hesitant(TRUE, WRONG)
    found = predictor.predict_batch([picture_of(WRONG), picture_of(TRUE), picture_of(WRONG)])
    assert [each.latex for each in found] == [WRONG, TRUE, WRONG]
    assert all(each.likeness > SAME for each in found)
    assert predictor.searched == 2
    assert predictor.predict_batch([]) == []


@pytest.mark.needs_latex
def test_where_none_looks_like_it_the_most_probable_is_taken():
    noise = Image.effect_noise((120, 40), 90)
    found = Hesitant(WRONG, TRUE).predict(noise)
    assert found.latex == WRONG
    assert found.likeness < 0.8


@pytest.mark.needs_latex
def test_what_tex_refuses_is_like_nothing():
    found = Hesitant(r"\frac{a", TRUE).predict(picture_of(TRUE))
    assert (found.latex, found.likeness > SAME) == (TRUE, True)
    assert Hesitant(r"\frac{a", r"x}").predict(picture_of(TRUE)).likeness == 0


@pytest.mark.needs_latex
def test_alternatives_come_in_the_order_of_their_likeness():
    found = Hesitant(WRONGER, WRONG, TRUE).predict(picture_of(TRUE), alternatives=2)
    assert [found.latex, *(other.latex for other in found.alternatives)] == [TRUE, WRONG, WRONGER]
    assert found.likeness > found.alternatives[0].likeness > found.alternatives[1].likeness > 0
    assert len(Hesitant(TRUE, WRONG).predict(picture_of(TRUE), alternatives=1).alternatives) == 1


@pytest.mark.needs_latex
def test_a_bad_picture_is_an_error_of_its_own():
    with pytest.raises(ImageError, match="picture 2 of 2"):
        Hesitant(TRUE).predict_batch([picture_of(TRUE), b"no picture"])


@pytest.mark.needs_latex
def test_the_command_checks_with_the_model_that_ships(tmp_path, capsys):
    picture_of(TRUE).save(tmp_path / "a.png")
    assert cli.main(["predict", str(tmp_path / "a.png"), "--check", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["latex"], answer["likeness"]) == (TRUE, pytest.approx(1, abs=1e-3))


def test_without_latex_the_cure_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match="apt-get install"):
        Hesitant(TRUE)
    assert cli.main(["predict", "a.png", "--check"]) == 1
    assert "apt-get install" in capsys.readouterr().err


def test_without_its_packages_the_cure_is_told(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    monkeypatch.delitem(sys.modules, "im2latex.checker", raising=False)
    for name in [name for name in sys.modules if name.startswith("im2latex.rendering")]:
        monkeypatch.delitem(sys.modules, name)
    assert cli.main(["predict", "a.png", "--check"]) == 1
    assert "pip install 'im2latex[check]'" in capsys.readouterr().err
