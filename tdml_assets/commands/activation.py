"""The commands ``plan``, ``apply``, ``sync`` and ``retry``. Elsewhere: what a sync does (``activation/``)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tdml_assets.commands.common import (
    FAILED,
    PERSON_NEEDED,
    AsJson,
    UnknownNameError,
    expected_errors,
    fail,
    print_json,
    read_settings,
    table_lines,
)
from tdml_assets.declaration.destinations import DestinationSettings
from tdml_assets.settings import Settings

if TYPE_CHECKING:
    from tdml_assets.activation.planning import Plan
    from tdml_assets.activation.syncing import Surroundings, SyncResult
    from tdml_assets.platform.warehouse import Warehouse

Name = Annotated[str, typer.Argument(metavar="DESTINATION", help="Name under destinations in the settings.")]
Full = Annotated[
    bool,
    typer.Option(
        "--full", help="Send every row, changed or not: after a change of columns, or to repair the other side."
    ),
]
_CHANGES = ("added", "changed", "unchanged", "removed", "waiting", "held_there")


def plan(
    destination: Name,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write; <home>/plans/DESTINATION.json unless given.", show_default=False
        ),
    ] = None,
    full: Full = False,
    ask: Annotated[
        bool,
        typer.Option("--ask-destination", help="Also look at credentials, table and rights there; nothing is written."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write what a sync would do to a file for review; nothing is sent.

    \b
    tdml-assets plan crm
    tdml-assets plan crm --ask-destination
    tdml-assets plan crm --output crm-plan.json && tdml-assets apply crm-plan.json

    \b
    The file holds figures, columns and guards, and no customer.
    Exit codes: 0 may be applied; 3 a guard forbids it; 2 wrong settings; 1 failed.
    """
    settings = read_settings()
    with _activation(settings) as (warehouse, around):
        from tdml_assets.activation.plan_file import plan_content
        from tdml_assets.activation.syncing import check_destination, plan_sync

        declared = _declared(settings, destination)
        made = plan_sync(warehouse, destination, declared, around, full=full)
        content = plan_content(made, now=around.clock.now())
        there = check_destination(made, around) if ask else None
        path = file or settings.home / "plans" / f"{destination}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print_json({**content, "file": str(path), **({"there": dict(there or {})} if ask else {})})
    else:
        typer.echo("\n".join([*_plan_lines(made, path), *(_there_lines(there) if ask else [])]))
    if made.refusals:
        raise typer.Exit(PERSON_NEEDED)


