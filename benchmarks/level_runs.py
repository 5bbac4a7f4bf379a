"""Many simulated shops, each in a process of its own, with what is done kept: a study that is ended goes on where it was.

Belongs here: processes, the files of finished shops. Does not: shops (``level_shops.py``), the page (``level.py``).
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from multiprocessing.connection import wait
from multiprocessing.context import ForkContext, ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.level_shops import Outcome, draw_shop, run_shop

_ROOT = Path(__file__).resolve().parent.parent
#: What the outcome of a shop depends on: files of another content begin a study of their own.
_SOURCES = ("tdml_assets/engines/level*.py", "benchmarks/level_[os]*.py", "sql/training/level_windows.sql")


class UnfinishedError(RuntimeError):
    """Processes of shops ended without an outcome."""


def folder_of(root: Path) -> Path:
    """Where the outcomes of the code as it is are kept, below ``root``."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return root / digest.hexdigest()[:12]


def run_shops(
    shops: Iterable[int], folder: Path, processes: int, report: Callable[[int, Sequence[Outcome]], None]
) -> list[Outcome]:
    """Outcomes of shops, smallest first; those in the folder are read, not run again.

    Parameters
    ----------
    folder : of one file a finished shop.
    processes : how many run at a time, each for one shop.
    report : is called with every shop that finishes.

    Raises
    ------
    UnfinishedError
        If a process ended without an outcome, after all others have run; the next call repeats those alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = list(shops)
    waiting = sorted((one for one in numbers if not _file(folder, one).exists()), key=_size, reverse=True)
    context = _context()
    running: dict[int, BaseProcess] = {}
    failed = {}
    while waiting or running:
        while waiting and len(running) < processes:
            number = waiting.pop()
            process = context.Process(target=_run_one, args=(number, folder))
            process.start()
            running[number] = process
        wait([process.sentinel for process in running.values()])
        for number in [one for one, process in running.items() if not process.is_alive()]:
            ended = running.pop(number)
            ended.join()
            if ended.exitcode == 0:
                report(number, read_outcomes(folder, number))
            else:
                failed[number] = ended.exitcode
    if failed:
        raise UnfinishedError(
            f"shops whose process ended without an outcome, with its exit code: {failed}; run this again"
        )
    return [outcome for one in sorted(numbers) for outcome in read_outcomes(folder, one)]


def _context() -> ForkServerContext | ForkContext:
    found = multiprocessing.get_context("forkserver")
    # Imported once: a process of a shop begins with it.
    found.set_forkserver_preload(["benchmarks.level_shops"])
    return found


def finished_shops(shops: Iterable[int], folder: Path) -> list[int]:
    """Those whose outcome is in the folder."""
    return [one for one in shops if _file(folder, one).exists()]


def read_outcomes(folder: Path, number: int) -> list[Outcome]:
    """Outcomes of a finished shop; none where every training was refused."""
    return [Outcome(**one) for one in json.loads(_file(folder, number).read_text(encoding="utf-8"))]


def _run_one(number: int, folder: Path) -> None:
    found = json.dumps([asdict(one) for one in run_shop(number)])
    part = _file(folder, number).with_suffix(f".{os.getpid()}")
    part.write_text(found, encoding="utf-8")
    part.replace(_file(folder, number))


def _size(number: int) -> int:
    return draw_shop(number)[1].customers


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number}.json"
