"""Promises of the loader: batches are padded with paper and PAD; augmentation depends on the sample alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

import im2latex.data
from im2latex.data.dataset import FormulaBatch, FormulaImages
from im2latex.data.loader import OUTGROWING, FormulaBatches, ResumableLoader
from im2latex.data.packed import read_tokenizer
from im2latex.data.sampler import BatchBudget, BucketBatchSampler, round_up
from im2latex.errors import DataError
from im2latex.images import ImageSpec, prepare
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tokenizer import BOS, EOS, PAD

SPEC = ImageSpec()


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> FormulaImages:
    folder = make_packed_set(tmp_path_factory.mktemp("packed") / "set", 40)
    return FormulaImages(folder, read_tokenizer(folder))


SMALL_SET = Path(im2latex.data.__file__).parent / "small" / "val"


class Speckle:
    """An augmentation that leaves a trace of its generator and of the scale in every picture."""

    def draw_scale(self, random: np.random.Generator) -> float:
        return float(random.random())

    def __call__(self, image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image:
        pixels = np.asarray(image).copy()
        pixels[2:6, 2:20] = random.integers(0, 255, (4, 18))
        pixels[6:8, 2:20] = 255 * scale * self.SHARE
        return Image.fromarray(pixels)

    SHARE = 0.0  # of the scale that the picture shows


class ShowScale(Speckle):
    SHARE = 1.0


def make_loader(samples: FormulaImages, budget: BatchBudget, workers: int, epoch: int) -> ResumableLoader:
    sampler = BucketBatchSampler(samples.sizes, samples.lengths, budget=budget, seed=1)
    sampler.set_epoch(epoch)
    return ResumableLoader(FormulaBatches(samples, SPEC, Speckle(), seed=1), sampler, workers)


def ink_of_samples(loader: ResumableLoader) -> dict[int, float]:
    return {
        int(index): float(image.double().sum())
        for batch in loader
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def test_a_batch_holds_prepared_pictures_on_paper_and_formulas_between_bos_and_eos(
    samples: FormulaImages,
) -> None:
    batch = FormulaBatches(samples, SPEC).__getitems__([3, 8, 21])
    assert batch.images.dtype == torch.float32
    assert batch.token_ids.dtype == batch.indices.dtype == torch.int64
    assert batch.indices.tolist() == [3, 8, 21]
    for place, index in enumerate([3, 8, 21]):
        image, token_ids = samples[index]
        prepared = prepare(image, SPEC)
        _, height, width = prepared.shape
        assert torch.equal(batch.images[place, :, :height, :width], prepared)
        assert float(batch.images[place].sum()) == pytest.approx(float(prepared.sum()))  # nothing but paper around it
        length = len(token_ids) + 2
        assert batch.token_ids[place, :length].tolist() == [BOS, *token_ids, EOS]
        assert set(batch.token_ids[place, length:].tolist()) <= {PAD}


def test_padded_sizes_are_on_the_grid_so_that_few_occur(samples: FormulaImages) -> None:
    height, width = FormulaBatches(samples, SPEC).__getitems__(list(range(10))).images.shape[2:]
    assert (round_up(height), round_up(width)) == (height, width)


@pytest.mark.parametrize(("budget", "workers"), [(BatchBudget(max_samples=3), 0), (BatchBudget(), 2)])
def test_augmentation_of_a_sample_is_the_same_in_any_batch_and_any_worker(
    samples: FormulaImages, budget: BatchBudget, workers: int
) -> None:
    expected = ink_of_samples(make_loader(samples, BatchBudget(max_samples=1), 0, epoch=2))
    assert ink_of_samples(make_loader(samples, budget, workers, epoch=2)) == pytest.approx(expected)


def test_a_batch_has_one_scale_which_its_first_sample_draws(samples: FormulaImages) -> None:
    batches = FormulaBatches(samples, SPEC, ShowScale(), seed=1)
    both, first, other = (batches.__getitems__(indices) for indices in ([3, 8], [3], [8]))
    _, _, height, width = first.images.shape
    assert torch.equal(both.images[0, :, :height, :width], first.images[0])
    _, _, height, width = other.images.shape
    assert not torch.equal(both.images[1, :, :height, :width], other.images[0])


class Bolder:
    """An augmentation that makes strokes two pixels wider."""

    def draw_scale(self, random: np.random.Generator) -> float:
        return 1.0

    def __call__(self, image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image:
        return image.filter(ImageFilter.MinFilter(3))


class Fade(Bolder):
    """An augmentation that leaves nothing to see."""

    def __call__(self, image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image:
        return Image.new("L", image.size, 128)


def test_bolder_print_is_not_taken_for_larger_print() -> None:
    printed = FormulaImages(SMALL_SET, read_tokenizer(SMALL_SET.parent / "train"))
    bold = Bolder()(printed[0][0], np.random.default_rng(0), 1.0)
    assert prepare(bold, SPEC).shape[2] < 0.7 * prepare(bold, SPEC, shrink=1).shape[2]  # so it would be taken
    assert FormulaBatches(printed, SPEC, Bolder())[0].images.sum() == pytest.approx(
        float(prepare(bold, SPEC, shrink=1).sum())
    )


def test_a_picture_that_augmentation_made_blank_is_taken_as_it_was(samples: FormulaImages) -> None:
    assert torch.equal(FormulaBatches(samples, SPEC, Fade())[3].images, FormulaBatches(samples, SPEC)[3].images)


class Wider(Bolder):
    """An augmentation after which a picture is much wider."""

    def __call__(self, image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image:
        wider = Image.new("L", (image.width + 300, image.height), 255)
        wider.paste(image)
        wider.paste(0, (image.width + 290, 0, image.width + 300, image.height))
        return wider


def test_in_most_batches_a_picture_that_outgrows_their_padding_stays_as_it_is() -> None:
    printed = FormulaImages(SMALL_SET, read_tokenizer(SMALL_SET.parent / "train"))
    clean = FormulaBatches(printed, SPEC)[0].images
    seen = [FormulaBatches(printed, SPEC, Wider(), seed)[0].images for seed in range(200)]
    kept = sum(torch.equal(images, clean) for images in seen)
    assert all(torch.equal(images, clean) or images.shape[3] > clean.shape[3] + 200 for images in seen)
    assert kept == pytest.approx(200 * (1 - OUTGROWING), abs=30)


def test_a_blank_sample_of_a_packed_set_is_named(samples: FormulaImages, monkeypatch: pytest.MonkeyPatch) -> None:
    blank = Image.new("L", (40, 20), 255)
    monkeypatch.setattr(FormulaImages, "__getitem__", lambda samples, index: (blank, [4]))
    for augment in (None, Bolder()):
        with pytest.raises(DataError, match=r"sample 3, x \^ .* n3: the picture is blank"):
            FormulaBatches(samples, SPEC, augment).__getitems__([3])


def test_augmentation_changes_from_epoch_to_epoch(samples: FormulaImages) -> None:
    first = ink_of_samples(make_loader(samples, BatchBudget(), 0, epoch=0))
    second = ink_of_samples(make_loader(samples, BatchBudget(), 0, epoch=1))
    assert sum(first[index] != second[index] for index in first) > len(first) / 2


def test_the_state_counts_batches_handed_out_and_a_new_loader_goes_on_there(samples: FormulaImages) -> None:
    def indices(batches: list[FormulaBatch]) -> list[list[int]]:
        return [batch.indices.tolist() for batch in batches]

    loader = make_loader(samples, BatchBudget(max_samples=4), 2, epoch=1)
    iterator = iter(loader)
    handed_out = [next(iterator) for _ in range(3)]  # the workers are further ahead by now
    state = loader.state_dict()
    rest = list(iterator)
    fresh = make_loader(samples, BatchBudget(max_samples=4), 2, epoch=0)
    fresh.load_state_dict(state)
    assert indices(list(fresh)) == indices(rest)
    assert len(handed_out) + len(rest) == len(fresh) == len(loader)
