"""Promises of pack: resumable, the same bytes either way, failures listed, manifest last, readable by others."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from im2latex.data.formulas import Formula
from im2latex.data.pack import Drawn, PackConfig, Readable, Report, pack
from im2latex.data.packed import MANIFEST, read_packed, read_tokenizer
from im2latex.errors import DataError
from im2latex.tokenizer import Tokenizer

FORMULAS = [Formula(rf"x_{{{number}}} + \alpha", "test") for number in range(20)]
FORMULAS[4] = Formula(r"\frac{1", "test")  # no formula
FORMULAS[9] = Formula("y", "test")  # the artist below cannot draw it
CONFIG = PackConfig(shard_size=6, min_count=2)


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


class Artist:
    """Draws a box as wide as the formula is long, until its time has come."""

    def __init__(self, lives_for: int = 1000) -> None:
        self.lives_for, self.drawn = lives_for, 0

    def __call__(self, part: list[Readable]) -> Iterator[Drawn]:
        for _, tokens in part:
            if self.drawn == self.lives_for:
                raise Killed
            self.drawn += 1
            lacks_ink = tokens == ["y"]
            image = Image.new("L", (10 * len(tokens), 20), 255)
            image.paste(100, (4, 4, 12, 6))
            yield Drawn(None if lacks_ink else image, "no\tink" if lacks_ink else None)


def make(out: Path, artist: Artist | None = None, **facts: str) -> Report:
    return pack(FORMULAS, out, artist or Artist(), facts, CONFIG)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("lives_for", "kept"),  # formulas drawn before the kill, and those of whole shards among them
    [(0, 0), (1, 0), (5, 5), (6, 5), (13, 11), (17, 17)],
)
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path: Path, lives_for: int, kept: int) -> None:
    make(tmp_path / "whole")
    with pytest.raises(Killed):
        make(tmp_path / "cut", Artist(lives_for))
    assert not (tmp_path / "cut" / MANIFEST).exists()
    second = Artist()
    make(tmp_path / "cut", second)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert second.drawn == 19 - kept


def test_packing_again_draws_nothing(tmp_path: Path) -> None:
    report = make(tmp_path)
    again = Artist()
    assert make(tmp_path, again) == report
    assert again.drawn == 0


def test_the_report_counts_what_was_packed_and_why_the_rest_was_not(tmp_path: Path) -> None:
    report = make(tmp_path)
    assert (report.total, report.packed) == (20, 18)
    assert sorted(reason.split(":")[0] for reason in report.failures) == ["canonicalize", "render"]
    lines = (tmp_path / "failures.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == ["position", "4", "9"]
    assert lines[2] == "9\trender\tno ink\ty"


def test_a_picture_in_which_nothing_can_be_seen_once_was_packed_and_stopped_the_training(tmp_path: Path) -> None:
    def draw(part: list[Readable]) -> Iterator[Drawn]:
        for _, tokens in part:
            image = Image.new("L", (40, 20), 255)
            image.paste(245 if tokens == ["y"] else 0, (10, 8, 20, 10))
            yield Drawn(image, None)

    report = pack(FORMULAS, tmp_path, draw, {}, CONFIG)
    assert (report.total, report.packed) == (20, 18)
    line = (tmp_path / "failures.tsv").read_text(encoding="utf-8").splitlines()[2]
    assert line.startswith("9\trender\tthe picture is blank: 10 grey levels")


def test_other_tools_read_the_shards_and_the_manifest_tells_their_checksums(tmp_path: Path) -> None:
    make(tmp_path, look="official")
    manifest = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["look"] == "official"
    for shard in manifest["shards"]:
        file = tmp_path / shard["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == shard["sha256"]
        assert pq.read_table(file).num_rows == shard["rows"]
    row = read_packed(tmp_path).slice(0, 1).to_pylist()[0]
    assert row.pop("image").startswith(b"\x89PNG")
    assert row == {
        "height": 20,
        "width": 70,
        "formula": r"x_{0} + \alpha",
        "tokens": r"x _ { 0 } + \alpha",
        "source": "test",
    }


def test_the_vocabulary_is_saved_with_its_minimum_count_and_can_be_cut_again(tmp_path: Path) -> None:
    make(tmp_path)
    saved = read_tokenizer(tmp_path).vocab
    assert saved[4:9] == ["+", r"\alpha", "_", "x", "{"]
    assert "y" not in saved
    assert read_tokenizer(tmp_path, min_count=18).vocab == [*Tokenizer.SPECIALS, "+", r"\alpha", "_", "x", "{", "}"]


def test_a_folder_with_another_data_set_is_not_overwritten(tmp_path: Path) -> None:
    make(tmp_path, look="official")
    before = contents(tmp_path)
    with pytest.raises(DataError, match="other look"):
        make(tmp_path, look="bold")
    assert contents(tmp_path) == before


def test_an_unfinished_folder_of_another_data_set_is_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        make(tmp_path, Artist(8), look="official")
    with pytest.raises(DataError, match="other look"):
        make(tmp_path, look="bold")
