"""Which columns of real exports play which role: names in several languages, and names that sound like another column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tdml_assets.stages.raw.guess_columns import find_columns, renamed_columns
from tdml_assets.stages.raw.sample import FileSample

DAYS = ("03.01.2026", "14.01.2026", "25.01.2026")
MONEY = ("12,50", "8,90", "31,00")


def roles(cells: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    return find_columns("orders", FileSample("orders.csv", "csv", cells)).by_role


def test_the_number_of_a_sales_document_is_the_order_and_no_amount() -> None:
    found = roles(
        {
            "Sales Document": ("0000001001", "0000001002", "0000001003"),
            "Created On": DAYS,
            "Sold-To Party": ("0000000007", "0000000009", "0000000007"),
            "Material": ("M-1", "M-2", "M-1"),
            "Order Quantity": ("1,000", "2,000", "1,000"),
            "Net Value": MONEY,
        }
    )
    assert found["order_id"] == "Sales Document"
    assert found["amount"] == "Net Value"
    assert found["customer_id"] == "Sold-To Party"
    assert found["ordered_at"] == "Created On"
    assert found["product_id"] == "Material"


def test_the_cashier_is_not_the_customer() -> None:
    cells = {"Customer Code": ("C-1", "C-2", "C-1"), "User": ("Kim", "Kim", "Kim"), "Date": DAYS, "Total": MONEY}
    assert roles(cells)["customer_id"] == "Customer Code"
    del cells["Customer Code"]
    assert roles(cells)["customer_id"] == "User"


def test_a_name_is_the_customer_only_where_nothing_else_is() -> None:
    cells = {"Name": ("7 Ana", "9 Bo", "7 Ana"), "Date": DAYS, "Document Number": ("I1", "I2", "I3"), "Amount": MONEY}
    assert roles(cells)["customer_id"] == "Name"
    assert roles({**cells, "E-mail": ("a@x.example", "b@x.example", "a@x.example")})["customer_id"] == "E-mail"


def test_the_currency_of_an_order_is_not_its_id() -> None:
    cells = {
        "order_currency_code": ("EUR", "EUR", "EUR"),
        "increment_id": ("1001", "1002", "1003"),
        "customer_email": ("a@x.example", "b@x.example", "a@x.example"),
        "created_at": DAYS,
        "grand_total": MONEY,
    }
    found = roles(cells)
    assert (found["order_id"], found["currency"]) == ("increment_id", "order_currency_code")


def test_the_total_of_an_order_comes_before_its_value_without_discount() -> None:
    cells = {
        "Order ID": ("1", "2", "3"),
        "Buyer": ("a", "b", "a"),
        "Sale Date": DAYS,
        "Order Value": MONEY,
        "Order Total": MONEY,
    }
    assert roles(cells)["amount"] == "Order Total"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (
            "Numer zamówienia;Data zamówienia;E-mail klienta;Ilość;Cena jednostkowa;Wartość",
            "order_id;ordered_at;customer_id;quantity;unit_price;amount",
        ),
        (
            "Číslo objednávky;Datum objednávky;E-mail zákazníka;Množství;Cena za kus;Cena celkem",
            "order_id;ordered_at;customer_id;quantity;unit_price;amount",
        ),
        (
            "Número do pedido;Data do pedido;E-mail do cliente;Quantidade;Valor unitário;Valor total",
            "order_id;ordered_at;customer_id;quantity;unit_price;amount",
        ),
        (
            "Bestelnummer;Besteldatum;E-mailadres;Aantal;Stukprijs;Regeltotaal",
            "order_id;ordered_at;customer_id;quantity;unit_price;amount",
        ),
        (
            "受注番号;受注日時;メールアドレス;個数;単価;小計",
            "order_id;ordered_at;customer_id;quantity;unit_price;amount",
        ),
    ],
)
def test_headers_of_other_languages_are_known(header: str, wanted: str) -> None:
    values = [
        ("1001", "1002", "1003"),
        DAYS,
        ("a@x.example", "b@x.example", "a@x.example"),
        ("1", "2", "1"),
        MONEY,
        MONEY,
    ]
    found = roles(dict(zip(header.split(";"), values, strict=True)))
    assert {role: found.get(role) for role in wanted.split(";")} == dict(
        zip(wanted.split(";"), header.split(";"), strict=True)
    )


def test_of_several_dates_the_one_before_all_others_is_the_orders() -> None:
    cells = {
        "Ref": ("1", "2", "3"),
        "Email": ("a@x.example", "b@x.example", "a@x.example"),
        "Birthday": ("01.01.1990", "01.01.1991", "01.01.1990"),
        "Shipped": ("05.01.2026", "14.01.2026", "27.01.2026"),
        "Taken": DAYS,
        "Total": MONEY,
    }
    assert roles(cells)["ordered_at"] == "Taken"
    assert "ordered_at" not in roles({**cells, "Shipped": ("02.01.2026", "14.01.2026", "27.01.2026")})


def test_an_id_that_every_order_has_of_its_own_is_no_customer() -> None:
    count = 60
    cells = {
        "order_id": [f"o{n}" for n in range(count)],
        "customer_id": [f"c{n}" for n in range(count)],
        "customer_city": [f"city {n % 20}" for n in range(count)],
        "customer_unique_id": [f"p{n % 25}" for n in range(count)],
        "order_date": [f"2026-01-{n % 28 + 1:02}" for n in range(count)],
        "price": [f"{n}.50" for n in range(count)],
    }
    assert roles(cells)["customer_id"] == "customer_unique_id"
    cells["customer_id"] = [f"c{n % 30}" for n in range(count)]
    assert roles(cells)["customer_id"] == "customer_id", "its customers come again"


def test_a_column_of_one_file_that_is_empty_has_no_other_name() -> None:
    cells = {"order_id": ["1", "2"], "Währungscode": ["", ""], "Currency": ["EUR", "EUR"]}
    found = {"order_id": "order_id", "currency": "Währungscode"}
    assert renamed_columns(FileSample("o.csv", "csv", cells), found) == {}
    two = FileSample("o.csv", "csv", {**cells, "Währungscode": ["EUR", ""], "Currency": ["", "EUR"]}, file_rows=(1, 1))
    assert renamed_columns(two, found) == {"Währungscode": ("Currency",)}
