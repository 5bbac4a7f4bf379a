"""The features against a plain computation in Python, customer by customer."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import mean, stdev
from typing import Any

import pytest

from tests.stages.features.conftest import SNAPSHOTS, Log

WINDOWS = (30, 90, 365)


def _place(line: dict[str, Any]) -> tuple[Any, ...]:
    """Lines of one instant are ordered by what they hold, and by their number only where that is the same."""

    def last(value: Any) -> tuple[bool, Any]:
        return (value is None, value)

    held = (last(line["order_id"]), line["amount"], line["units"], last(line["product_category"]))
    channels = {"website": "online", "mobile app": "online", "in-store": "offline"}
    how = (bool(line["coupon_used"]), last(channels.get((line["order_type"] or "").lower())))
    return (line["ordered_at"], line["is_return"], *held, *how, line["number"])


def net_of_returns(lines: list[dict[str, Any]]) -> dict[int, Decimal]:
    """Units left per sale line: a return takes from the top of a stack of sales of its product."""
    left = {line["number"]: line["units"] for line in lines if line["units"] > 0}
    stacks: dict[str, list[int]] = defaultdict(list)
    for line in sorted(lines, key=_place):
        if line["product_id"] is None:
            continue
        stack = stacks[line["product_id"]]
        if line["units"] > 0:
            stack.append(line["number"])
            continue
        to_take = -line["units"]
        while to_take and stack:
            taken = min(to_take, left[stack[-1]])
            left[stack[-1]] -= taken
            to_take -= taken
            if not left[stack[-1]]:
                stack.pop()
    return left


def favourite(rows: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """The most frequent and the latest name of (name, instant) pairs; ties as documented."""
    if not rows:
        return None, None
    counts, last = Counter(name for name, _ in rows), {}
    for name, instant in rows:
        last[name] = max(last.get(name, instant), instant)
    by_name = sorted(counts)
    return (
        max(by_name, key=lambda name: (counts[name], last[name])),
        max(by_name, key=lambda name: last[name]),
    )


def expected_features(log: Log, customer: str, snapshot: date) -> dict[str, Any] | None:
    lines = [
        {**row, "number": number, "amount": Decimal(str(row["amount"]))}
        for number, row in enumerate(log.orders, start=1)
        if row["customer_id"] == customer and row["ordered_on"] <= snapshot
    ]
    for line in lines:
        line["units"] = Decimal(abs(line["quantity"] or 1)) * (-1 if line["is_return"] else 1)
    left = net_of_returns(lines)
    sales = [line for line in lines if left.get(line["number"], 0) > 0]
    if not sales:
        return None

    def value(line: dict[str, Any]) -> Decimal:
        share = left[line["number"]] / line["units"]
        return Decimal(str(round(float(line["amount"]) * float(share), 4)))

    orders: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for line in sales:
        orders[line["ordered_on"], line["order_id"] or f"log.csv:{line['number']}"] += value(line)
    days: dict[date, Decimal] = defaultdict(Decimal)
    for (day, _), worth in orders.items():
        days[day] += worth
    ordered = sorted(days)
    gaps = [(later - earlier).days for earlier, later in pairwise(ordered)]
    most, last = favourite([(row["product_category"], row["ordered_at"]) for row in sales if row["product_category"]])
    found: dict[str, Any] = {
        "total_spend": float(sum(line["amount"] for line in lines)),
        "returned_amount": float(sum(-line["amount"] for line in lines if line["units"] < 0)),
        "total_orders": len(orders),
        "total_items": float(sum(line["units"] for line in lines)),
        "distinct_items_ordered": len({line["product_id"] for line in sales} - {None}),
        "distinct_categories_ordered": len({line["product_category"] for line in sales} - {None}),
        "coupons_used": len(
            {(row["ordered_on"], row["order_id"] or row["number"]) for row in sales if row["coupon_used"]}
        ),
        "canceled_orders": len(
            {(row["ordered_on"], row["order_id"] or row["number"]) for row in lines if row["units"] < 0}
        ),
        "max_order_value": float(max(orders.values())),
        "most_ordered_category": most,
        "last_ordered_category": last,
        "repeat_purchase_days": len(days) - 1,
        "recency_days": (ordered[-1] - ordered[0]).days,
        "tenure_days": (snapshot - ordered[0]).days,
        "days_since_last_order": (snapshot - ordered[-1]).days,
        "avg_repeat_day_value": float(sum(days[day] for day in ordered[1:])) / len(gaps) if gaps else None,
        "mean_days_between_orders": mean(gaps) if gaps else None,
        "stddev_days_between_orders": stdev(gaps) if len(gaps) > 1 else None,
    }
    for length in WINDOWS:
        start = snapshot - timedelta(days=length)
        found[f"total_spend_{length}d"] = float(sum(row["amount"] for row in lines if row["ordered_on"] > start))
        found[f"total_orders_{length}d"] = sum(day > start for day, _ in orders)
    return found | expected_events(log, customer, snapshot)


def expected_events(log: Log, customer: str, snapshot: date) -> dict[str, Any]:
    views = [row for row in log.pageviews if row["customer_id"] == customer and row["viewed_on"] <= snapshot]
    mails = [row for row in log.email_events if row["customer_id"] == customer and row["sent_on"] <= snapshot]
    kinds = Counter({"sent": "send"}.get(row["event_type"].lower(), row["event_type"].lower()) for row in mails)
    sent = [row for row in mails if row["event_type"].lower() in ("send", "sent")]
    opened = [row for row in mails if row["event_type"].lower() == "open" and row["campaign_name"]]
    most_path, last_path = favourite([(row["path"], row["viewed_at"]) for row in views if row["path"]])
    most_campaign, _ = favourite([(row["campaign_name"], row["sent_at"]) for row in sent if row["campaign_name"]])
    _, opened_campaign = favourite([(row["campaign_name"], row["sent_at"]) for row in opened])
    month = snapshot - timedelta(days=30)
    return {
        "total_pageviews": len(views),
        "total_pageviews_30d": sum(row["viewed_on"] > month for row in views),
        "distinct_paths_visited": len({row["path"] for row in views} - {None}),
        "most_visited_path": most_path,
        "last_visited_path": last_path,
        "days_since_last_pageview": (snapshot - max(row["viewed_on"] for row in views)).days if views else None,
        "email_sends": kinds["send"],
        "email_opens": kinds["open"],
        "email_clicks": kinds["click"],
        "email_unsubscribes": kinds["unsubscribe"],
        "email_bounces": kinds["bounce"],
        "email_clicks_30d": sum(row["event_type"] == "click" and row["sent_on"] > month for row in mails),
        "distinct_emails_sent": len({row["email_name"] for row in sent}),
        "most_emailed_campaign": most_campaign,
        "last_email_campaign_opened": opened_campaign,
        "days_since_last_email_event": (snapshot - max(row["sent_on"] for row in mails)).days if mails else None,
    }


@pytest.mark.parametrize("snapshot", SNAPSHOTS)
def test_features_are_what_a_plain_computation_gives_for_every_customer(built, log, snapshot):
    stored = {
        row["customer_id"]: row
        for row in built[0].rows(f"from features.customer_features where snapshot_date = '{snapshot}'")
    }
    customers = {row["customer_id"] for row in log.orders}
    expected = {name: found for name in customers if (found := expected_features(log, name, snapshot)) is not None}

    assert set(stored) == set(expected)
    assert len(expected) < len(customers), "the log must hold customers outside the population"
    for name, features in expected.items():
        for feature, value in features.items():
            is_float = isinstance(value, float)
            same = (
                math.isclose(stored[name][feature], value, abs_tol=1e-6) if is_float else stored[name][feature] == value
            )
            assert same, (snapshot, feature, stored[name][feature], value)


def test_the_log_exercises_what_is_tested(log):
    assert sum(row["amount"] < 0 for row in log.orders) > 50
    assert any(row["order_id"] is None for row in log.orders)
    assert any(row["product_id"] is None for row in log.orders)
    assert {row["customer_id"] for row in log.orders} - {row["customer_id"] for row in log.pageviews}
