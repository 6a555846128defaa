"""Promises of the command prepare_data: a list becomes a data set, a killed command goes on, errors are told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from im2latex.data.dataset import FormulaImages
from im2latex.data.packed import MANIFEST, read_manifest, read_packed, read_tokenizer
from im2latex.latex import canonicalize
from im2latex.tests.official_layout import make_official
from training.prepare_data import main

SCRIPT = Path(__file__).parents[1] / "prepare_data.py"


@pytest.fixture
def formulas(tmp_path: Path) -> Path:
    path = tmp_path / "formulas.txt"
    lines = [rf"\frac{{a_{{{number}}}}}{{b}} + \alpha^{{{number}}}" for number in range(30)]
    lines[5], lines[6], lines[7] = r"\frac{1", r"\undefined x", lines[4]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.needs_latex
def test_a_list_becomes_a_data_set_and_the_report_counts_what_did_not(
    formulas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--formulas", str(formulas), "--out", str(out), "--workers", "1"]) == 0
    samples = FormulaImages(out, read_tokenizer(out))
    assert len(samples) == 27  # of 29 that differ, 2 fail
    assert samples.sizes.min() > 20
    shown = capsys.readouterr().out
    assert f"{out}: 27 of 29 formulas packed" in shown
    assert "1  canonicalize: " in shown
    assert r"1  render: Undefined control sequence" in shown or shown.count("1  canonicalize: ") == 2


@pytest.mark.needs_latex
def test_a_command_killed_by_kill_9_goes_on_and_ends_in_the_same_bytes(formulas: Path, tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        options = ["--formulas", str(formulas), "--workers", "1", "--pack.shard_size", "4"]
        return [sys.executable, str(SCRIPT), "--out", str(tmp_path / out), *options]

    subprocess.run(command("whole"), check=True, timeout=240)
    killed = subprocess.Popen(command("cut"))
    while killed.poll() is None and not (tmp_path / "cut" / "shard-00001.parquet").exists():
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "cut" / MANIFEST).exists()
    subprocess.run(command("cut"), check=True, timeout=240)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.needs_latex
def test_held_out_formulas_go_into_folders_of_their_own(formulas: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main(["--formulas", str(formulas), "--out", str(out), "--workers", "1", "--held_out", "0.3"])
    packed = [set(read_packed(out / split, ["formula"])["formula"].to_pylist()) for split in ("train", "val", "test")]
    assert min(map(len, packed)) > 0
    assert sum(map(len, packed)) == len(set.union(*packed)) == 27


@pytest.mark.needs_latex
def test_only_formulas_whose_source_fits_are_taken(tmp_path: Path) -> None:
    rows = ["hep-th\tpaper\tdisplay\tx=1\t", "wiki\tpage\tdisplay\tx=2\t", "hep-th\tpaper\tinline\tx=3\t"]
    (tmp_path / "list.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    options = ["--workers", "1", "--only", "hep-th/*/display", "--look.font_size", "10"]
    assert main(["--formulas", str(tmp_path / "list.tsv"), "--out", str(out), *options]) == 0
    assert read_packed(out, ["formula"])["formula"].to_pylist() == ["x=1"]
    assert read_manifest(out)["look"]["font_size"] == 10


def test_the_official_layout_is_packed(tmp_path: Path) -> None:
    folder = make_official(tmp_path / "official")
    assert main(["--official", str(folder), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert [len(read_packed(tmp_path / "out" / split)) for split in ("train", "val", "test")] == [3, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name one source"),
        (["--formulas", "a.txt", "--download"], "name one source"),
        (["--formulas", "nowhere.txt"], "no formula list at nowhere.txt"),
        (["--official", "nowhere"], "nowhere has not the official layout"),
        (["--formulas", "a.txt", "--limit", "-1"], "--limit -1, wanted at least 1"),
        (["--formulas", "a.txt", "--skip", "-1"], "--skip -1, wanted at least 0"),
        (["--formulas", "a.txt", "--held_out", "2"], "--held_out 2.0, wanted at least 0 and less than 0.5"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path), *options]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert message in shown


@pytest.mark.parametrize(("lines", "flags"), [("% none\n", []), ("x\n", ["--skip", "1"]), ("x\n", ["--only", "wiki"])])
def test_a_list_of_which_nothing_is_chosen_once_ended_well(
    lines: str, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text(lines)
    assert main(["--formulas", str(tmp_path / "list.txt"), "--out", str(tmp_path / "out"), *flags]) == 1
    assert "nothing to pack: " in capsys.readouterr().err


def test_labelled_pictures_are_packed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, width in (("a.png", 40), ("b.png", 50)):
        picture = Image.new("RGB", (width, 20), "white")
        picture.paste("black", (5, 5, 15, 7))
        picture.save(pictures / name)
    (pictures / "c.png").write_bytes(b"no picture")
    (tmp_path / "labels.tsv").write_text("a.png\tx^2\nb.png\t\\frac{a}b\nc.png\ty\n")
    sources = ["--pictures", str(pictures), "--labels", str(tmp_path / "labels.tsv")]
    assert main([*sources, "--out", str(tmp_path / "out")]) == 0
    samples = FormulaImages(tmp_path / "out", read_tokenizer(tmp_path / "out"))
    assert samples.sizes.tolist() == [[20, 40], [20, 50]]
    assert [samples.source(row) for row in range(2)] == ["a.png", "b.png"]
    assert samples.tokens(1) == canonicalize(r"\frac{a}b")
    assert "not a picture" in capsys.readouterr().out
    assert main([*sources[:2], "--out", str(tmp_path / "other")]) == 1
