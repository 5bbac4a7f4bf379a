"""The command ``forget``: its words and exit codes, and the champions that learnt from who was forgotten.

Elsewhere: its steps (``forgetting.py``), the receipt (``receipts.py``), training (a run does), the gate, which compares
quality alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import PERSON_NEEDED, EmptyStateError, expected_errors, read_settings

if TYPE_CHECKING:
    from tdml_assets.commands.forgetting import Forgotten
    from tdml_assets.models.bundle_store import BundleStore
    from tdml_assets.settings import Settings


def forget(
    customer: Annotated[str, typer.Argument(help="Id of the customer, or an old id of the same person.")],
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Run, and let versions that were trained without them score, whatever the gate thinks."
        ),
    ] = False,
) -> None:
    """Delete a customer from every table, file and destination, and keep them out of every later load.

    \b
    tdml-assets forget 0000000019
    tdml-assets forget 0000000019 --retrain

    \b
    Every id that sources.identities gives to the person is forgotten with them. Exports are written anew, and so is the warehouse's
    file, so that it holds no byte of the id. Destinations that were sent the customer are asked to delete them; one that cannot be
    reached is asked by the next sync. A receipt without the id says what was removed where: raw.erasures, and a file in
    <home>/erasures. Given again after its process ended, the command goes on where it was.
    Exit codes: 0 forgotten, in no file and at no destination; 3 forgotten, and what it names still holds them; 2 no such
    customer.
    """
    settings = read_settings()
    began = datetime.now(UTC).replace(tzinfo=None)
    with expected_errors():
        from tdml_assets.commands.forgetting import forget_everywhere
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.platform.run_lock import hold_state

        if not settings.warehouse_path.exists():
            raise EmptyStateError(f"no orders are loaded in {settings.home}: tdml-assets run")
        with hold_state(settings.home / "run.lock", "forget", 0.0):
            done = forget_everywhere(settings, build_warehouse(settings), customer)
    _say(done)
    learnt = [row["place"] for row in done.of("model")]
    is_replaced = not (retrain and learnt) or _retrain(settings, learnt, began)
    if done.is_held or not is_replaced:
        raise typer.Exit(PERSON_NEEDED)


def _say(done: Forgotten) -> None:
    tables = [row for row in done.of("table") if row["removed"]]
    again = "; an earlier attempt had not ended" if done.resumed else ""
    typer.echo(f"forgotten: deleted from {len(tables)} tables; later loads leave them out{again}")
    for row in done.of("export", "removed") + done.of("file", "removed"):
        typer.echo(f"{row['kind']} {row['place']}: removed or written anew")
    for row in done.of("destination"):
        held = row["status"] != "removed"
        typer.echo(
            f"destination {row['place']}: " + (f"still holds them: {row['words']}" if held else "deleted"), err=held
        )
    for row in done.of("file", "held") + done.of("export", "held"):
        typer.echo(f"{row['place']} still holds them: {row['words']}", err=True)
    learnt = [row["place"] for row in done.of("model")]
    if learnt:
        typer.echo(f"champions that may have learnt from them: {', '.join(learnt)}")
        typer.echo("to score with models that did not: tdml-assets forget CUSTOMER --retrain")
    typer.echo(f"receipt: {done.receipt}")
    typer.echo("next: tdml-assets run; take them out of the source's files too, which no run changes")


def _retrain(settings: Settings, learnt: list[str], since: datetime) -> bool:
    """Train without the customer and replace champions. Gives whether none is left that learnt from them."""
    from tdml_assets.commands.forget import replace_champions
    from tdml_assets.models.record import recorded_versions
    from tdml_assets.platform.resources import build_model_store, build_warehouse

    # A process of its own: it imports what trains, and is a run like any other.
    code = subprocess.run([sys.executable, "-m", "tdml_assets", "run"], check=False).returncode
    if code not in (0, PERSON_NEEDED):
        typer.echo(f"the run failed (exit code {code}), the champions stay: give the command again", err=True)
        return False
    now = datetime.now(UTC).replace(tzinfo=None)
    with expected_errors():
        with build_warehouse(settings).read() as database:
            recorded = {name: recorded_versions(database, name) for name in {one.partition("/")[0] for one in learnt}}
        replaced = replace_champions(build_model_store(settings).open(), learnt, since, now, recorded)
    for one in replaced:
        typer.echo(f"{one.workflow}: {one.words}", err=not one.is_done)
    return all(one.is_done for one in replaced)


_REASON = "replaces a version that learnt from a customer who was forgotten"


@dataclass(frozen=True)
class Replacement:
    """What became of one champion. ``words``: which version scores now, or why the old one stays."""

    workflow: str
    is_done: bool
    words: str


def replace_champions(
    store: BundleStore,
    learnt: Sequence[str],
    since: datetime,
    now: datetime,
    recorded: Mapping[str, Mapping[str, str]],
) -> list[Replacement]:
    """Let the newest version trained after the erasure score, where a champion that learnt from the customer still does.

    ``learnt``: champions as ``workflow/version``. ``since``: when the customer was forgotten, in naive UTC. ``recorded``: hash
    of the content of each version, by workflow and version.
    """
    found = []
    for place in learnt:
        workflow, _, version = place.partition("/")
        found.append(_replace(store, workflow, version, since, now, recorded.get(workflow, {})))
    return found


def _replace(
    store: BundleStore, workflow: str, version: str, since: datetime, now: datetime, recorded: Mapping[str, str]
) -> Replacement:
    current = store.champion(workflow)
    if current is None or current.champion.version != version:
        other = "none" if current is None else current.champion.version
        return Replacement(workflow, True, f"{other} scores already")
    held = store.held(workflow)
    if held is not None:
        return Replacement(workflow, False, f"{version} is held ({held.reason}): tdml-assets release {workflow}")
    trained = [store.manifest(workflow, name) for name in store.versions(workflow)]
    newer = [one for one in trained if one.created_at >= since and one.version != version]
    if not newer:
        return Replacement(workflow, False, f"no version was trained since, {version} stays: see the run's summary")
    newest = max(newer, key=lambda one: one.created_at).version
    store.promote(
        workflow,
        newest,
        replacing=current,
        reason=_REASON,
        session_id="operator",
        promoted_at=now,
        recorded=recorded.get(newest),
    )
    return Replacement(workflow, True, f"{newest} scores from the next run on")
