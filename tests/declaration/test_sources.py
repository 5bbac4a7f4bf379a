"""Declarations of sources: what is refused before anything runs, and what headers are compared for."""

import json
from datetime import date, datetime

import pytest
from pydantic import ValidationError

from tdml_assets.declaration.sources import CustomersSource, OrdersSource, Sources
from tdml_assets.stages.raw.contracts import REASONS, TABLES
from tdml_assets.stages.raw.moments import plan_moment, repeated_minutes
from tdml_assets.stages.raw.rules import (
    MAX_COLUMNS,
    Field,
    FileLayout,
    SourceError,
    check_headers,
    declaration_sha256,
    family_of,
    raw_fingerprint,
    table_contract,
)

ORDERS = {
    "path": "orders.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "GBP",
    "columns": {"customer_id": "who", "ordered_at": "when", "amount": "total"},
}


def orders(**changes):
    return OrdersSource.model_validate({**ORDERS, **changes})


def layout(name, *fields, position=0):
    return FileLayout(
        name,
        f"/{name}",
        "none",
        tuple(Field(*item) if isinstance(item, tuple) else Field(item) for item in fields),
        position,
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timestamp_format": None}, "never guessed"),
        ({"timestamp_format": "%d of %m"}, "names no calendar day"),
        ({"timestamp_format": "%Y-%m-%d %Q"}, "%Q, which is not read"),
        ({"timezone": "Europe/Lunnon"}, "'Europe/Lunnon' is not a time zone"),
        ({"csv": {"encoding": "utf-13"}}, "'utf-13' is not a text encoding"),
        ({"csv": {"delimiter": '"'}}, "cannot be told from the quote"),
        ({"currency": None}, "never taken for the reporting currency"),
        ({"currency": "pounds"}, "three letters"),
        ({"columns": {**ORDERS["columns"], "currency": "cur"}}, "declare the currency once"),
        ({"currency": None, "columns": {**ORDERS["columns"], "currency": "cur"}}, "reporting_currency is missing"),
        ({"reporting_currency": "EUR"}, "no rate from GBP to EUR"),
        ({"rates": {"GBP": 1.2}}, "must be 1"),
        ({"rates": {"EUR": 0}}, "greater than or equal"),
        ({"columns": {"customer_id": "who", "ordered_at": "when", "quantity": "n"}}, "both quantity and unit_price"),
        ({"columns": {"ordered_at": "when", "amount": "total"}}, "customer_id"),
        ({"columns": {**ORDERS["columns"], "colour": "c"}}, "colour"),
        ({"bounds": {"unit_price": {"min": 5, "max": 1}}}, "no value lies between"),
        ({"bounds": {"unit_price": {"max": float("inf")}}}, "finite"),
        ({"path": "gs://bucket/orders.csv"}, "gs:// is not read"),
        ({"path": "https://me:secret@host/orders.csv"}, "the address holds a user name or password"),
        ({"path": "https://host/"}, "names no file"),
        ({"path": []}, "at least 1"),
        ({"earliest": "1960-01-01"}, "greater than or equal to 1970-01-02"),
        ({"formt": "csv"}, "formt"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_in_words(changes, said):
    with pytest.raises(ValidationError) as caught:
        orders(**changes)
    assert said in str(caught.value)
    assert "me:secret" not in "".join(error["msg"] for error in caught.value.errors())


def test_a_declaration_is_frozen_and_has_its_documented_defaults():
    declaration = orders()
    with pytest.raises(ValidationError):
        declaration.currency = "EUR"
    assert (declaration.timezone, declaration.ambiguous_time, declaration.earliest) == (
        "UTC",
        "earlier",
        date(1990, 1, 1),
    )
    assert declaration.bounds.amount.max == 1e9
    assert declaration.line_key == ()
    assert declaration.reporting == "GBP"
    assert declaration.path == ("orders.csv",)
    assert Sources().declared("orders") is None


def test_customers_collapse_by_customer_unless_told_otherwise():
    declared = {"path": "c.csv", "format": "csv", "columns": {"customer_id": "id"}}
    assert CustomersSource.model_validate(declared).line_key == ("customer_id",)
    with pytest.raises(ValidationError, match="lineage column"):
        CustomersSource.model_validate({**declared, "columns": {"customer_id": "id", "Source": "from"}})


def test_the_hash_of_a_declaration_changes_with_what_decides_rows_and_not_with_where_files_are():
    before = declaration_sha256("orders", orders())
    assert declaration_sha256("orders", orders(path="elsewhere/*.csv", max_file_gb=1)) == before
    assert declaration_sha256("orders", orders(timezone="Europe/London")) != before
    assert declaration_sha256("orders", orders(bounds={"amount": {"max": 10}})) != before
    assert declaration_sha256("pageviews", orders()) != before


def test_the_fingerprint_of_raw_data_does_not_depend_on_the_order_of_files():
    loads = [("orders", "a", "d"), ("orders", "b", "d"), ("customers", "a", "e")]
    assert raw_fingerprint(loads) == raw_fingerprint(reversed(loads))
    assert raw_fingerprint(loads) != raw_fingerprint(loads[:2])


def test_a_missing_mapped_column_is_refused_with_what_was_found():
    files = [layout("a.csv", "who", "when", "total"), layout("b.csv", "who", "when", "amount", position=1)]
    with pytest.raises(
        SourceError, match=r"b\.csv has no column 'total', wanted as amount; found 'who', 'when', 'amount'"
    ):
        check_headers("orders", orders(), files)


def test_reordered_and_further_columns_are_fine():
    check_headers(
        "orders", orders(), [layout("a", "who", "when", "total"), layout("b", "note", "total", "when", "who")]
    )


def test_a_line_key_may_name_source_columns_and_they_must_be_there():
    declaration = orders(line_key=["customer_id", "line"])
    check_headers("orders", declaration, [layout("a", "who", "when", "total", "line")])
    with pytest.raises(SourceError, match="no column 'line'"):
        check_headers("orders", declaration, [layout("a", "who", "when", "total")])


def test_a_column_that_is_text_in_one_file_and_a_number_in_another_is_refused():
    declaration = orders(format="parquet")
    first = layout("a", ("who", "INTEGER"), ("when", "TIMESTAMP"), ("total", "DOUBLE"))
    check_headers(
        "orders", declaration, [first, layout("b", ("who", "DOUBLE"), ("when", "TIMESTAMP"), ("total", "DOUBLE"))]
    )
    with pytest.raises(SourceError, match="column 'who' is VARCHAR, but INTEGER in a"):
        check_headers(
            "orders", declaration, [first, layout("b", ("who", "VARCHAR"), ("when", "TIMESTAMP"), ("total", "DOUBLE"))]
        )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ((("who", "VARCHAR"), ("when", "BIGINT"), ("total", "DOUBLE")), "unix, unix_ms, unix_us or excel"),
        ((("who", "VARCHAR"), ("when", "TIMESTAMP"), ("total", "BOOLEAN")), "cannot be amount"),
        ((("who", "STRUCT(a INTEGER)"), ("when", "TIMESTAMP"), ("total", "DOUBLE")), "cannot be customer_id"),
        ((("who", "VARCHAR[]"), ("when", "TIMESTAMP"), ("total", "DOUBLE")), "cannot be customer_id"),
    ],
)
def test_a_column_whose_type_cannot_be_what_it_is_mapped_to_is_refused(fields, said):
    with pytest.raises(SourceError, match=said):
        check_headers("orders", orders(format="parquet"), [layout("a", *fields)])


