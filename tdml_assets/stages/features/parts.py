"""A build in parts: the models are run on some customers after others, so that its memory does not grow with the history.

Elsewhere: when a build is made in this way (``dbt_build.py``), which models allow it
(``dbt_project/models/features/intermediate.yml``).

DuckDB writes what a join or a group does not hold to disk, but not all of it: from some ten million customers on, whole statements
end for want of memory. So the rows that the models read are written to one file per part, all rows of a customer to the same one,
and the statements run part by part on temporary tables, as they do for changed customers (``increment.py``). What they make is
written to files too, and becomes the tables at the end.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import duckdb

from tdml_assets.platform.pages import page_folder
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.dbt_project import Model
from tdml_assets.stages.features.increment import Reading
from tdml_assets.stages.features.model_tables import (
    MustBuildAllError,
    check_contract,
    paths_in,
    statement_on,
    temporary,
)

#: Rows of customers beyond which a build is made in parts, and of one part: with its temporary tables a part of so many takes a
#: gigabyte.
MOST_ROWS_AT_ONCE = 15_000_000
ROWS_OF_A_PART = 4_000_000

#: Types that come back from a Parquet file as they were.
_KEPT_TYPES = (
    "BIGINT",
    "BOOLEAN",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INTEGER",
    "SMALLINT",
    "TIMESTAMP",
    "TINYINT",
    "VARCHAR",
)


class Parts:
    """A build whose models are computed for some customers after others; a context for the time of the build.

    ``first``: models that are built whole before it, in order. ``models``: those of the parts. ``last``: those after it.
    """

    def __init__(
        self, database: Database, models: Sequence[Model], reading: Reading, kept: Collection[str] = ()
    ) -> None:
        """Divide the models.

        Raises ``MustBuildAllError`` if a model of the parts reads something that cannot be divided by customer. ``database``: open
        for writing. ``models``: all of the build, in order. ``reading``: what they read. ``kept``: unique ids of the models that
        are made in another way, before the parts, and whose rows have a customer.
        """
        self._database = database
        self._count = -(-reading.rows // ROWS_OF_A_PART)
        self.models = [model for model in models if model.in_parts and model.unique_id not in kept]
        behind = {model.unique_id for model in self.models}
        for model in models:
            if behind.intersection(model.reads):
                behind.add(model.unique_id)
        self.first = [model for model in models if model.unique_id not in behind]
        self.last = [model for model in models if model.unique_id in behind and not model.in_parts]
        catalog = str(database.row(render("warehouse/current"))["name"])
        self._views = _views_read_by(self.models, models)
        read = {path for model in (*self._views, *self.models) for path in paths_in(model.sql, catalog)}
        own = [model.path for model in (*self._views, *self.models)]
        divided = [*reading.customers, *(model.path for model in models if model.unique_id in kept)]
        whole = [*reading.others, *(model.path for model in self.first if not model.is_view)]
        self._sources = [path for path in divided if path in read]
        # Read whole by every part.
        self._others = [path for path in whole if path in read and path not in self._sources]
        moved = {*own, *self._sources, *self._others}
        self._statements = {
            model.unique_id: statement_on(model, catalog, moved, ()) for model in (*self._views, *self.models)
        }
        self._seconds: dict[str, float] = {}
        self._opened, self._scratch = ExitStack(), Path()

    def put(self, model: Model, spoilt: Collection[str]) -> float:
        """Make a model's table of the rows of all parts. Returns the seconds that computing them took.

        The first call computes all models. ``spoilt``: those that failed a test: what reads them is not computed. Raises
        ``MustBuildAllError`` if a statement cannot be run on the rows of some customers.
        """
        if not self._seconds:
            self._compute_all(self._computable(spoilt))
        rows = _rows_of(sorted(self._made(model).glob("*.parquet")))
        if model.contract is not None:
            self._database.replace(model.contract, rows)
        else:
            created = render("features/create_model", path=model.path, is_view=False)
            self._database.execute(Statement(created.text.replace("__model__", rows.text), rows.parameters))
        return self._seconds[model.unique_id]

    def __enter__(self) -> Parts:
        """Make the folder of the files, which is gone whatever ends the process."""
        spill = self._database.row(render("features/parts_of_customers/spill_folder"))["folder"]
        self._scratch = self._opened.enter_context(page_folder(spill))
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _computable(self, spoilt: Collection[str]) -> list[Model]:
        behind, found = set(spoilt), []
        for model in self.models:
            if behind.intersection(model.reads):
                behind.add(model.unique_id)
            else:
                found.append(model)
        return found

    def _compute_all(self, models: Sequence[Model]) -> None:
        for place, source in enumerate(self._sources):
            folder = self._scratch / "read" / str(place)
            folder.mkdir(parents=True)
            written = {"source": source, "count": self._count, "folder": str(folder)}
            self._database.execute(render("features/parts_of_customers/write", **written))
        for table in (*self._sources, *self._others):
            kept = {"table": table, "file": str(self._whole(table)), "is_empty": table in self._sources}
            self._database.execute(render("features/parts_of_customers/keep", **kept))
        for model in models:
            self._made(model).mkdir(parents=True)
        # On a connection of its own: tables that a transaction drops keep their room until it ends.
        with self._database.apart() as apart:
            apart.execute(render("features/unordered"))
            for table in self._others:
                _read(apart, table, [self._whole(table)])
            for part in range(self._count):
                self._compute(apart, part, models)

    def _compute(self, apart: Database, part: int, models: Sequence[Model]) -> None:
        for place, source in enumerate(self._sources):
            files = sorted((self._scratch / "read" / str(place)).glob(f"part={part}/*.parquet"))
            # Without a row of this source in the part: the file that has its columns alone.
            _read(apart, source, files or [self._whole(source)])
            for path in files:
                path.unlink()
        for model in (*self._views, *models):
            started, text, target = time.monotonic(), self._statements[model.unique_id], temporary(model.path)
            created = render("features/increment/create_temporary", path=target, is_view=model.is_view)
            try:
                if part == 0 and model.contract is not None:
                    check_contract(apart, replace(model, sql=text), model.contract)
                apart.execute(Statement(created.text.replace("__model__", text)))
            except duckdb.CatalogException as error:
                raise MustBuildAllError(f"{model.name} reads a table that dbt does not know of") from error
            if not model.is_view:
                self._require_own_rows(apart, model, part)
                file = str(self._made(model) / f"{part}.parquet")
                apart.execute(render("features/parts_of_customers/keep", table=target, file=file, is_empty=False))
            self._seconds[model.unique_id] = self._seconds.get(model.unique_id, 0.0) + time.monotonic() - started
        for model in reversed((*self._views, *models)):
            apart.execute(render("features/drop", path=temporary(model.path), is_view=model.is_view))

    def _require_own_rows(self, apart: Database, model: Model, part: int) -> None:
        """Refuse rows of other customers, and types that the files do not keep."""
        table = temporary(model.path)
        if part == 0:
            described = render("features/described").text
            rows = render("features/increment/all_rows", table=table).text
            columns = apart.rows(Statement(described.replace("__model__", rows)))
            types = {row["column_name"]: row["column_type"] for row in columns}
            if "customer_id" not in types:
                raise MustBuildAllError(f"{model.name} has no column customer_id")
            lost = sorted({kind for kind in types.values() if kind.partition("(")[0] not in _KEPT_TYPES})
            if lost:
                raise MustBuildAllError(f"{model.name} has columns of {', '.join(lost)}, which Parquet does not keep")
        others = {"computed": table, "count": self._count, "part": part}
        if apart.row(render("features/parts_of_customers/others", **others))["other_rows"]:
            raise MustBuildAllError(f"{model.name} makes rows of other customers")

    def _made(self, model: Model) -> Path:
        return self._scratch / "made" / ".".join(model.path)

    def _whole(self, table: tuple[str, str]) -> Path:
        return self._scratch / f"{'.'.join(table)}.parquet"


def _views_read_by(readers: Sequence[Model], models: Sequence[Model]) -> list[Model]:
    """The views that models read, directly or through other views, in order."""
    needed = {key for model in readers for key in model.reads}
    for model in reversed(models):
        if model.is_view and model.unique_id in needed:
            needed |= set(model.reads)
    return [model for model in models if model.is_view and model.unique_id in needed]


def _rows_of(files: Sequence[Path]) -> Statement:
    return render("features/parts_of_customers/rows", files=[str(path) for path in files])


def _read(apart: Database, table: tuple[str, str], files: Sequence[Path]) -> None:
    created = render("features/increment/create_temporary", path=temporary(table), is_view=False)
    rows = _rows_of(files)
    apart.execute(Statement(created.text.replace("__model__", rows.text), rows.parameters))
