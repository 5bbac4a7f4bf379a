"""The command ``init``. What files are of one table: ``init_samples.py``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tdml_assets.commands.common import PERSON_NEEDED, USAGE, expected_errors, fail


def init(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders of orders, and of page views, e-mail events, customers or identities."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Settings file to write; tdml.yaml, or that of --config, unless given.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Environment variable that holds the URL of a database to read orders from.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Table or view of the database, as name or schema.name.")] = None,
    query: Annotated[str | None, typer.Option(help="SELECT to read in place of a table.")] = None,
    query_file: Annotated[str | None, typer.Option(help="File that holds the SELECT.")] = None,
) -> None:
    """Write a settings file from the first rows of your files: format, columns, dates, numbers. Nothing is overwritten.

    \b
    tdml-assets init data/orders.csv
    tdml-assets init data/orders-2025.csv data/orders-2026.csv data/customers.csv
    tdml-assets init lake/orders
    tdml-assets init --database SHOP_DATABASE_URL --table shop.order_lines

    \b
    Exit codes: 0 written and complete; 2 nothing written; 3 written, and the keys it names are yours to decide.
    """
    target = out or Path(os.environ.get("TDML_CONFIG") or "tdml.yaml")
    if target.exists():
        fail(f"{target} is there already and is not overwritten: name another file with --out", USAGE)
    rows = {"table": table, "query": query, "query_file": query_file}
    if database is None and any(rows.values()):
        fail("--table, --query and --query-file need --database, the variable that holds the URL", USAGE)
    if not files and database is None:
        fail("name the files to look at, or --database with --table or --query", USAGE)
    with expected_errors():
        from tdml_assets.commands.init_samples import read_guesses
        from tdml_assets.commands.settings_draft import draft

        guesses, unused = read_guesses(files or [], target.parent, database, rows)
        target.write_text(draft(guesses, unused), encoding="utf-8")
    for found in guesses:
        shown = list(dict.fromkeys(sample.path for sample in found.samples))
        typer.echo(f"{found.table}: {', '.join(shown)}")
        for role, column in found.columns.items():
            typer.echo(f"  {role:<18}{column}")
    for one in unused:
        typer.echo(f"not used: {one}")
    typer.echo(f"written: {target}")
    gaps = [(found.table, key, why) for found in guesses for key, why in found.open.items()]
    for name, key, why in gaps:
        typer.echo(f"yours to decide: sources.{name}.{key}: {why}", err=True)
    if gaps:
        raise typer.Exit(PERSON_NEEDED)
    typer.echo("next: tdml-assets check")
