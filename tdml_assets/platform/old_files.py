"""Removing what is old: which files and model versions may go, and old files of a folder.

Elsewhere: the rest of what is removed (``housekeeping.py``), how much is kept (``declaration/retention.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path


def remove_files(folder: Path, pattern: str, keep: int) -> int:
    """Remove all but the ``keep`` files of a folder written last. Returns how many went."""
    # Links, such as to the latest page, are not files of their own.
    found = {
        path.name: path.stat().st_mtime for path in folder.glob(pattern) if path.is_file() and not path.is_symlink()
    }
    doomed = removable_files(found, keep)
    for name in doomed:
        (folder / name).unlink(missing_ok=True)
    return len(doomed)


def removable_files(written_at: Mapping[str, float], keep: int) -> list[str]:
    """Names of all but the ``keep`` files written last, the oldest first. ``written_at``: seconds since the epoch per name."""
    order = sorted(written_at, key=lambda name: (written_at[name], name))
    return order[: max(len(order) - keep, 0)]


def removable_versions(
    stored: Sequence[str], scored: Sequence[str], protected: Collection[str], keep: int
) -> list[str]:
    """Model versions that may go, in the order of ``stored``.

    ``stored``: complete versions, the oldest first. ``scored``: versions that scored, the latest first; they are kept before
    those that never did. ``protected``: versions that stay whatever ``keep`` says; they count.
    """
    wanted = [*(name for name in stored if name in protected), *scored, *reversed(stored)]
    known = [name for name in dict.fromkeys(wanted) if name in stored]
    kept = {*known[:keep], *protected}
    return [name for name in stored if name not in kept]
