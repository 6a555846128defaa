"""The small network that tells the size of print from its shapes, and the ONNX graph that `im2latex/scale.py` runs."""

import numpy as np
import onnx
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from im2latex.scale import CELL


class ScaleNet(nn.Module):
    """Every place with ink says how large the print is, and how sure it is; the answer is the weighted mean."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, 8, 5, 2, 2),
                nn.Conv2d(8, 16, 3, 2, 1),
                nn.Conv2d(16, 32, 3, 2, 1),
                nn.Conv2d(32, 32, 3, 1, 1),
            ]
        )
        self.head = nn.Conv2d(32, 2, 1)

    def forward(self, ink: Tensor) -> Tensor:
        """Ink (B, 1, H, W), 1 on paper 0, to the logarithm to the base 2 of the size of the print, (B,)."""
        hidden = ink
        for convolution in self.convolutions:
            hidden = F.relu(convolution(hidden))
        size, sureness = self.head(hidden).split(1, 1)  # each (B, 1, H / 8, W / 8), rounded up
        weights = sureness.clamp(-8, 8).exp() * F.max_pool2d(ink, CELL, ceil_mode=True)
        found: Tensor = (size * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp(min=1e-6)
        return found


def scale_graph(net: ScaleNet) -> bytes:
    """What the network does as an ONNX graph, serialized: `ink` (B, 1, H, W) to `size` (B,)."""
    constants = {name: weight.numpy() for name, weight in net.state_dict().items()}
    constants |= {"lowest": np.float32(-8), "highest": np.float32(8), "least": np.float32(1e-6)}
    constants |= {"axes": np.array([1, 2, 3])}
    nodes: list[onnx.NodeProto] = []
    before = "ink"
    for place, convolution in enumerate(net.convolutions):
        nodes += [_convolution(convolution, f"convolutions.{place}", before)]
        nodes += [helper.make_node("Relu", [f"convolutions.{place} out"], [f"features {place}"])]
        before = f"features {place}"
    nodes += [
        _convolution(net.head, "head", before),
        helper.make_node("Split", ["head out"], ["sizes", "sureness"], axis=1, num_outputs=2),
        helper.make_node("Clip", ["sureness", "lowest", "highest"], ["clipped"]),
        helper.make_node("Exp", ["clipped"], ["sure"]),
        helper.make_node("MaxPool", ["ink"], ["present"], kernel_shape=[CELL, CELL], strides=[CELL, CELL], ceil_mode=1),
        helper.make_node("Mul", ["sure", "present"], ["weights"]),
        helper.make_node("Mul", ["sizes", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axes"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "axes"], ["weight"], keepdims=0),
        helper.make_node("Max", ["weight", "least"], ["divisor"]),
        helper.make_node("Div", ["total", "divisor"], ["size"]),
    ]
    ink = helper.make_tensor_value_info("ink", TensorProto.FLOAT, ["B", 1, "H", "W"])
    size = helper.make_tensor_value_info("size", TensorProto.FLOAT, ["B"])
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "scale", [ink], [size], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def _convolution(convolution: nn.Module, name: str, before: str) -> onnx.NodeProto:
    assert isinstance(convolution, nn.Conv2d)
    strides, pads = list(convolution.stride), [int(side) for side in convolution.padding] * 2
    inputs = [before, f"{name}.weight", f"{name}.bias"]
    return helper.make_node("Conv", inputs, [f"{name} out"], strides=strides, pads=pads)
