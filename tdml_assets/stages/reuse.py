"""What an earlier session computed from the same is taken over: its rows, its metadata, its checks.

Elsewhere: what an identity is (``platform/reuse.py``), what Dagster recorded then (``platform/recorded_events.py``).

A stage is taken over only if code, libraries, specification, settings and every row it reads are those of then, and every row
and model it left is still in place, by content. What it left is remembered behind the stage, in a transaction of its own: a stage
that was killed in between is computed again.
"""

from __future__ import annotations

import functools
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.models.record import recorded_versions
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.environment import code_of_stages, library_versions
from tdml_assets.platform.machine import machine
from tdml_assets.platform.recorded_events import (
    UNCHANGED,
    AssetContext,
    AssetResult,
    CheckContext,
    CheckKey,
    CheckResult,
    passed_again,
    recorded_of_asset,
    recorded_of_check,
)
from tdml_assets.platform.reuse import OF_SESSION, hash_of, identity_of, may_be_taken_over, results_contract
from tdml_assets.platform.sessions import find_session, record_session, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings

#: Settings that no stage of a workflow looks at. Specifications hold what is overridden under ``workflows``.
_NOT_READ = {"home", "base_folder", "workflows", "sample", "destinations", "exports_url", "retention"}
_ALSO = ("implicit", "evidently")

#: Reads what else has a part in a result, as JSON knows it; raises ``LookupError`` where it cannot be known.
Owes = Callable[[AssetContext, Database, ModelStore | None], Any]


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Recall:
    """What a session may take over of one stage.

    ``spec``: the workflow.
    ``stage``: name of the asset.
    ``reads``: schema and name of every table and view that has a part in the result.
    ``settings``: where the stage looks at them.
    ``tables``: schema and name of the tables it replaces as a whole.
    ``slices``: tables of which it writes the session's slice.
    ``recorded``: fields that it writes into the session's row.
    ``owes``: reads what else has a part in the result.
    ``follows``: whether the champion before has, so that what follows itself is the same again.
    ``has_model``: whether it stored the model version that it recorded.
    ``again``: what is to be done for every session, inside the transaction that takes over; takes what ``owes`` takes.
    """

    spec: WorkflowSpec
    stage: str
    reads: Sequence[tuple[str, str]]
    settings: Settings | None = None
    tables: Sequence[tuple[str, str]] = ()
    slices: Sequence[TableContract] = ()
    recorded: Sequence[str] = ()
    owes: Owes = _nothing
    follows: bool = False
    has_model: bool = False
    again: Owes = _nothing

    @property
    def _results(self) -> TableContract:
        return results_contract(self.spec.name)

    def identity(self, context: AssetContext, database: Database, models: ModelStore | None) -> str | None:
        """Of what the stage would read now, but for the champion it follows; None where it cannot be known."""
        try:
            owes = self.owes(context, database, models)
        except (LookupError, BundleDamagedError):
            return None
        settings = {} if self.settings is None else self.settings.model_dump(mode="json", exclude=_NOT_READ)
        return identity_of(
            self.stage,
            code=code_of_stages(),
            libraries=_libraries(),
            spec=self.spec,
            settings=settings,
            tables={".".join(path): database.content(path, without=OF_SESSION) for path in self.reads},
            owes=owes,
        )

    def is_known(self, database: Database, identity: str | None) -> bool:
        """Whether the stage completed on the same before; what it left may have changed since."""
        found = _find(database, self._results, self.stage)
        return found is not None and found["identity"] == identity

    def take_over(
        self, context: AssetContext, database: Database, models: ModelStore | None, identity: str | None
    ) -> AssetResult | None:
        """Make what an earlier session left this session's, inside the caller's transaction; None where it must be computed."""
        found = _find(database, self._results, self.stage)
        if found is None:
            return None
        champion = self.champion(models)
        if not may_be_taken_over(found, identity, self._made(database, found["session_id"]), champion):
            return None
        recorded = json.loads(found["recorded"])
        emitted = recorded_of_asset(context, found["run_id"])
        if emitted is None:
            return None
        if self.has_model and not self._has_model(database, models, recorded["model_version"]):
            return None
        session, earlier = session_id_of(context), found["session_id"]
        key = {"session_id": session, "workflow": self.spec.name}
        for contract in self.slices if session != earlier else ():
            rows = render("reuse/slice_of_session", table=contract.path, earlier=earlier, **key)
            database.replace_slice(contract, key, rows)
        for path in self.tables:
            if "session_id" in database.columns(path):
                database.execute(render("reuse/set_session", table=path, session_id=session))
        if recorded:
            record_session(database, context, self.spec.name, **recorded)
        self.again(context, database, models)
        row = {**found, "session_id": session, "run_id": context.run.run_id}
        database.replace_slice(self._results, {"stage": self.stage}, [row])
        return emitted.again(found["computed_in"])

    def champion(self, models: ModelStore | None) -> tuple[str, str] | None:
        """The champion that a result follows now; None where there is none, or it has no part."""
        return champion_of(self.spec.name, models) if self.follows else None

    def keep(
        self,
        context: AssetContext,
        database: Database,
        models: ModelStore | None,
        identity: str | None,
        champion: tuple[str, str] | None = None,
    ) -> None:
        """Remember what the stage left, unless what it reads has changed since ``identity`` and ``champion`` were taken."""
        session = session_id_of(context)
        made = self._made(database, session)
        if identity is None or made is None or champion != self.champion(models):
            return
        if self.identity(context, database, models) != identity:
            return
        written = find_session(database, context, self.spec.name) if self.recorded else {}
        recorded = {name: written.get(name) for name in self.recorded}
        row = {**_row(context, self.stage, identity, made, session, recorded), "follows": json.dumps(champion)}
        database.replace_slice(self._results, {"stage": self.stage}, [row])

    def _made(self, database: Database, session_id: str) -> str | None:
        key = {"session_id": session_id, "workflow": self.spec.name}
        left = [database.content(path, without=OF_SESSION) for path in self.tables]
        left += [database.content(one.path, without=OF_SESSION, key=key) for one in self.slices]
        return None if None in left else hash_of(left)

    def _has_model(self, database: Database, models: ModelStore | None, stored: str) -> bool:
        """Whether the version is in the store, byte for byte as it was recorded when it was trained."""
        recorded = recorded_versions(database, self.spec.name)
        if models is None or stored not in recorded:
            return False
        try:
            models.open().read(self.spec.name, stored, recorded=recorded[stored])
        except (LookupError, BundleDamagedError):
            return False
        return True


