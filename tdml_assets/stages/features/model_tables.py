"""What a build of all customers and one of some of them share: statements on other tables, and the check of a contract.

Elsewhere: the builds (``dbt_build.py``, ``increment.py``, ``parts.py``).
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, quote_identifier, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.dbt_project import Model

TEMPORARY = ("temp", "main")


class ModelContractError(ValueError):
    """A model does not return the columns that its contract declares."""


class MustBuildAllError(Exception):
    """Rows of some customers cannot be computed alone."""


def statement_on(
    model: Model, catalog: str, moved: Collection[tuple[str, str]], others: Collection[tuple[str, str]]
) -> str:
    """The statement of a model, on the temporary tables of some customers.

    Raises ``MustBuildAllError`` if it reads anything else. ``moved``: tables that have a temporary one. ``others``: tables without
    rows of customers, which are read as they are.
    """

    def place(found: re.Match[str]) -> str:
        path = (found[1], found[2])
        if path in moved:
            return quote_identifier(temporary(path))
        if path in others:
            return found[0]
        raise MustBuildAllError(f"{model.name} reads {'.'.join(path)}, which is not known to hold rows of customers")

    return re.sub(_names(catalog), place, model.sql)


def paths_in(sql: str, catalog: str) -> set[tuple[str, str]]:
    """Schema and name of the tables that a compiled statement reads."""
    return set(re.findall(_names(catalog), sql))


def _names(catalog: str) -> str:
    return rf'"{re.escape(catalog)}"\."([^"]+)"\."([^"]+)"'


def temporary(path: tuple[str, str]) -> tuple[str, str, str]:
    """Name of the temporary table or view in place of ``(schema, name)``."""
    return (*TEMPORARY, ".".join(path))


def check_contract(database: Database, model: Model, contract: TableContract) -> None:
    """Raise ``ModelContractError`` naming the columns of a model's statement that are not those of its contract."""
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
