"""The ``hivemall`` engine: linear learners with Hivemall's option strings, fed by batches; the model is a table of weights.

Elsewhere: update rules (``hivemall/``), scoring (``linear_model.py``, ``sql/predictions/linear/``).

Rows are never in memory as a whole: a source is read once per pass. The constant is a feature named ``0``, as ``add_bias`` of
Hivemall makes it. A target that is an amount is learnt in standard deviations from its mean, because the learning rates of the
optimisers suit labels of that size; a monotone map (``score_map.py``) gives amounts back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.engines import search
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.linear_model import BIAS, LinearModel
from tdml_assets.engines.protocol import (
    Estimate,
    FeatureSource,
    ModelSpec,
    Recipe,
    Tier,
    chained,
    require_same_columns,
    split_batch,
)
from tdml_assets.engines.score_map import ScoreMap, kept_digits
from tdml_assets.platform.extras import require_extra
from tdml_assets.platform.refusals import RefusedError

Floats = NDArray[np.float64]

#: Option strings where a workflow gives none.
DEFAULT_OPTIONS = {"train_classifier": "-loss logloss -reg no", "train_regressor": "-loss huber -reg no"}
_LOGISTIC = "-loss logloss"
_MIN_ROWS = 50
_BATCH_ROWS = 65_536
# A cell of a batch: the value twice, and its place.
_BATCH_BYTES = 16
# Kept per row while a candidate is measured: key, split, target and predictions, twice while tables are joined.
_KEPT_BYTES = 200
_KEY_BYTES = 40
_BASE_BYTES = 600_000_000
# Share of the tier's memory the fit may plan for; the warehouse that feeds it needs the rest.
_PLANNED_SHARE = 0.8
#: Rows that the score map is fitted to, at most; more are thinned out evenly.
_MAP_ROWS = 1_000_000
_LABEL = "label"
_IS_PROBABILITY = {"classification": True, "regression": False}


def option_string(spec: ModelSpec) -> str:
    """The option string that the learner is called with.

    ``model.parameters`` come first, as ``-name value``: of repeated options the first counts, so a search overrides
    ``model.options``. Without either, :data:`DEFAULT_OPTIONS` hold. A classifier without ``-loss`` learns the logistic loss, since
    Hivemall's own default gives no probability.
    """
    from tdml_assets.engines.hivemall.stream import read_options

    named = [f"-{name}" if value is True else f"-{name} {value}" for name, value in spec.parameters.items()]
    given = " ".join([*named, spec.options]).strip()
    if not given:
        return DEFAULT_OPTIONS.get(spec.estimator, "")
    if spec.estimator == "train_classifier" and not read_options(spec.estimator, given).has("loss"):
        return f"{_LOGISTIC} {given}"
    return given


@dataclass(frozen=True)
class _Facts:
    """What one pass over the rows finds."""

    rows: int
    mean: Floats
    target_mean: float
    target_deviation: float


class HivemallEngine:
    """Implements :class:`~tdml_assets.engines.protocol.Engine`."""

    name = "hivemall"
    streams = True

    def __init__(self, trusted_types: Sequence[str] = ()) -> None:
        # A table of weights holds no types.
        del trusted_types

    def wants_unlabelled(self, spec: ModelSpec) -> bool:  # noqa: ARG002
        """No learner does."""
        return False

    def estimate(self, spec: ModelSpec, rows: int, features: int, tier: Tier) -> Estimate:  # noqa: ARG002
        """Memory of a batch and of what is kept per row, and the disk of the rows, against the tier's."""
        batch, kept = _BATCH_ROWS * (features + 1) * _BATCH_BYTES, rows * _KEPT_BYTES
        memory, disk = _BASE_BYTES + batch + kept, rows * (features * 4 + _KEY_BYTES)
        allowed = tier.memory_gb * 1e9 * _PLANNED_SHARE
        arithmetic = (
            f"{rows:,} rows x {features} features in batches of {_BATCH_ROWS:,}: {batch / 1e9:.2f} GB + {kept / 1e9:.2f} GB for "
            f"keys, targets, predictions + {_BASE_BYTES / 1e9:.1f} GB = {memory / 1e9:.2f} GB memory, of {allowed / 1e9:.2f} GB, "
            f"and {disk / 1e9:.2f} GB disk, of {tier.disk_gb:.2f} GB of {tier.name}"
        )
        return Estimate(memory <= allowed and disk <= tier.disk_gb * 1e9, arithmetic)

    def require_declared(self, spec: ModelSpec) -> None:
        """Refuse an estimator, an option or a value before anything runs.

        Raises ``ValueError`` naming what is wrong and what there is. Raises ``MissingExtraError`` if numba is not installed.
        """
        from tdml_assets.engines.hivemall.stream import CLASSIFIERS, REGRESSORS, read_options

        offered = {"classification": CLASSIFIERS, "regression": REGRESSORS}.get(spec.task, ())
        if spec.estimator not in offered:
            raise ValueError(
                f"model.estimator: the hivemall engine has no {spec.estimator} for {spec.task}: use one of {', '.join(offered)}"
                if offered
                else f"engine: hivemall serves regression and classification, the task is {spec.task}: leave engine out"
            )
        try:
            read_options(spec.estimator, option_string(spec))
        except HivemallError as error:
            raise ValueError(f"model.options: {error}") from error
        require_extra("numba", "hivemall", "engine: hivemall")

    def fit(
        self,
        train: FeatureSource,
        validation: FeatureSource,
        spec: ModelSpec,
        tier: Tier,
    ) -> LinearModel:
        """Train on ``train`` and measure on ``validation``, which decides nothing.

        Raises ``ValueError`` if the declaration is wrong, or the rows cannot be learnt from. Raises ``MissingExtraError`` if numba
        is not installed. Raises ``MemoryError`` if the rows do not fit the tier: raised before anything is read.
        """
        require_same_columns(
            (*train.features, train.target),
            (*validation.features, validation.target),
            "validation against training rows",
        )
        self._require_fits(spec, train.row_count + validation.row_count, len(train.features), tier)
        model = self._fitted(train, spec, {}, "training rows")
        if not validation.row_count:
            return model
        said, happened = _sums_and_targets(model, validation)
        name = search.loss_name(spec.task, happened)
        measured = {name: search.loss(name, happened, model.linked(said))}
        return replace(model, recipe=replace(model.recipe, validation_loss=measured))

    def refit(
        self,
        sources: Sequence[FeatureSource],
        recipe: Recipe,
        spec: ModelSpec,
        tier: Tier,
    ) -> LinearModel:
        """Train on all ``sources``. Raises as :meth:`fit`."""
        everything = chained(sources)
        self._require_fits(spec, everything.row_count, len(everything.features), tier)
        return self._fitted(everything, spec, recipe.validation_loss, "rows of the refit")

    def _require_fits(self, spec: ModelSpec, rows: int, features: int, tier: Tier) -> None:
        found = self.estimate(spec, rows, features, tier)
        if not found.fits:
            raise MemoryError(
                f"the training table does not fit {tier.name}: {found.arithmetic}; use a larger tier, fewer snapshots or fewer "
                "features"
            )

    def load(self, files: Mapping[str, bytes], spec: ModelSpec, tier: Tier) -> LinearModel:  # noqa: ARG002
        """Bring back a model from the verified bytes of its files; needs no numba."""
        return LinearModel.from_files(files)

    def _fitted(
        self, source: FeatureSource, spec: ModelSpec, validation_loss: Mapping[str, float], where: str
    ) -> LinearModel:
        from tdml_assets.engines.hivemall.stream import train_batches

        self.require_declared(spec)
        if BIAS in source.features:
            raise ValueError(f"a feature is named {BIAS}, which is the constant of the model: exclude it")
        facts = _look(source, spec, where)
        is_probability = _IS_PROBABILITY[spec.task]
        label = (
            (0.0, 1.0)
            if is_probability
            else (kept_digits(facts.target_mean), kept_digits(facts.target_deviation) or 1.0)
        )
        options = option_string(spec)
        names = [*source.features, BIAS]
        weights = train_batches(spec.estimator, lambda: _labelled(source, label), names, _LABEL, options)
        found = weights["weight"].to_numpy()
        if not np.isfinite(found).all():
            raise ValueError(
                f"{where}: {spec.estimator} {options} gave weights that are not finite: lower -eta0, or scale the features "
                "(prepare.scaling: zscore)"
            )
        centre = tuple(kept_digits(value) for value in facts.mean)
        recipe = Recipe({}, {"model": facts.rows}, validation_loss=dict(validation_loss))
        model = LinearModel(source.features, recipe, spec.estimator, options, weights, centre, None, label)
        if is_probability and _is_logistic(spec.estimator, options):
            return model
        fitted = ScoreMap.fit(*_sums_and_targets(model, source, _MAP_ROWS), is_probability=is_probability)
        return replace(model, score_map=fitted)


