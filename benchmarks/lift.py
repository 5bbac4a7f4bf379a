"""make study-lift: intervals of activation's effect on simulated campaigns whose effect is known.

Belongs here: campaigns, how often an interval holds the truth and an effect is shown where there is none, and the page. Does not:
the statistics (``tdml_assets/stages/realised/lift_statistics.py``).

A customer buys within the horizon by chance; who buys spends a log-normal amount. Customers differ: the mean of the highest
decile is about ten times that of the lowest, as in predictions that are worth publishing. The campaign raises either what buyers
spend or how many buy. The truth is the difference of expected spend, known from the simulation. Student's t by Welch is measured
beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.measure import Row, markdown_table, this_machine, write_results
from tdml_assets.stages.realised.lift_statistics import (
    FALSE_ALARMS,
    Comparison,
    Floats,
    Stratum,
    compare,
    compare_table,
)

NAME = "lift"
#: Of the page. The method was chosen on others.
SEED = 20_26
TABLES = 200
SIZES = (500, 2_000, 10_000)
SHARES = (0.05, 0.1, 0.2)
_BANDS = 10
#: Customers up to which the bands are compared too: beyond, it takes hours, and each has as many customers as a whole of 2,000.
_BANDS_UP_TO = 2_000
_DETECT = 0.05
#: Mean spend by band, as multiples of the mean of all.
_LEVELS = np.geomspace(0.25, 2.5, _BANDS)
#: Of the logarithm of a prediction: how far it is off.
_PREDICTION_SIGMA = 0.3


@dataclass(frozen=True)
class World:
    """How customers spend: share who buy, and sigma of the logarithm of what they spend."""

    buyers: float
    sigma: float

    @property
    def words(self) -> str:
        """For the page."""
        return f"{1 - self.buyers:.0%} spend nothing, sigma {self.sigma:g}"


@dataclass(frozen=True)
class Effect:
    """What a campaign does: factors of what buyers spend and of how many buy."""

    words: str
    amount: float = 1.0
    buyers: float = 1.0


WORLDS = (World(0.3, 1.0), World(0.3, 1.5))
EFFECTS = (
    Effect("no effect"),
    Effect("buyers spend 20 % more", amount=1.2),
    Effect("20 % more buy", buyers=1.2),
)


def drawn(generator: np.random.Generator, world: World, effect: Effect, level: float, customers: int) -> Floats:
    """Spend of customers of one band; the mean is ``level`` without an effect."""
    amounts = generator.lognormal(-(world.sigma**2) / 2, world.sigma, customers) * level / world.buyers
    return np.where(generator.random(customers) < world.buyers * effect.buyers, amounts * effect.amount, 0.0)


def campaign(
    generator: np.random.Generator, world: World, effect: Effect, customers: int, share: float
) -> tuple[list[Stratum], list[float]]:
    """Outcomes of the groups by band, and the true differences."""
    size = customers // _BANDS
    bands, truths = [], []
    for level in _LEVELS:
        control = int(generator.binomial(size, share))
        treated = drawn(generator, world, effect, float(level), size - control)
        predicted = float(level) * generator.lognormal(0.0, _PREDICTION_SIGMA, size)
        outcomes = drawn(generator, world, EFFECTS[0], float(level), control)
        bands.append(Stratum(treated, outcomes, predicted[control:], predicted[:control], share))
        truths.append(float(level) * (effect.amount * effect.buyers - 1))
    return bands, truths


def together(bands: Sequence[Stratum], share: float) -> Stratum:
    """Customers of all bands."""
    names = ("treated", "control", "treated_predicted", "control_predicted")
    return Stratum(*(np.concatenate([getattr(band, name) for band in bands]) for name in names), share)


def held(one: Comparison, truth: float) -> bool | None:
    """Whether the interval holds the truth; None where there is no interval."""
    if one.low is None or one.high is None:
        return None
    return one.low <= truth <= one.high


def measured(world: World, effect: Effect, customers: int, share: float, tables: int, seed: int) -> list[Row]:
    """Simulate campaigns, and count."""
    generator = np.random.default_rng([seed, customers, int(1000 * share), int(10 * world.sigma), len(effect.words)])
    whole_95, all_of_table, shown = [], [], []
    for number in range(tables):
        bands, truths = campaign(generator, world, effect, customers, share)
        whole, truth = together(bands, share), float(np.mean(truths))
        single = compare([whole], FALSE_ALARMS, _DETECT, generator)
        whole_95.append(held(single, truth))
        if customers > _BANDS_UP_TO:
            shown.append(single.is_shown)
            continue
        first, others = compare_table([whole], [[band] for band in bands], detect=_DETECT, seed=number)
        found = [held(first, truth), *(held(one, true) for one, true in zip(others, truths, strict=True))]
        all_of_table.append(all(one is not False for one in found))
        shown.append(any(one.is_shown for one in (first, *others)))
    case = f"{world.words}; {customers:,} customers, {share:.0%} kept out; {effect.words}"
    rows = [Row(case, "coverage_95", _share(whole_95), covered_by_t(world, effect, customers, share, tables, seed))]
    if all_of_table:
        rows.append(Row(case, "coverage_of_whole_table", _share(all_of_table), None))
    name = "false_alarm_rate" if effect is EFFECTS[0] else "power"
    if not all_of_table:
        name += "_of_whole"
    return [*rows, Row(case, name, _share(shown), None)]


def covered_by_t(world: World, effect: Effect, customers: int, share: float, tables: int, seed: int) -> float | None:
    """How often the interval of Student's t by Welch holds the truth, on as many campaigns of the same kind."""
    generator = np.random.default_rng(
        [seed + 1, customers, int(1000 * share), int(10 * world.sigma), len(effect.words)]
    )
    found: list[bool | None] = []
    for _ in range(tables):
        bands, truths = campaign(generator, world, effect, customers, share)
        whole, truth = together(bands, share), float(np.mean(truths))
        low, high = stats.ttest_ind(whole.treated, whole.control, equal_var=False).confidence_interval()
        found.append(bool(low <= truth <= high))
    return _share(found)


