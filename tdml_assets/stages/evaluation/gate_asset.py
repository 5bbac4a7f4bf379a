"""The champion next to a candidate: loaded, scored on the candidate's test rows, and what was decided about both.

Elsewhere: comparing and deciding (``paired.py``, ``gate.py``), moving the pointer (``champion_asset.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import dagster as dg
import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import Bundle, BundleStore
from tdml_assets.models.bundles import BundleDamagedError, Manifest, evaluated_of
from tdml_assets.models.champions import Measurable
from tdml_assets.models.scope import SCOPE_FILE, Scope, TestWindow, obstacle
from tdml_assets.platform.isolation import begin_outcome, keep_outcome
from tdml_assets.platform.metadata import table_preview
from tdml_assets.platform.monitoring import GATE, MODEL_PARAMS
from tdml_assets.platform.outcome import held
from tdml_assets.platform.sessions import find_session, record_session, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.evaluation.gate import Comparison, GateDecision, Standing, decide
from tdml_assets.stages.evaluation.paired import compare, guard_slices, pair_of
from tdml_assets.stages.features.columns import features_table
from tdml_assets.stages.predictions.scoring import score_batch
from tdml_assets.stages.training.fit import PREDICTION, holdout_contract
from tdml_assets.tasks import Measured, task_of

#: Parameter under which the candidate's version is kept: the session's own may name the champion by now.
VERSION = "model_version"
_VIEW = ("gate_rows",)
_BATCH_ROWS = 65_536
_WAIT = "it is trained again with the next orders; until then a simpler method scores"
_REVIEW = "look at the strongest features for one that knows the outcome; if all are known in time, raise the limit"
# The level is corrected for the season after a model is chosen, for every model alike.
_UNCORRECTED = "uncorrected_prediction"
_BEHIND = ("total_spend", "total_orders", "days_since_last_order")

Model = TypeVar("Model")
#: Why a champion cannot be measured next to a candidate, or how both did.
PairedResult = tuple[str | None, list[Comparison]]

#: Names of what :func:`gate_metadata` gives.
GATE_METADATA = ("decision", "against the champion")
#: What the UI shows of a comparison.
_SHOWN = (
    "metric",
    "slice",
    "difference",
    "low",
    "high",
    "passed",
)


@dataclass(frozen=True)
class Incumbent(Generic[Model]):
    """The champion next to a candidate.

    ``version``: None where nothing was promoted yet. ``damage``: why it cannot score; None where it can. ``held``: why an
    operator keeps it; None where nobody does. ``manifest``: None where there is nothing to compare: no champion, a damaged one,
    or the candidate itself. ``model``: the fit that was measured; None where the version has none. ``scope``: what that fit
    knew.
    """

    version: str | None = None
    damage: str | None = None
    held: str | None = None
    manifest: Manifest | None = None
    model: Model | None = None
    scope: Scope | None = None


@dataclass(frozen=True)
class Examined:
    """A candidate as its task measured it.

    ``judged``: whether it is fit to score, and why. ``paired``: how the champion did on the same. ``shown``: metadata of the
    asset. ``suspicious``: whether it is too good to be believed.
    """

    judged: tuple[bool, str]
    paired: PairedResult
    shown: Mapping[str, Any]
    suspicious: bool = False


@dataclass(frozen=True)
class Examination(Generic[Model]):
    """How a task measures a candidate.

    ``description``: of the asset. ``load``: the fit of the champion that was measured, as :func:`find_incumbent` takes it.
    ``examine``: measures, next to the champion, and writes what is kept, inside the caller's transaction.
    """

    description: str
    load: Callable[[Bundle], Model | None]
    examine: Callable[[dg.AssetExecutionContext, Database, Incumbent[Model]], Examined]


def find_incumbent(
    store: BundleStore, workflow: str, candidate: str, load: Callable[[Bundle], Model | None]
) -> Incumbent[Model]:
    """Read the champion, verified, unless it is the candidate itself.

    ``load``: the fit that was measured, from a version that can score; raises ``BundleDamagedError`` where it cannot.
    """
    try:
        current = store.champion(workflow)
    except BundleDamagedError as error:
        return Incumbent(damage=str(error))
    if current is None:
        return Incumbent()
    version = current.champion.version
    try:
        hold = store.held(workflow)
        held = None if hold is None else str(hold)
    except BundleDamagedError as error:
        held = str(error)
    if version == candidate:
        return Incumbent(version, held=held)
    try:
        bundle = store.read(workflow, version, current.champion.manifest_sha256)
    except (LookupError, BundleDamagedError) as error:
        return Incumbent(version, damage=str(error), held=held)
    try:
        model = load(bundle)
    except BundleDamagedError as error:
        return Incumbent(version, damage=str(error), held=held)
    stored = evaluated_of(bundle.files).get(SCOPE_FILE)
    scope = None if stored is None or model is None else Scope.from_json(stored)
    return Incumbent(version, None, held, bundle.manifest, model, scope)


def read_candidate(database: Database, context: dg.AssetExecutionContext, workflow: str) -> str:
    """Version of the session's candidate. Raises ``LookupError`` where the session trained none."""
    key = {"session_id": session_id_of(context), "workflow": workflow, "parameter": VERSION}
    rows = database.rows(render("evaluation/parameter", table=MODEL_PARAMS.path, **key))
    if not rows:
        raise LookupError(
            f"this session trained no candidate of {workflow}: materialise {workflow}/candidate_model too"
        )
    return str(rows[0]["value"])


