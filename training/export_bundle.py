"""Make a bundle of a checkpoint, after proving that it reads what the model reads.

python training/export_bundle.py --checkpoint runs/first/best.ckpt --out im2latex/bundles/default.pt \
    --scores runs/scores/scores.json --trained_on "250,000 formulas of arXiv, official look"
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from im2latex.bundle import Bundle, load_bundle, round_weights, save_bundle
from im2latex.data.im2latex100k import SMALL
from im2latex.errors import BundleError, ConfigError
from im2latex.images import ImageSpec, open_image, prepare
from im2latex.latex.grammar import unusable
from im2latex.lit_model import LitModel
from im2latex.models import ResNetTransformer, describe_model, read_model
from im2latex.predictor import Predictor
from training.command import run_command
from training.draft_graph import draft_graph
from training.labelled import open_packed
from training.provenance import current_commit
from training.reading import progress

TOLERANCE = 1e-3
"""Largest difference of a token's log-probability between the eager and the scripted model."""
BEAMS = (1, 3)
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class ExportConfig:
    """What to export, what to prove it on, and what to say about it."""

    checkpoint: str
    """A checkpoint of training/run_experiment.py; its averaged weights are taken."""
    out: str
    """The bundle to write."""
    also: list[str] = field(default_factory=list)
    """More checkpoints, or bundles, of the same model: the mean of all weights is exported ("model soup": Wortsman et
    al. 2022, arXiv 2203.05482); what is named twice counts twice. It helps where they went on from the same weights."""
    images: str | None = None
    """Folder of golden pictures to prove it on; None: the validation pictures of the small data set."""
    golden: int = 16
    """How many of them."""
    max_megabytes: float = 32.0
    """A larger bundle is refused: by default it must fit in the repository."""
    name: str | None = None
    """What the model is called; None: its architecture and the commit."""
    trained_on: str = ""
    """One sentence on the data it learned from."""
    check_on: str | None = None
    """A packed data set on which the bundle must read what the model reads, token for token; takes minutes."""
    check_limit: int = 1000
    """How many of its pictures, from the first on."""
    scores: list[str] = field(default_factory=list)
    """Files scores.json of training/evaluate.py to record."""


def export(config: ExportConfig) -> dict[str, Any]:
    """Write the bundle and return its facts; raises BundleError, and writes nothing, when it reads something else."""
    module = load_mean([config.checkpoint, *config.also])
    images = [prepare(open_image(data), module.spec) for data in read_golden(config)]
    out = Path(config.out)
    candidate = out.with_name(out.name + ".candidate")
    try:
        eager = round_weights(module.decoder())
        draft = draft_graph(eager) if isinstance(eager.model, ResNetTransformer) else b""
        save_bundle(candidate, eager, module.tokenizer, module.spec, gather_facts(config, module), draft=draft)
        bundle = load_bundle(candidate)
        prove_equal(eager, bundle.decoder, images)
        prove_guesses_cost_nothing(Predictor(bundle), eager, images)
        size = candidate.stat().st_size / 1e6
        if size > config.max_megabytes:
            raise BundleError(f"the bundle has {size:.1f} MB, wanted at most {config.max_megabytes:g}: --max_megabytes")
        if config.check_on is not None:
            prove_same_tokens(bundle, eager, read_set(Path(config.check_on), config.check_limit, module.spec))
        candidate.replace(out)
    finally:
        candidate.unlink(missing_ok=True)
    return bundle.facts


def load_mean(sources: Sequence[str]) -> LitModel:
    """The model of a checkpoint with the mean of its weights and those of others; ConfigError if one does not fit.

    Tokens that only the first one knows keep its weights.
    """
    module = LitModel.load(sources[0])
    states = [module.state_dict()]
    for source in sources[1:]:
        read = LitModel.read_source(source)
        if sizes(read) != sizes(module) or not set(read.tokenizer.vocab) <= set(module.tokenizer.vocab):
            raise ConfigError(f"--also {source}: another model, pixels or tokens than {sources[0]}")
        other = LitModel.load(sources[0])
        other.take_weights(source)
        states.append(other.state_dict())
    module.load_state_dict(
        {name: torch.stack([state[name].double() for state in states]).mean(0) for name in states[0]}
    )  # which rounds to the types of its own
    return module


def sizes(source: Bundle | LitModel) -> tuple[ImageSpec, str]:
    """What the weights of two models must share, beside their tokens, before a mean of them says anything."""
    config = read_model(source.facts["model"]) if isinstance(source, Bundle) else source.model_config
    told = describe_model(config)
    return source.spec, json.dumps({name: told[name] for name in told if name not in ("max_tokens", "dropout")})


