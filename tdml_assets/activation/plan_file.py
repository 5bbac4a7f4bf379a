"""A plan as a file that people review before it is applied: figures, columns and guards, and no customer.

Elsewhere: making the plan (``planning.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tdml_assets.activation.planning import Plan

FORMAT = 1
MAX_AGE_HOURS = 24.0
_SEAL = "content_sha256"


class PlanFileError(ValueError):
    """The file is not a plan of this program, or was edited."""


def plan_content(plan: Plan, *, now: datetime) -> dict[str, Any]:
    """The plan as JSON shows it; its last key seals the others."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "destination": plan.destination,
        "kind": plan.settings.kind,
        "mode": plan.settings.mode,
        "full": plan.full,
        "session_id": plan.session_id,
        "as_of": plan.as_of.isoformat() if plan.as_of else None,
        "made_at": now.isoformat(timespec="seconds"),
        "source_rows": plan.source_rows,
        **{
            change: plan.count(change)
            for change in ("added", "changed", "unchanged", "removed", "waiting", "held_there")
        },
        "excluded": dict(plan.excluded),
        "columns": [
            {
                "name": column.name,
                "from": column.source,
                "type": column.type,
                "sends_a_row_when_it_changes": column.counts,
                "hash": column.identifier.hash if column.identifier else "none",
            }
            for column in plan.selection.columns
        ],
        "guards": [verdict.row() for verdict in plan.verdicts],
        "may_be_applied": not plan.refusals,
        "columns_sha256": plan.selection.sha256,
        "changes_sha256": hashlib.sha256(plan.digest.encode()).hexdigest(),
    }
    return {**content, _SEAL: _sealed(content)}


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan. Raises ``PlanFileError`` if it is none, or was edited."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanFileError(
            f"{path} cannot be read ({error.strerror}): tdml-assets plan DESTINATION writes it"
        ) from None
    except ValueError:
        raise PlanFileError(f"{path} is not JSON: tdml-assets plan DESTINATION writes it") from None
    if (
        not isinstance(content, dict)
        or content.get("format") != FORMAT
        or not isinstance(content.get("destination"), str)
    ):
        raise PlanFileError(f"{path} is not a plan of this version: make it again, tdml-assets plan DESTINATION")
    given = content.pop(_SEAL, None)
    if given != _sealed(content):
        raise PlanFileError(f"{path} was edited: make it again, tdml-assets plan {content['destination']}")
    return content


def misfit(
    content: Mapping[str, Any], plan: Plan, *, now: datetime, max_age_hours: float = MAX_AGE_HOURS
) -> str | None:
    """Why a reviewed plan must not be applied; None where it still is what would be sent.

    ``content``: of the file. ``plan``: as it is now. ``now``: naive UTC.
    """
    again = f"review it anew: tdml-assets plan {plan.destination}"
    try:
        age = now - datetime.fromisoformat(str(content["made_at"]))
    except ValueError:
        return f"the plan has no time: {again}"
    if age > timedelta(hours=max_age_hours):
        return f"the plan is {age.total_seconds() / 3600:.0f} hours old, at most {max_age_hours:g} are allowed: {again}"
    current = plan_content(plan, now=now)
    for key, what in (
        ("session_id", "another session has published"),
        ("columns_sha256", "other columns would be sent"),
        ("mode", "the mode is another"),
        ("changes_sha256", "other rows would be sent"),
    ):
        if content.get(key) != current[key]:
            return (
                f"{what} than was reviewed: {again}"
                if key != "session_id"
                else f"{what} since the plan was made: {again}"
            )
    return None


def applied_check(content: Mapping[str, Any], now: datetime, max_age_hours: float) -> Callable[[Plan], str | None]:
    """The check of ``run_sync`` that holds a sync to a reviewed plan."""

    def check(plan: Plan) -> str | None:
        return misfit(content, plan, now=now, max_age_hours=max_age_hours)

    return check


def _sealed(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
