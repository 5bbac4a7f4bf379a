"""The command ``replay``: its options, the days of its sessions, and the lines a person reads.

Elsewhere: running the sessions and reading what they found (``replay_sessions.py``).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import Annotated, Any

import typer

from tdml_assets.commands.common import FAILED, USAGE, Fresh, SameCustomers, fail, read_settings


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
    # app.py imports this module, and a command that needs no Dagster does not import it.
    from tdml_assets.commands.app import make_ready, require_own_state
    from tdml_assets.commands.replay_sessions import ReplayRefusedError, ReplayStoppedError, run_replay
    from tdml_assets.settings import SettingsError

    try:
        dates = replay_dates(first.date(), last.date(), every_of(every))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    # Which days may follow which is for run_replay to say, which knows the workflows.
    settings = read_settings()
    require_own_state(settings, fresh=fresh, same_customers=same_customers)
    make_ready(settings)
    try:
        for line in run_replay(settings, workflow or (), dates, keep_going=keep_going):
            typer.echo(line)
    except (ReplayRefusedError, SettingsError) as error:
        fail(str(error), USAGE)
    except ReplayStoppedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None


_EVERY = re.compile(r"(?P<days>[1-9]\d{0,3})d")
_BY_CHECK = "stopped by a blocking check"
_MOST_DATES = 1_000
_COLUMNS = (("as_of", 10), ("workflow", 18), ("model", 24), ("tested", 24), ("realised", 34), ("monitoring", 30))


@dataclass(frozen=True)
class Every:
    """A step of the calendar: whole months, or days."""

    months: int = 0
    days: int = 0


@dataclass(frozen=True)
class Stopped:
    """Why a session did not come to its end.

    ``by_check``: whether blocking checks alone stopped it: an outcome, not a fault of the replay. ``words``: what was said, in one
    line.
    """

    by_check: bool
    words: str


@dataclass(frozen=True)
class Step:
    """What one session of one workflow found; empty words where it did not get so far."""

    as_of: date
    workflow: str
    model: str = ""
    tested: str = ""
    realised: str = ""
    monitoring: str = ""


def every_of(text: str) -> Every:
    """Read a step: ``month``, ``week`` or days such as ``10d``. Raises ``ValueError`` if it is none of these."""
    named = {"month": Every(months=1), "week": Every(days=7)}
    if text in named:
        return named[text]
    found = _EVERY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a step: give month, week, or a number of days such as 10d")
    return Every(days=int(found["days"]))


def replay_dates(first: date, last: date, every: Every) -> tuple[date, ...]:
    """Days of the sessions, ``first`` among them, none after ``last``.

    Months that begin on a month's last day go from month end to month end; others keep their day, or end with the month where
    it is too short. Raises ``ValueError`` if there is no day, or there are more than 1,000.
    """
    if last < first:
        raise ValueError(f"the replay would end at {last}, before it begins at {first}: swap them")
    found = [first]
    while (day := _after(first, every, len(found))) <= last:
        found.append(day)
        if len(found) > _MOST_DATES:
            raise ValueError(f"from {first} to {last} there are more than {_MOST_DATES} sessions: take longer steps")
    return tuple(found)


def _after(first: date, every: Every, steps: int) -> date:
    if not every.months:
        return first + timedelta(days=every.days * steps)
    months = first.year * 12 + first.month - 1 + every.months * steps
    year, month = months // 12, months % 12 + 1
    length = calendar.monthrange(year, month)[1]
    at_end = first.day == calendar.monthrange(first.year, first.month)[1]
    return date(year, month, length if at_end else min(first.day, length))


def why_stopped(printed: Sequence[str]) -> Stopped:
    """Read out of a run's progress why it failed.

    ``printed``: lines of :func:`~tdml_assets.commands.progress.run_with_progress`: ``  x  <asset>: failed``, and its words below.
    """
    causes = []
    for line, after in zip_longest(printed, printed[1:], fillvalue=""):
        if line.startswith("  x  "):
            asset = line.removeprefix("  x  ").partition(":")[0].strip()
            causes.append((asset, after.strip() if after.startswith("     ") else "no reason was given"))
    if not causes:
        return Stopped(False, printed[-1].strip() if printed else "it printed nothing")
    words = "; ".join(f"{name}: {cause}" for name, cause in causes)
    return Stopped(all(cause.startswith(_BY_CHECK) for _, cause in causes), words)


def heading() -> str:
    """The line above the lines of :func:`line_of`."""
    return "  ".join(f"{name:<{width}}" for name, width in _COLUMNS) + "  seconds"


def line_of(step: Step, seconds: float) -> str:
    """One session of one workflow in one line."""
    values = (str(step.as_of), step.workflow, step.model, step.tested, step.realised, step.monitoring)
    cells = (f"{value or '-':<{width}}" for value, (_, width) in zip(values, _COLUMNS, strict=True))
    return "  ".join(cells) + f"  {seconds:7.1f}"


def realised_words(row: Mapping[str, Any]) -> str:
    """The newest matured predictions, as a line says them."""
    value = "undefined" if row["realised"] is None else f"{row['realised']:.3f}"
    return f"{row['as_of']}: {value}" + (" worse" if row["status"] == "worse" else "")


def ledger_lines(workflow: str, words: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What became of the predictions of every day, as a table of text.

    ``words``: what the error is called. ``rows``: of ``sql/realised/ledger.sql``, with ``status``.
    """
    if not rows:
        return [f"{workflow}: no horizon has passed within the replay, so nothing is realised yet"]
    lines = [f"{workflow}: {words}, predicted at as_of and realised since"]
    titles = ("realised", "tested", "low", "high", "naive", "predicted", "happened")
    names = ("realised", "tested", "low", "high", "naive", "mean_predicted", "mean_actual")
    lines.append(f"  {'as_of':<12}{'customers':>10}" + "".join(f"{title:>11}" for title in titles) + "  verdict")
    for row in rows:
        cells = "".join(f"{'-' if row[name] is None else format(row[name], ',.3f'):>11}" for name in names)
        lines.append(f"  {row['as_of']!s:<12}{row['customers']:>10,.0f}{cells}  {row['status']}")
    return lines
