"""The beginning of a CSV file: delimiter, lines before the header, rows behind the data.

Elsewhere: bytes and encodings (``beginning.py``), what columns mean (``guess.py``).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tdml_assets.stages.raw.dates import formats_that_read
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import ROWS, FileSample, Key

_LOOKED_AT = 200
#: The first of those that cut lines equally well is taken; "\x01" is what Hive writes.
_DELIMITERS = (",", ";", "\t", "|", "\x01", "^", "~")
#: Share of the lines that blanks cut into the same number of fields where columns are aligned by them.
_ALIGNED = 0.9
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
_MOST_PREAMBLE, _MOST_FOOTER = 40, 5
#: Words that begin a row which sums up those above it.
_TOTAL = re.compile(
    r"(grand |sub)?(totals?|sum|summe|gesamt\w*|somme|totale|insgesamt|average|mean|durchschnitt|moyenne|promedio|合計)\b"
    r"|\(?\d+ (rows?|zeilen|records?|lignes|filas)\b",
    re.IGNORECASE,
)
#: How databases write no value; other words, such as nan, may be ids that someone wrote.
_NULLS = ("\\N", "NULL", "(null)", "<null>", "[NULL]")
_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d[\d.,\s]*")


def csv_sample(name: str, lines: Sequence[str], encoding: str, *, is_whole: bool) -> FileSample:
    """A sample of delimited text. Raises ``SourceError`` if there are fewer than two rows.

    ``lines``: the first lines, without their ends. ``is_whole``: whether they are all of the file, so that its last rows can be
    looked at.
    """
    said = _SEPARATOR.fullmatch(lines[0].strip()) if lines else None
    delimiter = said.group(1) if said else _delimiter(lines)
    numbered = _records(lines, delimiter)
    records = [(line, row) for line, row in numbered if row and not (line == 0 and said)]
    if len(records) < 2:
        raise SourceError(f"{name}: fewer than two lines: there is nothing to look at")
    start = _header_place(records)
    skipped = records[start][0] if start else 0
    rows = [row for _, row in records[start:]]
    has_header = not any(_is_value(cell) for cell in rows[0])
    width = len(rows[0])
    names = [cell.strip() or f"column_{place}" for place, cell in enumerate(rows[0], 1)] if has_header else []
    names = names or [f"column_{place}" for place in range(1, width + 1)]
    body = rows[1:] if has_header else rows
    footer = footer_rows(body, width) if is_whole else 0
    keys = {}
    if skipped:
        keys["skip_rows"] = Key(skipped, "lines before the header")
    if footer:
        keys["skip_footer_rows"] = Key(footer, "rows at the end that sum up or count the others")
    kept = [row for row in (body[:-footer] if footer else body) if _is_row(row, names)]
    has_units = has_header and are_units(kept)
    kept = kept[1:] if has_units else kept
    cells = {
        column: [row[place].strip() if place < len(row) else "" for row in kept] for place, column in enumerate(names)
    }
    nulls = tuple(word for word in _NULLS if any(word in texts for texts in cells.values()))
    if nulls:
        cells = {column: ["" if text in nulls else text for text in texts] for column, texts in cells.items()}
    notes = _notes(body, names, has_header)
    notes += ("the row below the header holds no value, such as units: it is set aside",) if has_units else ()
    return FileSample(name, "csv", cells, keys, notes, delimiter, encoding, has_header, nulls=nulls)


def _records(lines: Sequence[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """The line that each record begins in, from 0, and its fields."""
    found, before = [], 0
    reader = _reader(lines, delimiter)
    try:
        for row in reader:
            found.append((before, row if any(cell.strip() for cell in row) else []))
            before = reader.line_num
            if len(found) > ROWS:
                break
    except csv.Error:
        pass  # what was read until here is enough for a look
    return found


def _header_place(records: Sequence[tuple[int, list[str]]]) -> int:
    """Place of the record that is the header, or of the first row where there is none."""
    widths = Counter(len(row) for _, row in records[_MOST_PREAMBLE:] or records)
    width = widths.most_common(1)[0][0]
    if width < 2:
        return 0
    start = next((place for place, (_, row) in enumerate(records[:_MOST_PREAMBLE]) if _is_wide(row, width)), 0)
    return start + header_offset([row for _, row in records[start : start + 3]])


def header_offset(rows: Sequence[Sequence[str]]) -> int:
    """1 where the second of the first rows is the header: below one of groups, or below a row of values that is no part of it.

    A row of units below a header has fewer names than the header, or repeats them.
    """
    if len(rows) < 3 or any(map(_is_value, rows[1])) or not any(map(_is_value, rows[2])):
        return 0
    first, second = ([cell.strip() for cell in row if cell.strip()] for row in rows[:2])
    are_groups = (len(second), len(set(second))) > (len(first), len(set(first)))
    return int(are_groups or any(map(_is_value, first)))


def _is_wide(row: Sequence[str], width: int) -> bool:
    """Whether a record has as many fields as most, nearly all of them filled: a title or a note has one or two."""
    filled = sum(1 for cell in row if cell.strip())
    return len(row) >= width and filled * 2 > width


def are_units(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row below a header holds no value, where all that follow do."""
    following = rows[1:_MOST_PREAMBLE]
    return bool(following) and not any(map(_is_value, rows[0])) and all(any(map(_is_value, row)) for row in following)


def footer_rows(body: Sequence[Sequence[str]], width: int) -> int:
    """Rows at the end that are not data: short ones that sum up or count the others."""
    count = 0
    for row in reversed(body[-_MOST_FOOTER:]):
        filled = [cell.strip() for cell in row if cell.strip()]
        is_short = len(filled) * 2 <= width + 1 or len(row) < width
        if not filled or not _TOTAL.match(filled[0]) or not is_short:
            break
        count += 1
    return count


def _is_row(row: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a row is data, and no header that is repeated in the file."""
    return [cell.strip() for cell in row] != list(names)


def _notes(body: Sequence[Sequence[str]], names: Sequence[str], has_header: bool) -> tuple[str, ...]:
    repeated = sum(1 for row in body if has_header and not _is_row(row, names))
    return (f"the header is repeated {repeated:,} times below: those rows are set aside",) if repeated else ()


def _delimiter(lines: Sequence[str]) -> str:
    """The character that cuts most of the lines into the same number of fields, and that into most."""

    def score(delimiter: str) -> tuple[float, int]:
        try:
            counts = Counter(len(row) for row in _reader(lines[:_LOOKED_AT], delimiter) if row)
        except csv.Error:
            return 0.0, 0
        if not counts:
            return 0.0, 0
        fields, rows = counts.most_common(1)[0]
        return (rows / counts.total() if fields > 1 else 0.0), fields

    best = max(_DELIMITERS, key=score)
    # Blanks are in texts and in times too: they count only where nothing else cuts the lines.
    return " " if score(best)[0] == 0.0 and score(" ")[0] >= _ALIGNED else best


def _reader(lines: Sequence[str], delimiter: str) -> Any:
    is_aligned = delimiter == " "
    text = (f"{line.rstrip() if is_aligned else line}\n" for line in lines)
    return csv.reader(text, delimiter=delimiter, skipinitialspace=is_aligned)


def _is_value(cell: str) -> bool:
    """Whether a cell of the first line can be no name: a number or a date."""
    text = cell.strip()
    return bool(text) and (_NUMBER.fullmatch(text) is not None or bool(formats_that_read([text])))
