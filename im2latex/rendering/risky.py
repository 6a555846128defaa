r"""Which formulas get a LaTeX run of their own because they might change what follows them.

Nothing is refused here: a formula that says `\gdef` or `\end{document}` is rendered, or fails, alone.
"""

import re

_CONTROL = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_HIDDEN = re.compile(r"\^\^|\$\$|\\(?:begin|end)\s*\{\s*(?:document|figure|table|verbatim|filecontents)")

# Commands that define, assign beyond their group, read, write, talk, end the run, or take groups apart.
_NAMES = re.compile(
    r"""
    [a-z]*def | let | futurelet | global\w* | csname | expandafter | after\w* | new(?!line$)\w* | renew\w*
    | provide\w* | declare\w* | set(?!minus$)\w* | add\w* | (?:ref)?stepcounter | savebox | [a-z]*code | expl\w*
    | write\w* | immediate | open\w* | close\w* | read\w* | input\w* | include\w* | endinput | scantokens
    | special | pdf\w* | shipout | output\w* | every\w* | at(?:begin|end)\w* | (?:end)?document | stop | dump
    | usepackage | requirepackage | (?:batch|nonstop|scroll|errorstop)mode | [a-z]*message | type\w* | show\w*
    | tracing\w* | (?:begin|end)group | bgroup | egroup | font | fontdimen | (?:hyphen|skew)char | page\w*
    | makeat\w* | verb | bibliography | tableofcontents | insert | vadjust | marks? | footnote\w* | marginpar
    | hyphenation | patterns | (?:begin|end)formula | [()\[\]]
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_risky(formula: str) -> bool:
    """True when the formula names a command that could reach beyond its own group, or hides its letters."""
    if _HIDDEN.search(formula):
        return True
    return any(_NAMES.fullmatch(name) for name in set(_CONTROL.findall(formula)))