def _share(found: Sequence[bool | None]) -> float | None:
    known = [one for one in found if one is not None]
    return round(sum(known) / len(known), 4) if known else None


def summary_of(rows: Sequence[Row], tables: int) -> str:
    """The whole table in a few lines."""
    lines = []
    for metric, words in (("coverage_95", "ours"), ("coverage_95", "Student's t")):
        found = [row.ours if words == "ours" else row.baseline for row in rows if row.metric == metric]
        known = [value for value in found if value is not None]
        lines.append(
            f"| coverage of one 95 % interval, {words} | {min(known):.3f} | {np.mean(known):.3f} | {max(known):.3f} |"
        )
    for metric in ("coverage_of_whole_table", "false_alarm_rate"):
        known = [row.ours for row in rows if row.metric == metric and row.ours is not None]
        if known:
            lines.append(f"| {metric} | {min(known):.3f} | {np.mean(known):.3f} | {max(known):.3f} |")
    cells = sum(row.metric == "coverage_95" for row in rows)
    # Where the truth is 95 %, one cell of all of them falls below this with a chance of 5 %.
    least = stats.binom.ppf(0.05 / cells, tables, 0.95) / tables
    below = sum(row.metric == "coverage_95" and row.ours is not None and row.ours < least for row in rows)
    held = [row.ours for row in rows if row.metric == "coverage_95" and row.ours is not None]
    alarms = [row.ours for row in rows if row.metric == "false_alarm_rate" and row.ours is not None]
    promise = (
        f"**What is promised.** An interval holds the truth in 95 % of {tables} simulations: on average over the {len(held)} kinds "
        f"below, each simulated {tables} times, in {np.mean(held):.1%}. Where there is no effect, one is shown in at most 5 % of "
        f"{tables} simulations: in {max(alarms):.1%} in the worst of {len(alarms)} kinds, in {np.mean(alarms):.1%} on average."
        if alarms
        else ""
    )
    head = "| over all kinds | lowest | mean | highest |\n|---|---:|---:|---:|"
    return (
        f"{promise}\n\n{head}\n"
        + "\n".join(lines)
        + f"\n\nOf {cells} kinds, {below} have a coverage below {least:.3f}: were every "
        f"coverage 95 %, chance would put one of {cells} below it in 5 % of such studies."
    )


