"""Which arithmetic this machine is fast in."""

import torch


def fast_precision() -> str:
    """`bf16-mixed` on a GPU that has it or a CPU with AMX, else `32-true`.

    Without AMX, bf16 products on a CPU may take 100 times as long as float32 ones.
    """
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else has_amx()
    return "bf16-mixed" if fast else "32-true"


def has_amx() -> bool:
    """Whether the CPU multiplies matrices of bfloat16."""
    return torch.cpu._is_amx_tile_supported()
