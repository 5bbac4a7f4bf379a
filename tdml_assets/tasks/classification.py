"""Classification: whether something happens to a customer, such as buying nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.targets import words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.level import Kind
from tdml_assets.platform.classification_metrics import reliability_table
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.statistics import Reader, label_stats
from tdml_assets.stages.evaluation.measures import Evaluation, Metrics, decile_rows
from tdml_assets.stages.evaluation.naive_gain import gain_of_losses, gain_of_rankings
from tdml_assets.stages.evaluation.paired import Loss, log_loss
from tdml_assets.stages.predictions.contracts import contract_with
from tdml_assets.stages.realised.performance import Floats, MainError, interval_metrics
from tdml_assets.stages.training_table.table import check_sizes
from tdml_assets.tasks import Measured, RealisedPerformance, Shown, sample_of
from tdml_assets.tasks.labelled import Labelled, next_order_highlights
from tdml_assets.tasks.parts import figures
from tdml_assets.tasks.parts.classification import (
    ClassCounts,
    eligibility,
    evaluate_classification,
    is_suspicious,
    may_be_promoted_classification,
    naive_direction,
    with_lift,
)
from tdml_assets.tasks.presentation import Measure, Presentation

#: Scores nobody has to train for: column of the features, by the name its measures are kept under.
_NAIVE = {"recency": "days_since_last_order", "orders": "total_orders"}
#: Measure of the training split alone: which way a naive score points.
_DIRECTION = "naive_direction"
_NEEDED = ("train", "validation", "test")


def _losses(happened: Floats, probability: Floats) -> tuple[Floats, Floats]:
    return log_loss(happened, probability), np.ones(len(happened))


def _gains(test: Mapping[str, Floats], direction: float, rate: float | None, seed: int) -> dict[str, float]:
    """By how much the model beats recency in ranking and the base rate in probability, with bounds."""
    happened, said = test["target"], test["predicted_target"]
    recency = direction * test[_NAIVE["recency"]]
    ranked = gain_of_rankings(["roc_auc"], happened, said, recency, seed)
    if rate is None or not 0 < rate < 1:
        return ranked
    sides = (said, np.full(len(said), rate))
    losses = [{"log_loss": log_loss(happened, one), "brier": np.square(happened - one)} for one in sides]
    return {**ranked, **gain_of_losses(*losses)}


class Classification(Labelled):
    """See :class:`~tdml_assets.tasks.Task`."""

    name = "classification"
    prediction = "probability"
    highest = 1.0
    level_kind: Kind | None = "probability"
    category = "grade"
    error = MainError("log_loss", "log loss", "constant_log_loss", "mean_probability", "base_rate", _losses)
    loss = Loss("log_loss", "log loss {}", log_loss, ranking="roc_auc", ranking_scale=0.5)

    def describe(self, spec: WorkflowSpec) -> str:
        """What a prediction is, in a sentence."""
        what = words_of(spec.target_kind, spec.target)
        return (
            f"Probability, score and grade of every customer known at as_of: {what} in the {spec.target.horizon_days} days "
            "after it."
        )

    def total_words(self, spec: WorkflowSpec) -> str | None:
        """What the sum of all predictions is."""
        return f"customers expected: {words_of(spec.target_kind, spec.target)}"

    def check_rows(self, sizes: Sequence[Mapping[str, Any]], spec: WorkflowSpec) -> None:
        """Refuse splits with too few rows, or too few of either class, with the counts."""
        check_sizes(sizes, spec.split)
        counts = {}
        for split in _NEEDED:
            rows = [row for row in sizes if row["split"] == split]
            positives = sum(int(row["positives"]) for row in rows)
            counts[split] = ClassCounts(positives, sum(int(row["customers"]) for row in rows) - positives)
        eligibility(counts, spec.classification)

    def evaluate(self, measured: Measured, spec: WorkflowSpec) -> Evaluation:
        """Ranking, probabilities and decisions, next to recency alone, orders alone and the base rate."""
        train = _columns(measured, "train")
        direction = {name: naive_direction(train["target"], train[column]) for name, column in _NAIVE.items()}
        rate = float(train["target"].mean()) if len(train["target"]) else None
        metrics: dict[str, Metrics] = {}
        deciles = {}
        for split in ("train", "test"):
            rows = train if split == "train" else _columns(measured, split)
            naive = {name: direction[name] * rows[column] for name, column in _NAIVE.items()}
            metrics[split] = evaluate_classification(
                rows["target"], rows["predicted_target"], naive, spec.classification.threshold, train_base_rate=rate
            )
            deciles[split] = decile_rows(rows["target"], rows["predicted_target"])
        metrics["train"] |= {f"{name}_{_DIRECTION}": value for name, value in direction.items()}
        test = _columns(measured, "test")
        bounds = interval_metrics(self.error, test["target"], test["predicted_target"], seed=spec.model.seed)
        metrics["test"] |= bounds | _gains(test, direction["recency"], rate, spec.model.seed)
        return Evaluation(metrics, deciles, {"lift by decile, test": with_lift(deciles["test"])})

    def measure(self, reader: Reader, spec: WorkflowSpec, day: date, train: Metrics) -> Metrics:
        """Measure probabilities against what happened, next to the naive scores and the base rate of the training."""
        found = _values(self.happened(reader, spec, day))
        directions = {name: train.get(f"{name}_{_DIRECTION}") for name in _NAIVE}
        naive = {name: side * found[_NAIVE[name]] for name, side in directions.items() if side is not None}
        threshold, rate = spec.classification.threshold, train.get("base_rate")
        return evaluate_classification(
            found["target"], found["predicted_target"], naive, threshold, train_base_rate=rate
        )

    def judge(self, test: Metrics, spec: WorkflowSpec) -> tuple[bool, str]:
        """Whether a candidate is fit to score, and why."""
        return may_be_promoted_classification(test, auc_limit=spec.classification.auc_limit)

    def suspicious(self, test: Metrics, spec: WorkflowSpec) -> bool:
        """Whether it ranks better than can be believed."""
        return is_suspicious(test, auc_limit=spec.classification.auc_limit)

    def draw(self, measured: Measured, found: Evaluation, spec: WorkflowSpec) -> dict[str, bytes]:
        """Reliability, lift, and the probability by what happened."""
        what = words_of(spec.target_kind, spec.target)
        rows = _columns(measured, "test")
        happened, probability = rows["target"], rows["predicted_target"]
        return {
            "reliability": figures.reliability(reliability_table(happened, probability), what=what),
            "lift": figures.lift_by_decile(with_lift(found.deciles["test"]), what=what),
            "probability by outcome": figures.probability_by_outcome(
                probability, happened, what=what, threshold=spec.classification.threshold
            ),
        }

    def predictions_contract(self, spec: WorkflowSpec) -> TableContract:
        """Contract of ``<workflow>.predictions``."""
        what = words_of(spec.target_kind, spec.target)
        return contract_with(
            spec,
            "One row per customer known at as_of: how likely the event is for each.",
            Column(
                "probability", "DOUBLE", f"Probability that the customer {what} in the horizon, not rounded.", False
            ),
            Column("score", "DOUBLE", "100 x probability to one decimal: 0 to 100.", False),
            Column("grade", "VARCHAR", "Grade of the score, by the workflow's thresholds.", False),
        )

    def publish(self, spec: WorkflowSpec, **context: Any) -> Statement:
        """Probability, score and grade."""
        return render("predictions/classification", grades=spec.classification.grade_steps, **context)

    def look(self, reader: Reader, spec: WorkflowSpec) -> Shown:
        """The distribution of the probabilities."""
        what = words_of(spec.target_kind, spec.target)
        values = sample_of(reader, spec, self.prediction)
        return Shown(plots={"distribution": figures.probability_by_outcome(values, what=what)})


def _columns(measured: Measured, split: str) -> dict[str, Floats]:
    import pyarrow.compute as pc

    return _values(measured.holdout.filter(pc.equal(measured.holdout["split"], split)))


def _values(rows: pa.Table) -> dict[str, Floats]:
    names = ("target", "predicted_target", *_NAIVE.values())
    return {name: rows[name].to_numpy().astype(np.float64) for name in names}


def _highlights(reader: Reader, table: Sequence[str], session_id: str) -> list[tuple[str, str]]:
    found = reader.row(render("summary/probability", table=table, session_id=session_id))
    grades = label_stats(reader, table, {"session_id": session_id}, "grade")
    if not found["customers"]:
        return []
    shares = ", ".join(f"{row['prediction_category']} {row['count'] / found['customers']:.0%}" for row in grades)
    return [
        ("expected", f"{found['expected']:,.0f} customers ({found['expected'] / found['customers']:.0%})"),
        ("grades", shares),
        *next_order_highlights(reader, table, session_id),
    ]


def _total_bias(metrics: Mapping[str, float]) -> float | None:
    """Expected customers against those to whom it happened."""
    expected, happened = metrics.get("mean_probability"), metrics.get("base_rate")
    return expected / happened - 1 if expected is not None and happened else None


TASK = Classification()
REALISED_PERFORMANCE: RealisedPerformance = TASK
PRESENTATION = Presentation(
    measures=(
        Measure("roc_auc", "ranking customers (AUC)", "score", "higher", "baseline_recency_roc_auc"),
        Measure("log_loss", "error of the probability (log loss)", "score", "lower", "constant_log_loss"),
        Measure("brier", "squared error of it (Brier)", "score", "lower", "constant_brier"),
        Measure("lift_top_decile", "lift of the top tenth", "score", "higher", None),
    ),
    naive="ranked by the days since the last order; everybody gets the same probability",
    highlights=_highlights,
    columns={"probability": "probability per customer"},
    category="grade",
    total_bias=_total_bias,
)