def page_of(tables: int) -> str:
    """What the page says before the figures."""
    return f"""# Lift

`make study-lift` simulates campaigns whose effect is known, {tables} of each kind, and compares the customers who were sent with
the control group as `monitoring.lift` does. A customer buys within the horizon by chance and spends a log-normal amount; deciles
differ tenfold, and predictions are off by a third. `coverage_95` is how often one interval of 95 % holds the true difference; the
baseline is Student's t by Welch on as many campaigns of the same kind. `coverage_of_whole_table` is how often all eleven intervals
of a table (the whole and ten deciles) hold together, and `false_alarm_rate` the share of tables without any effect in which one is
shown anywhere: 5 % at most is what the product promises. `power` is the share of tables with an effect in which one is shown. With
more than {_BANDS_UP_TO:,} customers the whole alone is compared, by one interval of 95 %.

**Why not Student's t.** Spend is zero for most and large for a few. With 25 to 500 customers in the control group, their mean
misses the truth mostly from below, and their spread is estimated too low at the same time: an interval by t holds the truth far
less often than it says. Capping the spend would change what is measured.

**What is done instead.** A difference is put to a test: it is taken off the treated outcomes, and the studentised difference of
means is compared with itself when customers change groups at random. The interval holds the differences that are not refused. The
exchanges borrow the tail of the large group, which the small group does not show. Without an effect the test is exact; with one it
is exact in large samples (Janssen 1997; Chung and Romano 2013), and this page measures it in small ones. From 400 customers in
the control group on, several customers are exchanged at a time, which changes the interval little and keeps it cheap.

**What was wrong before.** The test looked for a factor between the groups, and the factor was turned into a difference by the mean
of the treated customers, whose own error was left out. So intervals missed an effect more often than they said (coverage .89 to
.91 in four kinds), while those of no effect held.

**Predictions narrow it.** Both groups are brought to the same mean prediction, with the slope of both together (CUPED: Deng, Xu,
Kohavi and Walker 2013). What this gains is what predictions explain: little for spend as noisy as here, half of the width and more
where they are good.

**Several bands.** Half of the 5 % is the whole's, the other half is shared by the bands (Bonferroni). So the interval of the
whole is one of 97.5 %, and no band is called an effect because there are ten of them.

**Too few to tell.** With fewer than 20 customers or 5 buyers in a group no interval is given, and the sentence says how many
customers it would take. `needed` says how many customers, both groups together, would show a relative difference of `detect` (5 %)
with a chance of 80 %, from the spread of this comparison. With spend like this it is often more than there are. Campaigns without
an interval are left out of the coverage. Every kind has random numbers of its own: simulated alone, it gives the same figures.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=TABLES)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    given = parser.parse_args(arguments)
    rows: list[Row] = []
    for customers in given.sizes:
        for world in WORLDS:
            for share in SHARES:
                for effect in EFFECTS:
                    found = measured(world, effect, customers, share, given.tables, given.seed)
                    rows += found
                    print("; ".join(f"{row.metric} {row.ours}" for row in found), found[0].case, flush=True)
    shown = f"{page_of(given.tables)}\n{summary_of(rows, given.tables)}\n\n{markdown_table(rows)}"
    write_results(NAME, f"{shown}\n\n{this_machine().caption()}.\n", rows, given.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
