"""Where the reading of a formula stands: the tokens ahead, and the normal form written so far."""

from collections.abc import Callable, Mapping

from im2latex.errors import FormulaError

MAX_DEPTH = 100
"""Nesting beyond this is refused: each level costs up to three of the 1,000 nested calls Python allows."""

END = ""
"""Stands after the last token."""

Reader = Callable[["Cursor", str], None]
"""Reads what begins with the token given, which is still ahead, and writes its normal form."""


class Cursor:
    """Tokens are taken from `tokens[position:]` and their normal form is put at the end of `written`."""

    def __init__(self, tokens: list[str], readers: Mapping[str, Reader]) -> None:
        self.tokens = [*tokens, END]
        self.readers = readers
        self.position = 0
        self.written: list[str] = []
        self.cases: tuple[int, int] | None = None
        """Where in `written` the latest `cases` stand, with the brace that they draw."""
        self._depth = 0

    def enter(self) -> None:
        """Go one level down; FormulaError below the last level."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormulaError(f"want a formula nested less than {MAX_DEPTH} deep")

    def leave(self) -> None:
        """Come back one level up."""
        self._depth -= 1

    def expect(self, wanted: str) -> None:
        """Take the token wanted; FormulaError where another is ahead."""
        if self.tokens[self.position] != wanted:
            raise self.refusal(wanted)
        self.position += 1

    def cut(self, start: int) -> list[str]:
        """Take back what was written from `start` on."""
        tokens = self.written[start:]
        del self.written[start:]
        self.cases = None
        return tokens

    def refusal(self, wanted: str) -> FormulaError:
        """Return the error that says what is ahead and what was wanted instead."""
        seen = self.tokens[self.position] or "the end"
        return FormulaError(f"got {seen} as token {self.position + 1}, want {wanted}")
