"""Rows that were read outside of the warehouse, written as a Parquet file that it reads.

A row is one text per column, the reason for which it is set aside, and the row as it is written.

Belongs here: the form of that file. Does not: reading any format (``csv_records.py``, ``json_records.py``).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

_BATCH_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file.

    ``number``: data row in the file, from 1. ``line``: line that it begins in, from 1. ``values``: a text or ``None`` per
    column; empty where the row is set aside. ``fault``: reason code for which it is set aside. ``raw``: the row as it is
    written, kept where it is set aside.
    """

    number: int
    line: int
    values: Sequence[str | None]
    fault: str | None
    raw: str


@dataclass(frozen=True)
class Written:
    """Rows written, those set aside by reason, and the first of these that is not a footer."""

    rows: int
    faults: Counter[str]
    first: Record | None


def write_records(path: Path, width: int, records: Iterable[Record]) -> Written:
    """Write rows as ``line_number``, ``fault``, ``raw`` and ``field_0`` to ``field_<width - 1>``, in batches."""
    texts = [pa.field(f"field_{place}", pa.string()) for place in range(width)]
    schema = pa.schema([("line_number", pa.int64()), ("fault", pa.string()), ("raw", pa.string()), *texts])
    rows, faults, first = 0, Counter[str](), None
    remaining = iter(records)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The code location loads this module, and few loads write such a file.
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema) as writer:
        while batch := list(islice(remaining, _BATCH_ROWS)):
            rows += len(batch)
            bad = [record for record in batch if record.fault is not None]
            faults.update(record.fault for record in bad if record.fault is not None)
            first = first or next((record for record in bad if record.fault != "footer_row"), None)
            columns = [
                [record.number for record in batch],
                [record.fault for record in batch],
                [None if record.fault is None else record.raw for record in batch],
                *([record.values[place] if record.values else None for record in batch] for place in range(width)),
            ]
            arrays = [pa.array(values, item.type) for values, item in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return Written(rows, faults, first)
