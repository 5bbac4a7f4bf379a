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
are its own. The correction never sees a row after the cut. Its constants were chosen on 130 other shops of the same kinds; but the
share of the lifetime model's change that is taken over (85 %) was set after its effect on the public logs of
[accuracy.md](accuracy.md) was seen: shares of 70 to 100 % differ little on these shops, and those logs are no blind test of it.

Bias is the total predicted over what happened, less 1. "Luck" is how far the total of the same customers would vary by chance
alone: where it is large, no forecast of the total can be near.

{chr(10).join(_table(outcomes, workflow) for workflow in _WORKFLOWS)}
The bounds are stated for {COVERAGE:.0%} of cases. A sign is stated only where the bounds leave no doubt; "right" is its
agreement with the bias of the uncorrected total.

## How it works

1. The model that scores is compared with what happened after every labelled snapshot: the gap is log(happened / predicted) of the
   totals, for probabilities the shift of the log-odds.
2. A lifetime model, fitted to today's histories, says how customers have changed since; 85 % of that is taken over.
3. What is left is a Gaussian process in the day: a season that repeats, a drift by years, a short trend and a window's own luck.
   The same season a year earlier counts most; what is uncertain is shrunk towards what all snapshots have in common.
4. Predictions are multiplied, or their log-odds shifted, all alike: the order of customers and the reasons stay as they are.
5. The same is done for earlier snapshots from what was known on their day (`monitoring.level_rehearsals`); where these rehearsals
   missed by more than was stated, the bounds are widened.

`level: {{correction: none}}` of a workflow turns it off; `monitoring.level` then still says what it would have been.

{len(outcomes) // 2} shops took {seconds:,.0f} s. {machine.caption()}.
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
            print(f"{number}: {found[0].customers:,} customers, {found[0].kind_of_shop}: {said}", flush=True)
    text = page(outcomes, this_machine(), time.monotonic() - begun)
    write_results(NAME, text, rows_of(outcomes), given.docs)


if __name__ == "__main__":
    main()