def _is_logistic(function: str, options: str) -> bool:
    from tdml_assets.engines.hivemall.losses import LOSSES
    from tdml_assets.engines.hivemall.stream import read_options

    if function != "train_classifier":
        return False
    name = read_options(function, options).text("loss", "hinge").lower()
    return LOSSES[name] == LOSSES["logloss"]


def _look(source: FeatureSource, spec: ModelSpec, where: str) -> _Facts:
    """One pass: means of the features, mean and deviation of the target; refuses what cannot be learnt from."""
    rows, total = 0, np.zeros(len(source.features))
    target_total = target_squares = 0.0
    for batch in source.batches():
        matrix, target = split_batch(batch, source, where)
        missing = [name for place, name in enumerate(source.features) if np.isnan(matrix[:, place]).any()]
        if missing:
            raise ValueError(
                f"{where}: values are missing in {', '.join(missing)} and a linear model takes none: set prepare.nulls: median or "
                "zero"
            )
        if not np.isfinite(target).all():
            raise ValueError(f"{where}: a target is missing or infinite: drop the row")
        rows += len(target)
        total += matrix.sum(axis=0, dtype=np.float64)
        target_total += float(target.sum())
        target_squares += float((target**2).sum())
    if rows < _MIN_ROWS:
        raise RefusedError(f"{where}: {rows} rows; {_MIN_ROWS} are needed", "take more snapshots or more customers")
    mean = target_total / rows
    deviation = float(np.sqrt(max(target_squares / rows - mean**2, 0.0)))
    if not deviation:
        raise RefusedError(f"{where}: every target is {mean:g}, so there is nothing to learn", "take other snapshots")
    if _IS_PROBABILITY[spec.task] and not np.isclose(target_squares, target_total):
        raise ValueError(f"{where}: targets of a classification are 0 and 1")
    return _Facts(rows, total / rows, mean, deviation)


def _labelled(source: FeatureSource, label: tuple[float, float]) -> Iterator[pa.RecordBatch]:
    """Batches with the constant, and the label in the place of the target."""
    shift, unit = label
    for batch in source.batches():
        *features, target = batch.columns
        ones = pa.array(np.ones(batch.num_rows, np.float32))
        values = (target.cast(pa.float64()).to_numpy(zero_copy_only=False) - shift) / unit
        yield pa.RecordBatch.from_arrays([*features, ones, pa.array(values)], [*source.features, BIAS, _LABEL])


def _sums_and_targets(model: LinearModel, source: FeatureSource, most: int | None = None) -> tuple[Floats, Floats]:
    """Sums of weights and targets of the rows, evenly thinned to about ``most``."""
    step = 1 if most is None else max(1, -(-source.row_count // most))
    sums, targets, first = [], [], 0
    for batch in source.batches():
        matrix, target = split_batch(batch, source, "rows")
        sums.append(model.sums(matrix[first::step]))
        targets.append(target[first::step])
        first = (first - len(target)) % step
    return np.concatenate(sums), np.concatenate(targets)
