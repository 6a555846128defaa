"""Calibrate a bundle on labelled pictures that it was not trained on: its confidences become probabilities.

python training/calibrate.py --bundle im2latex/bundles/default.pt --data data/packed/val --out calibrated.pt \
    --plot docs/images/calibration.png

What is written is fitted on all formulas; the error that is told is that of each fifth of them by what the others say.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import compress
from pathlib import Path

from torch import Tensor

from im2latex.bundle import Bundle, load_bundle, save_bundle
from im2latex.calibration import (
    Calibration,
    expected_calibration_error,
    fit_logistic,
    formula_features,
    reliability,
    token_features,
)
from im2latex.errors import ConfigError, FormulaError, ImageError
from im2latex.images import open_image, prepare
from im2latex.latex import canonicalize
from im2latex.metrics import without_spacing
from im2latex.predictor import Predictor
from im2latex.shipped import find_model
from im2latex.tokenizer import EOS, Tokenizer
from training.command import run_command
from training.labelled import LabelledPictures, LabelledSet
from training.reading import chunks_of_like_sizes, progress

FOLDS = 5
"""Parts of the formulas that are judged by what the others say."""


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig(LabelledSet):
    """What to calibrate, and on what; labels are always brought to the model's own spelling."""

    out: str
    """The bundle to write; it may be the one that is read."""
    bundle: str | None = None
    """Model file; None: the one that ships."""
    plot: str | None = None
    """A picture of the reliability curve to draw."""


@dataclass
class Outcomes:
    """Log-probabilities, and what came true: of whole formulas (with their end), and of their tokens."""

    formulas: list[list[float]] = field(default_factory=list)
    are_right: list[bool] = field(default_factory=list)
    tokens: list[list[tuple[float, bool]]] = field(default_factory=list)

    def without(self, fold: int) -> "Outcomes":
        """The formulas but one of FOLDS parts of them."""
        kept = [place % FOLDS != fold for place in range(len(self.formulas))]
        return Outcomes(
            list(compress(self.formulas, kept)),
            list(compress(self.are_right, kept)),
            list(compress(self.tokens, kept)),
        )

    def of_tokens(self) -> list[tuple[float, bool]]:
        """The tokens of all formulas."""
        return [token for formula in self.tokens for token in formula]


def read_outcomes(bundle: Bundle, pictures: LabelledPictures) -> Outcomes:
    """Read pictures greedily and compare; those whose label is no formula are left out."""
    outcomes = Outcomes()
    predictor = Predictor(bundle)
    count = len(pictures.names)
    with progress(None, count) as bar:
        for chunk in chunks_of_like_sizes(range(count), pictures.read):
            labelled = list(_prepare_labelled(bundle, pictures, chunk))
            read = predictor.in_batches([image for _, image in labelled], predictor.decode)
            for (reference, _), (ids, logs) in zip(labelled, read, strict=True):
                _add(outcomes, reference, bundle.tokenizer, ids, logs)
            bar.update(len(chunk))
    return outcomes


def _prepare_labelled(
    bundle: Bundle, pictures: LabelledPictures, places: Sequence[int]
) -> Iterator[tuple[list[str], Tensor]]:
    """The reference and the image (1, H, W) of each of those places that shows a formula; others are passed over."""
    for place in places:
        try:
            reference = canonicalize(pictures.formulas[place])
            image = prepare(open_image(pictures.read(place), bundle.spec.max_pixels), bundle.spec)
        except (FormulaError, ImageError):
            continue
        yield reference, image


def _add(
    outcomes: Outcomes, reference: Sequence[str], tokenizer: Tokenizer, ids: Sequence[int], logs: Sequence[float]
) -> None:
    """Add one reading, cut after its end."""
    length = ids.index(EOS) if EOS in ids else len(ids)
    tokens = [tokenizer.vocab[token_id] for token_id in ids[:length]]
    chosen = list(logs[: length + 1])
    outcomes.formulas.append(chosen)
    outcomes.are_right.append(without_spacing(tokens) == without_spacing(reference))
    outcomes.tokens.append(list(zip(chosen, right_tokens(tokens, reference), strict=False)))


def right_tokens(tokens: Sequence[str], reference: Sequence[str]) -> list[bool]:
    """Whether each token has its match in the reference, in order."""
    are_right = [False] * len(tokens)
    for start, _, size in SequenceMatcher(None, tokens, reference, autojunk=False).get_matching_blocks():
        are_right[start : start + size] = [True] * size
    return are_right


def fit(outcomes: Outcomes) -> Calibration:
    """The calibration under which the outcomes are most probable."""
    tokens = outcomes.of_tokens()
    return Calibration(
        tuple(fit_logistic([token_features(log_prob) for log_prob, _ in tokens], [right for _, right in tokens])),
        tuple(fit_logistic([formula_features(logs) for logs in outcomes.formulas], outcomes.are_right)),
    )


def judge(outcomes: Outcomes) -> tuple[list[float], list[float]]:
    """Confidences of the formulas, and of their tokens, by calibrations that were fitted without them."""
    places = range(len(outcomes.formulas))
    fitted = [fit(outcomes.without(fold)) for fold in range(FOLDS)]
    of_formulas = [fitted[place % FOLDS].of_formula(outcomes.formulas[place]) for place in places]
    of_tokens = [fitted[place % FOLDS].of_token(log_prob) for place in places for log_prob, _ in outcomes.tokens[place]]
    return of_formulas, of_tokens


def calibrate(config: CalibrateConfig) -> str:
    """Write the calibrated bundle and return the report."""
    bundle = load_bundle(find_model(config.bundle))
    outcomes = read_outcomes(bundle, config.open())
    if len(outcomes.formulas) < 2:
        raise ConfigError(f"wanted some pictures with formulas, got {len(outcomes.formulas)}")
    confidences, token_confidences = judge(outcomes)
    save_bundle(config.out, bundle.decoder, bundle.tokenizer, bundle.spec, bundle.facts, fit(outcomes), bundle.draft)
    if config.plot is not None:
        draw_curve(reliability(confidences, outcomes.are_right, 10), Path(config.plot))
    formula_error = expected_calibration_error(confidences, outcomes.are_right, 10)
    token_error = expected_calibration_error(token_confidences, [right for _, right in outcomes.of_tokens()])
    return (
        f"{config.out}: {len(outcomes.formulas)} formulas, {sum(outcomes.are_right)} right; "
        f"expected calibration error of each fifth by what the others say: formulas {formula_error:.2f} %, "
        f"tokens {token_error:.2f} %"
    )


def draw_curve(rows: Sequence[tuple[float, float, int]], path: Path) -> None:
    """The share of right formulas over the confidence, a dot a bin, with its count."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="confidence", ylabel="share exactly right", xlim=(0, 1), ylim=(0, 1))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([row[0] for row in rows], [row[1] for row in rows], marker="o")
    for mean, share, count in rows:
        axes.annotate(str(count), (mean, share), textcoords="offset points", xytext=(5, -10), fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the bundle was written, 1 with a message if not."""
    return run_command(CalibrateConfig, calibrate, arguments, name="calibrate.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
