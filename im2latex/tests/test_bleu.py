"""Each convention of BLEU is the one it is named after, as counted by hand or by the library that defines it."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import sentence_bleu
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from im2latex import bleu, metrics

LONG = [r"\frac", "{", "a", "}", "{", "b", "}", "+", "c"]
tokens = st.sampled_from(["x", "y", "^", r"\frac"])
formulas = st.lists(st.lists(tokens, min_size=4, max_size=9), min_size=1, max_size=5)


def split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


def test_multi_bleu_is_what_a_count_by_hand_gives():
    # n-grams found: 5 of 6, 3 of 5, 2 of 4, 1 of 3; the reference is longer by 1
    expected = 100 * exp(1 - 7 / 6) * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert bleu.multi_bleu(split("a b c d x e"), split("a b c d e f g")) == pytest.approx(expected)


def test_multi_bleu_lets_short_formulas_be_and_nltk_counts_them_as_missed():
    predictions, references = [LONG, ["x"]], [LONG, ["x"]]
    assert bleu.multi_bleu(predictions, references) == pytest.approx(100)
    missed = (8 / 9 * 7 / 8 * 6 / 7) ** 0.25  # one 2-, 3- and 4-gram more than there are
    assert metrics.corpus_bleu(predictions, references) == pytest.approx(100 * missed)


@given(formulas, formulas)
def test_on_formulas_of_four_tokens_or_more_multi_bleu_is_nltks_corpus_bleu(predictions, references):
    count = min(len(predictions), len(references))
    pair = predictions[:count], references[:count]
    assert bleu.multi_bleu(*pair) == pytest.approx(metrics.corpus_bleu(*pair), abs=1e-3)


def test_13a_scores_the_words_of_mteval_v13a():
    predictions, references = [[*LONG, "-", "d"]], [LONG]
    assert Tokenizer13a()(" ".join(LONG[:2])).split() == ["\\", "frac", "{"]
    words = [Tokenizer13a()(" ".join(tokens)).split() for tokens in (predictions[0], references[0])]
    assert bleu.thirteen_a(predictions, references) == pytest.approx(metrics.corpus_bleu(words[:1], words[1:]))


def test_the_mean_of_sentences_is_nltks_and_counts_a_short_formula_as_0():
    predictions, references = [[*LONG, "d"], ["x"]], [LONG, ["x"]]
    expected = 100 * sentence_bleu([LONG], predictions[0]) / 2
    assert bleu.sentence_mean(predictions, references) == pytest.approx(expected)


def test_the_mean_over_batches_depends_on_the_last_batch_being_small():
    predictions = [LONG] * bleu.BATCH + [["z"] * 9]
    assert bleu.batch_mean(predictions, [LONG] * (bleu.BATCH + 1)) == pytest.approx(50)
    assert bleu.multi_bleu(predictions, [LONG] * (bleu.BATCH + 1)) > 80


def test_every_convention_is_scored_with_and_without_spacing():
    found = bleu.all_conventions([[*LONG, r"\,"]], [[*LONG, r"\;"]])
    assert found.keys() == bleu.CONVENTIONS.keys()
    for row in found.values():
        assert row["bleu"] < row["bleu_ignoring_spacing"] == pytest.approx(100)
    assert "im2markup" in str(found["multi_bleu"]["used_by"])
