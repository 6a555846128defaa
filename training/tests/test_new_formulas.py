"""Promises of the new formulas: letters, groups and pieces of others, all in the normal form, none of the list."""

from pathlib import Path

import pytest

from im2latex.latex import canonicalize
from training.new_formulas import Exchange, NewConfig, groups_of, main, parts_of, renamed

LINES = [
    r"x _ { 1 } = \frac{a}{b} + \sqrt{c}",
    r"y ^ { 2 } - \bar{z} , \quad f ( u ) = \left( v + w \right)",
    r"\operatorname{det} A = \mathrm{const} , \qquad \psi _ { k } \to 0",
]


def config(**fields: float) -> NewConfig:
    return NewConfig("in.txt", "out.txt", **{"letters": 0.0, "groups": 0.0, "pieces": 0.0, **fields})


def test_groups_are_named_by_what_stands_before_them() -> None:
    tokens = canonicalize(r"x _ { a ^ { b } } = \frac { c } { d } + { e } \mathrm { f }")
    found = [(head, " ".join(tokens[start:end])) for head, start, end in groups_of(tokens)]
    assert found == [("_", "a ^ { b }"), ("^", "b"), ("\\frac", "c"), ("\\frac", "d")]


def test_parts_make_up_the_formula_and_end_at_signs_outside_of_all_groups() -> None:
    tokens = canonicalize(LINES[1])
    parts = [" ".join(part) for part in parts_of(tokens)]
    assert " ".join(parts).split() == tokens
    assert parts[:4] == ["y ^ { 2 }", "-", r"\bar { z }", ","]
    assert r"\left( v + w \right)" in parts


@pytest.mark.parametrize(
    ("formula", "new"),
    [
        (r"s _ { s } \mathrm{sin} \hspace{1cm}", r"t _ { t } \mathrm { s i n } \hspace { 1 c m }"),
        (r"\frac{c}{m} \operatorname{const}", r"\frac { u } { v } \operatorname { c o n s t }"),
        (r"{ \bf s } \frac{\mu}{s}", r"{ \bf t } \frac { \mu } { t }"),
    ],
)
def test_letters_change_everywhere_but_in_words_and_lengths(formula: str, new: str) -> None:
    assert " ".join(renamed(canonicalize(formula), {"s": "t", "c": "u", "m": "v"})) == new


def test_a_letter_becomes_another_of_its_alphabet_and_differentials_stay() -> None:
    formulas = [canonicalize(r"\int d x X e ^ { i \pi } + 1 2 7 \Gamma"), canonicalize(r"y Y \phi 8 \Delta")]
    exchange = Exchange(formulas, config(letters=1.0))
    for _ in range(30):
        new = exchange.new(formulas[0])
        assert new[2] in "xy"
        assert new[3] in "XY"
        assert new[8] in ("\\pi", "\\phi")
        assert new[13] in "78"
        assert new[14] in ("\\Gamma", "\\Delta")
        assert [new[place] for place in (0, 1, 4, 7, 11, 12)] == ["\\int", "d", "e", "i", "1", "2"]


def test_a_group_becomes_one_after_the_same_and_all_else_stays() -> None:
    formulas = [canonicalize(r"x _ { a } ^ { b }"), canonicalize(r"y _ { c } \sqrt { u }")]
    exchange = Exchange(formulas, config(groups=1.0))
    found = {" ".join(exchange.new(formulas[0])) for _ in range(30)}
    assert found == {"x _ { a } ^ { b }", "x _ { c } ^ { b }"}


def test_a_piece_becomes_one_of_another_formula_but_no_half_of_one() -> None:
    formulas = [canonicalize(r"x = y"), canonicalize(r"f ( u ) < | v , w |")]
    exchange = Exchange(formulas, config(pieces=1.0))
    found = {" ".join(exchange.new(formulas[0])) for _ in range(100)}
    assert found == {f"{a} = {b}" for a in ("x", "y", "f ( u )") for b in ("x", "y", "f ( u )")}


def test_the_command_writes_what_it_says_and_the_same_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "new.txt"
    array = r"\begin{array}{c} never \end{array}"
    source.write_text("\n".join([*LINES, array, "\\left(", "f { ( a } ) , b"]) + "\n")
    flags = ["--formulas", str(source), "--out", str(out), "--count", "50"]
    assert main(flags) == 0
    lines = out.read_text().splitlines()
    assert "50 formulas, made of 4" in capsys.readouterr().out
    assert len(set(lines)) == 50
    assert not {" ".join(canonicalize(line)) for line in LINES} & set(lines)
    assert all(line.split() == canonicalize(line) for line in lines)
    assert "\\begin{array}" not in " ".join(lines)
    assert main(flags) == 0
    assert out.read_text().splitlines() == lines
    assert main([*flags, "--seed", "1"]) == 0
    assert out.read_text().splitlines() != lines


def test_a_list_without_plain_formulas_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.txt"
    source.write_text("\\begin{array}{c} a \\end{array}\n")
    assert main(["--formulas", str(source), "--out", str(tmp_path / "new.txt")]) == 1
    assert "no formula without arrays" in capsys.readouterr().err


def test_arrays_keep_their_columns_and_get_other_letters(tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "new.txt"
    source.write_text("\\begin{array}{rl} l & r \\\\ c & \\frac{x}{y} \\end{array}\n")
    assert main(["--formulas", str(source), "--out", str(out), "--arrays", "true", "--count", "20"]) == 0
    lines = out.read_text().splitlines()
    assert len(lines) == 20
    assert all(line.startswith("\\begin{array} { r l } {") and line.count(" & ") == 2 for line in lines)
    assert len({letter for line in lines for letter in line.split() if letter in "lrcxy"}) == 5
