"""Regression: an amount per customer, such as what each will spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from tdml_assets.declaration.targets import words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.intervals import cross_coverage
from tdml_assets.engines.level import Kind
from tdml_assets.platform import figures
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.evaluation.measures import (
    NAIVE_RATIO,
    Evaluation,
    Metrics,
    beside_naive,
    evaluate,
    may_be_promoted,
)
from tdml_assets.stages.evaluation.naive_gain import gain_of_losses, gain_of_rankings
from tdml_assets.stages.evaluation.paired import Loss, absolute_error
from tdml_assets.stages.predictions.contracts import ABOVE, BELOW, predictions_contract
from tdml_assets.stages.realised.performance import Floats, MainError, interval_metrics
from tdml_assets.stages.training_table.table import check_sizes
from tdml_assets.tasks import Measured, RealisedPerformance, Shown, sample_of
from tdml_assets.tasks.labelled import Labelled, next_order_highlights
from tdml_assets.tasks.presentation import Measure, Presentation


def _losses(target: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    return absolute_error(target, predicted), np.abs(target)


def _gains(target: Floats, predicted: Floats, naive: Floats, seed: int) -> dict[str, float]:
    """By how much the model beats the naive forecast of the same customers, with bounds."""
    losses = [{"mae": np.abs(target - said)} for said in (predicted, naive)]
    ranked = gain_of_rankings(["spearman", "normalised_gini"], target, predicted, naive, seed)
    return {**gain_of_losses(*losses), **ranked}


class Regression(Labelled):
    """See :class:`~tdml_assets.tasks.Task`."""

    name = "regression"
    prediction = "predicted_target"
    highest = None
    level_kind: Kind | None = "amount"
    category = "prediction_category"
    error = MainError(
        "wape", "error as a share of what happened", "baseline_wape", "mean_predicted", "mean_actual", _losses
    )
    loss = Loss("absolute_error", "error {} a customer", absolute_error, ranking="normalised_gini")

    def describe(self, spec: WorkflowSpec) -> str:
        """What a prediction is, in a sentence."""
        what = words_of(spec.target_kind, spec.target)
        return f"Expected {what} of every customer known at as_of, in the {spec.target.horizon_days} days after it."

    def total_words(self, spec: WorkflowSpec) -> str | None:
        """What the sum of all predictions is."""
        return f"expected {words_of(spec.target_kind, spec.target)} in all"

    def check_rows(self, sizes: Sequence[Mapping[str, Any]], spec: WorkflowSpec) -> None:
        """Refuse splits too small, with the counts."""
        check_sizes(sizes, spec.split)

    def evaluate(self, measured: Measured, spec: WorkflowSpec) -> Evaluation:
        """Errors, ranking and calibration, next to everybody going on as before."""
        import pyarrow.compute as pc

        found, rows = evaluate(measured.holdout), measured.holdout
        test = rows.filter(pc.equal(rows["split"], "test"))
        sides = (test["target"].to_numpy(), test["predicted_target"].to_numpy())
        found.metrics["test"].update(interval_metrics(self.error, *sides, seed=spec.model.seed))
        predicted, target = test["predicted_target"].to_numpy(), test["target"].to_numpy()
        found.metrics["test"].update(cross_coverage(predicted.astype(np.float64), target.astype(np.float64)))
        ratio = found.metrics["train"][NAIVE_RATIO] or 0.0
        naive = np.maximum(test["total_spend"].to_numpy().astype(np.float64), 0) * ratio
        found.metrics["test"].update(_gains(*sides, naive, spec.model.seed))
        return found

    def measure(self, reader: Reader, spec: WorkflowSpec, day: date, train: Metrics) -> Metrics:
        """Measure predictions against what happened, next to everybody going on as before."""
        rows = self.happened(reader, spec, day)
        names = ("target", "predicted_target", "total_spend")
        target, predicted, total_spend = (rows[name].to_numpy().astype(np.float64) for name in names)
        return beside_naive(target, predicted, total_spend, train)

    def judge(self, test: Metrics, spec: WorkflowSpec) -> tuple[bool, str]:  # noqa: ARG002
        """Whether a candidate is fit to score, and why."""
        return may_be_promoted(test)

    def draw(self, measured: Measured, found: Evaluation, spec: WorkflowSpec) -> dict[str, bytes]:
        """Calibration by decile, and gain."""
        import pyarrow.compute as pc

        rows = measured.holdout.filter(pc.equal(measured.holdout["split"], "test"))
        predicted, target = rows["predicted_target"].to_numpy(), rows["target"].to_numpy()
        return {
            "calibration": figures.calibration(found.deciles["test"]),
            "gain": figures.gain(predicted, target, what=words_of(spec.target_kind, spec.target)),
        }

    def predictions_contract(self, spec: WorkflowSpec) -> TableContract:
        """Contract of ``<workflow>.predictions``."""
        return predictions_contract(spec)

    def publish(self, spec: WorkflowSpec, **context: Any) -> Statement:  # noqa: ARG002
        """Predictions against the mean of all customers scored."""
        return render("predictions/regression", above=ABOVE, below=BELOW, **context)

    def look(self, reader: Reader, spec: WorkflowSpec) -> Shown:
        """The distribution of the predictions."""
        what = f"expected {words_of(spec.target_kind, spec.target)}"
        values = sample_of(reader, spec, self.prediction)
        return Shown(plots={"distribution": figures.prediction_distribution(values, target=what)})


TASK = Regression()
REALISED_PERFORMANCE: RealisedPerformance = TASK
PRESENTATION = Presentation(
    measures=(
        Measure("mae", "error per customer", "money", "lower", "baseline_mae"),
        Measure("spearman", "ranking customers (1 = perfect)", "score", "higher", "baseline_spearman"),
        Measure("normalised_gini", "finding big spenders (1 = perfect)", "score", "higher", "baseline_normalised_gini"),
        Measure("total_bias", "total spend, too high or low", "share", "nearer 0", "baseline_total_bias"),
    ),
    naive="total spend, scaled to that of the last horizon",
    total_bias=lambda metrics: metrics.get("total_bias"),
    # The summary shows the sum of all amounts itself.
    highlights=next_order_highlights,
    columns={"predicted_target": "prediction per customer"},
    category="level of the prediction",
    levels={"Below AVG": "below the mean of all customers", "Above AVG": "above the mean of all customers"},
)
