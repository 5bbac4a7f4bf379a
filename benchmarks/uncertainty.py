"""``make study-uncertainty``: intervals and probabilities of whole sessions against what came, on public logs and simulated shops.

Belongs here: coverage of intervals, calibration of probabilities, customers of one order by its age, the page
``docs/uncertainty.md``. Does not: runs (``accuracy_runs.py``), truth (``accuracy_truth.py``), shops (``uncertainty_shops.py``).

    python -m benchmarks.uncertainty --data ../shared/data
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import accuracy_journey as journey
from benchmarks.accuracy import DATA, WINDOW_52, WINDOW_RETAIL
from benchmarks.accuracy_runs import ROOT, Home, Log, cdnow, retail
from benchmarks.accuracy_truth import FILES, Floats, Truth, Window, read_cdnow, read_retail, truth_of
from benchmarks.measure import Row, this_machine, write_results
from benchmarks.next_orders import HORIZONS, calibration_error
from benchmarks.uncertainty_shops import Said, run_shop
from tdml_assets.engines.intervals import LEVELS, coverage
from tdml_assets.platform.metrics import log_loss

NAME = "uncertainty"
SHOPS = 40
# Numbers that the study of the level does not reach: nobody has looked at these shops.
_FIRST_SHOP = 1_001
_MANY_CUSTOMERS = 2_000
_AGES = (0, 30, 60, 90, 180, 365, 10_000)
_LEAST_OF_AGE = 100
_BY_CHANCE = 50
# Points that a coverage may be off.
_NEAR = 0.02
_EXIT_NO_DATA = 2
_NO_REASONS = {"model": {"reasons": 0}}


@dataclass(frozen=True)
class Published:
    """What a session published of the customers of a log, and what came, in the order of the truth's customers."""

    name: str
    truth: Truth
    cltv: pd.DataFrame
    churn: pd.DataFrame
    next_days: Floats
    days_behind: int


def logs(data: Path) -> Iterator[tuple[str, Log, pd.DataFrame, Window]]:
    """Name, log, its lines and window."""
    yield "CDNOW", cdnow(data), read_cdnow(data), WINDOW_52
    yield "Online Retail", retail(data), read_retail(data), WINDOW_RETAIL
    file = journey.find_file()
    if file is not None:
        yield "Complete Journey", journey.journey(file), journey.read_journey(file), journey.WINDOW


def publish(name: str, log: Log, lines: pd.DataFrame, window: Window, folder: Path) -> Published:
    """Run both workflows as shipped at the window's cut."""
    truth, home = truth_of(lines, window), Home.new(folder, log, window.cut)
    target = {"target": {"horizon_days": window.days}}
    home.run("cltv and churn", {workflow: {**target, **_NO_REASONS} for workflow in ("cltv", "churn")})
    said = [
        home.table(f"select * from {workflow}.predictions").set_index("customer_id").reindex(truth.customers)
        for workflow in ("cltv", "churn")
    ]
    cut = pd.Timestamp(window.cut)
    ahead = lines[(lines["day"] > cut) & (lines["quantity"] > 0)].groupby("customer_id")["day"].min()
    following = (ahead - cut).dt.days.reindex(truth.customers).to_numpy(dtype=float)
    return Published(name, truth, said[0], said[1], following, (lines["day"].max() - cut).days)


def by_chance(probability: Floats) -> float:
    """Calibration error to expect of probabilities that are exactly right."""
    rng = np.random.default_rng(1)
    drawn = [(rng.random(len(probability)) < probability).astype(float) for _ in range(_BY_CHANCE)]
    return float(np.mean([calibration_error(probability, happened) for happened in drawn]))


def interval_rows(name: str, bounds: Mapping[str, Floats], spend: Floats, said: float) -> list[dict[str, Any]]:
    """One row a level; ``said`` is the total of the predictions."""
    rows, missed = [], spend.sum() / said
    for level, (low, high) in LEVELS.items():
        everybody, above = coverage(bounds[low], bounds[high], spend)
        rows.append(
            {
                "log": name,
                "level": f"{level:.0%}",
                "covered": everybody,
                "bounds of 0": float((bounds[high] <= 0).mean()),
                "covered, others": above,
                "below": float((spend < bounds[low]).mean()),
                "above": float((spend > bounds[high]).mean()),
                "covered, total as it came": coverage(missed * bounds[low], missed * bounds[high], spend)[1],
            }
        )
    return rows


