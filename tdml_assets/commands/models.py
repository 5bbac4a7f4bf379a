"""The commands for models: which versions there are, which one scores, and whether it may be replaced.

Elsewhere: when a candidate is promoted (``stages/evaluation/gate.py``), what the store guarantees
(``models/bundle_store.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from tdml_assets.commands.common import FAILED, USAGE, expected_errors, fail
from tdml_assets.models.blobs import BlobConflictError, BlobStoreError
from tdml_assets.models.bundle_store import BundleStore, CurrentChampion, PromotionConflictError
from tdml_assets.models.bundles import BundleDamagedError, Champion, Manifest
from tdml_assets.settings import SettingsError, load_settings
from tdml_assets.tasks.presentation import presentation_of, shown

#: Stands in the pointer where a session's id would.
_BY_HAND = "operator"
_SHOWN_MEASURES = 2

Workflow = Annotated[str, typer.Argument(help="Name of a workflow, such as cltv.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the pointer and shown wherever the champion is.")]


def versions(
    workflow: Annotated[
        str | None, typer.Argument(help="Name of a workflow, such as cltv; all unless given.", show_default=False)
    ] = None,
) -> None:
    """List the stored versions of a workflow, or of all, the champion marked, with what each was measured at.

    \b
    tdml-assets versions
    tdml-assets versions cltv
    """
    if workflow is not None:
        with _store_of(workflow) as store:
            _list_versions(store, workflow)
        return
    with _opened() as store:
        names = store.workflows()
        for place, name in enumerate(names):
            typer.echo(f"{chr(10) if place else ''}{name}")
            _list_versions(store, name)
        if not names:
            typer.echo("no model is stored yet: tdml-assets run trains the first")


def _list_versions(store: BundleStore, workflow: str) -> None:
    champion = _champion_or_damage(store, workflow)
    current = champion.champion if isinstance(champion, CurrentChampion) else None
    for name in store.versions(workflow):
        mark = "*" if current is not None and current.version == name else " "
        typer.echo(f"{mark} {name}  {_describe(store, workflow, name)}")
    if current is not None:
        typer.echo(f"* scores since {current.promoted_at:%Y-%m-%d %H:%M} UTC ({current.reason})")
        if current.previous is not None:
            typer.echo(f"  before it: {current.previous}")
    else:
        typer.echo(f"no version scores: {champion or 'none was promoted'}")
    held = store.held(workflow)
    if held is not None:
        typer.echo(f"held: {held}; release {workflow} to let candidates replace it")


def promote(
    workflow: Workflow,
    version: Annotated[str, typer.Argument(help="Version that scores from now on.")],
    reason: Reason = "promoted by hand",
    repair: Annotated[bool, typer.Option("--repair", help="Replace a champion pointer that cannot be read.")] = False,
) -> None:
    """Let a stored version score from now on, whatever the gate thought of it.

    \b
    tdml-assets promote cltv 2026-06-30-45cd255edacf --reason "tested by hand"
    """
    with _store_of(workflow) as store:
        _require_version(store, workflow, version)
        current = _champion_or_damage(store, workflow)
        if isinstance(current, str):
            if not repair:
                fail(f"{current}; add --repair to replace it", USAGE)
            sha256 = store.read(workflow, version, recorded=_recorded(workflow, version)).manifest_sha256
            store.restore_pointer(Champion(workflow, version, sha256, None, reason, _BY_HAND, _now()))
        else:
            if repair:
                fail(f"the champion pointer of {workflow} can be read: leave --repair out", USAGE)
            _move(store, workflow, version, current, reason)
        typer.echo(f"{workflow}: {version} scores from the next run on")
        held = store.held(workflow)
        if held is None:
            typer.echo(f"a later candidate that is not worse replaces it; to keep it: hold {workflow} --reason ...")
        else:
            typer.echo(f"held as before: {held}")


def rollback(
    workflow: Workflow,
    version: Annotated[str | None, typer.Argument(help="Version to go back to; the one before unless given.")] = None,
    reason: Reason = "rolled back by hand",
    no_hold: Annotated[
        bool, typer.Option("--no-hold", help="Let the next training replace it; without this it is held.")
    ] = False,
) -> None:
    """Go back to an earlier version, and hold it there, so that the next training does not undo it.

    \b
    tdml-assets rollback cltv --reason "complaints about the March scores"
    """
    with _store_of(workflow) as store:
        current = _champion_or_damage(store, workflow)
        if isinstance(current, str):
            fail(f"{current}; use promote {workflow} VERSION --repair. {_list(store, workflow)}", USAGE)
        if current is None:
            fail(f"{workflow} has no champion to go back from. {_list(store, workflow)}", USAGE)
        left, target = current.champion.version, version or current.champion.previous
        if target is None:
            fail(f"{left} replaced no other version: name one. {_list(store, workflow)}", USAGE)
        _require_version(store, workflow, target)
        if target == left:
            fail(f"{left} is the champion already. {_list(store, workflow)}", USAGE)
        _move(store, workflow, target, current, reason)
        typer.echo(f"{workflow}: {target} scores from the next run on, instead of {left}")
        if no_hold:
            typer.echo("not held: a later candidate that is not worse replaces it")
            return
        store.hold(workflow, f"rolled back from {left}: {reason}", _now())
        typer.echo(f"held: no candidate replaces it until you release {workflow}")


def hold(workflow: Workflow, reason: Annotated[str, typer.Option(help="Why, for whoever finds the hold.")]) -> None:
    """Keep the champion: candidates are trained and measured, and none replaces it.

    \b
    tdml-assets hold cltv --reason "prices are wrong until Monday"
    """
    with _store_of(workflow) as store:
        found = store.hold(workflow, reason, _now())
        typer.echo(f"{workflow} is held: {found.reason}")


def release(workflow: Workflow) -> None:
    """Let candidates replace the champion again.

    \b
    tdml-assets release cltv
    """
    with _store_of(workflow) as store:
        found = store.release(workflow)
        typer.echo(
            f"{workflow} was not held" if found is None else f"{workflow} is released; it was held: {found.reason}"
        )


#: In the order of ``--help``.
COMMANDS = (versions, promote, rollback, hold, release)


@contextmanager
def _store_of(workflow: str) -> Iterator[BundleStore]:
    """The model store, with a workflow that is stored in it."""
    with _opened() as store:
        known = store.workflows()
        if workflow not in known:
            if not known:
                fail("no model is stored, none was trained yet: tdml-assets run trains the first", FAILED)
            fail(f"no model of a workflow {workflow!r} is stored: there are {', '.join(known)}", USAGE)
        yield store


@contextmanager
def _opened() -> Iterator[BundleStore]:
    """The model store, with what may go wrong inside the block said in one line."""
    # Building the store brings boto3 and Dagster along, which a wrong command line need not wait for.
    from tdml_assets.platform.resources import build_model_store

    try:
        with expected_errors():
            yield build_model_store(load_settings()).open()
    except (SettingsError, LookupError, ValueError) as error:
        # A damaged bundle is a ValueError too, and no fault of the command line.
        fail(str(error), FAILED if isinstance(error, BundleDamagedError) else USAGE)
    except (PromotionConflictError, BlobConflictError, BlobStoreError) as error:
        fail(str(error), FAILED)


def _move(store: BundleStore, workflow: str, version: str, current: CurrentChampion | None, reason: str) -> None:
    recorded = _recorded(workflow, version)
    store.promote(
        workflow,
        version,
        replacing=current,
        reason=reason,
        session_id=_BY_HAND,
        promoted_at=_now(),
        recorded=recorded,
    )


def _recorded(workflow: str, version: str) -> str | None:
    """What the version was when it was trained; None, which is said, where the warehouse does not know it."""
    from tdml_assets.models.record import recorded_versions
    from tdml_assets.platform.resources import build_warehouse

    settings = load_settings()
    found = None
    if settings.warehouse_path.exists():
        with expected_errors(), build_warehouse(settings).read() as database:
            found = recorded_versions(database, workflow).get(version)
    if found is None:
        typer.echo(
            f"note: {version} was not trained in this state folder, so it cannot be compared with what was trained",
            err=True,
        )
    return found


def _champion_or_damage(store: BundleStore, workflow: str) -> CurrentChampion | str | None:
    """The pointer, or why it cannot be read."""
    try:
        return store.champion(workflow)
    except BundleDamagedError as error:
        return str(error)


def _require_version(store: BundleStore, workflow: str, version: str) -> None:
    if version not in store.versions(workflow):
        fail(f"{workflow} has no version {version!r}. {_list(store, workflow)}", USAGE)


def _list(store: BundleStore, workflow: str) -> str:
    return f"Stored are {', '.join(store.versions(workflow))}"


def _describe(store: BundleStore, workflow: str, version: str) -> str:
    try:
        manifest = store.manifest(workflow, version)
    except BundleDamagedError as error:
        return str(error)
    return f"as of {manifest.as_of}  {', '.join(_measures(manifest))}".rstrip()


def _measures(manifest: Manifest) -> Sequence[str]:
    """The most important metrics of the version's own test."""
    task = manifest.spec.get("task")
    if task is None:
        return []
    lines = []
    for measure in presentation_of(task).measures:
        value = manifest.metrics.get(measure.metric)
        if value is not None and math.isfinite(value):
            lines.append(f"{measure.words} {shown(value, measure.form)}")
    return lines[:_SHOWN_MEASURES]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
