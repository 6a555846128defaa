"""Promises of the download: whole and genuine files or a clear error; what is there is not fetched again."""

import hashlib
import re
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from im2latex.data.download import RemoteFile, download_official, read_remote_files
from im2latex.data.official import is_official
from im2latex.errors import DataError
from im2latex.tests.official_layout import make_official


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[RemoteFile]]:
    """A server on this machine with a tiny official data set, and the list of its files."""
    served = make_official(tmp_path / "served")
    with tarfile.open(served / "formula_images.tar.gz", "w:gz") as tar:
        tar.add(served / "formula_images", "formula_images")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=served)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield [
            RemoteFile(
                path.name,
                f"http://127.0.0.1:{server.server_port}/{path.name}",
                hashlib.md5(path.read_bytes()).hexdigest(),
                "1 kB",
            )
            for path in sorted(served.iterdir())
            if path.is_file()
        ]
        server.shutdown()


def test_the_official_layout_is_there_afterwards_and_nothing_else(
    files: list[RemoteFile], tmp_path: Path
) -> None:
    download_official(tmp_path / "got", files)
    assert is_official(tmp_path / "got")
    names = {path.name for path in (tmp_path / "got").iterdir()}
    assert names == {file.name for file in files} | {"formula_images"}


def test_whole_files_are_not_fetched_again(files: list[RemoteFile], tmp_path: Path) -> None:
    download_official(tmp_path / "got", files)
    nowhere = [file._replace(url="http://127.0.0.1:1/") for file in files]
    download_official(tmp_path / "got", nowhere)


def test_a_file_that_is_not_the_published_one_is_refused(files: list[RemoteFile], tmp_path: Path) -> None:
    forged = [file._replace(md5="0" * 32) for file in files]
    with pytest.raises(DataError, match="MD5 is not 000"):
        download_official(tmp_path / "got", forged)
    assert not (tmp_path / "got" / forged[0].name).exists()


def test_without_a_network_the_error_names_the_address_the_files_and_the_cure(tmp_path: Path) -> None:
    offline = [RemoteFile("im2latex_formulas.lst", "http://127.0.0.1:1/formulas", "0" * 32, "12.3 MB")]
    cure = r"cannot fetch http://127.0.0.1:1/formulas: .*put im2latex_formulas.lst \(12.3 MB\) into .* small one"
    with pytest.raises(DataError, match=cure):
        download_official(tmp_path / "got", offline)


def test_the_published_list_names_every_file_with_a_checksum() -> None:
    listed = read_remote_files()
    assert [file.name for file in listed] == [
        "im2latex_formulas.lst",
        "im2latex_train.lst",
        "im2latex_validate.lst",
        "im2latex_test.lst",
        "formula_images.tar.gz",
    ]
    assert all(re.fullmatch("[0-9a-f]{32}", file.md5) and file.url.startswith("https://") for file in listed)
