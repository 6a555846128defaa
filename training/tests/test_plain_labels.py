r"""Promises of plain labels: what is printed the same loses its `\mbox`, groups and `\left`; all else stays."""

from pathlib import Path

import pytest

from training.plain_labels import main, plain


@pytest.mark.parametrize(
    ("label", "rewritten"),
    [
        (r"\left ( \mbox { d } \right )", "( d )"),
        (r"{ { \mbox { r } } _ { \mbox { T } } + { E m } }", "r _ { T } + E m"),
        (r"\frac { { R + \mbox { ij } } } { \left [ j \right ] }", r"\frac { R + i j } { [ j ] }"),
        (r"\sqrt [ 3 ] { \mbox { x } }", r"\sqrt [ 3 ] { x }"),
        (r"{ e } ^ { { \sqrt { g } } }", r"e ^ { \sqrt { g } }"),
        (r"\left \{ { \mbox { x } } \right \}", r"\{ x \}"),
        (r"x^{2}+\left(y\right)", r"x^{2}+\left(y\right)"),
        (r"{ \mbox { x } _ { 1 } } _ { 2 }", r"{ \mbox { x } _ { 1 } } _ { 2 }"),
    ],
)
def test_a_label_is_written_as_it_is_printed(label: str, rewritten: str) -> None:
    assert plain(label) == rewritten


def test_the_command_keeps_lines_and_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.tsv").write_text("a.png\t{ x }\tink\nb.png\ty\n")
    flags = ["--labels", str(tmp_path / "labels.tsv"), "--out", str(tmp_path / "plain.tsv")]
    assert main(flags) == 0
    assert (tmp_path / "plain.tsv").read_text() == "a.png\tx\tink\nb.png\ty\n"
    assert "1 of 2 labels" in capsys.readouterr().out
    (tmp_path / "labels.tsv").write_text("a.png\n")
    assert main(flags) == 1
    assert "line 1: want name<TAB>formula" in capsys.readouterr().err
