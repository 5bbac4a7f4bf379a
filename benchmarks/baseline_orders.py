"""The baseline's first half in plain pandas: order lines, features and spend at a day. See ``baseline_session.py``.

Belongs here: reading and judging lines, features, targets. Does not: learning, figures, files.

Written as one would by hand for a table that fits in memory: text is read as categories, each feature is a ``groupby``, and
every snapshot looks at the lines up to its day.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

WINDOWS = (30, 90, 365)
MAX_UNIT_PRICE, EARLIEST = 1_000_000.0, "1990-01-01"
RETURN_STATUSES = ("RETURN", "RETURNED", "CANCEL", "CANCELED", "CANCELLED", "REFUND", "REFUNDED")
ONLINE, OFFLINE = ("Website", "Mobile App"), ("In-Store",)
TEXT = ("most_ordered_category", "last_ordered_category")
_CATEGORIES = ["customer_id", "order_id", "product_id", "product_category", "order_status", "order_type", "currency"]
_COLUMNS = [*_CATEGORIES, "ordered_at", "line_number", "quantity", "unit_price", "coupon_used"]


def read_lines(path: Path, today: date) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read the valid lines, oldest first, and count the others by reason."""
    lines = pq.read_table(path, columns=_COLUMNS, read_dictionary=_CATEGORIES).to_pandas(self_destruct=True)
    reasons = {
        "missing_customer": lines["customer_id"].isna() | (lines["customer_id"] == ""),
        "bad_timestamp": ~lines["ordered_at"].between(
            pd.Timestamp(EARLIEST), pd.Timestamp(today) + pd.Timedelta(days=1)
        ),
        "out_of_bounds": ~lines["unit_price"].between(0, MAX_UNIT_PRICE),
        "duplicate": lines.duplicated(["order_id", "line_number"], keep="last"),
    }
    rejected, keep = {}, pd.Series(data=True, index=lines.index)
    for reason, bad in reasons.items():
        rejected[reason] = int((keep & bad).sum())
        keep &= ~bad
    lines = lines[keep].drop(columns=["line_number", "currency"])
    lines["is_return"] = lines["order_status"].isin(RETURN_STATUSES) | (lines["quantity"] < 0)
    sign = np.where(lines["is_return"], -1.0, 1.0)
    lines["units"] = sign * lines["quantity"].abs()
    lines["amount"] = lines["units"] * lines["unit_price"]
    lines["day"] = lines["ordered_at"].dt.normalize()
    lines["is_online"] = lines["order_type"].isin(ONLINE)
    lines["is_offline"] = lines["order_type"].isin(OFFLINE)
    lines = lines.drop(columns=["order_status", "order_type", "quantity", "unit_price"])
    return lines.sort_values("ordered_at", kind="stable", ignore_index=True), rejected


def match_returns(lines: pd.DataFrame) -> pd.DataFrame:
    """Find the sale that each returned line takes from: the latest earlier one of the product to the customer."""
    sales = lines.loc[~lines["is_return"], ["ordered_at", "customer_id", "product_id"]].reset_index(names="sale")
    returns = lines.loc[lines["is_return"], ["ordered_at", "customer_id", "product_id", "day", "units"]]
    matched = pd.merge_asof(returns, sales, on="ordered_at", by=["customer_id", "product_id"])
    return matched.dropna(subset="sale").astype({"sale": int})[["sale", "day", "units"]]


