"""What the limits of a first load are judged on: rows and money set aside, ids that mean nobody, test orders.

Elsewhere: the verdict (``first_load.py``), rows that could not be read (``unreadable.py``), files that overlap
(``measures.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tdml_assets.declaration.sources import OrdersSource, Sources
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.after_file import AfterFile, read_after_file
from tdml_assets.stages.data_quality.history_breaks import CustomerDays, read_customer_days
from tdml_assets.stages.data_quality.lacking_columns import read_lacking
from tdml_assets.stages.data_quality.mixed_units import MixedUnits, WholeFile, read_mixed_units, read_whole_files
from tdml_assets.stages.data_quality.renumbered import TwinDay, read_twin_days
from tdml_assets.stages.data_quality.unreadable import currency_rate, line_size
from tdml_assets.stages.raw.contracts import DECLARED_OUT, ORDERS, REJECTED_ROWS
from tdml_assets.stages.raw.hints import UNREADABLE

#: Reasons that a declaration asks for, or that another row of the same key makes: nothing is lost with such rows.
MEANT = ("duplicate_line", "superseded_line", *DECLARED_OUT)
#: Rows that could not be read have limits of their own.
NOT_COUNTED = (*MEANT, *UNREADABLE)
#: Ids by which systems say that they know nobody, in lower case. Ids of zeros alone are found as well.
EMPTY_IDS = (
    *(
        "guest",
        "gast",
        "invité",
        "invite",
        "invitado",
        "ospite",
        "anonymous",
        "anonym",
        "anonyme",
        "anon",
        "unknown",
        "unbekannt",
    ),
    *(
        "inconnu",
        "nan",
        "null",
        "none",
        "nil",
        "n/a",
        "na",
        "#n/a",
        "undefined",
        "missing",
        "empty",
        "blank",
        "(blank)",
        "(not set)",
    ),
    *(
        "not set",
        "no customer",
        "walk-in",
        "walkin",
        "walk in",
        "nobody",
        "-",
        "--",
        "?",
        ".",
        "-1",
        "false",
        "<na>",
        "nat",
    ),
    *("guest@example.com", "noemail@example.com", "no-email", "noemail"),
)
#: Names and domains that are kept for tests.
TEST_PATTERN = r"(^|[^a-z])tests?([^a-z]|$)|@example\.(com|org|net)$|@test\."
#: Numbers of many digits as a spreadsheet saves them: the digits behind those shown are lost.
ROUNDED_PATTERN = r"[0-9][.,][0-9]+E\+[0-9]{2,3}"
_SAMPLED_ROWS = 20_000


@dataclass(frozen=True)
class SetAside:
    """Rows of the orders that were set aside for a fault, but for those that could not be read.

    ``judged_rows``: rows read, but for those meant to be left out. ``reasons``: of these, rows set aside per reason. ``money``,
    ``accepted_money``: sums of the sizes of amounts, in the reporting currency; the former estimated from a sample.
    ``accepted_lines``: order lines that were accepted. ``continue_orders``: share of the sampled rows without a customer whose
    order has a line with one. ``without_order``: share of those rows that have no order either.
    """

    judged_rows: int
    reasons: Mapping[str, int]
    money: float = 0.0
    accepted_money: float = 0.0
    accepted_lines: int = 0
    continue_orders: float = 0.0
    without_order: float = 0.0

    @property
    def rows(self) -> int:
        """Rows set aside."""
        return sum(self.reasons.values())

    @property
    def share(self) -> float:
        """Share of the rows judged."""
        return self.rows / self.judged_rows if self.judged_rows else 0.0

    @property
    def money_share(self) -> float:
        """Share of the money, rows that could not be read included as average ones: another check judges those."""
        known = self.rows + self.accepted_lines
        total = self.money + self.accepted_money
        total *= max(self.judged_rows, known) / known if known else 1.0
        return self.money / total if total else 0.0


@dataclass(frozen=True)
class OddIds:
    """Order lines and money under ids that mean nobody, per such id, and under ids of tests.

    ``column`` is the source's column of customer ids, ``customers`` the number of different ids.
    """

    column: str
    words: Mapping[str, tuple[int, float]]
    test_lines: int = 0
    test_money: float = 0.0
    customers: int = 0


@dataclass(frozen=True)
class ZeroAmounts:
    """Accepted order lines, those whose amount is 0, and the source's column of money."""

    lines: int
    zeros: int
    column: str


