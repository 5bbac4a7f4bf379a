"""``estimator: auto``: which learners it chooses among, and which one a rehearsal speaks for.

Elsewhere: fitting the options and the rows they are measured on (``stages/training/rehearsal.py``), the learners.

The rule is the one-standard-error rule (Breiman et al. 1984, Classification and regression trees, section 3.4.3): of all options
whose loss is within one standard error of the lowest, the simplest. The standard error is that of the paired difference, customer
by customer. The choice of the session before is kept under the same rule, so that noise does not change the learner.

An amount is measured by the mean of two losses, each as a ratio to its mean over the options: the absolute error, which is lowest
at the median, and the Tweedie deviance with power 1.5 (``search.py``), which is lowest at the expected spend. Either alone
misleads: by absolute error a model that gives almost everybody too little looks good. A probability is measured by its log loss.
Predictions are first brought to the total that happened, since the level is corrected when scoring (``level.py``): what is compared
is who spends, not how much is spent in all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tdml_assets.engines.level import shift_to
from tdml_assets.engines.probabilities import logistic

Floats = NDArray[np.float64]
#: Name of the estimator that is chosen by rehearsal.
AUTO = "auto"
# Of trees that only correct a lifetime model: small steps, each on half of the rows. Chosen on the windows of CDNOW, Online Retail
# and Complete Journey that end at their cuts: there they lowered MAE by 0.0, 1.2 and 0.6 %, four seeds each. Small steps cost time,
# which is why they are not the learner's default.
_TREES = {"learning_rate": 0.02, "rounds": 1_000, "patience": 75, "subsample": 0.5}
# Of the same trees where nothing is rehearsed, which is where training rows are many: a fourth of the rounds, and predictions as
# good (docs/decisions/0062). On a fourth of these rows they would cost .4 % of MAE.
_LARGE_STEPS = {"learning_rate": 0.1, "rounds": 400, "patience": 20, "subsample": 0.8}
# Share of the lifetime model in the blend.
_HALF = 0.5
_SMALLEST_SHARE_OF_MEAN = 0.01
_SURE = 1e-6


@dataclass(frozen=True)
class Option:
    """One learner that may be chosen.

    ``name``: in tables. ``words``: for people, in the middle of a sentence. ``estimator``, ``parameters``: as a workflow would
    declare them. ``sees_age``: whether it follows customers who are older than any it learnt from.
    """

    name: str
    words: str
    estimator: str
    parameters: Mapping[str, Any]
    sees_age: bool = True


_LIFETIME_ALONE = Option("lifetime", "the lifetime model alone", "pareto_nbd_gamma_gamma", {})
_LIFETIME_START = Option("lifetime_start", "trees that start from a lifetime model", "lifetime_xgboost", _TREES)
_CONSTANT_START = Option("constant_start", "trees alone", "two_stage_xgboost", {}, sees_age=False)
_BLEND = Option(
    "blend",
    "the mean of a lifetime model and of trees that start from it",
    "lifetime_xgboost",
    {**_TREES, "lifetime_share": _HALF},
)
_CLASSIFIER = Option("constant_start", "trees alone", "xgboost_classifier", {}, sees_age=False)
_LIFETIME_CLASSIFIER = Option(
    "lifetime_start", "trees that start from a lifetime model", "lifetime_xgboost_classifier", {}
)
#: Options by kind of target, the simplest first: fewest parameters, then fewest trees. Trees that only correct a lifetime model are
#: fewer than trees alone. For probabilities, trees alone are first: a carried level has cost log loss on retail logs.
OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "net_spend": (_LIFETIME_ALONE, _LIFETIME_START, _CONSTANT_START, _BLEND),
    "no_purchase": (_CLASSIFIER, _LIFETIME_CLASSIFIER),
    "purchase": (_CLASSIFIER, _LIFETIME_CLASSIFIER),
}
_UNREHEARSED: Mapping[str, Option] = {
    "net_spend": _LIFETIME_START,
    "no_purchase": _CLASSIFIER,
    "purchase": _CLASSIFIER,
}
Why = Literal["simplest", "best", "kept", "only", "unrehearsed"]


@dataclass(frozen=True)
class Tried:
    """How one option did in the rehearsal.

    ``loss``: mean over the customers; lower is better. ``difference``, ``standard_error``: of its loss minus the lowest,
    customer by customer. ``refused``: why it could not be fitted; then nothing is measured.
    """

    name: str
    loss: float | None = None
    difference: float | None = None
    standard_error: float | None = None
    refused: str | None = None


@dataclass(frozen=True)
class LearnerChoice:
    """What was chosen, and from what.

    ``name``: of the option. ``why``: the simplest of those within one standard error, the best, kept from the session before,
    the only one, or not rehearsed. ``tried``: every option; empty where nothing was rehearsed. ``seen``: what the choice looked
    at, in words.
    """

    name: str
    why: Why
    tried: tuple[Tried, ...]
    seen: str

    def to_json(self) -> str:
        """The form kept with a model."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @staticmethod
    def name_in(text: str) -> str | None:
        """Name of the option that :meth:`to_json` kept; None where there is none."""
        name = json.loads(text).get("name")
        return name if isinstance(name, str) else None


