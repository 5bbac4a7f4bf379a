"""The command line ``tdml-assets`` (= ``python -m tdml_assets``): its options, and the commands that start Dagster.

Elsewhere: the other commands (``commands/``), doing a stage's work, which only Dagster starts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Annotated

import typer

from tdml_assets.commands import activation, report_server
from tdml_assets.commands import models as cli_models
from tdml_assets.commands.check import check, check_before_run
from tdml_assets.commands.clean import clean
from tdml_assets.commands.common import FAILED, USAGE, Fresh, SameCustomers, expected_errors, fail, read_settings
from tdml_assets.commands.dashboard import dashboard
from tdml_assets.commands.declared_workflows import check_workflows, record_as_valid
from tdml_assets.commands.doctor import doctor
from tdml_assets.commands.explain import explain
from tdml_assets.commands.export import export
from tdml_assets.commands.forget import forget
from tdml_assets.commands.hivemall_sql import hivemall_sql
from tdml_assets.commands.init import init
from tdml_assets.commands.rejected import rejected
from tdml_assets.commands.replay import replay
from tdml_assets.commands.status import status
from tdml_assets.platform.environment import child_environment, prepare_home, project_root, restrict_new_files
from tdml_assets.platform.extras import require_extra
from tdml_assets.settings import Settings

_HELP = """Customer orders in, scored customer attributes out.

\b
  tdml-assets check                    what the declared files hold, before anything is stored
  tdml-assets run                      everything: load, train, score, publish, and a summary
  tdml-assets status                   what is there, and what needs you
  tdml-assets explain CUSTOMER         scores of one customer, and why
  tdml-assets COMMAND --help           options of a command, with an example

\b
Settings come from tdml.yaml in this folder (--config names another), state is kept in .tdml (--home names another).
Exit codes: 0 done; 1 failed, nothing changed; 2 wrong settings or command line, nothing ran; 3 published, and a person is needed.
"""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=_HELP)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tdml-assets {version('tdml-assets')}")
        raise typer.Exit


@app.callback()
def _options(
    config: Annotated[
        Path | None, typer.Option(help="Settings file; instead of TDML_CONFIG, default tdml.yaml.", show_default=False)
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="State folder; instead of TDML_HOME, default .tdml.", show_default=False)
    ] = None,
    show_version: Annotated[  # noqa: ARG001 - the callback of the option prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # Through the environment, so that the processes a command starts see them too.
    if config is not None:
        os.environ["TDML_CONFIG"] = str(config.resolve())
    if home is not None:
        os.environ["TDML_HOME"] = str(home.resolve())


_options.__doc__ = _HELP


def make_ready(settings: Settings) -> None:
    """State folder, sample data where no orders are declared, and the dbt manifest."""
    from tdml_assets.simulation.sample import write_sample
    from tdml_assets.stages.features.dbt_manifest import DbtProjectError, manifest_of

    restrict_new_files()
    with expected_errors():
        prepare_home(settings)
        # dbt is a process of its own, which takes some seconds where the project changed.
        with ThreadPoolExecutor(1) as beside:
            manifest = beside.submit(manifest_of, settings)
            if settings.uses_sample:
                typer.echo(f"no orders declared: sample data in {settings.sample_folder}")
                write_sample(settings.sample_folder, settings.sample)
            try:
                manifest.result()
            except DbtProjectError as error:
                fail(str(error), FAILED)


def require_own_state(settings: Settings, *, fresh: bool = False, same_customers: bool = False) -> None:
    """Refuse a state folder of other data, unless the person said what is to become of it."""
    if fresh and same_customers:
        fail("--fresh starts anew and --same-customers goes on: give one of them", USAGE)
    if not (settings.home / "warehouse.duckdb").exists() and not (settings.home / "state.json").exists():
        return
    with expected_errors():
        from tdml_assets.stages.raw.state_identity import is_as_recorded

        if not (fresh or same_customers) and settings.as_of == "latest" and is_as_recorded(settings):
            return
        # Drivers are imported here, which a run on the same files need not wait for.
        from tdml_assets.stages.raw import state_folder

        if fresh:
            moved = state_folder.set_aside(settings)
            typer.echo(f"the old state is now {moved}" if moved else f"{settings.home} held no state")
        elif same_customers:
            typer.echo(state_folder.accept_same_customers(settings))
        else:
            state_folder.check_state(settings)


def run(
    select: Annotated[str, typer.Option(help="Assets to materialise, as Dagster selects them.")] = "*",
    workflow: Annotated[
        list[str] | None, typer.Option(help="Workflow to run; all that the settings run unless given.")
    ] = None,
    fresh: Fresh = False,
    same_customers: SameCustomers = False,
) -> None:
    """Load, train, score and publish, and print a summary.

    \b
    tdml-assets run
    tdml-assets run --workflow churn --workflow cltv     these alone; nothing is published
    tdml-assets run --fresh                              start anew; the old state is moved aside

    \b
    Exit codes: 0 published; 1 failed, nothing changed; 2 wrong settings or other data, nothing ran;
    3 published, and a person is needed.
    """
    from tdml_assets.commands.early_start import started_early
    from tdml_assets.commands.progress import Progress, run_with_progress
    from tdml_assets.platform.old_files import remove_files

    settings = read_settings()
    is_first = fresh or not settings.warehouse_path.exists()
    with started_early(child_environment(settings), learners=is_first) as early:
        with expected_errors():
            from tdml_assets.stages.raw.files import require_local

            # What Dagster would say a minute later and in other words.
            check_workflows(settings)
            require_local(settings.sources, settings.base_folder)
        if fresh:
            # The new declaration is looked at first: a state is not set aside for settings that cannot run.
            check_before_run(settings)
        require_own_state(settings, fresh=fresh, same_customers=same_customers)
        if not fresh:
            check_before_run(settings)
        if workflow:
            select = _selection_of(settings, workflow, select)
        make_ready(settings)
        record_as_valid(settings)
        log_path = settings.home / "logs" / f"run-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
        arguments = ["asset", "materialize", "--select", select]
        arguments += ["-m", "tdml_assets.definitions", "-d", str(project_root())]
        progress = Progress()
        # Dagster, which the summary needs. Not before the first step: until then both cores have enough to do.
        Thread(target=_import_for_summary, args=(progress.begun,), daemon=True).start()
        with expected_errors():
            code = run_with_progress(lambda: early.begin(arguments), log_path, progress=progress)
    with expected_errors():
        from tdml_assets.commands.outcomes import exit_code_of_session, send_run_alerts

        remove_files(log_path.parent, "*.log", settings.retention.logs)
        send_run_alerts(settings, progress.failed, log_path, ran=None if code else workflow or ())
    if code:
        typer.echo(
            f"the run failed (exit code {code}); results of earlier runs are as they were. Full log: {log_path}",
            err=True,
        )
        raise typer.Exit(FAILED)
    if select == "*":
        _print_summary(as_json=False, notes=progress.warnings)
    else:
        typer.echo("Nothing is published by a run of some assets. What was found: tdml-assets summary")
    code = exit_code_of_session(settings)
    if code:
        raise typer.Exit(code)


def _import_for_summary(begun: Event) -> None:
    begun.wait()
    from tdml_assets.platform.collector import loading_what_stays

    with loading_what_stays():
        import_module("tdml_assets.component")


def summary(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print what the latest session found.

    \b
    tdml-assets summary --json
    """
    _print_summary(as_json=as_json, notes=())


