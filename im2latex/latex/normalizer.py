"""Read the tokens of a formula by recursive descent and write their normal form, in one pass."""

from collections.abc import Callable

from im2latex.errors import FormulaError
from im2latex.latex.arrays import Row, column_letters, is_group, write_rows
from im2latex.latex.commands import (
    ACCENTS,
    ALIASES,
    ARGUMENTS,
    ENVIRONMENTS,
    FUNCTION_OF,
    FUNCTIONS,
    INFIX,
    LINES,
    MATRIX_DELIMITERS,
    STYLES,
    SWITCHES,
)
from im2latex.latex.tokens import TEXT_COMMANDS

MAX_DEPTH = 100
"""Groups nested deeper are refused: each costs up to four of Python's 1,000 nested calls."""

_END = ""
_LIMITS = frozenset({r"\limits", r"\nolimits"})
_SCRIPTS = frozenset({"^", "_", "'", *_LIMITS})


class Normalizer:
    """One reading of one formula; `normalize` may be called once."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, _END]
        self._position = 0
        self._written: list[str] = []
        self._depth = 0
        self._cases = (0, 0)  # where the last `cases` were written, with the brace that they draw

    def normalize(self) -> list[str]:
        """Return the formula in normal form; FormulaError where it is none."""
        self._expression()
        if self._tokens[self._position] != _END:
            raise self._refusal("no")
        return self._written

    def _refusal(self, wanted: str) -> FormulaError:
        seen = self._tokens[self._position] or "the end"
        return FormulaError(f"token {self._position}: got {seen}, want {wanted}")

    def _expression(self, closer: str = "}") -> None:
        """Write atoms up to the token that ends the expression, which stays unread."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormulaError(f"groups are nested more than {MAX_DEPTH} deep")
        tokens, written = self._tokens, self._written
        start, halves = len(written), None
        while True:
            token = tokens[self._position]
            reader = _READERS.get(token)
            if reader is not None:
                reader(self, token)
            elif token in _CLOSERS or token == closer:
                break
            elif token in INFIX:
                if halves:
                    raise self._refusal("one such command in a group")
                halves = (INFIX[token], len(written))
                self._position += 1
                continue
            elif token in SWITCHES or token in STYLES:
                self._position += 1
                if token == r"\rm":
                    self._roman(closer)
                    break
                written.append(token)
                if token in SWITCHES and not halves:
                    start = len(written)
                continue
            else:
                written.append(token)
                self._position += 1
            if tokens[self._position] in _SCRIPTS:
                self._scripts()
        if halves:
            command, middle = halves
            written[start:] = [command, *_grouped(written[start:middle]), *_grouped(written[middle:])]
        self._depth -= 1

    def _roman(self, closer: str) -> None:
        self._written += (r"\mathrm", "{")
        self._expression(closer)
        self._written.append("}")

    def _scripts(self) -> None:
        """Write the scripts of an atom, the lower one first; primes belong to the upper one."""
        tokens = self._tokens
        lower: list[str] | None = None
        upper: list[str] | None = None
        primes = 0
        while (token := tokens[self._position]) in _SCRIPTS:
            if token == "'":
                primes += 1
                self._position += 1
            elif token in _LIMITS:
                self._position += 1
            elif token == "_":
                if lower is not None:
                    raise self._refusal("one lower script")
                self._position += 1
                lower = self._content()
            else:
                if upper is not None:
                    raise self._refusal("one upper script")
                self._position += 1
                upper = self._content()
        if lower is not None:
            self._written += ("_", "{", *lower, "}")
        if upper is not None or primes:
            self._written += ("^", "{", *[r"\prime"] * primes, *(upper or ()), "}")

    def _content(self) -> list[str]:
        """Read an argument and return it without its braces instead of writing it."""
        written = self._written
        start = len(written)
        braced = self._tokens[self._position] == "{"
        self._argument()
        content = written[start + 1 : -1] if braced else written[start:]
        del written[start:]
        return content

    def _argument(self) -> None:
        """Write one argument as it stands: a group, or a command with its own arguments, or a token."""
        token = self._tokens[self._position]
        reader = _READERS.get(token)
        if reader is not None:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise FormulaError(f"arguments are nested more than {MAX_DEPTH} deep")
            reader(self, token)
            self._depth -= 1
        elif token in _CLOSERS or token in INFIX or token in _LIMITS:
            raise self._refusal("an argument")
        else:
            self._written.append(token)
            self._position += 1
            if token in SWITCHES or token in STYLES:
                self._argument()

    def _group(self, token: str) -> None:
        self._position += 1
        self._written.append("{")
        self._expression()
        while self._tokens[self._position] == r"\\":  # the rows of \substack
            self._written.append(r"\\")
            self._position += 1
            self._expression()
        self._expect("}")
        self._written.append("}")

    def _expect(self, wanted: str) -> None:
        if self._tokens[self._position] != wanted:
            raise self._refusal(wanted)
        self._position += 1

    def _command(self, token: str) -> None:
        self._position += 1
        self._written.append(ALIASES.get(token, token))
        for _ in range(ARGUMENTS[token]):
            self._argument()

    def _accent(self, token: str) -> None:
        self._position += 1
        self._written += (token, "{", *self._content(), "}")

    def _line(self, token: str) -> None:
        self._position += 1
        content = self._content()
        self._written += (token, "{", *(content if is_group(content) else ("{", *content, "}")), "}")

    def _text(self, token: str) -> None:
        self._position += 1
        self._written += (r"\mathrm", "{", *self._content(), "}")

    def _root(self, token: str) -> None:
        self._position += 1
        self._written.append(token)
        if self._tokens[self._position] == "[":
            self._position += 1
            self._written.append("[")
            self._expression("]")
            self._expect("]")
            self._written.append("]")
        self._argument()

    def _function(self, token: str) -> None:
        self._position += 1
        operator, *name = FUNCTIONS[token]
        while (limits := self._tokens[self._position]) in _LIMITS:
            self._position += 1
            operator = r"\operatorname*" if limits == r"\limits" else r"\operatorname"
        function = FUNCTION_OF.get((operator, *name))
        self._written += [function] if function else [operator, *name]

    def _operator_name(self, token: str) -> None:
        self._position += 1
        if self._tokens[self._position] == "*":
            self._position += 1
            token = r"\operatorname*"
        start = len(self._written)
        self._written.append(token)
        self._argument()
        function = FUNCTION_OF.get(tuple(self._written[start:]))
        if function:
            self._written[start:] = [function]

    def _left(self, token: str) -> None:
        start = len(self._written)
        opening = self._delimiter()
        self._written.append(r"\left" + opening)
        self._expression()
        if self._tokens[self._position] != r"\right":
            raise self._refusal(r"\right")
        closing = self._delimiter()
        if (opening, closing) == (r"\{", ".") and self._cases == (start + 1, len(self._written)):
            del self._written[start]  # cases bring this very brace
        else:
            self._written.append(r"\right" + closing)

    def _delimiter(self) -> str:
        self._position += 2
        delimiter = self._tokens[self._position - 1]
        if delimiter in {"{", "}", _END}:
            self._position -= 1
            raise self._refusal("a delimiter")
        return delimiter

    def _environment(self, token: str) -> None:
        name = self._name()
        if name not in ENVIRONMENTS:
            raise FormulaError(f"no such environment: {name}, want one of {', '.join(sorted(ENVIRONMENTS))}")
        style = "matrix" if name in MATRIX_DELIMITERS else name
        opening, closing = MATRIX_DELIMITERS.get(name, (r"\{", ".") if name == "cases" else ("", ""))
        written = self._written
        start = len(written)
        written += [r"\left" + opening] * bool(opening) + [rf"\begin{{{style}}}"]
        if name in {"array", "tabular"}:
            written += ["{", *column_letters(self._content()), "}"]
        written += write_rows(self._rows(), aligned=name == "aligned")
        if self._name() != name:
            raise FormulaError(f"\\begin{{{name}}} without \\end{{{name}}}")
        written += [rf"\end{{{style}}}"] + [r"\right" + closing] * bool(closing)
        if name == "cases":
            self._cases = (start, len(written))

    def _name(self) -> str:
        r"""Read `\begin` or `\end` with its braces and return the name in them."""
        self._position += 1
        self._expect("{")
        start = self._position
        while self._tokens[self._position] not in {"}", _END}:
            self._position += 1
        self._expect("}")
        return "".join(self._tokens[start : self._position - 1])

    def _rows(self) -> list[Row]:
        """Read the cells up to the end of the environment, which stays unread."""
        rows: list[Row] = [[]]
        while True:
            start = len(self._written)
            self._expression()
            rows[-1].append(self._written[start:])
            del self._written[start:]
            closer = self._tokens[self._position]
            if closer == r"\end":
                return rows
            if closer not in {"&", r"\\", r"\cr"}:
                raise self._refusal(r"\end")
            self._position += 1
            if closer != "&":
                self._row_gap()
                rows.append([])

    def _row_gap(self) -> None:
        """Leave out the extra height of a row, as in `\\\\[2pt]`."""
        tokens, position = self._tokens, self._position
        if tokens[position] == "[" and "]" in tokens[position : position + 12]:
            gap = tokens[position + 1 : tokens.index("]", position)]
            if "".join(gap[-2:]) in {"pt", "em", "ex", "mm", "cm", "in"}:
                self._position += len(gap) + 2


def _grouped(tokens: list[str]) -> list[str]:
    return tokens if is_group(tokens) else ["{", *tokens, "}"]


_CLOSERS = frozenset({_END, "}", "&", r"\\", r"\cr", r"\right", r"\end"})
_READERS: dict[str, Callable[[Normalizer, str], None]] = {
    "{": Normalizer._group,
    r"\sqrt": Normalizer._root,
    r"\left": Normalizer._left,
    r"\begin": Normalizer._environment,
    r"\operatorname": Normalizer._operator_name,
    **dict.fromkeys(FUNCTIONS, Normalizer._function),
    **dict.fromkeys(ARGUMENTS, Normalizer._command),
    **dict.fromkeys(ACCENTS, Normalizer._accent),
    **dict.fromkeys(LINES, Normalizer._line),
    **dict.fromkeys(TEXT_COMMANDS, Normalizer._text),
}
