"""Labels find their pictures in a folder, a zip or a packed set, and what is missing is named."""

import zipfile

import pytest

from im2latex.errors import DataError
from im2latex.tests.packed_sets import make_packed_set
from training.labelled import open_labelled, open_packed


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
