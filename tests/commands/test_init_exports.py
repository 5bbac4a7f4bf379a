"""``init`` on exports as shops and marketplaces write them: what it writes comes to the money that was spent."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.trial_load import try_sources
from tdml_assets.settings import load_settings

FIRST = datetime(2025, 1, 1, 9, 30)  # noqa: DTZ001 - as files hold them
PRICES = {"Blue mug": 12.50, "Tea, Earl Grey": 8.90, "Oak desk": 1_249.00}
Row = list[object]
#: Number, customer, time, and per product its quantity: 60 orders of one or two products.
ORDERS = [
    (
        number,
        f"k{number % 9}",
        FIRST + timedelta(days=number),
        [(product, 1 + (number + place) % 3) for place, product in enumerate(list(PRICES)[: 1 + number % 2])],
    )
    for number in range(1, 61)
]
CANCELLED = [number for number, *_ in ORDERS if number % 10 == 0]


def of_order(lines: list[tuple[str, int]]) -> float:
    return sum(PRICES[product] * quantity for product, quantity in lines)


def all_money(*, but: Iterable[int] = ()) -> float:
    left_out = set(but)
    return round(sum(of_order(lines) for number, _, _, lines in ORDERS if number not in left_out), 2)


def write(name: str, rows: list[Row], delimiter: str = ",", before: str = "", after: str = "") -> str:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        file.write(before)
        csv.writer(file, delimiter=delimiter).writerows(rows)
        file.write(after)
    return name


def prices_beside_discounts() -> tuple[str, float]:
    header: Row = [
        *("Sale Date", "Item Name", "Buyer", "Quantity", "Price", "Discount Amount", "Tax Amount", "Shipping Price"),
        *("Currency", "Order ID"),
    ]
    rows: list[Row] = [
        [f"{when:%m/%d/%y}", product, who, quantity, PRICES[product], "0.50", "1.10", "4.50", "EUR", number]
        for number, who, when, lines in ORDERS
        for product, quantity in lines
    ]
    return write("sold.csv", [header, *rows]), all_money()


def prices_of_the_whole_line() -> tuple[str, float]:
    header: Row = [
        "order-id",
        "purchase-date",
        "order-status",
        "sku",
        "quantity",
        "currency",
        "item-price",
        "buyer-email",
    ]
    rows: list[Row] = [
        [
            *(
                number,
                f"{when.isoformat()}+00:00",
                "Cancelled" if number in CANCELLED else "Shipped",
                product,
                quantity,
                "EUR",
            ),
            *(f"{PRICES[product] * quantity:.2f}", f"{who}@shop.test"),
        ]
        for number, who, when, lines in ORDERS
        for product, quantity in lines
    ]
    return write("orders.txt", [header, *rows], "\t"), all_money(but=CANCELLED)


def prices_of_one_piece_called_amount() -> tuple[str, float]:
    header: Row = ["order", "customer", "date", "product", "quantity", "amount", "currency"]
    rows: list[Row] = [
        [number, who, f"{when:%Y-%m-%d}", product, quantity, PRICES[product], "EUR"]
        for number, who, when, lines in ORDERS
        for product, quantity in lines
    ]
    return write("pieces.csv", [header, *rows]), all_money()


def orders_on_first_rows_only() -> tuple[str, float]:
    header: Row = [
        "Order Reference",
        "Creation Date",
        "Customer",
        "Status",
        "Product",
        "Quantity",
        "Unit Price",
        "Currency",
    ]
    rows: list[Row] = []
    for number, who, when, lines in ORDERS:
        head: Row = [
            f"S{number}",
            f"{when:%Y-%m-%d %H:%M:%S}",
            who,
            "Cancelled" if number in CANCELLED else "Sales Order",
        ]
        for place, (product, quantity) in enumerate(lines):
            blank: Row = ["", "", "", ""]
            rows.append([*(blank if place else head), product, quantity, PRICES[product], "EUR" if not place else ""])
    return write("erp.csv", [header, *rows]), all_money(but=CANCELLED)


def months_in_words_between_other_lines() -> tuple[str, float]:
    header: Row = [
        "Sales Record Number",
        "Order Number",
        "Buyer Username",
        "Item Title",
        "Total Price",
        "Sale Date",
        "Currency",
    ]
    rows: list[Row] = [
        [number, f"12-{number:04}", who, lines[0][0], f"{of_order(lines):,.2f}", f"{when:%b-%d-%y}", "EUR"]
        for number, who, when, lines in ORDERS
    ]
    after = f'"{len(rows)} record(s) downloaded"\r\n'
    return write("records.csv", [header, *rows], before="\r\n", after=after), all_money()


def gross_between_fees() -> tuple[str, float]:
    header: Row = ["Date", "Status", "Currency", "Gross", "Fee", "From Email Address", "Transaction ID"]
    rows: list[Row] = [
        [
            f"{when:%d/%m/%Y}",
            "Completed",
            "EUR",
            f"{of_order(lines):.2f}".replace(".", ","),
            "-0,35",
            f"{who}@shop.test",
            f"T{n}",
        ]
        for n, who, when, lines in ORDERS
    ]
    return write("payments.csv", [header, *rows]), all_money()


def products_without_codes() -> tuple[str, float]:
    header: Row = [
        *("Date", "Category", "Item", "Qty", "SKU", "Gross Sales", "Discounts", "Net Sales", "Tax", "Transaction ID"),
        *("Event Type", "Customer ID", "Currency"),
    ]
    rows: list[Row] = []
    for number, who, when, lines in ORDERS:
        for product, quantity in lines:
            money = f"{PRICES[product] * quantity:.2f}"
            rows.append(
                [
                    f"{when:%Y-%m-%d}",
                    "",
                    product,
                    quantity,
                    "",
                    money,
                    "0",
                    money,
                    "0",
                    f"T{number}",
                    "Payment",
                    who,
                    "EUR",
                ]
            )
    return write("items.csv", [header, *rows]), all_money()


def off(number: int) -> float:
    """A discount that only totals hold."""
    return number / 100


def totals_less_a_discount_on_every_line() -> tuple[str, float]:
    header: Row = ["Order number", "Date", "Contact email", "SKU", "Qty", "Price", "Discount", "Total", "Currency"]
    rows: list[Row] = [
        [number, f"{when:%Y-%m-%d}", f"{who}@shop.test", product, quantity, PRICES[product], off(number), total, "EUR"]
        for number, who, when, lines in ORDERS
        for total in [f"{of_order(lines) - off(number):.2f}"]
        for product, quantity in lines
    ]
    return write("totals.csv", [header, *rows]), all_money() - sum(off(number) for number, *_ in ORDERS)


def totals_less_a_discount_on_first_lines() -> tuple[str, float]:
    header: Row = [
        *(
            "Order ID",
            "Email",
            "Created at",
            "Total",
            "Currency",
            "Lineitem sku",
            "Lineitem quantity",
            "Lineitem price",
        ),
    ]
    rows: list[Row] = []
    for number, who, when, lines in ORDERS:
        head: Row = [f"{when:%Y-%m-%d}", f"{of_order(lines) - off(number):.2f}", "EUR"]
        for place, (product, quantity) in enumerate(lines):
            blank: Row = ["", "", ""]
            rows.append([number, f"{who}@shop.test", *(blank if place else head), product, quantity, PRICES[product]])
    return write("first.csv", [header, *rows]), all_money() - sum(off(number) for number, *_ in ORDERS)


def amounts_of_lines_less_a_discount() -> tuple[str, float]:
    header: Row = ["Bestellnr", "Datum", "Kunde", "Artikelnr", "Menge", "Preis EUR", "Betrag EUR"]
    rows: list[Row] = [
        [number, f"{when:%d.%m.%Y}", who, product, quantity, PRICES[product], f"{PRICES[product] * quantity * 0.9:.2f}"]
        for number, who, when, lines in ORDERS
        for product, quantity in lines
    ]
    return write("betrag.csv", [header, *rows], ";"), sum(float(str(row[-1])) for row in rows)


def refunds_that_a_known_export_does_not_always_have() -> tuple[str, float]:
    header: Row = [
        *("Order Number", "Order Status", "Order Date", "Email (Billing)", "Order Refund Amount", "Order Total Amount"),
        *("SKU", "Quantity (- Refund)", "Item Cost"),
    ]
    rows: list[Row] = [
        [
            *(
                number,
                "Completed",
                f"{when:%Y-%m-%d %H:%M}",
                f"{who}@shop.test",
                "0.50",
                f"{of_order(lines) + off(number):.2f}",
            ),
            *(product, quantity, PRICES[product]),
        ]
        for number, who, when, lines in ORDERS
        for product, quantity in lines
    ]
    return write("shop.csv", [header, *rows]), all_money() + sum(off(number) - 0.5 for number, *_ in ORDERS)


KINDS = (
    refunds_that_a_known_export_does_not_always_have,
    totals_less_a_discount_on_every_line,
    totals_less_a_discount_on_first_lines,
    amounts_of_lines_less_a_discount,
    prices_beside_discounts,
    prices_of_the_whole_line,
    prices_of_one_piece_called_amount,
    orders_on_first_rows_only,
    months_in_words_between_other_lines,
    gross_between_fees,
    products_without_codes,
)


def declared(folder: Path, name: str) -> dict[str, Any]:
    """Run ``init``, and fill in the currency where it asks for one."""
    CliRunner().invoke(app, ["init", name])
    path = folder / "tdml.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("currency:    #", "currency: EUR    #"), encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]["orders"]
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_init_comes_to_the_money_that_was_spent(kind: Callable[[], tuple[str, float]], tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    name, money = kind()
    keys = declared(tmp_path, name)
    draft = Path("tdml.yaml").read_text(encoding="utf-8")
    if kind is prices_beside_discounts:
        # The answer of a person: discounts stay in.
        draft = re.sub(r"amount:    # 'Discount Amount'[^\n]*", "unit_price: Price", draft)
        Path("tdml.yaml").write_text(draft, encoding="utf-8")
    facts = try_sources(load_settings({}, working_folder=tmp_path), whole=True).orders
    assert float(facts.net_revenue) == pytest.approx(money, abs=0.005), keys
    if kind is products_without_codes:
        assert keys["columns"]["product_id"] == "Item"
    if kind is orders_on_first_rows_only:
        assert keys["carry"] == ["order_id", "customer_id", "ordered_at", "order_status"]


def test_ids_of_guests_are_proposed_with_what_the_line_above_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    mails = ["Ana@x.example", "ana@x.example", "bo@x.example", "guest"]
    mails = [*mails[:3] * 20, *mails[3:] * 3]
    rows = [f"{n},2026-01-{n % 28 + 1:02},{mail},{n}.50" for n, mail in enumerate(mails)]
    Path("o.csv").write_text("\n".join(["order_id,date,email,total", *rows]) + "\n", encoding="utf-8")
    CliRunner().invoke(app, ["init", "o.csv"])
    text = Path("tdml.yaml").read_text(encoding="utf-8")
    assert "  customer_id: {column: email, normalise: [trim, casefold]}" in text
    assert '# customer_id: {column: email, normalise: [trim, casefold], empty: ["guest"]}' in text
