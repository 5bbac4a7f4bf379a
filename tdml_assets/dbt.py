"""staging/* and features/*: the dbt project as Dagster assets, and the shift test on what it built.

Belongs here: running ``dbt build``, translating the project's nodes, computing features again for the shift test.
Does not: SQL of features (``dbt_project/``), the manifest (``dbt_manifest.py``), the verdict of the shift test
(``core/point_in_time.py``).

dbt runs as a process of its own: the warehouse file is its alone for the while, and free again when it ends. Rows are
counted afterwards through ``Warehouse``; dagster-dbt's own ``fetch_row_counts`` would keep a connection open here.
"""

import contextlib
import importlib.metadata
import io
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version, parse
from pydantic import Field

from tdml_assets.core.contracts import Column, TableContract
from tdml_assets.core.point_in_time import (
    Comparison,
    Model,
    catalog_of,
    judge,
    models_in_order,
    read_comparison,
    snapshots_to_check,
)
from tdml_assets.core.statements import Statement, render
from tdml_assets.dbt_manifest import QUIET, dbt_executable, dbt_project_directory, ensure_manifest
from tdml_assets.metadata import OWNER, column_schema
from tdml_assets.resources.warehouse import Database, Warehouse

FEATURES = ("features", "customer_features")
SNAPSHOTS = ("features", "snapshots")
# The tables that features are computed from, and the day each row counts on.
EVENTS = {("raw", "orders"): "ordered_on", ("raw", "pageviews"): "viewed_on", ("raw", "email_events"): "sent_on"}
SAMPLED_CUSTOMERS = 2000
_KEPT_FAILURES = 5
_ENVIRONMENT_LOCK = threading.Lock()

Event = Any  # what dagster-dbt yields: Output, AssetCheckResult, AssetObservation


def dbt_environment(home: Path, warehouse: Warehouse) -> dict[str, str]:
    """Give dbt the warehouse resource's settings, so that both open the file alike, and places to write."""
    return {
        "WAREHOUSE_DATABASE": str(Path(warehouse.database).resolve()),
        "WAREHOUSE_MEMORY_LIMIT": f"{warehouse.memory_limit_gb}GB",
        "WAREHOUSE_THREADS": str(warehouse.threads),
        "WAREHOUSE_TEMP_DIRECTORY": warehouse.temp_directory,
        "WAREHOUSE_MAX_TEMP": f"{warehouse.max_temp_gb}GB",
        "DBT_TARGET_PATH": str((home / "dbt" / "runs").resolve()),
        "DBT_LOG_PATH": str((home / "dbt" / "runs").resolve()),
        **QUIET,
    }


# Running


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    with _ENVIRONMENT_LOCK:
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


class WarehouseDbt(DbtCliResource):
    """dbt with an environment of its own.

    dagster-dbt hands the process's environment on to dbt, so the values are set for the moment in which dbt is started.
    """

    environment: dict[str, str] = Field(description="What profiles.yml reads, and where dbt may write.")

    def cli(self, *args: Any, **kwargs: Any) -> Any:
        """Start dbt. Arguments as of ``DbtCliResource.cli``."""
        with _environment(self.environment):
            return super().cli(*args, **kwargs)

    @cached_property
    def _cli_version(self) -> Version:
        # Asking the executable takes seconds and looks for a newer release on the network.
        return parse(importlib.metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002
        # Serves fetch_row_counts and fetch_column_metadata, which are not used: it imports dbt into this process.
        return None


class Translator(DagsterDbtTranslator):
    """Nodes of the project as this platform names and groups assets."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Make schema and table the key; a source declares its own."""
        if dbt_resource_props["resource_type"] != "model":
            return super().get_asset_key(dbt_resource_props)
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Group by schema."""
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Name the team that owns every asset."""
        return [OWNER]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Describe it without the SQL, which the code version stands for."""
        return str(dbt_resource_props["description"])

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """Tell tables from views."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        return (
            spec if node is None else spec.replace_attributes(kinds={"dbt", "duckdb", node["config"]["materialized"]})
        )


