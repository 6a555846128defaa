"""Promises of the models that ship: found by name, unless a file is called so."""

from pathlib import Path

import pytest

from im2latex.shipped import SYMBOLS, find_model


def test_a_model_that_ships_is_found_by_its_name() -> None:
    assert find_model() == find_model("default")
    assert find_model(None, SYMBOLS) == find_model("symbols") != find_model()
    assert all(find_model(name).is_file() for name in ("default", "symbols", "handwriting"))


def test_a_path_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("mine.pt") == Path("mine.pt")
    assert find_model(tmp_path / "default") == tmp_path / "default"
    Path("handwriting").touch()
    assert find_model("handwriting") == Path("handwriting")
