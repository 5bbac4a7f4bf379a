"""Published attributes as a file for people: which columns, rounded how, in which format.

Elsewhere: the complete exports of every session (``exports.py``, ``stages/audience/destinations/files.py``), SQL
(``sql/export/``).
"""

from __future__ import annotations

import codecs
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, Literal

import pyarrow as pa

from tdml_assets.stages.audience.exports import kept_by_spreadsheets, spreadsheet_safe

Format = Literal["csv", "json", "parquet"]
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
#: Decimals of a column whose values all lie between -1 and 1, such as a probability, and of all others, such as money.
_SHARE_DECIMALS, _MONEY_DECIMALS = 4, 2


class AttributeFileError(ValueError):
    """The file cannot be written as asked; names what is known."""


def format_of(path: str, wanted: str | None) -> Format:
    """Format of a file: the one asked for, else by the ending of its name.

    Raises ``AttributeFileError`` if neither tells.
    """
    for known in FORMATS.values():
        if wanted == known:
            return known
    if wanted is not None:
        raise AttributeFileError(f"--format {wanted} is not known: give csv, json or parquet")
    ending = next((ending for ending in FORMATS if path.lower().endswith(ending)), None)
    if ending is None:
        raise AttributeFileError(f"{path!r} does not end in {', '.join(FORMATS)}: give --format csv, json or parquet")
    return FORMATS[ending]


def choose_columns(known: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Columns next to ``customer_id``: those asked for in their order, else all.

    Raises ``AttributeFileError`` if one is not published.
    """
    rest = [name for name in known if name != "customer_id"]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise AttributeFileError(f"--columns {', '.join(unknown)}: not published; known: {', '.join(rest)}")
    return [name for name in wanted if name != "customer_id"] or rest


def decimals_of(largest: Mapping[str, Any], decimals: int | None) -> dict[str, int]:
    """Decimals per column of numbers with a fraction.

    ``largest``: largest absolute value per such column; None for a column without a value. ``decimals``: for all columns; None
    chooses four for shares and probabilities, two for everything else.
    """
    return {
        name: decimals
        if decimals is not None
        else (_SHARE_DECIMALS if value is not None and value <= 1 else _MONEY_DECIMALS)
        for name, value in largest.items()
    }


def rounded(batch: pa.RecordBatch, decimals: Mapping[str, int]) -> pa.RecordBatch:
    """Round the columns named."""
    import pyarrow.compute as pc

    columns = [
        pc.round(column, decimals[name]) if name in decimals else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def write_batches(
    batches: Iterable[pa.RecordBatch], target: IO[bytes], form: Format, *, for_spreadsheet: bool = False
) -> int:
    """Write batches of one schema, at least one; gives the number of rows. Text in CSV is safe to open in a spreadsheet.

    ``for_spreadsheet``: of CSV, keep ids as they are where a spreadsheet would change them, and say that the text is UTF-8.
    """
    if for_spreadsheet:
        target.write(codecs.BOM_UTF8)
    rows = 0
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | pa_csv.CSVWriter | None = None
    try:
        for batch in batches:
            rows += batch.num_rows
            if form == "json":
                target.write(_json_lines(batch))
                continue
            safe = spreadsheet_safe(batch) if form == "csv" else batch
            safe = kept_by_spreadsheets(safe) if for_spreadsheet else safe
            if writer is None:
                make = pq.ParquetWriter if form == "parquet" else pa_csv.CSVWriter
                writer = make(target, safe.schema)
            writer.write_batch(safe)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _json_lines(batch: pa.RecordBatch) -> bytes:
    text = io.StringIO()
    for row in batch.to_pylist():
        plain = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
        }
        text.write(json.dumps(plain, default=str, ensure_ascii=False) + "\n")
    return text.getvalue().encode()
