"""Drafts: the next tokens of one formula, guessed fast with weights of 8 bits; the decoder verifies them in one pass.

Speculative decoding (Leviathan et al. 2023, arXiv 2211.17192) with the model itself, rounded, as its own draft: the
weights that are read for every token, a quarter as large, are what a token of one formula takes its time for. While one
core verifies, another guesses on, as if all were right (as in PEARL, Liu et al. 2024, arXiv 2408.11850). What is read,
and how surely, is what the decoder reads without a draft.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,  # noqa: A004
)
from torch import Tensor

from im2latex.cores import one_thread
from im2latex.errors import BundleError
from im2latex.tokenizer import BOS, EOS, PAD

FIRST, CHUNK = 8, 24
"""Tokens that are guessed before they are verified together: first, for those who watch, and otherwise."""

Portion = tuple[list[int], list[float]]
"""Token ids and their log-probabilities."""


class Draft:
    """The graph that `training/draft_graph.py` writes, ready to run; threads may share it."""

    def __init__(self, graph: bytes) -> None:
        """Raises BundleError where the bytes are no such graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a row is too little to share
        options.inter_op_num_threads = 1
        try:
            self.session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
            raise BundleError(f"the draft in the bundle is no graph that runs here: {error}; export it anew") from error
        inputs = {each.name: each.shape for each in self.session.get_inputs()}
        if "past_k0" not in inputs:
            raise BundleError(f"the draft in the bundle takes {sorted(inputs)}, wanted past_k0, too; export it anew")
        self.layers = sum(name.startswith("memory_k") for name in inputs)
        self.cache = tuple(int(size) for size in inputs["past_k0"])

    def read(self, decoder: Any, image: Tensor, first: int = CHUNK) -> Iterator[Portion]:
        """Token ids of a picture (1, 1, H, W) and their log-probabilities, in portions; the last ends with EOS.

        Together they are what `decoder(image)` gives; the first has at most `first` tokens. Where PyTorch may use more
        threads than one, the next are guessed meanwhile.
        """
        reading = decoder.begin(image)
        pencil = Pencil(self, reading[4 : 4 + 2 * self.layers])
        written = torch.tensor([[BOS]])
        guess = pencil.guess(BOS, 0, first)
        with ThreadPoolExecutor(1, "guess") as other:
            while guess:
                ahead = None
                if torch.get_num_threads() > 1:
                    ahead = other.submit(pencil.guess, guess[-1], written.shape[1] - 1 + len(guess), CHUNK)
                with one_thread():
                    found, log_probs, reading = decoder.verify(torch.tensor([guess]), written, reading)
                written = torch.cat([written, found], dim=1)
                token_ids = found[0].tolist()
                yield token_ids, log_probs[0].tolist()
                guessed, guess = guess, ahead.result() if ahead is not None else []
                if ahead is None or token_ids != guessed:
                    guess = pencil.guess(token_ids[-1], written.shape[1] - 1, CHUNK)


def read_by_token(decoder: Any, image: Tensor) -> Iterator[Portion]:
    """As `Draft.read`, without guesses: every token is a portion."""
    reading = decoder.begin(image)
    written = torch.tensor([[BOS]])
    while written.shape[1] <= decoder.max_tokens and int(written[0, -1]) not in (EOS, PAD):
        newest, log_prob, reading = decoder.advance(written, reading)
        written = torch.cat([written, newest.unsqueeze(1)], dim=1)
        yield newest.tolist(), log_prob.tolist()


def join(portions: Iterable[Portion]) -> Portion:
    """Portions as one."""
    token_ids, log_probs = zip(*portions, strict=True)
    return list(chain(*token_ids)), list(chain(*log_probs))


class Pencil:
    """Guesses the tokens of one formula."""

    def __init__(self, draft: Draft, memory: list[Tensor]) -> None:
        """`memory`: keys and values of each layer, (1, heads, S, width), as the model's state holds them."""
        self.room = draft.cache[2]
        self.run, self.binding = draft.session.run_with_iobinding, draft.session.io_binding()
        self.token, self.next = np.zeros((1, 1), np.int32), np.zeros((1, 1), np.int64)
        self.seen, self.total = np.zeros(1, np.int32), np.zeros(1, np.int32)
        self.kept = [*memory, *(torch.empty(draft.cache, dtype=torch.float32) for _ in memory)]
        for name, array in (("token", self.token), ("seen", self.seen), ("total", self.total)):
            self.binding.bind_input(name, "cpu", 0, np.int32, array.shape, array.ctypes.data)
        self.binding.bind_output("next", "cpu", 0, np.int64, self.next.shape, self.next.ctypes.data)
        for place in range(len(memory)):
            layer, letter = place // 2, "kv"[place % 2]
            looked_at, past = self.kept[place], self.kept[len(memory) + place]
            self._bind(self.binding.bind_input, f"memory_{letter}{layer}", looked_at)
            self._bind(self.binding.bind_input, f"past_{letter}{layer}", past)
            self._bind(self.binding.bind_output, f"now_{letter}{layer}", past)  # written in place

    def _bind(self, bind: Any, name: str, tensor: Tensor) -> None:
        bind(name, "cpu", 0, np.float32, tuple(tensor.shape), tensor.data_ptr())

    def remember(self, reading: list[Tensor]) -> None:
        """What the decoder's `reading` holds of the tokens before its newest takes the place of what was guessed."""
        state, memories = reading[4:], len(self.kept) // 2
        time = int(state[memories + 1][0])  # after the memories and their padding
        for place, past in enumerate(self.kept[memories:]):
            past[:, :, :time] = state[memories + 2 + place // 2][:, place % 2, :, :time]

    def guess(self, token_id: int, time: int, count: int) -> list[int]:
        """Up to `count` token ids that follow `token_id`, the one at place `time`; fewer if they come to an end."""
        guessed: list[int] = []
        while len(guessed) < count and token_id not in (EOS, PAD) and time < self.room:
            self.token[0, 0], self.seen[0], self.total[0] = token_id, time, time + 1
            self.run(self.binding)
            token_id = int(self.next[0, 0])
            guessed.append(token_id)
            time += 1
        return guessed