def build_dbt_assets(
    home: Path, environment: Mapping[str, str]
) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition, WarehouseDbt]:
    """Build the dbt project's assets, the shift test on its features, and the resource to run them (key ``dbt``).

    Parameters
    ----------
    home : folder of all state; the manifest and what failed runs leave go to ``<home>/dbt``.
    environment : from :func:`dbt_environment`.
    """
    manifest_path = ensure_manifest(home, Path(environment["WAREHOUSE_DATABASE"]).stem)
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    project = dbt_project_directory()
    resource = WarehouseDbt(
        project_dir=str(project),
        profiles_dir=str(project),
        dbt_executable=dbt_executable(),
        environment=dict(environment),
    )

    @dbt_assets(manifest=manifest_path, dagster_dbt_translator=Translator(), pool="warehouse", name="dbt_build")
    def dbt_build(context: dg.AssetExecutionContext, dbt: WarehouseDbt, warehouse: Warehouse) -> Iterator[Event]:
        # Unit tests state what the SQL means; they belong to the project's own tests, not to every run.
        invocation = dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context)
        events, failure = _collect(invocation)
        yield from _with_what_was_built(events, manifest, warehouse)
        _tidy(invocation.target_path, failed=failure is not None)
        if failure is not None:
            raise failure
        context.log.info(f"report: dbt built {sum(isinstance(event, dg.Output) for event in events)} models")

    return dbt_build, _build_shift_check(manifest), resource


def _collect(invocation: Any) -> tuple[list[Event], DagsterDbtCliRuntimeError | None]:
    """Everything dbt reports, and its failure, if any. Its chatter stays in dbt's own log."""
    events: list[Event] = []
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            events.extend(invocation.stream())
        except DagsterDbtCliRuntimeError as failure:
            return events, failure
    return events, None


def _with_what_was_built(events: Sequence[Event], manifest: Mapping[str, Any], warehouse: Warehouse) -> Iterator[Event]:
    """Pass the events on, with the number of rows and the columns of every model that was built."""
    built: dict[int, Mapping[str, Any]] = {}
    for event in events:
        node = manifest["nodes"].get(event.metadata["unique_id"].text) if isinstance(event, dg.Output) else None
        if node is not None:
            built[id(event)] = node
    shown: dict[int, dict[str, Any]] = {}
    if built:
        with warehouse.read() as database:
            shown = {key: _what_was_built(database, node) for key, node in built.items()}
    for event in events:
        yield event.with_metadata({**event.metadata, **shown[id(event)]}) if id(event) in shown else event


def _what_was_built(database: Database, node: Mapping[str, Any]) -> dict[str, Any]:
    path = (node["schema"], node["name"])
    described = {name: column["description"] for name, column in node["columns"].items()}
    columns = [Column(name, kind, described.get(name, "")) for name, kind in database.columns(path).items()]
    return {"dagster/row_count": database.count(path), "dagster/column_schema": column_schema(columns)}


def _tidy(target_path: Path, *, failed: bool) -> None:
    """Forget what a good run left; keep the last few that failed, whose logs say why."""
    if not failed:
        shutil.rmtree(target_path, ignore_errors=True)
    runs = sorted(target_path.parent.glob("dbt_build-*"), key=lambda path: path.stat().st_mtime)
    for old in runs[:-_KEPT_FAILURES]:
        shutil.rmtree(old, ignore_errors=True)


# The shift test


def _build_shift_check(manifest: Mapping[str, Any]) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=list(FEATURES),
        name="features_ignore_later_rows",
        blocking=True,
        pool="warehouse",
        description=(
            f"Features of up to {SAMPLED_CUSTOMERS} customers, computed again by the same statements from the rows up "
            "to the snapshot alone, are the stored ones, bit for bit."
        ),
    )
    def features_ignore_later_rows(warehouse: Warehouse) -> dg.AssetCheckResult:
        comparisons, customers = compare_without_later_rows(warehouse, manifest, SAMPLED_CUSTOMERS)
        passed, sentence = judge(comparisons)
        return dg.AssetCheckResult(
            passed=passed,
            description=sentence,
            metadata={
                "customers sampled": customers,
                "rows compared": sum(comparison.compared_rows for comparison in comparisons),
                "features compared": max((comparison.features for comparison in comparisons), default=0),
                "snapshots compared": [str(comparison.snapshot_date) for comparison in comparisons],
                "later rows left out": sum(comparison.later_rows for comparison in comparisons),
            },
        )

    return features_ignore_later_rows


