"""A build in parts: the models are run on some customers after others, so that its memory does not grow with the history.

Elsewhere: when a build is made in this way (``dbt_build.py``), which models allow it
(``dbt_project/models/features/intermediate.yml``).

DuckDB writes what a join or a group does not hold to disk, but not all of it: from some ten million customers on, whole statements
end for want of memory. So the rows that the models read are written to one file per part, all rows of a customer to the same one,
and the statements run part by part on temporary tables, as they do for changed customers (``increment.py``).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.dbt_project import Model
from tdml_assets.stages.features.increment import Reading
from tdml_assets.stages.features.model_tables import MustBuildAllError, check_contract, statement_on, temporary

#: Rows of customers beyond which a build is made in parts, and of one part: with its temporary tables a part of so many takes a
#: gigabyte.
MOST_ROWS_AT_ONCE = 15_000_000
ROWS_OF_A_PART = 4_000_000

_FOLDER = "features-in-parts"


class Parts:
    """A build whose models are computed for some customers after others.

    ``first``: models that are built whole before it, in order. ``models``: those of the parts. ``last``: those after it.
    """

    def __init__(self, database: Database, models: Sequence[Model], reading: Reading) -> None:
        """Divide the models.

        Raises ``MustBuildAllError`` if a model of the parts reads something that cannot be divided by customer. ``database``: open
        for writing. ``models``: all of the build, in order. ``reading``: what they read.
        """
        self._database, self._sources = database, reading.customers
        self._catalog = str(database.row(render("warehouse/current"))["name"])
        self._count = -(-reading.rows // ROWS_OF_A_PART)
        self._views = [model for model in models if model.is_view]
        self.models = [model for model in models if model.in_parts]
        behind = {model.unique_id for model in self.models}
        for model in models:
            if behind.intersection(model.reads):
                behind.add(model.unique_id)
        self.first = [model for model in models if model.unique_id not in behind]
        self.last = [model for model in models if model.unique_id in behind and not model.in_parts]
        moved = {*self._sources, *(model.path for model in (*self._views, *self.models))}
        whole = {*reading.others, *(model.path for model in self.first if not model.is_view)}
        self._statements = {
            model.unique_id: statement_on(model, self._catalog, moved, whole) for model in (*self._views, *self.models)
        }
        self._computed: dict[str, Model] | None = None
        self._seconds: dict[str, float] = {}

    def put(self, model: Model, spoilt: Collection[str]) -> float:
        """Put the rows of all parts in place of a model's table. Returns the seconds that its statements took.

        The first call computes the models. ``spoilt``: those that failed a test: what reads them is not computed. Raises
        ``MustBuildAllError`` if a statement makes rows of other customers.
        """
        if self._computed is None:
            self._computed = self._computable(spoilt)
            self._compute_all(list(self._computed.values()))
        del self._computed[model.unique_id]
        self._database.execute(render("warehouse/drop_table", table=model.path))
        renamed = {"table": _computed(model.path), "name": model.name}
        self._database.execute(render("features/parts_of_customers/rename", **renamed))
        return self._seconds[model.unique_id]

    def end(self) -> None:
        """Drop what was computed and not put in place."""
        for model in (self._computed or {}).values():
            self._database.execute(render("warehouse/drop_table", table=_computed(model.path)))

    def _computable(self, spoilt: Collection[str]) -> dict[str, Model]:
        behind, found = set(spoilt), {}
        for model in self.models:
            if behind.intersection(model.reads):
                behind.add(model.unique_id)
            else:
                found[model.unique_id] = model
        return found

    def _compute_all(self, models: Sequence[Model]) -> None:
        scratch = Path(self._database.row(render("features/parts_of_customers/scratch_folder"))["folder"], _FOLDER)
        with ExitStack() as opened:
            # A killed process may have left one; only one process at a time writes to a warehouse.
            shutil.rmtree(scratch, ignore_errors=True)
            opened.callback(shutil.rmtree, scratch, ignore_errors=True)
            for schema in {model.schema for model in models}:
                self._database.execute(render("warehouse/create_schema", schema=schema))
            for place, source in enumerate(self._sources):
                folder = scratch / str(place)
                folder.mkdir(parents=True)
                written = {"source": source, "count": self._count, "folder": str(folder)}
                self._database.execute(render("features/parts_of_customers/write", **written))
            for part in range(self._count):
                self._compute(part, scratch, models)

    def _compute(self, part: int, scratch: Path, models: Sequence[Model]) -> None:
        database = self._database
        for place, source in enumerate(self._sources):
            files = sorted(str(path) for path in (scratch / str(place)).glob(f"part={part}/*.parquet"))
            name = "features/parts_of_customers/rows" if files else "features/parts_of_customers/no_rows"
            database.execute(render(name, target=temporary(source), source=source, files=files))
            for path in files:
                Path(path).unlink()
        for model in (*self._views, *models):
            started, text, target = time.monotonic(), self._statements[model.unique_id], temporary(model.path)
            if part == 0 and model.contract is not None:
                check_contract(database, replace(model, sql=text), model.contract)
            created = render("features/increment/create_temporary", path=target, is_view=model.is_view)
            database.execute(Statement(created.text.replace("__model__", text)))
            if not model.is_view:
                self._require_own_rows(model, target, part)
                self._add(model, target, is_first=part == 0)
            seconds = self._seconds.get(model.unique_id, 0.0) + time.monotonic() - started
            self._seconds[model.unique_id] = seconds
        for model in reversed((*self._views, *models)):
            database.execute(render("features/drop", path=temporary(model.path), is_view=model.is_view))
        for source in self._sources:
            database.execute(render("features/drop", path=temporary(source), is_view=False))

    def _require_own_rows(self, model: Model, computed: tuple[str, ...], part: int) -> None:
        """Refuse rows of other customers: the statement reads tables by names that were not found in it."""
        if part == 0:
            described = render("features/described").text.replace(
                "__model__", render("features/increment/all_rows", table=computed).text
            )
            if "customer_id" not in {row["column_name"] for row in self._database.rows(Statement(described))}:
                raise MustBuildAllError(f"{model.name} has no column customer_id")
        others = {"computed": computed, "count": self._count, "part": part}
        if self._database.row(render("features/parts_of_customers/others", **others))["other_rows"]:
            raise MustBuildAllError(f"{model.name} makes rows of other customers")

    def _add(self, model: Model, part: tuple[str, ...], *, is_first: bool) -> None:
        target = _computed(model.path)
        if is_first and model.contract is not None:
            contract: TableContract = replace(model.contract, name=target[1])
            self._database.execute(render("warehouse/create_table", contract=contract, replace=True))
        elif is_first:
            self._database.execute(render("features/parts_of_customers/begin", target=target, part=part))
        self._database.execute(render("features/parts_of_customers/add", target=target, part=part))


def _computed(path: tuple[str, str]) -> tuple[str, str]:
    """Name of the table of a model until it is put in place."""
    return (path[0], f"{path[1]}__computed")
