"""Features of single customers at a past day that is not a stored snapshot any more.

Elsewhere: the statements (``dbt_project/``), the shift test (``shift_asset.py``), which works the same way on a sample.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.features.dbt_project import catalog_of, models_in_order
from tdml_assets.stages.features.past_rows import rows_up_to
from tdml_assets.stages.features.snapshots import SNAPSHOTS as SNAPSHOT_ROWS
from tdml_assets.stages.features.snapshots import snapshot_rows

FEATURES = ("features", "customer_features")


def features_of(database: Database, manifest_path: Path, customer_id: str, day: date) -> Mapping[str, Any] | None:
    """Features of a customer at the end of a day, from the rows up to it; None where the customer was not known yet.

    ``database``: the open warehouse; only read. ``manifest_path``: the compiled dbt manifest.
    """
    stored = _row(database, customer_id, day) if database.has_table(FEATURES) else None
    return stored if stored is not None else recompute(database, manifest_path, customer_id, day)


def recompute(database: Database, manifest_path: Path, customer_id: str, day: date) -> Mapping[str, Any] | None:
    """The same as :func:`features_of`, whether or not the day is stored."""
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="past-") as folder:
        # The compiled statements name the database: this one has the same name.
        path = str(Path(folder, f"{catalog_of(manifest)}.duckdb"))
        scratch = Warehouse(database=path, temp_directory=folder, memory_limit_gb=1)
        with scratch.write() as other:
            _copy(database, other, [customer_id], day)
            for model in models_in_order(manifest):
                other.execute(render("warehouse/create_schema", schema=model.schema))
                created = render("features/create_model", path=model.path, is_view=model.is_view)
                other.execute(Statement(created.text.replace("__model__", model.sql)))
            return _row(other, customer_id, day)


def _copy(database: Database, other: Database, customers: Sequence[str], day: date) -> None:
    tables, _ = rows_up_to(database, customers, day)
    for contract, rows in tables.items():
        other.replace(contract, rows)
    other.replace(SNAPSHOT_ROWS, snapshot_rows([day], day, 1.0))


def _row(database: Database, customer_id: str, day: date) -> Mapping[str, Any] | None:
    statement = render("explain/features", features=FEATURES, customer_id=customer_id, snapshot_date=day)
    found = database.rows(statement)
    return found[0] if found else None
