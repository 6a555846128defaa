"""Promises of the command `im2latex batch` and its parts: what it refuses, what it shows, what it holds in memory."""

import io
import os
import threading
from itertools import islice

import numpy as np
import pytest
import torch

from im2latex import cli
from im2latex.bulk import command, core
from im2latex.bulk.attempts import ALONE, Attempts
from im2latex.bulk.device import move
from im2latex.bulk.progress import Progress
from im2latex.bulk.rows import Picture, Settings
from im2latex.errors import ConfigError
from im2latex.predictor import Predictor
from im2latex.shipped import find_model
from im2latex.tests.bulk_runs import draw_pictures, make_bundle, make_folder, rows_of, run_batch
from im2latex.tests.packed_sets import draw_strokes, make_packed_set
from im2latex.tests.rendering import draw

pytestmark = pytest.mark.timeout(1500)  # processes that load torch, beside other tests


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "ink.pt")


def test_a_picture_at_which_the_model_fails_costs_only_itself(bundle, tmp_path):
    tall = io.BytesIO()
    draw_strokes(600, 60, np.random.default_rng(0)).save(tall, "PNG")
    pictures = [Picture(str(place), data) for place, data in enumerate([*draw_pictures(3), tall.getvalue()])]
    found = list(core.read_pictures(Predictor.load(bundle), pictures, Settings(), Attempts(tmp_path / "a.txt")))
    assert [type(one).__name__ for one in found] == ["Row", "Row", "Row", "Failure"]
    assert found[3].error.startswith("the model failed at it: RuntimeError: Sizes of tensors must match")


@pytest.mark.parametrize(("deaths", "elsewhere", "is_ahead"), [(0, True, True), (1, True, False), (0, False, False)])
def test_the_next_batch_is_prepared_while_a_device_reads_one_but_not_where_a_process_died(
    bundle, tmp_path, monkeypatch, deaths, elsewhere, is_ahead
):
    prepare_batch, read_batch, seen = core.prepare_batch, core.read_batch, []
    prepared = [threading.Event() for _ in range(3)]
    now, following = iter(prepared), iter(prepared[1:])

    def prepare(*arguments):
        batch = prepare_batch(*arguments)
        next(now).set()
        return batch

    def read(*arguments):
        seen.extend(event.wait(60 if is_ahead else 0.5) for event in islice(following, 1))
        return read_batch(*arguments)

    monkeypatch.setattr(core, "prepare_batch", prepare)
    monkeypatch.setattr(core, "read_batch", read)
    (tmp_path / "a.txt").write_text("begin 7\n" * deaths)
    pictures = [Picture(str(place), data) for place, data in enumerate(draw_pictures(6))]
    here = Predictor.load(bundle)
    predictor = move(here, torch.device("cpu")) if elsewhere else here
    found = core.read_pictures(predictor, pictures, Settings(batch_size=2), Attempts(tmp_path / "a.txt"))
    assert [row.file for row in found] == list("012345")
    assert seen == [is_ahead] * 2


@pytest.mark.needs_latex
def test_rows_of_a_checked_run_have_a_likeness(tmp_path):
    (tmp_path / "set").mkdir()
    for name, formula in (("a", "a + b"), ("b", r"\frac{x}{2}")):
        (drawn,) = draw(formula)
        drawn.image.save(tmp_path / "set" / f"{name}.png")
    (tmp_path / "set" / "c.png").write_bytes(b"no picture")
    assert run_batch(tmp_path / "set", tmp_path / "out", find_model(), "--workers=1", "--check") == 0
    rows = rows_of(tmp_path / "out")
    assert [(row["latex"], row["likeness"]) for row in rows] == [("a+b", 1.0), (r"\frac{x}{2}", 1.0)]


