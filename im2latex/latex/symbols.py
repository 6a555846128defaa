r"""What each token is to the grammar: its class, such as `symbol`, `accent` or `two arguments`.

A token that is in no table has no class: it is never written, because nobody has seen that TeX takes it.
`im2latex/tests/test_grammar.py` typesets every command that is named here.
"""

from im2latex.latex.commands import ACCENTS, FUNCTIONS, INTEGRALS, LINES, STYLES, WITH_OPTION

_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabdfghjkoqsuvwyz,;:!?+=`\"@"
SINGLES = frozenset("lcrmpteinx|-.*[]{}^_&")
"""Characters that mean something of their own somewhere: units, columns, signs, options, groups, scripts."""
DELIMITER_CHARACTERS = "()/<>"


def _commands(names: str) -> frozenset[str]:
    return frozenset("\\" + name for name in names.split())


LETTERS = _commands(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu nu xi pi varpi "
    "rho varrho sigma varsigma tau upsilon phi varphi chi psi omega digamma Gamma Delta Theta Lambda Xi Pi Sigma "
    "Upsilon Phi Psi Omega varGamma varDelta varTheta varLambda varPi varPhi varPsi varOmega ell "
    "partial infty nabla imath jmath prime perp ast star circ"
)
RELATIONS = _commands(
    "Subset Vdash approx approxeq asymp backsim cong dashv doteq doteqdot equiv frown ge geq geqq geqslant gg "
    "gtrapprox gtrless gtrsim in le leq leqq leqslant lessgtr lesssim ll mid models multimap ne neq ni nmid notin "
    "nsubseteq parallel pitchfork prec preccurlyeq preceq precsim propto shortparallel sim simeq smallfrown smile "
    "sqsubseteq subset subseteq subsetneq succ succcurlyeq succeq supset supseteq supsetneq thickapprox thicksim "
    "triangleq vDash varpropto varsubsetneq vartriangleleft vartriangleright vdash not"
)
ARROWS = _commands(
    "Leftarrow Leftrightarrow Longleftrightarrow Longrightarrow Rightarrow curvearrowright dashrightarrow gets "
    "hookleftarrow hookrightarrow iff implies leadsto leftarrow leftrightarrow leftrightarrows leftrightharpoons "
    "longleftarrow longleftrightarrow longmapsto longrightarrow mapsto nearrow nrightarrow nwarrow restriction "
    "rightarrow rightarrowtail rightharpoonup rightleftarrows rightleftharpoons rightrightarrows rightsquigarrow "
    "searrow swarrow to twoheadleftarrow twoheadrightarrow upharpoonright"
)
OPERATIONS = _commands(
    "amalg bigcirc bigtriangledown bigtriangleup bmod boxminus boxplus boxtimes bullet cap cdot cdotp "
    "circledast circledcirc cup curlywedge dag dagger ddag ddagger diamond div intercal land lhd lor ltimes mp odot "
    "ominus oplus oslash otimes pm rhd rtimes setminus smallsetminus sqcap sqcup times triangleleft triangleright "
    "unlhd uplus vee wedge wr"
)
SIGNS = _commands(
    "Box Diamond Im P Re S aleph angle bigstar blacksquare bot checkmark colon complement diamondsuit emptyset eth "
    "exists flat forall hbar heartsuit hslash  lnot lozenge measuredangle mho natural neg "
    "pounds sharp slash sphericalangle square surd top triangle triangledown varnothing vartriangle wp "
    "varinjlim varprojlim varliminf varlimsup % & # _ lrcorner llcorner"
)
DOTS = _commands("cdots ddots dots dotsb dotsc dotsm ldots vdots")
SPACES = _commands("! , : ; / enskip enspace qquad quad thinspace") | {"\\", "~"}
TEXT_COMMANDS = _commands("emph textbf textit textrm textsc textsf texttt textup llap rlap fbox")
r"""Commands whose argument is running text, where no mathematics may stand."""
SUMS = _commands(
    "sum prod coprod bigcup bigcap bigoplus bigotimes bigodot bigvee bigwedge biguplus bigsqcup"
)
DELIMITERS = _commands(
    "{ } | langle rangle lbrace rbrace lbrack rbrack vert Vert lvert rvert lVert rVert lfloor rfloor lceil rceil "
    "uparrow downarrow Uparrow Downarrow backslash arrowvert Arrowvert"
)
SWITCHES = _commands(
    "tiny scriptsize footnotesize small normalsize large Large LARGE cal bf it sf tt mit boldmath"
)
BIG = frozenset(rf"\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m"))
FONTS = _commands("mathrm mathit mathbf mathbb mathcal mathfrak mathscr mathsf mathtt mathnormal")
WIDE_ACCENTS = _commands("widehat widetilde mathring dddot")
ONE_ARGUMENT = _commands(
    "boldsymbol pmb boxed overrightarrow overleftarrow overleftrightarrow underbrace overbrace vphantom hphantom "
    "mathrel mathbin mathord mathinner mathopen mathclose mod pmod"
)
ONE_GROUP = _commands("smash operatorname phantom") | {r"\operatorname*", *LINES}
TWO_ARGUMENTS = _commands("frac binom stackrel overset underset")
ENVIRONMENTS = ("array", "matrix", "smallmatrix", "aligned", "gathered", "cases")

_CLASSES: dict[str, frozenset[str] | tuple[str, ...]] = {
    "letter": LETTERS,
    "symbol": RELATIONS | ARROWS | OPERATIONS | SIGNS | DOTS | frozenset(FUNCTIONS),
    "character": frozenset([*_CHARACTERS, "--", "---"]),
    "digit": frozenset("0123456789"),
    "space": SPACES,
    "integral": INTEGRALS - {r"\idotsint"},
    "sum": SUMS,
    "delimiter": DELIMITERS,
    "delimiter character": frozenset(DELIMITER_CHARACTERS),
    "style": STYLES,
    "switch": SWITCHES,
    "big": BIG,
    "font": FONTS,
    "accent": frozenset(ACCENTS) - {r"\phantom"},
    "wide accent": WIDE_ACCENTS,
    "one argument": ONE_ARGUMENT,
    "one group": ONE_GROUP,
    "two groups": (r"\cfrac",),
    "two arguments": TWO_ARGUMENTS,
    "text": TEXT_COMMANDS,
    "option": WITH_OPTION,
    "mathop": (r"\mathop",),
    "infix": (r"\atop",),
    "substack": (r"\substack",),
    "middle": (r"\middle",),
    "limits": (r"\limits",),
    "nolimits": (r"\nolimits",),
    "rule": (r"\hline",),
    "row": (r"\\",),
    "space of a length": (r"\hspace",),
}

_ENDS = [*DELIMITERS, *DELIMITER_CHARACTERS, "|", ".", "[", "]"]
CLASS_OF: dict[str, str] = {
    **{token: name for name, tokens in _CLASSES.items() for token in tokens},
    **{character: character for character in SINGLES},
    **{rf"\begin{{{name}}}": f"begin {name}" for name in ENVIRONMENTS},
    **{rf"\end{{{name}}}": f"end {name}" for name in ENVIRONMENTS},
    **{rf"\left{end}": "left" for end in _ENDS},
    **{rf"\right{end}": "right" for end in _ENDS},
}
"""The class of every token that may be written."""
