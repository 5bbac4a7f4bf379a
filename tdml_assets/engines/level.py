"""How high predictions stand in all: what earlier snapshots say of the total that a model gives today.

Belongs here: the gap between what a model says of an earlier snapshot and what happened there, what such gaps tell of another
day, with how much doubt, and moving predictions by it. Does not: reading snapshots and keeping what was found
(``stages/predictions/level.py``), learners, which know nothing of the calendar.

A model sees customers, not the season: what it says of a snapshot in spring and of one in autumn differs by the customers alone.
So the gap of a snapshot, log(happened / predicted) of the totals, or the shift of the log-odds that makes the mean probability
the share of those to whom it happened, holds the season and the trend. Gaps are a Gaussian process in the day: a yearly part
that repeats, a drift by years, a part that fades within years, and one of the single window (Rasmussen and Williams 2006,
Gaussian processes for machine learning, equations 2.23 and 2.24). The expected gap is shrunk towards 0 by what is uncertain: the
customers of a snapshot are a sample, and windows differ. Sizes of the parts were chosen on simulated shops (``docs/level.md``).

Customers to score are older than those that were learnt from, and trees see no further than the ages they were shown. So gaps are
taken next to those of a lifetime model fitted to today's histories: by how much more it has changed its mind about the customers
since a snapshot than the model has, the gap is expected to change too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tdml_assets.engines.probabilities import logistic

Floats = NDArray[np.float64]
Basis = Literal["season", "trend", "none"]
#: Kinds of prediction: amounts are multiplied, log-odds of probabilities are shifted.
Kind = Literal["amount", "probability"]

DAYS_A_YEAR = 365.25
#: Share of outcomes that the stated bounds hold.
COVERAGE = 0.8
# Standard deviations of a gap's parts, in logarithms of a total: of the season, with its width (of sin(pi x years)) and the years
# over which it fades, of a drift by a year, of what fades within years, of a single window.
_SEASON, _SEASON_WIDTH, _SEASON_YEARS = 0.35, 0.35, 30.0
_DRIFT = 0.3
_TREND, _TREND_YEARS = 0.15, 2.0
_WINDOW = 0.03
# Of what a lifetime model sees change, how much is taken over: it is an estimate too.
_LIFETIME_SHARE = 0.85
# The same day of the year, give or take.
_SAME_SEASON_DAYS = 21
# Fewer customers, or fewer to whom it happened, say nothing about a level.
_LEAST_CUSTOMERS, _LEAST_EVENTS = 50, 10
# Totals further apart than this are another world; nothing is multiplied by more.
_LARGEST_GAP = 1.5
_LARGEST_LOG_ODDS = 35.0
# Weight, in rehearsals, of the belief that the stated doubt is right.
_PRIOR_REHEARSALS = 4.0


@dataclass(frozen=True)
class Snapshot:
    """What a model says of the customers of an earlier day, and what happened.

    Parameters
    ----------
    customers : how many.
    predicted, actual : totals: money, or customers to whom it happened.
    gap : what must be added to the logarithm of predictions, or to their log-odds, for the totals to agree.
    variance : of the gap, if the customers were drawn again.
    outlook : the gap between a lifetime model and this one; None where no lifetime model was asked.
    """

    day: date
    customers: int
    predicted: float
    actual: float
    gap: float
    variance: float
    outlook: float | None = None


def snapshot_of(
    day: date, kind: Kind, target: Floats, predicted: Floats, lifetime_total: float | None = None
) -> Snapshot | None:
    """Compare predictions with what happened.

    Parameters
    ----------
    target, predicted : (customers,) in the same order; probabilities lie in [0, 1].
    lifetime_total : what a lifetime model expects of the same customers in all.

    Returns
    -------
    None where too little happened to say anything.
    """
    count = len(target)
    if count < _LEAST_CUSTOMERS:
        return None
    happened, said = float(target.sum()), float(predicted.sum())
    outlook = None if lifetime_total is None else gap_between(kind, count, said, lifetime_total)
    events = int((target > 0).sum())
    if kind == "probability":
        if min(events, count - events) < _LEAST_EVENTS:
            return None
        log_odds = _log_odds(predicted)
        gap = shift_to(log_odds, happened / count)
        moved = logistic(log_odds + gap)
        return Snapshot(
            day,
            count,
            said,
            happened,
            kept_digits(gap),
            kept_digits(1.0 / float((moved * (1.0 - moved)).sum())),
            outlook,
        )
    if events < _LEAST_EVENTS or said <= 0:
        return None
    ratio = happened / said
    variance = float(np.square(target - ratio * predicted).sum()) / happened**2
    return Snapshot(day, count, said, happened, kept_digits(float(np.log(ratio))), kept_digits(variance), outlook)


def gap_between(kind: Kind, customers: int, predicted: float, expected: float) -> float | None:
    """Gap of two totals of the same customers: of their logarithms, or of the log-odds of their means. None without one."""
    if kind == "amount":
        return kept_digits(float(np.log(expected / predicted))) if predicted > 0 and expected > 0 else None
    shares = np.clip(np.array([predicted, expected]) / max(customers, 1), 1e-6, 1.0 - 1e-6)
    low, high = np.log(shares) - np.log1p(-shares)
    return kept_digits(float(high - low))


def shift_to(log_odds: Floats, share: float) -> float:
    """Find what must be added to log-odds for their mean probability to be ``share``, which is neither 0 nor 1."""
    from scipy.optimize import brentq

    return float(
        brentq(
            lambda shift: float(logistic(log_odds + shift).mean()) - share,
            -2 * _LARGEST_LOG_ODDS,
            2 * _LARGEST_LOG_ODDS,
        )
    )


def _log_odds(probability: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        found: Floats = np.clip(np.log(probability) - np.log1p(-probability), -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)
    return found


def kept_digits(value: float) -> float:
    """Twelve digits of a sum: sums may be added up in parallel, and the last digits depend on it."""
    return float(f"{value:.12g}")


@dataclass(frozen=True)
class Level:
    """What is added to the logarithm of every prediction of a day, or to its log-odds.

    Parameters
    ----------
    day : of the predictions.
    gap : what is added; 0 for nothing.
    deviation : standard deviation of the gap that is left, without that of the customers' own luck.
    basis : ``season`` where the same season of an earlier year was seen, ``trend`` for other snapshots, ``none`` without any.
    ageing : what of the gap a lifetime model sees in how the customers have changed since the snapshots.
    main : the latest snapshot of the same season, or the latest of all.
    """

    day: date
    kind: Kind
    gap: float
    deviation: float
    basis: Basis
    main: Snapshot | None = None
    ageing: float = 0.0

    def apply(self, predicted: Floats) -> Floats:
        """Move predictions; unchanged to the last bit where the gap is 0."""
        return _moved(predicted, self.kind, self.gap)

    def undo(self, predicted: Floats) -> Floats:
        """Give the predictions before they were moved."""
        return _moved(predicted, self.kind, -self.gap)

    def bounds(self, total: float, customers: int, variance: float = 0.0) -> tuple[float, float]:
        """Lowest and highest total to expect, in :data:`COVERAGE` of cases.

        Parameters
        ----------
        total : of the moved predictions of ``customers`` customers.
        variance : of the gap, from the customers' own luck.
        """
        reach = NormalDist().inv_cdf((1.0 + COVERAGE) / 2.0) * float(np.sqrt(self.deviation**2 + variance))
        if self.kind == "amount":
            return total * float(np.exp(-reach)), total * float(np.exp(reach))
        share = min(max(total / max(customers, 1), 1e-9), 1.0 - 1e-9)
        odds = float(np.log(share / (1.0 - share)))
        low, high = (float(logistic(np.array([odds + side * reach]))[0]) * customers for side in (-1, 1))
        return low, high


def _moved(predicted: Floats, kind: Kind, gap: float) -> Floats:
    if gap == 0.0:
        return predicted
    factor = float(np.exp(gap))
    # Of probabilities the odds are multiplied; sql/predictions/move.sql says the same.
    return predicted * factor if kind == "amount" else predicted * factor / (1.0 - predicted + predicted * factor)


def expected_level(snapshots: Sequence[Snapshot], day: date, kind: Kind, outlook: float | None = None) -> Level:
    """What the gaps of earlier snapshots say of another day.

    Parameters
    ----------
    snapshots : any number of them, in any order, whose outcome was known on ``day``.
    outlook : gap between the lifetime model and the model on ``day``.
    """
    if not snapshots:
        return Level(day, kind, 0.0, float(np.sqrt(_covariance([day], [day], day)[0, 0] + _WINDOW**2)), "none")
    days = [one.day for one in snapshots]
    noise = np.array([one.variance for one in snapshots]) + _WINDOW**2
    to_day = _covariance([day], days, day)[0]
    weights = np.linalg.solve(_covariance(days, days, day) + np.diag(noise), to_day)
    sizes, changes = [one.customers for one in snapshots], _changes(snapshots, outlook)
    gaps = np.array([one.gap for one in snapshots]) + changes
    # What all snapshots have in common is no season: it is taken as it is, and the rest is shrunk.
    usual = float(np.average(gaps, weights=sizes))
    left = float(_covariance([day], [day], day)[0, 0] + _WINDOW**2 - weights @ to_day)
    gap = float(np.clip(usual + weights @ (gaps - usual), -_LARGEST_GAP, _LARGEST_GAP))
    seasons = [one for one in snapshots if is_same_season(one.day, day)]
    ageing = kept_digits(float(np.average(changes, weights=sizes)))
    # The latest one of the season, or the latest of all.
    main = max(seasons or snapshots, key=lambda one: one.day)
    basis: Basis = "season" if seasons else "trend"
    return Level(day, kind, kept_digits(gap), kept_digits(float(np.sqrt(max(left, 0.0)))), basis, main, ageing)


def _changes(snapshots: Sequence[Snapshot], outlook: float | None) -> Floats:
    """By how much more the lifetime model has changed its mind since each snapshot than the model has; 0 where unknown."""
    known = [one.outlook for one in snapshots if one.outlook is not None]
    if outlook is None or len(known) < len(snapshots):
        return np.zeros(len(snapshots))
    return _LIFETIME_SHARE * (outlook - np.array(known))


def is_same_season(earlier: date, day: date) -> bool:
    """Whether a day lies whole years before another, give or take three weeks."""
    apart = (day - earlier).days
    years = round(apart / DAYS_A_YEAR)
    return years >= 1 and abs(apart - years * DAYS_A_YEAR) <= _SAME_SEASON_DAYS


def _covariance(some: Iterable[date], others: Iterable[date], day: date) -> Floats:
    """Of the gaps of days, (some, others); a drift is counted from ``day``."""
    left, right = (
        np.array([(one - day).days for one in days], dtype=np.float64) / DAYS_A_YEAR for days in (some, others)
    )
    apart = np.abs(np.subtract.outer(left, right))
    season = np.exp(-2.0 * np.square(np.sin(np.pi * apart) / _SEASON_WIDTH) - apart / _SEASON_YEARS)
    drift = _DRIFT**2 * np.multiply.outer(left, right)
    found: Floats = _SEASON**2 * season + drift + _TREND**2 * np.exp(-apart / _TREND_YEARS)
    return found


@dataclass(frozen=True)
class Rehearsal:
    """What the correction would have said of an earlier snapshot from what was known on its day, and what was right.

    Parameters
    ----------
    level : as of the snapshot's day.
    surprise : how far the gap lay from the expected one, in standard deviations of both.
    """

    snapshot: Snapshot
    level: Level
    surprise: float


def rehearse(snapshots: Sequence[Snapshot], horizon_days: int, kind: Kind) -> list[Rehearsal]:
    """Correct every snapshot from those whose outcome was known on its day; those without any are left out."""
    found = []
    for one in sorted(snapshots, key=lambda one: one.day):
        known = [other for other in snapshots if other.day + timedelta(days=horizon_days) <= one.day]
        if known:
            level = expected_level(known, one.day, kind, one.outlook)
            doubt = float(np.sqrt(level.deviation**2 + one.variance))
            found.append(Rehearsal(one, level, (one.gap - level.gap) / doubt))
    return found


def doubt_factor(rehearsals: Sequence[Rehearsal]) -> float:
    """By how much rehearsals missed more than they should: at least 1; a few of them move it a little."""
    squares = sum(one.surprise**2 for one in rehearsals)
    return max(1.0, float(np.sqrt((_PRIOR_REHEARSALS + squares) / (_PRIOR_REHEARSALS + len(rehearsals)))))
