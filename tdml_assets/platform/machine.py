"""Cores and memory that this process may use.

Elsewhere: tiers (``engines/protocol.py``), what DuckDB is given (``resources.py``).

A container shows its host's memory, and a process that plans with it is ended by the kernel. So the limits of control groups count:
``memory.max`` and ``cpu.max`` of version 2, ``memory.limit_in_bytes`` and ``cpu.cfs_quota_us`` of version 1 (Linux kernel
documentation, admin-guide/cgroup-v2 and cgroup-v1).
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def machine(groups: Path = _GROUPS) -> tuple[int, float]:
    """Cores and memory in GB (10**9 bytes) that this process may use.

    ``groups``: where control groups are shown; inside a container, its own.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [
        _number(groups / "memory.max"),
        _number(groups / "memory" / "memory.limit_in_bytes"),
    ]
    return max(1, min(cores, _core_limit(groups) or cores)), min([memory, *filter(None, limits)]) / 1e9


def _core_limit(groups: Path) -> int | None:
    """Whole cores that a quota amounts to, rounded up; None for no quota."""
    quota, _, period = _text(groups / "cpu.max").partition(" ")
    pairs = [(_positive(quota), _positive(period))]
    pairs += [(_number(groups / "cpu" / "cpu.cfs_quota_us"), _number(groups / "cpu" / "cpu.cfs_period_us"))]
    found = [math.ceil(quota / period) for quota, period in pairs if quota and period]
    return min(found) if found else None


def _number(path: Path) -> int | None:
    return _positive(_text(path))


def _positive(text: str) -> int | None:
    # "max" of version 2 and -1 of version 1 are no limit.
    return int(text) if text.isdigit() and int(text) > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
