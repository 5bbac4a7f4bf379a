"""What really happened on the public logs: populations, targets and purchase histories, straight from the raw files.

Belongs here: reading the logs, taking cancellations off, who counts as a customer, what each spent afterwards. Does not: the
pipeline (``accuracy_runs.py``); nothing here is taken from it, so that its features and targets are judged by another hand.

Rules of both logs: customer known, price above 0, sales have a positive quantity, cancellations a negative one. Before the cut
each cancellation line is taken off the latest earlier sale of the same item to the same customer, then off the one before;
lines it empties vanish. Population: customers with a line left, dated on or before the cut. Spend: signed sum of all lines in
the horizon behind the cut, floored at 0; who has a sale line there buys.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CDNOW_FILE, SAMPLE_FILE = "cdnow_master.csv.gz", "cdnow_sample_ids.csv.gz"
RETAIL_FILE = "online_retail_2010_2011.parquet"
FILES = (CDNOW_FILE, SAMPLE_FILE, RETAIL_FILE)
COLUMNS = ["customer_id", "product_id", "day", "ordered_at", "quantity", "amount"]


class PopulationError(ValueError):
    """A population is not the one the protocol names: its size, the size expected."""


@dataclass(frozen=True)
class Window:
    """A cut and what is predicted from it.

    Parameters
    ----------
    cut : last day that is known.
    days : length of what is predicted, (cut, cut + days].
    customers : size the population must have.
    """

    cut: date
    days: int
    customers: int

    @property
    def until(self) -> date:
        """Last day of what is predicted."""
        return self.cut + timedelta(days=self.days)


@dataclass(frozen=True)
class Truth:
    """A population and what it did, one row a customer, in the order of ``customers``.

    Parameters
    ----------
    customers : ids, ascending.
    spend : in the horizon, floored at 0.
    buys : whether there is a sale line in the horizon.
    total, recent : spend on the lines left up to the cut, and in its last ``days`` days.
    orders, recency : days with a line left, and days from the last of them to the cut.
    repeats, until_last, age, value : as lifetime models take a history: further days with a line left, days from the first
        to the last and to the cut, mean spend of the further days (0 without any).
    """

    window: Window
    customers: pd.Index
    spend: Floats
    buys: NDArray[np.bool_]
    total: Floats
    recent: Floats
    orders: Floats
    recency: Floats
    repeats: Floats
    until_last: Floats
    age: Floats
    value: Floats


def read_cdnow(folder: Path) -> pd.DataFrame:
    """Lines of CDNOW; equal rows are repeat orders of one day."""
    raw = pd.read_csv(folder / CDNOW_FILE, parse_dates=["date"])
    lines = pd.DataFrame(
        {
            "customer_id": raw["customer_id"].astype(str),
            "product_id": "",
            "day": raw["date"],
            "ordered_at": raw["date"],
            "quantity": raw["number_of_cds"].astype(float),
            "amount": raw["dollar_value"].astype(float),
        }
    )
    return lines[COLUMNS]


def read_sample_ids(folder: Path) -> frozenset[str]:
    """Customers of the 1-in-10 sample of CDNOW that the papers use."""
    return frozenset(pd.read_csv(folder / SAMPLE_FILE)["customer_id"].astype(str))


def read_retail(folder: Path) -> pd.DataFrame:
    """Lines of Online Retail that have a customer and a price."""
    raw = pd.read_parquet(folder / RETAIL_FILE)
    raw = raw[raw["CustomerID"].notna() & (raw["UnitPrice"] > 0) & (raw["Quantity"] != 0)]
    lines = pd.DataFrame(
        {
            "customer_id": raw["CustomerID"].astype(int).astype(str),
            "product_id": raw["StockCode"],
            "day": raw["InvoiceDate"].dt.normalize(),
            "ordered_at": raw["InvoiceDate"],
            "quantity": raw["Quantity"].astype(float),
            "amount": raw["Quantity"] * raw["UnitPrice"],
        }
    )
    return lines[COLUMNS]


def lines_left(lines: pd.DataFrame) -> pd.DataFrame:
    """Sale lines after cancellations are taken off, last in, first out; ``quantity`` and ``amount`` are what is left."""
    ordered = lines.sort_values("ordered_at", kind="stable").reset_index(drop=True)
    left = ordered["quantity"].clip(lower=0.0).to_numpy(copy=True)
    cancelled = ordered.loc[ordered["quantity"] < 0, ["customer_id", "product_id"]].drop_duplicates()
    touched = ordered.reset_index().merge(cancelled, on=["customer_id", "product_id"])
    for _, group in touched.groupby(["customer_id", "product_id"], sort=False):
        open_lines: list[int] = []
        for row, quantity in zip(group["index"], group["quantity"], strict=True):
            if quantity > 0:
                open_lines.append(row)
                continue
            wanted = -quantity
            while wanted > 0 and open_lines:
                taken = min(wanted, left[open_lines[-1]])
                left[open_lines[-1]] -= taken
                wanted -= taken
                if left[open_lines[-1]] <= 0:
                    open_lines.pop()
    kept = ordered.assign(amount=ordered["amount"] * left / ordered["quantity"], quantity=left)
    return kept[left > 0]


def truth_of(lines: pd.DataFrame, window: Window) -> Truth:
    """Population, target and histories of a protocol.

    Raises
    ------
    PopulationError
        If the population has another size than the protocol says.
    """
    cut, until = pd.Timestamp(window.cut), pd.Timestamp(window.until)
    known = lines[lines["day"] <= cut]
    ahead = lines[(lines["day"] > cut) & (lines["day"] <= until)]
    left = lines_left(known)
    days = left.groupby(["customer_id", "day"])["amount"].sum().reset_index()
    history = days.groupby("customer_id")["day"].agg(first="min", last="max", orders="size").sort_index()
    customers = history.index
    if len(customers) != window.customers:
        raise PopulationError(
            f"{len(customers)} customers have a line left on {window.cut}, the protocol has {window.customers}: the log is "
            "not the one described, or a rule of reading it was changed"
        )
    further = days.merge(history["first"], left_on="customer_id", right_index=True)
    value = further[further["day"] > further["first"]].groupby("customer_id")["amount"].mean()

    def per_customer(values: pd.Series) -> Floats:
        found: Floats = values.reindex(customers).fillna(0.0).to_numpy(dtype=np.float64)
        return found

    recent = left[left["day"] > cut - pd.Timedelta(days=window.days)]
    sold: Any = ahead[ahead["quantity"] > 0]
    return Truth(
        window=window,
        customers=customers,
        spend=np.maximum(per_customer(ahead.groupby("customer_id")["amount"].sum()), 0.0),
        buys=customers.isin(sold["customer_id"].unique()),
        total=per_customer(left.groupby("customer_id")["amount"].sum()),
        recent=per_customer(recent.groupby("customer_id")["amount"].sum()),
        orders=history["orders"].to_numpy(dtype=np.float64),
        recency=(cut - history["last"]).dt.days.to_numpy(dtype=np.float64),
        repeats=history["orders"].to_numpy(dtype=np.float64) - 1,
        until_last=(history["last"] - history["first"]).dt.days.to_numpy(dtype=np.float64),
        age=(cut - history["first"]).dt.days.to_numpy(dtype=np.float64),
        value=per_customer(value),
    )
