"""Loading deformed files one after another into one warehouse, and what came of each.

Belongs here: the verdict about one file. Does not: the files (``inputs_files.py``, ``inputs_tables.py``).
"""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks.inputs_files import Variant
from benchmarks.inputs_readers import UnreadableError, row_count
from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.raw.files import collect_files
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.tables import LoadReport, load_table

_NOW = datetime(2026, 1, 1, 12)
_GOOD = b"order,who,when,n,price,note\nA1,007,2024-03-01 10:00:00,2,1.25,\nA2,8,2024-03-02 10:00:00,1,3,\n"
_COLUMNS = {"order_id": "order", "customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price"}
_STATE = """select (select count(*) from raw.orders), (select bit_xor(hash(o)) from raw.orders as o),
(select bit_xor(hash(r)) from raw.rejected_rows as r), (select bit_xor(hash(l)) from raw.loads as l)"""


@dataclass(frozen=True)
class Outcome:
    """What came of one file.

    Parameters
    ----------
    verdict : ``loaded``, ``refused``, ``rows differ``, ``earlier table lost`` or ``other exception``.
    detail : why, for the log.
    seconds : that the load took.
    """

    variant: Variant
    verdict: str
    detail: str
    seconds: float


class _Shop:
    """A folder with one file, and the warehouse that it is loaded into."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.warehouse = Warehouse(
            database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), wait_seconds=1
        )

    def load(self, variant: Variant, file_format: str, session_id: str) -> LoadReport:
        path = self.folder / variant.name
        path.write_bytes(variant.content)
        declared: dict[str, Any] = {
            "path": variant.name,
            "format": file_format,
            "timestamp_format": "%Y-%m-%d %H:%M:%S",
            "currency": "GBP",
            "columns": _COLUMNS,
            **variant.changes,
        }
        try:
            declaration = Sources.model_validate({"orders": declared}).declared("orders")
            assert declaration is not None
            found = collect_files(
                "orders",
                declaration,
                base_folder=self.folder,
                cache_folder=self.folder / "cache",
                s3_client=lambda: None,
            )
            with self.warehouse.write() as database:
                return load_table(database, "orders", declaration, found, session_id=session_id, now=_NOW)
        finally:
            path.unlink()

    def state(self) -> tuple[Any, ...]:
        with self.warehouse.read() as database:
            return tuple(database.rows(Statement(_STATE))[0].values())

    def counts(self) -> tuple[int, int]:
        with self.warehouse.read() as database:
            found = database.rows(
                Statement("select (select count(*) from raw.orders), (select count(*) from raw.rejected_rows)")
            )
        accepted, rejected = found[0].values()
        return int(accepted), int(rejected)


def outcomes(
    folder: Path, make: Callable[[random.Random], Variant], file_format: str, variants: int, seed: str
) -> Iterator[Outcome]:
    """Load ``variants`` files, each over what the one before left.

    Parameters
    ----------
    folder : must not exist.
    make : one deformed file.
    seed : the same files for the same text.
    """
    shop = _Shop(folder)
    shop.load(Variant("good", "a.csv", _GOOD), "csv", "good")
    for number in range(variants):
        variant = make(random.Random(f"{seed} {number}"))
        # A packed file may hold any format; its name says which.
        yield _outcome(shop, variant, "json" if ".json" in variant.name else file_format, str(number))


def _outcome(shop: _Shop, variant: Variant, file_format: str, session_id: str) -> Outcome:
    before = shop.state()
    started = time.perf_counter()
    report, detail, verdict = None, "", "refused"
    try:
        report = shop.load(variant, file_format, session_id)
    except (SourceError, ValidationError) as error:
        detail = str(error)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        verdict, detail = "other exception", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - started
    if report is None:
        if shop.state() != before:
            return Outcome(variant, "earlier table lost", detail, seconds)
        return Outcome(variant, verdict, detail, seconds)
    try:
        expected: int | str = row_count(variant, file_format)
    except UnreadableError as error:
        expected = f"unreadable ({error})"
    accepted, rejected = shop.counts()
    if (report.rows_accepted, report.rows_rejected) != (accepted, rejected) or accepted + rejected != expected:
        return Outcome(variant, "rows differ", f"{accepted} + {rejected}, other reader {expected}", seconds)
    return Outcome(variant, "loaded", f"{accepted} + {rejected}", seconds)
