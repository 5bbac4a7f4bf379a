"""From baskets and scores to ranked lists.

Elsewhere: where scores come from (``engines/recommender.py``).

A list is: the products the customer bought before, best first, at most ``count``; then products the customer never bought,
best first, up to ``count + discover_count`` ranks. Every customer has as many ranks as any other, the cold ones too: nothing
bought, so the popular products. Equal scores go to the more popular product, then to the lower ``product_id``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdml_assets.engines.recommender import Scorer
from tdml_assets.recommendation.baskets import Baskets, aged

# Weight of popularity among products never bought: it decides where the learner has nothing to say.
_FALLBACK_WEIGHT = 1e-3
# Dense scores of one batch: float32 scores and the masks made of them.
_BYTES_PER_CELL = 24
_BATCH_BYTES = 200_000_000


@dataclass(frozen=True)
class Lists:
    """Ranked products of a batch of customers.

    ``codes``: (customers, ranks) int32 products; -1 where the catalogue has no more. ``scores``: (customers, ranks) float64;
    comparable within a customer and a slot. ``is_new``: (customers, ranks) whether the customer never bought the product.
    """

    codes: NDArray[np.int32]
    scores: NDArray[np.float64]
    is_new: NDArray[np.bool_]


@dataclass(frozen=True)
class Blend:
    """How products that the customer bought before are ordered.

    ``half_life_days``: age at which an own purchase counts half, against the customer's latest; 0: never less.
    ``popularity_weight``: of popularity, 0..1, in addition to the days on which the customer bought the product.
    ``learner_weight``: of the learner's score in addition to them.
    """

    half_life_days: float = 0.0
    popularity_weight: float = 0.5
    learner_weight: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As values that JSON knows."""
        return asdict(self)


@dataclass(frozen=True)
class Discoveries:
    """What a learner makes of a batch: the best products never bought, and its scores of those bought.

    ``codes``, ``scores``: (customers, width) best first; code -1 and score -inf where there are no more. ``of_bought``: (entries of
    the baskets,) scores of what was bought, 0 for a product the learner does not know.
    """

    codes: NDArray[np.int32]
    scores: NDArray[np.float64]
    of_bought: NDArray[np.float64]


def share_of_largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values in 0..1."""
    largest = float(values.max(initial=0.0))
    return values / largest if largest > 0 else values


def batch_size(columns: int, most: int) -> int:
    """Customers that may be scored at a time."""
    return int(max(1, min(most, _BATCH_BYTES // (_BYTES_PER_CELL * max(1, columns)))))


def discover(
    baskets: Baskets, scorer: Scorer | None, half_life_days: float, popularity: NDArray[np.float64], width: int
) -> Discoveries:
    """Find the best products never bought.

    ``scorer``: None: popularity alone. ``half_life_days``: age at which a purchase counts half for the scorer. ``popularity``:
    (columns,) of the products that may be discovered, 0..1. ``width``: products to find for each customer.
    """
    parts = []
    step = batch_size(len(popularity), len(baskets) or 1)
    for begin in range(0, len(baskets), step):
        part = baskets.taken(np.arange(begin, min(begin + step, len(baskets))))
        parts.append(_discover(part, scorer, half_life_days, popularity, width))
    if not parts:
        return Discoveries(np.zeros((0, width), np.int32), np.zeros((0, width)), np.zeros(0))
    return Discoveries(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.of_bought for part in parts]),
    )


def _discover(
    baskets: Baskets, scorer: Scorer | None, half_life_days: float, popularity: NDArray[np.float64], width: int
) -> Discoveries:
    columns = len(popularity)
    known = baskets.codes < columns
    rows, codes = baskets.rows[known], baskets.codes[known]
    of_bought = np.zeros(len(baskets.codes))
    if scorer is None:
        scores = np.zeros((len(baskets), columns), dtype=np.float32)
    else:
        scores = scorer.score(baskets.weights(half_life_days, columns, relative=True))
        of_bought[known] = scores[rows, codes]
    scores += (_FALLBACK_WEIGHT * popularity).astype(np.float32)
    scores[rows, codes] = -np.inf
    best = top_columns(scores, min(width, columns))
    values = np.take_along_axis(scores, best, axis=1).astype(np.float64)
    missing = width - best.shape[1]
    found = np.where(np.isneginf(values), -1, best).astype(np.int32)
    return Discoveries(
        np.pad(found, ((0, 0), (0, missing)), constant_values=-1),
        np.pad(values, ((0, 0), (0, missing)), constant_values=-np.inf),
        of_bought,
    )


def top_columns(scores: NDArray[np.float32], width: int) -> NDArray[np.int64]:
    """(rows, width) columns of the highest scores, best first; of equal ones the lower column.

    A partition picks any of the equal ones, so the rows where that matters are done again.
    """
    total = scores.shape[1]
    if width >= total:
        return np.argsort(-scores, axis=1, kind="stable")[:, :width]
    columns = np.sort(np.argpartition(scores, total - width, axis=1)[:, total - width :], axis=1)
    values = np.take_along_axis(scores, columns, axis=1)
    least = values.min(axis=1, keepdims=True)
    again = np.flatnonzero((scores == least).sum(axis=1) > (values == least).sum(axis=1))
    if len(again):
        above, equal = scores[again] > least[again], scores[again] == least[again]
        wanted = width - above.sum(axis=1, keepdims=True)
        chosen = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= wanted))
        columns[again] = np.nonzero(chosen)[1].reshape(len(again), width)
        values = np.take_along_axis(scores, columns, axis=1)
    return np.take_along_axis(columns, np.argsort(-values, axis=1, kind="stable"), axis=1)


def repeat_scores(
    baskets: Baskets, blend: Blend, popularity: NDArray[np.float64], of_bought: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(entries,) scores of what was bought: own purchases, popularity, learner.

    ``popularity``: (products,) 0..1. ``of_bought``: as :class:`Discoveries` has it.
    """
    own = baskets.purchases * aged(baskets.relative_ages(), blend.half_life_days)
    return own + blend.popularity_weight * popularity[baskets.codes] + blend.learner_weight * of_bought


