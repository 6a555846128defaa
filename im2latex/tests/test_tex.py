"""Tests of reading what TeX says, and of the environment it runs in."""

import pytest

from im2latex.errors import RenderError
from im2latex.rendering.look import Look
from im2latex.rendering.tex import read_terminal, require_latex, run_latex, write_document

OUTPUT = r"""This is pdfTeX
im2latex-formula 7

im2latex-formula 8
! Undefined control sequence.
l.101 a + \nosuch
                  b
! Missing $ inserted.
im2latex-formula 999
im2latex-formula 9
! LaTeX Error: Environment foo undefined.
"""


def test_every_formula_gets_the_first_error_after_its_own_mark():
    errors, last = read_terminal(OUTPUT, {7, 8, 9})
    assert errors == {
        8: r"Undefined control sequence. \nosuch",
        9: "LaTeX Error: Environment foo undefined.",
    }
    assert last == 9


def test_without_latex_the_error_names_the_debian_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match="apt-get install texlive-latex-base texlive-latex-recommended"):
        require_latex()


def test_an_empty_line_in_a_formula_does_not_end_its_display():
    document = write_document({0: "a\n\n \r\n b"}, Look(), with_amsmath=False)
    assert "\na\nb\n" in document


@pytest.mark.needs_latex
def test_a_preamble_that_latex_refuses_raises_with_its_reason(tmp_path):
    with pytest.raises(RenderError, match=r"nosuchpackage\.sty"):
        run_latex({0: "a"}, Look(preamble=r"\usepackage{nosuchpackage}"), tmp_path, with_amsmath=False)


@pytest.mark.needs_latex
def test_latex_neither_leaves_its_folder_nor_sees_the_users_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXINPUTS", str(tmp_path))
    (tmp_path / "secret.tex").write_text("x")
    folder = tmp_path / "run"
    folder.mkdir()
    formulas = {1: r"\input{secret.tex}"}
    assert "not found" in run_latex(formulas, Look(), folder, with_amsmath=False).errors[1]
