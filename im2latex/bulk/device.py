"""A model on a GPU, for a predictor that knows nothing of GPUs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from im2latex.predictor import Predictor


class OnDevice(nn.Module):
    """A decoder elsewhere: pictures come from main memory, and what was read goes back there."""

    def __init__(self, decoder: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.decoder: Any = decoder.to(device)
        self.device = device
        if hasattr(decoder, "read_all"):  # bundles of older versions cannot read several sizes together
            self.read_all = self._read_all

    def forward(self, images: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        """As the decoder."""
        token_ids, log_probs = self.decoder(images.to(self.device), beam)
        return token_ids.cpu(), log_probs.cpu()

    def search(self, images: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        """As the decoder."""
        token_ids, log_probs = self.decoder.search(images.to(self.device), beam)
        return token_ids.cpu(), log_probs.cpu()

    def _read_all(self, images: Sequence[Tensor], beam: int) -> tuple[Tensor, Tensor]:
        token_ids, log_probs = self.decoder.read_all([size.to(self.device) for size in images], beam)
        return token_ids.cpu(), log_probs.cpu()


def move(predictor: Predictor, device: torch.device) -> Predictor:
    """The same predictor, its model on another device, where nothing is guessed: a draft runs on the processor."""
    return type(predictor)(replace(predictor.bundle, decoder=OnDevice(predictor.bundle.decoder, device), draft=b""))
