"""How fast the model reads: alone and in batches, part by part, beside the naive loop and the machine's limit.

python training/benchmark.py --data.data data/val_look --data.limit 200 --json_path reading.json --chart reading.png

Every way of reading is measured in a process of its own. `training/benchmark_training.py` measures training.
"""

import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from im2latex.bundle import Bundle, load_bundle
from im2latex.data.im2latex100k import SMALL
from im2latex.errors import ConfigError
from im2latex.models import ResNetTransformer, read_model
from im2latex.precision import multiplies_bf16
from im2latex.shipped import find_model
from training.benchmark_arm import Arm, Measured, Work
from training.benchmark_limit import count_encoding, count_sizes, least_seconds, measure_machine
from training.benchmark_report import Limit, Report, draw_chart, draw_table
from training.benchmark_start import measure_start
from training.command import run_command
from training.labelled import LabelledSet
from training.provenance import ROOT, current_command, current_commit

SMALL_SET = LabelledSet(data=str(Path(SMALL) / "val"))
ARMS = (
    Arm(threads=1),
    Arm(threads=2),
    Arm(threads=1, guesses=False),
    Arm(threads=2, beam=5),
    Arm("eager", threads=2),
    Arm("eager", precision="int8", threads=1),
    Arm("eager", precision="int8", threads=2),
    Arm(precision="mixed", threads=2),
    Arm(precision="bf16", threads=2),
    Arm("naive", threads=2),
)


@dataclass(frozen=True)
class BenchmarkConfig(Work):
    """What to read, and where to write the figures."""

    data: LabelledSet = field(default_factory=lambda: SMALL_SET)
    """None named: the validation pictures of the small data set."""
    only: list[str] = field(default_factory=list)
    """Only ways of reading whose title holds one of these, e.g. '["torchscript fp32"]'."""
    starts: int = 3
    """How often a cold start is tried; the median is told."""
    json_path: str | None = None
    """Where to write all figures."""
    chart: str | None = None
    """Where to draw them, .png or .svg."""


def benchmark(config: BenchmarkConfig) -> Report:
    """Measure what was asked for; raises ConfigError when that is nothing."""
    arms = [arm for arm in ARMS if not config.only or any(word in arm.title for word in config.only)]
    if not arms:
        raise ConfigError(f"--only {config.only}: none of {', '.join(arm.title for arm in ARMS)}")
    skipped = {arm.title: reason for arm in arms if (reason := why_skipped(arm))}
    pictures = config.data.open()
    start = measure_start(pictures.read(0), config.bundle, config.starts) if config.starts else None
    measured = []
    for arm in arms:
        if arm.title in skipped:
            continue
        try:
            measured.append(run_arm(arm, config))
        except ConfigError as error:  # the others are not lost
            skipped[arm.title] = str(error)
    bundle = load_bundle(find_model(config.bundle))
    return Report(
        set=config.data.title,
        pictures=len(pictures.names),
        model=str(bundle.facts.get("name", "unnamed")),
        processor=processor_name(),
        clock=config.clock,
        command=current_command(),
        commit=current_commit(),
        start=start,
        measured=measured,
        skipped=skipped,
        limits=find_limits(bundle, measured),
    )


def why_skipped(arm: Arm) -> str:
    """Why this processor cannot be measured so; empty when it can."""
    if arm.precision in ("mixed", "bf16") and not multiplies_bf16():
        return "this processor has no fast bfloat16: a product would take minutes"
    if arm.precision == "int8" and not {"x86", "fbgemm", "onednn", "qnnpack"} & set(
        torch.backends.quantized.supported_engines
    ):
        return "this PyTorch has no int8 kernels"
    return ""


def run_arm(arm: Arm, config: BenchmarkConfig) -> Measured:
    """Measure one way of reading in its own process."""
    work = {"data": asdict(config.data), "bundle": config.bundle, "clock": config.clock}
    asked = json.dumps({"arm": asdict(arm), "work": work})
    command = [sys.executable, "-m", "training.benchmark_arm", asked]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        raise ConfigError(f"{arm.title} could not be measured: its process ended with {found.returncode}")
    return Measured.read(found.stdout.splitlines()[-1])


def find_limits(bundle: Bundle, measured: list[Measured]) -> list[Limit]:
    """The machine's limit for each number of threads with which the shipped decoder was measured greedily."""
    limits = []
    for one in measured:
        if one.arm == Arm(threads=one.arm.threads):
            limits += _find_limit(bundle, one)
    return limits


def _find_limit(bundle: Bundle, measured: Measured) -> list[Limit]:
    kept: Any = bundle.facts.get("model")
    with torch.device("meta"):
        model = read_model(kept).build(len(bundle.tokenizer)) if kept else None
    if not isinstance(model, ResNetTransformer):
        return []  # what a step reads is not known of other models
    machine, sizes = measure_machine(measured.arm.threads), count_sizes(model)
    encoding = {size: count_encoding(model, size) for size in set(measured.sizes)}
    counts = [len(tokens.split()) + 1 for tokens in measured.tokens]  # and the end
    cells = [-(-height // 8) * -(-width // 8) for height, width in measured.sizes]

    def least(places: list[int]) -> float:
        return least_seconds(
            machine, sizes,
            [encoding[measured.sizes[place]] for place in places],
            [cells[place] for place in places],
            [counts[place] for place in places],
        )  # fmt: skip

    alone = sum(least([place]) for place in range(len(counts)))
    return [Limit(machine, alone / len(counts), sum(map(least, measured.batches)) / len(counts))]


def processor_name() -> str:
    """As the system calls it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _run(config: BenchmarkConfig) -> str:
    report = benchmark(config)
    if config.json_path:
        Path(config.json_path).write_text(json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n")
    if config.chart:
        draw_chart(report, Path(config.chart))
    return draw_table(report)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if all was measured, 1 with a message if not."""
    return run_command(BenchmarkConfig, _run, arguments, name="benchmark.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