def read_golden(config: ExportConfig) -> list[bytes]:
    """The pictures that the proof is made on; ConfigError when there are none."""
    if config.images is None:
        pictures = open_packed(Path(SMALL) / "val")
        return [pictures.read(place) for place in range(min(config.golden, len(pictures.names)))]
    files = sorted(path for path in Path(config.images).glob("*") if path.suffix.lower() in PICTURES)
    if not files:
        raise ConfigError(f"--images {config.images} holds no pictures")
    return [path.read_bytes() for path in files[: config.golden]]


def prove_equal(eager: nn.Module, scripted: nn.Module, images: Sequence[Tensor]) -> None:
    """Raise BundleError unless both read the same tokens in every picture, as surely, with and without a beam."""
    for number, image in enumerate(images, start=1):
        for beam in BEAMS:
            with torch.inference_mode():
                wanted_ids, wanted = eager(image.unsqueeze(0), beam)
                found_ids, found = scripted(image.unsqueeze(0), beam)
            if not torch.equal(found_ids, wanted_ids):
                raise BundleError(f"golden picture {number}, beam {beam}: the bundle reads other tokens than the model")
            difference = float((found - wanted).abs().max())
            if difference > TOLERANCE:
                raise BundleError(
                    f"golden picture {number}, beam {beam}: log-probabilities differ by {difference:.1g}, "
                    f"wanted at most {TOLERANCE}"
                )


def prove_guesses_cost_nothing(predictor: Predictor, eager: nn.Module, images: Sequence[Tensor]) -> None:
    """Raise BundleError unless a picture alone, where tokens are guessed ahead, is read as by the model."""
    for number, image in enumerate(images, start=1):
        with torch.inference_mode():
            wanted_ids, wanted = (row[0] for row in eager(image.unsqueeze(0), 1))
        found_ids, found = predictor.decode([image.unsqueeze(0)])[0]
        if found_ids != wanted_ids.tolist() or (torch.tensor(found) - wanted).abs().max() > TOLERANCE:
            raise BundleError(f"golden picture {number}: with guesses the bundle reads something else than the model")


def read_set(folder: Path, limit: int, spec: ImageSpec) -> list[Tensor]:
    """The first pictures of a packed data set, prepared."""
    pictures = open_packed(folder)
    return [prepare(open_image(pictures.read(place)), spec) for place in range(min(limit, len(pictures.names)))]


def prove_same_tokens(bundle: Bundle, eager: nn.Module, images: Sequence[Tensor]) -> None:
    """Raise BundleError unless both read the same tokens in every picture, greedily, alone and in everyday batches."""
    scripted, model = Predictor(bundle), Predictor(replace(bundle, decoder=eager, draft=b""))
    differing = 0
    with progress(None, len(images)) as bar:
        for places in scripted.batches(images):
            batch = [images[place] for place in places]
            wanted, found = (predictor.predict_prepared(batch) for predictor in (model, scripted))
            alone = [scripted.predict_prepared([image])[0] for image in batch]
            for one, *others in zip(wanted, found, alone, strict=True):
                differing += any(one.tokens != other.tokens for other in others)
            bar.update(len(places))
    if differing:
        raise BundleError(f"in {differing} of {len(images)} pictures the bundle reads other tokens than the model")


def gather_facts(config: ExportConfig, module: LitModel) -> dict[str, Any]:
    """What `im2latex info` prints, without the counts that save_bundle adds."""
    commit = current_commit()
    return {
        "name": config.name or f"{module.model_config.name.replace('_', '-')}-{commit}",
        "model": describe_model(module.model_config),
        "spec": asdict(module.spec),
        "trained_on": config.trained_on,
        "scores": [read_scores(Path(path)) for path in config.scores],
        "commit": commit,
    }


def read_scores(path: Path) -> dict[str, Any]:
    """What is told of a scores.json: no commands or paths, which are those of one machine."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        return {key: report[key] for key in ("set", "formulas", "beam", "references", "scores", "commit")}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"--scores {path} is no scores.json of training/evaluate.py: {error!r}") from error


def _run(config: ExportConfig) -> str:
    facts = export(config)
    never = unusable(load_bundle(config.out).tokenizer.vocab)
    warning = f"never written, since the grammar does not know them: {' '.join(never)}\n" if never else ""
    size = Path(config.out).stat().st_size / 1e6
    checked = f" on {config.check_on}" if config.check_on else ""
    sizes = f"{facts['parameters']} parameters, {size:.1f} MB"
    return f"{warning}{config.out}: {facts['name']}, {sizes}; scripted = eager{checked}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the bundle was written, 1 with a message if not."""
    return run_command(ExportConfig, _run, arguments, name="export_bundle.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
