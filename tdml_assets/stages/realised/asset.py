"""<workflow>/realised: predictions of earlier sessions against what happened.

Elsewhere: the verdict (``performance.py``), the measures (``tasks/``).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from tdml_assets.declaration.audience import ControlGroup
from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.targets import words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, glance, plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import MODEL_METRICS, SESSIONS
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.drift.figures import realised_means
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.realised.lift import measure_lift
from tdml_assets.stages.realised.performance import REALISED, Realised, forget_before, latest_verdict, realised_verdict
from tdml_assets.stages.training_table.horizon import known_until
from tdml_assets.stages.training_table.table import observation, target_key
from tdml_assets.tasks import RealisedPerformance, realised_performance_of

#: Sessions in the small picture.
_DRAWN = 12
_TABLES = {"metrics": MODEL_METRICS.path, "sessions": SESSIONS.path}


def meet_what_happened(database: Database, spec: WorkflowSpec) -> list[date]:
    """Measure every kept day whose horizon has passed, under the session that predicted; throw away what is long past.

    Days are measured again for as long as they are kept, so that orders which arrive late are counted. Returns days measured,
    ascending.
    """
    performance, until = realised_performance_of(spec), known_until(database)
    if performance is None or until is None or not database.has_table(history := performance.history(spec).path):
        return []
    horizon = spec.target.horizon_days
    slices = database.rows(
        render("realised/slices", history=history, target=target_key(spec), horizon_days=horizon, until=until)
    )
    database.ensure(MODEL_METRICS)
    for kept in slices:
        _measure(database, spec, performance, **kept)
    database.execute(render("realised/prune", history=history, before=forget_before(until, horizon)))
    return [kept["as_of"] for kept in slices]


def _measure(
    database: Database,
    spec: WorkflowSpec,
    performance: RealisedPerformance,
    as_of: date,
    session_id: str,
    model_version: str,
) -> None:
    session = {"session_id": session_id, "workflow": spec.name}
    known = database.rows(
        render("realised/training_session", workflow=spec.name, model_version=model_version, **_TABLES)
    )
    found = performance.measure(database, spec, as_of, {row["metric"]: row["value"] for row in known})
    database.execute(render("realised/forget", table=MODEL_METRICS.path, **session))
    kept = [{**session, "evaluation_table": REALISED, "metric": name, "value": found[name]} for name in found]
    database.insert(MODEL_METRICS, kept)


def read_ledger(database: Database, spec: WorkflowSpec) -> list[dict[str, Any]]:
    """What became of the predictions of every day, with ``status`` and ``sentence``, the newest day last.

    Empty where no horizon has passed, and for tasks that foretell nothing.
    """
    performance = realised_performance_of(spec)
    if performance is None or not all(map(database.has_table, _TABLES.values())):
        return []
    error = performance.error
    names = {"error": error.metric, "naive": error.naive, "predicted": error.predicted, "actual": error.actual}
    rows = database.rows(render("realised/ledger", workflow=spec.name, **names, **_TABLES))
    policy = spec.monitor
    verdicts = [
        realised_verdict(error, row, tolerance=policy.realised_tolerance, min_rows=policy.min_rows) for row in rows
    ]
    return [
        {**row, "status": found.status, "sentence": found.sentence} for row, found in zip(rows, verdicts, strict=True)
    ]


def latest_realised(
    database: Database, spec: WorkflowSpec, model_version: str, *, tolerance: float | None = None
) -> Realised | None:
    """Verdict on the newest matured predictions of a model; None if none has matured.

    ``tolerance``: share of the test interval's upper bound by which the error may lie above it; the policy's unless given.
    """
    performance, ledger = realised_performance_of(spec), read_ledger(database, spec)
    if performance is None:
        return None
    allowed = spec.monitor.realised_tolerance if tolerance is None else tolerance
    return latest_verdict(performance.error, ledger, model_version, tolerance=allowed, min_rows=spec.monitor.min_rows)


def _means(ledger: Sequence[dict[str, Any]]) -> list[tuple[str, list[float]]]:
    drawn = ledger[-_DRAWN:]
    names = (("predicted", "mean_predicted"), ("realised", "mean_actual"))
    return [(words, [row[name] or 0.0 for row in drawn]) for words, name in names]


def _ends(ledger: Sequence[dict[str, Any]]) -> tuple[str, str]:
    drawn = ledger[-_DRAWN:]
    return (str(drawn[0]["as_of"]), str(drawn[-1]["as_of"])) if drawn else ("", "")


def _show(spec: WorkflowSpec, ledger: Sequence[dict[str, Any]]) -> dict[str, Any]:
    performance = realised_performance_of(spec)
    if performance is None or not ledger:
        return {}
    what = words_of(spec.target_kind, spec.target)
    hidden, shown = ("session_id", "sentence"), [row for row in ledger if row["mean_predicted"] is not None]
    shown = [{name: value for name, value in row.items() if name not in hidden} for row in ledger]
    return {
        **glance("predicted and realised means", _means(shown), *_ends(shown)),
        "verdict": ledger[-1]["sentence"],
        "realised against test": table_preview(shown),
        **(
            {"predicted against realised": plot("predicted against realised", realised_means(shown, what=what))}
            if shown
            else {}
        ),
    }


def build_realised(spec: WorkflowSpec, control: ControlGroup | None = None) -> dg.AssetsDefinition:
    """The asset of one workflow whose task foretells something."""
    events = [] if kind_named(spec.target_kind).observed is None else [observation(spec)["events_table"]]

    @dg.asset(
        key=[spec.name, "realised"],
        deps=[list(table) for table in dict.fromkeys([ORDERS_TABLE, *events, SNAPSHOTS_TABLE])],
        group_name=spec.name,
        kinds={"duckdb", "python"},
        owners=[OWNER],
        pool="warehouse",
        description=f"Predictions of sessions that lie {spec.target.horizon_days} days or more back, against what happened "
        "since: kept as 'realised' under the session that predicted.",
        metadata=table_metadata(MODEL_METRICS),
    )
    @isolated(spec, "realised")
    def realised(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            days = meet_what_happened(database, spec)
            compared = [] if control is None else measure_lift(database, spec, control.detect)
            ledger = read_ledger(database, spec)
        sentence = ledger[-1]["sentence"] if ledger else "no horizon has passed since predictions were first kept"
        context.log.info(f"report: {sentence}")
        metadata = {"dagster/row_count": len(ledger), "days measured": len(days), **_show(spec, ledger)}
        metadata |= {"days compared with the control group": len(compared)} if control else {}
        return dg.MaterializeResult(metadata=metadata)

    return realised