def test_without_latex_nothing_is_begun(bundle, tmp_path, monkeypatch, capsys):
    folder = make_folder(tmp_path / "set", 2)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_batch(folder, tmp_path / "out", bundle, "--check") == 1
    assert "apt-get install" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_done_is_not_done_again(bundle, tmp_path, capsys, monkeypatch):
    folder = make_folder(tmp_path / "set", 6)
    flags = ("--workers=1", "--shard-size=4", "--formats=latex,mathml")
    assert run_batch(folder, tmp_path / "out", bundle, *flags) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(command, "usable_cores", None)  # nobody asks for workers
    assert run_batch(folder, tmp_path / "out", bundle, *flags) == 0
    assert first.splitlines()[0].split(",")[:2] == capsys.readouterr().out.splitlines()[0].split(",")[:2]
    row = rows_of(tmp_path / "out")[0]
    assert row["formats"]["latex"] == row["latex"]
    assert f"<mn>{row['latex']}</mn>" in row["formats"]["mathml"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--shard-size=5"], "shard_size was 4, now 5"),
        (["--shard-size=4", "--beam=2"], "beam was 1, now 2"),
        (["--shard-size=4", "--formats=mathml"], "formats"),
        (["--shard-size=4", "touched"], "pictures in the source was 6 of digest"),
        (["--shard-size=4", "bundle"], "bundle"),
    ],
)
def test_another_source_or_other_options_are_refused_and_named(bundle, tmp_path, capsys, monkeypatch, flags, named):
    folder = make_folder(tmp_path / "set", 6)
    monkeypatch.setattr(command, "read_shards", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run_batch(folder, tmp_path / "out", bundle, "--shard-size=4") == 130
    if "touched" in flags:
        os.utime(folder / "0" / "0000.png", (1, 1))
    if "bundle" in flags:
        bundle = tmp_path / "other.pt"
        bundle.write_bytes(b"another")
    capsys.readouterr()
    assert run_batch(folder, tmp_path / "out", bundle, *[flag for flag in flags if flag[0] == "-"]) == 1
    error = capsys.readouterr().err
    assert named in error
    assert "choose another --out" in error


def test_two_runs_do_not_write_into_one_folder(bundle, tmp_path, capsys):
    folder = make_folder(tmp_path / "set", 1)
    with command.alone_in(tmp_path / "out"):
        assert run_batch(folder, tmp_path / "out", bundle) == 1
    assert "another run is writing" in capsys.readouterr().err


def test_a_bundle_that_cannot_be_loaded_ends_the_run_with_a_sentence_and_no_plan(bundle, tmp_path, capsys):
    (tmp_path / "bad.pt").write_bytes(b"no bundle")
    folder = make_folder(tmp_path / "set", 2)
    assert run_batch(folder, tmp_path / "out", tmp_path / "bad.pt", "--workers=1") == 1
    assert "bad.pt is damaged or no model file" in capsys.readouterr().err
    assert run_batch(folder, tmp_path / "out", bundle, "--workers=1") == 0


def test_an_output_folder_that_is_a_file_is_said_in_a_line(bundle, tmp_path, capsys):
    (tmp_path / "out.png").write_bytes(b"")
    assert run_batch(make_folder(tmp_path / "set", 1), tmp_path / "out.png", bundle) == 1
    assert capsys.readouterr().err.startswith("im2latex: [Errno 17] File exists")


def test_a_missing_package_is_named_with_its_extra(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert cli.main(["batch", "x", "--out", str(tmp_path)]) == 1
    assert "pip install 'im2latex[batch]'" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"im2latex\[ray\]"):
        command.require("ray")


@pytest.mark.parametrize("flags", [["--formats=tex"], ["--formats=,"], ["--address=auto"]])
def test_flags_that_mean_nothing_are_refused(bundle, tmp_path, flags):
    assert run_batch(make_folder(tmp_path / "set", 1), tmp_path / "out", bundle, *flags) == 1


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "ends"), [(io.StringIO(), "\n"), (Screen(), "\r\x1b[K")])
def test_progress_is_lines_in_a_file_and_one_line_on_a_screen(stream, ends):
    seconds = iter(range(0, 10_000, 20))
    progress = Progress(1000, 100, stream, clock=lambda: next(seconds))
    for _ in range(3):
        progress.add(90, 10)
    progress.close()
    shown = [line for line in stream.getvalue().split(ends) if line.strip()]
    assert shown[2].startswith("300 of 1,000 pictures (30.0 %), ")
    assert "20 errors" in shown[2]
    assert shown[2].endswith(" left")
    assert ("\r" in stream.getvalue()) == stream.isatty()


def test_pictures_are_held_by_their_bytes_and_not_by_their_number(bundle, tmp_path, monkeypatch):
    pictures = [Picture(str(number), data) for number, data in enumerate(draw_pictures(9))]
    held = []
    taken = 0

    def take():
        nonlocal taken
        for picture in pictures:
            taken += 1
            yield picture

    monkeypatch.setattr(core, "CHUNK_BYTES", 2 * max(len(picture.data) for picture in pictures))
    predictor = Predictor.load(bundle)
    found = core.read_pictures(predictor, take(), Settings(), Attempts(tmp_path / "a.txt"))
    for number, row in enumerate(found):
        assert row.file == str(number)
        held.append(taken - number)
    assert max(held) <= 2 * 3 + 1


def test_a_packed_set_is_read_like_any_parquet(bundle, tmp_path):
    folder = make_packed_set(tmp_path / "set", 5, shards=2)
    assert run_batch(folder, tmp_path / "out", bundle, "--workers=1") == 0
    assert [row["file"] for row in rows_of(tmp_path / "out")] == [
        *(f"shard-00000.parquet/{row}" for row in range(3)),
        *(f"shard-00001.parquet/{row}" for row in range(2)),
    ]


def test_what_a_process_died_at_comes_last(tmp_path):
    path = tmp_path / "a.txt"
    pictures = [Picture(str(place), data) for place, data in enumerate(draw_pictures(6))]
    batches = core.to_batches(pictures, 0, 2, Attempts(path))
    first, second, third = batches
    with pytest.raises(RuntimeError), Attempts(path).at(first):
        raise RuntimeError
    assert core.to_batches(pictures, 0, 2, Attempts(path)) == [second, third, first]


def test_deaths_at_a_batch_split_it_and_deaths_alone_end_it(tmp_path):
    def die(places):
        attempts = Attempts(tmp_path / "a.txt")
        with pytest.raises(RuntimeError), attempts.at(places):
            raise RuntimeError

    for _ in range(2):
        assert Attempts(tmp_path / "a.txt").parts([3, 4]) == [[3, 4]]
        die([3, 4])
    assert Attempts(tmp_path / "a.txt").parts([3, 4]) == [[3], [4]]
    for _ in range(ALONE):
        with Attempts(tmp_path / "a.txt").at([3]) as is_safe:
            assert is_safe
        die([3])
    with (tmp_path / "a.txt").open("a") as stream:
        stream.write("begin 4")  # killed while it wrote
    with Attempts(tmp_path / "a.txt").at([3]) as is_safe:
        assert not is_safe
    assert Attempts(tmp_path / "a.txt").deaths_at([4]) == 0
