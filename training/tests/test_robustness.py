"""What is kept is counted against the clean score of the same formulas, under every condition."""

import json

import pytest

from training.disturbances import DISTURBANCES
from training.robustness import compare, main
from training.scored import Scored


def scored(prediction: str) -> Scored:
    return Scored("name", "a b c d", list("abcd"), list(prediction), prediction, 1.0)


def run(files, *flags: str):
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv"), "--limit", "2"]
    out = files / "robust"
    assert main(["--bundle", str(files / "model.pt"), "--out", str(out), *source, *flags]) == 0
    return out, json.loads((out / "robustness.json").read_text())


def test_kept_is_percent_of_the_clean_score():
    row = compare([scored("abcd"), scored("abxy")], [scored("abcx"), scored("abxy")])
    assert row["edit_score"] == pytest.approx(62.5)
    assert row["edit_score_kept"] == pytest.approx(100 * 62.5 / 75, abs=0.01)
    assert (row["exact_match"], row["exact_match_kept"]) == (0, 0)


def test_a_font_that_can_set_no_formula_keeps_nothing():
    assert compare([], [])["edit_score_kept"] == 0


def test_every_disturbance_is_measured_drawn_and_its_readings_cleared_away(files, capsys):
    out, report = run(files, "--latex", "false")
    assert report["conditions"].keys() == {"clean", *DISTURBANCES}
    assert {row["edit_score_kept"] for row in report["conditions"].values()} == {100}
    assert report["noise"] is None
    assert sorted(path.name for path in out.iterdir()) == ["robustness.json", "robustness.png"]
    assert "JPEG quality 30" in capsys.readouterr().out


@pytest.mark.needs_latex
def test_another_font_is_rendered_and_noise_answered(files):
    _, report = run(files, "--noise", "4", "--workers", "1", "--font", r"\usepackage{mathptmx}")
    assert report["conditions"]["font mathptmx"]["formulas"] == 2
    assert report["noise"]["pictures"] == 4
    assert report["noise"]["compile_rate"] == 100


@pytest.mark.needs_latex
def test_a_font_that_is_missing_is_said_before_anything_is_read(files, capsys):
    source = ["--images", str(files / "set"), "--labels", str(files / "set" / "labels.tsv")]
    flags = ["--out", str(files / "out"), "--font", r"\usepackage{no-such-font}"]
    assert main(["--bundle", str(files / "model.pt"), *source, *flags]) == 1
    assert "no-such-font" in capsys.readouterr().err
    assert not (files / "out").exists()
