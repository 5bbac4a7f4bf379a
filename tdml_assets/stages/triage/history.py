"""What earlier sessions left for the triage of the next one: findings, who was alerted, importances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from tdml_assets.platform.monitoring import DRIFT_EPISODES, FEATURE_IMPORTANCES, TRIAGE
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.triage.decision import Finding


def read_findings(reader: Reader, workflow: str, day: date, model_version: str) -> list[tuple[str, Finding]]:
    """Session id and finding of every day and champion but those given, oldest first."""
    other = {"day": day, "model_version": model_version}
    rows = reader.rows(render("triage/findings", table=TRIAGE.path, workflow=workflow, **other))
    return [
        (row["session_id"], Finding(**{name: value for name, value in row.items() if name != "session_id"}))
        for row in rows
    ]


def read_alerted(reader: Reader, workflow: str) -> dict[str, dict[str, Any]]:
    """Who was alerted of every episode, and when: fields of :class:`~tdml_assets.stages.triage.episodes.Episode`."""
    rows = reader.rows(render("triage/alerted", table=DRIFT_EPISODES.path, workflow=workflow))
    return {
        row["episode_id"]: {"alerted_channels": row["alerted_channels"], "alerted_at": row["alerted_at"]}
        for row in rows
    }


def read_importances(reader: Reader, workflow: str, session_id: str, columns: Sequence[str]) -> dict[str, float]:
    """Share of the model's importance per raw feature, as the training session kept it; empty where it kept none.

    ``columns``: raw features; a prepared one belongs to the raw one whose name it starts with (``city__oslo``).
    """
    found = dict.fromkeys(columns, 0.0)
    rows = reader.rows(
        render("triage/importances", table=FEATURE_IMPORTANCES.path, workflow=workflow, session_id=session_id)
    )
    for row in rows:
        name = row["feature"] if row["feature"] in found else row["feature"].partition("__")[0]
        if name in found:
            found[name] += row["shap"] or 0.0
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total > 0 else {}