def test_too_many_columns_and_names_that_differ_by_case_are_refused():
    wide = layout("wide.csv", *(f"c{i}" for i in range(MAX_COLUMNS + 1)))
    with pytest.raises(SourceError, match="2,001 columns, more than 2,000"):
        check_headers("orders", orders(), [wide])
    with pytest.raises(SourceError, match="'who' and 'Who'"):
        check_headers("orders", orders(), [layout("a", "who", "when", "total", "Who")])


def test_customers_keep_every_column_of_their_first_file():
    declaration = CustomersSource.model_validate(
        {"path": "c.csv", "format": "csv", "columns": {"customer_id": "id", "came_from": "source"}}
    )
    contract = table_contract("customers", declaration, [layout("c.csv", "id", "country", "source")])
    assert contract.column_names == ("customer_id", "country", "came_from", "source", "file", "row_number")
    bare = CustomersSource.model_validate({"path": "c.csv", "format": "csv", "columns": {"customer_id": "id"}})
    with pytest.raises(SourceError, match="map it to another name"):
        table_contract("customers", bare, [layout("c.csv", "id", "source")])


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [("UTC", ()), ("Asia/Kolkata", ()), ("Europe/London", (60,)), ("Australia/Lord_Howe", (30,))],
)
def test_the_sizes_of_a_zones_clock_changes_are_known(zone, minutes):
    assert repeated_minutes(zone, 2000, 2026) == minutes


