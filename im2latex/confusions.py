"""Which tokens are confused: the fewest edits that turn each reference into what was read, counted by token."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from im2latex.metrics import Tokens


@dataclass
class TokenErrors:
    """One token of the vocabulary over a corpus. Where several edit scripts are shortest, one of them is counted."""

    token: str
    occurrences: int = 0
    """In the references."""
    left_out: int = 0
    added: int = 0
    """Read where the reference has nothing."""
    read_as: Counter[str] = field(default_factory=Counter)
    """What was read instead of it, and how often."""

    @property
    def replaced(self) -> int:
        """How often something else was read instead of it."""
        return self.read_as.total()

    @property
    def errors(self) -> int:
        """Edits that concern it as a token of the reference, or as one added; their sum over tokens is all edits."""
        return self.replaced + self.left_out + self.added


def count_confusions(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> list[TokenErrors]:
    """Every token of the corpus with its errors, most errors first."""
    counted: dict[str, TokenErrors] = {}

    def of(token: str) -> TokenErrors:
        return counted.setdefault(token, TokenErrors(token))

    for prediction, reference in zip(predictions, references, strict=True):
        for token in reference:
            of(token).occurrences += 1
        for edit in Levenshtein.editops(list(reference), list(prediction)):
            if edit.tag == "insert":
                of(prediction[edit.dest_pos]).added += 1
            elif edit.tag == "delete":
                of(reference[edit.src_pos]).left_out += 1
            else:
                of(reference[edit.src_pos]).read_as[prediction[edit.dest_pos]] += 1
    return sorted(counted.values(), key=lambda row: (-row.errors, row.token))
