"""What an installation needs to run, judged: Python, libraries, memory, disk, permissions.

Belongs here: which figures are fine, and the remedy where they are not. Does not: measuring them (``commands/doctor.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.requirements import Requirement

State = Literal["ok", "warn", "fail"]
_OLDEST_PYTHON, _NEWEST_TRIED = (3, 11), (3, 13)
_LOW_MEMORY_GB, _LOW_DISK_GB, _NO_DISK_GB = 4.0, 5.0, 0.5
#: Share of the memory that the warehouse may take; the learner and Dagster need the rest.
_WAREHOUSE_SHARE = 0.75


@dataclass(frozen=True)
class Finding:
    """One line of the answer.

    ``state``: ok, warn (works, and may not for long) or fail (a run cannot succeed). ``text``: what was found. ``remedy``: what
    to do; empty where all is well.
    """

    name: str
    state: State
    text: str
    remedy: str = ""

    def line(self) -> str:
        """As it is printed."""
        return f"{self.state:<5} {self.name:<12} {self.text}" + (f": {self.remedy}" if self.remedy else "")


def judge_python(version: tuple[int, int], text: str) -> Finding:
    """The interpreter."""
    if version < _OLDEST_PYTHON:
        return Finding(
            "python", "fail", text, "install 3.11 or newer, and make .venv again with PYTHON=/path/to/python3"
        )
    if version > _NEWEST_TRIED:
        return Finding(
            "python", "warn", f"{text}, newer than the tested 3.13", "use 3.13 if a library fails to install"
        )
    return Finding("python", "ok", text)


def judge_libraries(requirements: Sequence[str], installed: Mapping[str, str | None]) -> Finding:
    """Installed versions against those the package asks for.

    ``requirements``: as the package's metadata lists them. ``installed``: version per name; None for one that is missing.
    """
    faults, checked = [], 0
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        checked += 1
        found = installed.get(wanted.name)
        if found is None:
            faults.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(found, prereleases=True):
            faults.append(f"{wanted.name} {found} is not {wanted.specifier}")
    if faults:
        return Finding(
            "libraries", "fail", ", ".join(faults), "install the package's requirements again (make run does)"
        )
    return Finding("libraries", "ok", f"{checked} as required")


def judge_memory(total_gb: float, cores: int, warehouse_gb: float) -> Finding:
    """Memory and cores."""
    text = f"{total_gb:.1f} GB, {cores} cores; the warehouse may use {warehouse_gb:g} GB"
    if warehouse_gb > total_gb * _WAREHOUSE_SHARE:
        remedy = f"set warehouse.memory_limit_gb to {max(total_gb / 2, 0.5):.1f} or less"
        return Finding("memory", "warn", text, remedy)
    if total_gb < _LOW_MEMORY_GB:
        return Finding("memory", "warn", text, "a million order lines need about 4 GB: use a larger machine for more")
    return Finding("memory", "ok", text)


def judge_disk(free_gb: float, place: str) -> Finding:
    """Free space where the state lies."""
    text = f"{free_gb:.1f} GB free at {place}"
    if free_gb < _NO_DISK_GB:
        return Finding("disk", "fail", text, "free some, or move TDML_HOME; tdml-assets clean shows what could go")
    if free_gb < _LOW_DISK_GB:
        return Finding("disk", "warn", text, "tdml-assets clean shows what could go")
    return Finding("disk", "ok", text)


def judge_permissions(home: str, *, exists: bool, writable: bool, others_read: bool) -> Finding:
    """Whether the state folder can be written, and by nobody else read."""
    if not writable:
        return Finding(
            "permissions", "fail", f"{home} cannot be written", "correct its owner, or set another TDML_HOME"
        )
    if not exists:
        return Finding("permissions", "ok", f"{home} will be made by the first run")
    if others_read:
        return Finding(
            "permissions", "warn", f"{home} holds customers' data and others may read it", f"chmod 700 {home}"
        )
    return Finding("permissions", "ok", f"{home} is its owner's alone")


def judge_port(port: int, *, is_free: bool) -> Finding:
    """The port of the UI."""
    if is_free:
        return Finding("port", "ok", f"{port} is free for tdml-assets ui")
    return Finding("port", "warn", f"{port} is taken", f"tdml-assets ui --port {port + 1}")


def judge_telemetry(telemetry_is_off: bool) -> Finding:
    """Whether anything reports home."""
    if telemetry_is_off:
        return Finding("telemetry", "ok", "off for Dagster, dbt and Evidently")
    return Finding("telemetry", "warn", "Dagster's is not switched off in the state folder", "run tdml-assets prepare")
