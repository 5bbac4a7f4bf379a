"""<workflow>/champion_model: the pointer to the version that scores moves, or stays.

Elsewhere: deciding (``gate_asset.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore, CurrentChampion, PromotionConflictError
from tdml_assets.models.bundles import ModelFeature
from tdml_assets.models.champions import kinds_of
from tdml_assets.models.record import recorded_versions
from tdml_assets.models.store import ModelStore
from tdml_assets.models.stored_bundle import Hold
from tdml_assets.platform.contracts import Column
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, column_schema
from tdml_assets.platform.monitoring import GATE
from tdml_assets.platform.sessions import record_session, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse


@dataclass(frozen=True)
class Outcome:
    """Who scores now. ``moved``: whether the candidate scores, from now or from before."""

    champion: CurrentChampion
    moved: bool
    reason: str


def read_decision(database: Database, context: dg.AssetExecutionContext, workflow: str) -> dict[str, Any]:
    """What this session's evaluation decided. Raises ``LookupError`` where there was none."""
    key = {"session_id": session_id_of(context), "workflow": workflow}
    rows = database.rows_if(GATE.path, render("evaluation/gate/decision", table=GATE.path, **key))
    if not rows:
        raise LookupError(f"this session evaluated no candidate of {workflow}: materialise {workflow}/evaluation too")
    return rows[0]


def act(
    store: BundleStore, workflow: str, decision: dict[str, Any], session_id: str, recorded: str | None = None
) -> Outcome:
    """Move the pointer as decided, unless an operator or another session moved or held it since.

    ``recorded``: what the candidate was when it was trained, as the warehouse keeps it. Raises ``LookupError`` if there is no
    champion and none is to be promoted.
    """
    candidate, current = decision["candidate"], store.champion(workflow)
    if current is None and (decision["decision"] != "promote" or decision["champion"] is not None):
        raise LookupError(f"{workflow} has no champion, and {candidate} was not to be one: {decision['reason']}")
    if current is not None:
        stays = _why_it_stays(current, decision, store.held(workflow))
        if stays is not None and not _was_stored_anew(store, current, candidate, recorded):
            return Outcome(current, current.champion.version == candidate, stays)
    try:
        moved = store.promote(
            workflow,
            candidate,
            replacing=current,
            reason=decision["reason"],
            session_id=session_id,
            promoted_at=datetime.now(UTC).replace(tzinfo=None),
            recorded=recorded,
        )
    except PromotionConflictError as error:
        winner = store.champion(workflow)
        if winner is None:
            raise
        return Outcome(winner, False, f"held: {error}")
    return Outcome(moved, True, decision["reason"])


def _was_stored_anew(store: BundleStore, current: CurrentChampion, candidate: str, recorded: str | None) -> bool:
    """Whether the champion was trained again after its manifest was lost: the pointer still has the hash of that one."""
    champion = current.champion
    if recorded is None or champion.version != candidate:
        return False
    return store.read(champion.workflow, candidate).manifest_sha256 != champion.manifest_sha256


def _why_it_stays(current: CurrentChampion, decision: dict[str, Any], hold: Hold | None) -> str | None:
    """None if nothing prevents the promotion of the candidate."""
    version = current.champion.version
    if decision["decision"] != "promote" or version == decision["candidate"]:
        return str(decision["reason"])
    if hold is not None:
        return f"held: {hold}; the champion {version} stays"
    if version != decision["champion"]:
        return (
            f"held: the champion became {version} while the candidate was compared with {decision['champion'] or 'none'}; the "
            "next training compares again"
        )
    return None


def build_champion(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """The asset of one workflow of any task."""

    @dg.asset(
        key=[spec.name, "champion_model"],
        deps=[[spec.name, "candidate_model"], [spec.name, "evaluation"]],
        group_name=spec.name,
        kinds=kinds_of(spec),
        owners=[OWNER],
        pool="warehouse",
        description="The version that scores. One pointer names it and moves atomically, to a candidate that the gate let "
        "through; else it stays, and the reason says by how much the candidate is worse.",
    )
    @isolated(spec, "champion_model")
    def champion_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        with warehouse.read() as database:
            decision = read_decision(database, context, spec.name)
            recorded = recorded_versions(database, spec.name)
        store = models.open()
        outcome = act(store, spec.name, decision, session_id_of(context), recorded.get(decision["candidate"]))
        champion = outcome.champion.champion
        takes = store.manifest(spec.name, champion.version).features
        with warehouse.write() as database:
            note = {} if outcome.reason == decision["reason"] else {"note": outcome.reason}
            record_session(database, context, spec.name, status="promoted" if outcome.moved else "held", **note)
        context.log.info(f"report: {champion.version} scores from now on; {outcome.reason}")
        return dg.MaterializeResult(
            metadata=_shown(outcome, decision["candidate"], takes), data_version=dg.DataVersion(champion.version)
        )

    return champion_model


def _shown(outcome: Outcome, candidate: str, takes: Sequence[ModelFeature]) -> dict[str, Any]:
    champion = outcome.champion.champion
    return {
        "dagster/column_schema": column_schema([Column(feature.name, feature.type, "") for feature in takes]),
        "model_version": champion.version,
        "candidate": candidate,
        "previous": champion.previous or "none",
        "reason": outcome.reason,
    }
