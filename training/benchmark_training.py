"""Measure training speed: samples per second on the median picture, and where the time of a step goes.

python training/benchmark_training.py --steps 10 --json_path benchmark.json
"""

import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jsonargparse import auto_cli
from torch import Tensor, nn

from im2latex.images import ImageSpec
from im2latex.lit_model import LitModel
from im2latex.models import ModelConfig, ResNetTransformerConfig
from im2latex.optimizers import OptimizerConfig, build_optimizer
from im2latex.precision import fast_precision
from training.timing import Stopwatch

MEDIAN_HEIGHT, MEDIAN_WIDTH, MEAN_TOKENS = (
    43,
    246,
    58,
)  # px, px, tokens: IM2LATEX-100K in the official look, halved

DEFAULT_MODEL, DEFAULT_OPTIMIZER = ResNetTransformerConfig(), OptimizerConfig()


@dataclass(frozen=True)
class TrainingSpeed:
    """Seconds a step, split by its parts, and what follows from them."""

    samples_per_second: float
    encode: float
    decode: float
    backward: float
    optimizer: float
    matrix_rate: float
    """Multiply-adds of a large matrix product in the same precision, 1e9 a second: the machine's own limit."""
    parameters: int
    batch_size: int
    precision: str
    processor: str
    threads: int


def stopwatch(device: torch.device) -> Stopwatch:
    """On a GPU it waits for the work to be done."""

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return Stopwatch(now)


def measure_training(
    model: ModelConfig, optimizer: OptimizerConfig, batch_size: int, steps: int
) -> TrainingSpeed:
    """Times `steps` optimizer steps (after two to warm up) on random pictures of the median size."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = fast_precision()
    vocab = ["<pad>", "<bos>", "<eos>", "<unk>", *(f"token-{index}" for index in range(500))]
    module = LitModel(model, optimizer, vocab, ImageSpec()).to(device)
    images = torch.rand(
        batch_size, 1, -(-MEDIAN_HEIGHT // 16) * 16, -(-MEDIAN_WIDTH // 16) * 16, device=device
    )
    token_ids = torch.randint(4, len(vocab), (batch_size, MEAN_TOKENS + 2), device=device)
    learner = build_optimizer(module.model, optimizer, bf16=precision == "bf16-mixed")
    watch = stopwatch(device)
    for step in range(steps + 2):
        if step == 2:
            watch.seconds.clear()
        _step(module, learner, images, token_ids, watch, precision == "bf16-mixed")
    parts = {name: seconds / steps for name, seconds in watch.seconds.items()}
    return TrainingSpeed(
        samples_per_second=batch_size / sum(parts.values()),
        **parts,
        matrix_rate=matrix_rate(device, precision == "bf16-mixed"),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        batch_size=batch_size,
        precision=precision,
        processor=torch.cuda.get_device_name()
        if device.type == "cuda"
        else platform.processor() or platform.machine(),
        threads=torch.get_num_threads(),
    )


def _step(
    module: LitModel,
    learner: torch.optim.Optimizer,
    images: Tensor,
    token_ids: Tensor,
    watch: Stopwatch,
    bf16: bool,
) -> None:
    watch.start()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        memory = module.model.encode(images)
        watch.note("encode")
        logits = module.model.decode(token_ids[:, :-1], memory)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), token_ids[:, 1:].flatten())
    watch.note("decode")
    loss.backward()  # type: ignore[no-untyped-call]
    watch.note("backward")
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    learner.step()
    learner.zero_grad()
    watch.note("optimizer")


def matrix_rate(device: torch.device, bf16: bool, size: int = 1024) -> float:
    """Multiply-adds of a square matrix product, 1e9 a second."""
    left = torch.rand(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    watch = stopwatch(device)
    for attempt in range(11):
        if attempt == 1:
            watch.start()
        left @ left
    watch.note("product")
    return 10 * size**3 / watch.seconds["product"] / 1e9


def draw_table(speed: TrainingSpeed) -> str:
    """The measurement as lines of text, parts with a bar for their share."""
    parts = {name: getattr(speed, name) for name in ("encode", "decode", "backward", "optimizer")}
    total = sum(parts.values())
    lines = [
        f"{speed.samples_per_second:.1f} samples/s: {speed.parameters / 1e6:.1f} M parameters,"
        f" batch {speed.batch_size}, {speed.precision}, {speed.processor}, {speed.threads} threads",
        *(f"  {name:<10}{1000 * s:8.0f} ms  {'#' * round(40 * s / total)}" for name, s in parts.items()),
        f"  a large matrix product runs at {speed.matrix_rate:.0f} G multiply-adds/s",
    ]
    return "\n".join(lines)


def benchmark_training(
    model: ModelConfig = DEFAULT_MODEL,
    optimizer: OptimizerConfig = DEFAULT_OPTIMIZER,
    batch_size: int = 64,
    steps: int = 10,
    json_path: str | None = None,
) -> None:
    """Prints the table; with --json_path FILE, also writes the figures there."""
    speed = measure_training(model, optimizer, batch_size, steps)
    print(draw_table(speed))
    if json_path:
        Path(json_path).write_text(
            json.dumps({"command": " ".join(sys.argv), **asdict(speed)}, indent=1) + "\n"
        )


if __name__ == "__main__":
    run: Callable[..., None] = auto_cli
    run(benchmark_training, as_positional=False)
