"""A shop: a folder of order files and the warehouse they are loaded into."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

from datetime import datetime
from pathlib import Path

import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.raw.files import collect_files
from tdml_assets.stages.raw.tables import load_table

NOW = datetime(2026, 11, 22, 12)
COLUMNS = {"order_id": "order", "customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price"}
DECLARED = {
    "path": "*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "GBP",
    "columns": COLUMNS,
}


class Shop:
    """A folder of files and a warehouse they are loaded into."""

    NOW = NOW

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = Warehouse(
            database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), wait_seconds=1
        )

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def load(self, table="orders", *, session_id="s1", now=NOW, declared=None, bad_row_limit=0.2, **changes):
        declaration = Sources.model_validate({table: {**(declared or DECLARED), **changes}}).declared(table)
        found = collect_files(
            table, declaration, base_folder=self.folder, cache_folder=self.folder / "cache", s3_client=lambda: None
        )
        with self.warehouse.write() as database:
            return load_table(
                database, table, declaration, found, session_id=session_id, now=now, bad_row_limit=bad_row_limit
            )

    def rows(self, text: str):
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def column(self, text: str):
        return [next(iter(row.values())) for row in self.rows(text)]


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)
