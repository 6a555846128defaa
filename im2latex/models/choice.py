"""Which formula model: the kinds there are, by the names that flags, checkpoints and bundles call them by."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from im2latex.errors import ConfigError
from im2latex.models.cnn_gru import CnnGruConfig
from im2latex.models.cnn_lstm import CnnLstmConfig
from im2latex.models.i2l import I2LNoPoolConfig, I2LStripsConfig
from im2latex.models.protocol import ModelConfig
from im2latex.models.resnet_transformer import ResNetTransformerConfig

KINDS: dict[str, type[ModelConfig]] = {
    kind.name: kind
    for kind in (ResNetTransformerConfig, CnnLstmConfig, CnnGruConfig, I2LStripsConfig, I2LNoPoolConfig)
}


def describe_model(config: ModelConfig) -> dict[str, Any]:
    """A configuration as plain values, with the name of its kind: what checkpoints and bundles keep."""
    return {"name": config.name, **asdict(config)}


def read_model(kept: Mapping[str, Any]) -> ModelConfig:
    """The configuration that `describe_model` kept; the first checkpoints tell no name, and are the Transformer's.

    Raises ConfigError when this version knows no such kind, or not its settings.
    """
    settings = dict(kept)
    name = settings.pop("name", ResNetTransformerConfig.name)
    if name not in KINDS:
        raise ConfigError(f"there is no model {name!r}, wanted one of {', '.join(KINDS)}")
    try:
        return KINDS[name](**settings)
    except TypeError as error:
        raise ConfigError(f"the settings of this {name} are not those that this version knows: {error}") from error
