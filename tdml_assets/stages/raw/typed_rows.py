"""Rows of Python values, written as a Parquet file whose columns have the values' types.

Elsewhere: reading a database (``databases.py``), what the columns mean (``plan.py``).

The type of a column is known when its last row was read, so that rows are kept in a temporary file first. Decimals stay exact.
A column that mixes kinds becomes text.
"""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import pyarrow as pa

_INT64 = 1 << 63
_DECIMAL_DIGITS = 38
_HASH_BYTES = 32
_TYPES = {
    "none": pa.null(),
    "flag": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "day": pa.date32(),
    "moment": pa.timestamp("us"),
    "instant": pa.timestamp("us", tz="UTC"),
    "text": pa.string(),
}
#: Kinds that one column may mix, and the kind that holds them all.
_JOINED = {
    frozenset({"integer", "number"}): "number",
    frozenset({"integer", "decimal"}): "decimal",
    frozenset({"day", "moment"}): "moment",
}


class UnreadableColumnsError(ValueError):
    """Columns hold values that a table of rows cannot: ``columns`` are name and kind of value."""

    def __init__(self, columns: dict[str, str]) -> None:
        self.columns = columns
        super().__init__(", ".join(f"{name} ({kind})" for name, kind in columns.items()))


@dataclass(frozen=True)
class WrittenRows:
    """Number of rows, and a hash that equal rows have in any order."""

    rows: int
    sha256: str


@dataclass
class _Column:
    """What was seen in a column: kinds of values, and digits before and behind the decimal point."""

    kinds: set[str] = field(default_factory=set)
    whole_digits: int = 1
    scale: int = 0

    def see(self, values: Iterable[Any]) -> None:
        for value in values:
            kind = _kind_of(value)
            self.kinds.add(kind)
            if kind in ("decimal", "integer"):
                digits, scale = _digits(value)
                self.whole_digits, self.scale = max(self.whole_digits, digits), max(self.scale, scale)

    @property
    def kind(self) -> str:
        held = frozenset(self.kinds - {"none"})
        kind = "none" if not held else next(iter(held)) if len(held) == 1 else _JOINED.get(held, "text")
        is_too_long = kind == "decimal" and self.whole_digits + self.scale > _DECIMAL_DIGITS
        return "text" if is_too_long else kind

    @property
    def type(self) -> pa.DataType:
        if self.kind == "decimal":
            return pa.decimal128(self.whole_digits + self.scale, self.scale)
        return _TYPES[self.kind]


def write_typed_rows(
    path: Path, names: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], decimal_mark: str = "."
) -> WrittenRows:
    """Write rows in batches; memory holds one batch.

    Raises ``UnreadableColumnsError`` if a column holds bytes, lists, objects or times without a day. ``batches``: rows with one
    value per name. ``decimal_mark``: of numbers in a column that mixes them with text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [_Column() for _ in names]
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        for batch in batches:
            for column, values in zip(columns, zip(*batch, strict=True), strict=True):
                column.see(values)
            _refuse_unreadable(names, columns)
            pickle.dump([tuple(row) for row in batch], spool, protocol=pickle.HIGHEST_PROTOCOL)
        spool.seek(0)
        return _write(path, names, columns, _spooled(spool), decimal_mark)


def _refuse_unreadable(names: Sequence[str], columns: Sequence[_Column]) -> None:
    known = {*_TYPES, "decimal"}
    found = {
        name: sorted(column.kinds - known)[0]
        for name, column in zip(names, columns, strict=True)
        if column.kinds - known
    }
    if found:
        raise UnreadableColumnsError(found)


def _spooled(spool: BinaryIO) -> Iterator[list[tuple[Any, ...]]]:
    while True:
        try:
            # Written by this process a moment ago, into a file without a name.
            batch: list[tuple[Any, ...]] = pickle.load(spool)  # noqa: S301
        except EOFError:
            return
        yield batch


def _write(
    path: Path,
    names: Sequence[str],
    columns: Sequence[_Column],
    batches: Iterable[list[tuple[Any, ...]]],
    decimal_mark: str,
) -> WrittenRows:
    # The code location loads this module, and few loads write such a file.
    import pyarrow.parquet as pq

    kinds = [column.kind for column in columns]
    schema = pa.schema([pa.field(name, column.type) for name, column in zip(names, columns, strict=True)])
    rows = total = 0
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            values = [
                [_value(cell, kind, decimal_mark) for cell in cells]
                for kind, cells in zip(kinds, zip(*batch, strict=True), strict=True)
            ]
            writer.write_table(
                pa.Table.from_arrays([pa.array(v, t) for v, t in zip(values, schema.types, strict=True)], schema=schema)
            )
            rows += len(batch)
            total += sum(_row_hash(row) for row in zip(*values, strict=True))
    head = repr([(name, str(kind)) for name, kind in zip(names, schema.types, strict=True)])
    # A sum, so that a database that gives the same rows in another order gives the same content.
    total %= 1 << (8 * _HASH_BYTES)
    content = head.encode() + rows.to_bytes(8, "big") + total.to_bytes(_HASH_BYTES, "big")
    return WrittenRows(rows, hashlib.sha256(content).hexdigest())


def _row_hash(row: tuple[Any, ...]) -> int:
    return int.from_bytes(hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).digest(), "big")


def _kind_of(value: Any) -> str:  # noqa: PLR0911 - one line per kind
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int):
        return "integer" if -_INT64 <= value < _INT64 else "decimal"
    if isinstance(value, float):
        return "number"
    if isinstance(value, Decimal):
        return "decimal" if value.is_finite() else "text"
    if isinstance(value, datetime):
        return "moment" if value.tzinfo is None else "instant"
    if isinstance(value, date):
        return "day"
    if isinstance(value, (str, UUID)):
        return "text"
    return "bytes" if isinstance(value, (bytes, bytearray, memoryview)) else type(value).__name__


def _digits(value: int | Decimal) -> tuple[int, int]:
    """Digits before and behind the decimal point."""
    _, digits, exponent = Decimal(value).as_tuple()
    places = int(exponent)
    return max(len(digits) + places, 1), max(-places, 0)


def _value(cell: Any, kind: str, decimal_mark: str) -> Any:
    if cell is None:
        return None
    if kind in ("decimal", "number"):
        return Decimal(cell) if kind == "decimal" else float(cell)
    if kind == "text":
        return _as_text(cell, decimal_mark)
    if kind == "instant":
        return cell.astimezone(UTC)
    if kind == "moment" and not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - a column without zones
    return cell


def _as_text(cell: Any, decimal_mark: str) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, (float, Decimal)):
        return (repr(cell) if isinstance(cell, float) else f"{cell:f}").replace(".", decimal_mark)
    return str(cell)
