"""How high predictions stand in all: what earlier days say of the total that a model gives today.

Elsewhere: what a lifetime model expects (``level_lifetime.py``, ``level_windows.py``), reading snapshots and keeping what was
found (``stages/predictions/level.py``), learners, which know nothing of the calendar.

The gap of a snapshot is log(happened / predicted) of the totals, or the shift of the log-odds that makes the mean probability the
share of those to whom it happened. The gap to expect is the one to a lifetime model's total, which is corrected by what it missed
in past windows: by the season, the trend and the prices, each shrunk by its uncertainty. The same is rehearsed at earlier snapshots
from the windows that had ended by then; where rehearsals missed by more than was stated, more doubt is stated.

Where there is no lifetime model (nobody buys again, or no purchases are predicted), the gaps of earlier snapshots are averaged:
they are a Gaussian process in the day (Rasmussen and Williams 2006, Gaussian processes for machine learning, equations 2.23 and
2.24), shrunk towards what all snapshots have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tdml_assets.engines.level_windows import DAYS_A_YEAR, is_same_season, kept_digits
from tdml_assets.engines.probabilities import logistic

if TYPE_CHECKING:
    from tdml_assets.engines.level_lifetime import Expectation

Floats = NDArray[np.float64]
Basis = Literal["season", "trend", "none"]
#: Kinds of prediction: amounts are multiplied, log-odds of probabilities are shifted.
Kind = Literal["amount", "probability"]

#: Share of outcomes that the stated bounds hold.
COVERAGE = 0.8
# Standard deviations of a gap's parts, in logarithms of a total: of the season, with its width (of sin(pi x years)) and the years
# over which it fades, of a drift by a year, of what fades within years, of a single window.
_SEASON, _SEASON_WIDTH, _SEASON_YEARS = 0.35, 0.35, 30.0
_DRIFT = 0.3
_TREND, _TREND_YEARS = 0.15, 2.0
_WINDOW = 0.03
# Fewer customers, or fewer to whom it happened, say nothing about a level.
_LEAST_CUSTOMERS, _LEAST_EVENTS = 50, 10
# Totals further apart than this are another world; nothing is multiplied by more. A shop that sells in one season of the year
# comes out further above the expectation of any day, which past years show.
_LARGEST_GAP: Mapping[Basis, float] = {"season": 2.5, "trend": 1.5, "none": 1.5}
_LARGEST_LOG_ODDS = 35.0
# Weight, in rehearsals, of the belief that the stated doubt is right.
_PRIOR_REHEARSALS = 8.0
# Stated over calculated standard deviations of a gap to a lifetime model: with them 80 % bounds hold 80 % of totals of simulated
# shops (docs/decisions/0058, 0071). A season that was never seen is a doubt of its own (``Residual.unseen_variance``).
_STATED: Mapping[Basis, float] = {"season": 0.75, "trend": 1.1}
# By how much the number of orders is changed to see what a total owes to it.
_RATE_STEP = 0.1


@dataclass(frozen=True)
class Snapshot:
    """What a model says of the customers of an earlier day, and what happened.

    ``customers``: how many. ``predicted``, ``actual``: totals: money, or customers to whom it happened. ``gap``: what must be
    added to the logarithm of predictions, or to their log-odds, for the totals to agree. ``variance``: of the gap, if the
    customers were drawn again. ``slope``: by how much the log-odds of the mean probability rise where those of every customer
    rise by 1; 1 for amounts.
    """

    day: date
    customers: int
    predicted: float
    actual: float
    gap: float
    variance: float
    slope: float = 1.0


def snapshot_of(day: date, kind: Kind, target: Floats, predicted: Floats) -> Snapshot | None:
    """Compare predictions with what happened.

    ``target``, ``predicted``: (customers,) in the same order; probabilities lie in [0, 1]. Returns None where too little
    happened to say anything.
    """
    count = len(target)
    if count < _LEAST_CUSTOMERS:
        return None
    happened, said = float(target.sum()), float(predicted.sum())
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
            slope_of(count, said, float((predicted * (1.0 - predicted)).sum())),
        )
    if events < _LEAST_EVENTS or said <= 0:
        return None
    ratio = happened / said
    variance = float(np.square(target - ratio * predicted).sum()) / happened**2
    return Snapshot(day, count, said, happened, kept_digits(float(np.log(ratio))), kept_digits(variance))


def slope_of(customers: int, predicted: float, spread: float) -> float:
    """Slope of a :class:`Snapshot` of probabilities, from their sum and the sum of p (1 - p)."""
    share = predicted / max(customers, 1)
    whole = customers * share * (1.0 - share)
    return kept_digits(float(np.clip(spread / whole, 0.05, 1.0))) if whole > 0 else 1.0


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


@dataclass(frozen=True)
class Level:
    """What is added to the logarithm of every prediction of a day, or to its log-odds.

    ``day``: of the predictions. ``gap``: what is added; 0 for nothing. ``deviation``: standard deviation of the gap that is
    left, without that of the customers' own luck. ``basis``: ``season`` where the same season of an earlier year was seen,
    ``trend`` for other days, ``none`` without any. ``basis_date``, ``basis_gap``: of the same season, the latest time it was
    seen: the day before it, and by how much (in logarithms, or in log-odds without a lifetime model) it came out above what was
    expected; of the latest snapshot where no season was seen. ``ageing``: gap between the lifetime model, uncorrected, and the
    model; 0 without one.
    """

    day: date
    kind: Kind
    gap: float
    deviation: float
    basis: Basis
    basis_date: date | None = None
    basis_gap: float | None = None
    ageing: float = 0.0

    def apply(self, predicted: Floats) -> Floats:
        """Move predictions; unchanged to the last bit where the gap is 0."""
        return _moved(predicted, self.kind, self.gap)

    def bounds(self, total: float, customers: int, variance: float = 0.0) -> tuple[float, float]:
        """Lowest and highest total to expect, in :data:`COVERAGE` of cases.

        ``total``: of the moved predictions of ``customers`` customers. ``variance``: of the gap, from the customers' own luck.
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


