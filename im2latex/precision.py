"""Which arithmetic this machine is fast in."""

import time

import torch

SIDE, TRIES = 512, 10
"""Rows and columns of the matrices multiplied to find out, some 2 ms each, and how often."""


def fast_precision() -> str:
    """`bf16-mixed` on a GPU that has bfloat16, or a CPU that multiplies it sooner than float32; else `32-true`."""
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else multiplies_bf16() and gains_by_bf16()
    return "bf16-mixed" if fast else "32-true"


def multiplies_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 by AMX or by AVX-512 (Intel's since Cooper Lake, AMD's since Zen 4).

    On other CPUs bf16 products may take 100 times as long as float32 ones.
    """
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def gains_by_bf16() -> bool:
    """Whether a matrix product takes less of the CPU's time in bfloat16 than in float32, as measured.

    By AVX-512 it takes about half of it on AMD's CPUs, and longer on Intel's (docs/experiments.md).
    """
    return _seconds(torch.bfloat16) < _seconds(torch.float32)


def _seconds(kind: torch.dtype) -> float:
    """Of the CPU, for the cheapest of a few products of square matrices: what else the machine does counts little."""
    left, right = (torch.ones(SIDE, SIDE, dtype=kind) for _ in range(2))
    found = []
    for _ in range(TRIES):
        start = time.process_time()
        left @ right
        found.append(time.process_time() - start)
    return min(found)
