"""Promises of read_formulas: every layout is read, and a file that is not one says why."""

import lzma
from pathlib import Path

import pytest

from im2latex.data.formulas import Formula, read_formulas
from im2latex.errors import DataError

TABLE = "formula\tsource\n\\frac a b\tbook\n x+1 \tweb\n\tempty\n"
BARE = "wiki\tenwiki\tdisplay\tE=mc^2\tE = m c ^ { 2 }\nhep-th\t9901\trows\tx\t\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "text", "formulas"),
    [
        ("list.txt", "% licence\nx^2\n\n  a\\,b \n", [Formula("x^2", ""), Formula(r"a\,b", "")]),
        ("table.tsv", TABLE, [Formula(r"\frac a b", "book"), Formula("x+1", "web")]),
        ("bare.tsv", BARE, [Formula("E=mc^2", "wiki/enwiki/display"), Formula("x", "hep-th/9901/rows")]),
    ],
)
def test_every_layout_is_read(
    tmp_path: Path, name: str, text: str, formulas: list[Formula], packed: bool
) -> None:
    path = tmp_path / (name + ".xz" if packed else name)
    path.write_bytes(lzma.compress(text.encode()) if packed else text.encode())
    assert list(read_formulas(path)) == formulas


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("list.csv", b"x", r"\.txt, \.tsv"),
        ("list.txt", b"\xff\xfe", "UTF-8"),
        ("list.txt.xz", b"not compressed", "cannot be read"),
        ("table.tsv", b"a\tb\tc\td\te\nonly one\n", "line 2: 1 columns"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=reason):
        list(read_formulas(tmp_path / name))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no formula list at .*nowhere\.txt"):
        list(read_formulas(tmp_path / "nowhere.txt"))
