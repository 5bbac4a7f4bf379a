"""A column that is not in a file: which one was probably meant, or which delimiter.

Elsewhere: whether a header may be loaded (``rules.py``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

from tdml_assets.declaration.sources import Source

_DELIMITERS = (";", "\t", "|", ",")
_SIMILAR = 0.6


def closest(wanted: str, names: Sequence[str]) -> str | None:
    """The name that ``wanted`` was probably meant to be; ``None`` if none is near. Case, blanks and marks hardly count."""
    plain = {_plain(name): name for name in reversed(names)}
    near = difflib.get_close_matches(_plain(wanted), list(plain), n=1, cutoff=_SIMILAR)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def delimiter_in(header: str, declared: str) -> str | None:
    """The delimiter that a header read as one name probably has; ``None`` if there is no sign of one."""
    counts = {mark: header.count(mark) for mark in _DELIMITERS if mark != declared}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else None


def delimiter_remedy(header: str, declared: str) -> str | None:
    """What to write where a header is read as one name; ``None`` if there is no sign of another delimiter."""
    mark = delimiter_in(header, declared)
    shown = '"\\t"' if mark == "\t" else f'"{mark}"'
    return None if mark is None else f"The header is one name: write csv: {{delimiter: {shown}}}"


def missing_column_remedy(
    table: str, declaration: Source, column: str, source_column: str, names: Sequence[str]
) -> str:
    """What to change where ``source_column``, wanted as ``column``, is not among ``names``."""
    where = f"sources.{table}"
    if declaration.format == "csv" and declaration.csv.header and len(names) == 1:
        remedy = delimiter_remedy(names[0], declaration.csv.delimiter)
        if remedy is not None:
            return f"{remedy} under {where}"
    if declaration.format == "csv" and not declaration.csv.header:
        return (
            f"With csv.header: false columns are column_1, column_2, ...: correct {where}.columns, or remove csv.header"
        )
    near = closest(source_column, names)
    meant = f"Did you mean {near!r}? Write " if near is not None else "Write "
    if column in declaration.mapped:
        example = near if near is not None else "<a name of the list>"
        return (
            f"{meant}columns: {{{column}: {example!r}}} under {where}"
            if near
            else (f"{meant}the column that holds it into {where}.columns.{column}, as the file spells it")
        )
    return f"{meant}it as the file spells it in line_key or updated_at of {where}"


def distinct(names: Sequence[str], wanted: Collection[str]) -> list[str]:
    """The names, with a number behind those that an earlier column has too; names that the source reads stay."""
    read, taken = {name.lower() for name in wanted}, {name.lower() for name in names}
    seen: set[str] = set()
    found = []
    for name in names:
        own, number = name, 1
        while own.lower() in seen and name.lower() not in read:
            number += 1
            own = f"{name}_{number}" if f"{name}_{number}".lower() not in taken else own
        seen.add(own.lower())
        found.append(own)
    return found
