"""BLEU-4 by the conventions that others publish: on the same predictions they differ by more than models do.

All count n-grams up to four with equal weights, a brevity penalty and no smoothing. They take token lists and give
percent, higher is better. They differ in what a token is, and in what is averaged.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from nltk.translate import bleu_score
from sacrebleu.metrics.bleu import BLEU

from im2latex import metrics
from im2latex.metrics import Tokens

BATCH = 10
"""Formulas a batch where the mean is taken over batches: what pix2tex's eval.py takes unless told otherwise."""


def multi_bleu(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """What multi-bleu.perl of Moses prints, by sacreBLEU: over the corpus, tokens as given.

    `metrics.corpus_bleu` differs on formulas of fewer than four tokens only: for each n-gram order that such a formula
    is too short for, nltk counts one n-gram as missed, and Moses counts none.
    """
    return _sacre_bleu(predictions, references, "none")


def thirteen_a(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    r"""Over the corpus, on the words of mteval-v13a, by sacreBLEU: `\frac { a }` is cut into `\`, `frac`, `{`, ..."""
    return _sacre_bleu(predictions, references, "13a")


def sentence_mean(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """Mean over the formulas of nltk's sentence BLEU: a formula of fewer than four tokens counts 0, even if right."""
    pairs = zip(predictions, references, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no 4-gram in common: the score is 0, which says it
        return 100 * fmean(
            float(bleu_score.sentence_bleu([list(reference)], list(prediction))) for prediction, reference in pairs
        )


def batch_mean(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """Mean of `multi_bleu` over BATCH formulas at a time, in the order given, which therefore matters."""
    starts = range(0, len(references), BATCH)
    return fmean(
        multi_bleu(predictions[start : start + BATCH], references[start : start + BATCH]) for start in starts
    )


CONVENTIONS: Mapping[str, tuple[Callable[[Sequence[Tokens], Sequence[Tokens]], float], str]] = {
    "nltk_corpus": (metrics.corpus_bleu, "ours; guillaumegenthial/im2latex"),
    "multi_bleu": (multi_bleu, "WYGIWYS, im2markup"),
    "thirteen_a": (thirteen_a, "the evaluate package; UniMERNet, which closes up white space first"),
    "sentence_mean": (sentence_mean, "Nougat"),
    "batch_mean": (batch_mean, "pix2tex, on tokens of its own"),
}
"""Each convention with those who score by it."""


def all_conventions(predictions: Sequence[Tokens], references: Sequence[Tokens]) -> dict[str, dict[str, float | str]]:
    """Every convention by name: who uses it, and its score with and without spacing commands, rounded to 0.01."""
    bare_predictions = [metrics.without_spacing(tokens) for tokens in predictions]
    bare_references = [metrics.without_spacing(tokens) for tokens in references]
    return {
        name: {
            "used_by": used_by,
            "bleu": round(convention(predictions, references), 2),
            "bleu_ignoring_spacing": round(convention(bare_predictions, bare_references), 2),
        }
        for name, (convention, used_by) in CONVENTIONS.items()
    }


def _sacre_bleu(predictions: Sequence[Tokens], references: Sequence[Tokens], tokenizer: str) -> float:
    scorer = BLEU(smooth_method="none", tokenize=tokenizer, force=True)  # force: that it is tokenized is meant
    texts = [" ".join(tokens) for tokens in predictions]
    return float(scorer.corpus_score(texts, [[" ".join(tokens) for tokens in references]]).score)
