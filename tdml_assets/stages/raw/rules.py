"""What the files of a source must look like: headers compared with the declaration, and with each other.

Elsewhere: the declaration's own rules (``declaration/sources.py``), how rows are read (``plan.py``), reading files
(``files.py``, ``tables.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from tdml_assets.declaration.addresses import redacted_text
from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.records import RecordedRows
from tdml_assets.declaration.source_values import NUMERIC_FORMATS
from tdml_assets.declaration.sources import CustomersSource, EventSource, OrdersSource, Source, is_recorded
from tdml_assets.platform.contracts import TableContract
from tdml_assets.stages.raw.contracts import LOADED, customers_contract, recorded_contract
from tdml_assets.stages.raw.names import missing_column_remedy

#: How far after the load a row's time may be.
LONGEST_AHEAD = timedelta(days=1)
# Raised when rules for reading or judging rows change, so that unchanged files are loaded again.
RULES_VERSION = 5
MAX_COLUMNS = 2_000
#: What to do about a column that other files have.
_OTHER_FILES = "Other files have it, and one source reads one set of names: "
_ONE_NAME = f"{_OTHER_FILES}if it was renamed, write next to path what it is called there, other_names:"
#: Share of unreadable rows from which a file is refused, where the settings say nothing.
BAD_ROW_LIMIT = QualityPolicy().unreadable_limit
#: Besides those of the raw table, the columns that rows have while they are judged (``sql/raw/create_staged``).
STAGED_COLUMNS = tuple(
    f"staged_{name}"
    for name in (
        *("file_position", "reason", "content", "line_key", "updated_at", "content_hash", "currency"),
        *("meaning", "meaning_from", "order_group", "refund"),
    )
)

_PLACES = {"path", "max_file_gb", "max_fetch_seconds", "url_env", "table", "query", "query_file"}

Family = Literal["text", "integer", "number", "flag", "timestamp", "timestamptz", "date", "none", "other"]
NUMBERS = ("quantity", "unit_price", "amount")
_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("VARCHAR", "UUID", "JSON", "ENUM"), "text"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "number"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp"),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"), "timestamptz"),
    "BOOLEAN": "flag",
    "DATE": "date",
    # Of a Parquet column that holds no value at all; pandas writes an empty column so.
    '"NULL"': "none",
}
_KINDS = {
    "text": ("text", "integer", "number", "flag", "date", "timestamp", "timestamptz"),
    "number": ("text", "integer", "number"),
    "flag": ("text", "integer", "number", "flag"),
    "moment": ("text", "integer", "number", "timestamp", "timestamptz", "date"),
}


class SourceError(ValueError):
    """A source cannot be loaded as declared: names the file, what was found and the remedy; never a secret of an address."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted_text(message))


@dataclass(frozen=True)
class Field:
    """One column of a file.

    ``name``: as the declaration calls it. ``is_of_folder``: whether the name of the file's folder holds its value, not the file.
    ``value``: that value; ``None`` is no value. ``own_name``: what the file calls it, where that is another name.
    """

    name: str
    type: str = "VARCHAR"
    is_of_folder: bool = False
    value: str | None = None
    own_name: str = ""

    @property
    def written(self) -> str:
        """What the file calls it."""
        return self.own_name or self.name

    @property
    def family(self) -> Family:
        """What kind of value its type holds."""
        return family_of(self.type)