def option_named(target_kind: str, name: str) -> Option:
    """The option of that name. Raises ``LookupError`` naming those there are."""
    for option in OPTIONS[target_kind]:
        if option.name == name:
            return option
    raise LookupError(
        f"{name!r} is not an option of auto for {target_kind}: {[one.name for one in OPTIONS[target_kind]]}"
    )


def unrehearsed(target_kind: str, previous: str | None = None) -> Option:
    """What is taken where nothing is rehearsed: the option of the session before, else the usual one, in large steps."""
    option = _UNREHEARSED[target_kind] if previous is None else option_named(target_kind, previous)
    if "learning_rate" not in option.parameters:
        return option
    return replace(option, parameters={**option.parameters, **_LARGE_STEPS})


def choose(
    target_kind: str, target: Floats, predicted: Mapping[str, Floats], previous: str | None
) -> tuple[str, Why, tuple[Tried, ...]]:
    """Choose by the predictions of a rehearsal. Raises ``ValueError`` if there is no option.

    ``target``: (customers,) what happened. ``predicted``: (customers,) by option, in the same order. ``previous``: what the
    session before chose; None for nothing.
    """
    if not predicted:
        raise ValueError("no option could be fitted: nothing can be chosen")
    losses = _losses(target_kind, target, predicted)
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    best = min(means, key=lambda name: (means[name], list(losses).index(name)))
    tried = tuple(_tried(name, losses[name], losses[best]) for name in losses)
    near = [one.name for one in tried if _is_near(one)]
    if len(losses) == 1:
        return best, "only", tried
    order = [option.name for option in OPTIONS[target_kind]]
    chosen = min(near, key=order.index)
    # Only where it changes the choice: a training repeated after its own model went live says what the first one said.
    if previous in near and previous != chosen:
        return str(previous), "kept", tried
    return chosen, "best" if chosen == best else "simplest", tried


def _is_near(one: Tried) -> bool:
    return (one.difference or 0.0) <= (one.standard_error or 0.0)


def _tried(name: str, loss: Floats, lowest: Floats) -> Tried:
    apart = loss - lowest
    error = float(apart.std(ddof=1) / np.sqrt(len(apart))) if len(apart) > 1 else 0.0
    return Tried(name, _digits(loss.mean()), _digits(apart.mean()), _digits(error))


def _digits(value: float) -> float:
    # As far as figures are shown, so that another summation order names no other version.
    return float(f"{float(value):.10g}")


def _losses(target_kind: str, target: Floats, predicted: Mapping[str, Floats]) -> dict[str, Floats]:
    if target_kind != "net_spend":
        return {name: _log_losses(target, values) for name, values in predicted.items()}
    levelled = {name: _to_total(values, float(target.sum())) for name, values in predicted.items()}
    parts = [
        {name: np.abs(target - values) for name, values in levelled.items()},
        {name: _deviances(target, values) for name, values in levelled.items()},
    ]
    scales = [_mean_of(list(part.values())) for part in parts]
    return {
        name: sum((part[name] / scale for part, scale in zip(parts, scales, strict=True)), np.zeros(len(target))) / 2.0
        for name in levelled
    }


def _mean_of(losses: Sequence[Floats]) -> float:
    return float(np.mean([loss.mean() for loss in losses])) or 1.0


def _to_total(values: Floats, total: float) -> Floats:
    found = float(values.sum())
    return values * (total / found) if found > 0 and total > 0 else values


def _deviances(target: Floats, predicted: Floats) -> Floats:
    root = np.sqrt(np.maximum(predicted, _SMALLEST_SHARE_OF_MEAN * float(target.mean())))
    excess = np.square(np.sqrt(target) - root)
    found: Floats = 4.0 * np.divide(excess, root, out=np.zeros_like(root), where=root > 0)
    return found


def _log_losses(target: Floats, predicted: Floats) -> Floats:
    inside = np.clip(predicted, _SURE, 1.0 - _SURE)
    log_odds = np.log(inside) - np.log1p(-inside)
    share = float(target.mean())
    if 0 < share < 1:
        log_odds = log_odds + shift_to(log_odds, share)
    said = np.clip(logistic(log_odds), _SURE, 1.0 - _SURE)
    found: Floats = -(target * np.log(said) + (1.0 - target) * np.log1p(-said))
    return found
