"""Which formula model: the kinds there are, by the names that flags, checkpoints and bundles call them by."""

from collections.abc import Mapping
from dataclasses import asdict, fields
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


def find_kind(name: str) -> type[ModelConfig]:
    """The kind of model of this name; ConfigError when this version knows none."""
    if name not in KINDS:
        raise ConfigError(f"there is no model {name!r}, wanted one of {', '.join(KINDS)}")
    return KINDS[name]


def check_sizes(config: ModelConfig) -> None:
    """Raise ConfigError unless whole numbers are at least 1, and shares and weights at least 0; None may stay."""
    for field in fields(config):
        value, least = getattr(config, field.name), 0 if field.type is float else 1
        numbers = value if isinstance(value, tuple | list) else [value]
        if any(number is not None and number < least for number in numbers):
            raise ConfigError(f"{field.name} of {config.name} must be at least {least}, got {value}")


def read_model(kept: Mapping[str, Any]) -> ModelConfig:
    """The configuration that `describe_model` kept; the first checkpoints tell no name, and are the Transformer's.

    Raises ConfigError when this version knows no such kind, or not its settings.
    """
    settings = dict(kept)
    kind = find_kind(settings.pop("name", ResNetTransformerConfig.name))
    try:
        return kind(**settings)
    except TypeError as error:
        raise ConfigError(f"the settings of this {kind.name} are not those that this version knows: {error}") from error
