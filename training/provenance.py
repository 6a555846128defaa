"""Which commit and which command made a file: numbers are claims, and these say who claims them."""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def current_commit(root: Path = ROOT) -> str:
    """Short hash of the commit of this code, with `-dirty` when tracked files differ; `unknown` outside git."""
    described = _git(root, "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*")
    return described or "unknown"


def current_command() -> str:
    """The command line of this process, as a shell would take it again."""
    return shlex.join(["python", *sys.argv])


def _git(root: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
