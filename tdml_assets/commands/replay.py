"""The command ``replay``. Belongs here: its options. Does not: running sessions (``replay_sessions.py``)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from tdml_assets.commands.common import Fresh, SameCustomers
from tdml_assets.commands.replay_dates import every_of, replay_dates

#: Exit code for a command that cannot be carried out, as for a wrong command line.
_USAGE = 2


def replay(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="Day of the first session.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of a session.")],
    every: Annotated[str, typer.Option(help="month, week, or days such as 10d; month ends stay month ends.")] = "month",
    workflow: Annotated[list[str] | None, typer.Option(help="Workflow to replay; all that run unless given.")] = None,
    keep_going: Annotated[
        bool, typer.Option(help="Go on to the next day where a blocking check stopped a session.")
    ] = True,
    fresh: Fresh = False,
    same_customers: SameCustomers = False,
) -> None:
    """Run sessions at successive days of the past, in order, and tell what became of their predictions.

    \b
    tdml-assets replay --from 2025-01-31 --to 2025-12-31 --every month --workflow cltv
    """
    # cli.py imports this module, and whoever runs another command is spared Dagster's start.
    from tdml_assets.commands.app import _make_ready, _require_own_state, _settings
    from tdml_assets.commands.replay_sessions import ReplayRefusedError, ReplayStoppedError, run_replay
    from tdml_assets.settings import SettingsError

    try:
        dates = replay_dates(first.date(), last.date(), every_of(every))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    # Which days may follow which is for run_replay to say, which knows the workflows.
    settings = _settings()
    _require_own_state(settings, fresh=fresh, same_customers=same_customers)
    _make_ready(settings)
    try:
        for line in run_replay(settings, workflow or (), dates, keep_going=keep_going):
            typer.echo(line)
    except (ReplayRefusedError, SettingsError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_USAGE) from None
    except ReplayStoppedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
