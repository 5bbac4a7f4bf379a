"""The two-stage model as a learner that a workflow can name.

Belongs here: parameters from YAML, memory. Does not: the model (``two_stage.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe
from tdml_assets.engines.two_stage import (
    TwoStageModel,
    TwoStageParameters,
    fit_two_stage,
    load_two_stage,
    refit_two_stage,
)
from tdml_assets.engines.xgboost_rows import bytes_of_matrix


class TwoStageLearner:
    """Whether a customer buys, times how much; implements :class:`~tdml_assets.engines.protocol.Learner`."""

    name = "two_stage_xgboost"
    tasks = frozenset({"regression"})
    wants_unlabelled = False
    divides_threads = False

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> TwoStageModel:
        """Train both stages, each stopped where ``validation`` is predicted best."""
        parameters = TwoStageParameters.from_mapping(spec.parameters)
        return fit_two_stage(train, validation, parameters, seed=spec.seed, threads=threads)

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> TwoStageModel:
        """Train both stages on all rows with the rounds an earlier fit found."""
        parameters = TwoStageParameters.from_mapping(spec.parameters)
        return refit_two_stage(source, recipe, parameters, seed=spec.seed, threads=threads)

    def load(self, files: Mapping[str, bytes], *, threads: int) -> TwoStageModel:
        """Bring back a model from the verified bytes of its files."""
        return load_two_stage(files, threads=threads)

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes."""
        return bytes_of_matrix(rows, features)
