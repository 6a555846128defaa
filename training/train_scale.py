"""Command: learn to tell the size of print from its shapes; makes im2latex/scale.onnx.

python training/train_scale.py --formulas train.tsv.xz --out im2latex/scale.onnx
"""

import io
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from tqdm import tqdm

from im2latex.data.formulas import read_formulas
from im2latex.data.looks import FONTS
from im2latex.errors import ImageError
from im2latex.images import to_ink
from im2latex.ink import ink_box
from im2latex.rendering.look import Look
from im2latex.rendering.renderer import Renderer
from im2latex.scale import LARGEST, SMALLEST
from training.command import run_command
from training.scale_net import ScaleNet, scale_graph

DPI = (72, 100, 120, 144, 200, 300)
KERNELS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX)
UNSEEN_FONT = "kp"
Sample = tuple[Image.Image, float]
"""Ink and its size."""


@dataclass(frozen=True)
class TrainScaleConfig:
    """What to learn from and for how long."""

    formulas: str
    """A formula list, as for prepare_data.py."""
    out: str
    """Where the network goes (.onnx)."""
    pictures: int = 4800
    """Formulas drawn, each in one look."""
    steps: int = 2000
    batch_size: int = 32
    learning_rate: float = 3e-3
    window: tuple[int, int] = (112, 256)
    """Height and width of what is cut out of each picture."""
    workers: int = 2
    seed: int = 0


def run(config: TrainScaleConfig) -> str:
    """Draw, train, judge on every tenth picture, save."""
    pictures = draw(config)
    held_out, training = pictures[::10], [one for place, one in enumerate(pictures) if place % 10]
    net = train(training, config)
    size, true = guess(net, held_out, random.Random(config.seed), config.window)
    Path(config.out).write_bytes(scale_graph(net))
    off = (size - true).abs()
    return (
        f"{config.out}: {len(held_out)} pictures held out; off by a fifth or more: "
        f"{float((off > math.log2(1.2)).float().mean()):.2%}, median error {float(2 ** off.median() - 1):.1%}"
    )


def draw(config: TrainScaleConfig) -> list[Sample]:
    """Formulas in looks of every size and font, with their sizes."""
    dice = random.Random(config.seed)
    formulas = list({formula.formula for formula in islice(read_formulas(config.formulas), 20 * config.pictures)})
    formulas = dice.sample(sorted(formulas), min(config.pictures, len(formulas)))
    looks = list(random_looks(dice, len(formulas) // 120 + 1))
    samples: list[Sample] = []
    with Renderer(looks[0], config.workers) as renderer, tqdm(total=len(formulas), desc="drawing") as bar:
        for place, look in enumerate(looks):
            for rendered in renderer.render(formulas[place :: len(looks)], look=look):
                bar.update()
                if rendered.image is None:
                    continue
                try:
                    samples.append((cropped(to_ink(rendered.image)), look.dpi / 100 * look.font_size / 12))
                except ImageError:
                    continue
    dice.shuffle(samples)
    return samples


def random_looks(dice: random.Random, number: int) -> Iterator[Look]:
    """Half of them in LaTeX's own fonts; an eighth bold."""
    fonts = [name for name in FONTS if name != UNSEEN_FONT]
    for _ in range(number):
        look = Look(font_size=dice.choice((10, 11, 12)), dpi=dice.choice(DPI), halve=False)
        look = replace(look, style=dice.choice(("display", "display", "inline")), bold=dice.random() < 1 / 8)
        yield replace(look, preamble=FONTS[dice.choice(fonts)]) if dice.random() < 0.5 else look


def cropped(ink: Image.Image) -> Image.Image:
    """The ink without the paper around it."""
    return ink.crop(ink_box(ink))


def train(samples: Sequence[Sample], config: TrainScaleConfig) -> ScaleNet:
    """The network after `steps` batches; the learning rate falls to 0 as a cosine."""
    torch.manual_seed(config.seed)
    dice = random.Random(config.seed)
    net = ScaleNet()
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps, pct_start=0.1)
    for _ in (bar := tqdm(range(config.steps), desc="training", mininterval=5)):
        ink, true = batch(dice.choices(samples, k=config.batch_size), dice, config.window)
        loss = F.smooth_l1_loss(net(ink), true, beta=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return net.eval()


@torch.inference_mode()
def guess(
    net: ScaleNet, samples: Sequence[Sample], dice: random.Random, window: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sizes found and true, as logarithms to the base 2; the pictures are disturbed as for training."""
    parts = [batch(samples[start : start + 32], dice, window) for start in range(0, len(samples), 32)]
    return torch.cat([net(ink) for ink, _ in parts]), torch.cat([true for _, true in parts])


def batch(samples: Sequence[Sample], dice: random.Random, window: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ink (B, 1, *window) and the logarithms of the sizes (B,), each picture in a random size, place and shape."""
    inks = torch.zeros(len(samples), 1, *window)
    sizes = []
    for row, sample in enumerate(samples):
        ink, size = disturb(*sample, dice, window)
        down, right = dice.randint(0, window[0] - ink.height), dice.randint(0, window[1] - ink.width)
        part = torch.from_numpy(np.asarray(ink, dtype=np.float32) / 255)
        inks[row, 0, down : down + ink.height, right : right + ink.width] = part
        sizes.append(size)
    return inks, torch.tensor(sizes).log2()


def disturb(ink: Image.Image, size: float, dice: random.Random, window: tuple[int, int]) -> Sample:
    """What the window shows of a picture resized, blurred, compressed, made thinner or bolder."""
    factor = 1.0
    if dice.random() < 2 / 3:
        factor = 2 ** dice.uniform(math.log2(SMALLEST / size), math.log2(1.2 * LARGEST / size))
        factor = min(max(factor, 1 / 4), 2.5)
    seen = [min(have, round(wanted / factor)) for have, wanted in zip((ink.height, ink.width), window, strict=True)]
    top, left = dice.randint(0, ink.height - seen[0]), dice.randint(0, ink.width - seen[1])
    ink = ink.crop((left, top, left + seen[1], top + seen[0]))
    shape = [min(most, max(1, round(side * factor))) for side, most in zip(seen, window, strict=True)]
    if factor != 1:
        ink = ink.resize((shape[1], shape[0]), dice.choice(KERNELS))
    if dice.random() < 0.2:
        ink = ink.filter(ImageFilter.GaussianBlur(dice.uniform(0.2, 0.6) * max(1.0, size * factor)))
    if dice.random() < 0.3:
        power = 2 ** dice.uniform(-1, 1)
        ink = ink.point([round(255 * (level / 255) ** power) for level in range(256)])
    if dice.random() < 0.1:
        saved = io.BytesIO()
        ink.save(saved, "JPEG", quality=dice.randint(20, 80))
        ink = Image.open(saved).convert("L")
    return ink, size * factor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(TrainScaleConfig, run, arguments, name="train_scale.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
