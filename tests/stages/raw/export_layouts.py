"""One simulated shop, written in the layout of files and of exports that systems have: used by a property test and its study.

Belongs here: orders, the layouts of their files, and the columns of each preset. Does not: reading them back.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

Row = dict[str, str]
#: Money by customer and month.
Truth = dict[tuple[str, str], Decimal]


@dataclass(frozen=True)
class Sale:
    """An order: its lines in cents and units, and what of it came back, in hundredths."""

    customer: int
    day: date
    lines: tuple[tuple[int, int], ...]
    back: int
    comes_to_nothing: bool

    @property
    def total(self) -> Decimal:
        return sum((Decimal(cents * units) for cents, units in self.lines), Decimal(0)) / 100

    @property
    def refunded(self) -> Decimal:
        return (self.total * self.back / 100).quantize(Decimal("0.01"))

    @property
    def buyer(self) -> str:
        return f"k{self.customer}@shop.example"


SALES = st.lists(
    st.builds(
        Sale,
        customer=st.integers(1, 5),
        day=st.dates(date(2024, 1, 1), date(2024, 6, 30)),
        lines=st.lists(st.tuples(st.integers(1, 250_000), st.integers(1, 4)), min_size=1, max_size=3).map(tuple),
        back=st.sampled_from([0, 0, 33, 100]),
        comes_to_nothing=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=6,
)


def truth_of(sales: Sequence[Sale], *, by_order: bool = False) -> Truth:
    """What a shop has earned; ``by_order`` where an export names no customer and an order stands for one."""
    truth: Truth = defaultdict(Decimal)
    for number, sale in enumerate(sales):
        if not sale.comes_to_nothing:
            name = f"o{number}" if by_order else sale.buyer
            truth[name, sale.day.strftime("%Y-%m")] += sale.total - sale.refunded
    return {place: money for place, money in truth.items() if money}


# ---- presets ----


def _shopify(number: int, sale: Sale) -> list[Row]:
    state = "voided" if sale.comes_to_nothing else "refunded" if sale.back == 100 else "paid"
    rows = []
    for place, (cents, units) in enumerate(sale.lines):
        whole = {
            "Financial Status": state,
            "Total": str(sale.total),
            "Refunded Amount": str(sale.refunded),
            "Currency": "EUR",
        }
        line = {"Name": f"o{number}", "Email": sale.buyer, "Created at": f"{sale.day} 11:00:00 +0100"}
        item = {"Lineitem quantity": str(units), "Lineitem price": f"{cents / 100:.2f}", "Lineitem sku": f"p{place}"}
        rows.append({**line, **(whole if place == 0 else {}), **item, "Lineitem name": "Tea"})
    return rows


def _woocommerce(number: int, sale: Sale) -> list[Row]:
    # No column of refunds: an order is whole, or gone.
    state = "wc-cancelled" if sale.comes_to_nothing else "wc-refunded" if sale.back else "wc-completed"
    return [
        {
            "Order ID": f"o{number}",
            "Order Status": state,
            "Order Date": f"{sale.day:%m/%d/%Y} 03:05 PM",
            "Billing Email": sale.buyer,
            "Order Total": str(sale.total),
        }
    ]


def _magento(number: int, sale: Sale) -> list[Row]:
    state = "Canceled" if sale.comes_to_nothing else "Closed" if sale.back == 100 else "Complete"
    return [
        {
            "ID": f"o{number}",
            "Purchase Point": "Main",
            "Purchase Date": f"{sale.day:%b} {sale.day.day}, {sale.day.year} 3:05:09 PM",
            "Grand Total (Base)": f"${sale.total:,}",
            "Status": state,
            "Customer Email": sale.buyer,
            "Total Refunded": f"${sale.refunded:,}" if sale.back else "",
        }
    ]


def _stripe(number: int, sale: Sale) -> list[Row]:
    state = "Failed" if sale.comes_to_nothing else "Refunded" if sale.back == 100 else "Paid"
    return [
        {
            "id": f"o{number}",
            "Created date (UTC)": f"{sale.day} 10:15:00",
            "Amount": str(sale.total),
            "Amount Refunded": str(sale.refunded),
            "Currency": "eur",
            "Customer Email": sale.buyer,
            "Status": state,
        }
    ]


def _square(number: int, sale: Sale) -> list[Row]:
    def row(order: str, units: int, amount: Decimal, kind: str) -> Row:
        shown = f"(${-amount:,})" if amount < 0 else f"${amount:,}"
        own = {"Qty": str(units), "Net Sales": shown, "Event Type": kind, "Transaction ID": order}
        return {
            "Date": str(sale.day),
            "Category": "Tea",
            "Item": "Assam",
            "SKU": "T1",
            "Customer ID": sale.buyer,
            **own,
        }

    if sale.comes_to_nothing:
        return []
    rows = [row(f"o{number}", units, Decimal(cents * units) / 100, "Payment") for cents, units in sale.lines]
    return [*rows, row(f"r{number}", -1, -sale.refunded, "Refund")] if sale.back else rows


def _amazon(number: int, sale: Sale) -> list[Row]:
    def row(kind: str, about: str, amount: Decimal) -> Row:
        own = {"transaction-type": kind, "order-id": f"o{number}", "amount-description": about, "amount": str(amount)}
        return {
            **own,
            "posted-date-time": f"{sale.day} 10:15:00 UTC",
            "sku": "T1",
            "quantity-purchased": "",
            "currency": "",
        }

    if sale.comes_to_nothing:
        return []
    rows = [row("Order", "Principal", Decimal(cents * units) / 100) for cents, units in sale.lines]
    rows.append(row("Order", "Commission", Decimal("-1.20")))
    return [*rows, row("Refund", "Principal", -sale.refunded)] if sale.back else rows


def _retail(number: int, sale: Sale) -> list[Row]:
    def row(order: str, units: int, price: Decimal, code: str) -> Row:
        own = {"Quantity": str(units), "UnitPrice": str(price), "StockCode": code, "Description": "HOLDER"}
        return {"InvoiceNo": order, "CustomerID": sale.buyer, "InvoiceDate": f"{sale.day:%m/%d/%Y} 8:26", **own}

    if sale.comes_to_nothing:
        return []
    rows = [row(f"o{number}", units, Decimal(cents) / 100, "A") for cents, units in sale.lines]
    return [*rows, row(f"C{number}", -1, sale.refunded, "A")] if sale.back else rows


#: Rows of an order in the layout of a preset, and the keys that no preset knows.
PRESET_ROWS: dict[str, tuple[Callable[[int, Sale], list[Row]], dict[str, Any]]] = {
    "shopify": (_shopify, {"reporting_currency": "EUR"}),
    "woocommerce": (_woocommerce, {"currency": "EUR"}),
    "magento": (_magento, {"currency": "USD"}),
    "stripe": (_stripe, {"reporting_currency": "EUR"}),
    "square": (_square, {"currency": "USD"}),
    "amazon_settlement": (_amazon, {"currency": "EUR"}),
    "online_retail": (_retail, {}),
}


def preset_rows(preset: str, sales: Sequence[Sale]) -> tuple[list[list[Row]], Truth]:
    """Rows per order in the layout of a preset, and the money they come to."""
    write, _ = PRESET_ROWS[preset]
    if preset == "woocommerce":
        sales = [Sale(one.customer, one.day, one.lines, 100 if one.back else 0, one.comes_to_nothing) for one in sales]
    return [write(number, sale) for number, sale in enumerate(sales)], truth_of(
        sales, by_order=preset == "amazon_settlement"
    )


# ---- layouts of files ----


def _text(rows: Sequence[Row], delimiter: str = ",") -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _files(folder: Path, orders: Sequence[Sequence[Row]], delimiter: str) -> dict[str, Any]:
    """Every order in a file of its own, in folders of a day each."""
    for number, rows in enumerate(orders):
        if rows:
            place = folder / f"part-{number % 3}"
            place.mkdir(exist_ok=True)
            (place / f"{number}.csv").write_text(_text(rows, delimiter))
    return {"path": ".", "recursive": True}


def _single(folder: Path, orders: Sequence[Sequence[Row]], delimiter: str) -> dict[str, Any]:
    (folder / "o.csv").write_text(_text([row for rows in orders for row in rows], delimiter))
    return {"path": "o.csv"}


def _gzip(folder: Path, orders: Sequence[Sequence[Row]], delimiter: str) -> dict[str, Any]:
    text = _text([row for rows in orders for row in rows], delimiter)
    (folder / "o.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return {"path": "o.csv.gz"}


def _zip(folder: Path, orders: Sequence[Sequence[Row]], delimiter: str) -> dict[str, Any]:
    with zipfile.ZipFile(folder / "o.zip", "w") as archive:
        archive.writestr("export/o.csv", _text([row for rows in orders for row in rows], delimiter))
    return {"path": "o.zip"}


def _sheet(folder: Path, orders: Sequence[Sequence[Row]], _: str) -> dict[str, Any]:
    rows = [row for one in orders for row in one]
    names = list(dict.fromkeys(name for row in rows for name in row))
    book = openpyxl.Workbook()
    for row in [dict(zip(names, names, strict=True)), *rows]:
        book.active.append([row.get(name, "") or None for name in names])
    book.save(folder / "o.xlsx")
    return {"path": "o.xlsx", "format": "xlsx"}


def _json_lines(folder: Path, orders: Sequence[Sequence[Row]], _: str) -> dict[str, Any]:
    (folder / "o.jsonl").write_text("".join(json.dumps(row) + "\n" for rows in orders for row in rows))
    return {"path": "o.jsonl", "format": "json"}


def _json_list(folder: Path, orders: Sequence[Sequence[Row]], _: str) -> dict[str, Any]:
    (folder / "o.json").write_text(json.dumps({"data": {"rows": [row for rows in orders for row in rows]}}, indent=1))
    return {"path": "o.json", "format": "json", "records": "data.rows"}


def _parquet(folder: Path, orders: Sequence[Sequence[Row]], _: str) -> dict[str, Any]:
    rows = [row for one in orders for row in one]
    names = list(dict.fromkeys(name for row in rows for name in row))
    pq.write_table(pa.table({name: [row.get(name) or None for row in rows] for name in names}), folder / "o.parquet")
    return {"path": "o.parquet", "format": "parquet"}


def _hive(folder: Path, orders: Sequence[Sequence[Row]], _: str) -> dict[str, Any]:
    """Parquet files in folders that are named after a column that nothing maps."""
    for number, rows in enumerate(orders):
        if rows:
            place = folder / "lake" / f"shard={number % 2}"
            place.mkdir(parents=True, exist_ok=True)
            _parquet(place, [rows], "")
            (place / "o.parquet").rename(place / f"{number}.parquet")
    return {"path": "lake", "format": "parquet", "recursive": True}


LAYOUTS: dict[str, Callable[[Path, Sequence[Sequence[Row]], str], dict[str, Any]]] = {
    "single file": _single,
    "folders": _files,
    "gzip": _gzip,
    "zip": _zip,
    "xlsx": _sheet,
    "json lines": _json_lines,
    "json list": _json_list,
    "parquet": _parquet,
    "hive": _hive,
}
