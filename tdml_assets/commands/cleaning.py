"""What of a state folder may go: the choice, from what is there.

Belongs here: which of many logs, reports, runs, exports and model versions are kept. Does not: listing or removing them
(``commands/clean.py``).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file or folder that might go.

    ``kind``: logs, reports, versions, exports, runs, scratch or old states. ``group``: entries of one group compete for the
    places that are kept, such as the versions of one workflow. ``path``: where it lies. ``size_bytes``: with everything below
    it. ``written_at``: seconds since the epoch; the newest are kept.
    """

    kind: str
    group: str
    path: Path
    size_bytes: int
    written_at: float


def superfluous(entries: Iterable[Entry], keep: int, protected: Collection[Path] = ()) -> list[Entry]:
    """Entries that go: in each group all but the newest ``keep``, and never one that is protected.

    A protected entry does not count among those kept. Raises ``ValueError`` if ``keep`` is negative.
    """
    if keep < 0:
        raise ValueError(f"keep is {keep}: give 0 or more")
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.path not in protected:
            groups.setdefault((entry.kind, entry.group), []).append(entry)
    doomed = []
    for members in groups.values():
        newest_first = sorted(members, key=lambda entry: (entry.written_at, entry.path.name), reverse=True)
        doomed += newest_first[keep:]
    return sorted(doomed, key=lambda entry: (entry.kind, str(entry.path)))


def totals(entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    """Kind, number and bytes, in the order of kinds."""
    kinds = sorted({entry.kind for entry in entries})
    return [
        (kind, sum(e.kind == kind for e in entries), sum(e.size_bytes for e in entries if e.kind == kind))
        for kind in kinds
    ]


def size_words(size_bytes: int) -> str:
    """Bytes as people read them.

    >>> size_words(4_200_000)
    '4.2 MB'
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes} B"
