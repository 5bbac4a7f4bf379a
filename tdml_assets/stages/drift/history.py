"""What earlier sessions left for the next one: their bins and their changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.monitoring import DRIFT, DRIFT_BINS, TRIAGE
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.drift.detection import ColumnDrift, DriftReport, Earlier, Kind, report_of

_KINDS: tuple[Kind, ...] = ("feature", "prediction")
#: Columns of ``monitoring.drift`` that a field of the column is kept in; the others hold what informs.
_JUDGED = {field.name for field in fields(ColumnDrift)}


def read_earlier(reader: Reader, workflow: str, model_version: str, day: date, most: int) -> dict[str, Earlier]:
    """What the latest ``most`` stable sessions before ``day`` left, by kind of column.

    Bins belong to a champion, so counts are those of the last one that was measured against ``model_version``. A leap has no
    unit: those of all champions are of one history.
    """
    key = {"workflow": workflow}
    stable = reader.rows(render("drift/stable_sessions", table=TRIAGE.path, **key, day=day, most=most))
    if not stable:
        return {}
    last = next((row["session_id"] for row in stable if row["model_version"] == model_version), None)
    ids = [row["session_id"] for row in stable]
    counts = reader.rows(render("drift/counts", table=DRIFT_BINS.path, **key, session_id=last)) if last else []
    steps = reader.rows(render("drift/steps", table=DRIFT.path, **key, session_ids=ids))
    return {
        kind: Earlier(
            counts={row["column_name"]: tuple(json.loads(row["counts"])) for row in counts if row["kind"] == kind},
            steps={row["column_name"]: tuple(row["steps"]) for row in steps if row["kind"] == kind},
        )
        for kind in _KINDS
    }


def bin_rows(
    reports: Sequence[DriftReport], session_id: str, workflow: str, *, day: date, model_version: str
) -> list[dict[str, Any]]:
    """Rows of ``monitoring.drift_bins``."""
    return [
        {
            "session_id": session_id,
            "workflow": workflow,
            "as_of": day,
            "model_version": model_version,
            "kind": column.kind,
            "column_name": column.column_name,
            "counts": json.dumps(column.counts),
        }
        for report in reports
        for column in report.columns
    ]


def read_reports(
    reader: Reader, workflow: str, session_id: str, policy: Monitor, *, may_be_none: bool = False
) -> list[DriftReport]:
    """What a session measured, features first.

    ``may_be_none``: whether there may have been nothing to measure: a recommendation, of which predictions alone are watched, in
    the session of another champion's promotion.
    """
    rows = reader.rows(render("drift/of_session", table=DRIFT.path, workflow=workflow, session_id=session_id))
    if not rows and not may_be_none:
        raise LookupError(
            f"session {session_id} has measured no drift of {workflow}: materialise {workflow}/drift first"
        )
    columns = [
        ColumnDrift(
            **{name: value for name, value in row.items() if name in _JUDGED},
            information={name: value for name, value in row.items() if name not in (*_JUDGED, *DRIFT.slice_key)},
        )
        for row in rows
    ]
    return [report_of([column for column in columns if column.kind == kind], kind, policy) for kind in _KINDS]
