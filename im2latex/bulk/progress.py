"""How far a run is: one line that moves on a terminal, a line every few seconds in a file."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

WATCHED, UNWATCHED = 0.5, 10.0
"""Seconds between two looks of a person, and between two lines in a file."""


class Progress:
    """Counts pictures, and shows them with rate, errors and time left."""

    def __init__(
        self,
        total: int,
        done: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`done`: pictures that an earlier run has read; they do not count for the rate."""
        self.total, self.before, self.read, self.failed = total, done, 0, 0
        self._stream, self._clock = stream or sys.stderr, clock
        self._is_watched = self._stream.isatty()
        self._started = self._shown = clock()
        self.show()

    def add(self, read: int, failed: int) -> None:
        """Some more pictures; fewer than none, when a worker that died had not kept them."""
        self.read += read
        self.failed += failed
        if self._clock() - self._shown >= (WATCHED if self._is_watched else UNWATCHED):
            self.show()

    def line(self) -> str:
        """What is shown."""
        now = self.read + self.failed
        done = self.before + now
        seconds = self._clock() - self._started
        rate = now / seconds if seconds > 0 else 0.0
        share = 100 * done / max(1, self.total)
        left = clock_time((self.total - done) / rate) if rate else "?"
        counts = f"{done:,} of {self.total:,} pictures ({share:.1f} %)"
        return f"{counts}, {rate:.1f}/s, {self.failed:,} errors, {left} left"

    def show(self) -> None:
        """Show the line now."""
        self._shown = self._clock()
        before, after = ("\r\x1b[K", "") if self._is_watched else ("", "\n")
        self._stream.write(f"{before}{self.line()}{after}")
        self._stream.flush()

    def close(self) -> None:
        """Show how it ended."""
        self.show()
        if self._is_watched:
            self._stream.write("\n")


def clock_time(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
