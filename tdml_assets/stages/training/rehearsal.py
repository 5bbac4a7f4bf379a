"""``estimator: auto``: fit every option to what a candidate may learn from, compare them, choose.

Elsewhere: the options and the rule (``engines/learner_choice.py``), learners, the fit of everything (``fit.py``).

Nothing later than the test snapshot's window takes part, and that window ends on or before as_of.

- Where the validation snapshot is later than the training rows, options are measured there. Trees have stopped by it, which favours
  them a little.
- Where history is too short for one, they are measured on the test snapshot. The candidate's own measures are then those of the
  best of a few on the same rows.
- Where training rows are of the test snapshot's day too, they are measured on the other customers of that day. Customers who are
  older than any in training are not seen there, so only options that follow age are asked.

The fits are those that the candidate is measured by: the chosen one is not fitted again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.at_once import at_once, threads_worth
from tdml_assets.engines.learner_choice import (
    OPTIONS,
    LearnerChoice,
    Option,
    Tried,
    choose,
    option_named,
    unrehearsed,
)
from tdml_assets.engines.protocol import Engine, FeatureSource, FittedModel, ModelSpec, Tier, table_source
from tdml_assets.platform.refusals import RefusedError

# Customers measured at most: a standard error of a tenth of a per cent tells any two options apart that differ in use.
_MOST_MEASURED = 20_000
_SHARE = "lifetime_share"
_KEYS = ("snapshot_date", "customer_id", "target")


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal leaves.

    ``model``: what is trained. ``evaluated``: its fit to the training rows; None where nothing was rehearsed.
    """

    choice: LearnerChoice
    model: ModelSpec
    evaluated: FittedModel | None


@dataclass(frozen=True)
class _Stage:
    """Rows a rehearsal is measured on. ``is_later``: whether every day that was learnt from lies before them."""

    rows: pa.Table
    is_later: bool
    words: str


def rehearse_options(
    engine: Engine,
    splits: Mapping[str, pa.Table],
    model: ModelSpec,
    tier: Tier,
    *,
    previous: str | None,
    max_rows: int,
) -> Rehearsed:
    """Choose what to train.

    Raises ``RefusedError`` if the rows are too few for every option; that of the last one. ``splits``: prepared rows per split,
    as ``train_candidate`` takes them. ``model``: what is asked for, with the parameters that all options are given.
    ``previous``: name of the option that the champion before was made with; None for none. ``max_rows``: with more training
    rows nothing is rehearsed.
    """
    rows = splits["train"].num_rows
    if rows > max_rows:
        return _unrehearsed(model, rows, max_rows, previous)
    stage = _stage_of(splits, model)
    options = [one for one in OPTIONS[model.target_kind] if stage.is_later or one.sees_age]
    fits, refused = _fit_all(engine, splits, model, tier, options)
    target = stage.rows["target"].to_numpy().astype(np.float64)
    features = stage.rows.drop_columns(list(_KEYS))
    predicted = {name: _predicted(fitted, features) for name, fitted in fits.items()}
    name, why, tried = choose(model.target_kind, target, predicted, previous)
    left_out = tuple(Tried(one, refused=reason) for one, reason in refused.items())
    chosen = LearnerChoice(name, why, (*tried, *left_out), stage.words)
    return Rehearsed(chosen, _asked(model, option_named(model.target_kind, name)), fits[name])


def choice_rows(choice: LearnerChoice | None, target_kind: str) -> list[dict[str, Any]]:
    """Rows of ``monitoring.estimator_choices``, without their key."""
    if choice is None:
        return []
    tried = choice.tried or (Tried(choice.name),)
    return [
        {
            "option": one.name,
            "estimator": option_named(target_kind, one.name).estimator,
            "chosen": one.name == choice.name,
            "why": choice.why if one.name == choice.name else None,
            "loss": one.loss,
            "difference": one.difference,
            "standard_error": one.standard_error,
            "refused": one.refused,
            "seen": choice.seen,
        }
        for one in tried
    ]


