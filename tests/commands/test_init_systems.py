"""``init`` on exports whose rows are of several kinds: what it writes, and what it asks, comes to the money that was spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.trial_load import try_sources
from tdml_assets.settings import load_settings
from tests.commands.test_init_exports import CANCELLED, ORDERS, PRICES, Row, all_money, of_order, write


@dataclass(frozen=True)
class Export:
    """A file, the money in it, and what a person answers: key of the draft, answer."""

    name: str
    money: float
    answers: dict[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()


def conversions_of_a_payment_system() -> Export:
    rows: list[Row] = [
        [
            "Date",
            "Type",
            "Status",
            "Currency",
            "Gross",
            "From Email Address",
            "To Email Address",
            "Transaction ID",
            "Reference Txn ID",
        ]
    ]
    for number, who, when, lines in ORDERS:
        day, money = f"{when:%Y-%m-%d}", of_order(lines)
        rows.append(
            [day, "Express Checkout Payment", "Completed", "EUR", f"{money:.2f}", who, "shop", f"T{number}", ""]
        )
        if number % 4 == 0:
            for sign, place in ((-1, "C"), (1, "D")):
                amount = f"{sign * money:.2f}"
                rows.append(
                    [
                        day,
                        "General Currency Conversion",
                        "Completed",
                        "EUR",
                        amount,
                        "",
                        "shop",
                        f"{place}{number}",
                        f"T{number}",
                    ]
                )
    return Export(write("paypal.csv", rows), all_money())


def credit_notes_by_code() -> Export:
    rows: list[Row] = [["doc_no", "doc_type", "customer_no", "posting_date", "item", "qty", "net_value", "currency"]]
    for number, who, when, lines in ORDERS:
        for kind in ("INV", "CRN") if number in CANCELLED else ("INV",):
            rows += [
                [f"{kind}{number}", kind, who, f"{when:%Y-%m-%d}", product, quantity, PRICES[product] * quantity, "EUR"]
                for product, quantity in lines
            ]
    return Export(write("docs.csv", rows), all_money(but=CANCELLED), {"CRN": "return", "INV": "sale"})


def german_documents() -> Export:
    rows: list[Row] = [
        ["Belegart", "Belegnr.", "Verk. an Deb.-Nr.", "Buchungsdatum", "Menge", "Zeilenbetrag", "Währung"]
    ]
    for number, who, when, lines in ORDERS:
        for kind in ("Rechnung", "Gutschrift") if number in CANCELLED else ("Rechnung",):
            rows += [
                [
                    kind,
                    f"{kind[0]}{number}",
                    who,
                    f"{when:%d.%m.%Y}",
                    quantity,
                    f"{PRICES[product] * quantity:.2f}",
                    "EUR",
                ]
                for product, quantity in lines
            ]
    return Export(write("belege.csv", rows, ";"), all_money(but=CANCELLED))


def deals() -> Export:
    rows: list[Row] = [["Opportunity ID", "Account ID", "Stage", "Close Date", "Amount", "Currency", "Created Date"]]
    rows += [
        [
            f"006-{number}",
            f"001-{who}",
            "Closed Lost" if number in CANCELLED else "Closed Won",
            f"{when:%Y-%m-%d}",
            f"{of_order(lines):.2f}",
            "EUR",
            "2024-12-01",
        ]
        for number, who, when, lines in ORDERS
    ]
    return Export(write("deals.csv", rows), all_money(but=CANCELLED), written=('ordered_at: "Close Date"',))


def events_of_orders_and_their_products() -> Export:
    rows = []
    for number, who, when, lines in ORDERS:
        shared = {"datetime": f"{when:%Y-%m-%d %H:%M:%S}", "profile": {"email": f"{who}@x.example"}}
        value = round(of_order(lines) + (4.5 if number % 3 else 0), 2)
        rows.append({**shared, "metric": "Placed Order", "properties": {"OrderId": str(number), "$value": value}})
        rows += [
            {
                **shared,
                "metric": "Ordered Product",
                "properties": {"OrderId": str(number), "$value": round(PRICES[product] * quantity, 2), "SKU": product},
            }
            for product, quantity in lines
        ]
    Path("events.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return Export("events.jsonl", all_money(), {"Ordered Product": "sale", "Placed Order": "ignore"})


def visits_of_a_tracker() -> Export:
    rows = []
    for number, who, when, lines in ORDERS:
        shared = {"collector_tstamp": f"{when:%Y-%m-%d %H:%M:%S}", "user_id": who}
        rows.append({**shared, "event": "page_view", "page_urlpath": "/"})
        rows.append(
            {**shared, "event": "transaction", "tr_orderid": f"T{number}", "tr_total": round(of_order(lines), 2)}
        )
        rows += [
            {
                **shared,
                "event": "transaction_item",
                "ti_orderid": f"T{number}",
                "ti_sku": product,
                "ti_price": PRICES[product],
                "ti_quantity": quantity,
            }
            for product, quantity in lines
        ]
    Path("events.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return Export("events.jsonl", all_money(), written=('"page_view": ignore', '"transaction": ignore'))


def refunded_pieces_beside_money() -> Export:
    rows: list[Row] = [
        [
            *("item_id", "order_id", "created_at", "customer_email", "status", "sku", "qty_ordered", "qty_refunded"),
            *("row_total", "currency"),
        ]
    ]
    for number, who, when, lines in ORDERS:
        status = "closed" if number in CANCELLED else "complete"
        rows += [
            [
                f"{number}{place}",
                number,
                f"{when:%Y-%m-%d %H:%M:%S}",
                who,
                status,
                product,
                quantity,
                0,
                f"{PRICES[product] * quantity:.2f}",
                "EUR",
            ]
            for place, (product, quantity) in enumerate(lines)
        ]
    return Export(write("items.csv", rows), all_money(but=CANCELLED), {"closed": "void"})


def rows_of_one_piece() -> Export:
    rows: list[Row] = [
        ["Order number", "Order Item", "Article number", "Order date", "Status", "Price (EUR)", "Customer number"]
    ]
    for number, who, when, lines in ORDERS:
        pieces = [product for product, quantity in lines for _ in range(quantity)]
        status = "Returned" if number in CANCELLED else "Shipped"
        rows += [
            [number, place, product, f"{when:%d.%m.%Y}", status, f"{PRICES[product]:.2f}", who]
            for place, product in enumerate(pieces)
        ]
    return Export(
        write("pieces.csv", rows, ";"),
        all_money(but=CANCELLED),
        written=("each row is taken for one piece", "a row is one piece"),
    )


def rounded_thousands() -> Export:
    rows: list[Row] = [["order_id", "date", "email", "sku", "qty", "amount"]]
    money = 0.0
    for number, who, when, lines in ORDERS:
        for product, quantity in lines:
            amount = round(PRICES[product] * quantity * 100)
            money += amount
            shown = f"{amount:,}".replace(",", ".") if number > 40 else amount
            rows.append([number, f"{when:%Y-%m-%d}", who, product, quantity, shown])
    return Export(write("o.csv", rows), money)


def guests_with_an_address() -> Export:
    rows: list[Row] = [["id", "date", "customer_id", "billing_email", "total", "currency", "parent_order_id"]]
    for number, who, when, lines in ORDERS:
        known = who[1:] if number % 4 else 0
        rows.append([number, f"{when:%Y-%m-%d}", known, f"{who}@x.example", f"{of_order(lines):.2f}", "EUR", 0])
        if number in CANCELLED:
            rows.append([900 + number, f"{when:%Y-%m-%d}", 0, "", f"{-of_order(lines):.2f}", "EUR", number])
    return Export(
        write("o.csv", rows),
        all_money(but=CANCELLED),
        written=('{column: [customer_id, billing_email], empty: ["0"]}',),
    )


def settlement_of_two_sides() -> Export:
    rows: list[Row] = [
        ["Reference", "Creation Date", "Type", "Currency", "Debit (EUR)", "Credit (EUR)", "Shopper Reference"]
    ]
    for number, who, when, lines in ORDERS:
        money = f"{of_order(lines):.2f}"
        rows.append([f"R{number}", f"{when:%Y-%m-%d}", "Settled", "EUR", "", money, who])
        if number in CANCELLED:
            rows.append([f"R{number}", f"{when:%Y-%m-%d}", "Refunded", "EUR", money, "", who])
    return Export(write("settlement.csv", rows), all_money(but=CANCELLED), written=('"Refunded": return',))


def ledger_of_two_sides() -> Export:
    rows: list[Row] = [["Beleg", "Buchungsdatum", "Kunde", "Soll", "Haben", "Währung"]]
    for number, who, when, lines in ORDERS:
        money = f"{of_order(lines):,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
        rows.append([f"RE{number}", f"{when:%d.%m.%Y}", who, money, "0,00", "EUR"])
        if number in CANCELLED:
            rows.append([f"GU{number}", f"{when:%d.%m.%Y}", who, "", money, "EUR"])
    return Export(
        write("konto.csv", rows, ";"), all_money(but=CANCELLED), written=("amount: Soll", "amount_reversed: Haben")
    )


KINDS = (
    settlement_of_two_sides,
    ledger_of_two_sides,
    conversions_of_a_payment_system,
    credit_notes_by_code,
    german_documents,
    deals,
    events_of_orders_and_their_products,
    visits_of_a_tracker,
    refunded_pieces_beside_money,
    rows_of_one_piece,
    rounded_thousands,
    guests_with_an_address,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    return tmp_path


def answered(words: list[str], answers: dict[str, str]) -> str:
    """Run ``init`` and give the answers of a person; the draft as it was."""
    CliRunner().invoke(app, ["init", *words])
    draft = Path("tdml.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(draft)
    orders = content["sources"]["orders"]
    if "currency" in orders and orders["currency"] is None:
        orders["currency"] = "EUR"
    for status, answer in answers.items():
        assert status in orders["statuses"], draft
        orders["statuses"][status] = answer
    Path("tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return draft


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_kinds_of_rows_come_to_the_money_that_was_spent(folder: Path, kind: Callable[[], Export]) -> None:
    export = kind()
    draft = answered([export.name], export.answers)
    trial = try_sources(load_settings({}, working_folder=folder), whole=True)
    assert float(trial.orders.net_revenue) == pytest.approx(export.money, abs=0.005), draft
    assert [text for text in export.written if text not in draft] == []
    alarms = {finding.check_name for finding in trial.report.with_status("alarm")}
    assert not alarms & {"repeated", "empty_ids", "unreadable"}


def test_numbers_of_customers_with_zeros_in_front_in_some_files_are_the_same_people(folder: Path) -> None:
    for half in (0, 1):
        rows: list[Row] = [["order_id", "date", "customer_no", "amount"]]
        rows += [
            [number, f"{when:%Y-%m-%d}", int(who[1:]) if half else f"{int(who[1:]):06}", f"{of_order(lines):.2f}"]
            for number, who, when, lines in ORDERS
            if (number > 30) == bool(half)
        ]
        write(f"orders_{half}.csv", rows)
    draft = answered(["orders_0.csv", "orders_1.csv"], {})
    assert yaml.safe_load(draft)["sources"]["orders"]["columns"]["customer_id"]["normalise"] == ["integer"]
    assert try_sources(load_settings({}, working_folder=folder), whole=True).orders.customers == 9
    Path("tdml.yaml").unlink()
    # Ids with zeros in front in every file are left as they are.
    assert "customer_id: customer_no\n" in answered(["orders_0.csv"], {})


def test_files_that_write_days_and_months_in_another_order_are_named(folder: Path) -> None:
    (folder / "m").mkdir()
    for half, written in enumerate(("%d/%m/%Y", "%m/%d/%Y")):
        rows: list[Row] = [["order_id", "date", "email", "amount"]]
        rows += [
            [number, when.strftime(written), who, "5.50"]
            for number, who, when, _ in ORDERS
            if (number > 31) == bool(half)
        ]
        write(f"m/orders_{half}.csv", rows)
    done = CliRunner().invoke(app, ["init", "m"])
    assert "days and months are in another order in some files (%d/%m/%Y in 1 and %m/%d/%Y in 1 of them)" in done.stderr


def test_amounts_with_the_signs_of_two_currencies_are_said_to_have_them(folder: Path) -> None:
    rows: list[Row] = [["order_id", "date", "email", "amount"]]
    rows += [[number, f"{when:%Y-%m-%d}", who, f"{'$' if number % 3 else '€'}5.50"] for number, who, when, _ in ORDERS]
    done = CliRunner().invoke(app, ["init", write("o.csv", rows)])
    assert "the amounts have the signs $ and €" in done.stderr


def test_columns_that_were_renamed_between_files_are_declared_with_both_names(folder: Path) -> None:
    (folder / "m").mkdir()
    headers = (
        ["order_id", "date", "email", "sku", "amount"],
        ["Order ID", "date", "Customer Email", "SKU", "Line Total"],
    )
    for half, header in enumerate(headers):
        rows: list[Row] = [[*header]]
        rows += [
            [number, f"{when:%Y-%m-%d}", f"{who}@x.example", product, f"{PRICES[product] * quantity:.2f}"]
            for number, who, when, lines in ORDERS
            for product, quantity in lines
            if (number > 30) == bool(half)
        ]
        write(f"m/orders_{half}.csv", rows)
    draft = answered(["m"], {})
    assert "# what they are called in other files" in draft
    orders = try_sources(load_settings({}, working_folder=folder), whole=True).orders
    assert float(orders.net_revenue) == pytest.approx(all_money(), abs=0.005), draft
    assert orders.customers == 9
