"""A note on disk of what a worker is reading: a picture that kills every worker is found, and left alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TOGETHER = 2
"""Deaths after which the pictures of a batch are read one by one: one of them may be the cause."""
ALONE = 5
"""Deaths after which a picture read alone is held to be the cause: five, since workers die of other causes as well.

With three, twenty kills from outside blamed a picture in 3 of 14 runs (test_bulk.py, f4b5d28).
"""
BEGIN, END = "begin", "end"


class Attempts:
    """Which batches of a shard were begun and never ended, over all processes that tried; batches are named by places.

    A line is written before and after each batch. The system keeps it when the process is killed, so it needs no
    fsync: after a power failure all that is lost is a death, and deaths must come in numbers to mean anything.
    """

    def __init__(self, path: Path) -> None:
        """Reads what earlier processes left in the file."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_bytes().rpartition(b"\n")[0] + b"\n" if path.exists() else b"\n"
        path.write_bytes(whole)  # without a last line cut short
        self._deaths: Counter[str] = Counter()
        for line in whole.decode().splitlines():
            kind, _, name = line.partition(" ")
            self._deaths[name] += {BEGIN: 1, END: -1}.get(kind, 0)

    @property
    def is_first(self) -> bool:
        """Whether no process has died at this shard."""
        return not any(self._deaths.values())

    @contextmanager
    def at(self, places: Sequence[int]) -> Iterator[bool]:
        """Work on these pictures; False: too many have died at it, leave it alone.

        An exception that is raised inside counts as a death, but for the wish to stop.
        """
        name, most = _name(places), ALONE if len(places) == 1 else TOGETHER
        if self._deaths[name] >= most and len(places) < 2:
            yield False
            return
        self._note(BEGIN, name)
        try:
            yield True
        except (KeyboardInterrupt, SystemExit):
            self._note(END, name)
            raise
        self._note(END, name)

    def parts(self, places: Sequence[int]) -> list[list[int]]:
        """The batch as it is, or picture by picture when workers died at it."""
        if self._deaths[_name(places)] < TOGETHER:
            return [list(places)]
        return [[place] for place in places]

    def deaths_at(self, places: Sequence[int]) -> int:
        """How many processes died at this batch."""
        return self._deaths[_name(places)]

    def forget(self) -> None:
        """The shard is done."""
        self._path.unlink(missing_ok=True)

    def _note(self, kind: str, name: str) -> None:
        with self._path.open("a", encoding="ascii") as stream:
            stream.write(f"{kind} {name}\n")


def _name(places: Sequence[int]) -> str:
    return ",".join(map(str, places))
