"""The beginning of a file of raw data, for guessing how it is to be declared.

Belongs here: finding out format, encoding and delimiter, and reading the first rows as text.
Does not: what the columns mean (``guess.py``), loading (``tables.py``).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.stages.raw.dates import formats_that_read
from tdml_assets.stages.raw.guess import FileSample
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.signatures import what_is_wrong

_BYTES = 4 << 20
_SIGNATURE_BYTES = 4096
_ROWS = 20_000
_LOOKED_AT = 200
_DELIMITERS = (",", ";", "\t", "|")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_sample(path: Path, name: str) -> FileSample:
    """The first rows of a file.

    Parameters
    ----------
    name : how the settings will call it.

    Raises
    ------
    SourceError
        If the file is empty, or is nothing that can be declared.
    """
    if not path.is_file():
        raise SourceError(f"{name}: no such file")
    first = _first_bytes(path, name)
    if not first:
        raise SourceError(f"{name}: the file is empty")
    if first.startswith(b"PAR1"):
        return _parquet(path, name)
    text, encoding = _decoded(first)
    start = text.lstrip("\ufeff \r\n\t")
    form = "json" if start.startswith("{") else "csv"
    with path.open("rb") as stream:
        wrong = what_is_wrong(stream.read(_SIGNATURE_BYTES), name=name, file_format=form, encoding=encoding)
    if wrong is not None:
        raise SourceError(f"{name} {wrong}")
    if start.startswith("["):
        raise SourceError(f"{name}: a JSON list; write one object per line: jq -c '.[]' {name}")
    lines = text.removeprefix("\ufeff").splitlines()
    # The last line may be cut.
    lines = lines[:-1] if len(first) >= _BYTES else lines
    return _json(name, lines) if form == "json" else _csv(name, lines, encoding)


def _first_bytes(path: Path, name: str) -> bytes:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as stream:
                return stream.read(_BYTES)
        with path.open("rb") as stream:
            return stream.read(_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SourceError(f"{name}: not a complete gzip file: deliver it again") from None


def _decoded(first: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return first.decode(encoding, errors="ignore"), encoding
    try:
        # Not final: the last character may be cut.
        return codecs.getincrementaldecoder("utf-8")().decode(first), "utf-8"
    except UnicodeDecodeError:
        return first.decode("cp1252", errors="replace"), "cp1252"


def _csv(name: str, lines: Sequence[str], encoding: str) -> FileSample:
    delimiter = _delimiter(lines)
    rows = [row for row in csv.reader(lines[:_ROWS], delimiter=delimiter) if row]
    if len(rows) < 2:
        raise SourceError(f"{name}: fewer than two lines: there is nothing to look at")
    has_header = not any(_is_value(cell) for cell in rows[0])
    header = rows[0] if has_header else []
    names = [cell.strip() or f"column_{place}" for place, cell in enumerate(header, 1)]
    names = names or [f"column_{place}" for place in range(1, len(rows[0]) + 1)]
    body = rows[1:] if has_header else rows
    columns = {
        column: [row[place].strip() for row in body if place < len(row) and row[place].strip()]
        for place, column in enumerate(names)
    }
    return FileSample(name, "csv", columns, delimiter, encoding, has_header)


def _delimiter(lines: Sequence[str]) -> str:
    """The character that cuts most of the first lines into the same number of fields, and that into most."""

    def score(delimiter: str) -> tuple[float, int]:
        counts = Counter(len(row) for row in csv.reader(lines[:_LOOKED_AT], delimiter=delimiter) if row)
        if not counts:
            return 0.0, 0
        fields, rows = counts.most_common(1)[0]
        return (rows / counts.total() if fields > 1 else 0.0), fields

    return max(_DELIMITERS, key=score)


def _is_value(cell: str) -> bool:
    """Whether a cell of the first line can be no name: a number or a date."""
    text = cell.strip()
    return bool(text) and (
        text.replace(".", "").replace(",", "").replace("-", "").isdigit() or bool(formats_that_read([text]))
    )


def _json(name: str, lines: Sequence[str]) -> FileSample:
    columns: dict[str, list[Any]] = {}
    for number, line in enumerate((line for line in lines[:_ROWS] if line.strip()), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            raise SourceError(
                f"{name}, line {number}: not a JSON object; format json means one object per line"
            ) from None
        for key, value in row.items() if isinstance(row, dict) else ():
            columns.setdefault(key, []).append(value)
    numbers = {key for key, values in columns.items() if all(isinstance(v, (int, float)) or v is None for v in values)}
    texts = {key: [str(value) for value in values if value is not None] for key, values in columns.items()}
    return FileSample(name, "json", texts, typed_numbers=frozenset(numbers))


def _parquet(path: Path, name: str) -> FileSample:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        batch = next(file.iter_batches(batch_size=_ROWS), None)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: not a readable Parquet file ({type(error).__name__}): deliver it again") from None
    if batch is None or batch.num_rows == 0:
        raise SourceError(f"{name}: the file has no row")
    kinds = {item.name: item.type for item in batch.schema}
    moments = {key for key, kind in kinds.items() if pa.types.is_timestamp(kind) or pa.types.is_date(kind)}
    numbers = {
        key
        for key, kind in kinds.items()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    }
    texts = {
        key: [str(value) for value in batch.column(key).to_pylist() if value is not None and str(value)]
        for key in kinds
    }
    return FileSample(name, "parquet", texts, typed_moments=frozenset(moments), typed_numbers=frozenset(numbers))


def as_text(sample: FileSample) -> str:
    """How a sample was read, in words."""
    if sample.format != "csv":
        return sample.format
    return f"csv, {sample.encoding}, delimiter {sample.delimiter!r}" + ("" if sample.has_header else ", no header")