def sales_at(lines: pd.DataFrame, returns: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Lines sold up to a day, with what is left of them; what was given back whole is gone."""
    sales = lines[~lines["is_return"] & (lines["day"] <= day)]
    back = returns[returns["day"] <= day].groupby("sale")["units"].sum().reindex(sales.index, fill_value=0.0)
    left = (sales["units"] + back).clip(lower=0)
    return sales.assign(amount=sales["amount"] * left / sales["units"], units=left)[left > 0]


def features_at(lines: pd.DataFrame, returns: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Features of every customer with a sale left at the end of a day, one row each."""
    sales = sales_at(lines, returns, day)
    seen = lines[lines["day"] <= day]
    found = pd.concat(
        [_money(seen, day), _orders(sales, day), _rhythm(sales, day), _assortment(sales)], axis=1, join="outer"
    )
    found = found[found["total_orders"].notna()]
    found["avg_order_value"] = found["total_spend"] / found["total_orders"]
    found["avg_order_size"] = found["total_items"] / found["total_orders"]
    counts = [name for name in found if name.startswith(("total_orders_", "total_spend_", "total_items_", "returned_"))]
    return found.fillna(dict.fromkeys(counts, 0.0))


def _money(seen: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    returned = seen["amount"].where(seen["is_return"], 0.0)
    canceled = seen[seen["is_return"]].groupby("customer_id", observed=True)["order_id"].nunique()
    by_customer = seen.assign(returned=-returned).groupby("customer_id", observed=True)
    found = by_customer.agg(
        total_spend=("amount", "sum"), returned_amount=("returned", "sum"), total_items=("units", "sum")
    )
    found["gross_spend"] = found["total_spend"] + found["returned_amount"]
    found["return_rate"] = (found["returned_amount"] / found["gross_spend"]).where(found["gross_spend"] > 0, 0.0)
    found["canceled_orders"] = canceled.reindex(found.index, fill_value=0)
    for length in WINDOWS:
        recent = seen[seen["day"] > day - pd.Timedelta(days=length)]
        sums = (
            recent.assign(returned=-recent["amount"].where(recent["is_return"], 0.0))
            .groupby("customer_id", observed=True)[["amount", "units", "returned"]]
            .sum()
        )
        names = {"amount": "total_spend", "units": "total_items", "returned": "returned_amount"}
        found = found.join(sums.rename(columns={old: f"{new}_{length}d" for old, new in names.items()}))
    return found


def _orders(sales: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    orders = sales.groupby("order_id", observed=True, sort=False).agg(
        customer_id=("customer_id", "first"),
        ordered_at=("ordered_at", "min"),
        amount=("amount", "sum"),
        coupon=("coupon_used", "max"),
        online=("is_online", "max"),
        offline=("is_offline", "max"),
    )
    orders = orders.sort_values("ordered_at", kind="stable")
    found = orders.groupby("customer_id", observed=True).agg(
        total_orders=("amount", "size"),
        coupons_used=("coupon", "sum"),
        online_orders=("online", "sum"),
        offline_orders=("offline", "sum"),
        first_order_value=("amount", "first"),
        last_order_value=("amount", "last"),
        max_order_value=("amount", "max"),
    )
    for length in WINDOWS:
        recent = orders[orders["ordered_at"] >= day - pd.Timedelta(days=length - 1)]
        found[f"total_orders_{length}d"] = (
            recent.groupby("customer_id", observed=True).size().reindex(found.index, fill_value=0)
        )
    return found


def _rhythm(sales: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    days = sales.groupby(["customer_id", "day"], observed=True)["amount"].sum().reset_index()
    days["gap"] = days.groupby("customer_id", observed=True)["day"].diff().dt.days
    found = days.groupby("customer_id", observed=True).agg(
        first=("day", "first"),
        last=("day", "last"),
        purchase_days=("day", "size"),
        amount=("amount", "sum"),
        first_amount=("amount", "first"),
        mean_days_between_orders=("gap", "mean"),
        stddev_days_between_orders=("gap", "std"),
    )
    repeats = found["purchase_days"] - 1
    since = (day - found["last"]).dt.days
    length = (found["last"] - found["first"]).dt.days
    return pd.DataFrame(
        {
            "repeat_purchase_days": repeats,
            "recency_days": length,
            "order_history_length": length,
            "tenure_days": (day - found["first"]).dt.days,
            "days_since_last_order": since,
            "avg_repeat_day_value": ((found["amount"] - found["first_amount"]) / repeats).where(repeats > 0),
            "mean_days_between_orders": found["mean_days_between_orders"],
            "stddev_days_between_orders": found["stddev_days_between_orders"],
            "recency_ratio": since / found["mean_days_between_orders"],
        }
    )


def _assortment(sales: pd.DataFrame) -> pd.DataFrame:
    by_customer = sales.groupby("customer_id", observed=True)
    found = by_customer.agg(
        distinct_items_ordered=("product_id", "nunique"),
        distinct_categories_ordered=("product_category", "nunique"),
        last_ordered_category=("product_category", "last"),
    )
    counts = sales.groupby(["customer_id", "product_category"], observed=True).agg(
        lines=("amount", "size"), last=("ordered_at", "max")
    )
    favourite = counts.sort_values(["lines", "last"]).reset_index().drop_duplicates("customer_id", keep="last")
    found["most_ordered_category"] = favourite.set_index("customer_id")["product_category"]
    return found


def net_spend(lines: pd.DataFrame, after: pd.Timestamp, until: pd.Timestamp) -> pd.Series:
    """Spend per customer in (after, until], net of returns, never below 0."""
    window = lines[(lines["day"] > after) & (lines["day"] <= until)]
    return window.groupby("customer_id", observed=True)["amount"].sum().clip(lower=0)
