"""Labels find their pictures in a folder, a zip or a packed set, and what is missing is named."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from im2latex.errors import ConfigError, DataError
from im2latex.tests.packed_sets import make_packed_set
from training.labelled import LabelledSet, open_labelled, open_packed


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text("b.png\tx^2\tx ^ { 2 }\na.png\ty\ty\n\n", encoding="utf-8")
    return path


@pytest.fixture(params=["folder", "zip", "zip with a folder"])
def images(request, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(name.encode())
    if request.param == "folder":
        return folder
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name if request.param == "zip" else f"images/{file.name}")
    return path


def test_pictures_come_in_the_order_of_the_labels(images, labels):
    pictures = open_labelled(images, labels)
    assert pictures.names == ["b.png", "a.png"]
    assert pictures.formulas == ["x^2", "y"]
    assert [pictures.read(place) for place in range(2)] == [b"b.png", b"a.png"]


def test_another_column_may_hold_the_formula(images, labels):
    assert open_labelled(images, labels, column=2).formulas == ["x ^ { 2 }", "y"]


@pytest.mark.parametrize("column", [0, 3, -1])
def test_a_column_that_is_not_there_is_named_with_its_line(images, labels, column):
    with pytest.raises(DataError, match=r"labels.tsv, line 1: 3 columns"):
        open_labelled(images, labels, column)


def test_labels_of_missing_pictures_are_counted(images, labels):
    labels.write_text(labels.read_text() + "c.png\tz\nd.png\tz\n")
    with pytest.raises(DataError, match=r"lacks 2 of the labelled pictures, the first is c.png"):
        open_labelled(images, labels)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_table_is_refused(images, labels, content):
    labels.write_text(content)
    with pytest.raises(DataError, match="holds no labels"):
        open_labelled(images, labels)


def test_a_short_name_that_two_members_of_a_zip_have_once_took_the_last_of_them(tmp_path, labels):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for member in ("x/a.png", "y/a.png", "z/b.png", "b.png"):
            archive.writestr(member, member)
    with pytest.raises(DataError, match=r"images.zip holds x/a.png and y/a.png: write in a.png's label which"):
        open_labelled(tmp_path / "images.zip", labels)
    labels.write_text("y/a.png\ty\nb.png\tx^2\n")
    pictures = open_labelled(tmp_path / "images.zip", labels)
    assert [pictures.read(place) for place in range(2)] == [b"y/a.png", b"b.png"]


@pytest.mark.parametrize("flaw", ["a wrong checksum", "a password"])
def test_a_member_of_a_zip_that_cannot_be_read_is_named(tmp_path, labels, flaw):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, f"content of {name}")
    data = bytearray(path.read_bytes())
    if flaw == "a password":
        data[6] = data[data.index(b"PK\x01\x02") + 8] = 1
    path.write_bytes(data if flaw == "a password" else data.replace(b"content of a", b"Content of a"))
    pictures = open_labelled(path, labels)
    assert pictures.read(0) == b"content of b.png"
    with pytest.raises(DataError, match=r"a.png cannot be read out of .*images.zip: "):
        pictures.read(1)


def test_a_table_with_a_byte_order_mark_is_read_and_one_in_another_encoding_refused(images, labels):
    labels.write_text("a.png\ty\n", encoding="utf-8-sig")
    assert open_labelled(images, labels).names == ["a.png"]
    labels.write_text("a.png\t\\text{é}\n", encoding="latin-1")
    with pytest.raises(DataError, match=r"labels.tsv cannot be read as UTF-8 text: "):
        open_labelled(images, labels)


def test_what_is_neither_folder_nor_zip_is_refused(labels):
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        open_labelled(labels, labels)


def test_a_missing_table_is_refused(images, tmp_path):
    with pytest.raises(DataError, match="no table of labels"):
        open_labelled(images, tmp_path / "none.tsv")


def test_a_packed_set_is_read_row_by_row(tmp_path):
    pictures = open_packed(make_packed_set(tmp_path / "set", samples=5))
    assert list(pictures.names) == ["0", "1", "2", "3", "4"]
    assert pictures.formulas[4].endswith("n4")
    assert pictures.read(4).startswith(b"\x89PNG")


def _picture(width, height):
    file = io.BytesIO()
    Image.new("L", (width, height), 255).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def sizes(tmp_path):
    """Flags that name pictures of 30 x 10, 20 x 40 and 90 x 20 px, and one file that is no picture."""
    folder = tmp_path / "sizes"
    folder.mkdir()
    contents = {"flat": _picture(30, 10), "high": _picture(20, 40), "wide": _picture(90, 20), "none": b"no picture"}
    for name, content in contents.items():
        (folder / f"{name}.png").write_bytes(content)
    (folder / "labels.tsv").write_text("".join(f"{name}.png\t{name}\n" for name in contents), encoding="utf-8")
    return {"images": str(folder), "labels": str(folder / "labels.tsv")}


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({}, ["flat", "high", "wide", "none"]),
        ({"max_height": 20}, ["flat", "wide", "none"]),
        ({"max_width": 30}, ["flat", "high", "none"]),
        ({"max_height": 20, "max_width": 50}, ["flat", "none"]),
        ({"max_height": 20, "limit": 2}, ["flat", "wide"]),
    ],
)
def test_pictures_may_be_left_out_by_their_size(sizes, limits, left):
    pictures = LabelledSet(**sizes, **limits).open()
    assert list(pictures.formulas) == left
    assert list(pictures.names) == [f"{name}.png" for name in left]
    for place, name in enumerate(left):
        assert pictures.read(place) == _read(sizes, name)


def _read(sizes, name):
    return (Path(sizes["images"]) / f"{name}.png").read_bytes()


def test_a_size_that_no_picture_has_is_named(tmp_path):
    packed = make_packed_set(tmp_path / "set", samples=3)
    with pytest.raises(DataError, match=r"none of the 3 pictures is within any x 1 px \(height x width\)"):
        LabelledSet(data=str(packed), max_width=1).open()


@pytest.mark.parametrize("flag", ["limit", "max_height", "max_width"])
def test_a_limit_of_nothing_is_refused(sizes, flag):
    with pytest.raises(ConfigError, match=f"--{flag} 0, wanted at least 1"):
        LabelledSet(**sizes, **{flag: 0}).open()
