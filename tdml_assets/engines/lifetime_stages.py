"""Trees of a stage that start from a lifetime model, and the level at which they meet customers of other ages.

Belongs here: fitting one stage, early-stopped or with rounds found before; what is expected of the rows of today.
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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import xgboost as xgb
from scipy.optimize import brentq
from scipy.special import expit

from tdml_assets.engines.boosters import grown, train_rounds, train_until_best
from tdml_assets.engines.lifetime_start import LARGEST_LEVEL, Start, StartedRows
from tdml_assets.engines.xgboost_rows import Floats

# A probability of today's rows that no level could reach would leave nothing of the ranking.
_LEAST_SHARE = 1e-4


class StageParameters(Protocol):
    """What both kinds of stages need of their parameters."""

    @property
    def rounds(self) -> int:
        """Boosting rounds, at most."""

    @property
    def patience(self) -> int:
        """Rounds without improvement that end a fit."""

    @property
    def max_bin(self) -> int:
        """Bins of the quantile matrix."""

    def of_stage(self, stage: str, *, base_score: float, seed: int, threads: int) -> dict[str, Any]:
        """Give the parameters as XGBoost takes them."""


@dataclass(frozen=True)
class Found:
    """How an earlier fit of a stage went: its rounds and its training rows."""

    rounds: int
    rows: int


@dataclass(frozen=True)
class Stage:
    """A fitted stage.

    Parameters
    ----------
    rows : it learnt from.
    loss : best loss on the validation rows; None where there were none.
    """

    booster: xgb.Booster
    start: Start
    rows: int
    loss: float | None

    @property
    def rounds(self) -> int:
        """Boosting rounds."""
        return int(self.booster.num_boosted_rounds())


def fit_stage(
    name: str,
    rows: StartedRows,
    rounds: StartedRows | Found,
    parameters: StageParameters,
    *,
    weight: float,
    scale: float,
    seed: int,
    threads: int,
    where: str,
) -> Stage:
    """Fit the trees of a stage, each row at its start.

    Parameters
    ----------
    rounds : validation rows that say how many; or what an earlier fit found, whose rounds grow with the rows.
    weight : share of the lifetime model's margin that rows start from.
    scale : unit of the label.
    """
    start = rows.start(name, weight, scale)
    data = rows.matrix(name, start, max_bin=parameters.max_bin, where=where, scale=scale, threads=threads)
    size = int(data.num_row())
    # The base score is overruled by the starts of the rows; XGBoost wants one that its objective allows.
    chosen = parameters.of_stage(name, base_score=0.5, seed=seed, threads=threads)
    features = rows.source.features
    if isinstance(rounds, Found):
        booster = train_rounds(chosen, data, grown(rounds.rounds, size / rounds.rows), features)
        return Stage(booster, start, size, None)
    held = rounds.matrix(
        name,
        start,
        max_bin=parameters.max_bin,
        where="validation rows",
        scale=scale,
        threads=threads,
        reference=data,
    )
    booster, loss = train_until_best(chosen, data, held, parameters.rounds, parameters.patience, features)
    return Stage(booster, start, size, loss)


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


def said(stages: Mapping[str, Stage]) -> tuple[dict[str, int], dict[str, int], dict[str, float]]:
    """Rounds, rows and losses per stage, as a recipe keeps them."""
    losses = {name: one.loss for name, one in stages.items() if one.loss is not None}
    return {name: one.rounds for name, one in stages.items()}, {name: one.rows for name, one in stages.items()}, losses
