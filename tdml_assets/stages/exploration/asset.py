"""<workflow>/exploration: the deck's analyses of the training table, as tables, plots and a check.

Elsewhere: the statistics (``analyses.py``), the drawing (``platform/figures.py``), products as customers bought them
(``recommendation.py``).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from tdml_assets.declaration.targets import words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform import figures
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import TARGET_HISTOGRAM
from tdml_assets.platform.per_task import Done
from tdml_assets.platform.sessions import session_id_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.exploration import analyses
from tdml_assets.stages.exploration.recommendation import products_bought
from tdml_assets.stages.exploration.split import Exploration, SplitCheck, split_check
from tdml_assets.stages.features.columns import choose_features, features_table
from tdml_assets.stages.reuse import Recall, reused

_SHOWN = 15


def comparison_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.exploration``: train against test and correlation with the target, per column."""
    numbers = {
        "cv_train": "Coefficient of variation of the training split, percent.",
        "cv_test": "The same of the test split.",
        "difference": "Their distance, in points.",
        "sampled_difference": "The distance over the rows that were checked.",
        "difference_limit": "What no fair split of those rows would pass.",
        "shift": "Distance of the means of log(1 + x), in pooled standard deviations.",
        "shift_limit": "What no fair split would pass.",
        "scale": "Distance of the means of log x over what is not zero: sees a change of unit.",
        "scale_limit": "What no fair split would pass.",
        "scale_ratio": "Geometric mean of what is not zero, test to train: far from 1 for another unit.",
        "correlation": "Pearson's correlation with the target, all labelled rows.",
    }
    return TableContract(
        workflow,
        "exploration",
        "One row per number, the target among them: is the split fair, and what goes with the target.",
        (
            Column("column_name", "VARCHAR", "Column of the training table.", False),
            *(Column(name, "DOUBLE", text) for name, text in numbers.items()),
            Column(
                "within_deck_limit", "BOOLEAN", "Whether the distance is below 3 points: information, not a verdict."
            ),
            Column(
                "status", "VARCHAR", "ok, differs, one_side (values on one side only), or why it could not be compared."
            ),
        ),
    )


def _analyse(database: Database, spec: WorkflowSpec) -> tuple[SplitCheck, list[dict[str, Any]], list[dict[str, Any]]]:
    table = (spec.name, "training_table")
    numeric = choose_features(database.columns(features_table(spec)), spec.features).numeric
    check = split_check(database, table, ["target", *numeric], seed=spec.model.seed)
    correlations = analyses.correlations(database, table, {}, numeric, "target")
    return check, correlations, analyses.target_histogram(database, table, {}, "target")


def _numbers_and_target(spec: WorkflowSpec) -> Exploration:
    """Every number of a table with a row per customer, and the target."""
    contract = comparison_contract(spec.name)
    return Exploration(
        description="Looks at the training table before anything is trained: train against test, correlations, target.",
        metadata=table_metadata(contract),
        deps=[(spec.name, "training_table")],
        reads=[(spec.name, "training_table"), features_table(spec)],
        tables=[contract.path],
        explore=lambda warehouse, session: _explore(warehouse, spec, session),
        slices=[TARGET_HISTOGRAM],
        checks_split=True,
    )


def _explore(warehouse: Warehouse, spec: WorkflowSpec, session: Mapping[str, str]) -> tuple[Done, SplitCheck]:
    with warehouse.read() as database:
        check, correlations, histogram = _analyse(database, spec)
    with_target = {row["column_name"]: row["correlation"] for row in correlations}
    rows = [{**row, "correlation": with_target.get(row["column_name"])} for row in check.rows()]
    with warehouse.write() as database:
        count = database.replace(comparison_contract(spec.name), rows)
        database.replace_slice(TARGET_HISTOGRAM, session, [{**session, **row} for row in histogram])
    return Done(count, check.sentence, _shown(spec, rows, correlations, histogram)), check


#: Tasks whose training table has other columns.
_EXPLORATIONS = {"recommendation": products_bought}


def build_exploration(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """The asset of one workflow, with its check where the table has a split of rows."""
    found = _EXPLORATIONS.get(spec.learns, _numbers_and_target)(spec)
    checks = [_check_spec(spec)] if found.checks_split else []

    @dg.asset(**found.asset(spec, "exploration", {"duckdb", "sql"}), check_specs=checks)
    @isolated(spec, "exploration", *(one.name for one in checks))
    @reused(Recall(spec, "exploration", found.reads, tables=found.tables, slices=found.slices))
    def exploration(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        done, check = found.explore(warehouse, {"session_id": session_id_of(context), "workflow": spec.name})
        context.log.info(f"report: {done.sentence}")
        return dg.MaterializeResult(
            metadata={"dagster/row_count": done.rows, **done.shown},
            check_results=[] if check is None else [_split_is_fair(check)],
        )

    return exploration


def _check_spec(spec: WorkflowSpec) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "split_is_fair",
        asset=[spec.name, "exploration"],
        description="Train and test differ no more than random splits of the same rows do (1 % false alarms over "
        "all columns). A test of a later day differs by season and age: then only another unit, or values on one side "
        "alone, is a warning. Never blocks.",
    )


def _shown(
    spec: WorkflowSpec, rows: list[dict[str, Any]], correlations: list[dict[str, Any]], histogram: list[dict[str, Any]]
) -> dict[str, dg.MetadataValue[Any]]:
    what = words_of(spec.target_kind, spec.target)
    target = figures.target_histogram(histogram, target=f"{what}, {spec.target.horizon_days} days")
    return {
        "train against test": table_preview(rows[:_SHOWN]),
        "correlations": table_preview(correlations[:_SHOWN]),
        "split": plot("train against test", figures.split_comparison(rows)),
        "correlation plot": plot("correlations", figures.correlations(correlations, target=what)),
        "target": plot("target", target),
    }


def _split_is_fair(check: SplitCheck) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="split_is_fair",
        passed=not check.unexplained,
        severity=dg.AssetCheckSeverity.WARN,
        description=check.sentence,
        metadata={"verdict": check.sentence, "columns that differ": ", ".join(check.differing) or "none"},
    )
