"""Choose a recommender on the validation window, measure it on the test window, fit it on everything.

Nothing is chosen on the test window. First the popularity of those who have no history, then the learner of what was never
bought (both by ``recall_at_10_new``), then the order of what was bought before (by the recall of the main list); of equal
candidates the first, so that a learner must earn its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.engines.protocol import Tier
from tdml_assets.engines.recommender import bytes_needed
from tdml_assets.recommendation.baskets import Baskets, to_baskets
from tdml_assets.recommendation.metrics import Metrics, Outcome, list_metrics
from tdml_assets.recommendation.model import POPULAR, Choice, History, Recommender, fit, history_from
from tdml_assets.recommendation.ranking import (
    Blend,
    Lists,
    compose,
    popular_lists,
    repeat_scores,
    share_of_largest,
)
from tdml_assets.stages.realised.performance import MISSED, interval_metrics

_CHOSEN_AT = 10
# Python, libraries, Arrow tables of one window; one batch of dense scores.
_BASE_BYTES = 800_000_000
# Share of the tier's memory that may be planned for; the warehouse needs the rest.
_PLANNED_SHARE = 0.8
MODEL, POPULAR_LIST, PERSONAL_LIST = "model", "baseline_popular", "baseline_personal"


@dataclass(frozen=True)
class Observed:
    """A history and what its customers bought afterwards.

    ``history``: up to the window. ``truth``: products of the catalogue bought in the window, row by row as in ``history.baskets``.
    """

    history: History
    truth: Baskets

    @property
    def buyers(self) -> NDArray[np.int64]:
        """Rows with a history and a truth: those who are measured."""
        has = (np.diff(self.truth.starts) > 0) & (np.diff(self.history.baskets.starts) > 0)
        return np.flatnonzero(has)


def observed_from(history: pa.Table, truth: pa.Table) -> Observed:
    """What is known at the end of a day, and what its customers bought of it afterwards.

    ``history``: as for :func:`~tdml_assets.recommendation.model.history_from`. ``truth``: customer_id, product_id, one row per
    pair, all rows of a customer one after another; what is not in ``history`` is left out.
    """
    import pyarrow.compute as pc

    known = history_from(history)
    buyers, bought = to_baskets(truth, known.products)
    return Observed(known, bought.aligned(pc.index_in(known.customers, value_set=buyers)))


@dataclass(frozen=True)
class Measured:
    """Lists of one window's buyers.

    ``rows``: of ``Observed.history``. ``lists``: per kind: the model's and the baselines'. ``outcomes``: per kind, what became
    of them.
    """

    rows: NDArray[np.int64]
    lists: Mapping[str, Lists]
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True)
class Trained:
    """A candidate.

    ``choice``: what the validation window decided. ``trials``: what was tried: learner, half_life_days, parameters, recall; and
    the blends. ``evaluated``: the model that was measured: it knows nothing later than the test window's first day. ``final``:
    the model that is stored: it knows everything up to as_of. ``measured``: per split, ``train`` (the validation window) and
    ``test``.
    """

    choice: Choice
    trials: list[dict[str, Any]]
    evaluated: Recommender
    final: Recommender
    measured: Mapping[str, Measured]


def train(
    observed: Mapping[str, Observed], everything: History, settings: Recommendation, seed: int, tier: Tier
) -> Trained:
    """Choose, measure, fit again. Raises ``MemoryError`` if a fit would not fit the tier: raised before any begins.

    ``observed``: ``train``, the validation window, which choices are made on, and ``test``, which is only measured. ``everything``:
    what is known at as_of.
    """
    for history in (*(one.history for one in observed.values()), everything):
        require_fits(history, settings, tier)
    choice, trials = choose(observed["train"], settings, seed)
    models = {name: fit(one.history, choice, settings, seed) for name, one in observed.items()}
    measured = {name: measure(one, models[name], settings.measured_customers) for name, one in observed.items()}
    return Trained(choice, trials, models["test"], fit(everything, choice, settings, seed), measured)


def require_fits(history: History, settings: Recommendation, tier: Tier) -> None:
    """Refuse what the tier cannot hold. Raises ``MemoryError`` with the arithmetic and the remedy."""
    columns, entries = min(settings.max_items, len(history.products)), len(history.baskets.codes)
    needed = _BASE_BYTES + bytes_needed(columns, len(history.baskets), entries, settings.als_factors)
    allowed = tier.memory_gb * 1e9 * _PLANNED_SHARE
    if needed > allowed:
        raise MemoryError(
            f"recommending {columns:,} products from {entries:,} purchases of {len(history.baskets):,} customers needs "
            f"{needed / 1e9:.2f} GB, of {allowed / 1e9:.2f} GB ({_PLANNED_SHARE:.0%} of the {tier.memory_gb:g} GB of "
            f"{tier.name}): use a larger tier, or lower recommendation.max_items (now {settings.max_items:,}) or "
            "split.max_rows"
        )


def choose(observed: Observed, settings: Recommendation, seed: int) -> tuple[Choice, list[dict[str, Any]]]:
    """Choose on the window after ``observed.history``. Returns the choice, and what was tried for it."""
    rows = spread(observed.buyers, settings.choice_customers)
    baskets, truth = observed.history.baskets.taken(rows), observed.truth.taken(rows)
    trials: list[dict[str, Any]] = []
    best, best_value, best_model = Choice(), -1.0, None
    for candidate in _candidates(settings):
        choice = replace(candidate, fallback_half_life_days=best.fallback_half_life_days)
        if candidate.learner == POPULAR:
            choice = candidate
        model = fit(observed.history, choice, settings, seed)
        value = _recall_new(model, baskets, truth)
        trials.append(_trial(choice, "recall_at_10_new", value))
        if value > best_value:
            best, best_value, best_model = choice, value, model
    if best_model is None:
        raise ValueError("no recommender could be measured on the validation window: its buyers bought nothing known")
    found = best_model.discoveries(baskets)
    best_value, blend = -1.0, Blend()
    for tried in _blends(settings):
        repeats = repeat_scores(baskets, tried, best_model.popularity, found.of_bought)
        lists = compose(baskets, repeats, found, count=settings.count, discover_count=settings.discover_count)
        value = _recall_main(lists, baskets, truth, settings.count)
        trials.append(_trial(replace(best, blend=tried), "recall_of_main", value))
        if value > best_value:
            best_value, blend = value, tried
    return replace(best, blend=blend), trials


def measure(observed: Observed, model: Recommender, most: int) -> Measured:
    """Lists of at most ``most`` of the window's buyers, of the model and of the baselines, next to what they bought."""
    rows = spread(observed.buyers, most)
    baskets, truth = observed.history.baskets.taken(rows), observed.truth.taken(rows)
    counts = {"count": model.count, "discover_count": model.discover_count}
    popularity = share_of_largest(observed.history.popularity)
    personal = replace(model, scorer=None, fallback=popularity, choice=Choice(), columns=len(popularity))
    lists = {
        MODEL: model.recommend(baskets),
        POPULAR_LIST: popular_lists(baskets, popularity, **counts),
        PERSONAL_LIST: personal.recommend(baskets),
    }
    return Measured(rows, lists, {name: outcome_of(found, baskets, truth) for name, found in lists.items()})


