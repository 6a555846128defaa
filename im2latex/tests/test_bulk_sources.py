"""Promises about sources: folder, glob, zip, tar and Parquet hold the same pictures in order; damage is told."""

import io
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from im2latex.bulk.readers import Reader
from im2latex.bulk.sources import list_source
from im2latex.errors import DataError
from im2latex.tests.bulk_runs import draw_pictures
from im2latex.tests.packed_sets import make_packed_set

PICTURES = draw_pictures(7)
NAMES = [f"{number}.png" for number in range(7)]


def read_all(source, out):
    with Reader() as reader:
        return [reader.read(entry) for entry in list_source(str(source), out)]


def into_folder(path):
    (path / "deep").mkdir(parents=True)
    for name, data in zip(NAMES, PICTURES, strict=True):
        (path / "deep" / name).write_bytes(data)
    (path / "notes.txt").write_text("no picture")
    (path / ".hidden.png").write_bytes(b"")
    return path


def into_zip(path, compression=zipfile.ZIP_DEFLATED):
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("labels.tsv", "no picture")
        for name, data in zip(NAMES, PICTURES, strict=True):
            archive.writestr(f"deep/{name}", data)
        archive.writestr("__MACOSX/._0.png", "no picture")
    return path


def into_tar(path, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in zip(NAMES, PICTURES, strict=True):
            info = tarfile.TarInfo(f"deep/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def into_parquet(path, column="image", kind=None):
    values = PICTURES if kind is None else [{"bytes": data, "path": None} for data in PICTURES]
    table = pa.table({"label": list("abcdefg"), column: pa.array(values, kind)})
    pq.write_table(table, path, row_group_size=3)
    return path


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("make", "prefix", "names"),
    [
        (lambda path: into_folder(path / "set"), "deep/", NAMES),
        (lambda path: into_zip(path / "a.zip"), "a.zip/deep/", NAMES),
        (lambda path: into_zip(path / "a.zip", zipfile.ZIP_STORED), "a.zip/deep/", NAMES),
        (lambda path: into_zip(path / "a.zip", zipfile.ZIP_BZIP2), "a.zip/deep/", NAMES),
        (lambda path: into_tar(path / "a.tar"), "a.tar/deep/", NAMES),
        (lambda path: into_tar(path / "a.tar.gz", "w:gz"), "a.tar.gz/deep/", NAMES),
        (lambda path: into_tar(path / "a.tar.xz", "w:xz"), "a.tar.xz/deep/", NAMES),
        (lambda path: into_parquet(path / "a.parquet"), "a.parquet/", "0123456"),
        (lambda path: into_parquet(path / "a.parquet", "scan"), "a.parquet/", "0123456"),
        (lambda path: into_parquet(path / "a.parquet", "image", STRUCT), "a.parquet/", "0123456"),
        (lambda path: into_zip(path / "set" / "a.zip").parent, "a.zip/deep/", NAMES),
    ],
)
def test_every_kind_of_source_holds_the_same_pictures_in_order(tmp_path, make, prefix, names):
    pictures = read_all(make(tmp_path), tmp_path / "out")
    assert [picture.data for picture in pictures] == PICTURES
    assert [picture.file.removeprefix(f"{tmp_path}/") for picture in pictures] == [f"{prefix}{name}" for name in names]
    assert not any(picture.error for picture in pictures)


def test_a_packed_set_is_read_as_it_lies(tmp_path):
    folder = make_packed_set(tmp_path / "set", 9, shards=2)
    packed = [data for file in sorted(folder.glob("*.parquet")) for data in pq.read_table(file)["image"].to_pylist()]
    assert [picture.data for picture in read_all(folder, tmp_path / "out")] == packed


def test_a_glob_takes_what_it_matches_whatever_it_is_called(tmp_path):
    into_folder(tmp_path / "set")
    (tmp_path / "set" / "deep" / "8.scan").write_bytes(PICTURES[0])
    pictures = read_all(tmp_path / "set" / "**" / "[358].*", tmp_path / "out")
    assert [picture.data for picture in pictures] == [PICTURES[3], PICTURES[5], PICTURES[0]]


def test_what_a_run_writes_into_its_own_source_is_not_read(tmp_path):
    folder = into_folder(tmp_path / "set")
    (folder / "out").mkdir()
    into_parquet(folder / "out" / "part-0.parquet")
    assert len(read_all(folder, folder / "out")) == 7


def test_rows_asked_for_in_any_order_are_the_right_ones(tmp_path):
    entries = list(list_source(str(into_parquet(tmp_path / "a.parquet")), tmp_path / "out"))
    with Reader() as reader:
        for row in (6, 0, 2, 1, 5, 3, 3, 4):
            assert reader.read(entries[row]).data == PICTURES[row]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "set").mkdir(),
        lambda path: (path / "set").write_bytes(b""),
        lambda path: (path / "set.zip").write_bytes(b"PK no zip"),
        lambda path: (path / "set.tar").write_bytes(b"no tar" * 200),
        lambda path: (path / "set.parquet").write_bytes(b"no parquet"),
        lambda path: pq.write_table(pa.table({"label": ["a"]}), path / "set.parquet"),
        lambda path: None,
    ],
)
def test_a_source_that_holds_nothing_is_an_error_that_names_it(tmp_path, damage):
    damage(tmp_path)
    source = next(iter(tmp_path.iterdir()), tmp_path / "set")
    if source.is_file() and not source.suffix:
        source = tmp_path / "*.png"
    with pytest.raises(DataError, match=str(tmp_path)):
        read_all(source, tmp_path / "out")


def test_bytes_that_cannot_be_had_are_told_with_their_picture(tmp_path):
    path = into_zip(tmp_path / "a.zip")
    entries = list(list_source(str(path), tmp_path / "out"))
    data = bytearray(path.read_bytes())
    middle = entries[3].offset + 60
    data[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))
    with Reader() as reader:
        pictures = [reader.read(entry) for entry in entries]
        vanished = reader.read(entries[0]._replace(kind="file", path=str(tmp_path / "gone.png")))
        large = reader.read(entries[0]._replace(size=2**40))
    assert [bool(picture.error) for picture in pictures] == [place == 3 for place in range(7)]
    assert "FileNotFoundError" in vanished.error
    assert "too large" in large.error