def compare_without_later_rows(
    warehouse: Warehouse, manifest: Mapping[str, Any], customers: int
) -> tuple[list[Comparison], int]:
    """Compute the features of a sample again, for some snapshots, from the rows up to each snapshot alone.

    Parameters
    ----------
    warehouse : where the features are stored; only read.
    manifest : the compiled manifest that built them.
    customers : sample size; the sample is the same for the same customers.

    Returns
    -------
    comparisons : one per snapshot looked at.
    sampled : customers in the sample.
    """
    models = models_in_order(manifest)
    with warehouse.read() as database:
        rows = database.rows(render("features/sampled_customers", orders=("raw", "orders"), count=customers))
        sampled = [row["customer_id"] for row in rows]
        days = [row["snapshot_date"] for row in database.rows(render("features/snapshot_dates", snapshots=SNAPSHOTS))]
    comparisons = []
    for snapshot_date in snapshots_to_check(days):
        with warehouse.read() as database:
            tables, later_rows = _tables_up_to(database, sampled, snapshot_date)
        # The compiled statements name the database: the throw-away one has the same name.
        with tempfile.TemporaryDirectory(prefix="shift-") as folder:
            database_path = f"{folder}/{catalog_of(manifest)}.duckdb"
            scratch = Warehouse(database=database_path, temp_directory=folder, memory_limit_gb=1)
            counts = _recompute_and_compare(scratch, models, tables, snapshot_date)
        comparisons.append(read_comparison(snapshot_date, later_rows, counts))
    return comparisons, len(sampled)


def _tables_up_to(
    database: Database, customers: Sequence[str], last_day: date
) -> tuple[dict[TableContract, pa.Table], int]:
    """Read what the models read, cut at ``last_day``, with the stored features; and how many rows were cut off."""
    found: dict[TableContract, pa.Table] = {}
    later_rows = 0
    for path, day in EVENTS.items():
        cut = {"table": path, "day": day, "customers": list(customers), "last_day": last_day}
        found[_contract_of(database, path, path)] = database.arrow(render("features/sampled_rows", **cut))
        later_rows += database.row(render("features/count_later_rows", **cut))["later_rows"]
    stored = render("features/stored_features", table=FEATURES, customers=list(customers), snapshot_date=last_day)
    found[_contract_of(database, FEATURES, ("stored", FEATURES[1]))] = database.arrow(stored)
    return found, later_rows


def _contract_of(database: Database, source: tuple[str, str], target: tuple[str, str]) -> TableContract:
    columns = tuple(Column(name, kind, "") for name, kind in database.columns(source).items())
    return TableContract(*target, "A copy for the shift test.", columns)


def _recompute_and_compare(
    scratch: Warehouse, models: Sequence[Model], tables: Mapping[TableContract, pa.Table], snapshot_date: date
) -> dict[str, Any]:
    snapshots = TableContract(*SNAPSHOTS, "The snapshot alone.", (Column("snapshot_date", "DATE", "", False),))
    with scratch.write() as database:
        for contract, rows in tables.items():
            database.replace(contract, rows)
        database.replace(snapshots, [{"snapshot_date": snapshot_date}])
        for model in models:
            database.execute(render("warehouse/create_schema", schema=model.schema))
            statement = render("features/create_model", path=(model.schema, model.name), is_view=model.is_view)
            database.execute(Statement(statement.text.replace("__model__", model.sql)))
        stored = ("stored", FEATURES[1])
        columns = [name for name in database.columns(stored) if name not in ("snapshot_date", "customer_id")]
        sides = {"recomputed": FEATURES, "stored": stored}
        return database.row(render("features/compare", **sides, columns=columns, snapshot_date=snapshot_date))