def expected_level(snapshots: Sequence[Snapshot], day: date, kind: Kind) -> Level:
    """What the gaps of earlier snapshots say of another day, where there is no lifetime model.

    ``snapshots``: any number of them, in any order, whose outcome was known on ``day``.
    """
    if not snapshots:
        return Level(day, kind, 0.0, float(np.sqrt(_covariance([day], [day], day)[0, 0] + _WINDOW**2)), "none")
    days = [one.day for one in snapshots]
    noise = np.array([one.variance for one in snapshots]) + _WINDOW**2
    to_day = _covariance([day], days, day)[0]
    weights = np.linalg.solve(_covariance(days, days, day) + np.diag(noise), to_day)
    gaps = np.array([one.gap for one in snapshots])
    # What all snapshots have in common is not a season: it is taken as it is, and the rest is shrunk.
    usual = float(np.average(gaps, weights=[one.customers for one in snapshots]))
    left = float(_covariance([day], [day], day)[0, 0] + _WINDOW**2 - weights @ to_day)
    seasons = [one for one in snapshots if is_same_season(one.day, day)]
    # The latest one of the season, or the latest of all.
    main = max(seasons or snapshots, key=lambda one: one.day)
    basis: Basis = "season" if seasons else "trend"
    gap = _limited(usual + float(weights @ (gaps - usual)), basis)
    return Level(day, kind, gap, kept_digits(float(np.sqrt(max(left, 0.0)))), basis, main.day, main.gap)


def _limited(gap: float, basis: Basis) -> float:
    return kept_digits(float(np.clip(gap, -_LARGEST_GAP[basis], _LARGEST_GAP[basis])))


