"""train_slim: sparse linear item-to-item models by coordinate descent.

Ning and Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems" (2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.fm import iterations_of
from tdml_assets.engines.hivemall.java_text import double_text, slot_order
from tdml_assets.engines.hivemall.losses import Convergence
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, INT, Function, table_of

Ratings = dict[int, float]
_USER_SLOTS, _ITEM_SLOTS = 2048, 32


class _Item:
    """One item i: its ratings, the ratings of its neighbours by user, and its row of weights."""

    def __init__(self) -> None:
        self.ratings: Ratings = {}
        self.neighbours: dict[int, Ratings] = {}
        self.weights: dict[int, np.float32] = {}

    def step(self, other: int, column: Ratings, l1: float, l2: float) -> float:
        """Set the weight of another item from its ratings; returns the mean squared error and the penalty before the step."""
        gradient, squares, loss = 0.0, 0.0, 0.0
        for user, rating in column.items():
            error = self.ratings.get(user, 0.0)
            for item, value in self.neighbours.get(user, {}).items():
                if item != other:
                    error -= value * float(self.weights.get(item, np.float32(0)))
            gradient += rating * error
            squares += rating * rating
            loss += error * error
        if not column:
            return 0.0
        before = float(self.weights.get(other, np.float32(0)))
        gradient, squares = gradient / len(column), squares / len(column)
        pull = 0.0 if abs(gradient) <= l1 else gradient - (l1 if gradient > 0 else -l1)
        weight = max(0.0, pull / (squares + l2)) if pull else 0.0
        self.weights[other] = np.float32(weight)
        return loss / len(column) + 0.5 * l2 * before * before + l1 * before

    def order(self) -> list[int]:
        """The neighbours in the order of the passes after the first."""
        users = slot_order(self.neighbours, _USER_SLOTS)
        items = [item for user in users for item in self.neighbours[user]]
        return slot_order(items, _ITEM_SLOTS)


def _pairs(value: Any) -> dict[int, Any]:
    return {} if value is None else dict(value)


def _settings(options: Options) -> tuple[float, float, int, float]:
    """l1, l2, passes and rate of convergence; impossible ones are refused."""
    l1, l2 = options.number("l1", 0.001), options.number("l2", 0.0005)
    for name, value in (("l1", l1), ("l2", l2)):
        if not 0 <= value <= 1:
            raise HivemallError(f"Argument `double {name}` must be within [0., 1.]: {double_text(value)}")
    iterations = iterations_of(options, 30)
    if iterations < 1:
        raise HivemallError(f"Argument `int numIterations` must be greater than 0: {iterations}")
    rate = options.number("cv_rate", 0.005)
    if rate <= 0:
        raise HivemallError(f"Argument `double cv_rate` must be greater than 0.0: {double_text(rate)}")
    return l1, l2, iterations, rate


def _train_slim(rows: pa.Table, options: Options) -> pa.Table:
    """Weights of neighbours ``nn`` of items ``j``, all not 0."""
    l1, l2, iterations, rate = _settings(options)
    items: dict[int, _Item] = {}
    columns: dict[int, Ratings] = {}
    convergence = Convergence(rate, check=not options.has("disable_cv"))
    loss = 0.0
    for i, ratings, neighbours, j, others in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        item = items.setdefault(i, _Item())
        item.ratings = _pairs(ratings)
        item.neighbours = {user: _pairs(values) for user, values in _pairs(neighbours).items()}
        columns[i], columns[j] = item.ratings, _pairs(others)
        loss += item.step(j, columns[j], l1, l2)
    convergence.reached(loss)
    for _ in range(2, iterations):
        loss = 0.0
        for item in items.values():
            for other in item.order():
                if other in columns:
                    loss += item.step(other, columns[other], l1, l2)
        if convergence.reached(loss):
            break
    found = [(i, other, weight) for i, item in items.items() for other, weight in item.weights.items() if weight != 0]
    names = ("j", "nn", "w")
    kinds = dict(zip(names, (INT, INT, FLOAT), strict=True))
    return table_of({name: [row[place] for row in found] for place, name in enumerate(names)}, kinds)


FUNCTIONS = {
    "train_slim": Function(
        _train_slim,
        declare(
            "l1,l1coefficient= l2,l2coefficient= iters,iterations= iter= disable_cv,disable_cvtest cv_rate,convergence_rate= help"
        ),
        5,
        5,
    )
}