def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="File that tdml-assets plan wrote.")],
    max_age_hours: Annotated[float, typer.Option(min=0, help="How old the plan may be, in hours.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Send what a reviewed plan says, if it is still what would be sent.

    \b
    tdml-assets apply crm-plan.json

    \b
    Exit codes: 0 sent; 1 refused or failed, nothing was sent; 2 no such plan; 3 sent, and a person is needed.
    """
    settings = read_settings()
    with _activation(settings) as (warehouse, around):
        from tdml_assets.activation.plan_file import PlanFileError, applied_check, read_plan

        try:
            content = read_plan(file)
        except PlanFileError as error:
            raise UnknownNameError(str(error)) from None
        name = content["destination"]
        check = applied_check(content, around.clock.now(), max_age_hours)
        result = _synced(settings, warehouse, around, name, full=bool(content.get("full")), check=check)
    _finish([result], as_json=as_json)


def sync(
    destination: Annotated[
        str | None, typer.Argument(metavar="[DESTINATION]", help="Name under destinations; all of them unless given.")
    ] = None,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """Send what changed since the last sync.

    \b
    tdml-assets sync                 every destination
    tdml-assets sync crm --full      every row again

    \b
    Exit codes: 0 sent; 1 refused or failed, nothing was sent; 2 wrong settings; 3 sent, and a person is needed.
    """
    settings = read_settings()
    with _activation(settings) as (warehouse, around):
        names = [destination] if destination else list(settings.destinations.others)
        if not names:
            raise UnknownNameError("no destination is declared: add one under destinations in the settings")
        results = [_synced(settings, warehouse, around, name, full=full) for name in names]
    _finish(results, as_json=as_json)


def retry(destination: Name, as_json: AsJson = False) -> None:
    """Send again the rows that a destination refused, as they are now.

    \b
    tdml-assets retry crm

    \b
    Exit codes: 0 all taken; 1 refused or failed, nothing was sent; 2 wrong settings; 3 some were refused again.
    """
    settings = read_settings()
    with _activation(settings) as (warehouse, around):
        result = _synced(settings, warehouse, around, destination, only_dead=True)
    _finish([result], as_json=as_json)


#: In the order of ``--help``.
COMMANDS = (plan, apply, sync, retry)


@contextmanager
def _activation(settings: Settings) -> Iterator[tuple[Warehouse, Surroundings]]:
    """The state folder held, as a run holds it: attributes do not change while they are sent."""
    with expected_errors():
        from tdml_assets.activation.protocol import DestinationError
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.platform.run_lock import hold_state
        from tdml_assets.stages.audience.activation import surroundings

        if not settings.warehouse_path.exists():
            fail(f"nothing is published in {settings.home} yet: tdml-assets run", FAILED)
        try:
            with hold_state(settings.home / "run.lock", f"sync-{os.getpid()}", settings.session_wait_seconds):
                warehouse = build_warehouse(settings)
                yield warehouse, surroundings(settings, warehouse)
        except DestinationError as error:
            fail(str(error), FAILED)


def _declared(settings: Settings, name: str) -> DestinationSettings:
    known = settings.destinations.others
    if name not in known:
        words = ", ".join(known) or "none"
        raise UnknownNameError(f"destination {name!r} is not declared; known: {words}")
    return known[name]


def _synced(
    settings: Settings,
    warehouse: Warehouse,
    around: Surroundings,
    name: str,
    *,
    full: bool = False,
    only_dead: bool = False,
    check: Callable[[Plan], str | None] | None = None,
) -> SyncResult:
    from tdml_assets.activation.protocol import DestinationError
    from tdml_assets.activation.syncing import FAILED as SYNC_FAILED
    from tdml_assets.activation.syncing import SyncResult, run_sync
    from tdml_assets.stages.audience.activation import tell_sync

    declared = _declared(settings, name)
    try:
        result = run_sync(warehouse, name, declared, around, full=full, only_dead=only_dead, check=check)
    except DestinationError as error:
        # Before anything could be planned; the other destinations are tried.
        result = SyncResult(name, "", SYNC_FAILED, reason=str(error))
    tell_sync(settings, result, _Echo())
    return result


class _Echo:
    """A log whose warnings go to the person at the terminal."""

    def warning(self, msg: str, /) -> None:
        """Print a warning."""
        typer.echo(msg, err=True)


def _finish(results: list[SyncResult], *, as_json: bool) -> None:
    if as_json:
        print_json({"syncs": [result.to_dict() for result in results]})
    else:
        typer.echo("\n".join(table_lines([_result_row(result) for result in results])))
        for result in results:
            for words in filter(None, [*result.warnings, result.reason]):
                typer.echo(f"{result.destination}: {words}", err=result.status != "succeeded")
    code = max((exit_code(result) for result in results), key=(0, FAILED, PERSON_NEEDED).index, default=0)
    if code == FAILED and any(result.taken for result in results):
        code = PERSON_NEEDED
    if code:
        raise typer.Exit(code)


def exit_code(result: SyncResult) -> int:
    """0 where everything was taken, 1 where nothing was, 3 where a person has to look at it."""
    if result.status == "succeeded" and not result.failed:
        return 0
    return FAILED if result.status in ("refused", "failed") and not result.taken else PERSON_NEEDED


def _result_row(result: SyncResult) -> dict[str, Any]:
    names = ("destination", "status", "added", "changed", "unchanged", "removed", "failed")
    shown = {name: getattr(result, name) for name in names}
    return {**shown, "excluded": sum(result.excluded.values()), "seconds": result.seconds}


def _there_lines(there: Mapping[str, Any] | None) -> list[str]:
    if there is None:
        return ["there: this kind cannot be asked without sending"]
    return ["there: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in there.items())]


def _plan_lines(made: Plan, path: Path) -> list[str]:
    lines = [
        f"{made.destination} ({made.settings.kind}, {made.settings.mode}): {made.source_rows:,} customers in the source"
    ]
    lines += [
        f"  {change.replace('_', ' '):<10} {made.count(change):>12,}" for change in _CHANGES if made.count(change)
    ]
    lines += [f"  not sent   {count:>12,}  {reason}" for reason, count in sorted(made.excluded.items())]
    lines += [
        f"  {verdict.status}: {verdict.guard}: {verdict.words}"
        for verdict in made.verdicts
        if verdict.status != "passed"
    ]
    end = "a guard forbids it" if made.refusals else f"tdml-assets apply {path}"
    return [*lines, f"plan: {path}", f"next: {end}"]
