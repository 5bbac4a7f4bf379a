"""Who a customer is: as the files have it, or without what a declaration says makes no difference."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tdml_assets.declaration.sources import Sources

COLUMNS = {"ordered_at": "when", "amount": "total"}
DAY = {"timestamp_format": "%Y-%m-%d"}


def write(shop, *ids):
    shop.write("a.csv", "who,when,total\n" + "".join(f'"{one}",2024-03-01,1\n' for one in ids))


def load(shop, normalise=(), empty=(), column="who", **changes):
    rule = {"column": column, "normalise": list(normalise), "empty": list(empty)}
    return shop.load(**DAY, columns={**COLUMNS, "customer_id": rule}, **changes)


def ids(shop):
    return shop.column("select customer_id from raw.orders order by row_number")


def test_nothing_is_folded_unless_it_is_declared(shop):
    given = ["A@x.example", "a@x.example", "a@x.example ", " 7", "007", "7.0", "12345678901234567890"]
    write(shop, *given, "  ", "\u00a0")
    assert load(shop).reasons == {"missing_customer": 2}
    assert ids(shop) == given
    shop.load(**DAY, columns={**COLUMNS, "customer_id": "who"})
    assert ids(shop) == given, "the short form is the same"


@pytest.mark.parametrize(
    ("normalise", "given", "read"),
    [
        (["trim"], "\u2003A b\u3000\t", "A b"),
        (["casefold"], "Jörg.STRASSE@X.example", "jörg.strasse@x.example"),
        (["casefold"], "jörg.straße@x.example", "jörg.strasse@x.example"),
        (["casefold"], "ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        (["strip_zero_width"], "\ufeffa\u200bb\u2060", "ab"),
        (["strip_zero_width", "trim", "casefold"], " \u200bA ", "a"),
        (["integer"], "12345.0", "12345"),
        (["integer"], "1.2345E4", "12345"),
        (["integer"], "1.2E2", "120"),
        (["integer"], "+12345", "12345"),
        (["integer"], "007", "7"),
        (["integer"], "000", "0"),
        (["integer"], "12345678901234567890.0", "12345678901234567890"),
        (["integer"], "1.234567890123E+12", "1234567890123"),
        (["integer"], "A-7", "A-7"),
        (["integer"], "12.5", "12.5"),
    ],
)
def test_what_is_declared_to_make_no_difference_makes_none(shop, normalise, given, read):
    write(shop, given)
    load(shop, normalise)
    assert ids(shop) == [read]


def test_an_integer_that_has_lost_digits_is_set_aside_and_not_another_customer(shop):
    write(shop, "1.23457E+15", "1.23457E+12", "9.1E+15", "1.2E10")
    assert load(shop, ["integer"]).reasons == {"rounded_customer": 3}
    assert ids(shop) == ["12000000000"]


def test_numbers_as_ids_are_read_alike_whatever_wrote_them(shop):
    kept = ["12345", "7", "9007199254740991"]
    write(shop, "12345.0", "7", "9007199254740991")
    load(shop, ["integer"])
    assert ids(shop) == kept
    for values in (pa.array([12345.0, 7, 9007199254740991.0]), pa.array([12345, 7, 9007199254740991])):
        table = pa.table({"who": values, "when": ["2024-03-01"] * 3, "total": [1.0] * 3})
        pq.write_table(table, shop.folder / "a.parquet")
        load(shop, ["integer"], path="a.parquet", format="parquet")
        assert ids(shop) == kept
    lines = [json.dumps({"who": who, "when": "2024-03-01", "total": 1}) for who in (12345.0, "7.0", 9007199254740991)]
    shop.write("a.json", "\n".join(lines) + "\n")
    load(shop, ["integer"], path="a.json", format="json")
    assert ids(shop) == kept


def test_a_double_beyond_whole_numbers_is_set_aside(shop):
    table = pa.table({"who": [9007199254740992.0, 7.0], "when": ["2024-03-01"] * 2, "total": [1.0] * 2})
    pq.write_table(table, shop.folder / "a.parquet")
    report = load(shop, ["integer"], path="a.parquet", format="parquet")
    assert (report.reasons, ids(shop)) == ({"rounded_customer": 1}, ["7"])


def test_words_for_nobody_are_no_customers_in_any_case(shop):
    write(shop, "0", "Guest", " nan", "0.0", "7", "guest@x.example")
    assert load(shop, empty=[0, "guest", "NaN"]).reasons == {"missing_customer": 3}
    assert ids(shop) == ["0.0", "7", "guest@x.example"]
    assert load(shop, ["integer"], empty=["0", "guest", "nan"]).reasons == {"missing_customer": 4}


def test_guests_are_known_by_their_address_beside_members_by_their_number(shop):
    rows = "7,a@x.example\n0,B@x.example\n,b@x.example \n7.0,\n0,\n"
    rows = "".join(f"{line},2024-03-01,1\n" for line in rows.splitlines())
    shop.write("a.csv", "id,mail,when,total\n" + rows)
    report = load(shop, ["trim", "casefold", "integer"], ["0"], column=["id", "mail"])
    assert report.reasons == {"missing_customer": 1}
    assert ids(shop) == ["7", "b@x.example", "b@x.example", "7"]


def test_customers_have_one_row_each_after_normalising(shop):
    shop.write("c.csv", "mail,city\nA@x.example,Oslo\na@x.example ,Bergen\n")
    declared = {
        "path": "c.csv",
        "format": "csv",
        "columns": {"customer_id": {"column": "mail", "normalise": ["trim", "casefold"]}},
    }
    report = shop.load("customers", declared=declared)
    assert shop.rows("select customer_id, city from raw.customers") == [
        {"customer_id": "a@x.example", "city": "Bergen"}
    ]
    assert report.reasons == {"superseded_line": 1}


def sources(orders, customers):
    columns = {**COLUMNS, "customer_id": orders}
    shop = {"path": "a.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "EUR", "columns": columns}
    people = {"path": "c.csv", "format": "csv", "columns": {"customer_id": customers}}
    return Sources.model_validate({"orders": shop, "customers": people})


def test_one_rule_for_ids_holds_for_every_source(shop):
    rule = {"column": "who", "normalise": ["trim", "casefold"]}
    found = sources(rule, "mail")
    assert found.customers.customer.normalise == ("casefold", "trim")
    assert found.customers.mapped == {"customer_id": "mail"}
    assert sources("who", {"column": "mail", "normalise": ["integer"]}).orders.customer.normalise == ("integer",)
    with pytest.raises(ValidationError, match="would not join: write normalise"):
        sources(rule, {"column": "mail", "normalise": ["trim"]})


def test_the_header_is_held_against_every_column_of_an_id(shop):
    write(shop, "7")
    with pytest.raises(ValueError, match="has no column 'mail'"):
        load(shop, column=["who", "mail"])
