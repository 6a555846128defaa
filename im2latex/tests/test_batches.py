"""Every picture runs once, beside those like it, and no batch is larger than it may be."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from im2latex.batches import batches_of_like_sizes, batches_of_one_size, stack_sizes

shapes = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=30)
budgets = st.integers(1, 120)


def draw(found: list[tuple[int, int]]) -> list[torch.Tensor]:
    return [torch.full((1, *shape), float(place)) for place, shape in enumerate(found)]


@given(shapes, budgets)
def test_every_picture_runs_once_and_padded_to_the_largest_they_keep_to_the_budget(found, budget):
    images = draw(found)
    for batches in (batches_of_one_size, batches_of_like_sizes):
        together = list(batches(images, budget))
        assert sorted(place for places in together for place in places) == list(range(len(images)))
        for places in together:
            assert len(places) == 1 or len(places) * max(images[place].numel() for place in places) <= budget


@given(shapes, budgets)
def test_pictures_of_one_size_stay_side_by_side_so_that_rows_keep_their_order(found, budget):
    images = draw(found)
    for places in batches_of_like_sizes(images, budget):
        sizes = stack_sizes([images[place] for place in places])
        rows = [image.flatten()[0].item() for size in sizes for image in size]
        assert rows == places


@given(shapes, budgets)
def test_batches_of_one_size_hold_one_size(found, budget):
    images = draw(found)
    for places in batches_of_one_size(images, budget):
        assert len({images[place].shape for place in places}) == 1