def compose(
    baskets: Baskets, repeats: NDArray[np.float64], found: Discoveries, *, count: int, discover_count: int
) -> Lists:
    """Put lists together.

    ``repeats``: (entries,) score of every product bought. ``found``: at least ``count + discover_count`` wide.
    """
    length = count + discover_count
    customers = len(baskets)
    shape = (customers, length)
    codes, scores = np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan)
    is_new = np.zeros(shape, dtype=bool)
    rows, order = baskets.rows, np.lexsort((baskets.codes, -repeats, baskets.rows))
    place = np.arange(len(order)) - baskets.starts[:-1][rows]
    in_main = np.minimum(np.diff(baskets.starts), count)
    first = place < count
    _put(codes, scores, rows[first], place[first], baskets.codes[order][first], repeats[order][first])
    new_rows, new_places = np.nonzero(found.codes >= 0)
    at = in_main[new_rows] + new_places
    fits = at < length
    new_rows, new_places, at = new_rows[fits], new_places[fits], at[fits]
    _put(codes, scores, new_rows, at, found.codes[new_rows, new_places], found.scores[new_rows, new_places])
    is_new[new_rows, at] = True
    # Whoever bought nearly everything gets more of that.
    filled = (codes >= 0).sum(axis=1)
    at = filled[rows] + place - count
    more = ~first & (at < length)
    _put(codes, scores, rows[more], at[more], baskets.codes[order][more], repeats[order][more])
    return Lists(codes, scores, is_new)


def _put(
    codes: NDArray[np.int32],
    scores: NDArray[np.float64],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    new_codes: NDArray[np.int32],
    new_scores: NDArray[np.float64],
) -> None:
    codes[rows, places] = new_codes
    scores[rows, places] = new_scores


def popular_lists(baskets: Baskets, popularity: NDArray[np.float64], *, count: int, discover_count: int) -> Lists:
    """The baseline that knows nobody: the popular products, bought before or not, then popular ones never bought.

    ``popularity``: (products,) descending, as the catalogue is ordered.
    """
    main = np.tile(np.arange(min(count, baskets.products), dtype=np.int32), (len(baskets), 1))
    main = np.pad(main, ((0, 0), (0, count - main.shape[1])), constant_values=-1)
    rows = np.repeat(np.arange(len(baskets)), count)
    new = ~baskets.holds(rows, main.ravel()).reshape(main.shape) & (main >= 0)
    found = discover(baskets, None, 0.0, popularity, count + discover_count)
    places = new.sum(axis=1)[:, None] + np.arange(discover_count)
    tail = np.take_along_axis(found.codes, places, axis=1)
    codes = np.concatenate([main, tail], axis=1)
    scores = np.where(codes >= 0, popularity[codes], np.nan)
    return Lists(codes, scores, np.concatenate([new, tail >= 0], axis=1))
