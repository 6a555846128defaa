"""Which prepared pictures run together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

MAX_BATCH_PIXELS = 2**20
"""Prepared pictures run together up to this many pixels: some 80 of the median size ..."""

MAX_PIXELS = 2**23
"""... but all cores, each of which reads a batch of its own, have no more in hand than this ..."""

BEAM_COST = 4
"""... and with a beam so many times fewer for each hypothesis: all are copied at every token, up to the longest."""


def share_out(images: Sequence[Tensor], cores: int, beam: int, mixes_sizes: bool) -> Iterator[list[int]]:
    """The places of images that are read together: enough batches for all cores, of one shape or of any."""
    batches = batches_of_like_sizes if mixes_sizes else batches_of_one_size
    share = -(-sum(image.numel() for image in images) // cores)
    most = min(MAX_BATCH_PIXELS, MAX_PIXELS // cores)
    return batches(images, min(share, most if beam <= 1 else most // (BEAM_COST * beam)))


def batches_of_one_size(images: Sequence[Tensor], most_pixels: int) -> Iterator[list[int]]:
    """The places of images of one shape, as many at a time as have this many pixels together, but at least one."""
    for places in _by_shape(images).values():
        count = max(1, most_pixels // images[places[0]].numel())
        yield from (places[start : start + count] for start in range(0, len(places), count))


def batches_of_like_sizes(images: Sequence[Tensor], most_pixels: int) -> Iterator[list[int]]:
    """The places of images of any shape, the largest first, those of one shape side by side.

    As many at a time as would have this many pixels if all were as large as the largest of them, but at least one.
    """
    ordered = sorted(range(len(images)), key=lambda place: (-images[place].numel(), images[place].shape))
    while ordered:
        count = max(1, most_pixels // images[ordered[0]].numel())
        yield ordered[:count]
        ordered = ordered[count:]


def stack_sizes(images: Sequence[Tensor]) -> list[Tensor]:
    """Images (1, H, W), those of one shape side by side, as a tensor (B, 1, H, W) of each shape."""
    return [torch.stack([images[place] for place in places]) for places in _by_shape(images).values()]


def _by_shape(images: Sequence[Tensor]) -> dict[torch.Size, list[int]]:
    places_of_shape: dict[torch.Size, list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        places_of_shape[image.shape].append(place)
    return places_of_shape
