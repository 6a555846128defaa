"""A small model of every kind, for tests that hold for all."""

import torch

from im2latex.models import (
    CnnGruConfig,
    CnnLstmConfig,
    I2LNoPoolConfig,
    I2LStripsConfig,
    ModelConfig,
    ResNetTransformerConfig,
)
from im2latex.tokenizer import BOS, EOS, PAD

VOCAB = ["<pad>", "<bos>", "<eos>", "<unk>", *"abcdefgh"]
I2L = {"widths": (8, 8, 16, 16, 16), "embedding": 16, "units": 48, "attention": (16, 8), "initial": 8, "deep": 48}
SMALL: dict[str, ModelConfig] = {
    config.name: config
    for config in (
        ResNetTransformerConfig((1, 1, 1), d_model=32, decoder_layers=1, feedforward=64, dropout=0.0, max_tokens=9),
        CnnLstmConfig(widths=(4, 4, 8, 8, 16, 16), row_units=16, embedding=8, units=32, attention=16, max_tokens=9),
        CnnGruConfig(widths=(8, 16, 16), embedding=32, units=32, max_tokens=9),
        I2LStripsConfig(**I2L, pools=2, attention_penalty=0.001, max_tokens=9),
        I2LNoPoolConfig(**I2L, pools=3, max_tokens=9),
    )
}


def make_batch(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Six pictures of noise and six formulas of 1 to 6 tokens, padded; the same at every call."""
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(6, 1, height, width, generator=generator)
    token_ids = torch.full((6, 8), PAD)
    token_ids[:, 0] = BOS
    for row, length in enumerate([2, 3, 4, 5, 6, 1]):
        token_ids[row, 1 : length + 1] = torch.randint(4, len(VOCAB), (length,), generator=generator)
        token_ids[row, length + 1] = EOS
    return images, token_ids