def test_calendar_days_are_read_as_days_and_times_as_times():
    now = datetime(2026, 1, 1)  # noqa: DTZ001
    assert plan_moment(orders(timestamp_format="%d/%m/%Y"), "text", now).is_day
    assert not plan_moment(orders(), "text", now).is_day
    assert plan_moment(orders(timestamp_format="%Y-%m-%dT%H:%M:%S%z"), "text", now).reading == "instant_text"
    assert plan_moment(orders(timestamp_format="unix"), "integer", now).reading == "unix"


@pytest.mark.parametrize(
    ("type_name", "family"),
    [
        ("DECIMAL(18,4)", "number"),
        ("TIMESTAMP_NS", "timestamp"),
        ("ENUM('a', 'b')", "text"),
        ("VARCHAR[]", "other"),
        ("BLOB", "other"),
    ],
)
def test_types_fall_into_families(type_name, family):
    assert family_of(type_name) == family


def test_every_table_has_its_lineage_and_every_reason_a_meaning():
    for contract in TABLES.values():
        assert contract.column_names[-3:] == ("source", "file", "row_number")
    assert all(REASONS.values())
    assert json.dumps(list(REASONS))


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "undefined", "unicode_escape", "base64", "rot13", "no\x00ne", "é", ""]
)
def test_a_codec_that_is_not_an_encoding_of_files_is_refused(name):
    with pytest.raises(ValidationError, match="is not a text encoding"):
        orders(csv={"encoding": name})


@pytest.mark.parametrize(
    "name", ["utf-8", "utf-8-sig", "UTF-16", "utf-16-le", "utf-32", "cp1252", "cp037", "gb18030", "shift_jis"]
)
def test_encodings_of_files_are_known(name):
    assert orders(csv={"encoding": name}).csv.encoding == name.lower()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("https:///a.csv", "names no host"),
        ("https://é..x/a.csv", "names no host"),
        ("https://host:port/a.csv", "holds a user name"),
        ("https://host/a\nb.csv", "control character"),
        ("a\x00.csv", "control character"),
        ("\ud800.csv", "control character, or one that no file name can have"),
        ("https:/host/a.csv", "one slash"),
        ("http://[::1/a.csv", "Invalid IPv6"),
    ],
)
def test_an_address_that_cannot_be_is_refused_before_anything_runs(path, said):
    with pytest.raises(ValidationError, match=said):
        orders(path=path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quote": "“"}, "quote '“' is not read"),
        ({"quote": "\n"}, "is not read"),
        ({"null_values": ["", "n;a"], "delimiter": ";"}, "null_values: 'n;a' holds the delimiter"),
        ({"null_values": ['"']}, "null_values"),
    ],
)
def test_marks_that_no_file_can_be_read_by_are_refused(options, said):
    with pytest.raises(ValidationError, match=said):
        orders(csv=options)
