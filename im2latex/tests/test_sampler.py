"""Promises of BucketBatchSampler, for 1 to 8 ranks: whole, fair, within budget, reproducible, resumable."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im2latex.data.sampler import Batch, BatchBudget, BucketBatchSampler, round_up
from im2latex.errors import ConfigError

few = settings(max_examples=40, deadline=None)
ranks = st.integers(1, 8)
epochs = st.integers(0, 3)
sizes_and_lengths = st.tuples(st.integers(1, 300), st.integers(1, 900), st.integers(0, 400))
samples = st.lists(sizes_and_lengths, min_size=8, max_size=80)
budgets = st.builds(BatchBudget, st.integers(1, 400_000), st.integers(1, 2_000), st.integers(1, 32))
Samples = list[tuple[int, int, int]]


def make_sampler(
    corpus: Samples, budget: BatchBudget, rank: int = 0, world: int = 1, epoch: int = 0
) -> BucketBatchSampler:
    sizes = np.array([sample[:2] for sample in corpus])
    lengths = np.array([sample[2] for sample in corpus])
    sampler = BucketBatchSampler(sizes, lengths, budget=budget, seed=5, rank=rank, world_size=world)
    sampler.set_epoch(epoch)
    return sampler


def run_ranks(corpus: Samples, budget: BatchBudget, world: int, epoch: int = 0) -> list[list[Batch]]:
    return [list(make_sampler(corpus, budget, rank, world, epoch)) for rank in range(world)]


@few
@given(samples, budgets, ranks, epochs)
def test_every_sample_comes_once_over_all_ranks(
    corpus: Samples, budget: BatchBudget, world: int, epoch: int
) -> None:
    batches = chain.from_iterable(run_ranks(corpus, budget, world, epoch))
    assert sorted(chain.from_iterable(batches)) == list(range(len(corpus)))


@few
@given(samples, budgets, ranks, epochs)
def test_all_ranks_get_equally_many_batches_in_every_epoch_and_none_is_empty(
    corpus: Samples, budget: BatchBudget, world: int, epoch: int
) -> None:
    length = len(make_sampler(corpus, budget, 0, world))
    for batches in run_ranks(corpus, budget, world, epoch):
        assert len(batches) == length
        assert all(batches)


@few
@given(samples, budgets)
def test_a_batch_of_several_samples_keeps_to_the_budget(corpus: Samples, budget: BatchBudget) -> None:
    for batch in make_sampler(corpus, budget):
        heights, widths, lengths = zip(*(corpus[index] for index in batch), strict=True)
        if len(batch) > 1:
            assert len(batch) * round_up(max(heights)) * round_up(max(widths)) <= budget.max_pixels
            assert len(batch) * max(lengths) <= budget.max_tokens
            assert len(batch) <= budget.max_samples


@few
@given(samples, budgets, epochs)
def test_the_same_seed_and_epoch_give_the_same_batches(corpus: Samples, budget: BatchBudget, epoch: int) -> None:
    assert run_ranks(corpus, budget, 2, epoch) == run_ranks(corpus, budget, 2, epoch)


@few
@given(samples, budgets, ranks)
def test_ranks_share_the_order_of_one_rank(corpus: Samples, budget: BatchBudget, world: int) -> None:
    one = list(make_sampler(corpus, budget))
    several = list(chain.from_iterable(zip(*run_ranks(corpus, budget, world), strict=True)))
    changed = [batch for batch in one if batch not in several]  # split or joined to come out even
    assert len(changed) <= world
    alike = one.index(changed[0]) if changed else len(one)
    assert several[:alike] == one[:alike]


@few
@given(samples, budgets, ranks, epochs, st.data())
def test_a_resumed_sampler_goes_on_with_exactly_the_batches_left(
    corpus: Samples, budget: BatchBudget, world: int, epoch: int, data: st.DataObject
) -> None:
    rank = data.draw(st.integers(0, world - 1))
    stopped = make_sampler(corpus, budget, rank, world, epoch)
    done = data.draw(st.integers(0, len(stopped)))
    fresh = make_sampler(corpus, budget, rank, world)
    fresh.load_state_dict(stopped.state_dict(done))
    fresh.set_epoch(epoch)  # as Lightning does before it goes on
    assert list(fresh) == list(stopped)[done:]
    assert len(fresh) == len(stopped)
    fresh.set_epoch(epoch + 1)
    stopped.set_epoch(epoch + 1)
    assert list(fresh) == list(stopped)


CORPUS = [(30 + index % 40, 100 + index, index % 90) for index in range(300)]
BUDGET = BatchBudget(max_pixels=200_000, max_tokens=1_000, max_samples=16)


def test_epochs_differ_when_shuffled_and_only_then() -> None:
    assert list(make_sampler(CORPUS, BUDGET, epoch=0)) != list(make_sampler(CORPUS, BUDGET, epoch=1))
    sizes, lengths = np.array(CORPUS)[:, :2], np.array(CORPUS)[:, 2]
    fixed = BucketBatchSampler(sizes, lengths, budget=BUDGET, shuffle=False)
    first = list(fixed)
    fixed.set_epoch(1)
    assert list(fixed) == first


def test_samples_of_a_batch_are_nearly_of_one_size() -> None:
    for batch in make_sampler(CORPUS, BUDGET):
        widths = [corpus_width for _, corpus_width, _ in (CORPUS[index] for index in batch)]
        assert max(widths) <= 2 * round_up(min(widths))


def test_lightning_finds_set_epoch_where_it_looks() -> None:
    sampler = make_sampler(CORPUS, BUDGET)
    assert sampler.sampler is sampler


def test_resuming_within_an_epoch_on_other_data_is_refused() -> None:
    state = make_sampler(CORPUS, BUDGET).state_dict(3)
    with pytest.raises(ConfigError, match="samples was 300, now 299"):
        make_sampler(CORPUS[1:], BUDGET).load_state_dict(state)
    with pytest.raises(ConfigError, match="world_size was 1, now 2"):
        make_sampler(CORPUS, BUDGET, 0, 2).load_state_dict(state)


def test_fewer_samples_than_ranks_is_an_error() -> None:
    with pytest.raises(ConfigError, match="3 samples cannot feed 4 ranks"):
        make_sampler(CORPUS[:3], BUDGET, 0, 4)


@pytest.mark.parametrize(("rank", "world"), [(0, None), (None, 2), (2, 2), (-1, 2)])
def test_rank_and_number_of_ranks_must_fit(rank: int | None, world: int | None) -> None:
    with pytest.raises(ConfigError, match="rank < world_size"):
        BucketBatchSampler([(10, 10)], [1], budget=BUDGET, rank=rank, world_size=world)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 5000))
def test_the_grid_of_sizes_is_coarse_but_never_wasteful(size: int) -> None:
    padded = round_up(size)
    assert padded >= size
    assert padded % 16 == 0
    assert padded - size < max(16, size / 4 + 1)
    assert round_up(padded) == padded


def test_pictures_up_to_1024_pixels_have_twenty_sizes() -> None:
    assert len({round_up(size) for size in range(1, 1025)}) == 20
