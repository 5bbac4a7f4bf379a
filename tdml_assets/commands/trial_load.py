"""The declared sources loaded into a warehouse that is thrown away: what would be accepted, and what it would add up to.

Elsewhere: loading itself (``stages/raw/tables.py``), what follows (``preflight.py``).
"""

from __future__ import annotations

import csv
import io
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tdml_assets.commands.check_facts import read_books
from tdml_assets.commands.check_permissions import read_permissions
from tdml_assets.commands.check_signs import OwnCurrency, read_own_currencies
from tdml_assets.commands.outlooks import read_outlook
from tdml_assets.commands.preflight import OrderFacts, SourceFacts, Trial
from tdml_assets.declaration.sources import OrdersSource, PermissionSource, Source, Sources
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.data_quality.quality_report import judge
from tdml_assets.stages.data_quality.session import measure_session
from tdml_assets.stages.raw.contracts import LOADS, ORDERS, TABLES
from tdml_assets.stages.raw.files import FoundFiles, SourceFile, collect_files, hashed, local_files, written_at
from tdml_assets.stages.raw.fingerprint import fingerprint
from tdml_assets.stages.raw.latest_day import read_latest_day
from tdml_assets.stages.raw.load_report import LoadReport
from tdml_assets.stages.raw.permission_lists import declared_lists, load_list
from tdml_assets.stages.raw.rules import declaration_sha256
from tdml_assets.stages.raw.tables import load_table
from tdml_assets.stages.raw.text import LONGEST_LINE, open_bytes

if TYPE_CHECKING:
    from tdml_assets.settings import Settings

#: Bytes of a source up to which every row is looked at before a run; loading them takes a second or two.
WHOLE_BYTES = 20_000_000
_HEAD_ROWS = 10_000
_HEAD_FILES = 3
#: Beyond what the loader takes, which then says so; and little enough to be held.
_LONGEST_LINE = 2 * max(LONGEST_LINE.values())


class _LineTooLongError(ValueError):
    """A line has no end in sight."""