@dataclass(frozen=True)
class FileLayout:
    """One file that can be read.

    ``name``: the file in the rows' lineage.
    ``read_path``: where the warehouse reads it, with pattern characters escaped.
    ``compression``: ``gzip`` or ``none``.
    ``fields``: its columns in file order; for json those found in its first lines.
    ``position``: place among the files of the source; the later file wins where updates tie.
    ``row_count``: rows by the file's own account, where it has one.
    ``skipped_lines``: lines at its beginning that hold nothing, or are declared to be no data.
    ``text_path``: where its own text lies, unpacked; for csv.
    ``footer_rows``: last rows that are declared to be no data, where a statement sets them aside.
    ``has_nul``, ``has_no_break_blanks``: whether a value may hold such a character; false where the whole text was looked at.
    ``source_format``: how ``read_path`` is read: ``csv``, ``parquet``, ``json``, or ``records`` for rows that were cut apart
      outside of the warehouse (``csv_records.py``); empty for the declared format.
    """

    name: str
    read_path: str
    compression: str
    fields: tuple[Field, ...]
    position: int
    row_count: int | None = None
    skipped_lines: int = 0
    source_format: str = ""
    text_path: Path | None = None
    footer_rows: int = 0
    has_nul: bool = True
    has_no_break_blanks: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(item.name for item in self.fields)


def family_of(type_name: str) -> Family:
    """Family of a DuckDB type."""
    if type_name.endswith("]"):
        return "other"
    return _FAMILIES.get(type_name.split("(", maxsplit=1)[0].strip(), "other")


def declaration_sha256(table: str, declaration: Source) -> str:
    """Hash of everything but the files that decides the rows of a raw table."""
    declared = declaration.model_dump(mode="json", exclude=_PLACES)
    if not is_recorded(declaration):
        # Sources without it are loaded as before it was known.
        declared = {name: value for name, value in declared.items() if not name.startswith("recorded_at")}
    columns = declared.get("columns")
    if isinstance(columns, dict) and columns.get("amount_reversed") is None:
        declared["columns"] = {name: value for name, value in columns.items() if name != "amount_reversed"}
    for name in ("other_statuses", "other_names"):
        if not declared.get(name):
            declared.pop(name, None)
    content = {
        "rules": RULES_VERSION,
        "table": table,
        "columns": [(column.name, column.type) for column in LOADED[table].columns],
        # Where the files are does not change what is in them.
        "declaration": declared,
    }
    if declaration.identities is not None:
        content["identities"] = declaration.identities.model_dump(mode="json")
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def raw_fingerprint(loads: Iterable[tuple[str, str, str]]) -> str:
    """Hash of the raw data: of source, content hash and declaration hash of every loaded file, in any order."""
    return hashlib.sha256(json.dumps(sorted(loads)).encode()).hexdigest()


def wanted_columns(declaration: Source) -> set[str]:
    """Columns that a declaration reads, as its files call them."""
    return {*declaration.mapped.values(), *_extra_columns(declaration)}


def check_headers(table: str, declaration: Source, layouts: Sequence[FileLayout]) -> None:
    """Refuse files that lack a column they must have, or whose columns cannot be what they are mapped to.

    Raises ``SourceError`` naming the file, the column, the columns found and the remedy.
    """
    wanted = {**declaration.mapped, **{name: name for name in _extra_columns(declaration)}}
    if isinstance(declaration, CustomersSource):
        wanted = {**{name: name for name in combined(layouts).names}, **wanted}
    typed = [(layout.name, item) for layout in reversed(layouts) for item in layout.fields if item.family != "none"]
    first = {item.name: (name, item) for name, item in typed}
    anywhere = {name for layout in layouts for name in layout.names}
    for layout in layouts:
        _check_columns(layout)
        _check_header(table, declaration, layout, layouts[0])
        fields = {item.name: item for item in layout.fields}
        for column, source_column in wanted.items():
            where = f"sources.{table}: {layout.name}"
            if source_column not in fields:
                if source_column in anywhere and may_lack(declaration, column, layout.names):
                    continue
                raise SourceError(
                    f"{where} has no column {source_column!r}, wanted as {column}; found {_listed(layout.names)}. "
                    + (
                        f"{_ONE_NAME} {{{json.dumps(source_column, ensure_ascii=False)}: [its other name]}}; else leave the file "
                        "out of path"
                        if source_column in anywhere
                        else missing_column_remedy(table, declaration, column, source_column, layout.names)
                    )
                )
            _check_type(where, declaration, column, fields[source_column])
            found, before = fields[source_column], first.get(source_column)
            if (
                before is not None
                and declaration.format != "xlsx"
                and _widened(before[1].family) != _widened(found.family) != "none"
            ):
                raise SourceError(
                    f"{where}: column {source_column!r} is {found.type}, but {before[1].type} in {before[0]}: "
                    "write every file with the same type"
                )


