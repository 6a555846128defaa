"""Promises of `im2latex batch` on one machine: every picture once, whoever is killed and however it comes."""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

import pyarrow.parquet as pq
import pytest

from im2latex.bulk.sink import ROWS
from im2latex.predictor import Predictor
from im2latex.tests.bulk_runs import drive, errors_of, make_bundle, make_flawed_folder, make_folder, rows_of
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
    return make_flawed_folder(tmp_path_factory.mktemp("pictures") / "set", 200)


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


@pytest.mark.parametrize("when", ["prepare", "read"])
def test_a_picture_that_kills_every_worker_is_found_and_costs_only_itself(bundle, tmp_path, when):
    folder = make_folder(tmp_path / "set", 12)
    arguments = (folder, tmp_path / "out", bundle, "--workers=1", "--batch-size=6")
    driver = start_driver(*arguments, deadly="2/0005.png", deadly_when=when)
    driver.join()
    assert driver.exitcode == 0
    assert list(errors_of(tmp_path / "out")) == ["2/0005.png"]
    assert "the process died each of the 5 times" in errors_of(tmp_path / "out")["2/0005.png"]
    assert len(rows_of(tmp_path / "out")) == 11