def try_sources(
    settings: Settings,
    *,
    whole: bool,
    s3_client: Callable[[], Any] | None = None,
    specs: Sequence[WorkflowSpec] = (),
) -> Trial:
    """Load every declared source with the real loader, and forget it.

    Raises ``SourceError`` if a source cannot be loaded as declared. ``whole``: read every row of every source, remote ones too;
    else local files alone, of large ones the first rows. ``s3_client``: makes the S3 client; needed with ``whole``. ``specs``:
    workflows whose outlook is read.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    sources = settings.effective_sources
    as_of = settings.as_of if isinstance(settings.as_of, date) else None
    with tempfile.TemporaryDirectory(prefix="tdml-trial-") as scratch:
        folder = Path(scratch)
        warehouse = Warehouse(
            database=str(folder / "trial.duckdb"),
            temp_directory=str(folder / "spill"),
            memory_limit_gb=settings.warehouse.memory_limit_gb,
            max_temp_gb=settings.warehouse.max_temp_gb,
        )
        with warehouse.write() as database:
            facts: list[SourceFacts] = []
            own_currencies: tuple[OwnCurrency, ...] = ()
            lists = declared_lists(settings.sources)
            declarations = {table: sources.declared(table) for table in TABLES} | lists
            for table, declaration in declarations.items():
                found, is_whole = FoundFiles((), ()), True
                if declaration is not None and whole:
                    found = collect_files(
                        table,
                        declaration,
                        base_folder=settings.base_folder,
                        cache_folder=folder / "fetched",
                        s3_client=s3_client or dict,
                    )
                elif declaration is not None:
                    found, is_whole = _first_look(table, declaration, settings.base_folder, folder / table)
                load: Callable[..., LoadReport] = partial(load_table, as_of=as_of)
                if isinstance(declaration, PermissionSource) and found.files:
                    load = load_list
                report = load(
                    database,
                    table,
                    declaration if found.files else None,
                    found,
                    session_id="trial",
                    now=now,
                    scratch_folder=folder,
                    bad_row_limit=settings.quality.unreadable_limit,
                )
                if isinstance(declaration, OrdersSource) and found.files:
                    names = [file.name for file in found.files]
                    own_currencies = read_own_currencies(database, declaration, names)
                if declaration is not None:
                    count = len(found.files)
                    facts.append(
                        SourceFacts(
                            table,
                            count,
                            report.rows_read,
                            report.rows_accepted,
                            report.reasons,
                            is_whole,
                            report.grouped_keys,
                            report.files_without_rows,
                        )
                    )
            trial = _judged(database, settings, sources, tuple(facts), own_currencies)
            permissions = read_permissions(database, list(lists), settings.destinations.asking)
            trial = replace(trial, permissions=permissions)
            first_on = trial.orders.first_on
            if trial.as_of is None or first_on is None or trial.as_of < first_on:
                return trial
            is_named = settings.workflows is not None
            outlooks = tuple(
                read_outlook(database, spec, trial.orders, trial.as_of, is_named=is_named) for spec in specs
            )
            return replace(trial, outlooks=outlooks)


def _judged(
    database: Database,
    settings: Settings,
    sources: Sources,
    facts: tuple[SourceFacts, ...],
    own_currencies: tuple[OwnCurrency, ...],
) -> Trial:
    months = database.rows(render("check/months", orders=ORDERS.path))
    orders = OrderFacts(
        **database.row(render("check/orders", orders=ORDERS.path)),
        months=tuple((row["month"], row["net_revenue"]) for row in months),
    )
    latest = read_latest_day(database)
    day = settings.as_of if isinstance(settings.as_of, date) else latest.day if latest is not None else None
    today = datetime.now(UTC).date()
    measured = measure_session(
        database,
        day or today,  # without orders, rows that could not be read are still shown
        fingerprint(database),
        settings.quality,
        sources,
        follows_latest=settings.as_of == "latest",
        today=today,
    )
    return Trial(
        facts, orders, day, judge(measured, None, settings.quality), read_books(database, sources, own_currencies)
    )


def is_declared_as_before(database: Database, sources: Sources) -> bool:
    """Whether every source was loaded before by the declaration it has now: then the loader can read it."""
    if not database.has_table(LOADS.path):
        return False
    for table in TABLES:
        declaration = sources.declared(table)
        loads = database.rows(render("raw/loads_of_source", loads=LOADS.path, source=table))
        declared = {declaration_sha256(table, declaration)} if declaration is not None else set()
        if {load["declaration_sha256"] for load in loads} != declared:
            return False
    return True


def _first_look(table: str, declaration: Source, base_folder: Path, folder: Path) -> tuple[FoundFiles, bool]:
    """Local files of a source, whole if they are small, else the first rows of the first few and the last."""
    paths = local_files(table, declaration, base_folder)
    is_whole = len(paths) > 0 and all("://" not in location for location in declaration.path)
    if sum(path.stat().st_size for _, path in paths) <= WHOLE_BYTES:
        files: dict[str, SourceFile] = {}
        for name, path in paths:
            # Of equal files the first counts, as in the load itself.
            file = hashed(name, path)
            files.setdefault(file.sha256, file)
        return FoundFiles(tuple(files.values()), ()), is_whole
    folder.mkdir()
    chosen = [*paths[: _HEAD_FILES - 1], *paths[-1:]] if len(paths) > _HEAD_FILES else paths
    heads = []
    for place, (name, path) in enumerate(chosen):
        file = SourceFile(name, path, f"{place:064}", path.stat().st_size, written_at=written_at(name, path))
        head = _head(declaration, file, folder / f"{place}{''.join(path.suffixes[-2:])}")
        heads.append(replace(file, path=head, size_bytes=head.stat().st_size))
    return FoundFiles(tuple(heads), ()), False


def _head(declaration: Source, file: SourceFile, target: Path) -> Path:
    """Write the first rows of a file into ``target``; the file itself where it is not what it is declared to be."""
    if file.size_bytes <= WHOLE_BYTES // 100:
        return file.path
    try:
        if declaration.format == "parquet":
            parquet = pq.ParquetFile(file.path)
            first = next(parquet.iter_batches(_HEAD_ROWS), None)
            if first is None:
                return file.path
            pq.write_table(pa.Table.from_batches([first]), target)
            return target
        return _text_head(declaration, file, target)
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeError, csv.Error, _LineTooLongError):
        return file.path  # the loader names the fault


def _text_head(declaration: Source, file: SourceFile, target: Path) -> Path:
    options = declaration.csv
    encoding = options.encoding if declaration.format == "csv" else "utf-8"
    lines: list[str] = []

    def kept(text: io.TextIOWrapper) -> Any:
        while line := text.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise _LineTooLongError
            lines.append(line)
            yield line.replace("\x00", "")

    with io.TextIOWrapper(open_bytes(file), encoding=encoding, newline="") as text:
        if declaration.format == "csv" and options.quote:
            # A quoted field may hold line ends: records are counted, and the lines they take kept.
            reader = csv.reader(kept(text), delimiter=options.delimiter, quotechar=options.quote)
            for _ in islice(reader, _HEAD_ROWS):
                pass
        else:
            for _ in islice(kept(text), _HEAD_ROWS):
                pass
    plain = target.with_name(target.name.removesuffix(".gz"))
    with plain.open("w", encoding=encoding, newline="") as stream:
        stream.writelines(lines)
    return plain
