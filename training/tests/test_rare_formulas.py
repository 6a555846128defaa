"""Promises of the rare formulas: what stands by itself, lengths of space, and matrices, made of those of a list."""

from pathlib import Path

import pytest

from im2latex.latex import canonicalize
from training.rare_formulas import main, pieces_of, with_matrices, with_space


def test_pieces_stand_between_signs_outside_of_all_groups() -> None:
    formula = canonicalize(r"x = f ( a + b ) - \frac{1 + y}{2} , \quad \left( u - v \right)")
    assert list(pieces_of(formula, 4)) == ["x"]
    assert list(pieces_of(formula, 10)) == ["x", "f ( a + b )", r"\frac { 1 + y } { 2 }", r"\left( u - v \right)"]


def test_arrows_are_no_brackets() -> None:
    formula = canonicalize(r"a \leftarrow b , c \rightarrow d , u")
    assert list(pieces_of(formula, 4)) == [r"a \leftarrow b", "c", "d", "u"]


def test_a_length_takes_the_place_of_spaces() -> None:
    assert with_space(canonicalize(r"a , \quad b \qquad c"), r"\hspace { 1 c m }") == (
        r"a , \hspace { 1 c m } b \hspace { 1 c m } c"
    )
    assert with_space(canonicalize("a b"), r"\hspace { 1 c m }") is None


@pytest.mark.parametrize(
    ("array", "matrix"),
    [
        (r"\begin{array}{cc} a & b \end{array}", r"\begin{matrix} { a } & { b } \\ \end{matrix}"),
        (r"\begin{array}{lc} a & b \end{array}", None),
        (r"\begin{array}{c|c} a & b \end{array}", None),
        (r"\begin{array}{cc} \hline a & b \end{array}", None),
        ("a b", None),
    ],
)
def test_centered_arrays_without_rules_become_matrices(array: str, matrix: str | None) -> None:
    assert with_matrices(canonicalize(array)) == matrix


def test_the_command_writes_formulas_of_each_kind_and_says_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "rare.txt"
    source.write_text("x = y , \\hspace{2cm} z\nx , \\quad b\n\\begin{array}{c} u \\end{array}\n\\left(\n")
    assert main(["--formulas", str(source), "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "x"
    assert {"y", "b", r"x , \hspace { 2 c m } b", r"\begin{matrix} { u } \\ \end{matrix}"} < set(lines)
    assert "1 spaces, 1 matrices" in capsys.readouterr().out


def test_without_lengths_to_draw_from_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.txt"
    source.write_text("x , \\quad b\n")
    assert main(["--formulas", str(source), "--out", str(tmp_path / "rare.txt")]) == 1
    assert "--spaces 0" in capsys.readouterr().err
    assert main(["--formulas", str(source), "--out", str(tmp_path / "rare.txt"), "--spaces", "0"]) == 0
