"""Rows in a deleted file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tdml_assets.platform.spool import spooled


def test_a_spooled_table_is_read_twice_and_leaves_no_file(tmp_path: Path) -> None:
    whole = pa.table({"x": list(range(1000)), "name": [f"n{place}" for place in range(1000)]})
    before = pa.total_allocated_bytes()
    table = spooled(whole.to_batches(max_chunksize=64), tmp_path / "spill")
    assert table is not None
    assert pa.total_allocated_bytes() - before < whole.nbytes / 10, "the rows are not in memory"
    assert table.equals(whole)
    assert table.slice(500).equals(whole.slice(500))
    assert not list((tmp_path / "spill").iterdir())
    assert spooled([], tmp_path) is None
