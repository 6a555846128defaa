"""Promises of training over nodes: two nodes learn what one process learns from the batches of both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from im2latex.lit_model import LitModel
from im2latex.tests.packed_sets import make_packed_set
from training.tests.test_run_experiment import SCRIPT, TINY, finish, start, weights

pytestmark = pytest.mark.timeout(1500)  # each node is two processes that load torch
STEPS = "--trainer.max_steps=10"
EXACT = [
    *("--model.dropout=0", "--data.augment=false", "--optimizer.name=adamw", STEPS),
    *("--data.stream=true", "--data.streaming.lanes=2", "--data.streaming.window=20"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed_set(tmp_path_factory.mktemp("data") / "set", samples=60, shards=4)


@pytest.fixture(scope="module")
def one(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process that gathers the batches of both nodes."""
    out = tmp_path_factory.mktemp("one")
    finish(start(data, out, *EXACT, "--trainer.accumulate_grad_batches=2"))
    return out


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start_node(data: Path, out: Path, log: Path, *rendezvous: str) -> "subprocess.Popen[bytes]":
    """torchrun as on a machine of its own, with one process."""
    run = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *rendezvous]
    experiment = [str(SCRIPT), *TINY, *EXACT, f"--data.path={data}", f"--out={out}", "--name=run"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
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
    check_same_weights(tmp_path, one)
