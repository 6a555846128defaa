r"""Scores of predicted formulas against references, each over the whole corpus, in percent; higher is better.

All take token lists in the normal form of IM2LATEX-100K (`im2latex.latex.to_official`), as the papers score it;
predictions[i] belongs to references[i]. An empty corpus is a mistake of the caller (ConfigError), not a score.
"""

import warnings
from collections.abc import Sequence

import editdistance
from nltk.translate import bleu_score

from im2latex.errors import ConfigError

Tokens = Sequence[str]

SPACING = frozenset(
    [
        r"\,", r"\;", r"\:", r"\!", r"\>", "\\", r"\ ", "~", r"\quad", r"\qquad",
        r"\thinspace", r"\medspace", r"\thickspace", r"\enspace", r"\negthinspace",
    ]
)
r"""Commands that only move what follows. `\` alone is the control space `\ `, split at its white space."""

SPACING_WITH_ARGUMENT = frozenset([r"\hspace", r"\hspace*", r"\vspace", r"\vspace*"])
"""The same, with a length in braces after them: `\\hspace { 1 c m }`; the star may be a token of its own."""


def corpus_bleu(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """BLEU-4 of the corpus: `nltk.translate.bleu_score.corpus_bleu`, one reference each, no smoothing."""
    _check_pairs(predictions, references)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no 4-gram in common: the score is 0, which says it
        score = bleu_score.corpus_bleu([[reference] for reference in references], list(predictions))
    return 100 * float(score)


def edit_score(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """100 * (1 - edits / length): token edits and longer lengths of each pair, both summed over the corpus."""
    _check_pairs(predictions, references)
    pairs = list(zip(predictions, references, strict=True))
    edits = sum(edit_distance(prediction, reference) for prediction, reference in pairs)
    length = sum(max(len(prediction), len(reference)) for prediction, reference in pairs)
    return 100 * (1 - edits / length) if length else 100.0


def edit_score_ignoring_spacing(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """Like `edit_score`, after `without_spacing` on both sides."""
    return edit_score([without_spacing(tokens) for tokens in predictions], list(map(without_spacing, references)))


def exact_match(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """Share of predictions that are their reference, token by token."""
    _check_pairs(predictions, references)
    pairs = zip(predictions, references, strict=True)
    return 100 * sum(list(prediction) == list(reference) for prediction, reference in pairs) / len(references)


def exact_match_ignoring_spacing(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """Like `exact_match`, after `without_spacing` on both sides."""
    return exact_match([without_spacing(tokens) for tokens in predictions], list(map(without_spacing, references)))


def edit_distance(prediction: Tokens, reference: Tokens) -> int:
    """Fewest insertions, deletions and replacements of a token that turn one into the other; lower is better."""
    return int(editdistance.eval(list(prediction), list(reference)))


def without_spacing(tokens: Tokens) -> list[str]:
    """The tokens without SPACING, nor SPACING_WITH_ARGUMENT and its braces."""
    kept: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token in SPACING_WITH_ARGUMENT:
            place = _end_of_argument(tokens, place + 1)
            continue
        if token not in SPACING:
            kept.append(token)
        place += 1
    return kept


def _end_of_argument(tokens: Tokens, start: int) -> int:
    """The place after the braces that open at `start`, or after a star there; `start` where there are none, or open."""
    opening = start + (list(tokens[start : start + 1]) == ["*"])
    if opening < len(tokens) and tokens[opening] == "{" and "}" in tokens[opening:]:
        return opening + list(tokens[opening:]).index("}") + 1
    return start


def _check_pairs(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> None:
    if not references or len(predictions) != len(references):
        raise ConfigError(f"wanted a prediction per reference, got {len(predictions)} and {len(references)}")
