"""Promises of the layouts: whole rows that resemble each other, grids of few entries, cases, as long as asked for."""

from pathlib import Path

import pytest

from im2latex.latex import canonicalize
from training.layout_formulas import LayoutConfig, Layouts, main
from training.long_formulas import array

LINES = [r"x _ { 1 } = \frac{a}{b} + c", r"f ( v ) - z = \bar{u} + m", r"y ^ { 2 } + \psi _ { k } = k + 3 n"]
PIECES = [r"\beta _ { 2 }", "u", "f ( v )"]


def layouts(seed: int) -> Layouts:
    return Layouts([canonicalize(line) for line in LINES], PIECES, LayoutConfig("in.txt", "out.txt", seed=seed))


def tables(formula: str) -> list[list[list[str]]]:
    """The cells of each array in a formula without nested ones."""
    bodies = [part.split(" \\end{array}")[0].split(" } ", 1)[1] for part in formula.split("\\begin{array} { ")[1:]]
    return [[row.strip().split(" & ") for row in body.split("\\\\")[:-1]] for body in bodies]


def test_an_array_has_its_cells_in_braces() -> None:
    written = canonicalize(array("r l", [["a", "= b"], ["", "- c"]]))
    assert " ".join(written) == r"\begin{array} { r l } { a } & { = b } \\ { } & { - c } \\ \end{array}"


@pytest.mark.parametrize("seed", range(12))
def test_rows_are_alike_and_whole(seed: int) -> None:
    (rows,) = tables(" ".join(canonicalize(layouts(seed).alike(150))))
    assert len({len(row) for row in rows}) == 1
    first, *others = [set(" ".join(row).split()) - set("{}") for row in rows if set(row) != {"{ }"}]
    assert any(first != other for other in others)
    assert sum(len(first & other) for other in others) > 0.4 * len(first) * len(others)


def test_some_rows_have_empty_ones_between_them_and_none_at_the_end() -> None:
    found = [tables(" ".join(canonicalize(layouts(seed).alike(120))))[0] for seed in range(30)]
    apart = [rows for rows in found if any(set(row) == {"{ }"} for row in rows)]
    assert 3 <= len(apart) <= 15
    for rows in apart:
        assert [set(row) == {"{ }"} for row in rows] == [place % 2 == 1 for place in range(len(rows))]
        assert len(rows) % 2 == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_grid_holds_the_same_few_entries_again_and_again(seed: int) -> None:
    for rows in tables(" ".join(canonicalize(layouts(seed).grids(200)))):
        assert len({len(row) for row in rows}) == 1
        assert len({cell for row in rows for cell in row}) <= 6


@pytest.mark.parametrize("seed", range(12))
def test_cases_stand_behind_a_brace_and_have_a_word_each(seed: int) -> None:
    written = " ".join(canonicalize(layouts(seed).cases(90)))
    assert " = \\left\\{ \\begin{array}" in written
    assert written.endswith("\\right.")
    (rows,) = tables(written)
    assert len(rows) >= 2
    assert all("\\mathrm {" in " & ".join(row) or "\\textrm {" in " & ".join(row) for row in rows)


def test_matrices_stand_in_the_rows_of_another_array() -> None:
    for seed in range(12):
        written = canonicalize(layouts(seed).nested(120))
        assert written[0] == "\\begin{array}"
        assert written.count("\\begin{array}") > 1


def test_the_command_writes_what_it_says_and_the_same_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "layout.txt"
    source.write_text("\n".join([*LINES, r"\begin{array}{c} never \end{array}"]) + "\n")
    flags = ["--formulas", str(source), "--out", str(out), "--least", "30", "--most", "160"]
    flags += ["--alike", "5", "--grids", "4", "--cases", "3", "--nested", "2"]
    assert main(flags) == 0
    lines = out.read_text().splitlines()
    assert "5 alike, 4 grids, 3 cases, 2 nested" in capsys.readouterr().out
    assert len(set(lines)) == 14
    assert all(30 <= len(line.split()) <= 160 and line.split() == canonicalize(line) for line in lines)
    assert "n e v e r" not in out.read_text()
    assert main(flags) == 0
    assert out.read_text().splitlines() == lines


def test_a_list_without_short_formulas_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.txt"
    source.write_text("x\n\\begin{array}{c} a + b = c \\end{array}\n")
    assert main(["--formulas", str(source), "--out", str(tmp_path / "layout.txt")]) == 1
    assert "no short formula without arrays" in capsys.readouterr().err
