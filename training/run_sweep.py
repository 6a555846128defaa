"""Run a sweep of training/sweeps/ here, without W&B: draw settings, train with each, and print the best first.

python training/run_sweep.py --sweep training/sweeps/cnn_lstm_random.yml --runs 8 --more '[--data.path=data/packed]'

The same file and flags as for W&B's agent (docs/sweeps.md), but settings are always drawn at random: Bayesian search
is done by W&B's server. A run that has ended is not run again, so the same command goes on where it stopped.
"""

import math
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from im2latex.curves import read_curves
from im2latex.errors import ConfigError
from training.command import run_command, run_script
from training.run_folder import is_finished

ROOT = Path(__file__).parents[1]
PLACES = ("${env}", "${interpreter}", "${program}", "${args}")
"""What W&B puts in; the other words of `command` are flags of ours."""


@dataclass(frozen=True)
class SweepConfig:
    """Which sweep, and how much of it."""

    sweep: str
    """A file of training/sweeps/."""
    runs: int = 8
    seed: int = 0
    out: str = "runs/sweep"
    """Folder of the runs, which are called 0, 1, ..."""
    more: list[str] = field(default_factory=list)
    """Flags for every run, in place of those of the file; their paths begin at the root of the repository."""


@dataclass(frozen=True)
class Sweep:
    """What a file of training/sweeps/ says."""

    program: str
    metric: str
    maximize: bool
    fixed: list[str]
    """Flags of every run."""
    parameters: dict[str, dict[str, Any]]


def read_sweep(path: Path) -> Sweep:
    """The sweep in a file; ConfigError when it is none."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        fixed = [word for word in found["command"] if word not in PLACES]
        metric = found["metric"]
        return Sweep(found["program"], metric["name"], metric["goal"] == "maximize", fixed, dict(found["parameters"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} is no sweep like those in training/sweeps: {error!r}") from error


def draw_flags(sweep: Sweep, generator: random.Random) -> list[str]:
    """One flag a parameter, drawn as the file says."""
    return [f"--{name}={_draw(name, rule, generator)}" for name, rule in sweep.parameters.items()]


def _draw(name: str, rule: dict[str, Any], generator: random.Random) -> Any:
    match rule:
        case {"values": [*values]} if values:
            return generator.choice(values)
        case {"distribution": "uniform", "min": int() | float() as low, "max": int() | float() as high}:
            return round(generator.uniform(low, high), 6)
        case {"distribution": "log_uniform_values", "min": int() | float() as low, "max": int() | float() as high}:
            if 0 < low <= high:
                return float(f"{math.exp(generator.uniform(math.log(low), math.log(high))):.3g}")
    wanted = "values, or distribution (uniform, or log_uniform_values above 0) with the numbers min and max"
    raise ConfigError(f"{name}: cannot draw from {rule}; wanted {wanted}")


def run_sweep(config: SweepConfig) -> str:
    """Train with every draw; the table of what they reached, best first."""
    sweep = read_sweep(Path(config.sweep))
    generator = random.Random(config.seed)
    rows = []
    for number in range(config.runs):
        drawn, folder = draw_flags(sweep, generator), Path(config.out).resolve() / str(number)
        if not is_finished(folder):
            place = [f"--out={folder.parent}", f"--name={number}", "--resume=auto"]
            flags = [*sweep.fixed, "--wandb=off", *config.more, *drawn, *place]
            run_script([sweep.program, *flags], f"run {number}", ROOT)
        reached = [value for _, value in read_curves(folder).get(sweep.metric, []) if math.isfinite(value)]
        best = (max if sweep.maximize else min)(reached, default=math.nan)
        rows.append((best, f"{number}: {sweep.metric} {best:.2f}  {' '.join(drawn)}"))
    worst = -math.inf if sweep.maximize else math.inf
    rows.sort(key=lambda row: worst if math.isnan(row[0]) else row[0], reverse=sweep.maximize)
    return "\n".join(line for _, line in rows)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when the table was printed, 1 with a message if not."""
    return run_command(SweepConfig, run_sweep, arguments, name="run_sweep.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
