"""Rows in a file without a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tdml_assets.platform.spool import mapped_table, spooled


def test_a_spooled_table_is_read_twice_and_leaves_no_file(tmp_path: Path) -> None:
    whole = pa.table({"x": list(range(1000)), "name": [f"n{place}" for place in range(1000)]})
    before = pa.total_allocated_bytes()
    seen: list[str] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in whole.to_batches(max_chunksize=64):
            yield batch
            seen.extend(path.name for path in (tmp_path / "spill").iterdir())

    found = spooled(batches(), tmp_path / "spill")
    assert found is not None
    table = found.table
    assert pa.total_allocated_bytes() - before < whole.nbytes / 10, "the rows are not in memory"
    assert table.equals(whole)
    assert table.slice(500).equals(whole.slice(500))
    assert mapped_table(found.descriptor).equals(whole), "a child that is given the file reads the same"
    assert not seen, "a process that is killed while it writes leaves nothing behind"
    assert not list((tmp_path / "spill").iterdir())
    assert spooled([], tmp_path) is None
