"""A small model of every kind, for tests that hold for all."""

from im2latex.models import (
    CnnGruConfig,
    CnnLstmConfig,
    I2LNoPoolConfig,
    I2LStripsConfig,
    ModelConfig,
    ResNetTransformerConfig,
)

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
