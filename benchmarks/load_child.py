"""One load of ``orders.csv`` with the checkout on PYTHONPATH, or a plain read of it by DuckDB: run as a process of its own.

    python load_child.py tree|duckdb FOLDER STATE

Belongs here: the load, of this checkout and of older ones with their module names. Does not: measuring (``load.py``).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

_MEMORY_GB, _THREADS = 2.0, 2
COLUMNS = {
    "customer_id": "customer",
    "ordered_at": "created",
    "order_id": "order_no",
    "product_id": "sku",
    "product_category": "category",
    "quantity": "qty",
    "unit_price": "price",
    "order_status": "status",
}
_DECLARED = {
    "path": "orders.csv",
    "format": "csv",
    "timezone": "UTC",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "EUR",
    "columns": COLUMNS,
}
#: What a script without a loader would do: cast, and keep what can be cast.
_PLAIN = """
create table orders as
select
    nullif(trim(customer), '') as customer_id,
    try_strptime(created, '%Y-%m-%d %H:%M:%S') as ordered_at,
    order_no as order_id,
    sku as product_id,
    category as product_category,
    try_cast(qty as decimal(18, 4)) as quantity,
    try_cast(price as decimal(18, 4)) as unit_price,
    cast(try_cast(qty as decimal(18, 4)) * try_cast(price as decimal(18, 4)) as decimal(18, 4)) as amount,
    status as order_status,
    cast(try_strptime(created, '%Y-%m-%d %H:%M:%S') as date) as ordered_on
from read_csv(?, header = true, all_varchar = true, strict_mode = true)
where ordered_at is not null and customer_id is not null
"""


def _module(*names: str) -> Any:
    """The first of these modules that the checkout has."""
    for name in names:
        if importlib.util.find_spec(name.rpartition(".")[0]) and importlib.util.find_spec(name):
            return importlib.import_module(name)
    raise SystemExit(f"the checkout has none of {', '.join(names)}")


def load_by_tree(folder: Path, state: Path) -> int:
    """Load the file with the checkout; rows accepted."""
    declared = _module("tdml_assets.declaration.sources", "tdml_assets.core.sources")
    files = _module("tdml_assets.stages.raw.files", "tdml_assets.resources.source_files")
    tables = _module("tdml_assets.stages.raw.tables", "tdml_assets.resources.raw_tables")
    platform = _module("tdml_assets.platform.warehouse", "tdml_assets.resources.warehouse")
    declaration = declared.Sources.model_validate({"orders": _DECLARED}).orders
    warehouse = platform.Warehouse(
        database=str(state / "warehouse.duckdb"),
        temp_directory=str(state / "spill"),
        memory_limit_gb=_MEMORY_GB,
        threads=_THREADS,
    )
    found = files.collect_files("orders", declaration, base_folder=folder, cache_folder=state, s3_client=dict)
    now = datetime(2030, 1, 1)  # noqa: DTZ001 - naive UTC, behind every row
    with warehouse.write() as database:
        report = tables.load_table(database, "orders", declaration, found, session_id="bench", now=now)
    return int(report.rows_accepted)


def load_by_duckdb(folder: Path, state: Path) -> int:
    """Read and cast the file with DuckDB alone; rows."""
    config = {"memory_limit": f"{_MEMORY_GB}GB", "threads": _THREADS, "temp_directory": str(state / "spill")}
    with duckdb.connect(str(state / "plain.duckdb"), config=config) as connection:
        connection.execute(_PLAIN, [str(folder / "orders.csv")])
        found = connection.execute("select count(*) from orders").fetchone()
    return int(found[0]) if found else 0


if __name__ == "__main__":
    kind, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    rows = load_by_tree(source, target) if kind == "tree" else load_by_duckdb(source, target)
    sys.stdout.write(f"{rows}\n")
