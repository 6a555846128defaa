"""Promises of `im2latex batch` on one machine: every picture once, whoever is killed and however it comes."""

import hashlib
import io
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

import numpy as np
import pyarrow.parquet as pq
import pytest

from im2latex import cli
from im2latex.bulk import command, core
from im2latex.bulk.attempts import Attempts
from im2latex.bulk.progress import Progress
from im2latex.bulk.rows import Picture, Settings
from im2latex.bulk.sink import ROWS
from im2latex.errors import ConfigError
from im2latex.predictor import Predictor
from im2latex.tests.bulk_runs import (
    draw_pictures,
    drive,
    errors_of,
    make_bundle,
    make_folder,
    rows_of,
    run_batch,
)
from im2latex.tests.packed_sets import draw_strokes, make_packed_set
from im2latex.tests.processes import descendants

pytestmark = pytest.mark.timeout(1500)  # processes that load torch, beside other tests


def start_driver(*arguments, **options):
    """The command in a process of its own, which starts in no time: all that it needs is loaded where it is forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["im2latex.tests.bulk_runs", "im2latex.bulk.worker", "im2latex.bulk.sink"])
    driver = context.Process(target=drive, args=arguments, kwargs=options)
    driver.start()
    return driver


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "ink.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """200 pictures, one of them no picture."""
    folder = make_folder(tmp_path_factory.mktemp("pictures") / "set", 200)
    (folder / "1" / "0100.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder, bundle, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    driver = start_driver(folder, out, bundle, "--workers=2", "--shard-size=10", "--batch-size=4")
    driver.join()
    assert driver.exitcode == 0
    return out


def test_the_rows_are_those_that_the_predictor_reads_one_by_one_in_order(undisturbed, folder, bundle):
    predictor = Predictor.load(bundle)
    files = sorted(path for path in folder.rglob("*.png") if path.name != "0100.png")
    rows = rows_of(undisturbed)
    assert [row["file"] for row in rows] == [file.relative_to(folder).as_posix() for file in files]
    for row, file in zip(rows, files, strict=True):
        prediction = predictor.predict(file)
        assert row["latex"] == prediction.latex
        assert row["confidence"] == pytest.approx(prediction.confidence, abs=1e-6)
        assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (row["model"], row["formats"]) == ("ink", {"latex": prediction.latex, "mathml": None})


def test_a_picture_that_cannot_be_read_is_in_errors_and_in_the_summary(undisturbed):
    reason = "not a picture: wanted one of PNG, JPEG, WEBP, GIF, BMP, TIFF"
    assert errors_of(undisturbed) == {"1/0100.png": reason}
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert (summary["pictures"], summary["read"], summary["errors"]) == (200, 199, 1)
    assert summary["reasons"] == {reason: 1}
    assert {path.name.split("-")[0] for path in undisturbed.iterdir()} == {
        *("part", "errors.parquet", "summary.json", "plan.json", "plan.parquet", ".lock")
    }
    assert pq.read_schema(undisturbed / "part-00000000.parquet").equals(ROWS)


def progress_in(out):
    """Something that changes whenever a worker begins a batch or ends a shard."""
    with suppress(FileNotFoundError):
        return [(path.name, path.stat().st_mtime_ns) for path in sorted(out.glob("attempts/*"))]
    return None


def kill_somebody(driver, out, random_):
    """Mostly while pictures are read, sometimes whenever: kill -9 the driver or a worker. Returns whom."""
    before, at_work = progress_in(out), random_.random() < 0.8
    while driver.is_alive() and (not descendants(driver.pid) or (at_work and progress_in(out) == before)):
        time.sleep(0.005)
    driver.join(random_.uniform(0.0, 0.2))
    workers = descendants(driver.pid)
    wants_driver = random_.random() < 0.3 or not workers
    if not driver.is_alive():
        return None
    with suppress(ProcessLookupError):
        os.kill(driver.pid if wants_driver else random_.choice(workers), signal.SIGKILL)
    return "driver" if wants_driver else "worker"


def test_twenty_kills_of_drivers_and_workers_leave_the_rows_of_an_undisturbed_run(
    undisturbed, folder, bundle, tmp_path
):
    random_, kills, runs = random.Random(7), Counter(), 0
    while kills.total() < 20:  # a run that ends before is followed by another
        runs += 1
        out, written, exit_code = tmp_path / f"out{runs}", {}, None
        while exit_code != 0:
            flags = ("--workers=2", "--shard-size=10", "--batch-size=4")
            driver = start_driver(folder, out, bundle, *flags, pause=0.05)
            while driver.is_alive() and kills.total() < 20:
                victim = kill_somebody(driver, out, random_)
                kills.update([victim] if victim else [])
            driver.join()
            exit_code = driver.exitcode
            parts = {path.name: path.stat().st_ino for path in out.glob("part-*.parquet")}
            assert written.items() <= parts.items(), "work that is done is not done again"
            written = parts
        assert rows_of(out) == rows_of(undisturbed)
        assert errors_of(out) == errors_of(undisturbed)
    assert min(kills["driver"], kills["worker"]) > 2, kills


def test_a_picture_that_kills_every_worker_is_found_and_costs_only_itself(bundle, tmp_path):
    folder = make_folder(tmp_path / "set", 12)
    arguments = (folder, tmp_path / "out", bundle, "--workers=1", "--batch-size=6")
    driver = start_driver(*arguments, deadly="2/0005.png")
    driver.join()
    assert driver.exitcode == 0
    assert list(errors_of(tmp_path / "out")) == ["2/0005.png"]
    assert "the process died each of the 3 times" in errors_of(tmp_path / "out")["2/0005.png"]
    assert len(rows_of(tmp_path / "out")) == 11


def test_a_picture_at_which_the_model_fails_costs_only_itself(bundle, tmp_path):
    tall = io.BytesIO()
    draw_strokes(600, 60, np.random.default_rng(0)).save(tall, "PNG")
    pictures = [Picture(str(place), data) for place, data in enumerate([*draw_pictures(3), tall.getvalue()])]
    found = list(core.read_pictures(Predictor.load(bundle), pictures, Settings(), Attempts(tmp_path / "a.txt")))
    assert [type(one).__name__ for one in found] == ["Row", "Row", "Row", "Failure"]
    assert found[3].error.startswith("the model failed at it: RuntimeError: Sizes of tensors must match")


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


def test_a_bundle_that_cannot_be_loaded_ends_the_run_with_a_sentence(tmp_path, capsys):
    (tmp_path / "bad.pt").write_bytes(b"no bundle")
    assert run_batch(make_folder(tmp_path / "set", 2), tmp_path / "out", tmp_path / "bad.pt", "--workers=1") == 1
    assert "bad.pt is damaged or no model file" in capsys.readouterr().err


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


def test_deaths_at_a_batch_split_it_and_deaths_alone_end_it(tmp_path):
    def die(places):
        attempts = Attempts(tmp_path / "a.txt")
        with pytest.raises(RuntimeError), attempts.at(places):
            raise RuntimeError

    for _ in range(2):
        assert Attempts(tmp_path / "a.txt").parts([3, 4]) == [[3, 4]]
        die([3, 4])
    assert Attempts(tmp_path / "a.txt").parts([3, 4]) == [[3], [4]]
    for _ in range(3):
        with Attempts(tmp_path / "a.txt").at([3]) as is_safe:
            assert is_safe
        die([3])
    with (tmp_path / "a.txt").open("a") as stream:
        stream.write("begin 4")  # killed while it wrote
    with Attempts(tmp_path / "a.txt").at([3]) as is_safe:
        assert not is_safe
    assert Attempts(tmp_path / "a.txt").deaths_at([4]) == 0
