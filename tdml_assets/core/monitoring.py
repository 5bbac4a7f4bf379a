"""Contracts of the ``monitoring`` tables: appended, keyed by session and workflow, one slice a session.

Belongs here: the shape of what is kept about every session. Does not: how a figure is computed.
"""

from __future__ import annotations

from tdml_assets.core.contracts import Column, TableContract

_KEY = (
    Column("session_id", "VARCHAR", "Execution of the workflow: the root run's id, so a retry keeps it.", False),
    Column("workflow", "VARCHAR", "Name of the workflow.", False),
)


def _table(
    name: str, description: str, *columns: Column, slice_key: tuple[str, ...] = ("session_id", "workflow")
) -> TableContract:
    return TableContract("monitoring", name, description, (*_KEY, *columns), slice_key)


SESSIONS = _table(
    "sessions",
    "One row per session and workflow.",
    Column("as_of", "DATE", "Day at whose end the session stands."),
    Column("run_id", "VARCHAR", "The latest attempt."),
    Column("engine", "VARCHAR", "What trained or scored."),
    Column("model_version", "VARCHAR", "Model trained or, if none was, used."),
    Column(
        "status",
        "VARCHAR",
        "Furthest stage reached: started, prepared, trained, evaluated, promoted, held, scored, published, or abandoned.",
    ),
    Column("note", "VARCHAR", "What a reader of the figures should know, such as a split by customers."),
    Column("updated_at", "TIMESTAMP", "When the row was last written, UTC."),
)
MODEL_METRICS = _table(
    "model_metrics",
    "One row per metric and split.",
    Column("evaluation_table", "VARCHAR", "train or test."),
    Column("metric", "VARCHAR", "Name of the metric."),
    Column("value", "DOUBLE", "Its value; NULL where it is not defined."),
)
CALIBRATION = _table(
    "calibration",
    "One row per split and score decile.",
    Column("evaluation_table", "VARCHAR", "train or test."),
    Column("decile", "INTEGER", "1 is the lowest score."),
    Column("count", "BIGINT", "Customers."),
    Column("mean_predicted", "DOUBLE", "Mean prediction, in currency."),
    Column("mean_actual", "DOUBLE", "Mean of what happened, in currency."),
    Column("share_actual", "DOUBLE", "Share of all that happened."),
)
MODEL_PARAMS = _table(
    "model_params",
    "One row per parameter of the training.",
    Column("parameter", "VARCHAR", "Name."),
    Column("value", "VARCHAR", "Value, as text."),
)
FEATURE_IMPORTANCES = _table(
    "feature_importances",
    "One row per feature and stage of the model.",
    Column("stage", "VARCHAR", "Part of the model: buys, amount, or expected for both together."),
    Column("feature", "VARCHAR", "Prepared feature."),
    Column("weight", "DOUBLE", "Share of the total gain."),
    Column("shap", "DOUBLE", "Mean absolute SHAP value."),
)
PREDICTION_STATS = _table(
    "prediction_stats",
    "One row per dataset: what happened and what was predicted, on the test split.",
    Column("dataset", "VARCHAR", "Original or Predicted."),
    Column("count", "BIGINT", "Rows."),
    *(
        Column(name, "DOUBLE", text)
        for name, text in (
            ("mean", "Mean."),
            ("stdev", "Standard deviation of the population."),
            ("min_val", "Minimum."),
            ("q1_25", "First quartile."),
            ("q2_50", "Median."),
            ("q3_75", "Third quartile."),
            ("max_val", "Maximum."),
            ("iqr", "Distance of the quartiles."),
            ("skew", "Skewness."),
            ("kurt", "Excess kurtosis."),
        )
    ),
)
LABEL_STATS = _table(
    "label_stats",
    "One row per category of the predictions.",
    Column("prediction_category", "VARCHAR", "Category."),
    Column("count", "BIGINT", "Customers."),
)
TARGET_HISTOGRAM = _table(
    "target_histogram",
    "One row per bin of the target, all labelled snapshots.",
    Column("label_str", "VARCHAR", "The bin, as people read it."),
    Column("label_num", "DOUBLE", "Lower bound of the bin."),
    Column("bin_cnt", "BIGINT", "Rows."),
)
DRIFT = _table(
    "drift",
    "One row per watched column: the scoring snapshot against the champion's reference.",
    Column("kind", "VARCHAR", "feature, prediction or target."),
    Column("column_name", "VARCHAR", "Column."),
    Column("n", "BIGINT", "Rows of the scoring snapshot."),
    Column("avg_val", "DOUBLE", "Mean now."),
    Column("avg_ref", "DOUBLE", "Mean in the reference."),
    Column("stdev_val", "DOUBLE", "Population standard deviation now."),
    Column("stdev_ref", "DOUBLE", "Population standard deviation in the reference."),
    Column("kld", "DOUBLE", "Gaussian Kullback-Leibler divergence of now from the reference; NULL where degenerate."),
    Column("kld_hivemall", "DOUBLE", "Hivemall's kld on means and standard deviations, for comparison only."),
    Column("psi", "DOUBLE", "Population stability index over the reference's bins."),
    Column("z", "DOUBLE", "Distance from the history of sessions; NULL until there is enough of it."),
    Column("status", "VARCHAR", "What the policy makes of it."),
)

TABLES = (
    SESSIONS,
    MODEL_METRICS,
    CALIBRATION,
    MODEL_PARAMS,
    FEATURE_IMPORTANCES,
    PREDICTION_STATS,
    LABEL_STATS,
    TARGET_HISTOGRAM,
    DRIFT,
)
