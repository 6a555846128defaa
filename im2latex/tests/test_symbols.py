"""Sets of symbols: read from a folder or a zip, and drawn into the same batches by the same seed."""

import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from im2latex.data.symbol_augment import SymbolAugmentConfig, augment_symbols
from im2latex.data.symbols import (
    BatchNumbers,
    SymbolSet,
    TrainingBatches,
    ValidationBatches,
    draw_round_dots,
    drop_empty_classes,
    read_symbols,
)
from im2latex.errors import DataError
from im2latex.ink import ink_box
from im2latex.symbol_image import REACH, SIDE, normalize_symbol
from im2latex.tests.symbol_sets import draw_symbol, make_symbol_set

UNCHANGED = SymbolAugmentConfig(0, 0, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_symbol_set(tmp_path_factory.mktemp("symbols") / "set", each=8)


def test_a_folder_and_a_zip_of_it_hold_the_same(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"set/{path.name}")
    read, zipped = read_symbols(folder, "val"), read_symbols(tmp_path / "set.zip", "val")
    assert torch.equal(read.squares, zipped.squares)
    assert torch.equal(read.labels, zipped.labels)
    assert read.classes == zipped.classes == ("-", "+", "=", "never")


def test_symbols_are_seen_as_in_use(folder):
    with np.load(folder / "train.npz") as arrays:
        image = arrays["images"][4]
    seen = read_symbols(folder, "train", limit=5).squares[4]
    assert np.array_equal(seen.numpy(), np.asarray(normalize_symbol(Image.fromarray(image))))


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_anything_else_is_refused_with_what_is_wanted(tmp_path, content):
    path = tmp_path / "set"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"wanted a folder or zip with train\.npz that holds images, labels, classes"):
        read_symbols(path, "train")


def test_classes_with_nothing_to_learn_from_are_left_out(folder):
    train = SymbolSet(torch.zeros(3, 2, 2), torch.tensor([2, 0, 2]), ("a", "b", "c"))
    val = SymbolSet(torch.arange(4).view(4, 1, 1), torch.tensor([1, 2, 0, 1]), ("a", "b", "c"))
    train, val = drop_empty_classes(train, val)
    assert train.classes == val.classes == ("a", "c")
    assert (train.labels.tolist(), val.labels.tolist(), val.squares.flatten().tolist()) == ([1, 0, 1], [1, 0], [1, 2])


def test_one_class_is_told_from_all_others(folder):
    minus = read_symbols(folder, "train", limit=6).only("-")
    assert (minus.classes, minus.labels.tolist()) == (("other", "-"), [1, 0, 0, 1, 0, 0])
    with pytest.raises(DataError, match="no class 'z'"):
        minus.only("z")


def test_every_other_dot_becomes_a_disc_of_another_size_as_it_is_seen_in_use():
    squares = torch.full((6, SIDE, SIDE), 7, dtype=torch.uint8)
    drawn = draw_round_dots(SymbolSet(squares, torch.tensor([0, 1, 0, 0, 0, 0]), (".", "x"))).squares
    assert [bool((square == 7).all()) for square in drawn] == [False, True, True, False, True, False]
    page = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(page).ellipse((50, 50, 110, 110), fill=0)
    seen = np.asarray(normalize_symbol(page)) / 255
    assert np.abs(seen - drawn[5].numpy() / 255).mean() < 0.03
    assert not torch.equal(drawn[0], drawn[3])
    assert (squares == 7).all()


def test_a_batch_depends_on_seed_and_number_alone(folder):
    symbols = read_symbols(folder, "train")
    augment = SymbolAugmentConfig()
    first, again, other = (TrainingBatches(symbols, 4, augment, 0.5, seed) for seed in (1, 1, 2))
    first[0]
    assert torch.equal(first[3][0], again[3][0])
    assert not torch.equal(first[3][0], first[4][0])
    assert not torch.equal(first[3][0], other[3][0])


@pytest.mark.parametrize(("evenness", "share"), [(1.0, 0.9), (0.5, 0.75), (0.0, 0.5)])
def test_rare_classes_are_drawn_as_often_as_evenness_says(evenness, share):
    labels = torch.tensor([0] * 90 + [1] * 10)
    symbols = SymbolSet(torch.zeros(100, SIDE, SIDE, dtype=torch.uint8), labels, ("often", "rare"))
    _, drawn = TrainingBatches(symbols, 4000, None, evenness, 0)[0]
    assert (drawn == 0).float().mean().item() == pytest.approx(share, abs=0.03)


def test_batches_are_counted_through_the_epochs():
    numbers = BatchNumbers(3)
    assert list(numbers) == [0, 1, 2]
    numbers.first = 6
    assert (list(numbers), len(numbers)) == ([6, 7, 8], 3)


def test_validation_takes_each_symbol_once_in_order(folder):
    symbols = read_symbols(folder, "val")
    batches = ValidationBatches(symbols, 7)
    labels = torch.cat([batches[number][1] for number in range(len(batches))])
    assert torch.equal(labels, symbols.labels)


@pytest.fixture
def images():
    square = np.asarray(normalize_symbol(draw_symbol("7")))
    return torch.from_numpy(square.copy()).float().div(255).expand(64, 1, SIDE, SIDE)


def test_augmentation_of_no_strength_only_centres_to_half_a_pixel(images):
    same = augment_symbols(images, UNCHANGED, torch.Generator())
    before, after = (F.avg_pool2d(each, 5, stride=1) for each in (images, same))
    torch.testing.assert_close(after, before, atol=0.3, rtol=0)


def test_a_changed_symbol_is_fitted_into_the_square_again(images):
    turned = augment_symbols(images, SymbolAugmentConfig(25, 0.3, 0.3, 0, 0, 0, 0), torch.Generator().manual_seed(0))
    for image in turned[:, 0]:
        left, top, right, bottom = ink_box(Image.fromarray((255 * image).byte().numpy()))
        assert max(right - left, bottom - top) == pytest.approx(REACH, abs=3)
        assert (left + right) / 2 == pytest.approx(SIDE / 2, abs=2)
        assert (top + bottom) / 2 == pytest.approx(SIDE / 2, abs=2)


def test_strokes_grow_wider_as_often_as_narrower(images):
    config = SymbolAugmentConfig(0, 0, 0, 0, 0, 0, thickness=0.5)
    ink = augment_symbols(images, config, torch.Generator().manual_seed(0)).sum((1, 2, 3)) / images[0].sum()
    assert 0.3 < (ink > 1).float().mean() < 0.7
    assert ink.max() > 1.3
    assert ink.min() < 0.8
