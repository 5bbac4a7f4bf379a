"""A CSV file read record by record, where the warehouse's own reader cannot read every line of it.

Elsewhere: reading a file that has no such line (``sql/raw/parts/csv_rows.sql``, much faster), judging values (``sql/raw``).

The records are those of Python's ``csv`` module: one reader decides how many rows a file has.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.declaration.sources import CsvOptions, Source
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.rules import FileLayout, SourceError, wanted_columns
from tdml_assets.stages.raw.text import LONGEST_LINE, open_bytes

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


#: Lines that one record may take; a quote that is open for longer was never meant to be one.
_LONGEST_RECORD = 1_000
#: Fewer rows than these, and not most of a file, are not a sign that the file is declared wrongly.
_FEW_ROWS = 10
_CAUSES = {
    "short_row": "the line has fewer fields than the header: correct csv.delimiter or skip_rows, or write csv: {short_rows: fill} "
    "where the last cells of a row may be left out",
    "long_row": "the line has more fields than the header: correct csv.delimiter, csv.quote or skip_rows",
    "broken_row": "a quoted field does not end: correct the file, csv.quote or csv.escape",
}


def read_csv_records(
    file: SourceFile, declaration: Source, layout: FileLayout, *, limit: float, scratch_folder: Path
) -> FileLayout:
    """Cut a file into records, and write them where the warehouse can read them.

    Raises ``SourceError`` if too many rows are set aside, or if the quotes of the file can be read in two ways. ``layout``: names
    of the columns, and how many lines come before them. ``limit``: share of the rows that may be set aside here; only a file of
    many rows, or one that is mostly set aside, is refused.

    The rows of the layout returned carry the reason for which they are set aside.
    """
    width = sum(not item.is_of_folder for item in layout.fields)
    names = layout.names[:width]
    wanted = {place for place, name in enumerate(names) if name in wanted_columns(declaration)}
    if "customer_id" in declaration.mapped and declaration.moment is None:
        wanted = set(range(width))  # every column of the customers is kept
    needed = 0 if declaration.csv.short_rows == "fill" else max(wanted, default=0) + 1
    found = _Reading(file, declaration, layout.skipped_lines)
    records = _shaped(found.records(), width, needed, set(declaration.csv.null_values) or {""})
    path = scratch_folder / f"{file.sha256[:32]}-{layout.position}.records.parquet"
    counted = write_records(path, width, _without_footer(records, declaration.skip_footer_rows))
    if found.broken_line and found.count != found.loose_count():
        raise SourceError(
            f"{file.name}, near line {found.broken_line}: a quoted field does not end: correct the file, or csv.quote. If a quote "
            'is written \\" inside of a field, write csv: {escape: "\\\\"}. Nothing was loaded'
        )
    _refuse_many(file.name, counted, limit)
    return replace(layout, read_path=str(path), compression="none", source_format="records", row_count=counted.rows)


class _Reading:
    """One pass over the records of a file."""

    def __init__(self, file: SourceFile, declaration: Source, skipped_lines: int) -> None:
        self._file, self._options, self._skipped = file, declaration.csv, skipped_lines
        self._encoding = declaration.csv.encoding
        self.count, self.broken_line = 0, 0

    def records(self) -> Iterator[Record]:
        """Every record behind the header; ``broken_row`` where its quotes break the rules."""
        with self._text() as text:
            lines = _Lines(text, self._skipped)
            reader = csv.reader(lines, strict=True, **csv_dialect(self._options))
            is_header = self._options.header
            while True:
                lines.begin()
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except (csv.Error, _TooLongError):
                    raw = lines.first_only()
                    self.broken_line = self.broken_line or lines.number
                    self.count += 1
                    yield Record(self.count, lines.number, (), "broken_row", raw)
                    continue
                if not fields or (self._options.is_aligned and fields == [""]):
                    continue
                if is_header:
                    is_header = False
                    continue
                self.count += 1
                yield Record(self.count, lines.number, fields, None, lines.raw)

    def loose_count(self) -> int:
        """Records of the file for a reader that takes any quotes."""
        with self._text() as text:
            rows = csv.reader(_Lines(text, self._skipped), **csv_dialect(self._options))
            return sum(1 for row in rows if row) - int(self._options.header)

    def _text(self) -> io.TextIOWrapper:
        csv.field_size_limit(LONGEST_LINE["csv"])
        return io.TextIOWrapper(open_bytes(self._file), encoding=self._encoding, newline="")


def csv_dialect(options: CsvOptions) -> dict[str, Any]:
    """Arguments of ``csv.reader`` for a declaration."""
    fields = {"delimiter": options.delimiter, "skipinitialspace": options.is_aligned}
    if not options.quote:
        return {**fields, "quoting": csv.QUOTE_NONE}
    return {**fields, "quotechar": options.quote, "escapechar": options.escape or None}


class _TooLongError(Exception):
    """A record takes more lines, or characters, than any row does."""


class _Lines:
    """Lines of a text for a CSV reader, which can be given back."""

    def __init__(self, text: Iterable[str], skipped: int) -> None:
        self._text, self._again, self._taken = iter(text), deque[str](), list[str]()
        self.number, self._next_number, self._size = 0, 1, 0
        for _ in range(skipped):
            next(self._text, None)
            self._next_number += 1

    def begin(self) -> None:
        """A record begins with the next line."""
        self.number, self._taken, self._size = self._next_number, [], 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        if self._next_number == 1:
            line = line.removeprefix("\ufeff")
        self._taken.append(line)
        self._next_number += 1
        self._size += len(line)
        if len(self._taken) > _LONGEST_RECORD or self._size > LONGEST_LINE["csv"]:
            raise _TooLongError
        return line

    def first_only(self) -> str:
        """The first line of the record, whose other lines are given back."""
        first, *others = self._taken
        self._again.extendleft(reversed(others))
        self._next_number = self.number + 1
        return first.rstrip("\r\n")

    @property
    def raw(self) -> str:
        """The record as it is written."""
        return "".join(self._taken).rstrip("\r\n")


def _shaped(records: Iterable[Record], width: int, needed: int, nulls: Collection[str]) -> Iterator[Record]:
    """Records with as many values as there are columns, or with the reason why not.

    ``width``: columns of the file. ``needed``: values that a row must have: up to the last column that is read. ``nulls``:
    texts that mean no value.
    """
    for record in records:
        if record.fault is not None:
            yield record
            continue
        count = len(record.values)
        values = [None if value in nulls else value for value in record.values[:width]]
        if count < needed or (count < width and count == 1):
            yield replace(record, values=(), fault="short_row")
        elif count > width and any(value.strip() for value in record.values[width:] if value is not None):
            yield replace(record, values=(), fault="long_row")
        else:
            yield replace(record, values=[*values, *[None] * (width - len(values))])


def _without_footer(records: Iterable[Record], footer_rows: int) -> Iterator[Record]:
    last: deque[Record] = deque()
    for record in records:
        last.append(record)
        if len(last) > footer_rows:
            yield last.popleft()
    yield from (replace(record, values=(), fault="footer_row") for record in last)


def _refuse_many(name: str, written: Written, limit: float) -> None:
    bad = sum(count for reason, count in written.faults.items() if reason != "footer_row")
    if written.first is not None and bad > limit * written.rows and (bad >= _FEW_ROWS or bad * 2 > written.rows):
        cause = _CAUSES[written.first.fault or ""]
        raise SourceError(
            f"{name}, near line {written.first.line}: {cause}. {bad:,} of {written.rows:,} rows cannot be cut into fields, more "
            f"than quality.unreadable_limit ({limit:.0%}). Nothing was loaded"
        )
