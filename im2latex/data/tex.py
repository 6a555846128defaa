"""Run LaTeX once over many formulas: a page each, and TeX's own reason for each that failed."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from im2latex.data.look import Look
from im2latex.data.preamble import AMS, PLAIN
from im2latex.errors import RenderError

PACKAGES = (
    "texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended texlive-science"
)
TIMED_OUT = "TeX did not come to an end in time"

_STARTED = "im2latex-formula "
_FINISHED = "im2latex-finished"
_MAX_OUTPUT = 256 * 2**20  # bytes TeX may write into one file: a formula that prints for ever ends here
_SECONDS, _SECONDS_PER_FORMULA = 4, 0.03  # processor time allowed to one run; a usual run takes a tenth


@dataclass(frozen=True)
class TexRun:
    """What one run of LaTeX gave: a PDF with a named destination per formula, and the reasons of failures.

    `stopped_at` is the formula at which the run ended before its time; formulas from it on were not judged.
    """

    pdf: bytes | None
    errors: dict[int, str]
    stopped_at: int | None


def require_latex() -> str:
    """The path of pdflatex, or a RenderError that names the Debian packages to install."""
    path = shutil.which("pdflatex")
    if path is None:
        raise RenderError(f"pdflatex is not installed; on Debian or Ubuntu: apt-get install {PACKAGES}")
    return path


def run_latex(formulas: Mapping[int, str], look: Look, folder: Path, *, with_amsmath: bool) -> TexRun:
    """Typeset formulas, keyed by any number, in one run inside the (empty, private) folder."""
    source = write_document(formulas, look, with_amsmath=with_amsmath)
    (folder / "formulas.tex").write_bytes(source.encode("utf-8", errors="replace"))
    limit = int(_SECONDS + _SECONDS_PER_FORMULA * len(formulas))
    timed_out = _run(folder, limit)
    output = (folder / "terminal.txt").read_text("utf-8", errors="replace")
    errors, last = read_terminal(output)
    stopped_at = None if _FINISHED in output else last
    if stopped_at is None and _FINISHED not in output:
        raise RenderError(f"LaTeX ended before the first formula: {_first_error(output) or output[-300:]}")
    if stopped_at is not None and timed_out:
        errors[stopped_at] = TIMED_OUT
    pdf = folder / "formulas.pdf"
    return TexRun(pdf.read_bytes() if pdf.exists() else None, errors, stopped_at)


def write_document(formulas: Mapping[int, str], look: Look, *, with_amsmath: bool) -> str:
    """The LaTeX source with one page per formula."""
    begin, end = (r"\begin{displaymath}", r"\end{displaymath}") if look.style == "display" else ("$", "$")
    parts = [
        rf"\documentclass[{look.font_size}pt]{{article}}",
        AMS if with_amsmath else PLAIN,
        look.preamble,
        rf"\onepixel={72 * 65781.76 / look.dpi:.0f}sp",
        rf"\def\opendisplay{{{begin}}}\def\closedisplay{{{end}}}",
        r"\boldmath" if look.bold else "",
        r"\begin{document}\catcode`\@=11\relax",
    ]
    for number, formula in formulas.items():
        text = re.sub(r"\s*[\r\n]\s*", "\n", formula.strip())  # an empty line would end the display
        parts.append(f"\\beginformula{{{number}}}%\n{text}\n\\endformula")
    parts.append(f"\\message{{^^J{_FINISHED}^^J}}\\end{{document}}\n")
    return "\n".join(parts)


def read_terminal(output: str) -> tuple[dict[int, str], int | None]:
    """The first error of each formula in TeX's terminal output, and the formula started last."""
    errors: dict[int, str] = {}
    number = None
    for section in output.split("\n" + _STARTED)[1:]:
        number = int(section.split(maxsplit=1)[0])
        reason = _first_error(section)
        if reason is not None:
            errors[number] = reason
    return errors, number


def _first_error(section: str) -> str | None:
    """The first `!` line, without the mark; an undefined command is named, as TeX puts it on the next line."""
    match = re.search(r"^! (.*)\n?(.*)", section, re.MULTILINE)
    if match is None:
        return None
    reason, context = match.group(1).strip(), match.group(2)
    if reason == "Undefined control sequence.":
        names = re.findall(r"\\(?:[A-Za-z@]+|.)", context)
        return f"{reason} {names[-1]}" if names else reason
    return reason


def _run(folder: Path, seconds: int) -> bool:
    """Run pdflatex; true when it was stopped because it took more processor time than allowed."""
    command = [require_latex(), "-no-shell-escape", "-interaction=nonstopmode", "formulas.tex"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_OUTPUT, _MAX_OUTPUT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    with (folder / "terminal.txt").open("wb") as terminal:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(), preexec_fn=limit,
            stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.DEVNULL,
        )
        try:
            return process.wait(timeout=20 * seconds) < 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """A small fixed environment: no files outside the folder, no font generation, no clock, no line breaks."""
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
