"""What assets report: the only place that knows Dagster's metadata types.

Row previews show aggregates only: customer values never reach the event log.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np

from tdml_assets.platform.charts import glance_bars
from tdml_assets.platform.contracts import Column, TableContract

OWNER = "team:marketing-data"


def plain(value: Any) -> Any:
    """A Python number for a NumPy one: Dagster's event log refuses the latter."""
    return value.item() if isinstance(value, np.generic) else value


def column_schema(columns: TableContract | Sequence[Column]) -> dg.TableSchema:
    """The columns as the Dagster UI shows them."""
    if isinstance(columns, TableContract):
        columns = columns.columns
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns
        ]
    )


def table_metadata(contract: TableContract) -> dict[str, Any]:
    """Name and columns of a table."""
    return {
        "dagster/table_name": f"{contract.schema}.{contract.name}",
        "dagster/column_schema": column_schema(contract),
    }


def table_preview(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """A small table of aggregates."""
    records = [dg.TableRecord({name: _cell(plain(value)) for name, value in row.items()}) for row in rows]
    names = list(rows[0]) if rows else ["empty"]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=[dg.TableColumn(name=name) for name in names]))


def transposed(rows: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """One row per column and one column per row: the UI cuts a wide table at its right.

    ``key``: column whose values name the new columns.
    """
    names = [name for name in rows[0] if name != key] if rows else []
    return [{"statistic": name, **{str(row[key]): row[name] for row in rows}} for name in names]


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return value if isinstance(value, (int, bool)) else str("" if value is None else value)


def glance(title: str, series: Sequence[tuple[str, Sequence[float]]], first: str, last: str) -> dict[str, Any]:
    """A picture small enough that the UI shows it in place, first of all metadata; nothing where there are no values.

    ``series``, ``first``, ``last``: as :func:`tdml_assets.platform.charts.glance_bars` takes them.
    """
    if not series or not series[0][1]:
        return {}
    return {"at a glance": dg.MetadataValue.md(glance_bars(title, series, first, last))}


def plot(title: str, picture: bytes) -> dg.MetadataValue:
    """An SVG, which the UI shows behind a link. Keep it under 100 kB: it is stored in the event log of every run."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(picture).decode()})")
