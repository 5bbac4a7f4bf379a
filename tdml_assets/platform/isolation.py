"""A workflow that cannot run does not stop the others: its stages end quietly, and the session goes on.

Elsewhere: what the reason means for the audience (``outcome.py``, ``stages/audience/publication.py``).

Dagster has no dependency that may fail: behind a failed or a skipped step nothing runs, not even the publication of the other
workflows. So a stage that ends early still yields its asset, with ``not run`` in the metadata and a failed check, and leaves its
table as it was. A run that does not publish fails as usual. What concerns every workflow (broken data, a full disk, a busy
warehouse) is raised and fails the run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import dagster as dg
import duckdb

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.guards import BrokenDataError
from tdml_assets.platform.outcome import (
    NEEDED_FOR_CHAMPION,
    NEEDED_FOR_PUBLICATION,
    NOT_RUN,
    OUTCOMES,
    Outcome,
    ended_early,
    stopped_by,
)
from tdml_assets.platform.sessions import as_of, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse, WarehouseBusyError

# What no workflow causes: the run fails, and nothing is published.
_OF_ALL = (
    BrokenDataError,
    WarehouseBusyError,
    OSError,
    duckdb.IOException,
    duckdb.InternalException,
    duckdb.FatalException,
    dg.Failure,
    dg.RetryRequested,
)

#: What the attributes of every workflow are published as.
PUBLICATION = dg.AssetKey(["audience", "parent_segment_attributes"])

Stage = Callable[..., dg.MaterializeResult]

#: Outcomes by warehouse, run and workflow, as this process last read or wrote them: every stage asks, few change one, and opening
#: the warehouse to ask cost more than many a stage. One process writes at a time; another run reads its own.
_known: dict[tuple[str, str, str], Outcome | None] = {}


def isolated(spec: WorkflowSpec, stage: str, *checks: str, of_champion: bool = False) -> Callable[[Stage], Stage]:
    """Decorate the function of an asset, below ``@dg.asset``.

    ``stage``: name of the asset, of those that ``outcome.py`` lists. ``checks``: names of the asset's checks, which fail with
    the reason where the stage ends early. ``of_champion``: whether the stage looks at the champion, so that there is nothing to
    do where a fallback scored.
    """
    before = NEEDED_FOR_CHAMPION if stage in (*NEEDED_FOR_CHAMPION, "exploration") else NEEDED_FOR_PUBLICATION

    def decorate(run: Stage) -> Stage:
        @functools.wraps(run)
        def guarded(context: dg.AssetExecutionContext, **resources: Any) -> dg.MaterializeResult:
            warehouse: Warehouse = resources["warehouse"]
            earlier = read_outcome(warehouse, context, spec.name)
            if earlier is not None and ended_early(earlier, context.run.run_id, before):
                return _not_run(earlier, checks)
            if of_champion and earlier is not None and earlier.method in ("lifetime", "rules"):
                return _nothing_to_compare(earlier, checks)
            try:
                return run(context, **resources)
            except _OF_ALL:
                raise
            except Exception as error:
                # A run that only trains may fail: there is nothing to publish, and whoever started it must see it.
                if not _publishes(context):
                    raise
                return _end(warehouse, context, spec, stage, error, checks)

        return guarded

    return decorate


def _publishes(context: dg.AssetExecutionContext) -> bool:
    """Whether this run goes on to publish attributes."""
    return PUBLICATION in context.job_def.asset_layer.executable_asset_keys


def read_outcome(warehouse: Warehouse, context: dg.AssetExecutionContext, workflow: str) -> Outcome | None:
    """What this session kept of a workflow so far; None where every stage ran."""
    key = (warehouse.database, context.run.run_id, workflow)
    if key not in _known:
        for other in [known for known in _known if known[:2] != key[:2]]:
            del _known[other]
        with warehouse.read() as database:
            _known[key] = find_outcome(database, session_id_of(context), workflow)
    return _known[key]


def find_outcome(database: Database, session_id: str, workflow: str) -> Outcome | None:
    """The same, in an open database."""
    key = {"session_id": session_id, "workflow": workflow}
    rows = database.rows_if(OUTCOMES.path, render("sessions/find", table=OUTCOMES.path, **key))
    return Outcome.from_row(rows[0]) if rows else None


def begin_outcome(database: Database, context: dg.AssetExecutionContext, workflow: str) -> Outcome:
    """The outcome to change: this attempt's as kept so far, else a new one."""
    found = find_outcome(database, session_id_of(context), workflow)
    if found is not None and found.run_id == context.run.run_id:
        return found
    return Outcome(session_id_of(context), workflow, as_of(database), context.run.run_id)


def keep_outcome(database: Database, outcome: Outcome) -> None:
    """Write the row, inside the caller's transaction."""
    _known.clear()
    key = {"session_id": outcome.session_id, "workflow": outcome.workflow}
    database.replace_slice(OUTCOMES, key, [outcome.row()])


def _end(
    warehouse: Warehouse,
    context: dg.AssetExecutionContext,
    spec: WorkflowSpec,
    stage: str,
    error: Exception,
    checks: Collection[str],
) -> dg.MaterializeResult:
    with warehouse.write() as database:
        before = begin_outcome(database, context, spec.name)
        outcome = stopped_by(error, stage, before)
        if before.needs_person:
            outcome = replace(outcome, needs_person=True)
        keep_outcome(database, outcome)
    if outcome.needs_person:
        context.log.error(f"{spec.name}/{stage} failed; the other workflows go on", exc_info=error)
    context.log.warning(f"report: not run: {outcome.in_words}")
    return _not_run(outcome, checks)


def _nothing_to_compare(outcome: Outcome, checks: Collection[str]) -> dg.MaterializeResult:
    words = f"No model is trained yet: {'a lifetime model' if outcome.method == 'lifetime' else 'a rule'} scored."
    return dg.MaterializeResult(
        metadata={"not run": f"{words} There is nothing to compare with.", "why": outcome.in_words},
        check_results=[dg.AssetCheckResult(check_name=name, passed=True, description=words) for name in checks],
    )


def _not_run(outcome: Outcome, checks: Collection[str]) -> dg.MaterializeResult:
    severity = dg.AssetCheckSeverity.ERROR if outcome.needs_person else dg.AssetCheckSeverity.WARN
    return dg.MaterializeResult(
        metadata={
            "not run": outcome.reason or "",
            "remedy": outcome.remedy or "",
            "stopped at": f"{outcome.workflow}/{outcome.stopped_at}",
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=name,
                passed=False,
                # As an error, a blocking check would end the run.
                severity=dg.AssetCheckSeverity.WARN if name in _BLOCKING else severity,
                description=f"{NOT_RUN}{outcome.in_words}",
            )
            for name in checks
        ],
    )


#: Checks that end a run when they fail as errors.
_BLOCKING = ("every_customer_is_scored", "every_customer_has_recommendations", "may_be_published")
