"""Promises of `im2latex batch --engine ray`: the rows of the local engine, here or on nodes, though an actor dies."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import ray

from im2latex.bulk.plan import make_plan
from im2latex.bulk.ray_data import ShardReader, connect, gpu_share
from im2latex.bulk.rows import Settings
from im2latex.errors import DataError
from im2latex.tests.bulk_runs import errors_of, make_bundle, make_flawed_folder, make_folder, rows_of, run_batch
from im2latex.tests.ray_nodes import find_processes, private_environment, start_cluster

pytestmark = pytest.mark.timeout(1500)  # a cluster starts many processes
FLAGS = ("--workers=2", "--shard-size=50")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "ink.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_flawed_folder(tmp_path_factory.mktemp("pictures") / "set", 2000)


@pytest.fixture(scope="module")
def undisturbed(folder, bundle, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert run_batch(folder, out, bundle, *FLAGS) == 0
    return out


@pytest.fixture(scope="module")
def environment():
    return private_environment()


def run_ray(environment, folder, out, bundle, *flags):
    """The command, in a process of its own; once more where the machine is so busy that Ray gives up starting."""
    command = [sys.executable, "-m", "im2latex.cli", "batch", folder, "--out", out, "--bundle", bundle, "--engine=ray"]
    for _ in range(5):
        done = subprocess.run([*command, *FLAGS, *flags], capture_output=True, text=True, env=environment)
        if "timed out during startup" not in done.stderr:
            break
    return done.returncode, done.stderr


def actors():
    """Processes that read shards."""
    return find_processes("ShardReader")


def kill_an_actor(out, killed, is_over):
    """As soon as some rows are there."""
    while not (killed or is_over.wait(0.01)):
        if len(list(out.glob("part-*.parquet"))) >= 2 and (found := actors()):
            os.kill(found[0], signal.SIGKILL)
            killed.append(found[0])


def test_the_engine_starts_a_cluster_and_gives_the_rows_of_the_local_engine_though_an_actor_is_killed(
    undisturbed, folder, bundle, tmp_path, environment
):
    out, killed, is_over = tmp_path / "out", [], threading.Event()
    killer = threading.Thread(target=kill_an_actor, args=(out, killed, is_over))
    killer.start()
    code, errors = run_ray(environment, folder, out, bundle)
    is_over.set()
    killer.join()
    assert code == 0, errors
    assert killed
    assert rows_of(out) == rows_of(undisturbed)
    assert errors_of(out) == errors_of(undisturbed)


def test_a_cluster_of_two_nodes_goes_on_with_what_the_other_engine_left(
    undisturbed, folder, bundle, tmp_path, environment
):
    out = tmp_path / "out"
    plan = make_plan(str(folder), out, bundle, Settings(), 50)
    for part in sorted(undisturbed.glob("part-*.parquet"))[:30]:
        os.link(part, out / part.name)
    kept = {path.name: path.stat().st_ino for path in out.glob("part-*.parquet")}
    with start_cluster(environment, tmp_path, cores=[1, 1]) as address:
        code, errors = run_ray(environment, folder, out, bundle, f"--address={address}")
    assert code == 0, errors
    assert plan.shards == 40
    assert rows_of(out) == rows_of(undisturbed)
    assert kept.items() <= {path.name: path.stat().st_ino for path in out.glob("part-*.parquet")}.items()


def test_a_task_that_is_tried_again_after_it_was_done_does_nothing_twice(bundle, tmp_path):
    folder, out = make_folder(tmp_path / "set", 5), tmp_path / "out"
    (folder / "0" / "0000.png").write_bytes(b"no picture")
    make_plan(str(folder), out, bundle, Settings(), 3)
    reader = ShardReader(str(out), str(bundle))
    first = reader({"item": [0, 1]})
    written = {path.name: path.stat().st_ino for path in out.glob("part-*.parquet")}
    assert reader({"item": [0, 1]}) == first == {"read": [2, 2], "failed": [1, 0]}
    assert {path.name: path.stat().st_ino for path in out.glob("part-*.parquet")} == written


@pytest.mark.parametrize(
    ("workers", "gpus", "share"), [(8, 0, 0), (1, 2, 1), (8, 8, 1), (8, 2, 0.25), (16, 3, 0.1666), (3, 1, 0.3333)]
)
def test_each_worker_asks_for_so_much_of_a_gpu_that_all_of_them_find_a_place(workers, gpus, share):
    assert gpu_share(workers, gpus) == share
    assert not gpus or gpus * (1 // share) >= workers


def test_a_cluster_that_the_engine_starts_is_new_and_tells_its_makers_nothing(monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    started = []
    monkeypatch.setattr(ray, "init", lambda *what, **how: started.append((*what, how["num_cpus"])))
    connect(None, 3)
    assert started == [("local", 3)]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_cluster_that_is_not_there_is_an_error_with_its_address():
    with pytest.raises(DataError, match=r"no Ray cluster lets us in at 127\.0\.0\.1:1:"):
        connect("127.0.0.1:1", 1)
