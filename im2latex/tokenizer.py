"""Tokenizer: LaTeX tokens to ids and back, with the vocabulary as its only state."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from im2latex.errors import BundleError

PAD, BOS, EOS, UNK = 0, 1, 2, 3


class Tokenizer:
    """Maps tokens to ids 0 .. len-1; the first four ids are PAD, BOS, EOS and UNK."""

    SPECIALS: ClassVar[list[str]] = ["<pad>", "<bos>", "<eos>", "<unk>"]

    def __init__(self, vocab: Sequence[str]) -> None:
        """Raises BundleError unless `vocab` starts with SPECIALS and names every token once."""
        self.vocab = list(vocab)
        if self.vocab[:4] != self.SPECIALS:
            raise BundleError(f"vocab must start with {self.SPECIALS}, got {self.vocab[:4]}")
        self._ids = {token: token_id for token_id, token in enumerate(self.vocab)}
        if len(self._ids) != len(self.vocab):
            twice = [token for token, count in Counter(self.vocab).items() if count > 1]
            raise BundleError(f"vocab must name every token once, but repeats {twice[:5]}")

    @classmethod
    def build(cls, token_lists: Iterable[Sequence[str]], min_count: int = 1) -> "Tokenizer":
        """The vocabulary of a corpus: tokens seen at least `min_count` times, the frequent ones first."""
        counts: Counter[str] = Counter()
        for tokens in token_lists:
            counts.update(tokens)
        return cls.from_counts(counts, min_count)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> "Tokenizer":
        """Like `build`, from counts made earlier; ties are broken by the token's text, so order is fixed."""
        kept = [token for token in counts if counts[token] >= min_count and token not in cls.SPECIALS]
        return cls([*cls.SPECIALS, *sorted(kept, key=lambda token: (-counts[token], token))])

    def after(self, vocab: Sequence[str]) -> "Tokenizer":
        """The tokens of `vocab` with their ids, then those of this one that it lacks."""
        known = set(vocab)
        return Tokenizer([*vocab, *(token for token in self.vocab if token not in known)])

    def __len__(self) -> int:
        return len(self.vocab)

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Ids without BOS and EOS; a token outside the vocabulary becomes UNK."""
        return [self._ids.get(token, UNK) for token in tokens]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Tokens separated by single spaces, up to the first EOS; PAD, BOS and UNK are left out."""
        tokens = []
        for token_id in token_ids:
            if token_id == EOS:
                break
            if token_id > UNK:
                tokens.append(self.vocab[token_id])
        return " ".join(tokens)