def may_lack(declaration: Source, column: str, names: Collection[str]) -> bool:
    """Whether a file may lack a column that other files of its source have: the contract must not need it.

    ``column``: of the contract, or the source's own where ``line_key`` or ``updated_at`` names it. ``names``: columns of the file.
    """
    mapped = declaration.mapped
    identifying = {*declaration.line_key, declaration.updated_at, *_extra_columns(declaration)}
    if {column, mapped.get(column, column)} & identifying:
        return False
    if isinstance(declaration, CustomersSource):
        return column != "customer_id"
    if column in NUMBERS and isinstance(declaration, OrdersSource):
        # One of the two ways to an amount must be left.
        others = {"amount"} if column != "amount" else {"quantity", "unit_price"}
        return all(mapped.get(other) in names for other in others)
    fields = type(declaration.columns).model_fields  # type: ignore[attr-defined]
    return column != "currency" and not fields[column].is_required()


def named_fields(name: str, declaration: Source, fields: Sequence[Field]) -> tuple[Field, ...]:
    """The columns of a file under the names that the declaration gives them, where the file has another of their names.

    Raises ``SourceError`` if the file ``name`` has two columns that are said to be one.
    """
    found = {field.name: field for field in fields}
    for column, others in declaration.other_names.items():
        there = [one for one in (column, *others) if one in found]
        if len(there) > 1:
            raise SourceError(
                f"{name} has the columns {there[0]!r} and {there[1]!r}, which are one by other_names: take {there[1]!r} out of "
                "other_names, or one of them out of the file"
            )
        if there and there[0] != column:
            found[there[0]] = replace(found[there[0]], name=column, own_name=there[0])
    return tuple(found.values())


def refuse_empty(layouts: Sequence[FileLayout]) -> None:
    """Refuse a source without any row. Among others a file without rows, such as a quiet day's, is not a fault.

    Raises ``SourceError`` if every file has a header and nothing below it.
    """
    if layouts and all(layout.row_count == 0 for layout in layouts):
        what = "only a header" if layouts[0].text_path is not None else "no row"
        others = f", as have the {len(layouts) - 1:,} others" if len(layouts) > 1 else ""
        raise SourceError(
            f"{layouts[0].name}: empty input: the file has {what}{others}. Deliver it again, or take it out of path"
        )


def lacking_columns(declaration: Source, names: Collection[str]) -> list[str]:
    """Mapped columns that a file with these columns lacks, as the source calls them."""
    return [source_column for source_column in declaration.mapped.values() if source_column not in names]


def combined(layouts: Sequence[FileLayout]) -> FileLayout:
    """The first file with the columns of all: what ``raw.customers`` is made of."""
    fields = {item.name: item for layout in reversed(layouts) for item in layout.fields}
    ordered = dict.fromkeys(name for layout in layouts for name in layout.names)
    return replace(layouts[0], fields=tuple(fields[name] for name in ordered))


def _check_columns(layout: FileLayout) -> None:
    if len(layout.fields) > MAX_COLUMNS:
        raise SourceError(
            f"{layout.name} has {len(layout.fields):,} columns, more than {MAX_COLUMNS:,}: "
            "it is probably a pivoted table; give one row per event"
        )
    seen: dict[str, str] = {}
    for name in layout.names:
        # A Parquet reader renames columns that differ only by case.
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise SourceError(
                f"{layout.name} has the columns {other!r} and {name!r}, which are one name: rename one of them"
            )


