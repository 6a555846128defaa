"""Scores are counted over every labelled picture, and everything needed to trace them is written."""

import json
from typing import Any

import pytest

from im2latex.predictor import Predictor
from im2latex.shipped import find_model
from im2latex.tests.packed_sets import make_packed_set
from training import reading
from training.command import INTERRUPTED
from training.evaluate import main
from training.labelled import to_reference
from training.scored import read_table


def run(files, *flags: str) -> dict[str, Any]:
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    arguments = ["--bundle", str(files / "model.pt"), "--out", str(files / "out"), *flags]
    assert main([*arguments, *([] if "--data" in flags else source)]) == 0
    report: dict[str, Any] = json.loads((files / "out" / "scores.json").read_text())
    return report


def flags_of(files) -> list[str]:
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    return ["--bundle", str(files / "model.pt"), "--out", str(files / "out"), *source]


def test_scores_and_counts_are_those_of_the_predictions(files):
    report = run(files)
    assert report["set"] == "set"
    assert report["model"] == "tiny"
    assert report["formulas"] == 3
    assert report["unreadable_pictures"] == 1
    assert report["labels_not_canonical"] == 1
    assert report["scores"]["exact_match"] == 33.33
    assert report["scores"]["edit_score"] == pytest.approx(100 * (1 - 2 / 12), abs=0.01)
    assert report["scores"]["bleu"] > 50
    assert {"command", "commit", "seconds", "formulas_per_second", "threads", "beam"} <= report.keys()


def test_every_formula_has_a_row_in_the_table(files):
    run(files)
    rows = read_table(files / "out" / "predictions.tsv")
    assert [row["name"] for row in rows] == ["right.png", "wrong.png", "blank.png"]
    assert [row["prediction"] for row in rows] == ["x ^ { 2 }", "x ^ { 2 }", ""]
    assert rows[1]["reference"] == "x ^ { 2 2 }"
    assert [row["edit_distance"] for row in rows] == ["0", "1", "1"]
    assert [row["exact"] for row in rows] == ["1", "0", "0"]
    assert {row["compiles"] for row in rows} == {""}
    assert rows[0]["latex"] == "x^{2}"
    assert "blank" in rows[2]["error"]


def test_what_stands_beside_a_bad_picture_is_read_together(files, monkeypatch):
    read, together = Predictor.predict_scales, []
    monkeypatch.setattr(Predictor, "predict_scales", lambda *parts: together.append(len(parts[1])) or read(*parts))
    assert run(files)["unreadable_pictures"] == 1
    assert together == [1, 2]  # the first to warm up


@pytest.mark.needs_latex
def test_readings_may_be_checked_by_rendering(files, capsys):
    report = run(files, "--bundle", str(find_model()), "--check", "true", "--beam", "3")
    assert (report["checked"], report["unreadable_pictures"]) == (True, 1)
    assert "beam 5, checked by rendering" in capsys.readouterr().out


def test_errors_are_counted_by_token(files):
    report = run(files)
    rows = {row["token"]: row for row in read_table(files / "out" / "errors.tsv")}
    assert (rows["2"]["occurrences"], rows["2"]["errors"], rows["2"]["left_out"]) == ("3", "1", "1")
    assert {row["errors"] for row in rows.values()} == {"0", "1"}
    assert report["bleu_conventions"]["nltk_corpus"]["bleu"] == report["scores"]["bleu"]


def test_an_interrupted_run_goes_on_where_it_was(files, monkeypatch, capsys):
    """Killed while it wrote its second chunk: the first is kept, the torn line read again."""
    monkeypatch.setattr(reading, "CHUNK", 1)
    append, written = reading._append, []

    def tear(stream, record):
        if len(written) == 3:
            stream.write('{"seconds": 1, "read')
            raise KeyboardInterrupt
        written.append(append(stream, record))

    monkeypatch.setattr(reading, "_append", tear)
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    assert main(["--bundle", str(files / "model.pt"), "--out", str(files / "out"), *source]) == INTERRUPTED
    monkeypatch.setattr(reading, "_append", append)
    read, chunks = reading.read_sources, []
    monkeypatch.setattr(reading, "read_sources", lambda *parts: chunks.append(len(parts[1])) or read(*parts))
    assert run(files)["scores"]["exact_match"] == 33.33
    assert chunks == [1]
    assert not (files / "out" / "unfinished.jsonl").exists()


