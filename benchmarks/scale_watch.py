"""Samples of a running session: CPU seconds, memory and disk over time, and what each stage took of them.

Belongs here: one line a sample, kept while it runs so that a killed attempt is counted too; the stages, by the times at which
Dagster's steps began and ended. Does not: what is run (``scale.py``), the processes of a tree (``measure.py``).
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.measure import BYTES_PER_GB

_SECONDS_BETWEEN_DISK = 1.0
#: Stage by the part of a step's name that says it; the first that fits counts.
_STAGES = (
    ("load", ("raw__",)),
    ("features", ("features__", "dbt_build")),
    ("measure", ("monitoring__", "__realised", "__drift", "__triage")),
    ("training table", ("__training_table", "__exploration")),
    ("prepare", ("__prep",)),
    ("train and judge", ("__candidate_model", "__evaluation", "__champion_model")),
    ("score", ("__predictions", "__next_orders")),
    ("attributes and exports", ("audience__", "publish", "__session_report")),
)
REST = "start, stop and all else"
STAGES = (*(stage for stage, _ in _STAGES), REST)


@dataclass(frozen=True)
class Cost:
    """What a stage took.

    Parameters
    ----------
    peak_memory_gb, peak_disk_gb : most that was seen at once, in units of 10**9 bytes.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_gb: float
    peak_disk_gb: float

    def plus(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_memory_gb, other.peak_memory_gb),
            max(self.peak_disk_gb, other.peak_disk_gb),
        )

    def as_dict(self) -> dict[str, float]:
        """Its figures by name."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


NOTHING = Cost(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Sample:
    """The tree at one moment; ``at`` in seconds since 1970, the rest as in :class:`Cost`."""

    at: float
    cpu_seconds: float
    memory_gb: float
    disk_gb: float


@dataclass(frozen=True)
class Step:
    """One step of a run, from when to when."""

    name: str
    start: float
    end: float


class Sampler:
    """Writes a line per sample: give it to ``measure`` as ``look``."""

    def __init__(self, path: Path, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._cpu: dict[int, float] = {}
        self._disk, self._disk_at = 0.0, 0.0
        self._file = path.open("a", encoding="ascii", buffering=1)

    def __call__(self, processes: Sequence[psutil.Process], owned_bytes: int) -> None:
        """Take a sample."""
        for process in processes:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self._cpu[process.pid] = times.user + times.system
        now = time.time()
        if now - self._disk_at >= _SECONDS_BETWEEN_DISK:
            self._disk, self._disk_at = disk_gb(self._folders), now
        self._file.write(f"{now:.3f},{sum(self._cpu.values()):.3f},{owned_bytes / BYTES_PER_GB:.4f},{self._disk:.4f}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def disk_gb(folders: Iterable[Path]) -> float:
    """Blocks that all files below the folders take; one that is removed meanwhile counts nothing."""
    found = 0
    # os.walk passes over a folder that is removed meanwhile, where Path.rglob raises.
    for place in (place for folder in folders for place in os.walk(folder)):
        for name in (*place[1], *place[2]):
            with suppress(OSError):
                found += Path(place[0], name).lstat().st_blocks * 512
    return found / BYTES_PER_GB


def read_samples(path: Path) -> list[Sample]:
    """The samples of one attempt; a last line that was not written whole is left out."""
    rows = [line.split(",") for line in path.read_text(encoding="ascii").splitlines() if line.count(",") == 3]
    return [Sample(*(float(value) for value in row)) for row in rows]


def steps_of(home: Path, since: float) -> list[Step]:
    """Steps of the runs in a state folder that began after ``since``, by Dagster's record; one that was killed has no end."""
    found = []
    runs = home / "dagster" / "history" / "runs"
    for path in (path for path in runs.glob("*.db") if path.name != "index.db"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            rows = connection.execute(
                "select step_key, dagster_event_type, timestamp from event_logs "
                "where dagster_event_type in ('STEP_START', 'STEP_SUCCESS', 'STEP_FAILURE', 'STEP_SKIPPED') order by id"
            ).fetchall()
        starts: dict[str, float] = {}
        for name, event, at in rows:
            seconds = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
            if event == "STEP_START":
                starts[name] = seconds
            elif name in starts:
                found.append(Step(name, starts.pop(name), seconds))
        found += [Step(name, start, math.inf) for name, start in starts.items()]
    return [step for step in found if step.start >= since]


def stage_of(step: str) -> str:
    """The stage a step belongs to."""
    return next((stage for stage, parts in _STAGES if any(part in step for part in parts)), REST)


def costs_of(samples: Sequence[Sample], steps: Sequence[Step]) -> dict[str, Cost]:
    """Cost per stage of one attempt; what no step accounts for is the rest."""
    if not samples:
        return {}
    found = dict.fromkeys(STAGES, NOTHING)
    times = [sample.at for sample in samples]
    inside = [(max(step.start, times[0]), min(step.end, times[-1]), stage_of(step.name)) for step in steps]
    at = times[0]
    for start, end, stage in sorted(part for part in inside if part[0] < part[1]):
        found[REST] = found[REST].plus(_between(samples, times, at, start))
        found[stage] = found[stage].plus(_between(samples, times, max(start, at), end))
        at = max(at, end)
    found[REST] = found[REST].plus(_between(samples, times, at, times[-1]))
    return {stage: cost for stage, cost in found.items() if cost.seconds > 0}


def _between(samples: Sequence[Sample], times: Sequence[float], start: float, end: float) -> Cost:
    if end <= start:
        return NOTHING
    # The sample at or behind each end: what a stage used since the last look is counted with it.
    first, last = (min(bisect_left(times, at), len(times) - 1) for at in (start, end))
    seen = samples[first : last + 1]
    return Cost(
        end - start,
        samples[last].cpu_seconds - samples[first].cpu_seconds,
        max(sample.memory_gb for sample in seen),
        max(sample.disk_gb for sample in seen),
    )


def of_attempts(attempts: Sequence[Mapping[str, Cost]]) -> dict[str, Cost]:
    """Cost per stage where attempts were killed: the dearest of each, since a later one takes over what was finished."""
    stages = [stage for stage in STAGES if any(stage in attempt for attempt in attempts)]
    return {
        stage: max((attempt[stage] for attempt in attempts if stage in attempt), key=lambda cost: cost.cpu_seconds)
        for stage in stages
    }


def total(costs: Mapping[str, Cost]) -> Cost:
    """All stages, one after the other."""
    found = NOTHING
    for cost in costs.values():
        found = found.plus(cost)
    return found
