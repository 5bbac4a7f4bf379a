"""Rows of large files are staged in the warehouse instead of a temporary table: the tables are the same, and nothing is left."""

from __future__ import annotations

import pytest

from tdml_assets.stages.raw import reading
from tdml_assets.stages.raw.reading import forget_staged
from tests.stages.raw.test_line_keys import KEY, orders

CARRIED = {**{name: value for name, value in KEY.items() if name != "line_key"}, "carry": ["customer_id", "ordered_at"]}
TABLES = ("orders", "rejected_rows", "order_statuses")


def tables(shop):
    return {name: sorted(map(repr, shop.rows(f"from raw.{name}"))) for name in TABLES}


@pytest.mark.parametrize("declared", [KEY, CARRIED], ids=["line keys", "rows of orders together"])
def test_every_cell_is_that_of_a_small_load(shop, monkeypatch, declared):
    shop.write("a.csv", orders(0, 40, "o50,c1,2024-03-01,tea,9\no50,,,tea,7\no51,c1,never,tea,1\n"))
    shop.write("b.csv", orders(20, 60))
    shop.load(**declared)
    expected = tables(shop)
    assert expected["orders"]
    assert expected["rejected_rows"]
    # Another declaration, so that the files are read again.
    shop.load(**{**declared, "currency": "EUR"})
    monkeypatch.setattr(reading, "LARGE_BYTES", -1)
    shop.load(**declared)
    staged = "select table_name from duckdb_tables() where table_name in ('staged_rows', 'order_rows')"
    assert "staged_rows" in shop.column(staged)
    assert tables(shop) == expected
    with shop.warehouse.write() as database:
        forget_staged(database)
    assert shop.column(staged) == []
