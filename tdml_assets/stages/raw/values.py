"""Where a statement over the rows of a file finds a value. Elsewhere: what the value means (``plan.py``)."""

from __future__ import annotations

from dataclasses import dataclass

from tdml_assets.stages.raw.rules import FileLayout


@dataclass(frozen=True)
class Value:
    """How a statement finds one value of a row: the template ``raw/parts/value`` prints it.

    ``column``: name in the statement, for instance ``customer_id_given``. ``field``: ``field_<n>`` of the row, or the JSON
    pointer to it; ``None`` if the source has no such column. ``family``: of the field's type; ``json`` where it lies in a JSON
    document. ``plain``: whether it is wanted as plain text rather than as it is. ``is_trimmed``: whether blanks at its ends are
    taken off. ``is_mapped``: whether the declaration names a column for it, which this file may lack.
    """

    column: str
    field: str | None
    family: str
    plain: bool
    is_mapped: bool = True
    is_trimmed: bool = True


def json_pointer(key: str) -> str:
    """Pointer to a key of a JSON document."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def find_value(column: str, source_column: str | None, layout: FileLayout, file_format: str, *, plain: bool) -> Value:
    """Where a statement over ``layout`` finds ``source_column``."""
    if source_column is None:
        return Value(column, None, "none", plain, is_mapped=False)
    index = layout.names.index(source_column) if source_column in layout.names else None
    if file_format == "json" and (index is None or not layout.fields[index].is_of_folder):
        return Value(column, json_pointer(source_column), "json", plain)
    if index is None or layout.fields[index].family == "none":
        return Value(column, None, "none", plain)
    return Value(column, f"field_{index}", layout.fields[index].family, plain)
