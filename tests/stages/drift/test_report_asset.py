"""Evidently's picture is drawn only where there is something to see: a real store of models, a DuckDB file, a run of Dagster."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.blobs import FolderStore
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import Manifest, ModelFeature, describe_files
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.monitoring import DRIFT
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.drift.asset import build_drift

SPEC = WorkflowSpec.model_validate({"name": "spend", "target": {"horizon_days": 30}})
VERSION, NOW = "2024-06-02-000000000001", datetime.fromisoformat("2024-06-02T00:00")
RUN, EARLIER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


class House:
    """A warehouse with the drift that a session measured, and a champion of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
        with self.warehouse.write() as database:
            for text in (
                "create schema features",
                "create table features.snapshots as select date '2024-06-09' as snapshot_date, true as is_scoring",
            ):
                database.execute(Statement(text))
            key = {"session_id": RUN, "workflow": "spend", "kind": "feature"}
            database.replace(DRIFT, [{**key, "column_name": "x", "psi": 0.01, "status": "ok"}])

    def promote(self, trained_in: str) -> None:
        files = {"model.json": b"{}"}
        manifest = Manifest(
            "spend", VERSION, date(2024, 6, 2), (ModelFeature("x", "FLOAT"),), "target", "python", {}, "d", "c", {}, {},
            trained_in, NOW, describe_files(files),
        )  # fmt: skip
        store = BundleStore(FolderStore(self.folder / "models"))
        store.write(manifest, files)
        store.promote("spend", VERSION, replacing=None, reason="first", session_id=trained_in, promoted_at=NOW)

    def report(self) -> dict[str, object]:
        """Metadata of the asset in the session of ``RUN``."""
        (asset,) = (
            one
            for one in build_drift(SPEC, Settings(home=self.folder, base_folder=self.folder))
            if one.key.path[-1] == "drift_report"
        )
        models = ModelStore(url=str(self.folder / "models"))
        definitions = dg.Definitions(
            assets=[asset],
            jobs=[dg.define_asset_job("report", [asset])],
            resources={"warehouse": self.warehouse, "models": models},
        )
        with dg.DagsterInstance.ephemeral() as instance:
            done = definitions.resolve_job_def("report").execute_in_process(run_id=RUN, instance=instance)
        (event,) = done.asset_materializations_for_node("spend__drift_report")
        return {name: entry.value for name, entry in event.metadata.items()}


@pytest.mark.parametrize(
    ("trained_in", "status", "detail"),
    [(RUN, "first", "nothing to compare with yet"), (EARLIER, "not drawn", "no column moved")],
    ids=["the first session of a model", "no column moved"],
)
def test_nothing_is_drawn_where_there_is_nothing_to_see(
    tmp_path: Path, trained_in: str, status: str, detail: str
) -> None:
    house = House(tmp_path)
    house.promote(trained_in)
    shown = house.report()
    assert (shown["status"], shown["detail"]) == (status, detail)
    assert not list((tmp_path / "reports").rglob("*.html"))
