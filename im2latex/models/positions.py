"""Sinusoidal positions: where a feature lies on the page, and where a token stands in the formula."""

import math

import torch
from torch import Tensor


def positions_1d(length: int, channels: int, device: torch.device, first: int = 0) -> Tensor:
    """Sines and cosines of falling frequency (length - first, channels), `channels` even (Vaswani et al. 2017)."""
    half = channels // 2
    rates = torch.exp(torch.arange(half, device=device) * (-math.log(10000.0) / half))  # (channels / 2,)
    angles = torch.arange(first, length, device=device).unsqueeze(1) * rates  # (length - first, channels / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def positions_2d(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Positions of a grid (height, width, channels), `channels` divisible by 4: half for rows, half for columns."""
    half = channels // 2
    rows = positions_1d(height, half, device).unsqueeze(1).expand(height, width, half)
    columns = positions_1d(width, half, device).unsqueeze(0).expand(height, width, half)
    return torch.cat([rows, columns], dim=2)
