"""Which arithmetic this machine is fast in."""

import time

import torch
from torch import Tensor, nn

GAIN = 1.3
"""Another arithmetic is worth its rounding if it is faster by this factor at least."""
ROUNDING = 0.05
"""... and if its features differ by no more than this share of their root mean square."""


def fast_precision() -> str:
    """`bf16-mixed` on a GPU that has it or a CPU with AMX, else `32-true`.

    Without AMX, bf16 products on a CPU may take 100 times as long as float32 ones.
    """
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else has_amx()
    return "bf16-mixed" if fast else "32-true"


def has_amx() -> bool:
    """Whether the CPU multiplies matrices of bfloat16."""
    return torch.cpu._is_amx_tile_supported()


def quicken(decoder: nn.Module, dtype: torch.dtype = torch.bfloat16) -> bool:
    """Let the ResNet trunk of a decoder's model multiply in `dtype` if that is measured to be faster here.

    Its weights, which a bundle keeps in bfloat16, lose nothing by it. Returns whether anything was changed: nothing is
    where there is no such trunk, where little is gained, and where it would see something else.
    """
    trunk = getattr(getattr(decoder, "model", None), "trunk", None)
    if trunk is None:
        return False
    wanted, before = measure_trunk(trunk)
    trunk.to(dtype=dtype, memory_format=torch.channels_last)
    found, after = measure_trunk(trunk)
    difference = (found.to(wanted.dtype) - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    if after * GAIN <= before and bool(difference <= ROUNDING):
        return True
    trunk.to(dtype=wanted.dtype, memory_format=torch.contiguous_format)
    return False


def measure_trunk(trunk: nn.Module) -> tuple[Tensor, float]:
    """What a trunk sees in stripes of about the median size, and the least seconds of five attempts, after one."""
    images = torch.linspace(0, 30, 64 * 256).sin().relu().view(1, 1, 64, 256)
    seconds = []
    with torch.inference_mode():
        features: Tensor = trunk(images)
        for _ in range(5):
            started = time.perf_counter()
            trunk(images)
            seconds.append(time.perf_counter() - started)
    return features, min(seconds)