def _print_summary(*, as_json: bool, notes: Sequence[str]) -> None:
    from tdml_assets.commands.summary import read_summary, render_text
    from tdml_assets.commands.summary_facts import WorkflowInfo
    from tdml_assets.component import component_tree, declared_workflows, switched_off
    from tdml_assets.platform.resources import build_warehouse
    from tdml_assets.stages.session_report.overview import OVERVIEW_FILE

    settings = read_settings()
    with expected_errors():
        tree = component_tree()
        specs, off = declared_workflows(settings, tree), switched_off(settings, tree)
    infos = [
        WorkflowInfo(spec.name, spec.title, spec.task, spec.target.horizon_days, spec.eligible.words) for spec in specs
    ]
    places = {
        "exports": settings.effective_exports_url,
        "tables": str(settings.warehouse_path),
        "reports": str(settings.reports_folder / OVERVIEW_FILE),
        "assets, plots": "make ui",
    }
    with expected_errors(), build_warehouse(settings).read() as database:
        found = read_summary(database, infos, places, off, notes)
    typer.echo(json.dumps(found.to_dict(), indent=1, default=str) if as_json else render_text(found))


def prepare() -> None:
    """Make the state folder, the sample data and the dbt manifest, and start nothing.

    For runs that Dagster's own commands start, in CI for instance:

    \b
    tdml-assets prepare && dagster asset materialize --select '*' -m tdml_assets.definitions
    """
    _prepare(read_settings())


def _prepare(settings: Settings) -> None:
    with expected_errors():
        check_workflows(settings)
    require_own_state(settings)
    make_ready(settings)
    record_as_valid(settings)


def _selection_of(settings: Settings, names: Sequence[str], select: str) -> str:
    """Everything that the workflows named need and make, but publishing: that takes all of them."""
    from tdml_assets.component import declared_workflows

    if select != "*":
        fail("--workflow and --select both choose assets: give one of them", USAGE)
    with expected_errors():
        known = [spec.name for spec in declared_workflows(settings)]
    unknown = sorted(set(names) - set(known))
    if unknown:
        fail(f"--workflow {', '.join(unknown)} does not run with these settings; known: {', '.join(known)}", USAGE)
    shared = 'group:"raw" or group:"staging" or group:"features" or key:"monitoring/data_quality"'
    return " or ".join([shared, *(f'key:"{name}/*"' for name in names)])


def ui(
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address it listens on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI, with its daemon, on the same state.

    \b
    tdml-assets ui --port 3001
    """
    settings = read_settings()
    with expected_errors():
        require_extra("dagster_webserver", "ui", "tdml-assets ui")
    _prepare(settings)
    # Levels: what the daemon says every few seconds is left out, and so is Dagster's advice to use another command.
    command = [sys.executable, "-W", "ignore:Function `dev_command` is superseded", "-m", "dagster", "dev"]
    command += ["-w", str(project_root() / "workspace.yaml"), "--log-level", "warning"]
    command += ["--host", host, "--port", str(port)]
    environment = child_environment(settings)
    # Elsewhere Dagster warns of a dagster.yaml in the folder that it does not use.
    os.chdir(settings.home)
    if report_server.start(settings):
        typer.echo(f"reports: {settings.reports_url}")
    typer.echo(f"Dagster: http://{host}:{port} (in some seconds; Ctrl-C ends it)")
    os.execve(sys.executable, command, environment)


#: Commands in the order of ``--help``, under the heading of what they are about.
_COMMANDS: Mapping[str, tuple[Callable[..., None], ...]] = {
    "From orders to attributes": (init, check, run, summary, status, explain, rejected, export, dashboard, ui, doctor),
    "Models": (*cli_models.COMMANDS, replay, hivemall_sql),
    "Destinations": activation.COMMANDS,
    "State": (prepare, forget, clean),
}
for _heading, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(_command.__name__.replace("_", "-"), rich_help_panel=_heading)(_command)
