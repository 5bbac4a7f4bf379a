"""Labelled rows are scored once per model and training table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.engines.level import Snapshot
from tdml_assets.models.bundles import StoredFile
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.predictions.level import kept_snapshots

DAYS = [date(2026, 3, 31), date(2025, 12, 31)]
FOUND = [Snapshot(DAYS[1], 200, 0.1 + 0.2, 1 / 3, -0.1, 1e-17), Snapshot(DAYS[0], 210, 7.0, 8.0, 0.1, 0.2, 0.9)]


@dataclass(frozen=True)
class Version:
    """What is read of a manifest."""

    workflow: str = "cltv"
    files: tuple[StoredFile, ...] = (StoredFile("model.json", 10, "aa"),)


@pytest.mark.parametrize(
    ("changes", "compared"),
    [
        ({}, 1),
        ({"version": Version(files=(StoredFile("model.json", 10, "bb"),))}, 2),
        ({"days": DAYS[:1]}, 2),
        ({"kind": "probability"}, 2),
        ({"statement": "update cltv.training_table set target = 2"}, 2),
    ],
)
def test_snapshots_are_compared_again_only_where_model_rows_days_or_kind_are_others(
    tmp_path: Path, changes: dict[str, Any], compared: int
) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))
    calls: list[int] = []

    def compare() -> list[Snapshot]:
        calls.append(1)
        return FOUND

    with warehouse.write() as database:
        database.execute(Statement("create schema cltv"))
        database.execute(Statement("create table cltv.training_table as select 'a' as customer_id, 1.0 as target"))
        assert kept_snapshots(database, Version(), DAYS, "amount", compare) == FOUND
    with warehouse.write() as database:
        if "statement" in changes:
            database.execute(Statement(changes["statement"]))
        version, days = changes.get("version", Version()), changes.get("days", DAYS)
        assert kept_snapshots(database, version, days, changes.get("kind", "amount"), compare) == FOUND
    assert len(calls) == compared
