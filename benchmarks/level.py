"""``make study-level``: totals of simulated shops, before and after their level is corrected.

Belongs here: figures and the page ``docs/level.md``. Does not: shops and fits (``level_shops.py``), processes (``level_runs.py``).

    python -m benchmarks.level --shops 200

A study that was ended goes on where it was: finished shops are kept, as long as the code they depend on is the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy_runs import ROOT
from benchmarks.level_runs import finished_shops, folder_of, run_shops
from benchmarks.level_shops import Outcome
from benchmarks.measure import Machine, Row, this_machine, write_results
from tdml_assets.engines.level import COVERAGE

NAME = "level"
_WORKFLOWS = ("cltv", "churn")
_LITTLE_NOISE = 0.06
CHOICES = """What each choice saw: how a gap is made up, the sizes of its parts and when it is taken over were chosen on some 270
simulated shops of the same kinds, drawn by other streams of random numbers than the shops below, 52 of them with orders of eight to
eleven months; the shops below were run with everything fixed. There, next to the shipped rule: taking over a share by rehearsals
puts 75 % instead of 77 % of shops with a seen season within 15 %; the model's own total mixed in by its misses at earlier days,
68 to 72 %. Where the season was never seen, taking over every gap, or only those above .67, 1 or 1.28 standard deviations, puts 61,
61, 61 and 59 % within 15 % after a year of orders and 52, 50, 50 and 46 % after less. Of these, 1 was taken after the totals of the
public logs had been looked at: there the model's own totals are nearer than the lifetime model's, and simulated shops say the
opposite. How wide bounds are stated ([decision 58](decisions/0058-doubt-of-a-total-is-calibrated-on-simulated-shops.md)) and that
every gap of probabilities is taken over
([decision 60](decisions/0060-a-gap-of-probabilities-is-taken-over-whether-or-not-its-season-was-seen.md)) was chosen on 262 more,
and tried on 85 others; that bounds held too often or too seldom had been seen on the shops below. The doubt of days of the year
that no window has shown was chosen on 240 more."""
_KNOWING = ("knows_rates", "knows_histories", "corrected")
_WORK = ROOT / ".tdml" / "study-level"
#: Which outcomes a line of the page is about.
_GROUPS: tuple[tuple[str, Callable[[Outcome], bool]], ...] = (
    ("same season seen a year earlier", lambda one: one.basis == "season"),
    (
        f"of these, luck of the customers below {_LITTLE_NOISE:.0%}",
        lambda one: one.basis == "season" and one.noise < _LITTLE_NOISE,
    ),
    ("season not seen", lambda one: one.basis != "season"),
    ("growth", lambda one: "growth" in one.kind_of_shop),
    ("decline", lambda one: "decline" in one.kind_of_shop),
    ("season in the shop", lambda one: "season" in one.kind_of_shop),
    ("prices change", lambda one: "prices" in one.kind_of_shop),
    ("new customers differ", lambda one: "customers" in one.kind_of_shop),
    ("fewer than 1,000 customers known", lambda one: one.customers < 1_000),
    ("1,000 to 3,000", lambda one: 1_000 <= one.customers < 3_000),
    ("3,000 and more", lambda one: one.customers >= 3_000),
    ("prices change after as_of", lambda one: one.prices_to_come),
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


def page(outcomes: Sequence[Outcome], machine: Machine, *, waiting: int = 0) -> str:
    """Write the page.

    Parameters
    ----------
    waiting : shops that were asked for and are not run yet.
    """
    left = (
        f"\n\n**{waiting} more shops, most of them the largest, were not run yet and are not counted.**"
        if waiting
        else ""
    )
    return f"""# The level of predictions: a study on simulated shops

Written by `make study-level`. {len({one.shop for one in outcomes})} shops were simulated with orders of one to three years:
growing and declining ones, with and without a season, with prices or customers that change. Both workflows, each with one of the
estimators that `auto` chooses among, were trained 90 days before the end and compared with what came. Features are a short form of
the product's; learners, splits and correction are its own. The correction never sees a row after the cut.{left}

{CHOICES}

Bias is the total predicted over what happened, less 1. "Luck" is how far the total of the same customers would vary by chance
alone: where it is large, no forecast of the total can be near.

{chr(10).join(_table(outcomes, workflow) for workflow in _WORKFLOWS)}
{_oracle_table(outcomes)}
The bounds are stated for {COVERAGE:.0%} of cases. A sign is stated only where the bounds leave no doubt; "right" is its
agreement with the bias of the uncorrected total.

