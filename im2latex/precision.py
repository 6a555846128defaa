"""Which arithmetic this machine is fast in."""

import torch


def fast_precision() -> str:
    """`bf16-mixed` on a GPU or CPU that multiplies it, else `32-true`.

    On other CPUs bf16 products may take 100 times as long as float32 ones.
    """
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else multiplies_bf16()
    return "bf16-mixed" if fast else "32-true"


def multiplies_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 by AMX or by AVX-512 (Intel's since Cooper Lake, AMD's since Zen 4)."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
