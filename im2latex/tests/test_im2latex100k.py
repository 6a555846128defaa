"""Promises of the data module: it finds data of every kind, keeps splits apart, and augments training only."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from im2latex.data.im2latex100k import DataConfig, Im2Latex100K
from im2latex.data.packed import read_manifest, read_packed, read_tokenizer
from im2latex.errors import DataError
from im2latex.images import ImageSpec
from im2latex.latex import canonicalize
from im2latex.rendering.look import Look
from im2latex.tests.official_layout import make_official
from im2latex.tests.packed_sets import make_packed_set

SPLITS = ("train", "val", "test")


def open_data(path: Path, **options: Any) -> Im2Latex100K:
    data = Im2Latex100K(DataConfig(path=str(path), **options), ImageSpec())
    data.setup()
    return data


def formulas_of(data: Im2Latex100K, split: str) -> set[str]:
    samples = data.samples(split)
    return {" ".join(samples.tokens(index)) for index in range(len(samples))}


def test_a_single_packed_set_is_split_without_overlap_or_loss(tmp_path: Path) -> None:
    data = open_data(make_packed_set(tmp_path / "set", 60), val_fraction=0.2)
    train, val, test = (formulas_of(data, split) for split in SPLITS)
    assert min(len(train), len(val), len(test)) > 0
    assert len(train) + len(val) + len(test) == len(train | val | test) == 60


def test_the_split_follows_from_the_seed(tmp_path: Path) -> None:
    folder = make_packed_set(tmp_path / "set", 60)
    first, again, other = (open_data(folder, val_fraction=0.2, seed=seed) for seed in (0, 0, 1))
    assert formulas_of(first, "val") == formulas_of(again, "val") != formulas_of(other, "val")


def test_a_folder_of_three_packed_sets_is_taken_as_it_is(tmp_path: Path) -> None:
    for seed, split in enumerate(SPLITS):
        make_packed_set(tmp_path / split, 10 + seed, seed=seed)
    data = open_data(tmp_path)
    assert [len(data.samples(split)) for split in SPLITS] == [10, 11, 12]


def test_tokens_of_a_model_that_goes_on_learning_keep_their_ids_and_new_ones_follow(tmp_path: Path) -> None:
    folder = make_packed_set(tmp_path / "set", 60)
    own = open_data(folder).tokenizer.vocab
    known = [*own[:4], "\\unseen", own[-1]]
    data = Im2Latex100K(DataConfig(path=str(folder)), ImageSpec(), known=known)
    assert data.tokenizer.vocab == [*known, *own[4:-1]]


def test_another_set_can_be_validated_on_with_the_vocabulary_of_training(tmp_path: Path) -> None:
    data = open_data(
        make_packed_set(tmp_path / "set", 60), val_path=str(make_packed_set(tmp_path / "other", 7, seed=9))
    )
    assert len(data.samples("val")) == 7
    assert data.samples("val").tokenizer is data.tokenizer


def test_more_sets_are_trained_on_but_never_with_formulas_that_are_held_out(tmp_path: Path) -> None:
    first = make_packed_set(tmp_path / "set", 60)
    again, other = make_packed_set(tmp_path / "again", 60), make_packed_set(tmp_path / "other", 30, seed=9)
    alone = open_data(first, val_fraction=0.2)
    data = open_data(first, val_fraction=0.2, also=(str(again), str(other)))
    assert formulas_of(data, "val") == formulas_of(alone, "val")
    assert len(data.samples("train")) > 2 * len(alone.samples("train"))
    assert not formulas_of(data, "train") & (formulas_of(data, "val") | formulas_of(data, "test"))
    assert set(data.tokenizer.vocab) >= set(read_tokenizer(other).vocab)
    counts = data.counts()
    assert counts["<eos>"] == sum(len(read_packed(folder)) for folder in (first, again, other))


def test_limits_hold_for_training_and_where_it_is_asked_for_validation(tmp_path: Path) -> None:
    for split in SPLITS:
        make_packed_set(tmp_path / split, 30)
    data = open_data(tmp_path, max_width=200)
    assert data.samples("train").sizes[:, 1].max() <= 200 < data.samples("val").sizes[:, 1].max()
    assert len(data.samples("val")) == len(data.samples("test")) == 30
    filtered = open_data(tmp_path, max_width=200, filter_val=True)
    assert formulas_of(filtered, "train") == formulas_of(data, "train")
    for split in ("val", "test"):
        assert filtered.samples(split).sizes[:, 1].max() <= 200
        assert formulas_of(filtered, split) < formulas_of(data, split)


def test_only_training_pictures_are_augmented_and_only_when_asked(tmp_path: Path) -> None:
    augmented: list[Image.Image] = []

    class Remember:
        def draw_scale(self, random: np.random.Generator) -> float:
            return 1.0

        def __call__(self, image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image:
            augmented.append(image)
            return image

    folder = make_packed_set(tmp_path / "set", 40)
    for wanted in (True, False):
        config = DataConfig(path=str(folder), val_fraction=0.2, augment=wanted)
        data = Im2Latex100K(config, ImageSpec(), Remember())
        data.setup()
        list(data.val_dataloader())
        list(data.test_dataloader())
        assert not augmented
        list(data.train_dataloader())
        assert len(augmented) == wanted * len(data.samples("train"))
        augmented.clear()


def test_a_folder_in_the_official_layout_is_packed_once(tmp_path: Path) -> None:
    folder = make_official(tmp_path)
    data = open_data(folder)
    assert [len(data.samples(split)) for split in SPLITS] == [3, 2, 3]
    (folder / "im2latex_formulas.lst").unlink()  # the packed sets are enough from now on
    assert len(open_data(folder).samples("train")) == 3


def test_no_data_set_is_an_error_that_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set at .*training/prepare_data\.py .* --download"):
        open_data(tmp_path)


def test_with_no_settings_the_small_set_in_the_repository_is_found() -> None:
    data = Im2Latex100K(DataConfig(), ImageSpec())
    data.setup()
    assert [len(data.samples(split)) for split in SPLITS] == [481, 54, 74]
    assert data.samples("val").tokenizer is data.tokenizer
    size = sum(path.stat().st_size for path in Path(data.config.path).rglob("*") if path.is_file())
    assert size < 2_000_000


def test_the_small_set_was_rendered_in_the_official_look_from_the_list_beside_it() -> None:
    folder = Path(DataConfig().path)
    lines = (folder / "formulas.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith("%")}
    packed = set()
    for split in SPLITS:
        assert read_manifest(folder / split)["look"] == asdict(Look())
        packed |= set(read_packed(folder / split, ["formula"])["formula"].to_pylist())
    assert packed == listed


def test_the_tokens_of_the_small_set_are_those_that_canonicalize_gives_today() -> None:
    for split in SPLITS:
        for row in read_packed(Path(DataConfig().path) / split, ["formula", "tokens"]).to_pylist():
            assert row["tokens"].split() == canonicalize(row["formula"])


def test_importing_the_module_starts_nothing(tmp_path: Path) -> None:
    probe = "import sys, im2latex.data.sources; print('torch' in sys.modules, 'pytorch_lightning' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False", "False"]  # render workers import as little
