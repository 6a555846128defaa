"""The symbol network that ships names what people draw, however they draw it, and knows its own kind of bundle."""

import subprocess
import sys

import pytest
from PIL import Image

from im2latex.bundle import load_bundle, load_symbols
from im2latex.errors import BundleError, ImageError
from im2latex.shipped import SYMBOLS, find_model
from im2latex.symbol_reader import LATEX_OF, SymbolReader
from im2latex.tests.symbol_sets import STROKES, draw_symbol
from im2latex.tests.test_symbol_image import LOOKS


@pytest.fixture(scope="module")
def reader() -> SymbolReader:
    return SymbolReader.load()


@pytest.mark.parametrize("look", LOOKS)
def test_symbols_are_named_in_any_look(reader, look):
    named = [reader.read(LOOKS[look](name))[0].latex for name in STROKES]
    assert named == [LATEX_OF.get(name, name) for name in STROKES]


def test_guesses_come_best_first_with_honest_probabilities(reader):
    guesses = reader.read(draw_symbol("7"), guesses=1000)
    confidences = [guess.confidence for guess in guesses]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-3)
    assert len({guess.latex for guess in guesses}) == len(guesses) == len(reader.bundle.classes)
    assert reader.read(draw_symbol("7"), guesses=6) == guesses[:6]


def test_several_pictures_are_read_in_the_order_given(reader):
    pictures = [draw_symbol(name) for name in STROKES]
    alone = [reader.read(picture) for picture in pictures]
    together = reader.read_batch(pictures)
    assert [[guess.latex for guess in guesses] for guesses in together] == [[g.latex for g in one] for one in alone]
    assert reader.read_batch([]) == []


def test_a_blank_picture_is_refused(reader):
    with pytest.raises(ImageError, match="blank"):
        reader.read(Image.new("L", (20, 20), 255))


def test_the_bundle_is_small_and_says_what_it_reached():
    assert find_model(None, SYMBOLS).stat().st_size < 2 * 10**6
    assert load_symbols(find_model(None, SYMBOLS)).facts["accuracy"] >= 87  # percent of CROHME's validation symbols


def test_every_class_is_written_as_latex_writes_it(reader):
    for name in reader.symbols:
        assert name.startswith("\\") or len(name) == 1
    assert {"<", ">", r"\{", r"\ldots", r"\alpha"} <= set(reader.symbols)


def test_formulas_and_symbols_do_not_take_each_others_bundles():
    with pytest.raises(BundleError, match=r"holds a symbol model, wanted a formula model; it is for `im2latex symbol`"):
        load_bundle(find_model(None, SYMBOLS))
    with pytest.raises(BundleError, match=r"holds a formula model, wanted a symbol model; it is for `im2latex predict"):
        SymbolReader.load(find_model())


def test_reading_a_symbol_loads_nothing_of_training(tmp_path):
    draw_symbol("+").save(tmp_path / "plus.png")
    training = {"pytorch_lightning", "torchvision", "wandb", "matplotlib", "im2latex.data"}
    code = (
        "import sys; from im2latex.cli import main; failed = main(['symbol', sys.argv[1]]);"
        f"sys.exit(failed or bool({training} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "plus.png")]).returncode == 0
