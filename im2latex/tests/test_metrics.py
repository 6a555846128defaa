"""The scores are those of the papers: over the corpus, on tokens, in percent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import corpus_bleu as nltk_corpus_bleu

from im2latex import metrics
from im2latex.errors import ConfigError

ALL = (
    metrics.corpus_bleu,
    metrics.edit_score,
    metrics.edit_score_ignoring_spacing,
    metrics.exact_match,
    metrics.exact_match_ignoring_spacing,
)
token_lists = st.lists(st.lists(st.sampled_from(["x", "y", "^", "{", "}", r"\,", r"\hspace"])), min_size=1, max_size=6)
FORMULA = [r"\frac", "{", "a", "}", "{", "b", "}", "+", "c"]


@pytest.mark.parametrize("score", ALL)
def test_perfect_predictions_score_100(score):
    assert score([FORMULA, FORMULA[:4]], [FORMULA, FORMULA[:4]]) == pytest.approx(100)


@pytest.mark.parametrize("score", ALL)
def test_wrong_predictions_score_0_without_a_warning(score, recwarn):
    assert score([["z"] * 5], [FORMULA[:5]]) == pytest.approx(0, abs=1e-50)
    assert not recwarn.list


def test_bleu_is_nltks_over_the_corpus_and_not_the_mean_of_sentences():
    predictions, references = [FORMULA, ["x"]], [FORMULA, ["y"]]
    expected = 100 * nltk_corpus_bleu([[reference] for reference in references], predictions)
    assert metrics.corpus_bleu(predictions, references) == expected
    assert expected > 80


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [("a b c d", "a b c d", 100), ("a b c", "a b c d", 75), ("a b c d", "a b c", 75), ("", "a", 0), ("", "", 100)],
)
def test_edit_score_divides_by_the_longer_side(prediction, reference, score):
    assert metrics.edit_score([prediction.split()], [reference.split()]) == pytest.approx(score)


def test_edit_score_sums_before_it_divides():
    assert metrics.edit_score([["a"] * 9, ["b"]], [["a"] * 9, ["c"]]) == pytest.approx(90)


def test_exact_match_counts_formulas():
    assert metrics.exact_match([["a"], ["b"], ["c"], []], [["a"], ["b"], ["d"], []]) == 75


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        (r"a \, b \; c \: d \! e \> f", "a b c d e f"),
        (r"a \ b ~ c \quad d \qquad e", "a b c d e"),
        (r"a \hspace { 1 c m } b", "a b"),
        (r"\hspace* { 0 . 3 i n } b }", "b }"),
        (r"a \hspace * { 1 c m } b", "a b"),
        (r"a \hspace * b", "a * b"),
        (r"a \hspace", "a"),
        (r"\hspace { 1 c m", "{ 1 c m"),
        (r"{ \, } x", "{ } x"),
    ],
)
def test_spacing_commands_are_ignored_with_their_lengths(tokens, left):
    assert metrics.without_spacing(tokens.split()) == left.split()
    assert metrics.exact_match_ignoring_spacing([tokens.split()], [left.split()]) == 100
    assert metrics.edit_score_ignoring_spacing([tokens.split()], [left.split()]) == 100


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize(("predictions", "references"), [([], []), ([["a"]], []), ([["a"]], [["a"], ["b"]])])
def test_a_score_of_nothing_or_of_unequal_lists_is_refused(score, predictions, references):
    with pytest.raises(ConfigError, match="a prediction per reference"):
        score(predictions, references)


@given(token_lists, token_lists)
def test_scores_stay_between_0_and_100(predictions, references):
    count = min(len(predictions), len(references))
    for score in ALL:
        assert 0 <= score(predictions[:count], references[:count]) <= 100 + 1e-9
