"""make study-next-orders: what the model of next orders says, against what came, on real logs and simulated shops.

Belongs here: cuts in the past of each log, simulated shops, measures of probabilities, dates and intervals, and the page.
Does not: the model (``tdml_assets/engines/next_orders.py``); nothing behind a cut is given to it.

At each cut the model is fitted as a session would: to 5,000 histories at most, calibrated on what followed the days one horizon
before the cut, and on past months. Then everybody is measured. The dates are compared with the last order plus the customer's own
mean gap, not before tomorrow; those who came back within the days that the log has behind the cut are measured, 180 at most, and
the interval is stated for as many days.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy import DATA
from benchmarks.accuracy_truth import FILES, Floats, read_cdnow, read_retail
from benchmarks.measure import Row, this_machine, write_results
from tdml_assets.engines.next_orders import (
    MONTH_DAYS,
    Customers,
    Months,
    NextOrders,
    Past,
    fit_next_orders,
    month_begins,
)

NAME = "next_orders"
HORIZONS = (30, 60, 90)
WITHIN_DAYS = 180
SHOPS, SHOP_CUSTOMERS = 40, 2_000
_FITTED = 5_000
_DECILES = 10
_EXIT_NO_DATA = 2
_CUTS = {
    "CDNOW": ("1997-09-30", "1997-12-31", "1998-03-31"),
    "Online Retail": ("2011-06-09", "2011-09-09"),
}


@dataclass(frozen=True)
class Histories:
    """Customers at a day, and when each came next.

    Parameters
    ----------
    next_days : days until the next order; NaN where none is in the log.
    orders : days with an order after the day, per horizon.
    """

    customers: Customers
    next_days: Floats
    orders: dict[int, Floats]


def histories(days: pd.DataFrame, cut: pd.Timestamp) -> Histories:
    """Take the histories at ``cut`` from days with an order: one row a customer and day, with its amount."""
    known = days[days["day"] <= cut].sort_values(["customer_id", "day"])
    grouped = known.groupby("customer_id")["day"]
    first, last, count = grouped.min(), grouped.max(), grouped.size()
    gap = grouped.diff().dt.days
    further = known[gap.notna()].groupby("customer_id")["amount"].mean().reindex(first.index)
    deviation = gap.groupby(known["customer_id"]).std().reindex(first.index)
    repeats, recency = count.to_numpy(dtype=float) - 1, (last - first).dt.days.to_numpy(dtype=float)
    history = np.column_stack([repeats, recency, (cut - first).dt.days.to_numpy(dtype=float)])
    with np.errstate(invalid="ignore"):
        mean = recency / repeats
    ahead = days[days["day"] > cut]
    following = ((ahead.groupby("customer_id")["day"].min() - cut).dt.days).reindex(first.index)

    def within(horizon: int) -> Floats:
        rows = ahead[ahead["day"] <= cut + pd.Timedelta(days=horizon)]
        found: Floats = rows.groupby("customer_id").size().reindex(first.index).fillna(0).to_numpy(dtype=float)
        return found

    customers = Customers(history, mean, deviation.to_numpy(dtype=float), further.to_numpy(dtype=float))
    return Histories(customers, following.to_numpy(dtype=float), {horizon: within(horizon) for horizon in HORIZONS})


def fitted(days: pd.DataFrame, cut: pd.Timestamp) -> NextOrders:
    """Fit at ``cut`` to what was known then."""
    known = days[days["day"] <= cut]
    ids = np.sort(known["customer_id"].unique())
    chosen = ids[np.unique(np.linspace(0, len(ids) - 1, _FITTED).astype(int))] if len(ids) > _FITTED else ids
    known = known[known["customer_id"].isin(chosen)]
    first = known["day"].min()
    reach = (cut - first).days - HORIZONS[0]
    pasts = []
    for ago in HORIZONS:
        if ago <= reach:
            then = histories(known, cut - pd.Timedelta(days=ago))
            ended = {horizon: then.orders[horizon] for horizon in HORIZONS if horizon <= ago}
            pasts.append(Past(then.customers.history, ended))
    begun = {ago: histories(known, cut - pd.Timedelta(days=ago)) for ago in month_begins(reach)}
    months = {ago: (then.customers.history, then.orders[MONTH_DAYS]) for ago, then in begun.items()}
    return fit_next_orders(
        histories(known, cut).customers, pasts, Months(cut.date(), first.date(), months), horizons=HORIZONS
    )


def calibration_error(probability: Floats, happened: Floats) -> float:
    """Mean difference of probability and frequency over ten groups of equal size."""
    order = np.argsort(probability, kind="stable")
    groups = np.array_split(order, _DECILES)
    wrong = [abs(float(probability[rows].mean() - happened[rows].mean())) * len(rows) for rows in groups]
    return sum(wrong) / len(order)


def measured(name: str, days: pd.DataFrame, cut: pd.Timestamp) -> list[Row]:
    """Measure one cut of one log; the baseline of a probability is the lifetime model without calibration."""
    model, then = fitted(days, cut), histories(days, cut)
    behind = (days["day"].max() - cut).days
    bare = NextOrders(model.purchases, model.value, model.regularity, {})
    rows = []
    for horizon in HORIZONS:
        if horizon <= behind:
            happened = (then.orders[horizon] > 0).astype(float)
            sides = [calibration_error(one.raw(then.customers.history, horizon)[1], happened) for one in (model, bare)]
            rows.append(Row(name, f"calibration error, {horizon} days", *(round(one, 4) for one in sides)))
    expected = model.expect(then.customers, HORIZONS, horizon=90, within_days=WITHIN_DAYS)
    came = then.next_days <= min(WITHIN_DAYS, behind)
    again = came & (then.customers.history[:, 0] > 0)
    dates = np.ceil(expected.days)
    since = then.customers.history[:, 2] - then.customers.history[:, 1]
    naive = np.maximum(then.customers.mean_gap - since, 1.0)
    error, bare_error = (np.abs(one - then.next_days) for one in (dates[:, 1], naive))
    rows.append(Row(name, "days off, median, ordered again before", *_medians(error[again], bare_error[again])))
    if (came & ~again).any():
        rows.append(Row(name, "days off, median, ordered once before", *_medians(error[came & ~again], None)))
    inside = (dates[:, 0] <= then.next_days) & (then.next_days <= dates[:, 2])
    rows.append(Row(name, "share of dates in the 80 % interval", round(float(inside[came].mean()), 3), None))
    return rows


def _medians(ours: Floats, naive: Floats | None) -> tuple[float, float | None]:
    return round(float(np.median(ours)), 1), None if naive is None else round(float(np.median(naive)), 1)


def shops(seed: int, count: int = SHOPS, customers: int = SHOP_CUSTOMERS) -> Iterator[pd.DataFrame]:
    """Days with an order of simulated shops: rates, regularity, lifetimes and growth differ from shop to shop."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        gap, regularity = rng.uniform(20, 120), rng.choice([0.7, 1.0, 2.0, 4.0])
        rate = rng.gamma(rng.uniform(0.6, 2.0), 1.0, customers) / gap
        life = rng.exponential(rng.uniform(150, 1_000), customers)
        start = 730 * rng.random(customers) ** rng.choice([0.6, 1.0, 1.6])
        gaps = rng.gamma(regularity, 1.0, (customers, 120)) / (regularity * np.maximum(rate, 1e-3)[:, None])
        at = start[:, None] + np.concatenate([np.zeros((customers, 1)), np.cumsum(gaps, axis=1)], axis=1)
        alive = (at < (start + life)[:, None]) & (at < 910)
        who, _ = np.nonzero(alive)
        day = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.floor(at[alive]), unit="D")
        lines = pd.DataFrame({"customer_id": who, "day": day, "amount": rng.lognormal(3.5, 0.6, len(who))})
        yield lines.groupby(["customer_id", "day"])["amount"].sum().reset_index()


