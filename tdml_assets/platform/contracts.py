"""Table contracts: columns, types, nullability and grain, declared once.

One contract feeds the writer (DDL), the column schema shown in Dagster and the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    ``name``: column name. ``type``: DuckDB type, for instance ``"VARCHAR"`` or ``"DECIMAL(18, 4)"``. ``description``: what it
    holds, with units. ``nullable``: whether NULL has a documented meaning here. ``compressed``: False where values never
    repeat, so that DuckDB does not look for a dictionary: half the time of writing them. ``former_name``:
    the column's name in tables of an older version.
    """

    name: str
    type: str
    description: str
    nullable: bool = True
    compressed: bool = True
    former_name: str | None = None


@dataclass(frozen=True)
class TableContract:
    """Shape of one table.

    ``schema``, ``name``: where the table lives; also the Dagster asset key where the table is an asset. ``description``: what
    one row is. ``columns``: in the order a reader should meet them. ``slice_key``: columns whose values name the slice that one
    session writes; empty where the table is replaced whole.
    """

    schema: str
    name: str
    description: str
    columns: tuple[Column, ...]
    slice_key: tuple[str, ...] = ()

    @property
    def path(self) -> tuple[str, str]:
        """Schema and name, as the template layer's ``identifier`` filter takes them."""
        return (self.schema, self.name)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)
