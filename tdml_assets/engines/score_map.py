"""A monotone map from the sum of a linear model to an amount or a probability, fitted to what happened.

Elsewhere: the sums (``linear_model.py``).

Isotonic regression (pool adjacent violators; Barlow and others 1972) on equal groups of rows by their sum, joined by straight
lines. The order of the customers stays that of the sums; the total on the training rows becomes what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_GROUPS = 100
#: Rows a group must have, so that one large order does not set the end of the line.
_GROUP_ROWS = 30


@dataclass(frozen=True)
class Piece:
    """A straight line from ``start``: value + slope x (sum - start), up to ``end``; the last one has no end and no slope."""

    start: float
    end: float
    value: float
    slope: float


@dataclass(frozen=True)
class ScoreMap:
    """Straight lines between knots; constant beyond the first and the last.

    ``knots``: sums, ascending. ``values``: the prediction at each, not descending.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        ordered = all(low < high for low, high in pairwise(self.knots))
        rising = all(low <= high for low, high in pairwise(self.values))
        if not self.knots or len(self.knots) != len(self.values) or not ordered or not rising:
            raise ValueError("the knots of a score map must ascend, and their values must not descend")
        if not np.isfinite([*self.knots, *self.values]).all():
            raise ValueError("a knot of a score map is not finite")

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The lines, without the constants at both ends."""
        points = list(zip(self.knots, self.values, strict=True))
        return tuple(Piece(x, end, y, (top - y) / (end - x)) for (x, y), (end, top) in pairwise(points))

    def apply(self, sums: Floats) -> Floats:
        """Predictions of sums."""
        found = np.full(len(sums), self.values[-1])
        # From the last piece to the first: a sum belongs to the first piece whose end is not below it.
        for piece in reversed(self.pieces):
            below = sums <= piece.end
            found[below] = piece.value + (sums[below] - piece.start) * piece.slope
        found[sums <= self.knots[0]] = self.values[0]
        return found

    def to_facts(self) -> dict[str, list[float]]:
        """Values that JSON knows."""
        return {"knots": list(self.knots), "values": list(self.values)}

    @staticmethod
    def from_facts(facts: Mapping[str, Any]) -> ScoreMap:
        """Read back what :meth:`to_facts` gave. Raises ``ValueError`` for what cannot be a map."""
        knots, values = (tuple(float(value) for value in facts[name]) for name in ("knots", "values"))
        return ScoreMap(knots, values)

    @staticmethod
    def fit(sums: Floats, target: Floats, *, is_probability: bool) -> ScoreMap:
        """Fit to what happened.

        ``sums``, ``target``: one per training row. ``is_probability``: groups are drawn to the base rate by one row, so that none
        is 0 or 1.
        """
        order = np.argsort(sums, kind="stable")
        groups = max(1, min(_GROUPS, len(sums) // _GROUP_ROWS))
        prior = float(target.mean()) if is_probability else 0.0
        extra = 1 if is_probability else 0
        # Weight, sum of the scores, sum of the target; groups that descend are pooled.
        pooled: list[tuple[float, float, float]] = []
        for rows in np.array_split(order, groups):
            one = (
                float(len(rows) + extra),
                sums[rows].mean() * (len(rows) + extra),
                float(target[rows].sum()) + prior * extra,
            )
            while pooled and pooled[-1][2] / pooled[-1][0] >= one[2] / one[0]:
                before = pooled.pop()
                one = (before[0] + one[0], before[1] + one[1], before[2] + one[2])
            pooled.append(one)
        points: dict[float, float] = {}
        for count, score, happened in pooled:
            points[kept_digits(score / count)] = kept_digits(happened / count)
        knots = sorted(points)
        return ScoreMap(tuple(knots), tuple(np.maximum.accumulate([points[knot] for knot in knots]).tolist()))


def kept_digits(value: float) -> float:
    """Twelve digits of a sum: sums may be added up in parallel, and the last digits depend on it."""
    return float(f"{value:.12g}")
