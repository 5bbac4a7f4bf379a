"""A column that is not in a header: the one that was meant, or the delimiter that splits it."""

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
    with pytest.raises(SourceError, match="leave files without it out of path, or rename their column to 'who'"):
        shop.load(declared=declared)
