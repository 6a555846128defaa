"""Tables of commands: what each one takes, and which others it is another spelling of."""

_PLAIN = "arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sin sinh tan tanh"
_WITH_LIMITS = "Pr det gcd inf lim liminf limsup max min sup"

FUNCTIONS: dict[str, tuple[str, ...]] = {
    f"\\{name}": (operator, "{", *name, "}")
    for operator, names in ((r"\operatorname", _PLAIN), (r"\operatorname*", _WITH_LIMITS))
    for name in names.split()
}
r"""Our one token for a function, and the official tokens for it: `\ln` is `\operatorname { l n }`."""

FUNCTION_OF = {official: function for function, official in FUNCTIONS.items()}


def _commands(names: str) -> tuple[str, ...]:
    return tuple("\\" + name for name in names.split())


ALIASES = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\dbinom": r"\binom",
    r"\tbinom": r"\binom",
    r"\Bbb": r"\mathbb",
    r"\bold": r"\mathbf",
    r"\frak": r"\mathfrak",
    r"\lt": "<",
    r"\gt": ">",
}
"""Commands that are written as another one."""

ARGUMENTS = {
    **dict.fromkeys(_commands("frac dfrac tfrac binom dbinom tbinom cfrac stackrel overset underset"), 2),
    **dict.fromkeys(_commands("mathrm mathit mathbf mathbb mathcal mathfrak mathscr mathsf mathtt"), 1),
    **dict.fromkeys(_commands("Bbb bold frak mathop boldsymbol pmb bm fbox boxed llap rlap vphantom"), 1),
    **dict.fromkeys(_commands("textbf textit textsf texttt textsc textup textnormal substack"), 1),
    **dict.fromkeys(_commands("lt gt"), 0),
    **dict.fromkeys(_commands("widehat widetilde overrightarrow overleftarrow underbrace overbrace"), 1),
}
"""How many arguments a command takes that are copied as they are written, in braces or not."""

ACCENTS = _commands("acute grave ddot tilde bar breve check hat vec dot phantom")
"""Commands whose argument is always put in braces."""

LINES = _commands("overline underline")
"""Commands whose argument is always put in two pairs of braces."""

WITH_OPTION = _commands("sqrt xrightarrow xleftarrow")
"""Commands that take an optional argument before their own."""

INFIX = {r"\over": r"\frac", r"\choose": r"\binom"}
"""Commands between the two halves of a group, and those that take the halves as arguments."""

SWITCHES = frozenset(
    _commands("tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge")
    + _commands("textrm rm cal bf it boldmath")
)
r"""Commands that hold to the end of the group and stay in front of a fraction made by `\over`."""

STYLES = frozenset(_commands("displaystyle textstyle scriptstyle scriptscriptstyle"))
r"""Commands that hold to the end of the group, but go into the numerator made by `\over`."""

INTEGRALS = frozenset(_commands("int iint iiint oint idotsint intop"))
"""Operators that stand before their scripts; all others stand between them."""

ENVIRONMENTS = {
    **{name: (name, "", "") for name in ("array", "tabular", "matrix", "smallmatrix", "aligned", "gathered")},
    "split": ("aligned", "", ""),
    "cases": ("cases", r"\{", "."),
    "pmatrix": ("matrix", "(", ")"),
    "bmatrix": ("matrix", "[", "]"),
    "Bmatrix": ("matrix", r"\{", r"\}"),
    "vmatrix": ("matrix", "|", "|"),
    "Vmatrix": ("matrix", r"\Vert", r"\Vert"),
}
"""Environments: the name they are written with, and the delimiters put around them."""

WITH_COLUMNS = frozenset({"array", "tabular"})
"""Environments whose columns are an argument."""
