"""Which processes a process has started, for tests that kill them."""

from pathlib import Path


def descendants(parent: int) -> list[int]:
    """Ids of the processes below one, the oldest first."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    below = [pid for pid, its in parents.items() if its == parent]
    return sorted(below + [pid for child in below for pid in descendants(child)])
