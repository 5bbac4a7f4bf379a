"""Trees of a stage that start from a lifetime model, and the level at which they meet customers of other ages.

Belongs here: fitting stages, early-stopped or with rounds found before; what is expected of the rows of today.
Does not: where a stage starts (``lifetime_start.py``), models made of stages (``lifetime_xgboost.py``,
``lifetime_xgboost_classifier.py``).

The customers to score are older than those that could be learnt from, by a horizon at least. Trees do not see beyond the ages
they were shown, so their total is that of younger customers; a lifetime model is made for the difference. So the total
expected today is what happened to the training rows, times what the lifetime model expects of today's rows over what it
expects of those. One number a stage moves all rows alike: it decides how much in all, and the trees who.

Measured on three windows each of CDNOW and Online Retail that end before 1997-12-31 and 2011-09-09: carrying the totals lowered
MAE in five of the six, by 2 % in the mean, and left the ranking as it was; log loss of buying fell in four, and rose by up to
.004 in the two whose window was Christmas, of which a lifetime model knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import xgboost as xgb
from scipy.optimize import brentq
from scipy.special import expit

from tdml_assets.engines.at_once import at_once, threads_worth
from tdml_assets.engines.boosters import grown, trained
from tdml_assets.engines.lifetime_outlook import Lifetime
from tdml_assets.engines.lifetime_start import LARGEST_LEVEL, Start, StartedRows, StartParameters
from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe, chained
from tdml_assets.engines.spend import AMOUNT
from tdml_assets.engines.xgboost_rows import Floats

# A probability of today's rows that no level could reach would leave nothing of the ranking.
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Stages:
    """Fitted stages by name.

    ``recipe``: rounds, rows and losses of the fit, with what an earlier one chose. ``rows``: they learnt from. ``scale``: unit
    of the amount. ``threads``: that each stage was given.
    """

    lifetime: Lifetime
    boosters: Mapping[str, xgb.Booster]
    starts: Mapping[str, Start]
    recipe: Recipe
    rows: StartedRows
    scale: float
    threads: int


def fit_stages(
    names: Sequence[str],
    train: FeatureSource,
    validation: FeatureSource | None,
    parameters: StartParameters,
    recipe: Recipe,
    spec: ModelSpec,
    *,
    threads: int,
    shown: bool = False,
    as_learnt: Callable[[FeatureSource, str], FeatureSource] = lambda source, _: source,
) -> Stages:
    """Fit the lifetime model to all histories, and the trees of each stage to ``train``, each row at its start.

    ``validation``: says how many rounds; without it those of ``recipe`` are taken, which grow with the rows. ``shown``: the
    trees see :data:`~tdml_assets.engines.lifetime_start.OUTLOOK_FEATURES` too. ``as_learnt``: gives a source its target as the
    trees learn it.
    """
    where = "rows of the refit" if validation is None else "training rows"
    everything = train if validation is None else chained([train, validation])
    lifetime, histories = parameters.fit(everything, spec, where)

    def started(source: FeatureSource, where: str, least_rows: int, least_buyers: int) -> tuple[StartedRows, float]:
        read = as_learnt(source, where)
        rows = StartedRows.of(read, lifetime, shown=shown, where=where, estimator=parameters.estimator)
        return rows, rows.require(where, least_rows, least_buyers)

    trees = parameters.trees
    rows, mean_amount = started(train, where, trees.min_rows, trees.min_buyers)
    held_rows = None if validation is None else started(validation, "validation rows", 2, 1)[0]
    # Of several stages each takes the threads that it is worth, and they are fitted at the same time.
    of_each = threads if len(names) == 1 else threads_worth(train.row_count, len(train.features), threads)

    def fit(name: str) -> tuple[Start, int, xgb.Booster, float | None]:
        scale = mean_amount if name == AMOUNT else 1.0
        start = rows.start(name, parameters.lifetime_weight, scale)
        data = rows.matrix(name, start, max_bin=trees.max_bin, where=where, scale=scale, threads=of_each)
        size, rounds, held = int(data.num_row()), trees.rounds, None
        if held_rows is None:
            rounds = grown(recipe.rounds[name], size / recipe.rows[name])
        else:
            held = held_rows.held(name, start, scale=scale, threads=of_each)
        # The base score is overruled by the starts of the rows; XGBoost wants one that its objective allows.
        chosen = trees.of_stage(name, base_score=0.5, seed=spec.seed, threads=of_each)
        features = rows.source.features
        return start, size, *trained(chosen, data, held, rounds, trees.patience, features, device=spec.device)

    fitted = dict(zip(names, at_once([partial(fit, name) for name in names], threads // of_each), strict=True))
    found = replace(
        recipe,
        rounds={name: int(booster.num_boosted_rounds()) for name, (_, _, booster, _) in fitted.items()},
        rows={"histories": histories, **{name: size for name, (_, size, _, _) in fitted.items()}},
        validation_loss={
            **recipe.validation_loss,
            **{name: loss for name, (*_, loss) in fitted.items() if loss is not None},
        },
    )
    boosters = {name: booster for name, (_, _, booster, _) in fitted.items()}
    starts = {name: start for name, (start, *_) in fitted.items()}
    return Stages(lifetime, boosters, starts, found, rows, mean_amount, of_each)


def rows_of_today(spec: ModelSpec, lifetime: Lifetime) -> StartedRows | None:
    """Rows to score, whose target is not looked at; None where the fit was not given them."""
    if spec.unlabelled is None:
        return None
    return StartedRows.of(spec.unlabelled, lifetime, shown=False, where="rows to score", estimator=spec.estimator)


def expected_share(then: StartedRows, today: StartedRows) -> float:
    """Share of today's customers expected to buy: those who did, carried to today's histories by the lifetime model."""
    happened = float((then.target > 0).mean())
    carried = happened * float(today.active.mean()) / float(then.active.mean())
    return min(max(carried, _LEAST_SHARE), 1 - _LEAST_SHARE)


def expected_spend(then: StartedRows, today: StartedRows) -> float:
    """Mean spend expected of today's customers: what was spent, carried to today's histories by the lifetime model."""
    return float(then.target.mean()) * float(today.spend.mean()) / float(then.spend.mean())


def level_for(log_odds: Floats, share: float) -> float:
    """Find what must be added to the log-odds of rows for their mean probability to be ``share``."""
    return float(brentq(lambda level: float(expit(log_odds + level).mean()) - share, -LARGEST_LEVEL, LARGEST_LEVEL))
