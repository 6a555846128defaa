"""What the workshop's commands share: flags made of a configuration, and errors as messages."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from jsonargparse import ArgumentParser

from im2latex.cli import drop_output, require_output
from im2latex.errors import ConfigError, Im2LatexError

Config = TypeVar("Config")
INTERRUPTED = 130  # what a shell reports after Ctrl-C
STOPPED = 143  # what a shell reports of a process that SIGTERM ended: a training that its signals stopped


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


def run_script(command: Sequence[str], name: str, folder: Path | None = None) -> None:
    """Run a script of the workshop in `folder`; ConfigError with the `name` if it fails or is stopped."""
    code = subprocess.run([sys.executable, *command], cwd=folder, check=False).returncode
    if code in (STOPPED, -signal.SIGTERM):
        raise ConfigError(f"{name}: interrupted; the same command goes on")
    if code:
        raise ConfigError(f"{name}: this command failed: python {' '.join(command)}")