def outcome_of(lists: Lists, baskets: Baskets, truth: Baskets) -> Outcome:
    """Lists next to what was bought."""
    rows = np.repeat(np.arange(len(truth)), lists.codes.shape[1])
    bought = truth.holds(rows, lists.codes.ravel()).reshape(lists.codes.shape)
    new = ~baskets.holds(truth.rows, truth.codes)
    return Outcome(
        codes=lists.codes,
        is_new=lists.is_new,
        bought=bought,
        truth=np.diff(truth.starts),
        truth_new=np.bincount(truth.rows[new], minlength=len(truth)),
        catalogue=baskets.products,
    )


def window_metrics(outcomes: Mapping[str, Outcome]) -> Metrics:
    """Metrics of the model under their names, those of the baselines behind the baseline's name."""
    outcome = outcomes[MODEL]
    found: Metrics = {
        "customers": float(len(outcome.truth)),
        "catalogue": float(outcome.catalogue),
        "truth_per_customer": float(outcome.truth.mean()),
        "repeat_share_of_truth": 1.0 - float(outcome.truth_new.sum() / outcome.truth.sum()),
        **list_metrics(outcome),
    }
    for name in (POPULAR_LIST, PERSONAL_LIST):
        found |= {f"{name}_{metric}": value for metric, value in list_metrics(outcomes[name]).items()}
    held = outcome.bought[:, :_CHOSEN_AT].sum(axis=1).astype(np.float64)
    found |= {MISSED.metric: 1.0 - float((held / outcome.truth).mean())}
    return found | interval_metrics(MISSED, outcome.truth.astype(np.float64), held, seed=0)


def _candidates(settings: Recommendation) -> Iterator[Choice]:
    for half_life in settings.popularity_half_lives_days:
        yield Choice(POPULAR, fallback_half_life_days=half_life)
    for learner, half_life in product(settings.learners, settings.half_lives_days):
        if learner == "ease":
            for penalty in settings.ease_lambdas:
                yield Choice(learner, half_life, {"penalty": penalty, "neighbours": settings.neighbours})
        elif learner == "item_knn":
            yield Choice(learner, half_life, {"neighbours": settings.neighbours})
        else:
            parameters = {
                "factors": settings.als_factors,
                "iterations": settings.als_iterations,
                "regularization": settings.als_regularization,
                "alpha": settings.als_alpha,
            }
            yield Choice(learner, half_life, parameters)


def _blends(settings: Recommendation) -> Iterator[Blend]:
    # The first is plain personal frequency, ties by popularity: the others must beat it.
    yield Blend()
    for values in product(settings.repeat_half_lives_days, settings.popularity_weights, settings.learner_weights):
        if Blend(*values) != Blend():
            yield Blend(*values)


def _recall_new(model: Recommender, baskets: Baskets, truth: Baskets) -> float:
    found = model.discoveries(baskets)
    lists = Lists(found.codes, found.scores, np.ones(found.codes.shape, dtype=bool))
    value = list_metrics(outcome_of(lists, baskets, truth), [_CHOSEN_AT])[f"recall_at_{_CHOSEN_AT}_new"]
    # Nobody bought anything new: no learner earns a place.
    return 0.0 if value is None else value


def _recall_main(lists: Lists, baskets: Baskets, truth: Baskets, count: int) -> float:
    return float(list_metrics(outcome_of(lists, baskets, truth), [count])[f"recall_at_{count}"] or 0.0)


def _trial(choice: Choice, metric: str, value: float) -> dict[str, Any]:
    return {
        "learner": choice.learner,
        "half_life_days": choice.half_life_days,
        "parameters": ", ".join(f"{name} {value:g}" for name, value in choice.parameters.items()),
        "popularity_half_life_days": choice.fallback_half_life_days,
        "blend": ", ".join(f"{name} {value:g}" for name, value in choice.blend.to_dict().items()),
        "metric": metric,
        "value": value,
    }


def spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most ``most`` of the rows, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(np.int64))]
