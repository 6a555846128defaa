"""Formulas to pictures, many per LaTeX run, in parallel; a bad formula never costs its neighbours."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType

from PIL import Image
from tqdm import tqdm

from im2latex.data.look import Look
from im2latex.data.raster import rasterise
from im2latex.data.tex import require_latex, run_latex
from im2latex.errors import RenderError

__all__ = ["Look", "Rendered", "Renderer", "render_formulas"]

BATCH = 256  # formulas a LaTeX run: start-up is shared, and a lost run does not cost much


@dataclass(frozen=True)
class Rendered:
    """One formula and its picture (mode "L", black on white), or TeX's reason for having none."""

    index: int  # position in the input
    formula: str
    image: Image.Image | None
    error: str | None


class Renderer:
    """A pool of rendering processes for one look, to be used for as many lists of formulas as wanted.

    `with Renderer(look, workers) as renderer: for rendered in renderer.render(formulas): ...`
    One worker renders in this process. More are started with "spawn", so a script needs its `__main__` guard.
    """

    def __init__(self, look: Look, workers: int = 1) -> None:
        require_latex()
        self.look = look
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Renderer:
        if self.workers > 1:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def render(self, formulas: Iterable[str], progress: bool = False) -> Iterator[Rendered]:
        """One Rendered per formula, in the order given; reads only a little ahead of what it has yielded."""
        rendered = self._render_in_order(formulas)
        return iter(tqdm(rendered, desc="rendering", unit=" formulas", smoothing=0.1)) if progress else rendered

    def _render_in_order(self, formulas: Iterable[str]) -> Iterator[Rendered]:
        waiting: deque[Future[list[Rendered]]] = deque()
        for first, batch in _batches(formulas):
            if self._pool is None:
                yield from _render_batch(first, batch, self.look)
                continue
            waiting.append(self._pool.submit(_render_batch, first, batch, self.look))
            if len(waiting) > 2 * self.workers:
                yield from _result(waiting.popleft())
        while waiting:
            yield from _result(waiting.popleft())


def render_formulas(
    formulas: Iterable[str], look: Look, workers: int = 1, progress: bool = False
) -> Iterator[Rendered]:
    """Render raw LaTeX or space-separated tokens, in order; see Renderer for repeated use of the same pool."""
    with Renderer(look, workers) as renderer:
        yield from renderer.render(formulas, progress)


def _result(future: Future[list[Rendered]]) -> list[Rendered]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise RenderError("a rendering process died; is there enough memory?") from error


def _batches(formulas: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    iterator, first = iter(formulas), 0
    while batch := list(islice(iterator, BATCH)):
        yield first, batch
        first += len(batch)


def _render_batch(first: int, formulas: list[str], look: Look) -> list[Rendered]:
    """Render formulas numbered from `first`: in the plain preamble, then with amsmath what that one lacks."""
    numbered = dict(enumerate(formulas, start=first))
    images, errors = _render_apart(numbered, look, with_amsmath=False)
    lacking = {n: numbered[n] for n, reason in errors.items() if _UNDEFINED.search(reason)}
    if lacking:
        more_images, more_errors = _render_apart(lacking, look, with_amsmath=True)
        errors = {n: reason for n, reason in errors.items() if n not in lacking} | more_errors
        images |= more_images
    return [Rendered(n, formula, images.get(n), errors.get(n)) for n, formula in numbered.items()]


_UNDEFINED = re.compile(r"^Undefined control sequence|Environment \S+ undefined")

# Commands that may change what follows the formula, or the run itself. Such a formula gets a run of its own.
_RISKY = re.compile(
    r"""\^\^ | \$\$ | \\[\[\]()] | \\(?: [A-Za-z]*def | let | futurelet | global[a-z]* | new(?!line\b)[a-z]* | renew[a-z]*
    | provide[a-z]* | Declare[A-Za-z]* | set(?!minus\b)[a-z]* | addto[a-z]* | (?:ref)?stepcounter | write[a-z]* | immediate
    | open[a-z]* | close[a-z]* | read[a-z]* | input[a-z]* | include[a-z]* | endinput | scantokens | special | pdf[a-z]*
    | shipout | output[a-z]* | every[a-z]* | [a-z]*code | csname | (?:end)?document | dump | stop | end(?=\s*[^\s{])
    | makeat[a-z]* | usepackage | RequirePackage | [a-z]*mode | [a-z]*message | type[a-z]* | show[a-z]* | tracing[a-z]*
    | begingroup | endgroup | bgroup | egroup | after[a-z]* | [a-z]*font(?:dimen)? | [a-z]*char | page[a-z]* | At[A-Z][A-Za-z]*
    | verb | bibliography | tableofcontents | insert | vadjust | mark | footnote | marginpar | hyphenation | patterns
    ) (?![A-Za-z]) | \\(?:begin|end)\s*\{\s*(?:document|figure|table|verbatim|filecontents)""",
    re.VERBOSE,
)


def _render_apart(
    formulas: dict[int, str], look: Look, *, with_amsmath: bool
) -> tuple[dict[int, Image.Image], dict[int, str]]:
    """Pictures and reasons; formulas that could harm others, or ended a run, are rendered alone."""
    images: dict[int, Image.Image] = {}
    errors: dict[int, str] = {}
    risky = {n for n, formula in formulas.items() if _RISKY.search(formula)}
    alone = deque([n] for n in risky)
    queue = deque([[n for n in formulas if n not in risky]]) + alone
    while queue:
        numbers = queue.popleft()
        if not numbers:
            continue
        chunk = {n: formulas[n] for n in numbers}
        with tempfile.TemporaryDirectory(prefix="im2latex-") as folder:
            run = run_latex(chunk, look, Path(folder), with_amsmath=with_amsmath)
        if run.stopped_at is not None and len(numbers) > 1:
            queue.append([n for n in numbers if n != run.stopped_at])
            queue.append([run.stopped_at])
            continue
        pages = rasterise(run.pdf, look) if run.pdf else {}
        for n in numbers:
            image = pages.get(n)
            if n in run.errors:
                errors[n] = run.errors[n]
            elif run.stopped_at is not None or n not in pages:
                errors[n] = "TeX ended before the formula did"
            elif image is None:
                errors[n] = "the formula shows nothing"
            else:
                images[n] = image
    return images, errors
