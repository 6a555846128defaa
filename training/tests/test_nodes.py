"""Promises of training over nodes: two learn what one process learns, and go on when one dies, or SLURM requeues."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from im2latex.lit_model import LitModel
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tests.processes import descendants
from training.tests.slurm_nodes import is_root, slurm_nodes
from training.tests.test_run_experiment import SCRIPT, TINY, finish, start, weights

pytestmark = pytest.mark.timeout(1500)  # each node is two processes that load torch
RETURN = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
"""Else a node that comes back waits for an address that the others published only in their first round."""
FORGOTTEN = 20
"""Seconds after which torchrun takes a node that is not heard of for dead: three signs of life are missing by then."""
STEPS = "--trainer.max_steps=10"
EXACT = [
    *("--model.dropout=0", "--data.augment=false", "--optimizer.name=adamw", "--trainer.precision=32-true", STEPS),
    *("--data.stream=true", "--data.streaming.lanes=2", "--data.streaming.window=20"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed_set(tmp_path_factory.mktemp("data") / "set", samples=60, shards=4)


@pytest.fixture(scope="module")
def one(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """What one process learns that gathers the batches of both nodes; it runs beside them."""
    out = tmp_path_factory.mktemp("one")
    process = start(data, out, *EXACT, "--trainer.accumulate_grad_batches=2", OMP_NUM_THREADS="1")

    @cache
    def wait() -> Path:
        finish(process)
        return out

    yield wait
    process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start_node(data: Path, out: Path, log: Path, *rendezvous: str) -> "subprocess.Popen[bytes]":
    """torchrun as on a machine of its own, with one process."""
    run = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *rendezvous]
    experiment = [str(SCRIPT), *TINY, *EXACT, f"--data.path={data}", f"--out={out}", "--name=run"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", **RETURN}
    with log.open("a") as output:
        return subprocess.Popen(
            [*run, *experiment, "--trainer.num_nodes=2", "--resume=auto"],
            stdout=output,
            stderr=output,
            env=environment,
        )


def check_same_weights(two: Path, one: Path) -> None:
    ours, wanted = weights(two), weights(one)
    assert ours["step"] == wanted["step"] == 10
    for name, _ in LitModel.load(one / "run" / "last.ckpt").named_parameters():
        torch.testing.assert_close(ours[name], wanted[name], atol=2e-5, rtol=1e-3)


def wait_for(nodes, logs) -> None:
    for node, log in zip(nodes, logs, strict=True):
        assert node.wait(1200) == 0, log.read_text()[-3000:]


def test_two_nodes_learn_what_one_process_learns_from_the_same_global_batch(data, one, tmp_path):
    meeting = ("--master-addr=127.0.0.1", f"--master-port={free_port()}")
    logs = [tmp_path / f"{rank}.log" for rank in range(2)]
    nodes = [start_node(data, tmp_path, log, *meeting, f"--node-rank={rank}") for rank, log in enumerate(logs)]
    wait_for(nodes, logs)
    check_same_weights(tmp_path, one())


def test_a_node_that_dies_and_comes_back_goes_on_from_the_last_checkpoint(data, one, tmp_path):
    meeting = ("--rdzv-backend=c10d", "--rdzv-id=run", f"--rdzv-endpoint=127.0.0.1:{free_port()}")
    meeting += ("--local-addr=127.0.0.1", "--max-restarts=5")
    guest = (*meeting, "--rdzv-conf=read_timeout=600,is_host=false")
    logs = [tmp_path / f"{rank}.log" for rank in range(2)]
    host = start_node(data, tmp_path, logs[0], *meeting, "--rdzv-conf=read_timeout=600,is_host=true")
    other = start_node(data, tmp_path, logs[1], *guest)
    last = tmp_path / "run" / "last.ckpt"
    while not last.exists():
        assert host.poll() is None, logs[0].read_text()[-3000:]
        time.sleep(0.01)
    for process in [other.pid, *descendants(other.pid)]:
        os.kill(process, signal.SIGKILL)
    other.wait()
    time.sleep(FORGOTTEN)
    reached = weights(tmp_path)["step"]
    assert 0 < reached < 10, "it was killed in the middle"
    wait_for([host, start_node(data, tmp_path, logs[1], *guest)], logs)
    check_same_weights(tmp_path, one())
    assert "Restoring states from the checkpoint" in logs[0].read_text() + logs[1].read_text()


@pytest.mark.needs_slurm
@pytest.mark.skipif(not is_root(), reason="hosts with networks of their own are made by root")
def test_a_slurm_job_that_is_requeued_goes_on_from_the_last_checkpoint(data, one, tmp_path):
    log, last = tmp_path / "job.log", tmp_path / "run" / "last.ckpt"
    here = ("--nodes=2", "--gpus-per-node=0", "--cpus-per-task=1", "--export=ALL,OMP_NUM_THREADS=1")
    places = (f"--chdir={SCRIPT.parents[1]}", f"--output={log}")
    recipe = str(SCRIPT.with_name("train.slurm"))
    with slurm_nodes() as nodes:
        experiment = (*TINY, *EXACT, f"--data.path={data}", f"--out={tmp_path}", "--name=run")
        job = nodes.ask("sbatch", "--parsable", *here, *places, recipe, *experiment)
        while not last.exists():
            nodes.wait_for(job, "RUNNING")
        reached = weights(tmp_path)["step"]
        nodes.ask("scontrol", "requeue", job)
        nodes.wait_for(job, "PENDING")
        nodes.ask("scontrol", "update", f"JobId={job}", "StartTime=now")  # not in two minutes
        nodes.wait_for(job, "COMPLETED")
    assert 0 < reached < 10, "it was stopped in the middle"
    check_same_weights(tmp_path, one())
    assert "Restoring states from the checkpoint" in log.read_text()