@dataclass(frozen=True)
class RoundedIds:
    """Order lines, and those whose id of a customer, an order or a product is a number that a spreadsheet has rounded."""

    lines: int
    customer_lines: int
    order_lines: int
    product_lines: int


@dataclass(frozen=True)
class FirstLoad:
    """Everything the limits of a first load need besides what other checks read."""

    set_aside: SetAside
    zero_amounts: ZeroAmounts
    odd_ids: OddIds
    customer_days: CustomerDays
    after_file: AfterFile | None = None
    twin_days: tuple[TwinDay, ...] = ()
    mixed_units: MixedUnits | None = None
    whole_files: tuple[WholeFile, ...] = ()
    rounded_ids: RoundedIds | None = None
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_first_load(reader: Reader, day: date, sources: Sources, judged_rows: int, min_rows: int) -> FirstLoad | None:
    """Read it; ``None`` without declared orders.

    ``judged_rows``: rows of the orders' files, but for those that another row of the same key replaced. ``min_rows``: order lines
    that a file must have to be held against its time.
    """
    if sources.orders is None:
        return None
    rows = reader.rows(
        render("data_quality/odd_ids", orders=ORDERS.path, as_of=day, words=list(EMPTY_IDS), test_pattern=TEST_PATTERN)
    )
    tests = next((row for row in rows if row["word"] is None), {"lines": 0, "money": 0.0})
    words = {row["word"]: (row["lines"], row["money"]) for row in rows if row["word"] is not None}
    customers = int(rows[0]["customers"]) if rows else 0
    odd = OddIds(sources.orders.mapped["customer_id"], words, int(tests["lines"]), float(tests["money"]), customers)
    late = read_after_file(reader, sources.orders, min_rows)
    money = reader.row(render("data_quality/accepted_money", orders=ORDERS.path))
    column = sources.orders.mapped.get("amount") or sources.orders.mapped.get("unit_price", "")
    zeros = ZeroAmounts(money["lines"], money["zeros"], column)
    set_aside = _set_aside(reader, sources.orders, judged_rows, money)
    rounded = reader.row(render("data_quality/rounded_ids", orders=ORDERS.path, as_of=day, pattern=ROUNDED_PATTERN))
    return FirstLoad(
        set_aside,
        zeros,
        odd,
        read_customer_days(reader, day),
        after_file=late,
        twin_days=read_twin_days(reader, day),
        mixed_units=read_mixed_units(reader, day),
        whole_files=read_whole_files(reader, day),
        rounded_ids=RoundedIds(**rounded),
        lacking=read_lacking(reader, sources.orders),
    )


def _set_aside(reader: Reader, declaration: OrdersSource, judged_rows: int, found: Mapping[str, Any]) -> SetAside:
    given = {"rejected": REJECTED_ROWS.path, "source": "orders", "meant": list(NOT_COUNTED)}
    reasons = {row["reason"]: row["row_count"] for row in reader.rows(render("data_quality/set_aside", **given))}
    accepted = found["money"]
    if not reasons:
        return SetAside(judged_rows, reasons, 0.0, accepted, found["lines"])
    rows = reader.rows(render("data_quality/set_aside_sample", **given, most=_SAMPLED_ROWS))
    sampled = [(row["reason"], json.loads(row["content"])) for row in rows]
    sizes = [line_size(declaration, content) * currency_rate(declaration, content) for _, content in sampled]
    if found["largest"] is not None:
        # Of a row out of bounds the amount itself may be the fault, such as a price of ten digits: it stands for one large line.
        sizes = [min(size, found["largest"]) for size in sizes]
    money = sum(sizes) * sum(reasons.values()) / len(sampled)
    unknown = [content for reason, content in sampled if reason == "missing_customer"]
    column = declaration.columns.order_id
    orders = [str(content.get(column) or "").strip() for content in unknown] if column is not None else []
    return SetAside(
        judged_rows,
        reasons,
        money,
        accepted,
        found["lines"],
        continue_orders=_continued(reader, orders),
        without_order=orders.count("") / len(orders) if orders else 0.0,
    )


def _continued(reader: Reader, orders: Sequence[str]) -> float:
    """Share of the orders of rows without a customer that are among the accepted ones."""
    different = sorted({order for order in orders if order})
    if not different:
        return 0.0
    found = reader.row(render("data_quality/known_orders", orders=ORDERS.path, wanted=different))["known"]
    return float(found) / len(different)
