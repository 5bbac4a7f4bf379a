"""New files are added to a table that is still what its files made of it, and the table is what a whole load would make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdml_assets.stages.raw import tables
from tests.stages.raw.conftest import DECLARED, Shop

HEADER = "order,line,who,when,n,price,state\n"
MONDAY = HEADER + (
    "A,1,7,2024-03-01 10:00:00,1,5,complete\n"
    "A,2,7,2024-03-01 10:00:00,2,9,complete\n"
    "B,1,8,2024-03-01 11:00:00,1,1,cancelled\n"
    "C,1,,2024-03-01 12:00:00,1,1,complete\n"
)
TUESDAY = (
    HEADER + "D,1,7,2024-03-02 10:00:00,1,5,complete\nE,1,9,2024-03-02 10:00:00,-1,4,returned\nF,1,,x,1,1,cancelled\n"
)
KEY = {"line_key": ["order_id", "line"]}
STATES = {"columns": {**DECLARED["columns"], "order_status": "state"}}
TABLES = {
    "raw.orders": "*",
    "raw.rejected_rows": "* exclude (session_id)",
    "raw.order_statuses": "*",
    "raw.loads": "* exclude (session_id, committed_at, written_at)",
}


def loaded(shop: Shop) -> dict[str, list[str]]:
    """Every cell of every table, whatever the order of the rows."""
    return {table: sorted(map(repr, shop.rows(f"select {columns} from {table}"))) for table, columns in TABLES.items()}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read."""
    names: list[str] = []
    original = tables.read_layout

    def noted(database, declaration, file, **more):
        names.append(file.name)
        return original(database, declaration, file, **more)

    monkeypatch.setattr(tables, "read_layout", noted)
    return names


def whole(folder: Path, files: dict[str, str], **changes) -> dict[str, list[str]]:
    folder.mkdir()
    shop = Shop(folder)
    for name, content in files.items():
        shop.write(name, content)
    shop.load(**changes)
    return loaded(shop)


@pytest.mark.parametrize("changes", [{}, STATES, KEY | STATES], ids=["no key", "statuses", "key and statuses"])
def test_a_new_file_is_read_alone_and_the_tables_are_those_of_a_whole_load(
    shop: Shop, read: list[str], tmp_path: Path, changes: dict
) -> None:
    shop.write("a.csv", MONDAY)
    shop.load(**changes)
    shop.write("b.csv", TUESDAY)
    read.clear()
    report = shop.load(session_id="s2", **changes)
    assert read == ["b.csv"]
    assert (report.rows_read, report.is_unchanged) == (7, False)
    assert loaded(shop) == whole(tmp_path / "whole", {"a.csv": MONDAY, "b.csv": TUESDAY}, **changes)
    read.clear()
    assert shop.load(session_id="s3", **changes).is_unchanged
    assert read == []


_OTHER = "order,line,who,when,n,price,state,more\n"


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        ({"b.csv": HEADER + "A,2,7,2024-03-02 10:00:00,3,9,complete\n"}, KEY | STATES),
        ({"b.csv": HEADER + "A,3,7,2024-03-02 10:00:00,3,9,complete\n"}, KEY | STATES),
        ({"b.csv": HEADER + "D,1,7,2024-03-02 10:00:00,3,9,complete\nD,1,7,2024-03-02 10:00:00,4,9,complete\n"}, KEY),
        ({"b.csv": HEADER + ",1,7,2024-03-02 10:00:00,3,9,complete\n"}, KEY),
        ({"0.csv": TUESDAY + "B,1,8,2024-03-02 10:00:00,1,1,complete\n"}, KEY | STATES),
        ({"b.csv": _OTHER + "D,1,7,2024-03-02 10:00:00,3,9,complete,x\n"}, {}),
        ({"a.csv": MONDAY + "D,1,7,2024-03-02 10:00:00,3,9,complete\n", "b.csv": TUESDAY}, KEY),
        ({"b.csv": TUESDAY}, {"line_key": ["who", "when"]}),
        ({"b.csv": TUESDAY}, {"amount_level": "order", "columns": {**STATES["columns"], "amount": "price"}}),
    ],
    ids=[
        "a line again",
        "a further line of an order",
        "a key twice in the new file",
        "no order id",
        "a file before the others",
        "another header",
        "a changed file",
        "a key without the order",
        "totals of orders",
    ],
)
def test_where_rows_of_other_files_matter_everything_is_read(
    shop: Shop, read: list[str], tmp_path: Path, files: dict[str, str], changes: dict
) -> None:
    shop.write("a.csv", MONDAY)
    shop.load(**changes)
    for name, content in files.items():
        shop.write(name, content)
    read.clear()
    shop.load(session_id="s2", **changes)
    assert "a.csv" in read
    assert loaded(shop) == whole(tmp_path / "whole", {"a.csv": MONDAY} | files, **changes)


def test_a_line_that_counted_as_nothing_comes_again_in_a_later_file(
    shop: Shop, read: list[str], tmp_path: Path
) -> None:
    again = HEADER + "B,1,8,2024-03-02 10:00:00,1,1,complete\n"
    for name, content in (("a.csv", MONDAY), ("b.csv", again)):
        shop.write(name, content)
        read.clear()
        shop.load(**KEY | STATES)
    assert read == ["b.csv"]
    assert loaded(shop) == whole(tmp_path / "whole", {"a.csv": MONDAY, "b.csv": again}, **KEY | STATES)


def test_a_removed_file_takes_its_rows_with_it(shop: Shop, read: list[str], tmp_path: Path) -> None:
    for name, content in (("a.csv", MONDAY), ("b.csv", TUESDAY)):
        shop.write(name, content)
    shop.load()
    (shop.folder / "a.csv").unlink()
    shop.write("c.csv", HEADER + "Z,1,7,2024-03-03 10:00:00,1,5,complete\n")
    shop.load(session_id="s2")
    assert "b.csv" in read
    files = {"b.csv": TUESDAY, "c.csv": (shop.folder / "c.csv").read_text(encoding="utf-8")}
    assert loaded(shop) == whole(tmp_path / "whole", files)