def scope_of(spec: WorkflowSpec, splits: Mapping[str, pa.Table]) -> Scope:
    """What the evaluated fit of these splits knew."""
    import pyarrow.compute as pc

    seen = [splits[name]["snapshot_date"] for name in ("train", "validation") if splits[name].num_rows]
    latest = max(pc.max(days).as_py() for days in seen)
    test = pc.max(splits["test"]["snapshot_date"]).as_py()
    until = latest + timedelta(days=spec.target.horizon_days)
    return Scope(until, by_customers=latest == test, holdout_share=spec.split.holdout_share)


def compare_with_champion(
    database: Database, spec: WorkflowSpec, incumbent: Incumbent[Measurable], measured: Measured
) -> PairedResult:
    """Measure the champion's evaluated fit on the candidate's test rows, next to the candidate's."""
    import pyarrow.compute as pc

    loss = task_of(spec).loss
    if loss is None or incumbent.manifest is None:
        return None, []
    found = obstacle(incumbent.manifest, incumbent.scope, spec.model_dump(mode="json"), _window(database, spec))
    if found is not None or incumbent.model is None:
        return found, []
    gone = incumbent.model.sources - set(database.columns(features_table(spec)))
    if gone:
        return f"it learnt from columns that are gone: {', '.join(sorted(gone))}", []
    rows = measured.holdout.filter(pc.equal(measured.holdout["split"], "test"))
    columns = {name: rows[name].to_numpy().astype(np.float64) for name in ("target", _UNCORRECTED, *_BEHIND)}
    champion = _score(database, spec, incumbent.model, rows["customer_id"])
    slices = guard_slices(*(columns[name] for name in _BEHIND))
    pair = pair_of(loss, columns["target"], columns[_UNCORRECTED], champion, slices)
    return None, compare(pair, spec.gate, spec.model.seed)


def _window(database: Database, spec: WorkflowSpec) -> TestWindow:
    found = database.row(render("evaluation/gate/window", holdout=holdout_contract(spec.name).path))
    by_customers = found["train_day"] == found["test_day"]
    return TestWindow(found["test_day"], by_customers, spec.split.holdout_share)


def _score(database: Database, spec: WorkflowSpec, champion: Measurable, customers: Any) -> Any:
    """(customers,) what the champion's evaluated fit says of the test rows, through its own preparation."""
    import pyarrow.compute as pc

    holdout = holdout_contract(spec.name).path
    database.execute(render("evaluation/gate/rows", view=_VIEW, features_table=features_table(spec), holdout=holdout))
    statement = render(
        "preparation/apply",
        table=_VIEW,
        parameters=champion.parameters,
        keys=["customer_id"],
        carried=[],
        snapshot_date=None,
        drop_outliers=False,
        ordered=True,
    )
    batches = database.own_batches(statement, _BATCH_ROWS)
    scored = pa.concat_tables(score_batch(champion.model, batch, None, []) for batch in batches)
    places = pc.index_in(customers, value_set=scored["customer_id"].combine_chunks())
    return scored[PREDICTION].take(places).to_numpy().astype(np.float64)


def settle(candidate: str, incumbent: Incumbent[Any], found: Examined, spec: WorkflowSpec) -> GateDecision:
    """What becomes of the candidate."""
    on_hold, damage, paired = incumbent.held, incumbent.damage, found.paired
    standing = Standing(candidate, *found.judged, incumbent.version, damage, on_hold, *paired, found.suspicious)
    return decide(standing, spec.gate)


def keep_decision(database: Database, context: dg.AssetExecutionContext, workflow: str, decision: GateDecision) -> None:
    """Write ``monitoring.gate`` and the session's row, inside the caller's transaction."""
    key = {"session_id": session_id_of(context), "workflow": workflow}
    database.replace_slice(GATE, key, [{**key, **row} for row in decision.rows])
    note = find_session(database, context, workflow).get("note") or ""
    if not decision.promote and decision.reason not in note:
        note = "; ".join(filter(None, (note, decision.reason)))
    record_session(database, context, workflow, status="evaluated" if decision.promote else "held", note=note)
    if not decision.can_score and not decision.damaged:
        before = begin_outcome(database, context, workflow)
        suspicious = decision.suspicious
        remedy = _REVIEW if suspicious else _WAIT
        keep_outcome(database, held(decision.reason, remedy, "evaluation", before, needs_person=suspicious))


def gate_metadata(decision: GateDecision) -> dict[str, Any]:
    """The decision and what it was made from."""
    # The versions are the session's own; wider than this the UI cuts the table at its right.
    shown = [{name: row.get(name) for name in _SHOWN} for row in decision.rows if row.get("difference") is not None]
    decided, compared = GATE_METADATA
    return {decided: decision.reason, **({compared: table_preview(shown)} if shown else {})}


def check_result(decision: GateDecision) -> dg.AssetCheckResult:
    """The check ``fit_to_score``: a hold warns, and the champion or a fallback scores."""
    return dg.AssetCheckResult(
        check_name="fit_to_score",
        passed=decision.promote,
        severity=dg.AssetCheckSeverity.ERROR if decision.damaged else dg.AssetCheckSeverity.WARN,
        description=decision.reason,
        metadata={"verdict": decision.reason},
    )


def check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check between an evaluation and the next stages."""
    return dg.AssetCheckSpec(
        "fit_to_score",
        asset=key,
        description="The candidate does better than chance and than a constant, and on the same customers not worse than the "
        "champion. Otherwise it is held, and the champion scores on; where there is none yet, a lifetime model or a rule does.",
    )