def simulated(seed: int) -> list[Row]:
    """Medians over simulated shops, and the largest calibration error of nine in ten."""
    cut, found = pd.Timestamp("2024-01-01") + pd.Timedelta(days=730), {}
    for days in shops(seed):
        for row in measured("", days, cut):
            found.setdefault(row.metric, []).append((row.ours, row.baseline))
    rows = []
    for metric, values in found.items():
        ours, baseline = (np.array([one[side] for one in values], dtype=float) for side in (0, 1))
        known = None if np.isnan(baseline).all() else round(float(np.nanmedian(baseline)), 4)
        rows.append(Row(f"{SHOPS} simulated shops", f"{metric} (median)", round(float(np.median(ours)), 4), known))
        if "calibration" in metric:
            most = round(float(np.quantile(ours, 0.9)), 4)
            rows.append(Row(f"{SHOPS} simulated shops", f"{metric} (90 % are below)", most, None))
    return rows


def page(rows: Sequence[Row]) -> str:
    """The page."""
    lines = ["| log and cut | measure | ours | baseline |", "|---|---|---:|---:|"]
    for row in rows:
        ours, baseline = ("-" if value is None else f"{value:g}" for value in (row.ours, row.baseline))
        lines.append(f"| {row.case} | {row.metric} | {ours} | {baseline} |")
    return "\n".join(
        [
            "# What customers do next, measured",
            "",
            "Written by `make study-next-orders`; nothing here is typed in. The same figures: "
            "[next_orders.json](results/next_orders.json).",
            "",
            "At each cut the model sees orders up to the cut alone. A calibration error is the mean difference of probability",
            "and frequency over ten groups; its baseline is the lifetime model without calibration. `churn` then follows the",
            "workflow's own probability at its horizon, which is not measured here. Days off are those between the median day",
            "and the day that came, of customers who came within 180 days or as far as the log goes; the baseline is the last",
            "order plus the customer's own mean gap, not before tomorrow. The interval is stated for 180 days, so it is too wide",
            "where the log ends before.",
            "",
            *lines,
            "",
            f"{this_machine().caption()}.",
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: measure, write the page."""
    parser = argparse.ArgumentParser(prog="make study-next-orders", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public logs")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    given = parser.parse_args(arguments)
    missing = [str(given.data / name) for name in FILES if not (given.data / name).is_file()]
    if missing:
        print(f"error: no such file: {', '.join(missing)}; name the folder of the logs with --data", file=sys.stderr)
        raise SystemExit(_EXIT_NO_DATA)
    rows: list[Row] = []
    for name, read in (("CDNOW", read_cdnow), ("Online Retail", read_retail)):
        lines = read(given.data)
        sales = lines[lines["quantity"] > 0]
        days = sales.groupby(["customer_id", "day"])["amount"].sum().reset_index()
        for cut in _CUTS[name]:
            rows += measured(f"{name}, {cut}", days, pd.Timestamp(cut))
    rows += simulated(seed=7)
    write_results(NAME, page(rows), rows, given.docs)
    print(page(rows))


if __name__ == "__main__":
    main()
