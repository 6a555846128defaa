"""Augmentation of single symbols: turned, slanted, stretched, bent, by another pen, and fitted in the square again."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from im2latex.ink import INK_LEVEL
from im2latex.symbol_image import REACH, SIDE


@dataclass(frozen=True)
class SymbolAugmentConfig:
    """Standard deviations of each change, lengths in px of the square; all 0: symbols pass as they are."""

    turn_degrees: float = 6.0
    shear: float = 0.12
    stretch: float = 0.12
    """Of the logarithm of height over width."""
    bend: float = 1.2
    """Of the displacement of the points of a 4 x 4 grid."""
    shift: float = 1.0
    scale: float = 0.04
    """Of the logarithm of the size after fitting."""
    thickness: float = 0.5
    """Of the share by which strokes get a pixel wider or narrower on each side."""


def augment_symbols(images: Tensor, config: SymbolAugmentConfig, random: torch.Generator) -> Tensor:
    """Changed copies of images (B, 1, SIDE, SIDE), ink 1 on paper 0; the same generator state gives the same copies."""
    change = _draw_matrices(len(images), config, random)  # (B, 2, 2)
    centre, reach = _find_ink(images, change)
    scale = REACH / reach * torch.exp(config.scale * _normal(random, len(images)))  # (B,)
    forward = change * scale[:, None, None]
    shift = config.shift * _normal(random, len(images), 2) - scale[:, None] * centre  # (B, 2) px
    backward = torch.linalg.inv(forward)
    offset = -(backward @ shift.unsqueeze(2)) / (SIDE / 2)  # (B, 2, 1), in units of half a side
    grid = F.affine_grid(torch.cat([backward, offset], dim=2), list(images.shape), align_corners=False)
    if config.bend:
        bends = config.bend / (SIDE / 2) * _normal(random, len(images), 2, 4, 4)
        spread = _spread_points(4)  # (SIDE, 4)
        grid = grid + (spread @ bends @ spread.mT).permute(0, 2, 3, 1)
    return _change_strokes(F.grid_sample(images, grid, align_corners=False), config.thickness, random)


def _normal(random: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=random).clamp(-2.5, 2.5)


def _spread_points(count: int) -> Tensor:
    """What so many points along a side weigh in each pixel, bicubically: (SIDE, count)."""
    points = torch.eye(count).view(1, count, count, 1)
    return F.interpolate(points, (SIDE, 1), mode="bicubic", align_corners=True)[0, :, :, 0].T


def _draw_matrices(count: int, config: SymbolAugmentConfig, random: torch.Generator) -> Tensor:
    """Turn times shear times stretch: (count, 2, 2), on (x, y)."""
    turn = torch.deg2rad(config.turn_degrees * _normal(random, count))
    stretch = torch.exp(config.stretch / 2 * _normal(random, count))
    shear = config.shear * _normal(random, count)
    rotation = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], dim=1).view(-1, 2, 2)
    slant = torch.stack([1 / stretch, shear, torch.zeros(count), stretch], dim=1).view(-1, 2, 2)
    return rotation @ slant


def _find_ink(images: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Centre (B, 2) and longer side (B,) of the ink after the change, in px from the middle of the square."""
    middle = torch.arange(SIDE) - (SIDE - 1) / 2
    places = torch.stack([middle.repeat(SIDE), middle.repeat_interleave(SIDE)])  # (2, SIDE * SIDE), x and y
    moved = change @ places  # (B, 2, SIDE * SIDE)
    paper = (images.flatten(1) < INK_LEVEL / 255).unsqueeze(1)  # (B, 1, SIDE * SIDE)
    lowest = moved.masked_fill(paper, SIDE).amin(2)
    highest = moved.masked_fill(paper, -SIDE).amax(2)
    return (lowest + highest) / 2, (highest - lowest).amax(1) + 1


def _change_strokes(images: Tensor, thickness: float, random: torch.Generator) -> Tensor:
    """Each picture blended with itself a pixel wider, or narrower, on each side."""
    share = thickness * _normal(random, len(images)).view(-1, 1, 1, 1)
    side = torch.where(share > 0, 1.0, -1.0)  # what is finer is paper that grew bolder
    wanted = side * F.max_pool2d(side * images, 3, stride=1, padding=1)
    return images.lerp(wanted, share.abs().clamp(max=0.7 if thickness else 0.0))
