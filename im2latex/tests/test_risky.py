"""Tests of which formulas share a LaTeX run with others."""

import pytest

from im2latex.rendering.risky import is_risky


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{a}{b} \in \left[ 0, 1 \right)",
        r"\begin{array}{cc} a & b \\[6pt] \newline \end{array}",
        r"A \setminus B \atop C \leftarrow D \mathop{\rm def} \over \overline{x} \sharp",
        r"\text{if $x$} \hspace{1cm} \mathchar'26 \begin{pmatrix} a \end{pmatrix}",
    ],
)
def test_mathematics_shares_a_run(formula):
    assert not is_risky(formula)


@pytest.mark.parametrize(
    "formula",
    [
        r"\gdef\alpha{x}",
        r"\global\let\a\b",
        r"\def@x",
        r"\ExplSyntaxOn",
        r"\NewDocumentCommand\alpha{}{x}",
        r"\begin {document}",
        r"\end{document}",
        r"^^5cgdef",
        r"$$}\hsize=1pt{$$",
        r"\]}\hsize=1pt{\[",
        r"\message{im2latex-finished}",
        r"\endformula",
    ],
)
def test_a_command_that_reaches_beyond_its_group_gets_a_run_of_its_own(formula):
    assert is_risky(formula)
