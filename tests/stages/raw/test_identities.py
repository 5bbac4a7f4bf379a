"""Old ids belong to persons: accounts that were merged, and ids of another system."""

from datetime import date

import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.stages.raw.files import collect_files
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.tables import load_table

ORDERS = {
    "path": "a.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "who", "ordered_at": "when", "amount": "total"},
}
COLUMNS = {"old_id": "old", "person": "new"}


@pytest.fixture
def load(shop):
    def load(table="orders", *, orders=(), **identities):
        people = {"path": "p.csv", "format": "csv", "columns": {"customer_id": "who"}}
        declared = {"path": "ids.csv", "format": "csv", "columns": COLUMNS} | identities
        sources = Sources.model_validate({"orders": ORDERS | dict(orders), "customers": people, "identities": declared})
        source = sources.declared(table)
        places = {"base_folder": shop.folder, "cache_folder": shop.folder / "cache", "s3_client": lambda: None}
        with shop.warehouse.write() as database:
            return load_table(
                database, table, source, collect_files(table, source, **places), session_id="s", now=shop.NOW
            )

    shop.write("a.csv", "who,when,total\nA,2024-01-01,1\nA,2024-06-01,2\nB,2024-01-01,4\nC,2024-01-01,8\n")
    shop.write("p.csv", "who,city\nA,Oslo\nB,Bergen\nC,Moss\n")
    return load


def people(shop):
    rows = shop.rows("select customer_id, sum(amount)::integer as total from raw.orders group by 1 order by 1")
    return {row["customer_id"]: row["total"] for row in rows}


def test_merged_accounts_are_one_person_however_many_steps_it_takes(shop, load):
    shop.write("ids.csv", "old,new\nA,B\nB,C\nX,Y\n")
    assert load().reasons == {}
    assert people(shop) == {"C": 15}
    load("customers")
    assert shop.rows("select customer_id, city from raw.customers") == [{"customer_id": "C", "city": "Moss"}]


def test_an_id_belongs_to_whom_it_belonged_at_the_time_of_the_order(shop, load):
    shop.write("ids.csv", "old,new,since\nA,B,2024-03-01\nC,D,\nC,E,2023-01-01\n")
    columns = {**COLUMNS, "valid_from": "since"}
    load(columns=columns, timestamp_format="%Y-%m-%d")
    assert people(shop) == {"A": 1, "B": 6, "E": 8}
    assert shop.column("select ordered_on from raw.orders where customer_id = 'A'") == [date(2024, 1, 1)]


def test_old_ids_are_normalised_as_the_ids_of_the_sources_are(shop, load):
    shop.write("ids.csv", "old,new\na ,b\n")
    rule = {"column": "who", "normalise": ["trim", "casefold"]}
    load(orders={"columns": {**ORDERS["columns"], "customer_id": rule}})
    assert people(shop) == {"b": 7, "c": 8}


def test_a_changed_table_of_ids_loads_the_orders_again(shop, load):
    shop.write("ids.csv", "old,new\nA,B\n")
    load()
    assert load().is_unchanged
    shop.write("ids.csv", "old,new\nA,C\n")
    assert not load().is_unchanged
    assert people(shop) == {"B": 4, "C": 11}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("A,B\nB,A\n", "ids lead in a circle"),
        ("A,B\n,C\nD,\n", "2 of 3 rows have no old id, no person or no readable time, the first is row 2 of ids.csv"),
    ],
)
def test_a_table_of_ids_that_cannot_be_used_is_refused(shop, load, rows, said):
    shop.write("ids.csv", "old,new\n" + rows)
    with pytest.raises(SourceError, match=said):
        load()


@pytest.mark.parametrize(
    ("name", "content", "reasons"),
    [
        (
            "ids.csv",
            "old,new,since\nA,B,\nB,C,2023-01-01\n,C,\nD,E\nF,G,H,I\nX,Y,soon\n",
            ["bad_timestamp", "long_row", "missing_customer", "short_row"],
        ),
        (
            "ids.json",
            '{"old": "A", "new": "B"}\n{"old": "B", "new": "C"}\n{"old": {"id": 1}, "new": "C"}\n{"old": "Z"}\n',
            ["missing_customer", "nested_value"],
        ),
    ],
)
def test_rows_of_ids_that_cannot_be_used_are_set_aside_with_their_content(shop, load, name, content, reasons):
    is_json = name.endswith("json")
    fillers = [
        f'{{"old": "o{n}", "new": "n{n}"}}\n' if is_json else f"o{n},n{n},\n" for n in range(1001 if is_json else 20)
    ]
    # Objects among the first thousand rows mean that the declaration is wrong, and refuse the file.
    shop.write(name, "".join([*fillers, content] if is_json else [content, *fillers]))
    declared = {"path": name, "format": name.rpartition(".")[2], "columns": {**COLUMNS, "valid_from": "since"}}
    if is_json:
        declared["columns"] = COLUMNS
    report = load(**declared, timestamp_format="%Y-%m-%d")
    assert report.reasons == {}, "rows of the orders are all used"
    assert people(shop) == {"C": 15}
    found = shop.rows("select reason, content from raw.rejected_rows where source = 'identities' order by reason")
    assert [row["reason"] for row in found] == reasons
    assert all(len(row["content"]) > 5 for row in found)
    load("customers", **declared, timestamp_format="%Y-%m-%d")
    assert len(shop.column("select 1 from raw.rejected_rows where source = 'identities'")) == len(reasons)