## How it works

1. A lifetime model (Pareto/NBD with Gamma-Gamma) is fitted to the histories known today. It knows the customers, their number
   and their age, and no calendar.
2. Twelve times a year, as far back as the log goes, the orders that came in a window are compared with those expected of the
   customers known before it, and the value of these orders with the value expected. What is left is the season, the trend and the
   prices, without the growth of the shop. Windows are left out in which the shop had no order for four weeks or more on days that
   had some in another year: it was closed, which is no season.
3. A Gaussian process says what is left of the window that begins today: a season that repeats, a drift, a trend that fades, a start
   of the log that fades, a window's own luck. A window is the average of the process over its days, so that windows of 30 days and
   of the whole horizon can be compared. How large and how sharp the season is, is learnt from the windows: forecasts with several
   seasons and without one are averaged by how likely they make what was seen. A shop without a season gets a factor near 1.
4. The total is the lifetime model's with that correction. Predictions of the model that scores are multiplied, or their log-odds
   shifted, all alike, to reach it: the order of customers and the reasons stay as they are. Of amounts whose season was never
   seen, a gap that is smaller than its doubt is not taken over.
5. The same is rehearsed at earlier snapshots from the windows that had ended by then (`monitoring.level_rehearsals`). Where
   rehearsals missed by more than was stated, the bounds are widened. The doubt of the Gaussian process is stated smaller where
   the season was seen and larger where it was not, so that bounds hold as often as they say. Days of the year that no window has
   shown add a doubt of their own: even months do not say that the next ones are even too.
6. Where nobody buys again, or no purchases are predicted, the gaps between the model and earlier snapshots are averaged instead.
   Scores of the fallbacks are corrected by the windows where a lifetime model scores, and not where a rule does.

`level: {{correction: none}}` of a workflow turns it off; `monitoring.level` then still says what it would have been.

{machine.caption()}.
"""


def _oracle_table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "## What no forecast could know",
        "",
        "Of cltv, next to the corrected totals: who knows the shop, its season, every customer's rates and who has left, and",
        "prices to come; and who knows the same of the shop, but of customers what their orders up to as_of say. What the first",
        "misses is chance; what the second misses, no forecast from these orders can avoid. A log tells neither of a change of",
        "prices to come nor, with certainty, of the season.",
        "",
        "| shops | number | knows all: median size of bias | within 15 % | knows histories: median | within 15 % "
        "| corrected: median | within 15 % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, belongs in _GROUPS:
        chosen = [one for one in outcomes if one.knows_rates is not None and belongs(one)]
        if not chosen:
            continue
        found = oracle_figures_of(chosen)
        cells = " | ".join(
            f"{found[f'{kind}_median_size']:.1%} | {found[f'{kind}_within_15']:.0%}" for kind in _KNOWING
        )
        lines.append(f"| {name} | {len(chosen)} | {cells} |")
    return "\n".join([*lines, ""])


def oracle_figures_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """What the table of the oracles says of some outcomes of cltv."""
    found: dict[str, float] = {}
    for kind in _KNOWING:
        bias = np.abs(np.array([getattr(one, kind) for one in outcomes]))
        found |= {f"{kind}_median_size": float(np.median(bias)), f"{kind}_within_15": float(np.mean(bias <= 0.15))}
    return found


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
            if chosen and chosen[0].knows_rates is not None:
                figures |= oracle_figures_of(chosen)
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
    parser.add_argument("--work", type=Path, default=_WORK, help="folder of finished shops (default %(default)s)")
    parser.add_argument(
        "--finished", action="store_true", help="run no shop; write the page of those that are finished"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    given = parser.parse_args(arguments)
    folder = folder_of(given.work)

    def report(number: int, found: Sequence[Outcome]) -> None:
        said = ", ".join(f"{one.workflow} {one.raw:+.0%} -> {one.corrected:+.0%}" for one in found)
        shop = f"{found[0].customers:,} customers, {found[0].kind_of_shop}" if found else "refused"
        print(f"{number}: {shop}: {said}", flush=True)

    shops = finished_shops(range(given.shops), folder) if given.finished else list(range(given.shops))
    outcomes = run_shops(shops, folder, given.processes, report)
    text = page(outcomes, this_machine(), waiting=given.shops - len(shops))
    write_results(NAME, text, rows_of(outcomes), given.docs)


if __name__ == "__main__":
    main()
