"""Test of the measurement of canonicalize: rows are counted, and the rest has its reasons."""

import lzma

from training.measure_canonical import main

ROWS = [
    ("x^2", "x ^ { 2 }"),
    (r"\ln x", r"\operatorname { l n } x"),
    (r"\sqrt[3]{x}", r"\sqrt [ [object Object] ] { x }"),
    (r"\overline x", r"\overline { x }"),
    ("x_1_2", "x _ { 2 }"),
    (r"\unreadable", ""),
]


def test_rows_are_compared_and_differences_have_reasons(tmp_path, capsys):
    path = tmp_path / "formulas.tsv.xz"
    with lzma.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(f"books\tours\tdisplay\t{raw}\t{official}\n" for raw, official in ROWS)
    assert main(["--formulas", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "40.00% of 5 formulas" in printed
    assert "changed by doing it twice: 0" in printed
    for reason in ("loses the index of a root", "only braces differ", "refused"):
        assert f"1  {'official form ' * (reason[0] == 'l')}{reason}" in printed