def level_by_lifetime(expected: Expectation, given: Snapshot, kind: Kind) -> Level | None:
    """The level at which predictions have the total that a lifetime model, corrected by past windows, expects.

    ``given``: the predictions; what happened is not looked at. Returns None where past windows say nothing, or one of the
    totals is 0. Where the season was never seen, a gap of amounts is not taken over if it is smaller than its standard
    deviation; one of probabilities is (docs/decisions/0060).
    """
    residual = expected.residual
    if residual is None:
        return None
    plain, gap, faster = (
        gap_between(kind, given.customers, given.predicted, total)
        for total in (expected.plain_total(), expected.total(), expected.total(rate=_RATE_STEP))
    )
    if plain is None or gap is None or faster is None:
        return None
    by_rate = (faster - gap) / _RATE_STEP
    unseen = by_rate**2 * residual.unseen_variance
    variance = by_rate**2 * residual.orders_variance + (residual.value_variance if kind == "amount" else 0.0)
    season = residual.season
    basis: Basis = "trend" if season is None else "season"
    if kind == "amount" and season is None and gap**2 <= variance:
        # What is not taken over may still come.
        gap, variance = 0.0, variance + gap**2
    return Level(
        given.day,
        kind,
        _limited(gap / given.slope, basis),
        kept_digits(float(np.sqrt(_STATED[basis] ** 2 * variance + unseen)) / given.slope),
        basis,
        None if season is None else season.day,
        None if season is None else season.orders + (season.value if kind == "amount" else 0.0),
        kept_digits(plain / given.slope),
    )


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

    ``level``: as of the snapshot's day. ``surprise``: how far the gap lay from the expected one, in standard deviations of both.
    """

    snapshot: Snapshot
    level: Level
    surprise: float


def rehearse(
    snapshots: Sequence[Snapshot],
    horizon_days: int,
    kind: Kind,
    expectations: Mapping[date, Expectation] | None = None,
) -> list[Rehearsal]:
    """Correct every snapshot from what was known on its day; those of which nothing was are left out.

    ``expectations``: of the same customers, by day; without one, other snapshots are the base.
    """
    found = []
    for one in sorted(snapshots, key=lambda one: one.day):
        expected = (expectations or {}).get(one.day)
        level = level_by_lifetime(expected, one, kind) if expected is not None else None
        known = [other for other in snapshots if other.day + timedelta(days=horizon_days) <= one.day]
        if level is None and known and not expectations:
            level = expected_level(known, one.day, kind)
        if level is not None:
            doubt = float(np.sqrt(level.deviation**2 + one.variance))
            found.append(Rehearsal(one, level, (one.gap - level.gap) / doubt))
    return found


def doubt_factor(rehearsals: Sequence[Rehearsal]) -> float:
    """By how much rehearsals missed more than they should: at least 1; a few of them move it a little."""
    squares = sum(one.surprise**2 for one in rehearsals)
    return max(1.0, float(np.sqrt((_PRIOR_REHEARSALS + squares) / (_PRIOR_REHEARSALS + len(rehearsals)))))


def find_level(
    given: Snapshot,
    snapshots: Sequence[Snapshot],
    rehearsals: Sequence[Rehearsal],
    kind: Kind,
    expected: Expectation | None,
) -> Level:
    """The level to expect of predictions, with the doubt that rehearsals support.

    ``given``: the predictions; what happened is not looked at. ``snapshots``: earlier ones, whose outcome was known on the day of
    the predictions.
    """
    level = None if expected is None else level_by_lifetime(expected, given, kind)
    level = expected_level(snapshots, given.day, kind) if level is None else level
    return replace(level, deviation=kept_digits(level.deviation * doubt_factor(rehearsals)))


def rehearse_test(
    test: Snapshot,
    earlier: Sequence[Snapshot],
    rehearsals: Sequence[Rehearsal],
    kind: Kind,
    expected: Expectation | None,
) -> Rehearsal:
    """The level that the predictions of a test would have got on their day, next to what was right."""
    level = find_level(test, earlier, rehearsals, kind, expected)
    return Rehearsal(test, level, (test.gap - level.gap) / float(np.sqrt(level.deviation**2 + test.variance)))