def probability_rows(one: Published) -> list[dict[str, Any]]:
    """One row a workflow and horizon; ``churn`` at its own horizon is the workflow's probability."""
    own = one.truth.window.days
    said = [("churn", own, 1.0 - one.churn["probability"].to_numpy(), one.truth.buys)]
    for workflow, table in (("churn", one.churn), ("cltv", one.cltv)):
        said += [
            (workflow, days, table[f"buy_probability_{days}d"].to_numpy(), one.next_days <= days)
            for days in HORIZONS
            if days <= one.days_behind and (workflow, days) != ("churn", own)
        ]
    rows = []
    for workflow, days, probability, came in said:
        share = np.full(len(came), came.mean())
        rows.append(
            {
                "log": one.name,
                "workflow": workflow,
                "days": days,
                "error": calibration_error(probability, came.astype(float)),
                "by chance": by_chance(probability),
                "log loss": log_loss(came, probability),
                "log loss of the share": log_loss(came, share),
                "mean": float(probability.mean()),
                "came": float(came.mean()),
            }
        )
    return rows


def age_rows(name: str, said: Sequence[Said]) -> list[dict[str, Any]]:
    """Predicted over actual of customers of one order, by its age; every total is first brought to what came."""
    scaled = np.concatenate([one.predicted * one.actual.sum() / one.predicted.sum() for one in said])
    actual, age = (np.concatenate([getattr(one, part) for one in said]) for part in ("actual", "age"))
    once = np.concatenate([one.once for one in said])
    groups = [
        (f"one order, {low} to {high - 1} days ago", once & (age >= low) & (age < high))
        for low, high in pairwise(_AGES)
    ]
    groups[-1] = (f"one order, {_AGES[-2]} days ago or more", groups[-1][1])
    rows = []
    for group, chosen in [*groups, ("more orders", ~once)]:
        if chosen.sum() >= _LEAST_OF_AGE and actual[chosen].sum() > 0:
            ratio = float(scaled[chosen].sum() / actual[chosen].sum())
            rows.append(
                {"log": name, "customers of": group, "number": int(chosen.sum()), "predicted over actual": ratio}
            )
    return rows


def shop_rows(shops: Sequence[Mapping[str, Said]]) -> list[dict[str, Any]]:
    """Coverage over shops: their mean, and the tenth from either end."""
    bounded = [one["cltv"] for one in shops if "cltv" in one and one["cltv"].bounds]
    rows = []
    for level, (low, high) in LEVELS.items():
        counted = [one for one in bounded if (one.bounds[high] > 0).any()]
        shares, at_total = (
            np.array([coverage(found[low], found[high], one.actual)[1] for one, found in of_shops], dtype=np.float64)
            for of_shops in (
                [(one, one.bounds) for one in counted],
                [(one, one.bounds_at_total) for one in counted if one.bounds_at_total],
            )
        )
        rows.append(
            {
                "level": f"{level:.0%}",
                "shops": len(shares),
                "covered, mean": float(shares.mean()),
                "one in ten below": float(np.quantile(shares, 0.1)),
                "one in ten above": float(np.quantile(shares, 0.9)),
                "within 2 points": float((np.abs(shares - level) <= _NEAR).mean()),
                "by chance alone": float(np.mean([_near_by_chance(one, high, level) for one in counted])),
                "total as it came": float((np.abs(at_total - level) <= _NEAR).mean()),
            }
        )
    return rows


def _near_by_chance(one: Said, upper: str, level: float) -> float:
    """How likely exact intervals cover the level, give or take 2 points, by the luck of the customers they hold and come from."""
    share = float((one.bounds[upper] > 0).mean())
    held, taken = share * len(one.actual), share * one.rows
    return 2.0 * NormalDist(0.0, math.sqrt(level * (1.0 - level) * (1.0 / held + 1.0 / taken))).cdf(_NEAR) - 1.0


def shop_probability_rows(shops: Sequence[Mapping[str, Said]]) -> list[dict[str, Any]]:
    """Calibration of ``churn`` over shops, by their size."""
    lapses, rows = [one["churn"] for one in shops if "churn" in one], []
    for name, chosen in (
        (f"fewer than {_MANY_CUSTOMERS:,}", [one for one in lapses if len(one.actual) < _MANY_CUSTOMERS]),
        (f"{_MANY_CUSTOMERS:,} or more", [one for one in lapses if len(one.actual) >= _MANY_CUSTOMERS]),
    ):
        if chosen:
            errors = np.array([calibration_error(one.predicted, one.actual) for one in chosen])
            luck = np.median([by_chance(one.predicted) for one in chosen])
            rows.append(
                {
                    "customers": name,
                    "shops": len(chosen),
                    "error, median": float(np.median(errors)),
                    "by chance, median": float(luck),
                    "at most .03": float((errors <= 0.03).mean()),
                }
            )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as Markdown."""
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(_cell, row.values()))} |" for row in rows)])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def page(parts: Mapping[str, Sequence[Mapping[str, Any]]], bias: Mapping[str, float]) -> str:
    """The page."""
    missed = ", ".join(f"{name} {value:+.0%}" for name, value in bias.items())
    return f"""# How sure predictions are, measured

Written by `make study-uncertainty`; nothing here is typed in. The same figures: [uncertainty.json](results/uncertainty.json).

