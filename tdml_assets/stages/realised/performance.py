"""Realised performance: stored predictions are compared with what happened once their horizon has passed.

Elsewhere: what happened (``sql/realised/``, with the target's own statement), the measures (``tasks/``), the decision of a
session (``stages/triage/decision.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.stages.evaluation.paired import bootstrap_means

Floats = NDArray[np.float64]
#: ``evaluation_table`` of what became of a session's predictions.
REALISED = "realised"
#: Late orders are still counted for so many days after the horizon has passed; then what was kept is thrown away.
KEPT_DAYS = 30
#: Two-sided confidence of the interval of the test's error.
_CONFIDENCE = 0.9
_RESAMPLES = 1_000


@dataclass(frozen=True)
class MainError:
    """The error of a task that tells whether a model still is what its test promised. Less is better.

    ``metric``: its name in ``monitoring.model_metrics``. It does not grow with the volume of the season. ``words``: what people
    call it. ``naive``: the same of a forecast without a model. ``predicted``, ``actual``: names of the means per customer.
    ``losses``: (customers,) losses, and what their sum is divided by, from (customers,) targets and predictions.
    """

    metric: str
    words: str
    naive: str
    predicted: str
    actual: str
    losses: Callable[[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Realised:
    """What became of the predictions of one day.

    ``status``: ``worse`` than the test promised, ``ok``, or ``immature`` where nothing can be said yet. ``sentence``: the
    finding in words, with figures. ``as_of``: day whose predictions they are; None where there are none. ``value``: the main
    error; None where it is not defined. ``low``, ``high``: interval of the test's error; None where it was not measured.
    """

    status: Literal["ok", "worse", "immature"]
    sentence: str
    as_of: date | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None


#: Of lists of products: the share of what was bought that the first ten ranks did not hold.
MISSED = MainError(
    "missed_at_10",
    "share of purchases that the first 10 ranks missed",
    "baseline_popular_missed_at_10",
    "expected_per_customer",
    "truth_per_customer",
    lambda truth, held: (1 - held / truth, np.ones(len(truth))),
)

_KEPT = (
    Column("session_id", "VARCHAR", "Session that scored.", False),
    Column("as_of", "DATE", "Day at whose end the features were taken.", False),
    Column("model_version", "VARCHAR", "Champion, lifetime model or rule that scored.", False),
    Column("target", "VARCHAR", "What was predicted, as declared, horizon included: JSON.", False),
    Column("customer_id", "VARCHAR", "Customer.", False),
)


def list_history_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.prediction_history`` of a workflow that recommends."""
    return TableContract(
        workflow,
        "prediction_history",
        "One row per day, customer sampled and rank: what was recommended, kept until the horizon has passed.",
        (
            *_KEPT,
            Column("rank", "INTEGER", "1 is the first choice.", False),
            Column("product_id", "VARCHAR", "Product.", False),
            Column("is_new", "BOOLEAN", "Whether the customer had never bought it.", False),
        ),
        ("as_of",),
    )


def history_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.prediction_history`` of a workflow with a number per customer."""
    return TableContract(
        workflow,
        "prediction_history",
        "One row per day and customer sampled: what was predicted, kept until the horizon has passed.",
        (
            *_KEPT,
            Column("predicted_target", "DOUBLE", "The amount, or the probability of the event.", False),
            Column("total_spend", "DOUBLE", "Spend up to as_of."),
            Column("total_orders", "DOUBLE", "Orders up to as_of."),
            Column("days_since_last_order", "DOUBLE", "Days from the last order to as_of."),
        ),
        ("as_of",),
    )


def forget_before(until: date, horizon_days: int) -> date:
    """First day whose predictions are still kept. ``until``: day up to which it is known what happened."""
    return until - timedelta(days=horizon_days + KEPT_DAYS)


def error_interval(losses: Floats, scale: Floats, *, seed: int) -> tuple[float, float] | None:
    """Bootstrap interval of ``sum(losses) / sum(scale)``, over customers.

    Returns lower and upper bound at a two-sided confidence of 90 %; None where too little happened to say. ``losses``, ``scale``:
    (customers,), one row per customer. ``seed``: of the resampling.
    """
    if len(losses) < 2:
        return None
    ratios = bootstrap_means(losses[:, None], scale[:, None], _RESAMPLES, seed)
    if np.isnan(ratios).any():
        return None
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return float(low), float(high)


def interval_metrics(error: MainError, target: Floats, predicted: Floats, *, seed: int) -> dict[str, float | None]:
    """Name the bounds of :func:`error_interval` as ``monitoring.model_metrics`` keeps them: ``wape_low``, ``wape_high``.

    ``target``, ``predicted``: (customers,) of the test split.
    """
    low, high = error_interval(*error.losses(target, predicted), seed=seed) or (None, None)
    return {f"{error.metric}_low": low, f"{error.metric}_high": high}


def realised_verdict(
    error: MainError, row: Mapping[str, Any], *, tolerance: float = 0.25, min_rows: int = 200
) -> Realised:
    """Whether predictions came out as the test of their model promised.

    ``row``: of ``sql/realised/ledger.sql``: as_of, customers, realised, tested, low, high. ``tolerance``: share of the
    interval's upper bound by which the error may lie above it: another season is another world. ``min_rows``: customers below
    which nothing is said.
    """
    value, tested, day = row["realised"], row["tested"], row["as_of"]
    low, high = (tested if row[name] is None else row[name] for name in ("low", "high"))
    known = {"as_of": day, "value": value, "low": low, "high": high}
    if high is None:
        found = "" if value is None else f": {error.words} {value:.3f}"
        words = f"predictions of {day}{found}; what scored was not tested by this error, so there is nothing to compare with"
        return Realised("immature", words, **known)
    if row["customers"] < min_rows:
        words = f"predictions of {day} were kept of {row['customers']:.0f} customers, fewer than {min_rows}"
        return Realised("immature", words, **known)
    bound = high * (1 + tolerance)
    promised = f"the test promised {low:.3f} to {high:.3f}, and {tolerance:.0%} more is let through"
    if value is None:
        return Realised("worse", f"predictions of {day}: nothing of it happened; {promised}", **known)
    words = f"predictions of {day}: {error.words} {value:.3f}; {promised}"
    return Realised("worse" if value > bound else "ok", f"{words}, up to {bound:.3f}", **known)


def latest_verdict(
    error: MainError,
    ledger: Sequence[Mapping[str, Any]],
    model_version: str,
    *,
    tolerance: float = 0.25,
    min_rows: int = 200,
) -> Realised | None:
    """Verdict on the newest matured predictions of one model; None if none has matured."""
    own = [row for row in ledger if row["model_version"] == model_version]
    return realised_verdict(error, own[-1], tolerance=tolerance, min_rows=min_rows) if own else None
