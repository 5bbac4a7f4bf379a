"""What looks wrong in the orders of a trial load, and is not removed: tests, months that fall out; and their own currencies.

Elsewhere: the other figures (``check_facts.py``), what stops a run (``preflight.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.first_load_measures import TEST_PATTERN
from tdml_assets.stages.raw.contracts import CUSTOMERS, ORDERS
from tdml_assets.stages.raw.currencies import exponent_of

_MOST_CURRENCIES = 20
#: Lines of 0.01 or 1.00 of one customer, who has no others, from where they look like tests.
_REPEATED = 3
#: Products whose name is made of a test and nothing that is sold: not "pregnancy test" or "test strips".
_PRODUCT_PATTERN = r"^(test|test[ _-]?(product|item|artikel|produkt|sku|order|\d*)|dummy)$"
_WORDS = {
    "customer_id": "ids of customers such as test@ or @example.com",
    "customers": "customers whose name or other columns say test",
    "order_id": "numbers of orders such as TEST-1",
    "product": "products such as TEST",
    "order_type": "order_type says test",
    "amount": "customers with no amounts but 0.01 or 1.00, several times",
}
#: Share of the months around it below which a month falls out.
_FALLS = Decimal("0.25")
_AROUND = 2
#: Order lines a month from where a thin month is more than chance.
_FEWEST_LINES = 20


@dataclass(frozen=True)
class OwnCurrency:
    """A currency of the source: accepted lines, their money before and after conversion, and rows set aside."""

    currency: str
    order_lines: int
    amount: Decimal
    converted: Decimal
    refused_rows: int


@dataclass(frozen=True)
class TestSign:
    """Order lines that look like tests: by what, how many, of how many customers, and their money."""

    __test__ = False
    sign: str
    order_lines: int
    customers: int
    amount: Decimal

    @property
    def words(self) -> str:
        """What says so."""
        return _WORDS[self.sign]


@dataclass(frozen=True)
class OddMonth:
    """A month with much less revenue than those around it; ``usual`` is their median."""

    month: str
    net_revenue: Decimal
    usual: Decimal


def read_own_currencies(reader: Reader, declared: OrdersSource, files: Sequence[str]) -> tuple[OwnCurrency, ...]:
    """Currencies of the rows that were staged last, the most frequent first; empty without a column of currencies.

    ``files``: names of the files of the load, in their order.
    """
    if declared.columns.currency is None:
        return ()
    rates = {declared.reporting: Decimal(1), **declared.rates}
    currencies = [(code, rate, exponent_of(code)) for code, rate in sorted(rates.items())]
    tables = {"orders": ORDERS.path, "files": list(files)}
    rows = reader.rows(render("check/own_currencies", **tables, currencies=currencies, most=_MOST_CURRENCIES))
    return tuple(OwnCurrency(**row) for row in rows)


def read_test_signs(reader: Reader) -> tuple[TestSign, ...]:
    """Order lines that look like tests. A line counts once, by the first sign."""
    fixed = {"customer_id", "source", "file", "row_number"}
    named = [name for name in reader.columns(CUSTOMERS.path) if name not in fixed]
    rows = reader.rows(
        render(
            "check/test_orders",
            orders=ORDERS.path,
            customers=CUSTOMERS.path,
            named=named,
            repeated=_REPEATED,
            test_pattern=TEST_PATTERN,
            product_pattern=_PRODUCT_PATTERN,
        )
    )
    return tuple(TestSign(**row) for row in rows)


def odd_months(months: Sequence[tuple[str, Decimal]], order_lines: int) -> tuple[OddMonth, ...]:
    """Months that fall out: without orders, or with a small share of the revenue around them.

    ``months``: YYYY-MM and its revenue, ascending. The first and the last may be cut, and are not judged. ``order_lines``: in all
    of them; with few a month none is judged.
    """
    known = dict(months)
    names = _all_months(months[0][0], months[-1][0]) if months else []
    if order_lines < _FEWEST_LINES * len(names):
        return ()
    revenues = [known.get(name, Decimal(0)) for name in names]
    found = []
    for place in range(1, len(names) - 1):
        around = [*revenues[max(0, place - _AROUND) : place], *revenues[place + 1 : place + 1 + _AROUND]]
        usual = median(around)
        if usual > 0 and revenues[place] < _FALLS * usual:
            found.append(OddMonth(names[place], revenues[place], Decimal(usual)))
    return tuple(found)


def _all_months(first: str, last: str) -> list[str]:
    (year, month), end = (int(part) for part in first.split("-")), last
    names = []
    while (name := f"{year:04}-{month:02}") <= end:
        names.append(name)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return names


def sign_notes(signs: Sequence[TestSign], months: Sequence[OddMonth]) -> list[str]:
    """These figures as notes of ``check``."""
    notes = [
        f"raw.orders: {sign.order_lines:,} order lines, {sign.amount:,.2f} of money, of {sign.customers:,} customers look like "
        f"tests: {sign.words}. They are kept. To leave them out give them a status that is ignored, or take them out of the file"
        for sign in signs
        # Ids have a check of their own.
        if sign.sign != "customer_id"
    ]
    if months:
        listed = ", ".join(f"{one.month} ({one.net_revenue:,.2f}; around it {one.usual:,.2f})" for one in months[:6])
        notes.append(f"raw.orders: months that fall out: {listed}. Is a file missing?")
    return notes
