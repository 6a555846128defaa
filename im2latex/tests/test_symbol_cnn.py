"""The networks of the 2019 notebook, and ours: their shapes, and what ships of them."""

import pytest
import torch
from torch import nn

from im2latex.models.symbol_cnn import SymbolClassifier, build_symbol_net
from im2latex.symbol_image import SIDE


@pytest.mark.parametrize("net", ["best", "notebook", "dense_binary", "cnn_binary"])
def test_every_net_takes_the_pictures_and_answers_for_each_class(net):
    assert build_symbol_net(net, 7).eval()(torch.zeros(3, 1, SIDE, SIDE)).shape == (3, 7)


@pytest.mark.parametrize(("net", "is_blind"), [("notebook", True), ("best", False)])
def test_the_notebooks_nets_see_half_the_square_and_ours_sees_more_of_it(net, is_blind):
    images = torch.zeros(2, 1, SIDE, SIDE)
    images[0, 0, 20, 20:40:2] = images[1, 0, 21, 21:40:2] = 1  # the same where four pixels become one
    torch.manual_seed(0)
    logits = build_symbol_net(net, 7).eval()(images)
    assert torch.allclose(logits[0], logits[1], atol=1e-5) == is_blind


def test_the_notebooks_net_has_its_layers():
    layers = [layer for layer in build_symbol_net("notebook", 101) if not isinstance(layer, nn.ReLU | nn.Flatten)]
    sizes = [getattr(layer, "out_channels", getattr(layer, "out_features", "pool")) for layer in layers]
    assert sizes == ["pool", 32, "pool", 64, "pool", 64, 25, 101]


def test_probabilities_add_up_and_a_temperature_makes_them_doubtful():
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    net = build_symbol_net("notebook", 5).eval()
    sure, doubtful = (SymbolClassifier(net, temperature, torch.zeros(5))(images) for temperature in (0.1, 3.0))
    torch.testing.assert_close(sure.sum(1), torch.ones(2))
    assert (sure.max(1).values > doubtful.max(1).values).all()
    assert torch.equal(sure.argmax(1), doubtful.argmax(1))


def test_a_bias_makes_a_class_likelier():
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    net = build_symbol_net("notebook", 5).eval()
    biases = torch.tensor([0.0, 2.0, 0.0, 0.0, 0.0])
    before, after = (SymbolClassifier(net, 1.0, each)(images) for each in (torch.zeros(5), biases))
    odds_before, odds_after = ((each[:, 1] / each[:, 0]).log() for each in (before, after))
    torch.testing.assert_close(odds_after - odds_before, torch.full((2,), 2.0))
