"""A column that is not in a header: the one that was meant, or the delimiter that splits it."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.stages.raw.names import closest, delimiter_in, missing_column_remedy
from tdml_assets.stages.raw.rules import SourceError


def orders(**changes):
    usual = {
        "path": "a.csv",
        "format": "csv",
        "timestamp_format": "%Y-%m-%d",
        "currency": "EUR",
        "columns": {"customer_id": "Customer Email", "ordered_at": "when", "amount": "total"},
    }
    return OrdersSource.model_validate(usual | changes)


@pytest.mark.parametrize(
    ("wanted", "names", "meant"),
    [
        ("Customer Email", ["Order", "Customer E-mail", "Total"], "Customer E-mail"),
        ("customer_id", ["CustomerID", "InvoiceNo"], "CustomerID"),
        ("totl", ["total", "total_net"], "total"),
        ("sku", ["who", "when"], None),
    ],
)
def test_the_name_that_was_meant_is_found_whatever_its_case_and_marks(wanted, names, meant):
    assert closest(wanted, names) == meant


@pytest.mark.parametrize(("header", "mark"), [("a;b;c", ";"), ("a\tb", "\t"), ("a|b|c", "|"), ("only one", None)])
def test_the_delimiter_of_a_header_read_as_one_name_is_found(header, mark):
    assert delimiter_in(header, ",") == mark


def test_the_remedy_can_be_copied_into_the_settings():
    names = ["Order", "Customer E-mail", "Total"]
    said = missing_column_remedy("orders", orders(), "customer_id", "Customer Email", names)
    assert (
        said == "Did you mean 'Customer E-mail'? Write columns: {customer_id: 'Customer E-mail'} under sources.orders"
    )
    said = missing_column_remedy("orders", orders(), "customer_id", "Customer Email", ["a;b;c"])
    assert said == 'The header is one name: write csv: {delimiter: ";"} under sources.orders'
    said = missing_column_remedy("orders", orders(), "customer_id", "Customer Email", ["a\tb"])
    assert 'delimiter: "\\t"' in said
    said = missing_column_remedy(
        "orders", orders(csv={"header": False}), "customer_id", "who", ["column_1", "column_2"]
    )
    assert "column_1, column_2" in said


@pytest.mark.parametrize("written", ["\t", "\\t", "tab", "TAB"])
def test_a_tab_may_be_written_in_every_usual_form(written):
    assert orders(csv={"delimiter": written}).csv.delimiter == "\t"


@pytest.mark.parametrize("written", ["", ";;", None, 7])
def test_a_delimiter_that_is_none_says_how_to_write_one(written):
    with pytest.raises(ValueError, match=r'a delimiter is one character: write it in double quotes, for instance ";"'):
        orders(csv={"delimiter": written})


def test_a_column_that_was_renamed_between_files_is_said_to_be_in_the_others(shop):
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    declared = {"path": "*.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "GBP", "columns": columns}
    shop.write("a.csv", "who,when,total\n7,2024-03-01,5\n")
    shop.write("b.csv", "customer,when,total\n7,2024-03-02,5\n")
    with pytest.raises(
        SourceError, match=r'other_names: \{"who": \[its other name\]\}; else leave the file out of path'
    ):
        shop.load(declared=declared)
    shop.load(declared=declared, other_names={"who": ["customer"]})
    assert shop.column("select customer_id from raw.orders order by ordered_at") == ["7", "7"]


def test_a_column_with_another_name_is_read_in_its_order_and_two_that_are_one_are_refused(shop):
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total", "product_id": "sku"}
    declared = {"path": "*.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "GBP", "columns": columns}
    names = {"total": ["amount", "sum"], "sku": ["item"]}
    shop.write("a.csv", "who,when,total,sku\n7,2024-03-01,5,A\n")
    shop.write("b.csv", "item,sum,who,when\nB,6,7,2024-03-02\n")
    shop.write("c.csv", "who,when,amount,item\n7,2024-03-03,seven,C\n8,2024-03-03,8,C\n")
    shop.load(declared=declared, other_names=names)
    assert shop.rows("select product_id, cast(amount as integer) amount from raw.orders order by 1") == [
        {"product_id": "A", "amount": 5},
        {"product_id": "B", "amount": 6},
        {"product_id": "C", "amount": 8},
    ]
    # What is set aside is shown under the names that are declared.
    assert '"total":"seven"' in shop.column("select content from raw.rejected_rows")[0]
    shop.write("d.csv", "who,when,amount,sum,item\n7,2024-03-04,5,6,A\n")
    with pytest.raises(SourceError, match=r"d.csv has the columns 'amount' and 'sum', which are one by other_names"):
        shop.load(declared=declared, other_names=names)
    with pytest.raises(ValueError, match="other_names is not for json"):
        orders(format="json", csv={}, other_names=names)


def test_a_typed_column_with_another_name_is_read(shop):
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    declared = {"path": "*.parquet", "format": "parquet", "currency": "GBP", "columns": columns}
    for name, column in (("a", "total"), ("b", "amount")):
        table = pa.table({"who": ["7"], "when": [datetime(2024, 3, 1, tzinfo=UTC)], column: [5.5]})
        pq.write_table(table, shop.folder / f"{name}.parquet")
    shop.load(declared=declared, other_names={"total": ["amount"]})
    assert [float(one) for one in shop.column("select amount from raw.orders")] == [5.5, 5.5]
