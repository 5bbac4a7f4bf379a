"""The benchmark of loading: the same file each time, and every side reads all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks import load, load_child


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        load.write_lines(tmp_path / name, 300)
    first, second = (hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.csv", "b.csv"))
    assert first == second
    header = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[0]
    assert set(load_child.COLUMNS.values()) == set(header.split(","))


def test_this_checkout_and_duckdb_read_every_line_and_orders_that_were_cancelled_are_left_out(tmp_path: Path) -> None:
    load.write_lines(tmp_path / "orders.csv", 600)
    cancelled = sum(line.endswith(",cancelled") for line in (tmp_path / "orders.csv").read_text().splitlines())
    assert cancelled > 0
    assert load_child.load_by_tree(tmp_path, tmp_path) == 600 - cancelled
    assert load_child.load_by_duckdb(tmp_path, tmp_path) == 600
