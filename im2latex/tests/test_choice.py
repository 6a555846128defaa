"""Promises about the choice of a model: what is kept of it can be read again, also what was kept first."""

import json
from dataclasses import fields

import pytest

from im2latex.errors import ConfigError
from im2latex.models import (
    KINDS,
    CnnGruConfig,
    CnnLstmConfig,
    I2LStripsConfig,
    ResNetTransformerConfig,
    check_sizes,
    describe_model,
    read_model,
)
from im2latex.tests.small_models import SMALL


@pytest.mark.parametrize("name", SMALL)
def test_what_is_kept_of_a_model_is_read_again(name):
    assert read_model(describe_model(SMALL[name])) == SMALL[name]
    assert json.loads(json.dumps(describe_model(SMALL[name])))["name"] == name


def test_a_checkpoint_of_before_there_was_a_choice_is_a_transformer():
    assert read_model({"d_model": 64, "max_tokens": 8}) == ResNetTransformerConfig(d_model=64, max_tokens=8)


@pytest.mark.parametrize("kept", [{"name": "nougat"}, {"name": "cnn_gru", "depth": 3}])
def test_a_model_of_another_version_is_refused_with_its_name(kept):
    with pytest.raises(ConfigError, match=kept["name"]):
        read_model(kept)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CnnGruConfig(units=0), "units of cnn_gru must be at least 1, got 0"),
        (CnnLstmConfig(row_units=-8), "row_units of cnn_lstm must be at least 1, got -8"),
        (CnnGruConfig(widths=(4, 0, 8)), r"widths of cnn_gru must be at least 1, got \(4, 0, 8\)"),
        (I2LStripsConfig(attention_penalty=-1), "attention_penalty of i2l_strips must be at least 0, got -1"),
        (ResNetTransformerConfig(max_tokens=0), "max_tokens of resnet_transformer must be at least 1, got 0"),
    ],
)
def test_a_size_of_nothing_or_less_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        check_sizes(config)


@pytest.mark.parametrize("kind", KINDS.values())
def test_the_sizes_of_every_kind_are_taken(kind):
    check_sizes(kind())


def test_a_model_that_is_named_keeps_its_own_defaults():
    """What two kinds call alike is carried over from the default kind, by jsonargparse: it must mean the same."""
    first = {field.name: field.default for field in fields(ResNetTransformerConfig)}
    for kind in KINDS.values():
        assert all(first.get(field.name, field.default) == field.default for field in fields(kind)), kind


def test_every_kind_is_called_by_its_own_name():
    assert all(kind.name == name for name, kind in KINDS.items())
