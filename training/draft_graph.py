"""The ONNX graph that guesses tokens: one step of the Transformer decoder for one formula, with weights of 8 bits.

`im2latex/decoding/draft.py` runs it. Each 32 weights of a row share a scale (ONNX Runtime's MatMulNBits, which rounds
what they are multiplied with in the same way); norms, attention and positions are in float32. Inputs: `token`,
`seen` (1,), the number of tokens before it, `total` (1,) = seen + 1; of each layer `memory_k`, `memory_v`
(1, memory_heads, S, width) and `past_k`, `past_v` (1, heads, room, width), which it writes in place. Output: `next`,
the most probable token. `token` and `next` are (1, 1).
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
        self.heads, self.memory_heads = model.heads, model.memory_heads
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.ports: dict[str, list[onnx.ValueInfoProto]] = {"in": [], "out": []}

    def finish(self) -> bytes:
        for name in ("token", "seen", "total"):
            self.port("in", name, TensorProto.INT32, [1, 1] if name == "token" else [1])
        self.port("out", "next", TensorProto.INT64, [1, 1])
        embedding = self.model.embedding.weight * math.sqrt(self.width)
        positions = positions_1d(self.room, self.width, torch.device("cpu"))
        found = self.node("Gather", self.constant("embedding", _array(embedding)), "token")  # (1, 1, D)
        placed = self.node("Gather", self.constant("positions", _array(positions)), "seen")
        hidden = self.node("Add", found, placed)
        layers: list[Any] = list(self.model.layers)
        norms = [*(layer.self_norm for layer in layers[1:]), self.model.final_norm]
        normed = self.node("LayerNormalization", hidden, *self.weights(layers[0].self_norm), axis=-1, epsilon=1e-5)
        for number, (layer, norm_after) in enumerate(zip(layers, norms, strict=True)):
            hidden, normed = self.layer(hidden, normed, layer, norm_after, number)
        logits = self.linear(normed, self.model.embedding.weight, self.model.output_bias)
        self.node("ArgMax", logits, outputs=["next"], axis=2, keepdims=0)
        constants = list(self.constants.values())
        graph = helper.make_graph(self.nodes, "draft", self.ports["in"], self.ports["out"], constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())

    def layer(self, hidden: str, normed: str, layer: Any, norm_after: nn.LayerNorm, number: int) -> tuple[str, str]:
        """What `DecoderLayer.step` does with a token before and after its first norm; the same for the next layer."""
        qkv = self.linear(normed, layer.self_qkv.weight, layer.self_qkv.bias)
        past, now = self.caches(number)
        attended = self.node(
            "GroupQueryAttention", qkv, "", "", *past, "seen", "total",
            outputs=[f"self {number}", *now], domain=CONTRIB, num_heads=self.heads, kv_num_heads=self.heads,
        )  # fmt: skip
        found = self.linear(attended, layer.self_out.weight, layer.self_out.bias)
        hidden, normed = self.add_and_norm(hidden, found, layer.memory_norm)
        scale = (self.width // self.heads) ** -0.5  # of the scores; ONNX Runtime multiplies sooner without one
        asking = self.linear(normed, layer.memory_q.weight * scale, layer.memory_q.bias * scale)
        found = self.linear(self.look(asking, number), layer.memory_out.weight, layer.memory_out.bias)
        hidden, normed = self.add_and_norm(hidden, found, layer.feedforward_norm)
        inner = self.node("Gelu", self.linear(normed, layer.expand.weight, layer.expand.bias))
        return self.add_and_norm(hidden, self.linear(inner, layer.contract.weight, layer.contract.bias), norm_after)

    def look(self, asking: str, number: int) -> str:
        """Attention of a token's scaled queries (1, 1, D) to the memory (1, memory_heads, S, width): (1, 1, D)."""
        queries = self.reshaped(asking, (1, self.memory_heads, -1, self.width // self.heads))
        scores = self.node("FusedMatMul", queries, f"memory_k{number}", domain=CONTRIB, transB=1)
        looked = self.node("MatMul", self.node("Softmax", scores, axis=-1), f"memory_v{number}")
        return self.reshaped(looked, (1, 1, self.width))

    def reshaped(self, found: str, shape: tuple[int, ...]) -> str:
        return self.node("Reshape", found, self.constant(f"shape {shape}", np.array(shape, dtype=np.int64)))

    def caches(self, number: int) -> tuple[list[str], list[str]]:
        """The names of a layer's past before and after the step."""
        width = self.width // self.heads
        for letter in "kv":
            self.port("in", f"memory_{letter}{number}", TensorProto.FLOAT, [1, self.memory_heads, "S", width])
            self.port("in", f"past_{letter}{number}", TensorProto.FLOAT, [1, self.heads, self.room, width])
            self.port("out", f"now_{letter}{number}", TensorProto.FLOAT, [1, self.heads, self.room, width])
        return [f"past_{letter}{number}" for letter in "kv"], [f"now_{letter}{number}" for letter in "kv"]

    def add_and_norm(self, hidden: str, found: str, norm: nn.LayerNorm) -> tuple[str, str]:
        """The sum of the two, and that normalised."""
        number = len(self.nodes)
        outputs = [f"normed {number}", "", "", f"sum {number}"]
        normed = self.node(
            "SkipLayerNormalization", hidden, found, *self.weights(norm),
            outputs=outputs, domain=CONTRIB, epsilon=norm.eps,
        )  # fmt: skip
        return outputs[3], normed

    def weights(self, norm: nn.LayerNorm) -> list[str]:
        number = len(self.constants)
        kinds = {"weight": norm.weight, "bias": norm.bias}
        return [self.constant(f"{kind} {number}", _array(value)) for kind, value in kinds.items()]

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
