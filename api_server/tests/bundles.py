"""A bundle small enough to be made in a test: its decoder reads the same formula in every picture."""

from pathlib import Path

import torch
from torch import Tensor, nn

from im2latex.bundle import save_bundle
from im2latex.images import ImageSpec
from im2latex.tokenizer import EOS, Tokenizer

FORMULA = "x _ { 1 }"


class ConstantDecoder(nn.Module):
    """Answers with the same token ids whatever the picture shows."""

    def __init__(self, token_ids: list[int]) -> None:
        super().__init__()
        self.max_tokens = len(token_ids)
        self.token_ids = nn.Parameter(torch.tensor(token_ids, dtype=torch.float32), requires_grad=False)

    def forward(self, images: Tensor, beam: int = 1) -> tuple[Tensor, Tensor]:
        """Images (B, 1, H, W) to token ids (B, T) and log-probabilities (B, T)."""
        token_ids = self.token_ids.to(torch.long).unsqueeze(0).repeat(images.shape[0], 1)
        return token_ids, torch.full(token_ids.shape, -0.1)

    @torch.jit.export
    def begin(self, images: Tensor) -> list[Tensor]:
        """What is known before the first token: all of them."""
        return [self.forward(images, 1)[0]]

    @torch.jit.export
    def advance(self, written: Tensor, reading: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The token after those written, BOS first."""
        newest = reading[0][:, written.shape[1] - 1]
        return newest, torch.full(newest.shape, -0.1), reading

    @torch.jit.export
    def attend(self, images: Tensor, token_ids: Tensor) -> Tensor:
        """A token is read in each column of the picture's top row, from left to right."""
        maps = torch.zeros([token_ids.shape[0], token_ids.shape[1], images.shape[2] // 8, images.shape[3] // 8])
        for place in range(token_ids.shape[1]):
            maps[:, place, 1, place % maps.shape[3]] = 1.0
        return maps

    @torch.jit.export
    def search(self, images: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        """The same hypothesis in every place of the beam, less probable from place to place."""
        token_ids, log_probs = self.forward(images, 1)
        places = torch.arange(1, beam + 1).view(1, beam, 1)
        return token_ids.unsqueeze(1).repeat(1, beam, 1), log_probs.unsqueeze(1) * places


def make_bundle(path: Path) -> Path:
    """Write the bundle; returns its path."""
    tokenizer = Tokenizer.build([FORMULA.split()])
    decoder = ConstantDecoder([*tokenizer.encode(FORMULA.split()), EOS])
    save_bundle(path, decoder, tokenizer, ImageSpec(), {"name": "constant"})
    return path
