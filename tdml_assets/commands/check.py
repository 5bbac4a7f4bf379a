"""``tdml-assets check``, and the same look at the sources before a run.

Elsewhere: loading (``trial_load.py``), what is a problem (``preflight.py``).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tdml_assets.commands.common import USAGE, expected_errors, fail, print_json, read_settings, table_lines

if TYPE_CHECKING:
    from tdml_assets.commands.preflight import Trial
    from tdml_assets.settings import Settings


def check(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Read every source as a run would, and say what it holds, without touching the state.

    \b
    tdml-assets check
    tdml-assets --config shop.yaml check --json

    \b
    Exit codes: 0 a run may start; 2 the settings or a source are wrong.
    """
    settings = read_settings()
    with expected_errors():
        from tdml_assets.commands.preflight import notes_of, problems_of
        from tdml_assets.commands.trial_load import try_sources
        from tdml_assets.component import declared_workflows, switched_off
        from tdml_assets.platform.resources import s3_client

        specs, off = declared_workflows(settings), switched_off(settings)
        if settings.uses_sample:
            message = "no orders are declared: a run makes sample data. Name your files under sources.orders.path in tdml.yaml"
            print_json({"problems": [], "notes": [message]}) if as_json else typer.echo(message)
            return
        trial = try_sources(settings, whole=True, s3_client=lambda: s3_client(settings), specs=specs)
        problems = problems_of(trial, as_of=settings.as_of, accepted=settings.quality.accepted)
    notes = notes_of(trial)
    if as_json:
        print_json(_as_dict(trial, off, problems, notes))
    else:
        typer.echo("\n".join(_lines(trial, off, notes)))
        for problem in problems:
            typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(USAGE)


def check_before_run(settings: Settings) -> None:
    """Stop a run whose sources are declared wrong, in seconds; say what is worth knowing before it.

    A declaration that was loaded before is not looked at again: its data are judged in the session, which tells owners too.
    """
    if settings.uses_sample:
        return
    with expected_errors():
        from tdml_assets.commands.preflight import notes_of, problems_of
        from tdml_assets.commands.trial_load import is_declared_as_before, try_sources
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.platform.warehouse import WarehouseBusyError

        if settings.warehouse_path.exists():
            with suppress(WarehouseBusyError), build_warehouse(settings).read() as database:
                if is_declared_as_before(database, settings.sources):
                    return
        trial = try_sources(settings, whole=False)
        problems = problems_of(trial, as_of=settings.as_of, accepted=settings.quality.accepted)
    if problems:
        fail("\nerror: ".join(problems), USAGE)
    for note in [*notes_of(trial), *_horizon_notes(settings, trial)]:
        typer.echo(f"note: {note}")


def _horizon_notes(settings: Settings, trial: Trial) -> list[str]:
    """Workflows whose horizon is too long for the history, with the longest that works."""
    from tdml_assets.commands.outlooks import outlook_of
    from tdml_assets.commands.preflight import may_be_too_short

    if trial.as_of is None or not trial.is_whole or not may_be_too_short(trial.orders, trial.as_of, settings.workflows):
        return []
    with expected_errors():
        from tdml_assets.component import declared_workflows

        is_named = settings.workflows is not None
        outlooks = [
            outlook_of(spec, trial.orders, trial.as_of, is_named=is_named) for spec in declared_workflows(settings)
        ]
    return [f"{outlook.workflow}: {outlook.reason}" for outlook in outlooks if outlook.is_short]


def _lines(trial: Trial, off: dict[str, str], notes: list[str]) -> list[str]:
    from tdml_assets.commands.check_facts import books_lines
    from tdml_assets.commands.check_permissions import permission_lines
    from tdml_assets.stages.raw.contracts import REASONS

    lines = ["Sources"]
    for source in trial.sources:
        rejected = source.rows_read - source.rows_accepted
        lines.append(
            f"  {source.table}: {source.rows_read:,} rows read in {source.files:,} files, {source.rows_accepted:,} accepted, "
            f"{rejected:,} rejected"
        )
        if source.files_without_rows:
            shown = ", ".join(source.files_without_rows[:3])
            lines.append(f"    ! {len(source.files_without_rows):,} files have a header and no row: {shown}")
        lines += [
            f"    {finding.sentence}"
            for finding in trial.report.findings
            if finding.check_name == "recorded_at"
            and finding.source == f"raw.{source.table}"
            and finding.status == "ok"
        ]
        for code, count in source.reasons.items():
            lines.append(f"    {code} {count:,}: {REASONS[code]}")
            examples = trial.books.examples.get((source.table, code), ())
            lines += [f"      {example.file}, row {example.row_number:,}: {example.content}" for example in examples]
    facts = trial.orders
    when = f"on {facts.days:,} days, {facts.first_on} to {facts.last_on}" if facts.days else ""
    lines += [
        "Orders",
        f"  customers    {facts.customers:>16,}   {facts.returning_customers:,} bought on two days or more",
        # Without an order_id nothing says which lines are one order.
        f"  orders       {f'{facts.orders:,}' if facts.orders else '-':>16}",
        f"  order lines  {facts.order_lines:>16,}   {when}".rstrip(),
        f"  net revenue  {facts.net_revenue:>16,.2f} {facts.currency or ''}".rstrip(),
    ]
    lines += [f"    {month}    {revenue:>16,.2f}" for month, revenue in facts.months]
    lines += books_lines(trial.books)
    lines += permission_lines(trial.permissions)
    rows = [{"workflow": one.workflow, "state": one.state, "reason": one.reason} for one in trial.outlooks]
    rows += [{"workflow": name, "state": "off", "reason": reason} for name, reason in off.items()]
    if rows:
        lines += [f"Workflows, as of {trial.as_of}"]
    lines += table_lines(sorted(rows, key=lambda row: str(row["workflow"])))
    if notes:
        lines += ["Please note", *(f"  {note}" for note in notes)]
    return lines


def _as_dict(trial: Trial, off: dict[str, str], problems: list[str], notes: list[str]) -> dict[str, Any]:
    from tdml_assets.commands.check_facts import books_dict
    from tdml_assets.commands.check_permissions import permissions_dict
    from tdml_assets.commands.check_signs import odd_months

    facts = trial.orders
    books = books_dict(trial.books)
    workflows = {outlook.workflow: {"state": outlook.state, "reason": outlook.reason} for outlook in trial.outlooks}
    return {
        "sources": {
            source.table: {
                "files": source.files,
                "rows_read": source.rows_read,
                "rows_accepted": source.rows_accepted,
                "rows_rejected": source.rows_read - source.rows_accepted,
                "reasons": source.reasons,
            }
            for source in trial.sources
        },
        "orders": {
            "customers": facts.customers,
            "returning_customers": facts.returning_customers,
            "orders": facts.orders or None,
            "order_lines": facts.order_lines,
            "days": facts.days,
            "first_on": facts.first_on,
            "last_on": facts.last_on,
            "currency": facts.currency,
            "net_revenue": f"{facts.net_revenue:.2f}",
            "net_revenue_by_month": {month: f"{revenue:.2f}" for month, revenue in facts.months},
            "months_that_fall_out": [one.month for one in odd_months(facts.months, facts.order_lines)],
            **{name: value for name, value in books.items() if name != "rejected_examples"},
        },
        "rejected_examples": books["rejected_examples"],
        "permissions": permissions_dict(trial.permissions),
        "as_of": trial.as_of if isinstance(trial.as_of, date) else None,
        "workflows": workflows | {name: {"state": "off", "reason": reason} for name, reason in off.items()},
        "problems": problems,
        "notes": notes,
    }