Whole sessions of `cltv` and `churn` as they are shipped, at the cuts of [accuracy.md](accuracy.md): CDNOW 1997-12-31 with 181 days,
Online Retail 2011-09-09 with 91, Complete Journey 2017-09-30 with 90. The {SHOPS} simulated shops are drawn as those of
[level.md](level.md) and are others than that page's; features are a short form of the product's there, and estimators fixed
(`lifetime_xgboost`, `xgboost_classifier`). That intervals are taken after the test's total is brought to what came was chosen on 37
other shops, that rates of orders follow past months on 17 others and on windows that end at the cuts. The scored windows had been
measured once before these changes.

## Intervals of amounts

"Bounds of 0" is the share of customers both of whose bounds are 0, since more than the level spend nothing: no interval that
holds 0 covers less. "Covered, others" leaves them out, and is what should be the level; "total as it came" is the same where all
bounds are first multiplied by what came over what was predicted in all.

{table(parts["intervals"])}

The totals themselves are missed by {missed}. Intervals hold how customers differ, and not a season that the log has never shown:
Online Retail begins 282 days before its cut, no autumn was seen, and every customer's interval lies too low alike. No interval
taken from the months before covers it.

{table(parts["shops"])}

"By chance alone": how many shops would be within 2 points if intervals were exact, by the luck of the customers that they hold and
that they were taken from. "Total as it came": how many are, with the same intervals, where the predictions' total is first brought
to what came. The rest is a spread of spend that differs between the test and what is scored. Wider bounds, by the doubt of the
level, cover no better: [decision 59](decisions/0059-intervals-of-customers-are-not-widened-by-the-doubt-of-the-level.md).

## Probabilities of an order

Calibration error: mean difference of probability and frequency over ten groups of equal size. "By chance" is the error to expect of
probabilities that are exactly right. The log loss of the share is that of everybody's getting the share that came.

{table(parts["probabilities"])}

`churn` on the simulated shops, 90 days:

{table(parts["shop_probabilities"])}

## Customers of one order, by its age

Predicted over actual spend of groups of at least {_LEAST_OF_AGE}, where all totals are brought to what came first. Of the
simulated shops these are of the fixed estimator, where `auto` mostly takes the lifetime model alone: what it publishes, and what
was tried, is in [decision 73](decisions/0073-trees-start-from-half-of-the-lifetime-model.md).

{table(parts["ages"])}

{this_machine().caption()}.
"""


def rows_of(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """The figures for the file of results."""
    found = []
    for part, rows in parts.items():
        for row in rows:
            case = ", ".join([part, *(str(value) for value in row.values() if not isinstance(value, float) and value)])
            found += [Row(case, name, round(value, 4), None) for name, value in row.items() if isinstance(value, float)]
    return found


def measure_all(data: Path, folder: Path, processes: int) -> tuple[dict[str, list[dict[str, Any]]], dict[str, float]]:
    """Run logs and shops."""
    parts: dict[str, list[dict[str, Any]]] = {"intervals": [], "probabilities": [], "ages": []}
    bias = {}
    for name, log, lines, window in logs(data):
        one = publish(name, log, lines, window, folder / name.lower().replace(" ", "-"))
        predicted = one.cltv["predicted_target"].to_numpy()
        bounds = {bound: one.cltv[bound].to_numpy(dtype=float) for names in LEVELS.values() for bound in names}
        parts["intervals"] += interval_rows(name, bounds, one.truth.spend, predicted.sum())
        parts["probabilities"] += probability_rows(one)
        said = Said(predicted, one.truth.spend, bounds, one.truth.repeats == 0, one.truth.age)
        parts["ages"] += age_rows(name, [said])
        bias[name] = float(predicted.sum() / one.truth.spend.sum() - 1)
        print(table(parts["intervals"][-2:]), flush=True)
    with ProcessPoolExecutor(processes) as pool:
        shops = list(pool.map(run_shop, range(_FIRST_SHOP, _FIRST_SHOP + SHOPS)))
    parts["shops"], parts["shop_probabilities"] = shop_rows(shops), shop_probability_rows(shops)
    parts["ages"] += age_rows(f"{SHOPS} simulated shops", [one["cltv"] for one in shops if "cltv" in one])
    return parts, bias


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: measure, write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.uncertainty", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public logs (default %(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="shops at a time (default %(default)s)")
    given = parser.parse_args(arguments)
    missing = [str(given.data / name) for name in FILES if not (given.data / name).is_file()]
    if missing:
        print(f"error: no such file: {', '.join(missing)}; name the folder of the logs with --data", file=sys.stderr)
        raise SystemExit(_EXIT_NO_DATA)
    with tempfile.TemporaryDirectory(prefix="study-uncertainty-") as scratch:
        parts, bias = measure_all(given.data.resolve(), Path(scratch), given.processes)
    text = page(parts, bias)
    write_results(NAME, text, rows_of(parts), given.docs)
    print(text)


if __name__ == "__main__":
    main()
