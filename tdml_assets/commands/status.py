"""The command ``status``. Words: ``status_report.py``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import PERSON_NEEDED, AsJson, expected_errors, print_json, read_settings
from tdml_assets.commands.status_report import (
    ModelStatus,
    Recorded,
    Status,
    needs_of,
    read_recorded,
    render_status,
    workflow_status,
)
from tdml_assets.platform.files import locked

if TYPE_CHECKING:
    from tdml_assets.models.bundle_store import BundleStore
    from tdml_assets.settings import Settings

#: How long to wait for a statement of a run that is in progress, which holds the file for its length.
_PATIENCE_SECONDS = 10.0


def status(
    as_json: AsJson = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 where a person is needed.")] = False,
) -> None:
    """Say what is there: data, last session, every workflow with its champion, schedules, and what needs you.

    \b
    tdml-assets status
    tdml-assets status --json --check
    """
    settings = read_settings()
    now = datetime.now(UTC).replace(tzinfo=None)
    with expected_errors():
        found = read_status(settings, now)
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo(render_status(found, now))
    if check and found.needs:
        raise typer.Exit(PERSON_NEEDED)


def read_status(settings: Settings, now: datetime) -> Status:
    """Everything that is known of an installation; nothing is changed."""
    from tdml_assets.component import declared_workflows, switched_off
    from tdml_assets.platform.resources import build_model_store, build_warehouse
    from tdml_assets.stages.raw.state_folder import state_folder

    off = switched_off(settings)
    titles = {spec.name: spec.title for spec in declared_workflows(settings)}
    names = sorted({*titles, *off})
    recorded = Recorded()
    if settings.warehouse_path.exists():
        warehouse = build_warehouse(settings)
        patience = min(warehouse.wait_seconds, _PATIENCE_SECONDS)
        with warehouse.model_copy(update={"wait_seconds": patience}).read() as database:
            recorded = read_recorded(database, names)
    models = dict.fromkeys(names, ModelStatus())
    if settings.models_url is not None or (settings.home / "models").is_dir():
        store = build_model_store(settings).open()
        models = {name: _model(store, name) for name in names}
    workflows = tuple(
        workflow_status(name, titles.get(name, name), off.get(name), recorded, models[name]) for name in names
    )
    state = state_folder(settings)
    identity = state.read()
    declared = identity.declared if identity is not None and identity.declared is not None else None
    return Status(
        home=str(settings.home),
        data=declared.words() if declared is not None else "nothing is loaded yet",
        last_order_on=recorded.last_order_on,
        loaded_at=recorded.loaded_at,
        session=recorded.session,
        running=running(settings),
        workflows=workflows,
        episodes=recorded.episodes,
        schedules=_schedules(settings, list(titles)),
        needs=needs_of(workflows, recorded.episodes, recorded.session, now),
    )


def _model(store: BundleStore, workflow: str) -> ModelStatus:
    from tdml_assets.models.bundles import BundleDamagedError

    versions = len(store.versions(workflow))
    try:
        current, hold = store.champion(workflow), store.held(workflow)
    except BundleDamagedError as error:
        return ModelStatus(versions, damage=str(error))
    return ModelStatus(
        versions,
        champion=current.champion.version if current is not None else None,
        since=current.champion.promoted_at if current is not None else None,
        held=str(hold) if hold is not None else "",
    )


def running(settings: Settings) -> str:
    """Who holds the state folder now."""
    path = settings.home / "run.lock"
    if not path.is_file():
        return ""
    try:
        with locked(path, wait=False, shared=True):
            return ""
    except BlockingIOError:
        try:
            holder = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            return "a run"
        return f"run {holder['run_id'][:8]} (process {holder['pid']})"


def _schedules(settings: Settings, workflows: list[str]) -> dict[str, bool]:
    """Whether each schedule and sensor is on, as the Dagster instance remembers; off unless somebody switched it on."""
    from tdml_assets.automation.jobs import SCORING_JOB, training_job_name
    from tdml_assets.platform.environment import dagster_instance

    if not (settings.home / "dagster" / "dagster.yaml").is_file():
        return {}
    names = [f"{training_job_name(name)}_schedule" for name in workflows]
    names += [f"{SCORING_JOB}_schedule", "retrain_on_drift"]
    with dagster_instance(settings.home) as instance:
        running = {state.name for state in instance.all_instigator_state() if state.is_running}
    return {name: name in running for name in names}