def reused(recall: Recall) -> Callable[[Callable[..., AssetResult]], Callable[..., AssetResult]]:
    """Decorate the function of an asset, below ``@isolated``: it runs only where nothing can be taken over."""

    def decorate(run: Callable[..., AssetResult]) -> Callable[..., AssetResult]:
        @functools.wraps(run)
        def once(context: AssetContext, **resources: Any) -> AssetResult:
            warehouse: Warehouse = resources["warehouse"]
            models: ModelStore | None = resources.get("models")
            taken, champion = None, recall.champion(models)
            with warehouse.read() as database:
                identity = recall.identity(context, database, models)
                is_known = recall.is_known(database, identity)
            if is_known:
                with warehouse.write() as database:
                    taken = recall.take_over(context, database, models, identity)
            if taken is not None:
                context.log.info(f"report: unchanged since session {(taken.metadata or {})[UNCHANGED]}")
                return taken
            result = run(context, **resources)
            with warehouse.write() as database:
                recall.keep(context, database, models, identity, champion)
            return result

        return once

    return decorate


Check = Callable[[CheckContext, Warehouse], CheckResult]


def reused_check(key: CheckKey, reads: Sequence[tuple[str, str]], owes: Any) -> Callable[[Check], Check]:
    """Decorate the function of a check of shared tables: it runs unless it passed on the same.

    ``reads``, ``owes``: as :class:`Recall` takes them, the latter as a value.
    """
    results = results_contract(key.asset_key.path[0])

    def decorate(run: Check) -> Check:
        @functools.wraps(run)
        def once(context: CheckContext, warehouse: Warehouse) -> CheckResult:
            with warehouse.read() as database:
                identity, found = _identity_of_check(database, key, reads, owes), _find(database, results, key.name)
            recorded = None
            if found is not None and may_be_taken_over(found, identity, hash_of([])):
                recorded = recorded_of_check(context.instance, key, found["run_id"])
            if found is not None and recorded is not None and recorded.passed:
                since = found["computed_in"]
                result = passed_again(recorded, since)
            else:
                since, result = session_id_of(context), run(context, warehouse)
            with warehouse.write() as database:
                if identity is not None and identity == _identity_of_check(database, key, reads, owes):
                    row = _row(context, key.name, identity, hash_of([]), since, {})
                    database.replace_slice(results, {"stage": key.name}, [row])
            return result

        return once

    return decorate


def _identity_of_check(database: Database, key: CheckKey, reads: Sequence[tuple[str, str]], owes: Any) -> str | None:
    tables = {".".join(path): database.content(path, without=OF_SESSION) for path in reads}
    return identity_of(
        key.name, code=code_of_stages(), libraries=_libraries(), spec=None, settings={}, tables=tables, owes=owes
    )


def _row(
    context: AssetContext | CheckContext,
    stage: str,
    identity: str,
    made: str,
    computed_in: str,
    recorded: dict[str, Any],
) -> dict[str, Any]:
    return {
        "stage": stage,
        "identity": identity,
        "made": made,
        "session_id": session_id_of(context),
        "run_id": context.run.run_id,
        "computed_in": computed_in,
        "follows": "null",
        "recorded": json.dumps(recorded),
    }


def _find(database: Database, results: TableContract, stage: str) -> dict[str, Any] | None:
    rows = database.rows_if(results.path, render("reuse/find", results=results.path, stage=stage))
    return rows[0] if rows else None


def champion_of(workflow: str, models: ModelStore | None) -> tuple[str, str] | None:
    """Version of the champion and hash of its manifest; None where there is none."""
    current = None if models is None else models.open().champion(workflow)
    return None if current is None else (current.champion.version, current.champion.manifest_sha256)


@functools.cache
def _libraries() -> dict[str, str]:
    found = {**library_versions(), "python": platform.python_version(), "machine": platform.machine()}
    for name in _ALSO:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    # Sums that are taken in parallel differ in their last digit.
    return {**found, "cores": str(machine()[0])}