def test_what_another_model_read_is_not_taken_up(files, capsys):
    (files / "out").mkdir()
    (files / "out" / "unfinished.jsonl").write_text('{"run": "other"}\n')
    assert run(files)["scores"]["exact_match"] == 33.33
    assert "all is read anew" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"garbage\n", b"\xff\n", b'{"run": "R"}\ngarbage\n', b'{"run": "R"}\n[]\n'])
def test_an_unfinished_file_of_garbage_is_refused_with_the_cure(files, monkeypatch, capsys, content):
    monkeypatch.setattr("training.evaluate.name_run", lambda *_: "R")
    (files / "out").mkdir()
    (files / "out" / "unfinished.jsonl").write_bytes(content)
    assert main(flags_of(files)) == 1
    assert "unfinished.jsonl holds what no interrupted run wrote: delete it" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "least"), [("threads=-1", 0), ("beam=0", 1), ("gallery=-1", 0), ("workers=0", 1)])
def test_numbers_that_mean_nothing_are_refused(files, capsys, flag, least):
    assert main([*flags_of(files), f"--{flag}"]) == 1
    assert f"--{flag.replace('=', ' ')}, wanted at least {least}" in capsys.readouterr().err


def test_an_output_folder_that_is_a_file_is_said_in_a_line(files, capsys):
    (files / "out").write_bytes(b"")
    assert main(flags_of(files)) == 1
    assert "error: [Errno" in capsys.readouterr().err


def test_predictions_come_in_the_order_of_the_labels_whatever_the_order_of_reading(files, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 1)
    run(files)
    names = [row["name"] for row in read_table(files / "out" / "predictions.tsv")]
    assert names == ["right.png", "wrong.png", "blank.png"]


@pytest.mark.needs_latex
def test_pictures_are_compared_where_that_is_asked_for(files):
    report = run(files, "--image_match", "true", "--workers", "1")
    assert report["scores"]["compile_rate"] == 100
    assert report["labels_without_picture"] == 1
    assert report["scores"]["image_identical"] == 50
    rows = read_table(files / "out" / "predictions.tsv")
    assert [row["image_match"] for row in rows] == ["1", "0", ""]
    assert [row["compiles"] for row in rows] == ["1", "1", ""]


def test_a_limit_takes_the_first_pictures(files):
    assert run(files, "--limit", "1")["scores"]["exact_match"] == 100


def test_a_packed_set_can_be_scored(files):
    make_packed_set(files / "packed", samples=4)
    report = run(files, "--data", str(files / "packed"), "--name", "mine")
    assert (report["set"], report["formulas"]) == ("mine", 4)


@pytest.mark.parametrize(
    ("label", "references", "expected"),
    [
        ("x^2", "canonical", (["x", "^", "{", "2", "}"], True)),
        (r"\ln x", "canonical", ([r"\operatorname", "{", "l", "n", "}", "x"], True)),
        ("x ^ 2", "as_is", (["x", "^", "2"], True)),
        (r"a \badly{", "canonical", (["a", r"\badly{"], False)),
    ],
)
def test_labels_are_brought_to_the_official_normal_form(label, references, expected):
    assert to_reference(label, references) == expected


def test_two_sources_or_none_are_refused(files, capsys):
    assert main(["--bundle", str(files / "model.pt")]) == 1
    assert main(["--bundle", str(files / "model.pt"), "--data", "x", "--images", "y", "--labels", "z"]) == 1
    assert "name --images and --labels, or --data" in capsys.readouterr().err


def test_a_missing_bundle_ends_with_its_message(files, capsys):
    labels = str(files / "set" / "labels.tsv")
    assert main(["--bundle", "none.pt", "--images", str(files / "set"), "--labels", labels]) == 1
    assert "no model file none.pt" in capsys.readouterr().err
