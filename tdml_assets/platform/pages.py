"""Folders of files that a library writes by name, and that are gone whatever ends the process.

XGBoost opens the file of its pages again and again by its name, so it cannot be a file without one. The folder is locked as long as
its process lives: one that nobody holds was left by a process that was killed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tdml_assets.platform.files import locked

_PREFIX = "pages-"


@contextmanager
def page_folder(folder: str | Path) -> Iterator[Path]:
    """A new folder inside ``folder``, which is removed with all that is in it when the block ends, by an error too."""
    base = Path(folder)
    base.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        # Until it has its lock, another process would take it for one that was left.
        with locked(base):
            _remove_left(base)
            made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            held.callback(shutil.rmtree, made, ignore_errors=True)
            held.enter_context(locked(made))
        yield made


def remove_left_pages(folder: str | Path) -> None:
    """Remove folders that killed processes left inside ``folder``."""
    base = Path(folder)
    if base.is_dir():
        with locked(base):
            _remove_left(base)


def _remove_left(base: Path) -> None:
    for path in base.glob(f"{_PREFIX}*"):
        with suppress(BlockingIOError), locked(path, wait=False):
            shutil.rmtree(path, ignore_errors=True)
