r"""Which formulas get a LaTeX run of their own because they might change what follows them.

Nothing is refused here: a formula that says `\gdef` or `\end{document}` is rendered, or fails, alone.
"""

import re

_CONTROL = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)
_HIDDEN = re.compile(r"\^\^|\$\$|\\(?:begin|end)\s*\{\s*(?:document|figure|table|verbatim|filecontents)")

# Commands that define, assign beyond their group, read, write, talk, end the run, or take groups apart.
_NAMES = re.compile(
    r"""
    [a-zA-Z]*def | let | futurelet | global\w* | csname | expandafter | after\w* | new(?!line$)\w* | renew\w*
    | provide\w* | Declare\w* | set(?!minus$)\w* | addto\w* | (?:ref)?stepcounter | savebox | [a-z]*code
    | write\w* | immediate | open\w* | close\w* | read\w* | input\w* | include\w* | endinput | scantokens
    | special | pdf\w* | shipout | output\w* | every\w* | At[A-Z]\w* | document | enddocument | @@end
    | stop | dump | usepackage | RequirePackage | makeat\w* | [a-z]+mode | [a-z]*message | type\w* | show\w*
    | tracing\w* | begingroup | endgroup | bgroup | egroup | [a-z]*fontdimen | font | [a-z]*char | page\w*
    | verb | bibliography | tableofcontents | insert | vadjust | marks? | footnote\w* | marginpar
    | hyphenation | patterns | [()\[\]]
    """,
    re.VERBOSE,
)


def is_risky(formula: str) -> bool:
    """True when the formula names a command that could reach beyond its own group, or hides its letters."""
    if _HIDDEN.search(formula):
        return True
    return any(_NAMES.fullmatch(name) for name in set(_CONTROL.findall(formula)))
