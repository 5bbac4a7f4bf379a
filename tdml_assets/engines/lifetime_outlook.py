"""What lifetime models expect of customers, and how much of it is owed to which part of their history.

Elsewhere: the formulas (``engines/lifetimes/``), learners (``lifetime.py``, ``lifetime_xgboost.py``).

The rows of a fit are asked about when they are learnt from, when levels are carried to them and when they are scored, and many
customers share their history with one of another batch. Outlooks of different histories are therefore computed once. Days are
whole numbers, so that a history is one number of 64 bits, by which it is found again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tdml_assets.engines.lifetimes import BgNbd, GammaGamma, ParetoNbd
from tdml_assets.engines.lifetimes.histories import Floats, Histories, checked_columns

PurchaseModel = Literal["pareto_nbd", "bg_nbd"]
#: What the models know of a customer: columns of ``features.customer_features``, as they are there.
HISTORY = ("repeat_purchase_days", "recency_days", "tenure_days", "avg_repeat_day_value")
# Rows whose coalitions are evaluated together: 16 times as many rows are in memory.
_ROWS_EXPLAINED_AT_ONCE = 16_384
# Expected spend below this share of a mean purchase counts as this much where its logarithm is taken.
_LEAST_SPEND = 1e-9


@dataclass(frozen=True)
class Outlook:
    """What is expected of customers in the horizon, one number a row.

    ``purchases``: expected number. ``alive``, ``active``: probability to be a customer still; to buy at least once. ``value``:
    expected value of a purchase.
    """

    purchases: Floats
    alive: Floats
    active: Floats
    value: Floats

    @property
    def spend(self) -> Floats:
        """Expected spend."""
        return self.purchases * self.value

    @property
    def spend_if_active(self) -> Floats:
        """Expected spend of those who buy at least once; above 0. Who buys, buys once or more."""
        with np.errstate(divide="ignore", invalid="ignore"):
            several = np.where(self.active > 0, self.purchases / self.active, 1.0)
        return np.maximum(several, 1.0) * self.value


@dataclass(frozen=True)
class Lifetime:
    """A purchase model, a value model, and the mean customer they are compared with.

    ``horizon_days``: length of the predicted window. ``reference``: of the mean customer who bought again: repeat days, recency /
    age, age in days.
    """

    purchases: ParetoNbd | BgNbd
    value: GammaGamma
    horizon_days: int
    reference: tuple[float, float, float]

    def outlook(self, history: Floats) -> Outlook:
        """Expect for rows of :data:`HISTORY` columns. Raises ``ValueError`` if rows are not histories."""
        x, recency, age, mean = history.T
        purchases, alive, active = self._seen.outlook(
            x, recency, age, lambda different: self.purchases.outlook(self.horizon_days, different)
        )
        return Outlook(
            purchases=purchases,
            alive=alive,
            active=active,
            # Nothing was ever paid by those whose values are all 0; a purchase of nothing has no logarithm.
            value=np.maximum(self.value.expected_value(x, mean), _LEAST_SPEND * self.value.population_value),
        )

    @cached_property
    def _seen(self) -> SeenHistories:
        return SeenHistories()

    def attributions(self, history: Floats) -> tuple[Floats, Floats, Floats]:
        """Shapley values of each :data:`HISTORY` column against the mean customer, exact over the 16 coalitions.

        Recency enters as a share of age, so that no coalition is an impossible history; a one-time buyer has none and
        owes it nothing. Returns three arrays (rows, 4): of the log-odds to be active, of log spend if active, and of log expected
        spend.
        """
        found = np.empty((3, len(history), len(HISTORY)))
        for first in range(0, len(history), _ROWS_EXPLAINED_AT_ONCE):
            rows = slice(first, first + _ROWS_EXPLAINED_AT_ONCE)
            found[:, rows] = self._shapley(history[rows])
        return found[0], found[1], found[2]

    def _shapley(self, history: Floats) -> Floats:
        again = history[:, 0] > 0
        mean = np.array([*self.reference, self.value.population_value])
        own = history.copy()
        own[:, 1] = np.where(again, history[:, 1] / np.maximum(history[:, 2], 1e-9), mean[1])
        own[:, 3] = np.where(again, history[:, 3], mean[3])
        players = range(len(HISTORY))
        worth: dict[frozenset[int], Floats] = {}
        for size in range(len(HISTORY) + 1):
            for members in combinations(players, size):
                mixed = np.where(np.isin(players, members), own, mean)
                mixed[:, 1] *= mixed[:, 2] * (mixed[:, 0] > 0)
                worth[frozenset(members)] = self._margins(mixed)
        found = np.zeros((3, len(history), len(HISTORY)))
        for coalition, before in worth.items():
            for player in set(players) - coalition:
                share = math.factorial(len(coalition)) * math.factorial(len(HISTORY) - 1 - len(coalition))
                gain = worth[coalition | {player}] - before
                found[:, :, player] += share / math.factorial(len(HISTORY)) * gain
        return found

    def _margins(self, history: Floats) -> Floats:
        seen = self.outlook(history)
        spend = np.maximum(seen.spend, _LEAST_SPEND * self.value.population_value)
        return np.stack([log_odds(seen.active), np.log(seen.spend_if_active), np.log(spend)])

    def to_facts(self) -> dict[str, Any]:
        """The form kept in a model file."""
        family = "bg_nbd" if isinstance(self.purchases, BgNbd) else "pareto_nbd"
        return {"family": family, **dataclasses.asdict(self)}

    @staticmethod
    def from_facts(facts: Mapping[str, Any]) -> Lifetime:
        """Read back what :meth:`to_facts` gave.

        Raises ``ValueError`` if the mean customer is not a history: reasons compare everybody with it.
        """
        family: type[BgNbd] | type[ParetoNbd] = BgNbd if facts["family"] == "bg_nbd" else ParetoNbd
        purchases = family(**facts["purchases"])
        repeats, share, age = (float(number) for number in facts["reference"])
        if not (1 <= repeats < math.inf and 0 <= share <= 1 and 0 < age < math.inf):
            raise ValueError(
                f"the mean customer of a lifetime model has {repeats} repeat days, recency of {share} of {age} days of age"
            )
        return Lifetime(purchases, GammaGamma(**facts["value"]), facts["horizon_days"], (repeats, share, age))


def log_odds(probability: Floats) -> Floats:
    """Log-odds of probabilities, of one in a million at the ends."""
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(inside) - np.log1p(-inside)
    return odds


# Bits of the days of recency and of age, 5,700 years, and of the number of days with a purchase, two million.
_BITS = 21
# Histories kept, of 32 bytes each.
_MOST_KEPT = 500_000

Keys = NDArray[np.int64]
#: Expected purchases, probabilities to be alive and to be active, of every different history.
Expect = Callable[[Histories], tuple[Floats, Floats, Floats]]


class SeenHistories:
    """Outlooks of a model by history. Threads may share it; a pickled one is empty."""

    def __init__(self) -> None:
        # Replaced as a whole: another thread sees what was there before or what is there now.
        self._kept: tuple[Keys, Floats] = np.empty(0, dtype=np.int64), np.empty((3, 0))

    def __reduce__(self) -> tuple[type[SeenHistories], tuple[()]]:
        return SeenHistories, ()

    def __len__(self) -> int:
        return len(self._kept[0])

    def outlook(self, frequency: Floats, recency: Floats, age: Floats, expect: Expect) -> Floats:
        """Expected purchases, and the probabilities to be alive and to be active, of each row: shape (3, rows).

        ``expect``: asked about histories that were not seen before. Raises ``ValueError`` as :meth:`Histories.of`.
        """
        columns = checked_columns(frequency, recency, age)
        if any((column != np.floor(column)).any() or column.max() >= 2**_BITS for column in columns):
            histories = Histories.of(*columns)
            return np.stack(expect(histories))[:, histories.place]
        x, t_x, t = (column.astype(np.int64) for column in columns)
        given: Keys = (x << 2 * _BITS) | (t_x << _BITS) | t
        different, place = np.unique(given, return_inverse=True)
        keys, values = self._kept
        at: NDArray[np.intp] = np.searchsorted(keys, different)
        known = np.zeros(len(different), dtype=bool)
        inside = at < len(keys)
        known[inside] = keys[at[inside]] == different[inside]
        found = np.empty((3, len(different)))
        found[:, known] = values[:, at[known]]
        if not known.all():
            new = different[~known]
            found[:, ~known] = expect(_histories(new))
            if len(keys) + len(new) <= _MOST_KEPT:
                order = np.argsort(np.concatenate([keys, new]), kind="stable")
                self._kept = (
                    np.concatenate([keys, new])[order],
                    np.concatenate([values, found[:, ~known]], axis=1)[:, order],
                )
        return found[:, place]


def _histories(keys: Keys) -> Histories:
    part = (1 << _BITS) - 1
    columns = (keys >> 2 * _BITS, (keys >> _BITS) & part, keys & part)
    x, t_x, t = (column.astype(np.float64) for column in columns)
    return Histories(x, t_x, t, np.ones(len(keys)), np.arange(len(keys)))
