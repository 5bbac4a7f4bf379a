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
TABLES = 200
SIZES = (500, 2_000, 10_000, 50_000)
SHARES = (0.05, 0.1, 0.2)
_BANDS = 10
_DETECT = 0.05
#: Mean spend by band, as multiples of the mean of all.
_LEVELS = np.geomspace(0.25, 2.5, _BANDS)


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
) -> tuple[list[list[Stratum]], list[float]]:
    """Outcomes of the groups by band, and the true differences."""
    size = customers // _BANDS
    bands, truths = [], []
    for level in _LEVELS:
        control = int(generator.binomial(size, share))
        treated = drawn(generator, world, effect, float(level), size - control)
        bands.append([Stratum(treated, drawn(generator, world, EFFECTS[0], float(level), control))])
        truths.append(float(level) * (effect.amount * effect.buyers - 1))
    return bands, truths


def held(one: Comparison, truth: float) -> bool | None:
    """Whether the interval holds the truth; None where there is no interval."""
    if one.low is None or one.high is None:
        return None
    return one.low <= truth <= one.high


def measured(world: World, effect: Effect, customers: int, share: float, tables: int) -> list[Row]:
    """Simulate campaigns, and count."""
    generator = np.random.default_rng([customers, int(1000 * share), int(10 * world.sigma), len(effect.words)])
    whole_95, whole_of_table, all_of_table, shown, by_t = [], [], [], [], []
    for number in range(tables):
        bands, truths = campaign(generator, world, effect, customers, share)
        whole = [
            Stratum(
                np.concatenate([band[0].treated for band in bands]), np.concatenate([band[0].control for band in bands])
            )
        ]
        truth = float(np.mean(truths))
        whole_95.append(held(compare(whole, FALSE_ALARMS, _DETECT, generator), truth))
        first, others = compare_table(whole, bands, detect=_DETECT, seed=number)
        found = [held(first, truth), *(held(one, true) for one, true in zip(others, truths, strict=True))]
        whole_of_table.append(found[0])
        all_of_table.append(all(one is not False for one in found))
        shown.append(any(one.is_shown for one in (first, *others)))
        low, high = stats.ttest_ind(whole[0].treated, whole[0].control, equal_var=False).confidence_interval()
        by_t.append(bool(low <= truth <= high))
    case = f"{world.words}; {customers:,} customers, {share:.0%} kept out; {effect.words}"
    rows = [
        Row(case, "coverage_95", _share(whole_95), _share(by_t)),
        Row(case, "coverage_of_whole_97_5", _share(whole_of_table), None),
        Row(case, "coverage_of_whole_table", _share(all_of_table), None),
    ]
    name = "false_alarm_rate" if effect is EFFECTS[0] else "power"
    return [*rows, Row(case, name, _share(shown), None)]


def _share(found: Sequence[bool | None]) -> float | None:
    known = [one for one in found if one is not None]
    return round(sum(known) / len(known), 4) if known else None


def page_of(tables: int) -> str:
    """What the page says before the figures."""
    return f"""# Lift

`make study-lift` simulates campaigns whose effect is known, {tables} of each kind, and compares the customers who were sent with
the control group as `monitoring.lift` does. A customer buys within the horizon by chance and spends a log-normal amount; deciles
differ tenfold. `coverage_95` is how often one interval of 95 % holds the true difference; the baseline is Student's t by Welch on
the same campaigns. `coverage_of_whole_table` is how often all eleven intervals of a table (the whole and ten deciles) hold
together, and `false_alarm_rate` the share of tables without any effect in which one is shown anywhere: 5 % at most is what the
product promises. `power` is the share of tables with an effect in which one is shown.

**Why not Student's t.** Spend is zero for most and large for a few. With 25 to 500 customers in the control group, their mean
misses the truth mostly from below, and an interval by t holds it far less often than it says. Capping the spend would change what
is measured. A permutation test holds its false alarms whatever the tails; it is turned into an interval by asking which factor
between the groups it does not refuse. Where the campaign does not multiply what customers spend (more buy, say), this is an
approximation, which the third kind of campaign measures. From 2,000 customers in the control group on, means are normal enough,
and t is used.

**Several bands.** Half of the 5 % is the whole's, the other half is shared by the bands (Bonferroni). So the interval of the
whole is one of 97.5 %, and no band is called an effect because there are ten of them.

**What it takes.** `needed` says how many customers, both groups together, would show a relative difference of `detect` (5 %) with
a chance of 80 %, from the spread of this comparison. With spend like this it is often more than there are.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=TABLES)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    given = parser.parse_args(arguments)
    rows: list[Row] = []
    for world in WORLDS:
        for customers in given.sizes:
            for share in SHARES:
                for effect in EFFECTS:
                    found = measured(world, effect, customers, share, given.tables)
                    rows += found
                    print("; ".join(f"{row.metric} {row.ours}" for row in found), found[0].case, flush=True)
    text = f"{page_of(given.tables)}\n{markdown_table(rows)}\n\n{this_machine().caption()}.\n"
    write_results(NAME, text, rows, given.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
