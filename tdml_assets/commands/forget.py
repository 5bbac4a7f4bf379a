"""The command ``forget``: one customer's rows out of every table, for good.

Belongs here: the command, and which tables and files hold a customer. Does not: keeping them out of later loads
(``stages/raw/forgotten.py``).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import PERSON_NEEDED, EmptyStateError, UnknownNameError, expected_errors, read_settings

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database, Warehouse
    from tdml_assets.settings import Settings

_ENDINGS = {".csv", ".json", ".jsonl", ".txt", ".parquet"}


def forget(customer: Annotated[str, typer.Argument(help="Id of the customer.")]) -> None:
    """Delete a customer from every table, and keep them out of every later load.

    \b
    tdml-assets forget 0000000019

    \b
    The warehouse's file is written anew, so that it holds no byte of the id. The next run computes everything without them and
    publishes new files. Destinations that were sent the customer are told to delete them; one that cannot be reached is told by
    the next sync.
    Exit codes: 0 forgotten, in no file and at no destination; 3 forgotten, and what it names still holds them; 2 no such
    customer.
    """
    settings = read_settings()
    with expected_errors():
        from tdml_assets.platform.compaction import compact
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.platform.run_lock import hold_state

        if not settings.warehouse_path.exists():
            raise EmptyStateError(f"no orders are loaded in {settings.home}: tdml-assets run")
        warehouse = build_warehouse(settings)
        with hold_state(settings.home / "run.lock", "forget", 0.0):
            with warehouse.write() as database:
                tables = forget_customer(database, customer, now=datetime.now(UTC).replace(tzinfo=None))
            typer.echo(f"forgotten: deleted from {len(tables)} tables; later loads leave them out")
            learnt = [name.partition(".")[0] for name in tables if name.endswith(".training_table")]
            if learnt:
                typer.echo(f"models that learnt from them: {', '.join(learnt)}; tdml-assets run trains without them")
            left = _erase_at_destinations(settings, warehouse, customer)
            # Deleted rows stay in the file's free blocks.
            compact(settings.warehouse_path)
    drop_query_results(settings.home / "cache")
    held = files_with(customer, [settings.home / name for name in ("exports", "reports", "cache")])
    for path in held:
        typer.echo(f"{path} still holds them: delete it; the next run makes it anew", err=True)
    typer.echo("next: tdml-assets run; take them out of the source's files too, which no run changes")
    if held or left:
        raise typer.Exit(PERSON_NEEDED)


def _erase_at_destinations(settings: Settings, warehouse: Warehouse, customer: str) -> bool:
    """Delete the customer at every destination that was sent them. Gives whether one still holds them."""
    from tdml_assets.activation.contracts import SYNC_STATE
    from tdml_assets.activation.erasure import erase
    from tdml_assets.activation.syncing import Surroundings
    from tdml_assets.platform.resources import s3_client

    with warehouse.read() as database:
        if not database.has_table(SYNC_STATE.path):
            return False
    around = Surroundings(settings.home / "scratch", s3_client=lambda: s3_client(settings))
    done = erase(warehouse, settings.destinations.others, customer, around)
    for one in done:
        words = "deleted" if one.is_done else f"still holds them: {one.words}"
        typer.echo(f"destination {one.destination}: {words}", err=not one.is_done)
    return not all(one.is_done for one in done)


def forget_customer(database: Database, customer: str, *, now: datetime) -> list[str]:
    """Delete a customer's rows, and list them as forgotten. Returns the tables that held them.

    Raises
    ------
    UnknownNameError
        If no table holds the customer, who is not listed either.
    """
    from tdml_assets.activation.contracts import SYNC_STATE
    from tdml_assets.platform.statements import render
    from tdml_assets.stages.raw.contracts import LOADS, REJECTED_ROWS
    from tdml_assets.stages.raw.forgotten import FORGOTTEN

    database.ensure(FORGOTTEN)
    found = []
    for row in database.rows(render("forget/tables")):
        path = (row["schema_name"], row["table_name"])
        if path == SYNC_STATE.path:
            # Which destinations hold the customer: kept until each has deleted them.
            continue
        if database.row(render("forget/count_customer", table=path, customer=customer))["row_count"]:
            database.execute(render("forget/delete_customer", table=path, customer=customer))
            found.append(".".join(path))
    known = database.row(render("forget/is_forgotten", forgotten=FORGOTTEN.path, customer=customer))["row_count"]
    if not found and not known:
        raise UnknownNameError("no table holds this customer: give the id as the files write it")
    if database.has_table(REJECTED_ROWS.path):
        quoted = json.dumps(customer, ensure_ascii=False)
        database.execute(render("forget/clear_content", rejected=REJECTED_ROWS.path, quoted=quoted))
    if not known:
        database.insert(FORGOTTEN, render("forget/remember", customer=customer, now=now))
    if database.has_table(LOADS.path):
        # The next run reads the files again, without the customer.
        database.execute(render("forget/clear_loads", loads=LOADS.path))
    return found


def drop_query_results(cache_folder: Path) -> None:
    """Delete what the last load read from databases; the next load asks them again."""
    for path in cache_folder.glob("database-*.parquet"):
        path.unlink()


def files_with(customer: str, folders: list[Path]) -> list[Path]:
    """Files below ``folders`` that hold the id, whatever else they hold; compressed columns of Parquet are read."""
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix in _ENDINGS and _holds(path, customer)
    ]


def _holds(path: Path, customer: str) -> bool:
    if path.suffix != ".parquet":
        return customer.encode() in path.read_bytes()
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        # A source's own file calls the column as it likes, and may hold ids as whole numbers.
        kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary, pa.types.is_integer)
        names = [field.name for field in file.schema_arrow if any(is_kind(field.type) for is_kind in kinds)]
        return any(
            pc.any(pc.equal(column.cast("string"), customer)).as_py()
            for batch in file.iter_batches(columns=names)
            for column in batch.columns
        )
