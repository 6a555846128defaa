"""Networks that name one symbol: those of the 2019 notebook, and a small residual network of our own."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.symbol_image import SIDE

NetName = Literal["best", "notebook", "dense_binary", "cnn_binary"]
HALF = SIDE // 2
FINER = 48
""""best" sees more of the square than the notebook's: handwriting comes at nearly this size."""


def build_symbol_net(net: NetName, classes: int) -> nn.Module:
    """A network from images (B, 1, SIDE, SIDE) to logits (B, classes)."""
    nets = {"best": _residual, "notebook": _notebook, "dense_binary": _dense, "cnn_binary": _small}
    return nets[net](classes).to(memory_format=torch.channels_last)


def _dense(classes: int) -> nn.Sequential:
    """The notebook's first: one hidden layer over the pixels."""
    return nn.Sequential(
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(HALF * HALF, 128), nn.ReLU(), nn.Linear(128, classes)
    )


def _small(classes: int) -> nn.Sequential:
    """The notebook's second: one convolution."""
    pooled = (HALF - 2) // 2
    return nn.Sequential(
        nn.AvgPool2d(2),
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * pooled**2, classes)),
    )


def _notebook(classes: int) -> nn.Sequential:
    """The notebook's third: convolutions of 32, 64 and 64 channels with pooling, and a dense layer of 25."""
    last = ((HALF - 2) // 2 - 2) // 2 - 2
    return nn.Sequential(
        nn.AvgPool2d(2),
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64 * last**2, 25), nn.ReLU(), nn.Linear(25, classes)),
    )


def _residual(classes: int) -> nn.Sequential:
    """Three residual blocks after a wide stem: 0.7 million weights, 15 million multiplications a symbol."""
    return nn.Sequential(
        Shrink(FINER),
        *(nn.Conv2d(1, 32, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        ResidualBlock(32, 48, stride=2),
        ResidualBlock(48, 96, stride=2),
        ResidualBlock(96, 192, stride=2),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, classes)),
    )


class Shrink(nn.Module):
    """Pictures at a smaller size, without the stairs that leaving out pixels makes."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(images, (self.side, self.side), mode="bilinear", align_corners=False, antialias=True)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, as in ResNet (He et al. 2016), which pools where it is narrower."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()),
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )
        fits = channels_in == channels and stride == 1
        self.shortcut = (
            nn.Identity() if fits else nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(channels_in, channels, 1))
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.body(features) + self.shortcut(features))


class SymbolClassifier(nn.Module):
    """What ships: a network with a temperature and a bias for each class, so that its confidence is honest."""

    def __init__(self, net: nn.Module, temperature: float, biases: Tensor) -> None:
        """`biases` (classes,), nats: how much likelier each class is than the network says."""
        super().__init__()
        self.net = net
        self.temperature = temperature
        self.register_buffer("biases", biases)

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities (B, classes) of images (B, 1, SIDE, SIDE)."""
        return torch.softmax(self.net(images) / self.temperature + self.biases, dim=1)
