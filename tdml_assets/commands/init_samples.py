"""Which of the files given to ``init`` are of one table, and the paths that name them in the settings.

Elsewhere: reading them (``stages/raw/beginning*.py``), guesses (``stages/raw/guess*.py``).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from tdml_assets.declaration.sources import PageviewsSource, Source
from tdml_assets.stages.raw.beginning import read_samples
from tdml_assets.stages.raw.beginning_folders import folder_samples, joined, looked_at, with_folder_columns
from tdml_assets.stages.raw.beginning_tables import database_sample
from tdml_assets.stages.raw.folders import natural_order, table_format
from tdml_assets.stages.raw.guess import Guess, best_of, guess, guess_table
from tdml_assets.stages.raw.guess_columns import Table
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import FileSample, Key

_PATTERN = set("*?[")
#: Files given one by one up to which each is listed in the settings.
_LISTED = 12
_ORDER: tuple[Table, ...] = ("orders", "pageviews", "email_events", "customers", "identities")


def read_guesses(
    files: Sequence[Path], folder: Path, database: str | None, rows: Mapping[str, str | None]
) -> tuple[list[Guess], list[str]]:
    """What the files are, those of one table together, orders first; and files that no table is for, with the reason.

    Raises ``SourceError`` if a file cannot be read, or two files of one table are not written alike. ``folder``: of the
    settings. ``database``: variable that holds the URL of a database. ``rows``: its table or query, by key of the settings.
    """
    samples = [sample for path in _without_inner(files) for sample in _samples(path, folder)]
    if database is not None:
        samples.insert(0, _of_database(database, rows, folder))
    tables: dict[Table, list[FileSample]] = {}
    unused: list[str] = []
    for sample in samples:
        table = guess_table(sample)
        if table is None:
            unused.append(
                f"{sample.path}: products, which have neither a customer nor a time. Names and categories of products are columns "
                "of the order lines: join them there"
            )
            continue
        tables.setdefault(table, []).append(sample)
    if "orders" not in tables:
        if not tables:
            raise SourceError(f"no orders: {'; '.join(unused)}")
        # Orders are what a settings file is for: what is missing in them is named and left open.
        tables["orders"] = tables.pop(next(iter(tables)))
    guesses = []
    for table in _ORDER:
        if table in tables:
            kept, others = _of_one_form(table, tables[table])
            guesses.append(guess(table, kept))
            unused += others
    return guesses, unused


def _without_inner(files: Sequence[Path]) -> list[Path]:
    """The paths, with the folder of a table in place of files that lie in it."""
    found: dict[Path, None] = {}
    for path in files:
        above = next((one for one in path.parents if path.is_file() and table_format(one) is not None), None)
        found.setdefault(above or path)
    return list(found)


def _samples(path: Path, folder: Path) -> list[FileSample]:
    name = Path(os.path.relpath(path, folder)).as_posix()
    if path.is_dir():
        return folder_samples(path, name)
    if not path.exists() and _PATTERN & set(str(path)):
        matches = [Path(one) for one in glob.glob(str(path), recursive=True) if Path(one).is_file()]  # noqa: PTH207
        if not matches:
            raise SourceError(f"{name} matches no file: correct the pattern")
        ordered = sorted(matches, key=lambda one: natural_order(one.as_posix()))
        top = Path(os.path.commonpath([one.parent for one in ordered]))
        shown = Path(os.path.relpath(top, folder)).as_posix()
        return [replace(one, path=name) for one in looked_at(ordered, top, shown)]
    found = read_samples(path, name)
    return [with_folder_columns(best_of(found))]


def _of_database(variable: str, rows: Mapping[str, str | None], folder: Path) -> FileSample:
    given = {key: value for key, value in rows.items() if value is not None}
    columns = {"customer_id": "customer_id", "viewed_at": "viewed_at"}
    fault = ""
    try:
        # Any source will do to read rows: the one that asks for least.
        declared: Source = PageviewsSource.model_validate(
            {"format": "database", "url_env": variable, "columns": columns, **given}
        )
    except ValidationError as error:
        fault = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    if fault:
        raise SourceError(f"--database: {fault}")
    sample = database_sample(declared, folder)
    return replace(sample, keys={"url_env": Key(variable), **{key: Key(value) for key, value in given.items()}})


def _of_one_form(table: Table, samples: Sequence[FileSample]) -> tuple[list[FileSample], list[str]]:
    """The samples that one source can read together, the one with most columns first, and what is left of the others.

    Raises ``SourceError`` if files with the same columns are written in several ways.
    """
    first = samples[0]
    for sample in samples[1:]:
        if sample.written != first.written:
            raise SourceError(
                f"{first.path} ({first.written}) and {sample.path} ({sample.written}) both look like {table} and are not "
                "written alike: give the files of one kind in one form"
            )
    widest = max(samples, key=lambda sample: len(sample.columns))
    wanted = set(guess(table, [widest]).columns.values())
    kept, others = [], []
    for sample in samples:
        shared = wanted & set(sample.cells)
        if len(shared) * 2 >= len(wanted):
            kept.append(sample)
        else:
            others.append(
                f"{sample.path}: its columns ({', '.join(list(sample.cells)[:8])}) are not those of {widest.path}, and one source "
                "reads one set of names: rename them, or read both with a query of a database"
            )
    if len(kept) > _LISTED:
        kept = _under_one_path(kept)
    return sorted(kept, key=lambda sample: sample is not widest), others


def _under_one_path(samples: Sequence[FileSample]) -> list[FileSample]:
    """Files of one folder, or of folders below it, under a pattern that names them all."""
    parents = {os.path.dirname(sample.path) for sample in samples}  # noqa: PTH120 - texts of the settings
    ending = Path(samples[0].path).suffix
    if any(Path(sample.path).suffix != ending for sample in samples):
        return list(samples)
    top = os.path.commonpath(parents) if all(parents) else ""
    pattern = f"**/*{ending}" if len(parents) > 1 else f"*{ending}"
    shown = f"{top}/{pattern}" if top else pattern
    return [joined(samples, shown)]
