"""The models that dbt compiled, built in the warehouse: all of them in one transaction, or none where nothing changed.

Elsewhere: what a manifest says (``dbt_project.py``), events (``asset.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.reuse import hash_of
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.dbt_project import DataTest, Model
from tdml_assets.stages.features.increment import (
    LAST_READ,
    MOST_CHANGED,
    Increment,
    Reading,
    keep_reading,
    read_sources,
)
from tdml_assets.stages.features.model_tables import MustBuildAllError, check_contract
from tdml_assets.stages.features.parts import MOST_ROWS_AT_ONCE, Parts

BUILDS = TableContract(
    "features",
    "last_build",
    "What the staging and feature tables were last built from, and what they held then: one row, or none after a partial build.",
    (
        Column("version", "VARCHAR", "SHA-256 over code, statements and DuckDB's version.", False),
        Column("read", "VARCHAR", "SHA-256 over the rows that were read.", False),
        Column("made", "VARCHAR", "SHA-256 over the rows of the tables.", False),
        Column("scoring_day", "DATE", "The day that is scored."),
    ),
)


@dataclass(frozen=True)
class Built:
    """A model as it is in the warehouse.

    ``model``: what was built. ``columns``: type per column. ``row_count``: rows. ``seconds``: what building took; None where it
    was as it should be. ``failures``: per data test that was run, by its unique id, the rows that fail it. ``customers``: number
    of customers whose rows were computed, where those of the others were kept; None where all were computed.
    """

    model: Model
    columns: dict[str, str]
    row_count: int
    seconds: float | None
    failures: dict[str, int]
    customers: int | None = None


def build_models(
    database: Database,
    models: Sequence[Model],
    tests: Sequence[DataTest],
    sources: Sequence[tuple[str, str]],
    *,
    version: str,
    is_whole: bool,
) -> list[Built]:
    """Build the models and run their tests; what reads a model that fails a test is left as it was, as dbt leaves it.

    Raises ``ModelContractError`` naming the columns that differ. Nothing is changed. ``database``: open for writing.
    ``models``: what to build, each after those it reads. ``tests``: what to run on them. ``sources``: tables that the models
    read and do not build. ``version``: names the statements; another one builds again. ``is_whole``: whether these are all
    models and tests of the project. Nothing is built where a whole build of the same version from the same rows is still in
    place, row by row; the tests are run in either case. Where everything of such a build is in place and rows of some customers
    changed, a model that allows it (``Model.by_customer``) is computed for them alone (``increment.py``). Of a long history, models
    that allow it (``Model.in_parts``) are computed for some customers after others (``parts.py``).
    """
    if not is_whole:
        built, _ = _build(database, models, tests)
        _remember(database, None, None)
        return built
    named, reading = hash_of([version, duckdb.__version__]), read_sources(database, sources)
    last = _last_build(database)
    is_in_place = last is not None and last["version"] == named and last["made"] == _made(database, models)
    if last is not None and is_in_place and last["read"] == reading.identity:
        return _build(database, models, tests, is_unchanged=True)[0]
    increment = _increment(database, models, reading, last["scoring_day"]) if last is not None and is_in_place else None
    found = _build_of_some(database, models, tests, reading, increment) if increment is not None else None
    found = found or _build_of_some(database, models, tests, reading, None)
    built, is_good = found or _build(database, models, tests)
    made = _made(database, models)
    if is_good and made is not None and reading.identity is not None:
        row = {"version": named, "read": reading.identity, "made": made, "scoring_day": reading.day}
        _remember(database, row, reading)
    else:
        _remember(database, None, None)
    return built


def _build(
    database: Database,
    models: Sequence[Model],
    tests: Sequence[DataTest],
    increment: Increment | None = None,
    parts: Parts | None = None,
    *,
    is_unchanged: bool = False,
) -> tuple[list[Built], bool]:
    """Build the models that read no spoilt one. Also returns whether none is."""
    if not is_unchanged:
        database.execute(render("features/unordered"))
    if increment is not None:
        increment.begin()
    built: list[Built] = []
    spoilt: set[str] = set()
    for model in models if parts is None else (*parts.first, *parts.models, *parts.last):
        if spoilt.intersection(model.reads):
            spoilt.add(model.unique_id)
            continue
        started = time.monotonic()
        is_of_changed = increment is not None and increment.create(model)
        if parts is not None and model in parts.models:
            _make_room(database, model)
            started -= parts.put(model, spoilt)
        elif not is_unchanged and not is_of_changed:
            _create(database, model)
        seconds = None if is_unchanged else time.monotonic() - started
        failures = {test.unique_id: _failures(database, test) for test in tests if test.model == model.unique_id}
        if any(failures.get(test.unique_id) for test in tests if test.is_error):
            spoilt.add(model.unique_id)
        columns, count = database.columns(model.path), database.count(model.path)
        of_some = increment.changed if increment is not None and is_of_changed else None
        built.append(Built(model, columns, count, seconds, failures, of_some))
    if increment is not None:
        increment.end()
    return built, not spoilt


def _build_of_some(
    database: Database,
    models: Sequence[Model],
    tests: Sequence[DataTest],
    reading: Reading,
    increment: Increment | None,
) -> tuple[list[Built], bool] | None:
    """Build for changed customers, for some customers after others, or both; None where neither can be or is worth it."""
    kept = () if increment is None else [model.unique_id for model in models if model.by_customer]
    parts = None
    with suppress(MustBuildAllError):
        if reading.rows > MOST_ROWS_AT_ONCE:
            parts = Parts(database, models, reading, kept)
        if increment is not None or parts is not None:
            with parts or nullcontext():
                return _build(database, models, tests, increment, parts)
    return None


def _increment(
    database: Database, models: Sequence[Model], reading: Reading, last_day: date | None
) -> Increment | None:
    """The increment that a build may be; None where all rows have to be computed."""
    if last_day is None or reading.day is None or not reading.is_one_day or not reading.has_all_ids:
        return None
    if reading.day < last_day or not database.has_table(LAST_READ.path) or not database.count(LAST_READ.path):
        return None
    increment = Increment(database, models, reading, last_day)
    return increment if increment.changed <= MOST_CHANGED * reading.count else None


def _create(database: Database, model: Model) -> None:
    _make_room(database, model)
    if model.contract is None:
        wrapped = render("features/create_model", path=model.path, is_view=model.is_view)
        database.execute(Statement(wrapped.text.replace("__model__", model.sql)))
        return
    check_contract(database, model, model.contract)
    database.replace(model.contract, Statement(model.sql))


def _make_room(database: Database, model: Model) -> None:
    """Make the schema of a model, and drop a view in place of its table or the other way round."""
    database.execute(render("warehouse/create_schema", schema=model.schema))
    is_view = _is_view(database, model.path)
    if is_view is not None and is_view != model.is_view:
        database.execute(render("features/drop", path=model.path, is_view=is_view))


def _is_view(database: Database, path: tuple[str, str]) -> bool | None:
    rows = database.rows(render("features/kind", schema=path[0], table=path[1]))
    return rows[0]["table_type"] == "VIEW" if rows else None


def _failures(database: Database, test: DataTest) -> int:
    wrapped = render("features/failing_rows").text.replace("__test__", test.sql)
    return int(database.row(Statement(wrapped))["failures"])


def _last_build(database: Database) -> dict[str, Any] | None:
    if set(database.columns(BUILDS.path)) != set(BUILDS.column_names):
        return None
    rows = database.rows(render("features/last_build", builds=BUILDS.path))
    return rows[0] if rows else None


def _remember(database: Database, row: dict[str, Any] | None, reading: Reading | None) -> None:
    database.replace(BUILDS, [] if row is None else [row])
    if reading is None:
        database.replace(LAST_READ, [])
    else:
        keep_reading(database, reading)


def _made(database: Database, models: Sequence[Model]) -> str | None:
    """Hash of every row that the models made; None where one of them is not there."""
    contents = [[*model.path, database.content(model.path)] for model in models if not model.is_view]
    if any(content[-1] is None for content in contents) or not all(database.has_table(model.path) for model in models):
        return None
    return hash_of(contents)
