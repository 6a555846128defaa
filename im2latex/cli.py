"""The `im2latex` command: read pictures, serve the API, say what the model is."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace
from jsonargparse.typing import PositiveInt, restricted_number_type

import im2latex
from im2latex.bulk.command import batch_parser, run_batch
from im2latex.errors import Im2LatexError, ImageError
from im2latex.explain.command import explain_parser, run_explain
from im2latex.prediction import to_json_line
from im2latex.symbol_command import run_symbol, symbol_parser

if TYPE_CHECKING:
    from im2latex.predictor import Prediction, Predictor

SERVER = "api_server.process"
SETTINGS = "api_server.settings"
"""The server, by name: the library knows nothing of HTTP."""

Port = restricted_number_type("Port", int, [(">=", 0), ("<=", 65535)])

READER_LEFT = 141
"""The exit code when nobody reads the output any more, as a shell reports SIGPIPE."""


@dataclass(frozen=True)
class Answer:
    """What became of one file: a prediction and the seconds it took, or an error."""

    file: str
    prediction: "Prediction | None" = None
    seconds: float = 0.0
    error: str = ""

    def as_json(self) -> str:
        """One line of JSON: file, latex, tokens, confidence, seconds, likeness if it was checked; or file, error."""
        if self.prediction is None:
            return to_json_line({"file": self.file, "error": self.error})
        fields: dict[str, object] = {
            "file": self.file,
            "latex": self.prediction.latex,
            "tokens": self.prediction.tokens,
            "confidence": round(self.prediction.confidence, 6),
            "seconds": round(self.seconds, 4),
        }
        if self.prediction.likeness is not None:
            fields["likeness"] = round(self.prediction.likeness, 4)
        return to_json_line(fields)


class AsWritten(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Help that keeps the lines of a description."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, or 1 when something could not be read."""
    arguments = build_parser().parse_args(None if argv is None else list(argv))
    commands = {
        "predict": run_predict, "serve": run_serve, "info": run_info, "symbol": run_symbol,
        "explain": run_explain, "batch": run_batch,
    }  # fmt: skip
    try:
        require_output()
        code = commands[arguments.subcommand](arguments[arguments.subcommand])
        sys.stdout.flush()
        return code
    except Im2LatexError as error:
        print(f"im2latex: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as when `| head` has seen enough
        drop_output()
        return READER_LEFT
    except OSError as error:
        print(f"im2latex: {error}", file=sys.stderr)
        drop_output()
        return 1


def require_output() -> None:
    """Raises OSError where standard output is closed: Python would print into nothing, without a word."""
    if sys.stdout is None:
        raise OSError("standard output is closed")


def drop_output() -> None:
    """Forget what standard output does not take: Python would try once more, and complain, as it leaves."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> ArgumentParser:
    """The flags of all commands."""
    parser = ArgumentParser(
        prog="im2latex",
        description="Pictures of formulas become LaTeX.",
        version=im2latex.__version__,
        formatter_class=AsWritten,
    )
    commands = parser.add_subcommands()

    predict = ArgumentParser(description="Read pictures; print a line of LaTeX for each, in the order given.")
    predict.add_argument("files", metavar="FILE", nargs="+", help="PNG, JPEG, WEBP, GIF, BMP or TIFF")
    predict.add_argument("--json", action="store_true", help="print a JSON object a line")
    predict.add_argument("--beam", type=PositiveInt, default=1, metavar="N", help="width of the beam search")
    predict.add_argument(
        "--check", action="store_true", help="take the reading that, rendered, looks like the picture (needs LaTeX)"
    )
    predict.add_argument("--bundle", metavar="F", help="another model: a file, or handwriting")
    predict.add_argument("--batch-size", type=PositiveInt, default=8, metavar="N", help="pictures at a time")
    commands.add_subcommand("predict", predict, help="read pictures")

    serve = ArgumentParser(
        description=f"Serve the API and the web page. Environment variables:\n\n{import_module(SETTINGS).describe()}"
    )
    serve.add_argument("--host", default="127.0.0.1", metavar="H", help="0.0.0.0 to be reached from outside")
    serve.add_argument("--port", type=Port, default=8000, metavar="P")
    serve.add_argument("--bundle", metavar="F", help="another model: a file, or handwriting")
    serve.add_argument("--check", action="store_true", help="as IM2LATEX_CHECK=yes (needs LaTeX)")
    commands.add_subcommand("serve", serve, help="serve the API and the web page")

    info = ArgumentParser(description="Print the facts of the model as JSON.")
    info.add_argument("--bundle", metavar="F", help="another model: a file, or handwriting")
    commands.add_subcommand("info", info, help="say what the model is")
    commands.add_subcommand("explain", explain_parser(), help="show where the model looked")
    commands.add_subcommand("batch", batch_parser(), help="read very many pictures into Parquet files")
    commands.add_subcommand("symbol", symbol_parser(), help="name handwritten symbols")
    return parser


def run_predict(arguments: Namespace) -> int:
    """Print a line a file; errors go to stderr, or into the JSON line."""
    from im2latex.checker import Checker
    from im2latex.predictor import Predictor

    predictor = (Checker if arguments.check else Predictor).load(arguments.bundle)
    failed = False
    for answer in read_files(predictor, arguments.files, arguments.beam, arguments.batch_size):
        failed |= answer.prediction is None
        if arguments.json:
            print(answer.as_json(), flush=True)
        elif answer.prediction is None:
            print(f"{answer.file}: {answer.error}", file=sys.stderr, flush=True)
        else:
            print(answer.prediction.latex, flush=True)
    return int(failed)


def read_files(predictor: "Predictor", files: Sequence[str], beam: int, batch_size: int) -> Iterator[Answer]:
    """Yield an answer a file, in order; a bad file costs only itself."""
    for start in range(0, len(files), batch_size):
        yield from read_batch(predictor, files[start : start + batch_size], beam)


def read_batch(predictor: "Predictor", files: Sequence[str], beam: int) -> list[Answer]:
    """Read some files together; if one of them is bad, one by one, so that the others are still read."""
    started = time.perf_counter()
    try:
        predictions = predictor.predict_batch([Path(file) for file in files], beam=beam)
    except ImageError as error:
        if len(files) == 1:
            return [Answer(files[0], error=str(error))]
        return [answer for file in files for answer in read_batch(predictor, [file], beam)]
    seconds = (time.perf_counter() - started) / len(files)
    return [Answer(file, found, seconds) for file, found in zip(files, predictions, strict=True)]


def run_serve(arguments: Namespace) -> int:
    """Serve in this process until it is told to stop; settings come from the environment."""
    try:
        server = import_module(SERVER)
    except ModuleNotFoundError as error:
        print(f"im2latex: {error}; pip install 'im2latex[serve]'", file=sys.stderr)
        return 1

    if arguments.bundle:
        os.environ["IM2LATEX_BUNDLE"] = arguments.bundle
    if arguments.check:
        os.environ["IM2LATEX_CHECK"] = "yes"
    return int(server.run(arguments.host, arguments.port))


def run_info(arguments: Namespace) -> int:
    """Print the facts that the bundle carries."""
    from im2latex.bundle import load_bundle
    from im2latex.shipped import find_model

    bundle = load_bundle(find_model(arguments.bundle))
    print(json.dumps(bundle.facts, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
