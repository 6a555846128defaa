"""The network that tells the size of print is made by one command, and what disturbs a picture keeps its size true."""

import random
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from im2latex.data.im2latex100k import SMALL
from training.scale_net import ScaleNet, scale_graph
from training.train_scale import batch, main


def test_a_window_shows_each_picture_with_the_size_it_then_has():
    ink = Image.fromarray(np.full((60, 400), 255, dtype=np.uint8))
    inks, sizes = batch([(ink, 2.0)] * 16, random.Random(0), (48, 96))
    assert inks.shape == (16, 1, 48, 96)
    assert inks.amax((1, 2, 3)).min() > 0.5
    assert sizes.min() < 0 < 1 < sizes.max()  # logarithms to the base 2, of sizes below 1 and above 2


@pytest.mark.needs_latex
@pytest.mark.needs_fonts
def test_a_network_is_drawn_for_trained_and_saved(tmp_path, capsys):
    out = tmp_path / "scale.onnx"
    flags = ["--pictures", "24", "--steps", "2", "--batch_size", "4", "--workers", "1"]
    assert main(["--formulas", str(Path(SMALL) / "formulas.txt"), "--out", str(out), *flags]) == 0
    assert "pictures held out; off by a fifth or more" in capsys.readouterr().out
    assert read(out.read_bytes(), torch.rand(2, 1, 40, 90)).shape == (2,)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 17), (43, 246)])
def test_the_graph_says_what_the_network_says(size):
    torch.manual_seed(0)
    net, ink = ScaleNet().eval(), torch.rand(3, 1, *size)
    with torch.inference_mode():
        torch.testing.assert_close(read(scale_graph(net), ink), net(ink), atol=1e-5, rtol=1e-5)


def read(graph: bytes, ink: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"ink": ink.numpy()})[0])
