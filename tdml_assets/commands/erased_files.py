"""Files of the state folder that hold a customer who asked to be forgotten.

Elsewhere: tables, destinations and exports (``forgetting.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tdml_assets.commands.receipts import HELD, Entry

#: Folders of the state folder whose files are made anew by a run: what holds the customer there is deleted.
_MADE_ANEW = ("cache", "scratch", "spill")
#: Folders that hold no customer; they are looked through all the same.
_LOOKED_AT = ("exports", "reports", "plans", "logs", "dagster")
_TEXT = {".csv", ".json", ".jsonl", ".txt", ".html", ".log", ".tsv", ".xml", ".yaml"}
#: An id of fewer bytes is found in files of any kind by accident.
_SHORTEST_IN_BYTES = 6


def remade_files(home: Path, ids: Sequence[str]) -> list[Entry]:
    """Files that a run makes anew and that hold the person; results of database queries in any case."""
    found = set((home / "cache").glob("database-*.parquet"))
    found |= set(files_with(ids, [home / name for name in _MADE_ANEW]))
    return [Entry("file", str(path.relative_to(home)), 1) for path in sorted(found)]


def drop_sketch(home: Path, ids: Sequence[str]) -> None:
    """Take the person out of what the state folder recognises its data by."""
    from tdml_assets.stages.raw.state_identity import read_record, write_record

    record = read_record(home)
    if record is not None:
        kept = record.without(ids)
        if kept != record:
            write_record(home, kept)


def files_still_held(home: Path, ids: Sequence[str]) -> list[Entry]:
    """Files that should hold nobody, and hold the person."""
    found = files_with(ids, [home / name for name in _LOOKED_AT])
    return [Entry("file", str(path), 0, HELD, "delete it; the next run makes it anew") for path in found]


def files_with(ids: Sequence[str], folders: Sequence[Path]) -> list[Path]:
    """Files below ``folders`` that hold one of the ids, whatever else they hold; compressed columns of Parquet are read."""
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and _holds(path, ids)
    ]


def _holds(path: Path, ids: Sequence[str]) -> bool:
    if path.suffix == ".parquet":
        return holds_row(path, ids)
    content = path.read_bytes()
    if path.suffix in _TEXT:
        words = "|".join(re.escape(one) for one in ids)
        return re.search(f"(?<![0-9A-Za-z])({words})(?![0-9A-Za-z])".encode(), content) is not None
    return any(one.encode() in content for one in ids if len(one) >= _SHORTEST_IN_BYTES)


def holds_row(path: Path, ids: Sequence[str]) -> bool:
    """Whether a Parquet file has one of the ids as a value of text or of whole numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(list(ids), pa.string())
    with pq.ParquetFile(path) as file:
        # A source's own file calls the column as it likes, and may hold ids as whole numbers.
        kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary, pa.types.is_integer)
        names = [field.name for field in file.schema_arrow if any(is_kind(field.type) for is_kind in kinds)]
        return any(
            pc.any(pc.is_in(column.cast("string"), wanted)).as_py()
            for batch in file.iter_batches(columns=names)
            for column in batch.columns
        )
