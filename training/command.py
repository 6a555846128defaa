"""What the workshop's commands share: flags made of a configuration, and errors as messages."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from jsonargparse import ArgumentParser

from im2latex.cli import drop_output, require_output
from im2latex.errors import Im2LatexError

Config = TypeVar("Config")
INTERRUPTED = 130  # what a shell reports after Ctrl-C


def run_command(
    config_class: type[Config],
    run: Callable[[Config], str],
    arguments: Sequence[str] | None,
    *,
    name: str,
    usage: str | None,
) -> int:
    """Run a command with the flags of `config_class` and print what it returns; 0, or 1 with a message on stderr."""
    parser = ArgumentParser(prog=name, description=usage)
    parser.add_class_arguments(config_class)
    config = config_class(**vars(parser.instantiate(parser.parse_args(arguments))))
    try:
        require_output()
        print(run(config), flush=True)
    except (Im2LatexError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        drop_output()
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0
