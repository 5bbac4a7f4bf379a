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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import accuracy_journey as journey
from benchmarks.accuracy import DATA
from benchmarks.accuracy_truth import FILES, Floats, read_cdnow, read_retail
from benchmarks.level_shops import draw_shop
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
from tdml_assets.platform.metrics import log_loss
from tdml_assets.simulation import simulate

NAME = "next_orders"
HORIZONS = (30, 60, 90)
WITHIN_DAYS = 180
SHOPS, SHOP_CUSTOMERS = 40, 2_000
SEASONAL_SHOPS = 30
# Numbers that no other study reaches; every so many-th shop of the level study is a large one.
_FIRST_SHOP, _LARGE = 2_001, 20
_FITTED = 5_000
_DECILES = 10
_EXIT_NO_DATA = 2
_CUTS = {
    "CDNOW": ("1997-09-30", "1997-12-31", "1998-03-31"),
    "Online Retail": ("2011-06-09", "2011-09-09"),
    "Complete Journey": ("2017-06-30", "2017-09-30"),
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


def latest_shares(days: pd.DataFrame, cut: pd.Timestamp) -> dict[int, float]:
    """Share of the customers of one horizon before ``cut`` who ordered in it."""
    found = {}
    for horizon in HORIZONS:
        then = histories(days[days["day"] <= cut], cut - pd.Timedelta(days=horizon))
        found[horizon] = float((then.orders[horizon] > 0).mean()) if len(then.next_days) else 0.5
    return found


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
    shares = latest_shares(days, cut)
    rows = []
    for horizon in HORIZONS:
        if horizon <= behind:
            happened = then.orders[horizon] > 0
            sides = [one.raw(then.customers.history, [horizon])[horizon][1] for one in (model, bare)]
            errors = [calibration_error(one, happened.astype(float)) for one in sides]
            losses = [log_loss(happened, one) for one in (*sides, np.full(len(happened), shares[horizon]))]
            rows.append(Row(name, f"calibration error, {horizon} days", *(round(one, 4) for one in errors)))
            rows.append(Row(name, f"log loss, {horizon} days", *(round(one, 4) for one in losses[:2])))
            what = f"log loss, {horizon} days, beside the latest share"
            rows.append(Row(name, what, round(losses[0], 4), round(losses[2], 4)))
    within = min(WITHIN_DAYS, behind)
    expected = model.expect(then.customers, HORIZONS, horizon=90, within_days=within)
    came = then.next_days <= within
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


def seasonal_shops(count: int = SEASONAL_SHOPS) -> Iterator[tuple[pd.DataFrame, pd.Timestamp]]:
    """Days with an order, and the cut, of shops of the level study's kinds: seasons, growth, prices and customers that change."""
    numbers = (one for one in range(_FIRST_SHOP, _FIRST_SHOP + 2 * count) if one % _LARGE)
    for number in islice(numbers, count):
        _, settings = draw_shop(number)
        orders = simulate(settings).orders.to_pandas()
        lines = pd.DataFrame(
            {
                "customer_id": orders["customer_id"],
                "day": pd.to_datetime(orders["ordered_at"]).dt.normalize(),
                "amount": orders["quantity"].astype(float) * orders["unit_price"].astype(float),
            }
        )
        days = lines.groupby(["customer_id", "day"])["amount"].sum().reset_index()
        yield days, pd.Timestamp(settings.end_date - timedelta(days=HORIZONS[-1]))


def simulated(name: str, drawn: Iterable[tuple[pd.DataFrame, pd.Timestamp]]) -> list[Row]:
    """Medians over simulated shops, and the largest calibration error of nine in ten."""
    found: dict[str, list[tuple[float | None, float | None]]] = {}
    for days, cut in drawn:
        for row in measured("", days, cut):
            found.setdefault(row.metric, []).append((row.ours, row.baseline))
    rows = []
    for metric, values in found.items():
        ours, baseline = (np.array([one[side] for one in values], dtype=float) for side in (0, 1))
        known = None if np.isnan(baseline).all() else round(float(np.nanmedian(baseline)), 4)
        rows.append(Row(name, f"{metric} (median)", round(float(np.median(ours)), 4), known))
        if "calibration" in metric:
            most = None if known is None else round(float(np.quantile(baseline, 0.9)), 4)
            rows.append(Row(name, f"{metric} (90 % are below)", round(float(np.quantile(ours, 0.9)), 4), most))
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
            "and frequency over ten groups; its baseline, and that of the log loss, is the lifetime model without calibration and",
            "season. Beside the latest share: its baseline gives everybody the share that ordered in the latest horizon. `churn`",
            "then follows the workflow's own probability at its horizon, which `make study-uncertainty` measures. Days off",
            "are those between the median day and the day that came, of customers who came within 180 days or as far as the log",
            "goes, for which the interval is stated too; the baseline is the last order plus the customer's own mean gap, not",
            "before tomorrow.",
            "",
            "That rates of orders follow past months was chosen on 17 simulated shops of another stream than these, and looked at",
            "on CDNOW up to 1997-12-31, Online Retail up to 2011-09-09 and Complete Journey up to 2017-09-30. Online Retail begins",
            "in December 2010: no autumn was seen before the cut of 2011-09-09, and no summer before that of 2011-06-09.",
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
    logs = {"CDNOW": read_cdnow(given.data), "Online Retail": read_retail(given.data)}
    file = journey.find_file()
    if file is not None:
        logs["Complete Journey"] = journey.read_journey(file)
    for name, lines in logs.items():
        sales = lines[lines["quantity"] > 0]
        days = sales.groupby(["customer_id", "day"])["amount"].sum().reset_index()
        for cut in _CUTS[name]:
            rows += measured(f"{name}, {cut}", days, pd.Timestamp(cut))
    cut = pd.Timestamp("2024-01-01") + pd.Timedelta(days=730)
    rows += simulated(f"{SHOPS} simulated shops", ((days, cut) for days in shops(seed=7)))
    rows += simulated(f"{SEASONAL_SHOPS} simulated shops with season and change", seasonal_shops())
    write_results(NAME, page(rows), rows, given.docs)
    print(page(rows))


if __name__ == "__main__":
    main()
