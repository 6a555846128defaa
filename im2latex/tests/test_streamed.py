"""Promises of a streamed set: the samples of the one in memory, few shards held, the same order for all ranks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import im2latex.data.streamed as streamed_module
from im2latex.data.dataset import FormulaImages
from im2latex.data.im2latex100k import DataConfig, Im2Latex100K
from im2latex.data.packed import read_tokenizer
from im2latex.data.sampler import BatchBudget, BucketBatchSampler
from im2latex.data.stream_order import StreamBatchSampler, StreamConfig, even_out
from im2latex.data.streamed import StreamedImages
from im2latex.errors import ConfigError, DataError
from im2latex.images import ImageSpec
from im2latex.tests.packed_sets import make_packed_set

BUDGET = BatchBudget(max_pixels=60_000, max_samples=6)
LIMITS = {"max_height": 60, "max_width": 300, "max_tokens": 50}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed_set(tmp_path_factory.mktemp("packed") / "set", 240, shards=12)


@pytest.fixture(scope="module")
def streamed(folder: Path) -> StreamedImages:
    return StreamedImages([folder, folder], read_tokenizer(folder), **LIMITS)


def all_of(batches):
    return [index for batch in batches for index in batch]


def make_order(streamed, rank=0, world_size=1, lanes=4, window=20, seed=1, **options):
    return StreamBatchSampler(
        streamed.sizes,
        streamed.lengths,
        streamed.shards,
        stream=StreamConfig(lanes, window),
        budget=BUDGET,
        seed=seed,
        rank=rank,
        world_size=world_size,
        **options,
    )


def test_the_samples_are_those_of_the_set_in_memory(folder, streamed):
    held = FormulaImages([folder, folder], streamed.tokenizer, **LIMITS)
    assert len(streamed) == len(held)
    assert (streamed.sizes == held.sizes).all()
    assert (streamed.lengths == held.lengths).all()
    for index in np.random.default_rng(0).permutation(len(held))[:60].tolist():
        (image, token_ids), (wanted, wanted_ids) = streamed[index], held[index]
        assert (image.tobytes(), token_ids) == (wanted.tobytes(), wanted_ids)
        assert streamed.source(index) == held.source(index)


def test_a_selection_leaves_the_whole_set_as_it_is(streamed):
    part = streamed.select(lambda tokens: "+" in tokens.split())
    assert 0 < len(part) < len(streamed)
    assert all("+" in part.tokens(index) for index in range(len(part)))
    assert len(part.shards) == len(part)


@given(st.integers(1, 6), st.integers(8, 300), st.integers(0, 3))
@settings(max_examples=15)
def test_every_sample_comes_once_an_epoch_in_equally_many_batches(streamed, lanes, window, epoch):
    order = make_order(streamed, lanes=lanes, window=window)
    order.set_epoch(epoch)
    batches = list(order)
    assert len(batches) == len(order)
    assert sorted(all_of(batches)) == list(range(len(streamed)))


def test_ranks_share_out_the_batches_of_one_process_step_by_step(streamed):
    whole = list(make_order(streamed))
    ranks = [list(make_order(streamed, rank, 2)) for rank in range(2)]
    assert [batch for step in zip(*ranks, strict=True) for batch in step] == whole


def test_a_rank_reads_only_its_lanes_a_shard_once_and_holds_only_their_windows(folder, monkeypatch):
    samples = StreamedImages([folder, folder], read_tokenizer(folder))
    order = make_order(samples, rank=1, world_size=4)
    samples.keep(order.kept)
    reads = []
    read = streamed_module.read_shard
    monkeypatch.setattr(streamed_module, "read_shard", lambda file, names: reads.append(file) or read(file, names))
    for batch in order:
        for index in batch:
            samples.tokens(index)
            assert len(samples._open) <= order.kept
    seen = {int(samples.shards[index]) for batch in order for index in batch}
    assert order.kept < len(seen) < 24 // 2
    assert len(reads) == len(seen)


def test_epochs_and_seeds_differ_and_without_shuffle_nothing_does(streamed):
    def first(seed, epoch, shuffle=True):
        order = make_order(streamed, seed=seed, shuffle=shuffle)
        order.set_epoch(epoch)
        return list(order)[:5]

    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1)
    assert first(1, 0) != first(2, 0)
    assert first(1, 0, shuffle=False) == first(1, 3, shuffle=False)


def test_samples_are_mixed_over_the_whole_set_and_not_only_with_their_neighbours(streamed):
    """In a tenth of an epoch samples of most shards are seen, as in an order drawn from all."""
    batches = list(make_order(streamed, lanes=8, window=40))
    seen = {int(streamed.shards[index]) for batch in batches[: len(batches) // 10] for index in batch}
    drawn = BucketBatchSampler(streamed.sizes, streamed.lengths, budget=BUDGET, rank=0, world_size=1)
    wanted = {int(streamed.shards[index]) for batch in list(drawn)[: len(drawn) // 10] for index in batch}
    assert len(seen) >= 0.8 * len(wanted) >= 5


def test_it_goes_on_in_the_middle_of_an_epoch_with_the_batches_that_are_left(streamed):
    order = make_order(streamed)
    order.set_epoch(2)
    whole = list(order)
    resumed = make_order(streamed)
    resumed.load_state_dict(order.state_dict(7))
    resumed.set_epoch(2)
    assert list(resumed) == whole[7:]
    other = make_order(streamed, window=30)
    with pytest.raises(ConfigError, match=r"was .*, now"):
        other.load_state_dict(order.state_dict(7))


@pytest.mark.parametrize(("lanes", "ranks"), [(4, 3), (0, 1), (1000, 1)])
def test_lanes_that_cannot_be_dealt_out_are_refused(streamed, lanes, ranks):
    with pytest.raises(ConfigError, match="lanes"):
        make_order(streamed, lanes=lanes, world_size=ranks)


def unlike_order(budget=BUDGET, **options):
    """16 shards of 60 samples, whole shards of large or of small pictures, as sets of `also` bring them."""
    large = np.repeat(np.random.default_rng(3).random(16) < 0.4, 60)
    sizes = np.where(large[:, None], [[192, 208]], [[32, 64]])
    named = {"stream": StreamConfig(4, 100), "rank": 0, "world_size": 1, **options}
    order = StreamBatchSampler(sizes, np.full(960, 20), np.repeat(np.arange(16), 60), budget=budget, **named)
    return order, sizes


@pytest.mark.parametrize(
    "budget", [BatchBudget(max_pixels=240_000), BatchBudget(max_pixels=50_000), BatchBudget(max_tokens=60)]
)
def test_shards_of_large_and_of_small_pictures_once_broke_the_number_of_batches_or_their_budget(budget):
    for seed in range(4):
        order, sizes = unlike_order(budget, seed=seed)
        for epoch in range(6):
            order.set_epoch(epoch)
            batches = list(order)
            assert len(batches) == len(order)
            assert sorted(all_of(batches)) == list(range(len(sizes)))
            for batch in batches:
                pixels = len(batch) * sizes[batch].max(axis=0).prod()
                assert 1 <= len(batch) <= min(budget.max_samples, budget.max_tokens // 20)
                assert pixels <= budget.max_pixels


def test_lanes_of_unlike_shards_have_as_much_work_so_that_few_batches_are_split():
    order, sizes = unlike_order(BatchBudget(max_pixels=240_000))
    drawn = BucketBatchSampler(sizes, np.full(960, 20), budget=BatchBudget(max_pixels=240_000), rank=0, world_size=1)
    assert len(order) <= 1.25 * len(drawn)


def test_ranks_and_a_resumed_run_see_the_batches_of_unlike_shards_that_one_process_sees():
    budget = BatchBudget(max_pixels=240_000)
    order, _ = unlike_order(budget)
    order.set_epoch(5)
    whole = list(order)
    ranks = [unlike_order(budget, rank=rank, world_size=2)[0] for rank in range(2)]
    for each in ranks:
        each.load_state_dict({**each.state_dict(9), "epoch": 5})
    assert [batch for step in zip(*ranks, strict=True) for batch in step] == whole[18:]


def test_pictures_of_which_none_shares_a_batch_are_dealt_to_fewer_lanes_or_joined():
    sizes, lengths, shards = np.full((10, 2), 320), np.full(10, 5), np.repeat(np.arange(5), 2)
    options = {"stream": StreamConfig(4, 100), "budget": BatchBudget(max_pixels=1)}
    order = StreamBatchSampler(sizes, lengths, shards, rank=0, world_size=2, **options)
    assert [len(batch) for batch in order] == [1] * 5
    ranks = [StreamBatchSampler(sizes, lengths, shards, rank=rank, world_size=4, **options) for rank in range(4)]
    assert [len(list(rank)) for rank in ranks] == [len(rank) for rank in ranks] == [2] * 4
    assert sorted(index for rank in ranks for batch in rank for index in batch) == list(range(10))
    with pytest.raises(ConfigError, match="too few"):
        StreamBatchSampler(sizes[:3], lengths[:3], shards[:3], rank=0, world_size=2, **options)


@pytest.mark.parametrize("samples", [9, 13, 40])
def test_a_small_set_for_validation_is_streamed_too(samples):
    generator = np.random.default_rng(samples)
    sizes, lengths = generator.integers(1, 12, (samples, 2)) * 32, generator.integers(3, 60, samples)
    for limit in (2, 3, 8):
        ranks = [
            StreamBatchSampler(
                *(sizes, lengths, np.arange(samples) % 4), stream=StreamConfig(2, 20), shuffle=False, rank=rank,
                world_size=2, budget=BatchBudget(max_samples=limit),
            )
            for rank in range(2)
        ]  # fmt: skip
        assert len(list(ranks[0])) == len(list(ranks[1])) == len(ranks[0])
        assert sorted(index for rank in ranks for batch in rank for index in batch) == list(range(samples))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.floats(0, 1))
def test_splitting_keeps_all_samples_and_makes_the_number_wanted(sizes, share):
    samples = iter(range(sum(sizes)))
    batches = [[next(samples) for _ in range(size)] for size in sizes]
    wanted = len(sizes) + int(share * (sum(sizes) - len(sizes)))
    even = even_out([list(batch) for batch in batches], wanted)
    assert len(even) == wanted
    assert all(any(set(part) <= set(batch) for batch in batches) for part in even)
    assert sorted(all_of(even)) == sorted(all_of(batches))
    assert all(even)


def test_a_damaged_shard_is_noticed_before_training(tmp_path):
    folder = make_packed_set(tmp_path / "set", 8)
    tokenizer = read_tokenizer(folder)
    file = next(folder.glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="damaged"):
        StreamedImages(folder, tokenizer)
    file.unlink()
    with pytest.raises(DataError, match="missing"):
        StreamedImages(folder, tokenizer, verify=False)


def test_the_data_module_streams_when_it_is_told_to(folder):
    config = DataConfig(
        path=str(folder), val_fraction=0.1, budget=BUDGET, stream=True, streaming=StreamConfig(lanes=2, window=50)
    )
    data = Im2Latex100K(config, ImageSpec())
    held = Im2Latex100K(DataConfig(path=str(folder), val_fraction=0.1, budget=BUDGET), ImageSpec())
    assert isinstance(data.samples("train"), StreamedImages)
    for split in ("train", "val", "test"):
        assert [data.samples(split).tokens(0), len(data.samples(split))] == [
            held.samples(split).tokens(0), len(held.samples(split)),
        ]  # fmt: skip
    seen = [index for batch in data.train_dataloader() for index in batch.indices.tolist()]
    assert sorted(seen) == list(range(len(data.samples("train"))))
