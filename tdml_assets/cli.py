"""The commands behind the Makefile: ``python -m tdml_assets run`` and its neighbours.

Belongs here: preparing the state folder, starting Dagster's own commands, printing what a person needs.
Does not: doing a stage's work, which only Dagster starts.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from tdml_assets import cli_models
from tdml_assets.cli_replay import replay
from tdml_assets.environment import child_environment, prepare_home, project_root
from tdml_assets.settings import Settings, SettingsError, load_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

cli_models.register(app)
app.command()(replay)

#: Exit code for settings that cannot be used, as for a wrong command line.
_USAGE = 2


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_USAGE) from None


def _require_sources(settings: Settings) -> None:
    """Refuse a run whose files are not there before it touches anything."""
    from tdml_assets.core.source_rules import SourceError
    from tdml_assets.resources.source_files import require_local

    try:
        require_local(settings.sources, settings.base_folder)
    except SourceError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_USAGE) from None


def _make_ready(settings: Settings) -> None:
    """State folder, sample data where no orders are declared, and the dbt manifest."""
    from tdml_assets.dbt_manifest import ensure_manifest
    from tdml_assets.sample import write_sample

    prepare_home(settings)
    if settings.uses_sample:
        typer.echo(f"no orders declared: sample data in {settings.sample_folder}")
        write_sample(settings.sample_folder, settings.sample)
    ensure_manifest(settings.home, settings.warehouse_path.stem)


@app.command()
def run(select: Annotated[str, typer.Option(help="Assets to materialise, as Dagster selects them.")] = "*") -> None:
    """Materialise everything and print a summary."""
    from tdml_assets.progress import run_with_progress

    settings = _settings()
    _require_sources(settings)
    _make_ready(settings)
    log_path = settings.home / "logs" / f"run-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", select]
    command += ["-m", "tdml_assets.definitions", "-d", str(project_root())]
    code = run_with_progress(command, log_path, child_environment(settings))
    if code:
        typer.echo(
            f"the run failed (exit code {code}); results of earlier runs are as they were. Full log: {log_path}",
            err=True,
        )
        raise typer.Exit(code if code > 0 else 1)
    if select == "*":
        summary()


@app.command()
def summary(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print what the latest session found."""
    from tdml_assets.component import declared_workflows, switched_off
    from tdml_assets.core.summary import WorkflowInfo, read_summary, render_text
    from tdml_assets.resources.platform import build_warehouse

    settings = _settings()
    try:
        specs, off = declared_workflows(settings), switched_off(settings)
    except SettingsError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_USAGE) from None
    infos = [WorkflowInfo(spec.name, spec.title, spec.task, spec.target.horizon_days) for spec in specs]
    places = {
        "exports": settings.effective_exports_url,
        "tables": str(settings.warehouse_path),
        "drift reports": str(settings.reports_folder),
        "assets, plots": "make ui",
    }
    with build_warehouse(settings).read() as database:
        found = read_summary(database, infos, places, off)
    typer.echo(json.dumps(found.to_dict(), indent=1, default=str) if as_json else render_text(found))


@app.command()
def prepare() -> None:
    """Make the state folder, the sample data and the dbt manifest, and start nothing."""
    _make_ready(_settings())


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address it listens on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI, with its daemon, on the same state."""
    settings = _settings()
    _make_ready(settings)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(project_root() / "workspace.yaml")]
    os.chdir(project_root())
    os.execve(sys.executable, [*command, "--host", host, "--port", str(port)], child_environment(settings))
