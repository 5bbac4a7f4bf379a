"""What this process may use: a container's limits, not its host's memory."""

import os

import pytest

from tdml_assets.platform.machine import machine


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_of_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="ascii")
    return folder


def test_without_limits_it_is_the_machine(tmp_path):
    cores, memory_gb = machine(tmp_path)
    assert cores == (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    assert memory_gb == pytest.approx(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9)


def test_a_container_of_version_2_has_its_limits(tmp_path):
    groups = write(tmp_path, memory_of_max="536870912", cpu_of_max="50000 100000")
    assert machine(groups) == (1, pytest.approx(0.536870912))


def test_a_container_of_version_1_has_its_limits(tmp_path):
    (tmp_path / "cpu").mkdir()
    write(tmp_path / "cpu", cpu_of_cfs_quota_us="20000", cpu_of_cfs_period_us="100000")
    (tmp_path / "memory").mkdir()
    write(tmp_path / "memory", memory_of_limit_in_bytes="1000000000")
    assert machine(tmp_path) == (1, pytest.approx(1.0))


def test_no_limit_and_more_than_there_is_change_nothing(tmp_path):
    groups = write(tmp_path, memory_of_max="max", cpu_of_max="max 100000")
    assert machine(groups) == machine(tmp_path / "none")
    groups = write(tmp_path, memory_of_max=str(2**62), cpu_of_max="100000000 100000")
    assert machine(groups) == machine(tmp_path / "none")
