"""The command ``dashboard``. Elsewhere: what the page shows (``stages/session_report/dashboard.py``)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tdml_assets.commands.common import EmptyStateError, expected_errors, read_settings


def dashboard(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="File to write; reports/dashboard.html in the state folder unless given.", show_default=False
        ),
    ] = None,
) -> None:
    """Write one HTML page for people who plan campaigns: segments, movement, value deciles, grades, drift, lift.

    \b
    tdml-assets dashboard
    tdml-assets dashboard weekly.html

    Everything is in the file: no server, nothing is fetched, and no customer is in it.
    """
    settings = read_settings()
    with expected_errors():
        from tdml_assets.component import declared_workflows
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.stages.session_report.dashboard import (
            DASHBOARD_FILE,
            latest_exports,
            read_dashboard,
            render_dashboard,
        )
        from tdml_assets.stages.session_report.pages import place

        if not settings.warehouse_path.exists():
            raise EmptyStateError(f"nothing is published in {settings.home} yet: tdml-assets run")
        now = datetime.now(UTC).replace(tzinfo=None)
        exports = latest_exports(settings.effective_exports_url)
        with build_warehouse(settings).read() as database:
            facts = read_dashboard(database, list(declared_workflows(settings)), now, exports)
        path = file or settings.reports_folder / DASHBOARD_FILE
        place(render_dashboard(facts), path, is_latest=False)
    shown = sum(bool(one.bands) for one in facts.workflows)
    typer.echo(f"{path}: {shown} workflows, data up to {facts.as_of or 'no day yet'}")
