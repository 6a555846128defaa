"""ResNet trunk: a picture becomes a grid of features; its parameters carry torchvision's names, so its weights load."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.errors import ConfigError

WIDTHS = (64, 128, 256)
OUTPUT_STRIDE = 8


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut (He et al. 2015, arXiv 1512.03385), named as in torchvision."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        same = stride == 1 and in_channels == channels
        self.downsample = nn.Identity() if same else _projection(in_channels, channels, stride)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) to (B, channels, H / stride, W / stride)."""
        inner = F.relu(self.bn1(self.conv1(features)), inplace=True)
        shortcut: Tensor = self.downsample(features)
        return F.relu(self.bn2(self.conv2(inner)) + shortcut, inplace=True)


def _projection(in_channels: int, channels: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))


class ResNetTrunk(nn.Module):
    """The first three stages of a ResNet on one grey channel; the last at stride 1, so that a cell is 8 x 8 pixels."""

    def __init__(self, blocks: tuple[int, ...]) -> None:
        """`blocks`: residual blocks in layer1, layer2, layer3; (2, 2, 2) is ResNet-18, (3, 4, 6) ResNet-34."""
        super().__init__()
        if len(blocks) != len(WIDTHS) or min(blocks) < 1:
            raise ConfigError(f"a trunk has {len(WIDTHS)} stages of at least one block each, got {blocks}")
        self.out_channels = WIDTHS[-1]
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], blocks[0], stride=1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], blocks[1], stride=2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], blocks[2], stride=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W), ink 1 on paper 0, to features (B, 256, H / 8, W / 8), rounded up.

        The arithmetic is that of the weights, which may be another than that of the images.
        """
        images = images.to(self.conv1.weight.dtype)
        features = F.relu(self.bn1(self.conv1(images)), inplace=True)  # (B, 64, H / 2, W / 2)
        features = F.max_pool2d(features, kernel_size=3, stride=2, padding=1)  # (B, 64, H / 4, W / 4)
        features = self.layer2(self.layer1(features))  # (B, 128, H / 8, W / 8)
        deep: Tensor = self.layer3(features)  # (B, 256, H / 8, W / 8)
        return deep

    def load_torchvision(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of a torchvision ResNet; its three colour filters are summed into one grey filter."""
        own = self.state_dict()
        missing = sorted(name for name in own if name not in weights)
        if missing:
            raise ConfigError(
                f"{len(missing)} tensors of the trunk are not in the given weights, first {missing[0]}"
            )
        taken = {name: weights[name] for name in own}
        taken["conv1.weight"] = weights["conv1.weight"].sum(dim=1, keepdim=True)
        self.load_state_dict(taken)


def _stage(in_channels: int, channels: int, count: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(count - 1)))