def _unrehearsed(model: ModelSpec, rows: int, max_rows: int, previous: str | None) -> Rehearsed:
    option = unrehearsed(model.target_kind, previous)
    seen = f"{rows:,} training rows are more than model.rehearsal_max_rows, {max_rows:,}"
    return Rehearsed(LearnerChoice(option.name, "unrehearsed", (), seen), _asked(model, option), None)


def _stage_of(splits: Mapping[str, pa.Table], model: ModelSpec) -> _Stage:
    learnt = max(splits["train"]["snapshot_date"].unique().to_pylist())
    for name in ("validation", "test"):
        days = splits[name]["snapshot_date"].unique().to_pylist()
        day = max(days)
        if min(days) > learnt:
            words = f"measured on {{:,}} customers of {day} up to {day + timedelta(days=model.horizon_days)}"
            return _measured(splits[name], words, is_later=True)
    words = f"measured on {{:,}} customers of {day} who were not learnt from, up to {day + timedelta(days=model.horizon_days)}"
    return _measured(splits["test"], words, is_later=False)


def _measured(rows: pa.Table, words: str, *, is_later: bool) -> _Stage:
    if rows.num_rows > _MOST_MEASURED:
        rows = rows.take(pa.array(np.linspace(0, rows.num_rows - 1, _MOST_MEASURED).astype(np.int64)))
    return _Stage(rows.combine_chunks(), is_later, words.format(rows.num_rows))


def _asked(model: ModelSpec, option: Option) -> ModelSpec:
    # Parameters that are declared are those of trees; a lifetime model alone has none.
    declared = dict(model.parameters) if "xgboost" in option.estimator else {}
    return replace(model, estimator=option.estimator, parameters={**option.parameters, **declared})


def _fit_all(
    engine: Engine, splits: Mapping[str, pa.Table], model: ModelSpec, tier: Tier, options: Sequence[Option]
) -> tuple[dict[str, FittedModel], dict[str, str]]:
    """Fits by option, and why others could not be."""
    train, validation, then = (_source(splits[name]) for name in ("train", "validation", "test"))
    fits: dict[str, FittedModel] = {}
    refused: dict[str, RefusedError] = {}

    def fit(option: Option) -> FittedModel | RefusedError:
        spec = _asked(model, option)
        if engine.wants_unlabelled(spec):
            spec = replace(spec, unlabelled=then)
        try:
            return engine.fit(train, validation, spec, tier)
        except RefusedError as error:
            return error

    bases = {other.name: one.name for other in options for one in options if _differ_by_share(one, other)}
    asked = [option for option in options if option.name not in bases]
    # Fits that are worth every thread of the tier take turns.
    is_small = threads_worth(train.row_count + validation.row_count, len(train.features), tier.cpus) == 1
    results = at_once([partial(fit, option) for option in asked], tier.cpus if is_small else 1)
    found = dict(zip((option.name for option in asked), results, strict=True))
    for option in options:
        one = found[bases.get(option.name, option.name)]
        if isinstance(one, RefusedError):
            refused[option.name] = one
        else:
            fits[option.name] = _mixed(one, float(option.parameters[_SHARE])) if option.name in bases else one
    if not fits:
        raise list(refused.values())[-1]
    return fits, {name: str(error) for name, error in refused.items()}


def _differ_by_share(one: Option, other: Option) -> bool:
    without = {name: value for name, value in other.parameters.items() if name != _SHARE}
    return _SHARE in other.parameters and one.estimator == other.estimator and dict(one.parameters) == without


def _mixed(fitted: FittedModel, share: float) -> FittedModel:
    from tdml_assets.engines.lifetime_xgboost import LifetimeXgboostModel

    if not isinstance(fitted, LifetimeXgboostModel):
        raise TypeError(f"{type(fitted).__name__} cannot be mixed with its lifetime model")
    return fitted.mixed(share)


def _predicted(fitted: FittedModel, features: pa.Table) -> Any:
    (batch,) = features.combine_chunks().to_batches()
    return fitted.score(batch)["predicted_target"].to_numpy().astype(np.float64)


def _source(table: pa.Table) -> FeatureSource:
    features = table.drop_columns([name for name in _KEYS if name in table.column_names])
    return table_source(features.append_column("target", table["target"]), "target")
