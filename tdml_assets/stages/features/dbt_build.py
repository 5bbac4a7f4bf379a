"""The models that dbt compiled, built in the warehouse: all of them in one transaction, or none where nothing changed.

Belongs here: creating the tables and views, holding them to their contracts, running their data tests, and knowing whether they
are still what would be built again. Does not: what a manifest says (``dbt_project.py``), events (``asset.py``).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.dbt_project import DataTest, Model

BUILDS = TableContract(
    "features",
    "last_build",
    "What the staging and feature tables were last built from, and what they held then: one row, or none after a partial build.",
    (Column("fingerprint", "VARCHAR", "SHA-256 over statements, inputs and tables.", False),),
)


class ModelContractError(ValueError):
    """A model does not return the columns that its contract declares."""


@dataclass(frozen=True)
class Built:
    """A model as it is in the warehouse.

    ``model``: what was built. ``columns``: type per column. ``row_count``: rows. ``seconds``: what building took; None where it
    was as it should be. ``failures``: per data test that was run, by its unique id, the rows that fail it.
    """

    model: Model
    columns: dict[str, str]
    row_count: int
    seconds: float | None
    failures: dict[str, int]


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
    place, row by row; the tests are run in either case.
    """
    last = _last_build(database) if is_whole else None
    is_unchanged = last is not None and last == _fingerprint(database, models, sources, version)
    if not is_unchanged:
        database.execute(render("features/unordered"))
    built: list[Built] = []
    spoilt: set[str] = set()
    for model in models:
        if spoilt.intersection(model.reads):
            spoilt.add(model.unique_id)
            continue
        started = time.monotonic()
        if not is_unchanged:
            _create(database, model)
        seconds = None if is_unchanged else time.monotonic() - started
        failures = {test.unique_id: _failures(database, test) for test in tests if test.model == model.unique_id}
        if any(failures.get(test.unique_id) for test in tests if test.is_error):
            spoilt.add(model.unique_id)
        built.append(Built(model, database.columns(model.path), database.count(model.path), seconds, failures))
    if not is_unchanged:
        is_good = is_whole and not spoilt
        kept = [{"fingerprint": _fingerprint(database, models, sources, version)}] if is_good else []
        database.replace(BUILDS, kept)
    return built


def _create(database: Database, model: Model) -> None:
    database.execute(render("warehouse/create_schema", schema=model.schema))
    is_view = _is_view(database, model.path)
    if is_view is not None and is_view != model.is_view:
        database.execute(render("features/drop", path=model.path, is_view=is_view))
    if model.contract is None:
        wrapped = render("features/create_model", path=model.path, is_view=model.is_view)
        database.execute(Statement(wrapped.text.replace("__model__", model.sql)))
        return
    _check_contract(database, model, model.contract)
    database.replace(model.contract, Statement(model.sql))


def _check_contract(database: Database, model: Model, contract: TableContract) -> None:
    described = database.rows(Statement(render("features/described").text.replace("__model__", model.sql)))
    found = {row["column_name"]: row["column_type"] for row in described}
    declared = {column.name: column.type for column in contract.columns}
    if found == declared:
        return
    differences = [
        f"{name} is {found.get(name, 'missing')}, declared as {declared.get(name, 'nothing')}"
        for name in sorted(found.keys() | declared.keys())
        if found.get(name) != declared.get(name)
    ]
    raise ModelContractError(
        f"{model.schema}.{model.name} breaks its contract: {'; '.join(differences)}. Correct the model, or its columns in the "
        "YAML file next to it"
    )


def _is_view(database: Database, path: tuple[str, str]) -> bool | None:
    rows = database.rows(render("features/kind", schema=path[0], table=path[1]))
    return rows[0]["table_type"] == "VIEW" if rows else None


def _failures(database: Database, test: DataTest) -> int:
    wrapped = render("features/failing_rows").text.replace("__test__", test.sql)
    return int(database.row(Statement(wrapped))["failures"])


def _last_build(database: Database) -> str | None:
    rows = database.rows_if(BUILDS.path, render("features/last_build", builds=BUILDS.path))
    return str(rows[0]["fingerprint"]) if rows else None


def _fingerprint(
    database: Database, models: Sequence[Model], sources: Sequence[tuple[str, str]], version: str
) -> str | None:
    """Of the statements, of every row they read and of every row they made; None where one of the tables is not there."""
    parts: list[Any] = [version, duckdb.__version__]
    for path in [*sources, *(model.path for model in models if not model.is_view)]:
        content = database.content(path)
        if content is None:
            return None
        parts.append([*path, *content])
    if not all(database.has_table(model.path) for model in models):
        return None
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
