"""Scores for a workflow that has no trained model: a lifetime model where it fits, else a rule.

Elsewhere: reading tables and writing scores (``stages/predictions/fallback_asset.py``), lifetime models (``lifetime.py``),
segments and products, whose rules are SQL (``sql/predictions/fallback/``).

A lifetime model needs no labels, only histories of purchases. The rules need the last horizon at most:

- spend: total spend so far, times what all customers spent in the last horizon over what they had spent before it;
- purchase: the share of customers of the same recency who bought in the last horizon.

The last horizon alone does not say which of them errs less: in a shop that sells in spring, a rule learnt in autumn is right all
winter, and wrong in spring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.engines.lifetime import LifetimeParameters, fit_lifetime
from tdml_assets.engines.lifetime_outlook import HISTORY, Lifetime
from tdml_assets.engines.protocol import table_source
from tdml_assets.platform.metrics import spearman
from tdml_assets.platform.refusals import RefusedError

Floats = NDArray[np.float64]

#: Columns of ``features.customer_features`` that a fallback reads.
COLUMNS = ("total_spend", "days_since_last_order", *HISTORY)
#: Targets that a fallback can predict.
KINDS = ("net_spend", "purchase", "no_purchase")

_LIFETIME = "pareto_nbd_gamma_gamma"
_METHODS = ("lifetime", "rules")
_YEAR_DAYS = 365
_RECENCY_GROUPS = 5
# Fewer customers with a known outcome say nothing about an error.
_MIN_MEASURED = 10


class CustomerScorer(Protocol):
    """Scores customers from their unprepared features."""

    @property
    def version(self) -> str:
        """What scored, for ``model_version``."""

    def score(self, customers: pa.Table) -> Floats:
        """(customers,) expected spend, or the probability of the event; from :data:`COLUMNS`."""


@dataclass(frozen=True)
class SpendRule:
    """Everybody goes on as before. ``factor``: spend expected per unit of total spend so far."""

    factor: float
    version: str = "rule:total_spend"

    def score(self, customers: pa.Table) -> Floats:
        """Total spend, never below 0, times the factor."""
        return np.maximum(_column(customers, "total_spend"), 0.0) * self.factor


@dataclass(frozen=True)
class RecencyRule:
    """The share of customers of about the same recency to whom the event happened.

    ``edges``: (groups - 1,) upper bounds of days since the last order, ascending. ``shares``: (groups,) probability per group.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    version: str = "rule:recency"

    def score(self, customers: pa.Table) -> Floats:
        """The share of the customer's group."""
        days = np.nan_to_num(_column(customers, "days_since_last_order"), nan=np.inf)
        return np.asarray(self.shares)[np.searchsorted(np.asarray(self.edges), days, side="left")]


@dataclass(frozen=True)
class LifetimeScorer:
    """Pareto/NBD with Gamma-Gamma, fitted to the histories of the customers it scores.

    ``kind``: what is predicted: ``net_spend``, ``purchase`` or ``no_purchase``.
    """

    lifetime: Lifetime
    kind: str
    version: str = f"lifetime:{_LIFETIME}"

    def score(self, customers: pa.Table) -> Floats:
        """Expected spend, or the probability of a purchase in the horizon or of none."""
        outlook = self.lifetime.outlook(_histories(customers))
        if self.kind == "net_spend":
            return outlook.spend
        active = np.clip(outlook.active, 0.0, 1.0)
        return active if self.kind == "purchase" else 1.0 - active


@dataclass(frozen=True)
class Labelled:
    """Customers of an earlier day with what they did in the horizon after it.

    ``day``: as of which ``customers`` have :data:`COLUMNS`. ``target``: (rows,) the target of the workflow.
    """

    day: date
    customers: pa.Table
    target: Floats


@dataclass(frozen=True)
class Fallback:
    """What scores in place of a trained model.

    ``metrics``: mean absolute error (spend) or Brier score (purchase), and Spearman's rank correlation with what happened: means
    over the ``horizons`` it was measured on; empty where there are none.
    """

    method: Literal["lifetime", "rules"]
    scorer: CustomerScorer
    metrics: dict[str, float] = field(default_factory=dict)
    horizons: int = 0


#: Moves what a lifetime model predicts of customers on a day to the level that past windows say.
Moved = Callable[[date, pa.Table, Floats], Floats]


def choose_fallback(
    today: pa.Table,
    labelled: Sequence[Labelled],
    *,
    kind: str,
    horizon_days: int,
    history_days: int,
    moved: Moved = lambda _day, _customers, predicted: predicted,
) -> Fallback:
    """Fit the lifetime model and the rule, and take the first unless it errs more on the horizons of the last year.

    Raises ``RefusedError`` if neither can be fitted. ``today``: customers to score, with :data:`COLUMNS`. ``labelled``: customers
    of earlier days, the latest first; may be empty. ``kind``: one of :data:`KINDS`. ``horizon_days``, ``history_days``: length of
    the predicted window and of the log, in days. ``moved``: what is done to predictions of a lifetime model; it is measured so.
    """
    if kind not in KINDS:
        raise RefusedError(
            f"no fallback predicts a target of kind {kind!r}, only {', '.join(KINDS)}",
            "give the orders that training needs, or leave the workflow out",
        )
    rule = _rule(labelled[0] if labelled else None, kind, horizon_days, history_days)
    lifetime, why_not = _lifetime(today, kind, horizon_days)
    past = _past(labelled, kind, horizon_days, history_days, moved)
    if lifetime is not None and not (rule is not None and _errs_more(past)):
        return Fallback("lifetime", lifetime, *_means(past, "lifetime"))
    if rule is None:
        raise RefusedError(
            f"no customer has {horizon_days} days behind them, so that no rule can be learned, and the lifetime model cannot "
            f"be fitted ({why_not})",
            "shorten target.horizon_days or give earlier orders",
        )
    return Fallback("rules", rule, *_means(past, "rules"))


