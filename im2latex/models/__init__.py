"""Formula models: all speak encode, decode, start and step, so that one decoder and one trainer serve them."""

from im2latex.models.resnet_transformer import ResNetTransformer, ResNetTransformerConfig

ModelConfig = ResNetTransformerConfig


def build_model(config: ModelConfig, vocab_size: int) -> ResNetTransformer:
    """The model that a configuration describes, with fresh weights."""
    return ResNetTransformer(config, vocab_size)


__all__ = ["ModelConfig", "ResNetTransformer", "ResNetTransformerConfig", "build_model"]
