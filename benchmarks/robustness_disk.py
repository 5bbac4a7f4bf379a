"""Sessions on a file system with too little room; part of ``make study-robustness``.

Belongs here: the small file systems, and what must be true of a session that filled one. Does not: the state folder
(``robustness_state.py``).

Where this process may mount, the state lies on a memory file system of each size. Elsewhere the size of any one file is limited
instead, which is less than a full disk and said so.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.robustness_state import State, Tables, differences

_BYTES_PER_MB = 1_000_000
#: Of the room that an undisturbed session needs.
SHARES = (0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Full:
    """What a session did with too little room, and the next one with enough.

    Parameters
    ----------
    code : its exit code: 0 where the room was enough after all.
    tracebacks : lines of a traceback that the command printed.
    named : whether it said that no space is left.
    readable : whether the warehouse it left can be read.
    next_code : exit code of the next session, with room.
    different : tables that then equal neither those of an undisturbed first session nor those of a second, without the columns
        that compare with an earlier session: one that was short of room late has trained and scored already.
    """

    megabytes: float
    code: int
    tracebacks: int
    named: bool
    readable: bool
    next_code: int
    different: tuple[str, ...]


def may_mount(folder: Path) -> bool:
    """Whether a memory file system can be mounted here."""
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return False
    place = folder / "probe"
    place.mkdir(parents=True, exist_ok=True)
    done = _mount(place, 1.0)
    if done:
        subprocess.run(["umount", str(place)], check=False)
    return done


def study(folder: Path, shares: Sequence[float] = SHARES) -> list[Full]:
    """First sessions with a share of the room they need."""
    empty = State(folder / "empty").make()
    code, printed, _ = empty.run("prepare")
    if code:
        raise RuntimeError(f"the state cannot be prepared:\n{printed[-2000:]}")
    undisturbed, tables, sizes = empty.copied_to(folder / "undisturbed"), [], []
    for _ in range(2):
        code, printed, _ = undisturbed.run("run")
        if code not in (0, 3):
            raise RuntimeError(f"an undisturbed session ended with {code}:\n{printed[-2000:]}")
        tables.append(undisturbed.tables(own=True))
        sizes.append(_megabytes(undisturbed.folder))
    start, end, mounts = _megabytes(empty.folder), sizes[0], may_mount(folder)
    largest = max(path.stat().st_size for path in undisturbed.home.rglob("*") if path.is_file()) / _BYTES_PER_MB
    found = []
    for share in shares:
        if mounts:
            found.append(_on_small_disk(folder / "small", empty, start + share * (end - start), tables))
        else:
            found.append(_with_small_files(folder / "small", empty, share * largest, tables))
        sys.stderr.write(f"{found[-1]}\n")
    return found


def _on_small_disk(place: Path, empty: State, megabytes: float, tables: Sequence[Tables]) -> Full:
    place.mkdir(parents=True, exist_ok=True)
    # Whole pages: room for the copy of the start, whatever its many small files round up to.
    if not _mount(place, megabytes + 4):
        raise RuntimeError(f"{place} cannot be mounted")
    try:
        state = empty.copied_to(place / "state")
        code, printed, _ = state.run("run")
        readable = _is_readable(state)
        subprocess.run(["mount", "-o", "remount,size=2g", str(place)], check=True)
        next_code, _, _ = state.run("run")
        return _judged(megabytes, code, printed, readable, next_code, state, tables)
    finally:
        subprocess.run(["umount", str(place)], check=False)


def _with_small_files(place: Path, empty: State, megabytes: float, tables: Sequence[Tables]) -> Full:
    state = empty.copied_to(place)
    limit = int(megabytes * _BYTES_PER_MB)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    code, printed, _ = state.run("run", preexec_fn=limited)
    readable = _is_readable(state)
    next_code, _, _ = state.run("run")
    return _judged(megabytes, code, printed, readable, next_code, state, tables)


def _judged(
    megabytes: float,
    code: int,
    printed: str,
    readable: bool,
    next_code: int,
    state: State,
    tables: Sequence[Tables],
) -> Full:
    if code not in (0, 3):
        sys.stderr.write(f"{printed[-1500:]}\n")
    different = tuple(differences(state.tables(own=True), *tables)) if next_code in (0, 3) else ("no tables",)
    named = "space" in printed.lower()
    return Full(round(megabytes, 1), code, printed.count("Traceback"), named, readable, next_code, different)


def _mount(place: Path, megabytes: float) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * _BYTES_PER_MB)}", "tmpfs", str(place)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _megabytes(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total / _BYTES_PER_MB


def _is_readable(state: State) -> bool:
    path = state.home / "warehouse.duckdb"
    if not path.exists():
        return True
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("select count(*) from information_schema.tables")
    except duckdb.Error:
        return False
    return True
