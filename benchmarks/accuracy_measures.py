"""Measures of accuracy, and their paired bootstrap over customers.

Belongs here: which measures a prediction has, which direction is better, resampling. Does not: the measures' formulas on whole
populations, which are ``tdml_assets.platform.metrics``'s and those of ``reference`` protocols: ties share their mean.

A resample draws as many customers as there are, with replacement, and every method is measured on the same draw. It is kept
as how often each customer was drawn, so that one sort serves all resamples: a rank is a cumulative sum of draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tdml_assets.platform.classification_metrics import brier
from tdml_assets.platform.metrics import auc, log_loss, regression_metrics

Floats = NDArray[np.float64]

RESAMPLES = 1_000
_AT_ONCE = 100
_BINS = 10
_SAME = 1e-4
_SPEND = ("mae", "rmse", "r2", "wape", "spearman", "normalised_gini", "total_bias", "decile_mape", "top_decile_share")
#: 1: higher is better, -1: lower, 0: nearer to 0.
DIRECTION = {
    "mae": -1, "rmse": -1, "r2": 1, "wape": -1, "spearman": 1, "normalised_gini": 1, "total_bias": 0, "decile_mape": -1,
    "top_decile_share": 1, "auc": 1, "log_loss": -1, "brier": -1, "recall_at_10": 1, "new_recall_at_10": 1,
    "repeat_recall_at_10": 1, "ndcg_at_10": 1, "hit_rate_at_10": 1, "buys_variance_explained": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """Ours minus a baseline's, over resamples of the customers.

    Parameters
    ----------
    mean, low, high : mean and 95 % interval.
    better : share of resamples in which ours is better; a resample in which both are the same counts half.
    """

    mean: float
    low: float
    high: float
    better: float


def spend_measures(spend: Floats, predicted: Floats) -> dict[str, float]:
    """Every measure of a spend."""
    found = regression_metrics(spend, predicted)
    return {name: _number(found[name]) for name in _SPEND}


def buys_measures(buys: NDArray[np.bool_], score: Floats, *, is_probability: bool = True) -> dict[str, float]:
    """Every measure of a probability to buy; of another score, its ranking alone."""
    found = {"auc": _number(auc(buys, score))}
    if is_probability:
        found |= {"log_loss": log_loss(buys, score), "brier": _number(brier(buys, score))}
    return found


def draws(customers: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """How often each customer was drawn: blocks (resamples, customers), the same ones for the same seed."""
    random = np.random.default_rng(seed)
    for first in range(0, resamples, _AT_ONCE):
        rows = min(_AT_ONCE, resamples - first)
        drawn = random.integers(0, customers, size=(rows, customers)) + customers * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * customers).reshape(rows, customers).astype(np.float64)


class _Ranked:
    """Values sorted once, and their ranks in any resample."""

    def __init__(self, values: Floats) -> None:
        self.order = np.argsort(values, kind="stable")
        self.values = values[self.order]
        self.starts = np.flatnonzero(np.r_[True, np.diff(self.values) > 0])
        self.sizes = np.diff(np.r_[self.starts, len(values)])

    def grouped(self, weights: Floats) -> Floats:
        """(resamples, ties) sums of ``weights`` (resamples, customers) over customers of equal value."""
        return np.add.reduceat(weights[:, self.order], self.starts, axis=1)

    def tie_ranks(self, drawn: Floats) -> Floats:
        """(resamples, ties) mean rank of every tie."""
        groups = self.grouped(drawn)
        return np.cumsum(groups, axis=1) - (groups - 1) / 2.0

    def ranks(self, drawn: Floats) -> Floats:
        """(resamples, customers) mean rank of every customer; that of one not drawn means nothing."""
        found = np.empty_like(drawn)
        found[:, self.order] = np.repeat(self.tie_ranks(drawn), self.sizes, axis=1)
        return found


def resampled_spend(drawn: Floats, spend: Floats, predicted: Floats) -> dict[str, Floats]:
    """(resamples,) of every measure of a spend, for one block of :func:`draws`."""
    n = float(len(spend))
    error, total = spend - predicted, drawn @ spend
    squares = drawn @ (error * error)
    variation = drawn @ (spend * spend) - total * total / n
    absolute = drawn @ np.abs(error)
    by_spend, by_score = _Ranked(spend), _Ranked(predicted)
    middle = (n + 1) / 2.0
    true_ranks, ranks = by_spend.ranks(drawn) - middle, by_score.ranks(drawn) - middle
    drawn_ranks = drawn * ranks
    cross = np.einsum("ij,ij->i", drawn_ranks, true_ranks)
    own = np.einsum("ij,ij->i", drawn_ranks, ranks)
    true_own = np.einsum("ij,ij,ij->i", drawn, true_ranks, true_ranks)
    gained, best = drawn_ranks @ spend, (drawn * true_ranks) @ spend
    deciles, top = _deciles(by_score, drawn, spend, predicted)
    return {
        "mae": absolute / n,
        "rmse": np.sqrt(squares / n),
        "r2": 1.0 - squares / variation,
        "wape": absolute / total,
        "spearman": cross / np.sqrt(own * true_own)
        if predicted.min() < predicted.max()
        else np.full(len(drawn), np.nan),
        "normalised_gini": gained / best,
        "total_bias": (drawn @ predicted) / total - 1.0,
        "decile_mape": deciles,
        "top_decile_share": top,
    }


def _deciles(by_score: _Ranked, drawn: Floats, spend: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Decile error and share of the top tenth: cuts through a tie take their part of its mean."""
    n = len(spend)
    sizes = np.full(_BINS, n // _BINS) + (np.arange(_BINS) < n % _BINS)
    cuts = np.r_[0, np.cumsum(sizes)].astype(np.float64)
    last = float(n - max(1, round(n / _BINS)))
    upto, spent, expected = (
        np.cumsum(np.c_[np.zeros(len(drawn)), by_score.grouped(values)], axis=1)
        for values in (drawn, drawn * spend, drawn * predicted)
    )
    errors, top = np.empty(len(drawn)), np.empty(len(drawn))
    for row in range(len(drawn)):
        actual = np.diff(np.interp(cuts, upto[row], spent[row]))
        said = np.diff(np.interp(cuts, upto[row], expected[row]))
        some = actual > 0
        errors[row] = np.mean(np.abs(said[some] - actual[some]) / actual[some])
        top[row] = 1.0 - np.interp(last, upto[row], spent[row]) / spent[row, -1]
    return errors, top


def resampled_buys(
    drawn: Floats, buys: NDArray[np.bool_], score: Floats, *, is_probability: bool = True
) -> dict[str, Floats]:
    """(resamples,) of every measure of a probability to buy, for one block of :func:`draws`."""
    happened = buys.astype(np.float64)
    n, events = float(len(score)), drawn @ happened
    by_score = _Ranked(score)
    rank_sum = np.einsum("ij,ij->i", by_score.grouped(drawn * happened), by_score.tie_ranks(drawn))
    found = {"auc": (rank_sum - events * (events + 1) / 2.0) / (events * (n - events))}
    if is_probability:
        p = np.clip(score, 1e-15, 1.0 - 1e-15)
        found["log_loss"] = drawn @ -np.where(buys, np.log(p), np.log1p(-p)) / n
        found["brier"] = drawn @ (score - happened) ** 2 / n
    return found


def joined(blocks: list[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Blocks of resamples, one behind the other."""
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def difference(measure: str, ours: Floats, baseline: Floats) -> Difference:
    """Compare the resamples of both sides, which must be of the same draws."""
    apart = ours - baseline
    low, high = np.percentile(apart, [2.5, 97.5])
    direction = DIRECTION[measure]
    gain = np.abs(baseline) - np.abs(ours) if direction == 0 else direction * apart
    # The same model fitted to the same histories on two ways differs in the digits of a FLOAT.
    same = np.abs(gain) <= _SAME * np.abs(baseline)
    return Difference(float(apart.mean()), float(low), float(high), float(np.where(same, 0.5, gain > 0).mean()))


def interval(resampled: Floats) -> tuple[float, float]:
    """95 % interval."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
