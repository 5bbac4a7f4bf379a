"""``make study-level``: totals of simulated shops, before and after their level is corrected.

Belongs here: running the shops, the page ``docs/level.md``. Does not: shops and fits (``level_shops.py``).

    python -m benchmarks.level --shops 200
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.accuracy_runs import ROOT
from benchmarks.level_shops import Outcome, run_shop
from benchmarks.measure import Machine, Row, this_machine, write_results
from tdml_assets.engines.level import COVERAGE

NAME = "level"
_WORKFLOWS = ("cltv", "churn")
_LITTLE_NOISE = 0.06
#: Which outcomes a line of the page is about.
_GROUPS: tuple[tuple[str, Callable[[Outcome], bool]], ...] = (
    ("same season seen a year earlier", lambda one: one.level.basis == "season"),
    (
        f"of these, luck of the customers below {_LITTLE_NOISE:.0%}",
        lambda one: one.level.basis == "season" and one.noise < _LITTLE_NOISE,
    ),
    ("season not seen", lambda one: one.level.basis != "season"),
    ("growth", lambda one: "growth" in one.kind_of_shop),
    ("decline", lambda one: "decline" in one.kind_of_shop),
    ("season in the shop", lambda one: "season" in one.kind_of_shop),
    ("prices change", lambda one: "prices" in one.kind_of_shop),
    ("new customers differ", lambda one: "customers" in one.kind_of_shop),
    ("all", lambda one: True),  # noqa: ARG005
)


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """What a line of the page says of some outcomes."""
    raw, corrected = (np.array([getattr(one, name) for one in outcomes]) for name in ("raw", "corrected"))
    stated = [(one.sign_stated, one.raw) for one in outcomes if one.sign_stated is not None]
    return {
        "shops": float(len(outcomes)),
        "median_size_before": float(np.median(np.abs(raw))),
        "median_size_after": float(np.median(np.abs(corrected))),
        "within_15_before": float(np.mean(np.abs(raw) <= 0.15)),
        "within_10_after": float(np.mean(np.abs(corrected) <= 0.10)),
        "within_15_after": float(np.mean(np.abs(corrected) <= 0.15)),
        "bounds_hold": float(np.mean([one.within for one in outcomes])),
        "signs_stated": float(len(stated)),
        "signs_right": float(np.mean([said * came > 0 for said, came in stated])) if stated else float("nan"),
    }


def page(outcomes: Sequence[Outcome], machine: Machine, seconds: float) -> str:
    """Write the page."""
    return f"""# The level of predictions: a study on simulated shops

Written by `make study-level`. {len({one.shop for one in outcomes})} shops were simulated with orders of one to three years:
growing and declining ones, with and without a season, with prices or customers that change. Both shipped workflows were trained
90 days before the end and compared with what came. Features are a short form of the product's; learners, splits and correction
are its own. The correction never sees a row after the cut.

What each choice saw: how a gap is made up and the sizes of its parts were chosen on 132 simulated shops of the same kinds, drawn by
another stream of random numbers than the shops below; those were run with everything fixed. No public log took part in these
choices: the share of a lifetime model's change that had been set after its effect on them was seen is gone. That half of the gap
is taken over where the season was never seen was chosen on the same 132 shops (shares of 0.5 to 1 come equally near there, and half
moves less), after the totals of the public logs had been looked at once with the whole gap.

Bias is the total predicted over what happened, less 1. "Luck" is how far the total of the same customers would vary by chance
alone: where it is large, no forecast of the total can be near.

{chr(10).join(_table(outcomes, workflow) for workflow in _WORKFLOWS)}
The bounds are stated for {COVERAGE:.0%} of cases. A sign is stated only where the bounds leave no doubt; "right" is its
agreement with the bias of the uncorrected total.

## How it works

1. A lifetime model (Pareto/NBD with Gamma-Gamma) is fitted to the histories known today. It knows the customers, their number
   and their age, and no calendar.
2. Twelve times a year, as far back as the log goes, the orders that came in a window are compared with those expected of the
   customers known before it, and the value of these orders with the value expected. What is left is the season, the trend and the
   prices, without the growth of the shop.
3. A Gaussian process says what is left of the window that begins today: a season that repeats, a drift, a trend that fades, a start
   of the log that fades, a window's own luck. How large the season is, is learnt from the windows: forecasts with and without one
   are averaged by how likely they make what was seen. A shop without a season gets a factor near 1.
4. The total is the lifetime model's with that correction. Predictions of the model that scores are multiplied, or their log-odds
   shifted, all alike, to reach it: the order of customers and the reasons stay as they are. Where the season was never seen they
   are moved half as far.
5. The same is rehearsed at earlier snapshots from the windows that had ended by then (`monitoring.level_rehearsals`). Where what
   past windows said would not have helped, a smaller share of it is taken over; where rehearsals missed by more than was stated,
   the bounds are widened.
6. Where nobody buys again, or no purchases are predicted, the gaps between the model and earlier snapshots are averaged instead.
   Scores of the fallbacks are corrected by the windows where a lifetime model scores, and not where a rule does.

`level: {{correction: none}}` of a workflow turns it off; `monitoring.level` then still says what it would have been.

{len({one.shop for one in outcomes})} shops took {seconds:,.0f} s. {machine.caption()}.
"""


def _table(outcomes: Sequence[Outcome], workflow: str) -> str:
    lines = [
        f"## {workflow}",
        "",
        "| shops | number | median size of bias before | after | within 15 % before | within 10 % after | within 15 % after "
        "| bounds hold | signs stated, right |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, belongs in _GROUPS:
        chosen = [one for one in outcomes if one.workflow == workflow and belongs(one)]
        if not chosen:
            continue
        found = figures_of(chosen)
        signs = f"{found['signs_stated']:.0f}, {found['signs_right']:.0%}" if found["signs_stated"] else "0"
        lines.append(
            f"| {name} | {found['shops']:.0f} | {found['median_size_before']:.1%} | {found['median_size_after']:.1%} | "
            f"{found['within_15_before']:.0%} | {found['within_10_after']:.0%} | {found['within_15_after']:.0%} | "
            f"{found['bounds_hold']:.0%} | {signs} |"
        )
    return "\n".join([*lines, ""])


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """Every figure, as rows of the results file."""
    found = []
    for workflow in _WORKFLOWS:
        for name, belongs in _GROUPS:
            chosen = [one for one in outcomes if one.workflow == workflow and belongs(one)]
            figures = figures_of(chosen) if chosen else {}
            found += [
                Row(f"{workflow}: {name}", metric, round(value, 4), None)
                for metric, value in figures.items()
                if np.isfinite(value)
            ]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: run the shops, write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.level", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--shops", type=int, default=200, help="how many (default %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at a time (default %(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    given = parser.parse_args(arguments)
    begun, outcomes = time.monotonic(), []
    with ProcessPoolExecutor(given.processes) as pool:
        for number, found in enumerate(pool.map(run_shop, range(given.shops))):
            outcomes += found
            said = ", ".join(f"{one.workflow} {one.raw:+.0%} -> {one.corrected:+.0%}" for one in found)
            shop = f"{found[0].customers:,} customers, {found[0].kind_of_shop}" if found else "refused"
            print(f"{number}: {shop}: {said}", flush=True)
    text = page(outcomes, this_machine(), time.monotonic() - begun)
    write_results(NAME, text, rows_of(outcomes), given.docs)


if __name__ == "__main__":
    main()
