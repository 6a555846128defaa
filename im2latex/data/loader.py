"""From a data set to padded batches: the loader that training, validation and tests iterate."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from im2latex.data.dataset import FormulaBatch, FormulaImages
from im2latex.data.sampler import BucketBatchSampler, round_up
from im2latex.errors import DataError, ImageError
from im2latex.images import ImageSpec, prepare, print_factor, to_ink
from im2latex.tokenizer import BOS, EOS, PAD

OUTGROWING = 0.2
"""Chance that a batch lets augmented pictures outgrow its padding, to which all its others must then be padded, too."""


class Augments(Protocol):
    """What training does to its pictures; im2latex.data.augment.Augment is one."""

    def draw_scale(self, random: np.random.Generator) -> float: ...
    def __call__(self, image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image: ...


class FormulaBatches(Dataset[FormulaBatch]):
    """Makes a batch of the samples it is asked for; runs inside the loader's workers.

    What augmentation does to a sample depends on seed, epoch and sample alone, not on worker or rank; but for the
    scale, which a batch shares and its first sample draws, and for pictures that outgrow their batch, which stay as
    they are in most batches.
    """

    def __init__(
        self, samples: FormulaImages, spec: ImageSpec, augment: Augments | None = None, seed: int = 0
    ) -> None:
        self.samples, self.spec, self.augment, self.seed = samples, spec, augment, seed
        self.epoch = 0

    def __getitems__(self, indices: list[int]) -> FormulaBatch:
        """The batch of these samples, in this order, padded with paper to one size on the sampler's grid."""
        scale, room = self._plan(indices)
        images, formulas = zip(*(self._sample(index, scale, room) for index in indices), strict=True)
        return FormulaBatch(
            pad_images(list(images), self.spec.multiple), pad_formulas(list(formulas)), torch.tensor(indices)
        )

    def __getitem__(self, index: int) -> FormulaBatch:
        return self.__getitems__([index])

    def __len__(self) -> int:
        return len(self.samples)

    def _plan(self, indices: list[int]) -> tuple[float, tuple[int, int] | None]:
        """The scale of a batch, and the height and width in pixels that its pictures may have; None: any."""
        if self.augment is None:
            return 1.0, None
        random = self._generator(indices[0], 1)
        scale = self.augment.draw_scale(random)
        if scale != 1.0 or random.random() < OUTGROWING:
            return scale, None
        height, width = self.samples.sizes[indices].max(0).tolist()
        return scale, (round_up(height, self.spec.multiple), round_up(width, self.spec.multiple))

    def _sample(self, index: int, scale: float, room: tuple[int, int] | None) -> tuple[Tensor, list[int]]:
        image, token_ids = self.samples[index]
        try:
            return self._prepare(image, index, scale, room), token_ids
        except ImageError as error:
            formula = " ".join(self.samples.tokens(index))
            raise DataError(f"sample {index}, {formula}: {error}; prepare the set again, without it") from error

    def _prepare(self, image: Image.Image, index: int, scale: float, room: tuple[int, int] | None) -> Tensor:
        if self.augment is None:
            return prepare(image, self.spec)
        shrink = print_factor(to_ink(image), self.spec)  # of the clean picture: bolder print is not larger print
        with suppress(ImageError):  # where a faint picture has been made fainter than can be seen
            changed = prepare(self.augment(image, self._generator(index, 0), scale), self.spec, shrink)
            if room is None or (changed.shape[1] <= room[0] and changed.shape[2] <= room[1]):
                return changed
        return prepare(image, self.spec, shrink)

    def _generator(self, index: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch, index, purpose])


def pad_images(images: list[Tensor], multiple: int) -> Tensor:
    """Puts (1, h, w) pictures into one (B, 1, H, W), each at the top left on paper."""
    height = round_up(max(image.shape[1] for image in images), multiple)
    width = round_up(max(image.shape[2] for image in images), multiple)
    padded = torch.zeros(len(images), 1, height, width)  # (B, 1, H, W)
    for place, image in zip(padded, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return padded


def pad_formulas(formulas: list[list[int]]) -> Tensor:
    """Puts token ids into one (B, T): BOS, the tokens, EOS, then PAD."""
    longest = max(len(token_ids) for token_ids in formulas)
    padded = torch.full((len(formulas), longest + 2), PAD)  # (B, T)
    for place, token_ids in zip(padded, formulas, strict=True):
        place[: len(token_ids) + 2] = torch.tensor([BOS, *token_ids, EOS])
    return padded


class ResumableLoader(DataLoader[FormulaBatch]):
    """A loader whose state counts the batches handed out, not those its workers have fetched ahead.

    Lightning puts `state_dict` into every checkpoint, so a run that was killed goes on with the next batch.
    """

    def __init__(self, batches: FormulaBatches, batch_sampler: BucketBatchSampler, workers: int = 0) -> None:
        super().__init__(
            batches,
            batch_sampler=batch_sampler,
            collate_fn=_as_it_is,
            num_workers=workers,
            # Forked workers share the packed pictures; others would get a copy each, anew in every epoch.
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
            pin_memory=torch.cuda.is_available(),
        )
        self._batches, self._order = batches, batch_sampler
        self._batches_done = 0

    def __iter__(self) -> Iterator[FormulaBatch]:  # type: ignore[override]
        # A generator: workers start at the first batch, after Lightning has set the epoch.
        self._batches_done = self._order.first_batch
        self._batches.epoch = self._order.epoch
        for batch in super().__iter__():
            self._batches_done += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        return self._order.state_dict(self._batches_done)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._order.load_state_dict(state)


def _as_it_is(batch: Any) -> Any:
    return batch  # FormulaBatches.__getitems__ has made it already