def _check_header(table: str, declaration: Source, layout: FileLayout, first: FileLayout) -> None:
    """Name a file that begins with a row, as all parts of a file that was split do but the first."""
    of_folder = {item.name for item in layout.fields if item.is_of_folder}
    wanted = wanted_columns(declaration) - of_folder
    if declaration.format == "csv" and wanted & set(first.names) and not wanted & set(layout.names):
        raise SourceError(
            f"sources.{table}: {layout.name} has no header: none of the columns that {first.name} has is in its first line. Write "
            "the header into every file, or join the parts of a file that was split"
        )


def _check_type(where: str, declaration: Source, column: str, found: Field) -> None:
    kind = _kind_of(declaration, column)
    if found.family != "none" and found.family not in _KINDS[kind]:
        raise SourceError(
            f"{where}: column {found.name!r} is {found.type}, which cannot be {column} ({kind}): map another column, "
            f"or write it as {' or '.join(_KINDS[kind][:2])}"
        )
    if kind == "moment" and isinstance(declaration, EventSource):
        declared = declaration.timestamp_format
        is_number, is_unix = found.family in {"integer", "number"}, bool(set(declared or ()) & set(NUMERIC_FORMATS))
        if (is_number and not is_unix) or (found.family == "text" and declared is None):
            example = "unix, unix_ms, unix_us or excel" if is_number else "for instance %Y-%m-%d %H:%M:%S"
            raise SourceError(f"{where}: column {found.name!r} is {found.type}: declare timestamp_format ({example})")


def _widened(family: Family) -> str:
    # An integer column with a missing value is written as floating point by many tools.
    return "number" if family == "integer" else family


def _kind_of(declaration: Source, column: str) -> str:
    if column == declaration.moment:
        return "moment"
    if isinstance(declaration, OrdersSource):
        return (
            "number"
            if column in (*NUMBERS, "refunded_amount", "amount_reversed")
            else "flag"
            if column == "coupon_used"
            else "text"
        )
    return "text"


def _extra_columns(declaration: Source) -> list[str]:
    """Source columns that other keys than columns name, next to the mapped ones."""
    named = [
        *declaration.customer.column[1:],
        *declaration.line_key,
        *([declaration.updated_at] if declaration.updated_at else []),
        *([declaration.recorded_at] if isinstance(declaration, RecordedRows) and declaration.recorded_at else []),
    ]
    if isinstance(declaration, OrdersSource):
        named += [declaration.line_kinds.column] if declaration.line_kinds.values else []
        named += declaration.other_statuses
    return [name for name in named if name not in declaration.mapped]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:40])
    return shown if len(names) <= 40 else f"{shown} and {len(names) - 40:,} more"


def table_contract(table: str, declaration: Source, layouts: Sequence[FileLayout]) -> TableContract:
    """Contract of the raw table: fixed, but for the columns of ``raw.customers`` and those of ``recorded_at``.

    Raises ``SourceError`` if a column of the customers' files has the name of a lineage column, or of one that the load itself
    needs.
    """
    if not isinstance(declaration, CustomersSource):
        return recorded_contract(LOADED[table]) if is_recorded(declaration) else LOADED[table]
    contract = customers_contract(list(customer_columns(declaration, combined(layouts))))
    names = [*(name.lower() for name in contract.column_names), *STAGED_COLUMNS]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            f"sources.{table}: column {twice[0]!r} of {layouts[0].name} has the name of another column of raw.{table}: "
            f"map it to another name, for instance columns: {{{twice[0]}_given: {twice[0]}}}"
        )
    return contract


def customer_columns(declaration: CustomersSource, layout: FileLayout) -> dict[str, str]:
    """Source column per column of ``raw.customers`` besides ``customer_id``, in the file's order."""
    named = {source_column: column for column, source_column in declaration.mapped.items()}
    columns = {named.get(name, name): name for name in layout.names}
    columns.pop("customer_id", None)
    return columns
