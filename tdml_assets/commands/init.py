"""The command ``init``. Belongs here: which files are of one table, writing the draft. Guesses: ``stages/raw/guess.py``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import PERSON_NEEDED, USAGE, expected_errors, fail

if TYPE_CHECKING:
    from tdml_assets.stages.raw.guess import Guess


def init(
    files: Annotated[
        list[Path], typer.Argument(help="Files of orders, and of page views, e-mail events or customers.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Settings file to write; tdml.yaml, or that of --config, unless given.")
    ] = None,
) -> None:
    """Write a settings file from the first rows of your files: format, columns, dates, numbers. Nothing is overwritten.

    \b
    tdml-assets init data/orders.csv
    tdml-assets init data/orders-2025.csv data/orders-2026.csv data/customers.csv

    \b
    Exit codes: 0 written and complete; 2 nothing written; 3 written, and the keys it names are yours to decide.
    """
    target = out or Path(os.environ.get("TDML_CONFIG") or "tdml.yaml")
    if target.exists():
        fail(f"{target} is there already and is not overwritten: name another file with --out", USAGE)
    with expected_errors():
        from tdml_assets.commands.settings_draft import draft

        guesses = read_guesses(files, target.parent)
        target.write_text(draft(guesses), encoding="utf-8")
    for found in guesses:
        typer.echo(f"{found.table}: {', '.join(sample.path for sample in found.samples)}")
        for role, column in found.columns.items():
            typer.echo(f"  {role:<18}{column}")
    typer.echo(f"written: {target}")
    gaps = [(found.table, key, why) for found in guesses for key, why in found.open.items()]
    for table, key, why in gaps:
        typer.echo(f"yours to decide: sources.{table}.{key}: {why}", err=True)
    if gaps:
        raise typer.Exit(PERSON_NEEDED)
    typer.echo("next: tdml-assets check")


def read_guesses(files: list[Path], folder: Path) -> list[Guess]:
    """What the files are, those of one table and one header together; orders first.

    Raises
    ------
    SourceError
        If a file cannot be read, or two files of one table are not written alike.
    """
    from tdml_assets.stages.raw.beginning import as_text, read_sample
    from tdml_assets.stages.raw.guess import FileSample, Table, guess, guess_table
    from tdml_assets.stages.raw.rules import SourceError

    tables: dict[Table, list[FileSample]] = {}
    for path in files:
        sample = read_sample(path, Path(os.path.relpath(path, folder)).as_posix())
        tables.setdefault(guess_table(sample), []).append(sample)
    for table, samples in tables.items():
        first = samples[0]
        for sample in samples[1:]:
            if as_text(sample) != as_text(first) or list(sample.columns) != list(first.columns):
                raise SourceError(
                    f"{first.path} ({as_text(first)}) and {sample.path} ({as_text(sample)}) both look like {table} and are not "
                    "written alike: give the files of one kind in one form"
                )
    if "orders" not in tables:
        # Orders are what a settings file is for: what is missing in them is named and left open.
        tables["orders"] = tables.pop(next(iter(tables)))
    order: tuple[Table, ...] = ("orders", "pageviews", "email_events", "customers")
    return [guess(table, tables[table]) for table in order if table in tables]
