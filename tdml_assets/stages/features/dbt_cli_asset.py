"""The dbt project run by dbt itself, through dagster-dbt.

Elsewhere: running compiled statements in this process (``asset.py``), which needs none of dbt's imports and is what a session
does by default.

The warehouse file is dbt's alone for the while, and free again when it ends. Rows are counted afterwards through ``Warehouse``;
dagster-dbt's own ``fetch_row_counts`` would keep a connection open here.
"""

import contextlib
import importlib.metadata
import io
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version, parse
from pydantic import Field

from tdml_assets.platform.contracts import Column
from tdml_assets.platform.metadata import OWNER, column_schema
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.features.dbt_manifest import dbt_executable, dbt_project_directory

_KEPT_FAILURES = 5
_ENVIRONMENT_LOCK = threading.Lock()
# The asset of a raw table writes its rows and the earlier states of these rows: two sources, one asset.
_SETTINGS = DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)

Event = Any  # what dagster-dbt yields: Output, AssetCheckResult, AssetObservation


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


def build_dbt_resource(environment: Mapping[str, str]) -> WarehouseDbt:
    """The resource that runs dbt on the project, with the variables that ``profiles.yml`` reads."""
    project = str(dbt_project_directory())
    return WarehouseDbt(
        project_dir=project, profiles_dir=project, dbt_executable=dbt_executable(), environment=dict(environment)
    )


def build_with_dbt(manifest_path: Path, manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The project's assets, each run of which is one ``dbt build``; needs the resource ``dbt``."""

    @dbt_assets(
        manifest=manifest_path, dagster_dbt_translator=Translator(_SETTINGS), pool="warehouse", name="dbt_build"
    )
    def dbt_build(context: dg.AssetExecutionContext, dbt: WarehouseDbt, warehouse: Warehouse) -> Iterator[Event]:
        # Unit tests state what the SQL means; they belong to the project's own tests, not to every run.
        invocation = dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context)
        events, failure = _collect(invocation)
        yield from _with_what_was_built(events, manifest, warehouse)
        _tidy(invocation.target_path, failed=failure is not None)
        if failure is not None:
            raise failure
        context.log.info(f"report: dbt built {sum(isinstance(event, dg.Output) for event in events)} models")

    return dbt_build


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
