"""The command: one line a file in the order given, and a bad file costs only itself."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from im2latex import cli, predictor
from im2latex.errors import BundleError
from im2latex.images import open_image


@dataclass
class FakePrediction:
    latex: str
    tokens: str = "x ^ 2"
    confidence: float = 0.25
    token_confidences: list[float] = field(default_factory=lambda: [0.5, 0.5, 1.0])
    likeness: float | None = None


class FakePredictor:
    """Reads the width of every picture; remembers how it was asked."""

    batches: list[tuple[int, int]]
    bundle: object

    @classmethod
    def load(cls, path=None):
        cls.bundle = path
        cls.batches = []
        return cls()

    def predict_batch(self, images, beam=1):
        widths = [open_image(image).width for image in images]
        self.batches.append((len(widths), beam))
        return [FakePrediction(f"w_{{{width}}}") for width in widths]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Paths of four pictures, 10 to 13 px wide, in a predictor's reach."""
    monkeypatch.setattr(predictor, "Predictor", FakePredictor)
    paths = [tmp_path / f"{width}.png" for width in (12, 10, 13, 11)]
    for path in paths:
        Image.new("L", (int(path.stem), 8)).save(path)
    return [str(path) for path in paths]


def run(capsys, *arguments):
    code = cli.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()


@pytest.mark.parametrize("batch_size", ["1", "3", "100"])
def test_a_line_per_picture_in_the_order_given(capsys, files, batch_size):
    answer = run(capsys, "predict", *files, "--batch-size", batch_size)
    assert answer == (0, ["w_{12}", "w_{10}", "w_{13}", "w_{11}"], [])


def test_json_has_the_fields_of_the_contract(capsys, files):
    code, lines, _ = run(capsys, "predict", files[0], "--json")
    (answer,) = map(json.loads, lines)
    assert code == 0
    assert answer.pop("seconds") >= 0
    assert answer == {"file": files[0], "latex": "w_{12}", "tokens": "x ^ 2", "confidence": 0.25}


@pytest.mark.parametrize("content", [None, b"not a picture", b""])
def test_a_bad_file_costs_only_itself(capsys, files, content):
    bad = Path(files[1])
    bad.unlink()
    if content is not None:
        bad.write_bytes(content)

    code, lines, errors = run(capsys, "predict", *files)
    assert (code, lines) == (1, ["w_{12}", "w_{13}", "w_{11}"])
    assert len(errors) == 1
    assert errors[0].startswith(f"{bad}: ")

    code, lines, errors = run(capsys, "predict", "--json", *files)
    answers = [json.loads(line) for line in lines]
    assert (code, errors) == (1, [])
    assert [answer["file"] for answer in answers] == files
    assert set(answers[1]) == {"file", "error"}


def test_beam_bundle_and_batch_size_reach_the_predictor(capsys, files):
    run(capsys, "predict", *files, "--beam", "5", "--bundle", "other.pt", "--batch-size", "3")
    assert FakePredictor.bundle == "other.pt"
    assert FakePredictor.batches == [(3, 5), (1, 5)]


def test_an_error_of_the_library_is_a_sentence_and_exit_code_1(capsys, files, monkeypatch):
    def refuse(path):
        raise BundleError("no such bundle")

    monkeypatch.setattr(FakePredictor, "load", refuse)
    assert run(capsys, "predict", files[0]) == (1, [], ["im2latex: no such bundle"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["predict"],
        ["predict", "a.png", "--batch-size", "0"],
        ["predict", "a.png", "--beam", "-1"],
        ["predict", "a.png", "--unknown"],
        ["serve", "--port", "many"],
        ["serve", "--port", "-1"],
        ["serve", "--port", "65536"],
        ["paint"],
    ],
)
def test_flags_that_mean_nothing_stop_the_run(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_serve_names_the_server_by_string(monkeypatch):
    started = []
    server = SimpleNamespace(run=lambda host, port: started.append((host, port)) or 0)
    monkeypatch.setitem(sys.modules, cli.SERVER, server)
    monkeypatch.setenv("IM2LATEX_BUNDLE", "")
    assert cli.main(["serve", "--host", "0.0.0.0", "--port", "9000", "--bundle", "other.pt"]) == 0
    assert started == [("0.0.0.0", 9000)]
    assert os.environ["IM2LATEX_BUNDLE"] == "other.pt"


def test_serve_help_lists_the_settings_a_line_each(capsys):
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("  IM2LATEX_MAX_UPLOAD_BYTES ")]


NOT_UTF8 = os.fsdecode(b"caf\xe9.png")


@pytest.mark.parametrize("command", ["predict", "symbol"])
def test_a_file_name_that_is_no_utf8_once_broke_the_json(files, tmp_path, command):
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    name = str(tmp_path / NOT_UTF8)
    with contextlib.redirect_stdout(written):
        assert cli.main([command, "--json", name]) == 1
    answer = json.loads(written.buffer.getvalue())
    assert (answer["file"], set(answer)) == (name, {"file", "error"})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the disk that is always full is one of Linux")
@pytest.mark.parametrize(("redirection", "reason"), [(">/dev/full", "No space left"), (">&-", "output is closed")])
def test_an_output_that_takes_nothing_is_an_error_of_one_line(redirection, reason):
    command = f"{sys.executable} -m im2latex.cli info {redirection}"
    done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("im2latex: ")
    assert reason in line


def test_a_reader_that_has_seen_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "im2latex.cli", "info"]
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=300, check=False)
    finally:
        os.close(writing)
    assert done.returncode == cli.READER_LEFT
    assert done.stderr == b""
