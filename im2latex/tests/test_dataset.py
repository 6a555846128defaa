"""Promises of FormulaImages: what was packed comes out, sizes and lengths are known at once, damage is noticed."""

from pathlib import Path

import numpy as np
import pytest

from im2latex.data.dataset import FormulaImages
from im2latex.data.packed import MANIFEST, read_packed, read_tokenizer
from im2latex.errors import DataError
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tokenizer import UNK, Tokenizer


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return make_packed_set(tmp_path / "set", 30)


def test_pictures_and_token_ids_are_those_that_were_packed(packed: Path) -> None:
    samples, table = FormulaImages(packed, read_tokenizer(packed)), read_packed(packed)
    for index in (0, 14, 15, 29):  # across the border of the two shards
        image, token_ids = samples[index]
        assert image.mode == "L"
        assert samples.tokenizer.decode(token_ids) == table["tokens"][index].as_py()
        assert samples.tokens(index) == table["tokens"][index].as_py().split()
        assert samples.source(index) == "test"


def test_sizes_and_lengths_agree_with_the_samples(packed: Path) -> None:
    samples = FormulaImages(packed, read_tokenizer(packed))
    assert samples.sizes.tolist() == [[image.height, image.width] for image, _ in samples]  # type: ignore[attr-defined]
    assert samples.lengths.tolist() == [len(token_ids) for _, token_ids in samples]  # type: ignore[attr-defined]


def test_limits_leave_out_larger_and_longer_samples_and_nothing_else(packed: Path) -> None:
    tokenizer = read_tokenizer(packed)
    every = FormulaImages(packed, tokenizer)
    some = FormulaImages(packed, tokenizer, max_height=50, max_width=300, max_tokens=40)
    fitting = (every.sizes <= (50, 300)).all(axis=1) & (every.lengths <= 40)
    assert 0 < len(some) == np.count_nonzero(fitting) < len(every)
    assert [some.tokens(index) for index in range(len(some))] == [
        every.tokens(int(index)) for index in np.flatnonzero(fitting)
    ]


def test_limits_that_leave_nothing_are_an_error(packed: Path) -> None:
    with pytest.raises(DataError, match="of 30 samples none is left by max_height=5"):
        FormulaImages(packed, read_tokenizer(packed), max_height=5)


def test_select_keeps_the_samples_asked_for(packed: Path) -> None:
    samples = FormulaImages(packed, read_tokenizer(packed))
    part = samples.select(lambda tokens: tokens.endswith(("n3", "n17")))
    assert [part.tokens(index)[-1] for index in range(len(part))] == ["n3", "n17"]
    assert part.sizes.tolist() == samples.sizes[[3, 17]].tolist()


def test_a_rare_token_becomes_unknown_when_a_minimum_count_is_asked_for(packed: Path) -> None:
    samples = FormulaImages(packed, read_tokenizer(packed, min_count=2))
    assert samples[7][1][-1] == UNK  # "n7" occurs once


def test_a_damaged_shard_is_noticed(packed: Path) -> None:
    shard = packed / "shard-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=r"shard-00001.parquet is damaged"):
        FormulaImages(packed, Tokenizer(Tokenizer.SPECIALS))


@pytest.mark.parametrize("missing", [MANIFEST, "shard-00000.parquet"])
def test_a_missing_file_is_named_with_the_cure(packed: Path, missing: str) -> None:
    (packed / missing).unlink()
    with pytest.raises(DataError, match=rf"{missing}.*(prepare|run)"):
        FormulaImages(packed, Tokenizer(Tokenizer.SPECIALS))
