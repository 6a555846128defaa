"""`im2latex symbol`: a line a file, the best guess first, and a bad file costs only itself."""

import json

import pytest

from im2latex import cli, symbol_reader
from im2latex.images import open_image
from im2latex.symbol_reader import Guess
from im2latex.tests.symbol_sets import draw_symbol


class FakeReader:
    """Names the width of every picture; remembers its bundle."""

    bundle: object

    @classmethod
    def load(cls, path=None):
        cls.bundle = path
        return cls()

    def read(self, image, guesses):
        width = open_image(image).width
        return [Guess(f"w_{{{width}}}", 0.9), Guess(r"\alpha", 0.06), *[Guess("x", 0.01)] * 4][:guesses]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(symbol_reader, "SymbolReader", FakeReader)
    paths = [tmp_path / f"{size}.png" for size in (20, 10, 30)]
    for path in paths:
        draw_symbol("+", int(path.stem)).save(path)
    return [str(path) for path in paths]


def run(capsys, *arguments):
    code = cli.main(["symbol", *arguments])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()


def test_a_line_per_picture_names_the_symbol_and_five_next_guesses(capsys, files):
    code, lines, errors = run(capsys, *files)
    rest = "   x 1 %" * 4
    assert (code, errors) == (0, [])
    assert lines == [rf"w_{{{width}}} 90 %   \alpha 6 %{rest}" for width in (20, 10, 30)]


def test_json_has_the_best_guess_and_the_five_next(capsys, files):
    _, lines, _ = run(capsys, files[0], "--json")
    (answer,) = map(json.loads, lines)
    assert answer.pop("next") == [{"latex": r"\alpha", "confidence": 0.06}, *[{"latex": "x", "confidence": 0.01}] * 4]
    assert answer == {"file": files[0], "latex": "w_{20}", "confidence": 0.9}


def test_a_bad_file_costs_only_itself(capsys, files, tmp_path):
    missing = str(tmp_path / "none.png")
    code, lines, errors = run(capsys, files[0], missing, files[1])
    assert (code, len(lines)) == (1, 2)
    assert errors[0].startswith(f"{missing}: ")

    code, lines, errors = run(capsys, files[0], missing, files[1], "--json")
    assert (code, errors) == (1, [])
    assert [set(json.loads(line)) for line in lines][1] == {"file", "error"}


def test_the_bundle_reaches_the_reader(capsys, files):
    run(capsys, files[0], "--bundle", "other.pt")
    assert FakeReader.bundle == "other.pt"
