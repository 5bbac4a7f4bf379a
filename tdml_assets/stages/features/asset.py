"""staging/* and features/*: the dbt project as Dagster assets.

Elsewhere: SQL of features (``dbt_project/``), building (``dbt_build.py``), dbt itself (``dbt_cli_asset.py``).

dbt compiles the project when it changed (``dbt_manifest.py``). What it compiled runs without dbt, so a session does not spend the
seconds in which dbt is imported and reads the project again. A project that asks for more than tables, views and data tests
is run by dbt itself, and so is any project where the settings say ``dbt_runner: dbt``. Tables and checks are the same.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from tdml_assets.platform.contracts import Column
from tdml_assets.platform.environment import code_of_stages
from tdml_assets.platform.extras import require_extra
from tdml_assets.platform.metadata import OWNER, column_schema
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.dbt_build import Built, build_models
from tdml_assets.stages.features.dbt_manifest import QUIET, RECORDED_SOURCES, ensure_manifest
from tdml_assets.stages.features.dbt_project import DataTest, data_tests, models_in_order, only_dbt_can_run, sources_of
from tdml_assets.stages.features.shift_asset import build_shift_check

Runner = Literal["compiled", "dbt"]
Event = dg.MaterializeResult[Any] | dg.AssetCheckResult


def dbt_environment(home: Path, warehouse: Warehouse, recorded: Sequence[str] = ()) -> dict[str, str]:
    """Give dbt the warehouse resource's settings, so that both open the file alike, and places to write.

    ``recorded`` names the tables whose sources tell when rows were recorded.
    """
    return {
        "WAREHOUSE_DATABASE": str(Path(warehouse.database).resolve()),
        "WAREHOUSE_MEMORY_LIMIT": f"{warehouse.memory_limit_gb}GB",
        "WAREHOUSE_THREADS": str(warehouse.threads),
        "WAREHOUSE_TEMP_DIRECTORY": warehouse.temp_directory,
        "WAREHOUSE_MAX_TEMP": f"{warehouse.max_temp_gb}GB",
        "DBT_TARGET_PATH": str((home / "dbt" / "runs").resolve()),
        "DBT_LOG_PATH": str((home / "dbt" / "runs").resolve()),
        RECORDED_SOURCES: ",".join(recorded),
        **QUIET,
    }


def build_dbt_assets(
    home: Path, environment: Mapping[str, str], runner: Runner = "compiled"
) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition, dict[str, Any]]:
    """Build the dbt project's assets, the shift test on its features, and the resources they need beyond the warehouse.

    Parameters
    ----------
    home : folder of all state; the manifest and what failed runs of dbt leave go to ``<home>/dbt``.
    environment : from :func:`dbt_environment`.
    runner : ``compiled`` runs the compiled statements in this process where they allow it; ``dbt`` always starts dbt.
    """
    manifest_path = ensure_manifest(
        home,
        Path(environment["WAREHOUSE_DATABASE"]).stem,
        tuple(filter(None, environment[RECORDED_SOURCES].split(","))),
    )
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    check = build_shift_check(manifest)
    beyond = only_dbt_can_run(manifest)
    if runner == "compiled" and not beyond:
        return _build_compiled(manifest, manifest_path.stem), check, {}
    require_extra("dagster_dbt", "dbt", "dbt_runner: dbt" if runner == "dbt" else f"A dbt project with {beyond[0]}")
    # Its import takes longer than all the rest of the definitions.
    from tdml_assets.stages.features.dbt_cli_asset import build_dbt_resource, build_with_dbt

    return build_with_dbt(manifest_path, manifest), check, {"dbt": build_dbt_resource(environment)}


def _build_compiled(manifest: Mapping[str, Any], version: str) -> dg.AssetsDefinition:
    models, tests = models_in_order(manifest), data_tests(manifest)
    keys = {model.unique_id: dg.AssetKey(model.path) for model in models}
    check_keys = {test.unique_id: dg.AssetCheckKey(keys[test.model], test.name) for test in tests}

    @dg.multi_asset(
        name="dbt_build",
        specs=[_spec(manifest, manifest["nodes"][key]) for key in sorted(keys)],
        check_specs=[
            dg.AssetCheckSpec(
                test.name,
                asset=keys[test.model],
                description=test.description or None,
                blocking=test.is_error,
                metadata={"dagster_dbt/unique_id": test.unique_id},
            )
            for test in tests
        ],
        can_subset=True,
        pool="warehouse",
    )
    def dbt_build(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Event]:
        wanted, checked = context.selected_asset_keys, context.selected_asset_check_keys
        chosen = [model for model in models if keys[model.unique_id] in wanted]
        chosen_tests = [test for test in tests if check_keys[test.unique_id] in checked]
        with warehouse.write() as database:
            built = build_models(
                database,
                chosen,
                chosen_tests,
                sources_of(manifest),
                version=f"{version} {code_of_stages()}",
                is_whole=len(chosen) == len(models) and len(chosen_tests) == len(tests),
            )
        for one in built:
            yield _materialized(manifest, one)
            for test in chosen_tests:
                if test.unique_id in one.failures:
                    yield _tested(test, check_keys[test.unique_id], one.failures[test.unique_id])
        context.log.info(f"report: {_summary(built)}")

    return dbt_build


def _summary(built: Sequence[Built]) -> str:
    new = sum(one.seconds is not None for one in built)
    if not new:
        return f"{len(built)} models are as the same rows made them before"
    computed = [one.customers for one in built if one.customers is not None]
    of_some = f", {len(computed)} of them by the rows of {computed[0]:,} customers that changed" if computed else ""
    return f"{new} models built{of_some}"


def _tested(test: DataTest, key: dg.AssetCheckKey, failures: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=failures == 0,
        asset_key=key.asset_key,
        check_name=key.name,
        severity=dg.AssetCheckSeverity.ERROR if test.is_error else dg.AssetCheckSeverity.WARN,
        metadata={"rows that fail": failures},
    )


def _spec(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> dg.AssetSpec:
    described = [
        Column(name, column["data_type"] or "?", column["description"]) for name, column in node["columns"].items()
    ]
    columns = {"dagster/column_schema": column_schema(described)} if described else {}
    return dg.AssetSpec(
        [node["schema"], node["name"]],
        deps=[_key(manifest, parent) for parent in node["depends_on"]["nodes"]],
        group_name=node["schema"],
        description=node["description"],
        owners=[OWNER],
        kinds={"dbt", "duckdb", node["config"]["materialized"]},
        code_version=hashlib.sha1(node["raw_code"].encode(), usedforsecurity=False).hexdigest(),
        skippable=True,
        metadata={
            "dagster/table_name": f"{node['database']}.{node['schema']}.{node['name']}",
            "dagster_dbt/unique_id": node["unique_id"],
            **columns,
        },
    )


def _key(manifest: Mapping[str, Any], unique_id: str) -> dg.AssetKey:
    found = manifest["nodes"].get(unique_id)
    if found is None:
        # A source names its asset: that of its rows wrote their earlier states, too.
        return dg.AssetKey(manifest["sources"][unique_id]["config"]["meta"]["dagster"]["asset_key"])
    return dg.AssetKey([found["schema"], found["name"]])


def _materialized(manifest: Mapping[str, Any], built: Built) -> dg.MaterializeResult[Any]:
    described = manifest["nodes"][built.model.unique_id]["columns"]
    columns = [
        Column(name, kind, described[name]["description"] if name in described else "")
        for name, kind in built.columns.items()
    ]
    taken = {"seconds": round(built.seconds, 3)} if built.seconds is not None else {}
    return dg.MaterializeResult(
        asset_key=dg.AssetKey(built.model.path),
        metadata={
            "dagster/row_count": built.row_count,
            "dagster/column_schema": column_schema(columns),
            "unchanged": built.seconds is None,
            **taken,
            **({} if built.customers is None else {"customers computed": built.customers}),
        },
    )
