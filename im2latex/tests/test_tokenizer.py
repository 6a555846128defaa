"""Promises of the tokenizer: ids and tokens go back and forth, specials stay hidden, the order is fixed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2latex.errors import BundleError
from im2latex.tokenizer import BOS, EOS, PAD, UNK, Tokenizer

tokenizer = Tokenizer([*Tokenizer.SPECIALS, "x", "^", "2"])


@pytest.mark.parametrize(
    ("ids", "latex"),
    [([4, 5, 6, EOS], "x ^ 2"), ([4, EOS, 4], "x"), ([BOS, 4, UNK, 6, PAD], "x 2"), ([EOS], ""), ([], "")],
)
def test_decode_stops_at_eos_and_hides_specials(ids: list[int], latex: str) -> None:
    assert tokenizer.decode(ids) == latex


def test_a_token_outside_the_vocabulary_becomes_unk() -> None:
    assert tokenizer.encode(["x", r"\alpha"]) == [4, UNK]


@given(st.lists(st.lists(st.sampled_from(["x", r"\frac", "{", "}", "2", "é"]), max_size=9), max_size=9))
def test_every_formula_of_the_corpus_survives_encode_and_decode(corpus: list[list[str]]) -> None:
    built = Tokenizer.build(corpus)
    assert all(built.decode(built.encode(tokens)) == " ".join(tokens) for tokens in corpus)


def test_vocabulary_holds_frequent_tokens_first_and_drops_rare_ones() -> None:
    corpus = [["b", "a", "c"], ["b", "a"], ["b"]]
    assert Tokenizer.build(corpus, min_count=2).vocab[4:] == ["b", "a"]
    assert Tokenizer.build(reversed(corpus), min_count=2).vocab == Tokenizer.build(corpus, min_count=2).vocab


@pytest.mark.parametrize(
    "vocab", [["x"], [], ["<bos>", "<pad>", "<eos>", "<unk>"], [*Tokenizer.SPECIALS, "x", "x"]]
)
def test_a_vocabulary_without_specials_or_with_repeats_is_refused(vocab: list[str]) -> None:
    with pytest.raises(BundleError, match="vocab must"):
        Tokenizer(vocab)
