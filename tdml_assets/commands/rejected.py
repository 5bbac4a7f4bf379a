"""The command ``rejected``. Elsewhere: why a row is rejected (``stages/raw/contracts.py``)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tdml_assets.commands.common import (
    AsJson,
    EmptyStateError,
    UnknownNameError,
    expected_errors,
    print_json,
    read_settings,
    table_lines,
)
from tdml_assets.commands.output import STANDARD_OUTPUT, written

_BATCH_ROWS = 50_000
_WIDTH = 160


def rejected(
    reason: Annotated[
        str | None, typer.Option(help="Reason code to show; all unless given.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Examples per reason.")] = 3,
    csv: Annotated[
        str | None,
        typer.Option(help="Write every row set aside to this CSV file; - for standard output.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the rows that were set aside: how many, why, and examples with their content.

    \b
    tdml-assets rejected
    tdml-assets rejected --reason bad_number --limit 20
    tdml-assets rejected --csv rejected.csv
    """
    settings = read_settings()
    with expected_errors():
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.platform.statements import render
        from tdml_assets.stages.audience.attribute_files import write_batches
        from tdml_assets.stages.raw.contracts import LOADS, REASONS, REJECTED_ROWS

        table = REJECTED_ROWS.path
        with build_warehouse(settings).read() as database:
            if not database.has_table(table):
                raise EmptyStateError(f"no orders are loaded in {settings.home}: tdml-assets run")
            if reason is not None and reason not in REASONS:
                raise UnknownNameError(f"--reason {reason} is not known; there are {', '.join(REASONS)}")
            counts = database.rows(render("rejected/counts", rejected=table, reason=reason))
            examples = database.rows(render("rejected/examples", rejected=table, reason=reason, limit=limit))
            rows_read = database.row(render("rejected/rows_read", loads=LOADS.path))["rows_read"]
            if csv is not None:
                statement = render("rejected/rows", rejected=table, reason=reason)
                with written(csv) as target:
                    written_rows = write_batches(database.batches(statement, _BATCH_ROWS), target, "csv")
        reasons = [{**row, "meaning": REASONS.get(row["reason"], "")} for row in counts]
    if csv is not None:
        if csv != STANDARD_OUTPUT:
            typer.echo(f"{csv}: {written_rows:,} rows")
    elif as_json:
        print_json({"rows_read": rows_read, "reasons": reasons, "examples": examples})
    else:
        typer.echo("\n".join(_lines(int(rows_read), reasons, examples)))


def _lines(rows_read: int, counts: list[dict[str, Any]], examples: list[dict[str, Any]]) -> list[str]:
    total = sum(row["row_count"] for row in counts)
    lines = [f"{total:,} of {rows_read:,} rows were set aside"]
    shown = [
        {"source": r["source"], "reason": r["reason"], "rows": r["row_count"], "meaning": r["meaning"]} for r in counts
    ]
    lines += table_lines(shown)
    before = None
    for row in examples:
        if (row["source"], row["reason"]) != before:
            before = (row["source"], row["reason"])
            lines += ["", f"{row['source']}, {row['reason']}"]
        content = row["content"] if len(row["content"]) <= _WIDTH else row["content"][: _WIDTH - 3] + "..."
        lines.append(f"  {row['file']}, row {row['row_number']:,}: {content}")
    return lines
