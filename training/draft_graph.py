"""The ONNX graph that guesses tokens: one step of the Transformer decoder for one formula, with weights of 8 bits.

`im2latex/decoding/draft.py` runs it. Each 32 weights of a row share a scale (ONNX Runtime's MatMulNBits, which rounds
what they are multiplied with in the same way); norms, attention and positions are in float32. Inputs: `token` (1,),
`seen` (1,), the number of tokens before it, `total` (1,) = seen + 1; of each layer `memory_k`, `memory_v`
(1, heads, S, width) and `past_k`, `past_v` (1, heads, room, width), which it writes in place. Output: `next` (1,), the
most probable token.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from im2latex.models import ResNetTransformer
from im2latex.models.positions import positions_1d

BLOCK = 32
"""Weights that share a scale."""
CONTRIB = "com.microsoft"
"""Operators that ONNX Runtime has beside those of the standard."""
INT8_ACTIVATIONS = 4
"""MatMulNBits's name for arithmetic in 8 bits."""
Array = npt.NDArray[Any]


def draft_graph(decoder: Any) -> bytes:
    """The graph of the Transformer in a Decoder, serialized."""
    return _Graph(decoder.model, decoder.max_tokens).finish()


class _Graph:
    def __init__(self, model: ResNetTransformer, max_tokens: int) -> None:
        self.model, self.room, self.width = model, max_tokens, model.d_model
        self.heads = model.heads
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.ports: dict[str, list[onnx.ValueInfoProto]] = {"in": [], "out": []}

    def finish(self) -> bytes:
        for name in ("token", "seen", "total"):
            self.port("in", name, TensorProto.INT32, [1])
        self.port("out", "next", TensorProto.INT64, [1])
        self.constant("one row", np.array([1, 1, self.width]))
        self.constant("flat", np.array([1, self.width]))
        self.constant("thirds", np.array([self.width] * 3))
        embedding = self.model.embedding.weight * math.sqrt(self.width)
        positions = positions_1d(self.room, self.width, torch.device("cpu"))
        found = self.node("Gather", self.constant("embedding", _array(embedding)), "token")
        placed = self.node("Gather", self.constant("positions", _array(positions.view(self.room, -1))), "seen")
        hidden = self.node("Add", found, placed)
        for number, layer in enumerate(self.model.layers):
            hidden = self.layer(hidden, layer, number)
        hidden = self.norm(hidden, self.model.final_norm)
        logits = self.linear(hidden, self.model.embedding.weight, self.model.output_bias)
        self.node("ArgMax", logits, outputs=["next"], axis=1, keepdims=0)
        constants = list(self.constants.values())
        graph = helper.make_graph(self.nodes, "draft", self.ports["in"], self.ports["out"], constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())

    def layer(self, hidden: str, layer: Any, number: int) -> str:
        """What `DecoderLayer.step` does."""
        qkv = self.linear(self.norm(hidden, layer.self_norm), layer.self_qkv.weight, layer.self_qkv.bias)
        thirds = [f"{letter} of {qkv}" for letter in "qkv"]
        self.node("Split", qkv, "thirds", outputs=thirds, axis=1)
        asked = [self.node("Reshape", third, "one row") for third in thirds]
        past, now = self.caches(number)
        attended = self.node(
            "GroupQueryAttention", *asked, *past, "seen", "total",
            outputs=[f"self {number}", *now], domain=CONTRIB, num_heads=self.heads, kv_num_heads=self.heads,
        )  # fmt: skip
        flat = self.node("Reshape", attended, "flat")
        hidden = self.node("Add", hidden, self.linear(flat, layer.self_out.weight, layer.self_out.bias))
        asking = self.linear(self.norm(hidden, layer.memory_norm), layer.memory_q.weight, layer.memory_q.bias)
        asking = self.node("Reshape", asking, "one row")
        memory = [f"memory_{letter}{number}" for letter in "kv"]
        looked = self.node("MultiHeadAttention", asking, *memory, domain=CONTRIB, num_heads=self.heads)
        flat = self.node("Reshape", looked, "flat")
        hidden = self.node("Add", hidden, self.linear(flat, layer.memory_out.weight, layer.memory_out.bias))
        inner = self.linear(self.norm(hidden, layer.feedforward_norm), layer.expand.weight, layer.expand.bias)
        inner = self.node("Gelu", inner)
        return self.node("Add", hidden, self.linear(inner, layer.contract.weight, layer.contract.bias))

    def caches(self, number: int) -> tuple[list[str], list[str]]:
        """The names of a layer's past before and after the step."""
        width = self.width // self.heads
        for letter in "kv":
            self.port("in", f"memory_{letter}{number}", TensorProto.FLOAT, [1, self.heads, "S", width])
            self.port("in", f"past_{letter}{number}", TensorProto.FLOAT, [1, self.heads, self.room, width])
            self.port("out", f"now_{letter}{number}", TensorProto.FLOAT, [1, self.heads, self.room, width])
        return [f"past_{letter}{number}" for letter in "kv"], [f"now_{letter}{number}" for letter in "kv"]

    def norm(self, hidden: str, norm: nn.LayerNorm) -> str:
        number = len(self.constants)
        weight = self.constant(f"weight {number}", _array(norm.weight))
        bias = self.constant(f"bias {number}", _array(norm.bias))
        return self.node("LayerNormalization", hidden, weight, bias, axis=-1, epsilon=norm.eps)

    def linear(self, hidden: str, weight: Tensor, bias: Tensor) -> str:
        """A product with a weight (N, K), as codes 1 to 255 for -127 to 127 times the scale of their block."""
        rows, columns = weight.shape
        blocks = _array(weight).reshape(rows, columns // BLOCK, BLOCK)
        scales = np.maximum(np.abs(blocks).max(2), 1e-12) / 127
        codes = (np.rint(blocks / scales[:, :, None]) + 128).astype(np.uint8)
        number = len(self.constants)
        parts = {"codes": codes, "scales": scales.reshape(-1), "bias": _array(bias)}
        names = {name: self.constant(f"{name} {number}", part) for name, part in parts.items()}
        return self.node(
            "MatMulNBits", hidden, names["codes"], names["scales"], "", "", names["bias"],
            domain=CONTRIB, N=rows, K=columns, bits=8, block_size=BLOCK, accuracy_level=INT8_ACTIVATIONS,
        )  # fmt: skip

    def node(self, kind: str, *inputs: str, outputs: list[str] | None = None, domain: str = "", **settings: Any) -> str:
        outputs = outputs or [f"{kind} {len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, domain=domain, **settings))
        return outputs[0]

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def port(self, way: str, name: str, kind: int, shape: list[int | str]) -> None:
        self.ports[way].append(helper.make_tensor_value_info(name, kind, shape))


def _array(tensor: Tensor) -> Array:
    values: Array = tensor.detach().float().cpu().numpy()
    return values
