"""Promises of the long formulas: rows of a list's formulas, matrices of their pieces, as long as asked for."""

import random
from pathlib import Path

import pytest

from im2latex.latex import canonicalize
from training.long_formulas import columns_of, in_rows, main, matrix

MATRIX = r"M = \left( \begin{array}{c} a \\ b \end{array} \right)"
LINES = [MATRIX, r"x _ { 1 } = \frac{a}{b} + c", r"y - z", r"f ( x = 1 ) \to \left( u = v \right)", r"= k + 3"]


@pytest.mark.parametrize(
    ("formula", "two", "three"),
    [
        ("x = y = z", ["x", "= y = z"], ["x", "=", "y = z"]),
        ("y - z", ["", "y - z"], ["", "", "y - z"]),
        ("= k", ["", "= k"], ["", "=", "k"]),
        (r"f ( x = 1 ) \to 0", ["f ( x = 1 )", r"\to 0"], ["f ( x = 1 )", r"\to", "0"]),
    ],
)
def test_a_row_is_parted_at_its_first_relation_outside_of_brackets(
    formula: str, two: list[str], three: list[str]
) -> None:
    tokens = formula.split()
    assert columns_of(tokens, 1) == [formula]
    assert columns_of(tokens, 2) == two
    assert columns_of(tokens, 3) == three


def test_rows_are_added_until_there_are_tokens_enough() -> None:
    formulas = iter([["a", "=", "b"], ["c"], ["d"]])
    written = " ".join(canonicalize(in_rows(formulas, "r c l", 13)))
    assert written == r"\begin{array} { r c l } { a } & { = } & { b } \\ { } & { } & { c } \\ \end{array}"
    assert next(formulas) == ["d"]


def test_a_matrix_has_whole_rows_and_the_length_asked_for() -> None:
    for seed in range(20):
        written = canonicalize(matrix(["u", r"\beta _ { 2 }"], random.Random(seed), 150))
        text = " ".join(written)
        columns = text.split("\\begin{array} { ")[1].split(" }")[0].split()
        rows = text.split("\\begin{array} { ")[1].split(" \\\\ ")[:-1]
        assert all(row.count(" & ") == len(columns) - 1 for row in rows)
        assert 110 < len(written) < 190


def test_the_command_writes_what_it_says_and_the_same_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "long.txt"
    source.write_text("\n".join([*LINES, r"\begin{array}{c} never \end{array}", "\\left("]) + "\n")
    flags = ["--formulas", str(source), "--out", str(out), "--rows", "5", "--matrices", "3"]
    flags += ["--least", "60", "--most", "90"]
    assert main(flags) == 0
    lines = out.read_text().splitlines()
    assert "5 in rows, 3 matrices" in capsys.readouterr().out
    assert len(lines) == 8
    assert all(60 <= len(line.split()) <= 90 and line.split() == canonicalize(line) for line in lines)
    assert "n e v e r" not in out.read_text()
    assert " ".join(canonicalize(MATRIX)) in out.read_text()
    assert main(flags) == 0
    assert out.read_text().splitlines() == lines


def test_a_list_without_plain_formulas_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.txt"
    source.write_text("\\begin{array}{c} a \\end{array}\n")
    assert main(["--formulas", str(source), "--out", str(tmp_path / "long.txt")]) == 1
    assert "no short formula" in capsys.readouterr().err