def _past(
    labelled: Sequence[Labelled], kind: str, horizon_days: int, history_days: int, moved: Moved
) -> list[dict[str, dict[str, float]]]:
    """Measures of both on the horizons of the last year. Each is fitted to what was known on the day before the horizon."""
    measured = []
    for known in labelled:
        # The day of the same season a year ago is the last: its horizon is the one like that to come.
        if (labelled[0].day - known.day).days > max(0, _YEAR_DAYS - horizon_days + 1):
            break
        if len(known.target) < _MIN_MEASURED:
            continue
        found = {}
        lifetime, _ = _lifetime(known.customers, kind, horizon_days)
        if lifetime is not None:
            predicted = moved(known.day, known.customers, lifetime.score(known.customers))
            found["lifetime"] = _measure(predicted, known.target, kind)
        before = [one for one in labelled if (known.day - one.day).days >= horizon_days]
        rule = _rule(before[0], kind, horizon_days, history_days) if before else None
        if rule is not None:
            found["rules"] = _measure(rule.score(known.customers), known.target, kind)
        measured.append(found)
    return measured


def _lifetime(customers: pa.Table, kind: str, horizon_days: int) -> tuple[LifetimeScorer | None, str | None]:
    names = list(HISTORY)
    features = customers.select(names).cast(pa.schema([(name, pa.float32()) for name in names]))
    source = table_source(features.append_column("target", pa.repeat(0.0, customers.num_rows)), "target")
    try:
        lifetime, _ = fit_lifetime(
            source,
            "pareto_nbd",
            LifetimeParameters(),
            horizon_days=horizon_days,
            estimator=_LIFETIME,
            where="customers",
        )
    except ValueError as error:
        return None, str(error)
    return LifetimeScorer(lifetime, kind), None


def _rule(known: Labelled | None, kind: str, horizon_days: int, history_days: int) -> SpendRule | RecencyRule | None:
    if kind == "net_spend":
        before = 0.0 if known is None else float(np.maximum(_column(known.customers, "total_spend"), 0.0).sum())
        if known is None or before <= 0:
            # Nothing lies behind a horizon: spend per day so far goes on.
            return SpendRule(horizon_days / max(history_days, horizon_days))
        return SpendRule(float(known.target.sum()) / before)
    if known is None or not len(known.target):
        return None
    days = np.nan_to_num(_column(known.customers, "days_since_last_order"), nan=np.inf)
    edges = np.unique(np.quantile(days, np.arange(1, _RECENCY_GROUPS) / _RECENCY_GROUPS, method="inverted_cdf"))
    # Behind the largest value would be a group of nobody.
    edges = edges[edges < days.max()]
    group = np.searchsorted(edges, days, side="left")
    count = np.bincount(group, minlength=len(edges) + 1)
    happened = np.bincount(group, weights=known.target, minlength=len(edges) + 1)
    # Laplace's rule of succession: no group is certain, however few it holds.
    return RecencyRule(tuple(edges.tolist()), tuple(((happened + 1) / (count + 2)).tolist()))


def _measure(predicted: Floats, target: Floats, kind: str) -> dict[str, float]:
    error = target - predicted
    found = {"mae": float(np.abs(error).mean())} if kind == "net_spend" else {"brier": float(np.square(error).mean())}
    rank = spearman(target, predicted)
    return found if rank is None else {**found, "spearman": rank}


def _errs_more(past: Sequence[Mapping[str, Mapping[str, float]]]) -> bool:
    both = [one for one in past if {"lifetime", "rules"} <= one.keys()]
    error = {name: sum(one[name].get("mae", one[name].get("brier", 0.0)) for one in both) for name in _METHODS}
    return error["lifetime"] > error["rules"]


def _means(past: Sequence[Mapping[str, Mapping[str, float]]], name: str) -> tuple[dict[str, float], int]:
    found = [one[name] for one in past if name in one]
    metrics = {metric: [one[metric] for one in found if metric in one] for metric in ("mae", "brier", "spearman")}
    return {metric: sum(values) / len(values) for metric, values in metrics.items() if values}, len(found)


def _column(customers: pa.Table, name: str) -> Floats:
    found: Floats = customers[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


def _histories(customers: pa.Table) -> Floats:
    # As the features reach a learner: 32 bits.
    return np.column_stack([_column(customers, name).astype(np.float32).astype(np.float64) for name in HISTORY])
