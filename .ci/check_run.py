"""Checks what ``make run`` left behind, as somebody who reads the tables would.

``python .ci/check_run.py [STATE_FOLDER [CUSTOMERS]]``: of a real log, how many customers must be scored. How well a model ranks is
claimed of the sample alone, whose truth is simulated.
"""

import sys
from pathlib import Path

import duckdb

HOME = Path(sys.argv[1] if len(sys.argv) > 1 else ".tdml/sample-state")
CUSTOMERS = int(sys.argv[2]) if len(sys.argv) > 2 else None

# What must hold, as one query each that returns true.
CLAIMS = {
    "every row read was accepted or rejected": (
        "select bool_and(rows_read = rows_accepted + rows_rejected) and count(*) > 0 from raw.loads"
    ),
    "rejected rows carry a reason and their content": (
        "select coalesce(bool_and(reason <> '' and json_valid(content)), true) from raw.rejected_rows"
    ),
    "one row per snapshot and customer": (
        "select count(*) = count(distinct (snapshot_date, customer_id)) and count(*) > 0 from features.customer_features"
    ),
    "every known customer is scored once": (
        "select count(*) = count(distinct customer_id) and count(*) = (select count(*) from features.customer_features "
        "where snapshot_date = (select max(snapshot_date) from features.snapshots where is_scoring)) from cltv.predictions"
    ),
    "predictions are finite and not negative": (
        "select bool_and(isfinite(predicted_target) and predicted_target >= 0) from cltv.predictions"
    ),
    "the model ranks better than the naive forecast": (
        "select max(value) filter (metric = 'normalised_gini') > max(value) filter (metric = 'baseline_normalised_gini') "
        "from monitoring.model_metrics where evaluation_table = 'test'"
    ),
    "drift was measured on features and predictions": "select count(distinct kind) >= 2 from monitoring.drift",
    "the raw data were checked and nothing was wrong": (
        "select count(*) > 0 and not bool_or(status = 'alarm') from monitoring.data_quality"
    ),
    "every workflow's session ended in a decision": (
        "select count(distinct workflow) = (select count(distinct workflow) from monitoring.sessions where workflow <> 'all') "
        "from monitoring.triage where workflow <> 'all'"
    ),
    "every session was published": (
        "select bool_and(status = 'published') and count(*) > 0 from monitoring.sessions where workflow <> 'all'"
    ),
    "the audience holds every scored customer": (
        "select count(*) = (select count(*) from cltv.predictions) from audience.parent_segment_attributes"
    ),
    "the catalogue describes every attribute": (
        "select count(*) = (select count(*) - 2 from information_schema.columns where table_schema = 'audience' "
        "and table_name = 'parent_segment_attributes') from audience.attribute_catalog"
    ),
}


if CUSTOMERS is not None:
    del CLAIMS["the model ranks better than the naive forecast"]
    CLAIMS[f"{CUSTOMERS:,} customers are scored"] = f"select count(*) = {CUSTOMERS} from cltv.predictions"  # noqa: S608


def main() -> int:
    """Print every claim and whether it holds; 1 if any does not."""
    failed = 0
    with duckdb.connect(str(HOME / "warehouse.duckdb"), read_only=True) as connection:
        for claim, query in CLAIMS.items():
            row = connection.execute(query).fetchone()
            holds = bool(row and row[0])
            failed += not holds
            print(f"{'ok  ' if holds else 'FAIL'} {claim}")
    files = {"attributes were exported": "exports/**/*.parquet", "every session has its page": "reports/*/latest.html"}
    for claim, pattern in files.items():
        found = any(HOME.glob(pattern))
        failed += not found
        print(f"{'ok  ' if found else 'FAIL'} {claim}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
