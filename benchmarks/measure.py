"""Measuring commands and writing what was measured: seconds and memory of a whole process tree, in one form of table.

Belongs here: running one command and watching everything it starts, the machine's facts, ``docs/<name>.md`` and
``docs/results/<name>.json``. Does not: what is run and why (each benchmark's own module).

Memory is counted per process as what it alone owns and summed over the tree: anonymous, shared and swapped-out memory
of ``/proc/<pid>/status`` on Linux, elsewhere the unique set size. Pages of files that are only mapped (libraries, data)
are left out, because the kernel drops them when memory is short. The proportional set size would say the same more
exactly but walks every page of the process, which slows down what is measured.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

BYTES_PER_GB = 10**9
_INTERVAL_SECONDS = 0.1
_COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:")
_DIGITS = {"seconds": 1, "cpu_seconds": 1, "peak_memory_gb": 2}


class CommandFailedError(RuntimeError):
    """A measured command failed or took too long: names it, its exit code and its log."""


@dataclass(frozen=True)
class Measurement:
    """What one command cost.

    Parameters
    ----------
    seconds : from its start to its end, by the wall clock.
    cpu_seconds : of all processes of the tree that were waited for, in user and kernel mode.
    peak_memory_gb : most memory the tree held at any sample, in units of 10**9 bytes.
    samples : how often memory was looked at.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_gb: float
    samples: int


@dataclass(frozen=True)
class Machine:
    """What the measurements were made on.

    Parameters
    ----------
    cpus : logical cores this process may use.
    memory_gb : in units of 10**9 bytes.
    """

    cpus: int
    memory_gb: float
    system: str
    python: str

    def caption(self) -> str:
        """Say it in one line, for under a table."""
        return f"{self.cpus} cores, {self.memory_gb:.0f} GB memory, {self.system}, Python {self.python}"


@dataclass(frozen=True)
class Row:
    """One figure of both sides; None where a side has none.

    Parameters
    ----------
    case : what was run.
    metric : what was measured, with its unit.
    """

    case: str
    metric: str
    ours: float | None
    baseline: float | None

    @property
    def ratio(self) -> float | None:
        """Ours over the baseline's: below 1, ours needs less."""
        if self.ours is None or not self.baseline:
            return None
        return float(f"{self.ours / self.baseline:.3g}")

    def as_dict(self) -> dict[str, str | float | None]:
        """Give the row in the form of the results file."""
        return {
            "case": self.case,
            "metric": self.metric,
            "ours": self.ours,
            "rival": self.baseline,
            "ratio": self.ratio,
        }


@dataclass
class _Watch:
    """Samples the memory of a process and everything it ever started, until stopped."""

    root: psutil.Process
    interval_seconds: float
    look: Callable[[Sequence[psutil.Process], int], None] | None = None
    peak_bytes: int = 0
    samples: int = 0
    _seen: dict[int, psutil.Process] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.is_set():
            self.sample()
            self._stop.wait(self.interval_seconds)

    def stop(self) -> None:
        self._stop.set()

    def sample(self) -> None:
        processes = self.processes()
        owned = sum(owned_bytes(process) for process in processes if not _is_about_to_exec(process, processes))
        self.peak_bytes = max(self.peak_bytes, owned)
        self.samples += 1
        if self.look is not None:
            self.look(processes, owned)

    def processes(self) -> list[psutil.Process]:
        """List the tree. A process whose parent has ended belongs to it still."""
        for known in (self.root, *self._seen.values()):
            try:
                children = known.children(recursive=True)
            except psutil.NoSuchProcess:
                continue
            self._seen.update({child.pid: child for child in children if child.pid not in self._seen})
        self._seen = {pid: process for pid, process in self._seen.items() if process.is_running()}
        return [self.root, *self._seen.values()]


def owned_bytes(process: psutil.Process) -> int:
    """Memory that belongs to a process alone; 0 for one that has ended."""
    try:
        if sys.platform != "linux":
            return int(process.memory_full_info().uss)
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except (psutil.Error, OSError):
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(_COUNTED))


def _is_about_to_exec(process: psutil.Process, processes: Sequence[psutil.Process]) -> bool:
    """Whether a process is a just-made copy of its parent, whose memory would count twice."""
    try:
        young = time.time() - process.create_time() < 2 * _INTERVAL_SECONDS
        if not young:
            return False
        parent = process.parent()
        return parent is not None and parent in processes and parent.cmdline() == process.cmdline()
    except psutil.Error:
        return True


def measure(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
    interval_seconds: float = _INTERVAL_SECONDS,
    look: Callable[[Sequence[psutil.Process], int], None] | None = None,
) -> Measurement:
    """Run a command to its end and watch it and everything it starts.

    Parameters
    ----------
    command : program and arguments.
    log : gets all output, replaced.
    folder : working directory.
    environment : variables of the command; this process's own unless given.
    timeout_seconds : after which the whole tree is ended.
    interval_seconds : between two looks at its memory; a peak that is shorter may be missed.
    look : called at every look with the processes of the tree and the bytes that they own.

    Raises
    ------
    CommandFailedError
        If the command ends with another code than 0 or takes too long; with the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        watch = _Watch(psutil.Process(process.pid), interval_seconds, look)
        thread = threading.Thread(target=watch.run, daemon=True)
        thread.start()
        try:
            code: int | None = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            seconds = time.perf_counter() - started
            watch.stop()
            thread.join()
            _end(watch.processes())
            process.wait()
    if code != 0:
        ended = f"took longer than {timeout_seconds:g} s" if code is None else f"ended with code {code}"
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise CommandFailedError(f"{' '.join(command)} {ended}; log {log}:\n{last}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measurement(seconds, cpu_seconds, watch.peak_bytes / BYTES_PER_GB, watch.samples)


def _end(processes: Iterable[psutil.Process]) -> None:
    """End what is left of a tree: nothing that a benchmark started may outlive it."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def rows_of(case: str, ours: Sequence[Measurement], baseline: Sequence[Measurement]) -> list[Row]:
    """Put both sides next to each other: the median of the repetitions, rounded; a side without any has no figure."""
    return [
        Row(case, metric, *(_median([getattr(one, metric) for one in side], digits) for side in (ours, baseline)))
        for metric, digits in _DIGITS.items()
    ]


def _median(values: Sequence[float], digits: int) -> float | None:
    return round(statistics.median(values), digits) if values else None


def this_machine() -> Machine:
    """Look at the machine."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_gb = psutil.virtual_memory().total / BYTES_PER_GB
    return Machine(cpus, memory_gb, f"{platform.system()} {platform.machine()}", platform.python_version())


def markdown_table(rows: Sequence[Row], *, first: str = "case") -> str:
    """Draw rows as a table."""
    lines = [f"| {first} | metric | ours | baseline | ratio |", "|---|---|---:|---:|---:|"]
    for row in rows:
        cells = (_cell(value) for value in (row.ours, row.baseline, row.ratio))
        lines.append(f"| {row.case} | {row.metric} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == math.floor(value) and abs(value) >= 1000 else f"{value:,g}"


def write_results(name: str, text: str, rows: Sequence[Row], docs: Path) -> None:
    """Write ``<docs>/<name>.md`` and the same rows to ``<docs>/results/<name>.json``, one a line; each in one step."""
    content = "[\n" + ",\n".join(json.dumps(row.as_dict(), allow_nan=False) for row in rows) + "\n]\n"
    for path, body in ((docs / f"{name}.md", text), (docs / "results" / f"{name}.json", content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(body, encoding="utf-8")
        partial.replace(path)
