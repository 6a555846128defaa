"""Runs LaTeX once over many formulas: a page each, and TeX's own reason for each that failed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from im2latex.errors import RenderError
from im2latex.rendering.look import Look
from im2latex.rendering.preamble import AMS, PLAIN
from im2latex.rendering.spacing import close_up

PACKAGES = "texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended texlive-science"
NO_PAGE = "TeX made no page of it"
NO_END = "TeX came to no end within its limits of time and output"

_STARTED = "im2latex-formula "  # what the macros of preamble.py say on the terminal
_FINISHED = "im2latex-finished"
_SECONDS, _SECONDS_PER_FORMULA = 3, 0.02  # processor time allowed to a run; it needs 0.2 + 0.001 a formula
_PATIENCE = 20  # times that, by the clock on the wall, should the run wait for something
_OUTPUT_BLOCKS = 65536  # of 512 bytes, allowed to each file: 32 MB
_PAPER = 20  # points of paper around the box of a formula: its ink may leave the box by so much
_PIXEL = 72 * 65781.76  # TeX's scaled points in an inch: 72 bp of 65781.76 sp
_STYLES = {
    "display": r"\def\page@open{\begin{displaymath}}\def\page@close{\end{displaymath}}",
    "inline": r"\def\page@open{\hbox\bgroup$}\def\page@close{$\egroup}",
}

# Limits set by the shell, not by preexec_fn, which would make Python copy its whole process first.
_COMMAND = (
    'ulimit -c 0; ulimit -f "$1"; ulimit -t "$2"; '  # no core dump, size of a file, processor time
    'exec "$0" -no-shell-escape -interaction=nonstopmode formulas.tex'
)


@dataclass(frozen=True)
class TexRun:
    """What one run of LaTeX gave: a PDF with a named destination per formula, and reasons of failures.

    Without a PDF nothing in it can be trusted. `stopped_at` is then the formula to blame, None if unknown.
    """

    pdf: bytes | None
    errors: dict[int, str]
    stopped_at: int | None = None


def require_rendering() -> None:
    """RenderError, with the cure, where LaTeX or a package of the extra `check` is not installed."""
    for package in ("pypdfium2", "tqdm"):
        if find_spec(package) is None:
            raise RenderError(f"{package} is not installed, which rendering needs: pip install 'im2latex[check]'")
    require_latex()


def require_latex() -> str:
    """The path of pdflatex, or a RenderError that names the Debian packages to install."""
    path = shutil.which("pdflatex")
    if path is None:
        raise RenderError(f"pdflatex was not found. On Debian or Ubuntu: apt-get install {PACKAGES}")
    return path


def run_latex(formulas: Mapping[int, str], look: Look, folder: Path, *, with_amsmath: bool) -> TexRun:
    """Typesets formulas, keyed by a number of the caller's, in one run inside an empty private folder."""
    document = write_document(formulas, look, with_amsmath=with_amsmath)
    (folder / "formulas.tex").write_bytes(document.encode("utf-8", errors="replace"))
    was_killed = _run_pdflatex(folder, int(_SECONDS + _SECONDS_PER_FORMULA * len(formulas)))
    output = (folder / "terminal.txt").read_text("utf-8", errors="replace")
    errors, last = read_terminal(output, formulas)
    if last is None:
        raise RenderError(
            f"LaTeX stopped before the first formula: {_first_error(output) or output[-300:]!r}. "
            f"Are all of these Debian packages installed: {PACKAGES}?"
        )
    if was_killed:
        return TexRun(None, errors | {last: NO_END}, last)
    if _FINISHED not in output:
        return TexRun(None, {last: NO_PAGE} | errors, last)
    pdf = folder / "formulas.pdf"
    if not pdf.exists():  # after the last formula: a font of one of them cannot be put into a PDF
        return TexRun(None, dict.fromkeys(formulas, _first_error(output.partition(_FINISHED)[2]) or NO_PAGE))
    return TexRun(pdf.read_bytes(), errors)


def write_document(formulas: Mapping[int, str], look: Look, *, with_amsmath: bool) -> str:
    """The LaTeX source, with a page per formula."""
    parts = [
        rf"\documentclass[{look.font_size}pt]{{article}}",
        r"\makeatletter",
        AMS if with_amsmath else PLAIN,
        look.preamble,
        rf"\page@pixel={_PIXEL / look.dpi:.0f}sp \page@paper={_PAPER}pt",
        _STYLES[look.style],
        r"\makeatother \begin{document}" + (r"\boldmath" if look.bold else ""),
    ]
    for number, formula in formulas.items():
        # An empty line would end the display.
        text = re.sub(r"\s*[\r\n]\s*", "\n", close_up(formula).strip()) or r"\relax"
        parts.append(f"\\beginformula{{{number}}}%\n{text}\n\\endformula")
    parts.append(f"\\message{{^^J{_FINISHED}^^J}}\n\\end{{document}}\n")
    return "\n".join(parts)


def read_terminal(output: str, numbers: Collection[int]) -> tuple[dict[int, str], int | None]:
    """The first error of each formula in TeX's terminal output, and the formula begun last."""
    errors: dict[int, str] = {}
    last = None
    for section in output.split("\n" + _STARTED)[1:]:
        words = section.split(maxsplit=1)
        if words and words[0].isdecimal() and int(words[0]) in numbers:  # else a formula talks like us
            last = int(words[0])
        reason = _first_error(section)
        if reason is not None and last is not None:
            errors.setdefault(last, reason)
    return errors, last


def _first_error(section: str) -> str | None:
    """The first `!` line without its mark; an undefined command is named, as TeX does on the next line."""
    match = re.search(r"^! ?(.*)\n?(.*)", section, re.MULTILINE)
    if match is None:
        return None
    reason, context = match[1].strip(), match[2]
    if not reason.startswith("Undefined control sequence"):
        return reason
    names = re.findall(r"\\(?:[A-Za-z@]+|.)", context)
    return " ".join([reason, *names[-1:]])


def _run_pdflatex(folder: Path, seconds: int) -> bool:
    """Runs it in the folder, to terminal.txt; true when it had to be killed."""
    command = ["sh", "-c", _COMMAND, require_latex(), str(_OUTPUT_BLOCKS), str(seconds)]
    with (folder / "terminal.txt").open("wb") as terminal:
        process = subprocess.Popen(command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=terminal)
        try:
            return process.wait(timeout=_PATIENCE * seconds) < 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """A small fixed environment: no file outside the folder, no fonts made, no clock, no broken lines."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "openin_any": "p",
        "openout_any": "p",
        "shell_escape": "f",
        "TEXMFOUTPUT": ".",
        "MKTEXPK": "0",
        "MKTEXTFM": "0",
        "SOURCE_DATE_EPOCH": "0",
        "FORCE_SOURCE_DATE": "1",
        "max_print_line": "100000",
    }
