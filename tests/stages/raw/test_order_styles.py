"""One shop, written as different systems export it, and read back: nothing is lost, and the money is the shop's to the cent."""

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stages.raw.conftest import Shop

CENT = Decimal("0.01")
LEVELS = ("line", "every line", "first line")
REFUNDS = ("status", "column", "rows before", "rows behind")
#: Words for a sale, for an order that came to nothing, and what has to be declared for them.
VOCABULARIES = (
    ("paid", "refunded", {}),
    ("wc-processing", "wc-cancelled", {"wc-processing": "sale", "wc-*": "void"}),
    ("Bezahlt", "Storniert", {"bezahlt": "sale", "STORNIERT": "void"}),
)


@dataclass(frozen=True)
class Order:
    """An order of the simulated shop: its lines in cents and units, and what was given back, in hundredths of its total."""

    customer: int
    day: date
    lines: tuple[tuple[int, int], ...]
    back: int
    back_on: date
    comes_to_nothing: bool


DAYS = st.dates(date(2024, 1, 1), date(2024, 6, 30))
ORDERS = st.lists(
    st.builds(
        Order,
        customer=st.integers(1, 5),
        day=DAYS,
        lines=st.lists(st.tuples(st.integers(1, 99_999), st.integers(1, 4)), min_size=1, max_size=4).map(tuple),
        back=st.sampled_from([0, 0, 0, 33, 100]),
        back_on=DAYS,
        comes_to_nothing=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)


def written(orders, level, refunds, vocabulary):
    """The files of the shop, their keys, and its money per customer and month."""
    sale, nothing, statuses = vocabulary
    truth, files = defaultdict(Decimal), {"m-orders.csv": []}
    has_rows = refunds.startswith("rows")
    refund_file = (
        files.setdefault("a-refunds.csv" if refunds == "rows before" else "z-refunds.csv", []) if has_rows else []
    )
    for number, order in enumerate(orders):
        total = sum(Decimal(cents * units) for cents, units in order.lines) / 100
        # A status can only take back all of an order, whatever the column of refunds says: all of it, or nothing.
        is_whole = refunds == "status" or order.comes_to_nothing
        back = 0 if is_whole and order.back < 100 else order.back
        refunded = (total * back / 100).quantize(CENT)
        is_nothing = order.comes_to_nothing or (refunds == "status" and back == 100)
        if not is_nothing:
            truth[str(order.customer), order.day.strftime("%Y-%m")] += total
            truth[str(order.customer), (order.back_on if has_rows else order.day).strftime("%Y-%m")] -= refunded
        whole = {
            "who": order.customer,
            "when": order.day,
            "state": nothing if is_nothing else sale,
            "total": total,
            # A shop that does not keep the column has 0 in it for an order that came to nothing.
            "back": refunded if refunds == "column" else "",
        }
        for place, (cents, units) in enumerate(order.lines):
            line = {"order": f"o{number}", "sku": f"p{place}", "n": units, "price": Decimal(cents) / 100}
            is_first = place == 0 or level == "every line"
            shown = whole if level == "line" else whole if is_first else dict.fromkeys(whole, "")
            own = {"total": units * Decimal(cents) / 100} if level == "line" else {}
            files["m-orders.csv"].append({**line, **shown, **own, "parent": ""})
        if has_rows and refunded:
            refund_file.append(
                {"order": f"r{number}", "parent": f"o{number}", "when": order.back_on, "total": -refunded}
            )
    keys = {
        "statuses": statuses,
        "columns": {**COLUMNS, **({"refunded_amount": "back"} if refunds == "column" else {})},
    }
    if has_rows:
        keys["columns"]["parent_order_id"] = "parent"
    if level != "line":
        keys["amount_level"] = "order"
    elif refunds == "column":
        keys["refund_level"] = "order"
    if level == "first line":
        keys["carry"] = ["customer_id", "ordered_at", "order_status"]
    return files, keys, {place: money for place, money in truth.items() if money}


FIELDS = ("order", "parent", "who", "when", "state", "total", "back", "sku", "n", "price")
COLUMNS = {
    "customer_id": "who",
    "ordered_at": "when",
    "order_id": "order",
    "amount": "total",
    "order_status": "state",
    "product_id": "sku",
}
BASE = {"path": "*.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "EUR"}


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory):
    return Shop(tmp_path_factory.mktemp("shop"))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    orders=ORDERS,
    level=st.sampled_from(LEVELS),
    refunds=st.sampled_from(REFUNDS),
    vocabulary=st.sampled_from(VOCABULARIES),
    has_prices=st.booleans(),
)
def test_a_shop_is_read_back_to_the_cent_from_every_style_of_export(
    one_shop, orders, level, refunds, vocabulary, has_prices
):
    files, keys, truth = written(orders, level, refunds, vocabulary)
    for old in one_shop.folder.glob("*.csv"):
        old.unlink()
    for name, rows in files.items():
        if rows:
            text = io.StringIO()
            writer = csv.DictWriter(text, FIELDS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            one_shop.write(name, text.getvalue())
    if has_prices:
        keys["columns"] = {**keys["columns"], "quantity": "n", "unit_price": "price"}
    report = one_shop.load(declared={**BASE, **keys})
    assert report.rows_read == report.rows_accepted + report.rows_rejected == sum(map(len, files.values()))
    assert set(report.reasons) <= {"void_status"}
    assert not [item for item in report.statuses if item.is_unknown]
    found = one_shop.rows(
        "select customer_id, strftime(ordered_on, '%Y-%m') as month, sum(amount) as amount from raw.orders group by 1, 2"
    )
    assert {(row["customer_id"], row["month"]): row["amount"] for row in found if row["amount"]} == truth
    assert not one_shop.column("select count(*) from raw.orders where not is_return and product_id is null")[0]
