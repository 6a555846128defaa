"""The flags of `im2latex explain`, and what it writes and says."""

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from im2latex.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from im2latex.explanation import Explanation

KINDS = (".html", ".gif", ".png")


def explain_parser() -> ArgumentParser:
    """The flags of the command."""
    parser = ArgumentParser(description="Read a picture and show where the model looked for each token.")
    parser.add_argument("file", metavar="FILE", help="PNG, JPEG, WEBP, GIF, BMP or TIFF")
    parser.add_argument(
        "--out", metavar="F", help="what to write: .html a page with a slider, .gif an animation, .png one sheet"
    )
    parser.add_argument("--features", metavar="F", help="a sheet (.png) of the encoder's feature maps")
    parser.add_argument("--beam", type=PositiveInt, default=1, metavar="N", help="width of the beam search")
    parser.add_argument("--bundle", metavar="F", help="another model: a file, or handwriting")
    return parser


def run_explain(arguments: Namespace) -> int:
    """Write what was asked for, then print the LaTeX and the doubtful tokens."""
    check_names(arguments.out, arguments.features)
    from im2latex.explain.palette import is_unsure, percent
    from im2latex.predictor import Predictor

    predictor = Predictor.load(arguments.bundle)
    try:
        found = predictor.explain(Path(arguments.file), arguments.beam)
    except ImageError as error:
        raise ImageError(f"{arguments.file}: {error}") from error
    if arguments.out:
        write(found, Path(arguments.out))
    if arguments.features:
        from im2latex.explain.sheet import draw_features

        draw_features(predictor.features(found.attention.prepared)).save(arguments.features)
    print(found.prediction.latex)
    confidences = zip(found.prediction.tokens.split(), found.prediction.token_confidences, strict=True)
    doubts = [f"{token} {percent(confidence)}" for token, confidence in confidences if is_unsure(confidence)]
    print(f"unsure: {', '.join(doubts)}" if doubts else "unsure: nothing")
    return 0


def check_names(out: str | None, features: str | None) -> None:
    """ConfigError unless there is something to write, in a form that is known and a folder that exists."""
    if not out and not features:
        raise ConfigError(f"explain writes a file: name one that ends in {', '.join(KINDS)} with --out")
    for flag, name, kinds in (("--out", out, KINDS), ("--features", features, (".png",))):
        if name and Path(name).suffix.lower() not in kinds:
            raise ConfigError(f"{flag} must end in {' or '.join(kinds)}, got {Path(name).name}")
        if name and not Path(name).absolute().parent.is_dir():
            raise ConfigError(f"{flag}: there is no folder {Path(name).parent}")


def write(found: "Explanation", path: Path) -> None:
    """Write one of the three kinds, which the name's end says."""
    from im2latex.explain.animation import save_animation
    from im2latex.explain.page import write_page
    from im2latex.explain.sheet import draw_attention

    kind = path.suffix.lower()
    if kind == ".html":
        path.write_text(write_page(found), encoding="utf-8")
    elif kind == ".gif":
        save_animation(found, path)
    else:
        draw_attention(found).save(path)
