"""Optimizers and the learning-rate schedule: AdamW, and Muon for the matrices with AdamW for the rest."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from im2latex.errors import ConfigError

NEWTON_SCHULZ = (
    3.4445,
    -4.7750,
    2.0315,
)  # quintic that drives every singular value near 1 (Jordan et al. 2024, Muon)


@dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are learned; `total_steps` 0 takes the number of steps from the trainer."""

    name: Literal["adamw", "muon"] = "muon"
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    weight_decay: float = 0.05
    warmup_steps: int = 300
    total_steps: int = 0
    label_smoothing: float = 0.1
    ema_decay: float = 0.999


def build_optimizer(model: nn.Module, config: OptimizerConfig, bf16: bool = False) -> torch.optim.Optimizer:
    """An optimizer over all parameters; biases, norms and embeddings are neither decayed nor orthogonalised.

    `bf16`: Muon orthogonalises in bfloat16, where the machine multiplies it faster.
    AdamW is not fused: Lightning clips no gradients of a fused optimizer in bf16.
    """
    matrices = [
        p for n, p in model.named_parameters() if p.requires_grad and p.ndim >= 2 and "embedding" not in n
    ]
    ids = {id(parameter) for parameter in matrices}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in ids]
    if config.name == "muon":
        return Muon(matrices, others, config.learning_rate, config.weight_decay, bf16)
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))


def capped_warmup(config: OptimizerConfig, total_steps: int) -> int:
    """Steps of the warm-up: a tenth of a short run."""
    return min(config.warmup_steps, total_steps // 10)


def warmup_cosine(config: OptimizerConfig, total_steps: int) -> Callable[[int], float]:
    """Factor on the learning rate: a straight rise over the warm-up, then half a cosine down to the final rate."""
    if total_steps < 1:
        raise ConfigError(
            f"the schedule needs a number of steps above 0, got {total_steps}: set --optimizer.total_steps"
        )
    floor = config.final_learning_rate / config.learning_rate
    warmup = capped_warmup(config, total_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024): momentum, orthogonalised, for matrices and convolutions; AdamW for everything else.

    An update is scaled to the root mean square of an AdamW update (Liu et al. 2025, arXiv 2502.16982), so both parts
    share one learning rate. Matrices of one shape are orthogonalised together.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        others: Iterable[Tensor],
        learning_rate: float,
        weight_decay: float,
        bf16: bool = False,
    ) -> None:
        self.orthogonalize = orthogonalize_bf16 if bf16 else orthogonalize
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "orthogonal": True, "weight_decay": weight_decay},
            {"params": list(others), "orthogonal": False, "weight_decay": 0.0},
        ]
        super().__init__(groups, {"lr": learning_rate, "momentum": 0.95, "betas": (0.9, 0.98), "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["orthogonal"]:
                self._step_orthogonal(parameters, group)
            else:
                self._step_adamw(parameters, group)
        return loss

    def _step_orthogonal(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        by_shape: dict[tuple[int, int], list[Tensor]] = {}
        for parameter in parameters:
            by_shape.setdefault((parameter.shape[0], parameter[0].numel()), []).append(parameter)
        for (rows, columns), members in by_shape.items():
            gradients = [self._momentum(p, _gradient(p), group["momentum"]) for p in members]
            updates = torch.stack([gradient.reshape(rows, columns) for gradient in gradients])
            updates = self.orthogonalize(updates)  # (N, rows, columns)
            size = group["lr"] * 0.2 * math.sqrt(max(rows, columns))
            for parameter, update in zip(members, updates, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(update.view(parameter.shape), alpha=size)

    def _momentum(self, parameter: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        """Nesterov momentum: the gradient to come, as far as the past tells."""
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
        average: Tensor = state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum).contiguous()

    def _step_adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        first_decay, second_decay = group["betas"]
        for parameter in parameters:
            gradient, state = _gradient(parameter), self.state[parameter]
            if not state:
                state.update(steps=0, first=torch.zeros_like(parameter), second=torch.zeros_like(parameter))
            state["steps"] += 1
            state["first"].lerp_(gradient, 1 - first_decay)
            state["second"].lerp_(gradient.square(), 1 - second_decay)
            first = state["first"] / (1 - first_decay ** state["steps"])
            second = state["second"] / (1 - second_decay ** state["steps"])
            parameter.sub_(first / (second.sqrt() + group["eps"]), alpha=group["lr"])


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "step() leaves out parameters without one"
    return parameter.grad


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """The nearest (semi-)orthogonal matrices, roughly, of (N, rows, columns), by Newton-Schulz iteration.

    Every iterate is Q X with Q a polynomial in the Gram matrix X X^T, so only the small square Q is iterated.
    """
    a, b, c = NEWTON_SCHULZ
    tall, wide = _normalised(matrices)  # (N, short, long)
    gram = wide @ wide.mT  # (N, short, short)
    identity = torch.eye(wide.shape[1], dtype=wide.dtype, device=wide.device)
    total = identity.expand_as(gram)
    for _ in range(steps):
        factor = a * identity + b * gram + c * (gram @ gram)
        total = factor @ total
        gram = factor @ gram @ factor
    result: Tensor = total @ wide
    return result.mT if tall else result


def orthogonalize_bf16(matrices: Tensor, steps: int = 5) -> Tensor:
    """As `orthogonalize`, but X itself is iterated, as Jordan et al. do, in bfloat16; the result is float32.

    It rounds too coarsely for a Gram matrix carried along: small singular values would grow past 100.
    """
    a, b, c = NEWTON_SCHULZ
    tall, wide = _normalised(matrices)
    iterate = wide.bfloat16()
    for _ in range(steps):
        gram = iterate @ iterate.mT  # (N, short, short)
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        iterate = torch.baddbmm(iterate, factor, iterate, beta=a)
    result = iterate.float()
    return result.mT if tall else result


def _normalised(matrices: Tensor) -> tuple[bool, Tensor]:
    """Whether they have more rows than columns, and the matrices, then transposed, with a Frobenius norm of 1."""
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    return tall, wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
