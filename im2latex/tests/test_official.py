"""Promises of the official layout: its lists are read as published and its pages become pictures as rendered."""

from pathlib import Path

import pytest
from PIL import Image

from im2latex.data.dataset import FormulaImages
from im2latex.data.official import crop_and_halve, is_official, pack_official, read_official
from im2latex.data.packed import read_packed, read_tokenizer
from im2latex.errors import DataError
from im2latex.tests.official_layout import make_official


def test_only_newlines_end_a_formula_and_odd_bytes_do_not_stop_reading(tmp_path: Path) -> None:
    folder = make_official(tmp_path)
    assert is_official(folder)
    assert read_official(folder, "train")[2] == ("x_2 \r = 2", "picture2.png")
    assert [one.source for one in read_official(folder, "val")] == [f"picture{n}.png" for n in (3, 4, 5)]


def test_packed_pages_are_cropped_to_their_ink_with_eight_pixels_and_halved(tmp_path: Path) -> None:
    reports = pack_official(make_official(tmp_path / "official"), tmp_path / "packed", workers=1)
    # Formula 3, with its stray byte, is no LaTeX: it is listed as a failure.
    assert {split: report.packed for split, report in reports.items()} == {"train": 3, "val": 2, "test": 3}
    folder = tmp_path / "packed" / "test"
    samples = FormulaImages(folder, read_tokenizer(folder))
    assert samples.sizes.tolist() == [[28, (101 + 2 * number + 16) // 2] for number in (6, 7, 8)]
    assert read_packed(folder)["tokens"].to_pylist() == [f"x _ {{ {n} }} = {n}" for n in (6, 7, 8)]
    assert samples[0][0].getpixel((0, 0)) == 255
    assert samples[0][0].getpixel((20, 14)) == 0


def test_a_missing_and_a_blank_picture_are_listed_not_replaced(tmp_path: Path) -> None:
    folder = make_official(tmp_path / "official")
    (folder / "formula_images" / "picture0.png").unlink()
    Image.new("RGBA", (40, 50), (0, 0, 0, 0)).save(folder / "formula_images" / "picture1.png")
    report = pack_official(folder, tmp_path / "packed", workers=1)["train"]
    assert report.packed == 1
    assert set(report.failures) == {
        "render: the picture cannot be read: FileNotFoundError",
        "render: the picture is blank",
    }


def test_a_page_is_cropped_alike_in_every_mode() -> None:
    page = Image.new("L", (60, 40), 255)
    page.paste(0, (20, 10, 31, 21))
    expected = crop_and_halve(page)
    assert expected is not None
    assert expected.size == (13, 13)
    for mode in ("1", "P", "RGB", "RGBA", "LA"):
        cropped = crop_and_halve(page.convert(mode))
        assert cropped is not None
        assert cropped.tobytes() == expected.tobytes()


@pytest.mark.parametrize("line", ["9999 picture basic", "x picture basic", "1"])
def test_a_list_of_another_kind_is_refused(tmp_path: Path, line: str) -> None:
    folder = make_official(tmp_path)
    (folder / "im2latex_train.lst").write_text(f"0 picture0 basic\n{line}\n", encoding="ascii")
    with pytest.raises(DataError, match="line 2"):
        read_official(folder, "train")
