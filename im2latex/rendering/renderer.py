"""Formulas become pictures: many per LaTeX run, in parallel, in the order given."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from types import TracebackType

from PIL import Image
from tqdm import tqdm

from im2latex.errors import RenderError
from im2latex.rendering.batch import render_batch
from im2latex.rendering.look import Look
from im2latex.rendering.tex import require_latex

__all__ = ["Look", "Rendered", "Renderer", "render_formulas"]

_BATCH = 256  # formulas a LaTeX run: enough to share its start, few enough to repeat when one of them spoils it


@dataclass(frozen=True)
class Rendered:
    """One formula with its picture (mode "L", black on white), or with TeX's reason for having none."""

    index: int  # position in the input
    formula: str
    image: Image.Image | None
    error: str | None


class Renderer:
    """A pool of rendering processes and a look, kept for as many lists of formulas as wanted.

    `with Renderer(look, workers) as renderer: for rendered in renderer.render(formulas): ...`
    One worker means this process. More are started with "spawn": a script needs its `__main__` guard.
    """

    def __init__(self, look: Look, workers: int = 1) -> None:
        self.look = look
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Renderer:
        require_latex()
        if self.workers > 1:
            self._pool = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), initializer=_leave_with_parent
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def render(
        self, formulas: Iterable[str], *, look: Look | None = None, progress: bool = False
    ) -> Iterator[Rendered]:
        """One Rendered per formula, in order; reads only a few batches ahead of what it has yielded.

        `look`: for these formulas only, in place of the renderer's.
        """
        rendered = self._render(formulas, look or self.look)
        return iter(tqdm(rendered, desc="rendering", unit=" formulas")) if progress else rendered

    def _render(self, formulas: Iterable[str], look: Look) -> Iterator[Rendered]:
        waiting: deque[Future[list[Rendered]]] = deque()
        for batch in _batches(formulas):
            if self._pool is None:
                yield from _render_batch(batch, look)
                continue
            waiting.append(self._pool.submit(_render_batch, batch, look))
            if len(waiting) > 2 * self.workers:
                yield from _result(waiting.popleft())
        while waiting:
            yield from _result(waiting.popleft())


def render_formulas(
    formulas: Iterable[str], look: Look, workers: int = 1, *, progress: bool = False
) -> Iterator[Rendered]:
    """Renders raw LaTeX or space-separated tokens, in order; Renderer keeps its processes for more lists.

    A formula that TeX refuses is reported in its Rendered. RenderError: there is no LaTeX, or it cannot run.
    """
    with Renderer(look, workers) as renderer:
        yield from renderer.render(formulas, progress=progress)


def _batches(formulas: Iterable[str]) -> Iterator[dict[int, str]]:
    numbered = enumerate(formulas)
    while batch := dict(islice(numbered, _BATCH)):
        yield batch


def _render_batch(batch: dict[int, str], look: Look) -> list[Rendered]:
    outcome = render_batch(batch, look)
    return [Rendered(n, text, outcome.images.get(n), outcome.errors.get(n)) for n, text in batch.items()]


def _result(future: Future[list[Rendered]]) -> list[Rendered]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise RenderError("a rendering process was killed; is there enough memory?") from error


def _leave_with_parent() -> None:
    """For a worker: end when the parent is gone, even by `kill -9`; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
