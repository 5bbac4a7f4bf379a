"""Removing old files of a folder.

Belongs here: what a command may do without Dagster. Does not: the rest of what is kept (``housekeeping.py``).
"""

from __future__ import annotations

from pathlib import Path

from tdml_assets.core.retention import removable_files


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
