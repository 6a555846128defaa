"""Formulas made up for property tests: well-formed ones, and pieces of LaTeX in any order."""

from hypothesis import strategies as st


def _words(text: str) -> list[str]:
    return text.split()


SYMBOLS = [
    *_words(r"x y A 1 2 0 \alpha \Gamma \infty + - = < \leq \to ( ) [ ] | , . ! ~ \, \; \! \quad \ldots"),
    *_words(r"\sum \int \prod \sin \max \lim \partial \nabla \{ \} \| \# \% \& \$ / * : ; \colon \mod"),
    "\\ ",
]
FONTS = _words(r"\mathrm \mathbf \mathcal \text \mbox \textbf \operatorname \operatorname* \hat \overline")
SWITCHES = _words(r"\rm \bf \cal \displaystyle \small \textrm")
ENVIRONMENTS = ("array", "matrix", "pmatrix", "cases", "aligned")
DELIMITERS = (("(", ")"), (r"\{", "."), ("[", r"\rangle"), (r"\{", r"\}"))

PIECES = [
    *SYMBOLS,
    *FONTS,
    *SWITCHES,
    *_words(r"{ } { } { } ^ _ ' '' & & \\ \cr \left \right \left( \right) \left\{ \right. \frac \dfrac"),
    *_words(r"\binom \over \choose \atop \sqrt \sqrt[ \limits \nolimits \hline \big \not \underline \tilde"),
    *_words(r"\begin{array} \end{array} {cc} {l|r} {*{3}{c}} \begin{cases} \end{cases} \begin{pmatrix}"),
    *_words(r"\end{pmatrix} \begin{aligned} \end{aligned} \begin{matrix} \end{matrix} \substack \stackrel"),
    *_words(r"-- --- \hskip1cm \hspace{1cm} \label{a} {\rm {\bf {} [2pt] $ % @ \> \~ [object Object]"),
    " ",
    "\n",
    "\\",
]


def soups() -> st.SearchStrategy[str]:
    """Pieces of LaTeX in any order, with and without blanks between them: seldom a formula."""
    pieces = st.lists(st.sampled_from(PIECES), max_size=25)
    return st.builds(lambda separator, parts: separator.join(parts), st.sampled_from(["", " "]), pieces)


def formulas() -> st.SearchStrategy[str]:
    """Formulas as a person might write them."""
    return st.recursive(st.sampled_from(SYMBOLS), _compound, max_leaves=12)


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map("{{{}}}".format)
    sequence = st.lists(inner, min_size=1, max_size=4).map(" ".join)
    row = st.lists(sequence, min_size=1, max_size=3).map(" & ".join)
    rows = st.lists(row, min_size=1, max_size=3).map(r" \\ ".join)
    return st.one_of(
        sequence,
        sequence.map("{{{}}}".format),
        st.builds("{}_{}".format, group, group),
        st.builds("{}^{}_{}".format, st.sampled_from("xyA"), group, group),
        st.builds("{}{}".format, st.sampled_from("fgh"), st.sampled_from(["'", "''", "'^{2}", r"^{\prime}"])),
        st.builds(r"\frac{}{}".format, group, group),
        st.builds(r"\sqrt[{}]{}".format, st.sampled_from(["3", "n", ""]), group),
        st.builds("{}{}".format, st.sampled_from(FONTS), group),
        st.builds("{{{} {}}}".format, st.sampled_from(SWITCHES), sequence),
        st.builds(r"{{{} \over {}}}".format, sequence, sequence),
        st.builds(
            lambda pair, body: rf"\left{pair[0]} {body} \right{pair[1]}",
            st.sampled_from(DELIMITERS),
            sequence,
        ),
        st.builds(_environment, st.sampled_from(ENVIRONMENTS), rows),
    )


def _environment(name: str, rows: str) -> str:
    columns = "{ccc}" if name == "array" else ""
    return rf"\begin{{{name}}}{columns} {rows} \end{{{name}}}"
