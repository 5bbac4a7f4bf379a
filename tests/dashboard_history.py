"""Half a year of sessions as the dashboard reads them: bands that shift, two days of predictions, drift with an alarm, lift."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform import monitoring
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Database

LAST = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 6, 30)
DAYS = [LAST - timedelta(days=14 * age) for age in reversed(range(12))]
SEGMENTS = ("Champions", "Loyal Customers", "Potential Loyalists", "Need attention", "Hibernating", "Lost customers")
SPECS = tuple(
    WorkflowSpec.model_validate(content)
    for content in (
        {
            "name": "churn",
            "label": "Churn",
            "task": "classification",
            "target": {"kind": "no_purchase"},
            "attributes": [{"name": "churn_grade", "column": "grade", "type": "string", "description": "Band."}],
        },
        {
            "name": "cltv",
            "label": "Customer lifetime value",
            "task": "regression",
            "attributes": [
                {"name": "cltv_decile", "column": "predicted_target", "kind": "decile", "description": "Band."}
            ],
        },
        {
            "name": "segments",
            "label": "Segments",
            "task": "clustering",
            "attributes": [{"name": "rfm_segment", "column": "rfm_segment", "type": "string", "description": "Band."}],
        },
    )
)
_BANDS = {"churn": ("A", "B", "C", "D"), "cltv": ("Above AVG", "Below AVG"), "segments": SEGMENTS}
#: Predictions and published attributes of a day of 1,000 customers; from the first day to the second every tenth customer moves one
#: band on, 20 are new, 10 have left.
_CUSTOMERS = (
    "select printf('%05d', n) as customer_id, ['A', 'B', 'C', 'D'][(({moved}) % 4) + 1] as churn_grade, "
    "[0.9, 0.6, 0.4, 0.1][(({moved}) % 4) + 1]::double as churn_probability, "
    "(n % 100)::double * (n % 100) as cltv_predicted_spend, (n % 10 + 1)::bigint as cltv_decile, "
    "{segments}[(({moved}) % 6) + 1] as rfm_segment from range({first}, {last}) as c(n)"
)
_PREDICTIONS = {
    "churn": "churn_grade as grade, churn_probability as probability",
    "cltv": "cltv_predicted_spend as predicted_target",
    "segments": "rfm_segment",
}


def _customers(day: int) -> str:
    moved, first, last = ("n", 0, 1000) if day == 0 else ("n + (n % 10 = 0)::int", 10, 1020)
    return _CUSTOMERS.format(moved=moved, first=first, last=last, segments=list(SEGMENTS))


def write_exports(database: Database, folder: Path) -> None:
    """Exports of two days, as a session leaves them."""
    for day in (0, 1):
        as_of = DAYS[-2 + day]
        place = folder / "parent_segment_attributes" / f"{as_of}-s{day}"
        place.mkdir(parents=True)
        rows = database.arrow(Statement(_customers(day)))
        pq.write_table(rows, place / "attributes.parquet")
        columns = [{"name": name} for name in rows.column_names]
        (place / "manifest.json").write_text(json.dumps({"as_of": str(as_of), "columns": columns}), encoding="utf-8")


def write_history(database: Database, *, with_lift: bool = True) -> None:
    """Fill the tables that the dashboard reads."""
    for contract in (monitoring.SESSIONS, monitoring.LABEL_STATS, monitoring.DRIFT):
        database.ensure(contract)
    sessions, labels, drift = [], [], []
    for place, day in enumerate(DAYS):
        for workflow, bands in _BANDS.items():
            key = {"session_id": f"s{place}", "workflow": workflow}
            sessions.append({**key, "as_of": day, "status": "published", "updated_at": datetime(2026, 7, 1)})
            labels += [
                {**key, "prediction_category": band, "count": 100 + 30 * number + place * (8 - 3 * number)}
                for number, band in enumerate(bands)
            ]
            far = 0.02 + 0.012 * place
            drift += [
                {
                    **key,
                    "kind": "feature",
                    "column_name": "spend_90d",
                    "psi": far,
                    "severity": 1.0 if place == 11 else 0.4,
                },
                {**key, "kind": "feature", "column_name": "orders_90d", "psi": 0.01, "severity": 0.1},
                {**key, "kind": "prediction", "column_name": "score", "psi": far / 2, "severity": 0.2},
            ]
    for contract, rows in (
        (monitoring.SESSIONS, sessions),
        (monitoring.LABEL_STATS, labels),
        (monitoring.DRIFT, drift),
    ):
        database.insert(contract, rows)
    for workflow, columns in _PREDICTIONS.items():
        database.execute(Statement(f"create schema if not exists {workflow}"))
        database.execute(
            Statement(
                f"create or replace table {workflow}.predictions as "
                f"select 's11' as session_id, date '{LAST}' as as_of, customer_id, {columns} from ({_customers(1)})"
            )
        )
    if with_lift:
        database.execute(
            Statement(
                "create or replace table monitoring.lift as select 's' || d as session_id, 'churn' as workflow, "
                f"date '{LAST}' - (14 * (11 - d))::integer as as_of, ['A', 'B', 'C', 'D'][g] as band, "
                "900 as treated, 100 as control, "
                "2.0 + 0.5 * g - 0.3 * (11 - d) as difference, -3.0 + 1.5 * g as low, 5.0 + g as high "
                "from range(8, 12) as s(d), range(1, 5) as b(g)"
            )
        )
