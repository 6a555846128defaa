"""Scores are counted over every labelled picture, and everything needed to trace them is written."""

import csv
import json
from typing import Any

import pytest
from PIL import Image

from im2latex.bundle import save_bundle
from im2latex.images import ImageSpec
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tests.test_images import OFFICIAL
from im2latex.tests.tiny_decoder import TOKENIZER, TinyDecoder
from training.evaluate import main, to_reference


@pytest.fixture
def files(tmp_path):
    """A bundle that reads x ^ { 2 } everywhere; three pictures, one of them blank."""
    save_bundle(tmp_path / "model.pt", TinyDecoder(1.0), TOKENIZER, ImageSpec(), {"name": "tiny"})
    (tmp_path / "set").mkdir()
    for name in ("right", "wrong"):
        OFFICIAL.save(tmp_path / "set" / f"{name}.png")
    Image.new("L", (60, 30), 255).save(tmp_path / "set" / "blank.png")
    labels = "right.png\tx^2\nwrong.png\tx^{22}\nblank.png\t\\badly{\n"
    (tmp_path / "set" / "labels.tsv").write_text(labels, encoding="utf-8")
    return tmp_path


def run(files, *flags: str) -> dict[str, Any]:
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    arguments = ["--bundle", str(files / "model.pt"), "--out", str(files / "out"), *flags]
    assert main([*arguments, *([] if "--data" in flags else source)]) == 0
    report: dict[str, Any] = json.loads((files / "out" / "scores.json").read_text())
    return report


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
    with (files / "out" / "predictions.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["name"] for row in rows] == ["right.png", "wrong.png", "blank.png"]
    assert [row["prediction"] for row in rows] == ["x ^ { 2 }", "x ^ { 2 }", ""]
    assert rows[1]["reference"] == "x ^ { 2 2 }"
    assert [row["edit_distance"] for row in rows] == ["0", "1", "1"]
    assert "blank" in rows[2]["error"]


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
