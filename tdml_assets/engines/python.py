"""The ``python`` engine: learners in this process, within a tier.

Belongs here: the choice of learner, and the arithmetic that refuses before training what will not fit.
Does not: the learners themselves, reading tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe, Tier, chained
from tdml_assets.engines.two_stage import (
    TwoStageModel,
    TwoStageParameters,
    fit_two_stage,
    load_two_stage,
    refit_two_stage,
)

TWO_STAGE_XGBOOST = "two_stage_xgboost"

# Measured with xgboost 3.2 on QuantileDMatrix: 2 bytes per cell without missing values (bin index by row and by
# column), 5.5 with them (four-byte index and row pointers). Missing values are the rule: the latter, rounded up.
_BYTES_PER_CELL = 6
# Label, prediction, gradient pair, node of the row, row index; for train and validation alike.
_BYTES_PER_ROW = 64
# Python, libraries, quantile sketches, histograms.
_BASE_BYTES = 600_000_000
# Below this the threads of a round wait for one another longer than they work: on a busy machine a fit of 1,000 rows took
# ten times as long with two threads as with one.
_CELLS_WORTH_THREADS = 2_000_000
# Share of the tier's memory the fit may plan for; the warehouse that feeds it needs the rest.
_PLANNED_SHARE = 0.8


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory a fit will need, with its arithmetic.

    Parameters
    ----------
    bytes_needed, bytes_allowed : estimate, and what the tier allows a fit to plan for.
    arithmetic : the sum in words, for messages and metadata.
    """

    bytes_needed: int
    bytes_allowed: int
    arithmetic: str

    @property
    def fits(self) -> bool:
        """Whether the fit may start."""
        return self.bytes_needed <= self.bytes_allowed


def estimate_memory(rows: int, features: int, tier: Tier) -> MemoryEstimate:
    """Estimate the memory to fit ``rows`` x ``features`` in this process, training and validation rows together."""
    needed = rows * features * _BYTES_PER_CELL + rows * _BYTES_PER_ROW + _BASE_BYTES
    allowed = int(tier.memory_gb * 1e9 * _PLANNED_SHARE)
    arithmetic = (
        f"{rows:,} rows x {features} features x {_BYTES_PER_CELL} bytes + {rows:,} rows x {_BYTES_PER_ROW} bytes "
        f"+ {_BASE_BYTES / 1e9:.1f} GB = {needed / 1e9:.2f} GB, of {allowed / 1e9:.2f} GB "
        f"({_PLANNED_SHARE:.0%} of the {tier.memory_gb:g} GB of {tier.name})"
    )
    return MemoryEstimate(needed, allowed, arithmetic)


class PythonEngine:
    """XGBoost in this process, fed with Arrow batches; implements :class:`~tdml_assets.engines.protocol.Engine`."""

    name = "python"

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, tier: Tier) -> TwoStageModel:
        """Train on ``train`` and stop where ``validation`` is predicted best.

        Raises
        ------
        ValueError
            If the estimator is unknown or the rows cannot be learnt from.
        MemoryError
            If the rows do not fit the tier: raised before anything is read.
        """
        parameters = _parameters(spec)
        rows = train.row_count + validation.row_count
        _require_fits(rows, len(train.features), tier)
        threads = _threads(rows, len(train.features), tier)
        return fit_two_stage(train, validation, parameters, seed=spec.seed, threads=threads)

    def refit(self, sources: Sequence[FeatureSource], recipe: Recipe, spec: ModelSpec, tier: Tier) -> TwoStageModel:
        """Train on all ``sources`` with the rounds an earlier fit found. Raises as :meth:`fit`."""
        parameters = _parameters(spec)
        everything = chained(sources)
        _require_fits(everything.row_count, len(everything.features), tier)
        threads = _threads(everything.row_count, len(everything.features), tier)
        return refit_two_stage(everything, recipe, parameters, seed=spec.seed, threads=threads)

    def load(self, files: Mapping[str, bytes], tier: Tier) -> TwoStageModel:
        """Bring back a model from the verified bytes of its files."""
        return load_two_stage(files, threads=tier.cpus)


def _threads(rows: int, features: int, tier: Tier) -> int:
    return tier.cpus if rows * features >= _CELLS_WORTH_THREADS else 1


def _parameters(spec: ModelSpec) -> TwoStageParameters:
    if spec.estimator != TWO_STAGE_XGBOOST:
        raise ValueError(f"the python engine has no estimator {spec.estimator!r}: use {TWO_STAGE_XGBOOST!r}")
    return TwoStageParameters.from_mapping(spec.parameters)


def _require_fits(rows: int, features: int, tier: Tier) -> None:
    estimate = estimate_memory(rows, features, tier)
    if not estimate.fits:
        raise MemoryError(
            f"the training table does not fit {tier.name}: {estimate.arithmetic}; "
            "use a larger tier, fewer snapshots or features, or the hivemall engine"
        )
