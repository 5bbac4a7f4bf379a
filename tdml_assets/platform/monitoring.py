"""Contracts of the ``monitoring`` tables: appended, keyed by session and workflow, one slice a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.drift_statistics import STATISTICS, statistics_of
from tdml_assets.platform.outcome import OUTCOMES

_KEY = (
    Column("session_id", "VARCHAR", "Execution of the workflow: the root run's id, so a retry keeps it.", False),
    Column("workflow", "VARCHAR", "Name of the workflow.", False),
)


def _table(name: str, description: str, *columns: Column) -> TableContract:
    return TableContract("monitoring", name, description, (*_KEY, *columns), tuple(column.name for column in _KEY))


SESSIONS = _table(
    "sessions",
    "One row per session and workflow.",
    Column("as_of", "DATE", "Last day of data that the session reads."),
    Column("run_id", "VARCHAR", "The latest attempt."),
    Column("engine", "VARCHAR", "What trained or scored."),
    Column("model_version", "VARCHAR", "Model trained or, if none was, used."),
    Column(
        "status",
        "VARCHAR",
        "Furthest stage reached: started, prepared, trained, evaluated, promoted, held, scored, published, or abandoned; "
        "checked for the raw data, whose workflow is 'all'.",
    ),
    Column("note", "VARCHAR", "What a reader of the figures should know, such as a split by customers."),
    Column(
        "updated_at",
        "TIMESTAMP",
        "When the row was last written, UTC; after every earlier row, even where the clock was set back.",
    ),
)
MODEL_METRICS = _table(
    "model_metrics",
    "One row per metric and split.",
    Column("evaluation_table", "VARCHAR", "train, test, or realised: stored predictions against what happened."),
    Column("metric", "VARCHAR", "Name of the metric."),
    Column("value", "DOUBLE", "Its value; NULL where it is not defined."),
)
CALIBRATION = _table(
    "calibration",
    "One row per split and score decile.",
    Column("evaluation_table", "VARCHAR", "train or test."),
    Column("decile", "INTEGER", "1 is the lowest score."),
    Column("count", "BIGINT", "Customers."),
    Column("mean_predicted", "DOUBLE", "Mean prediction: money for an amount, a share for a probability."),
    Column("mean_actual", "DOUBLE", "Mean of what happened, in the same unit."),
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
    "One row per watched column: the scoring snapshot against the champion's reference and the last stable session.",
    Column("kind", "VARCHAR", "feature, prediction or target."),
    Column("column_name", "VARCHAR", "Column."),
    Column("n", "BIGINT", "Rows of the scoring snapshot."),
    Column("avg_val", "DOUBLE", "Mean now."),
    Column("avg_ref", "DOUBLE", "Mean in the reference."),
    Column("stdev_val", "DOUBLE", "Population standard deviation now."),
    Column("stdev_ref", "DOUBLE", "Population standard deviation in the reference."),
    *(statistic.column for statistic in STATISTICS),
    Column("psi", "DOUBLE", "Population stability index over the reference's bins."),
    Column("z", "DOUBLE", "Robust z of psi_previous among earlier sessions; NULL until there are min_history of them."),
    Column(
        "status",
        "VARCHAR",
        "first (the champion's first session: nothing to compare with), ok, watch, far, spike, changed, stuck, scale, all_null, "
        "degenerate or too_few.",
    ),
    Column("psi_previous", "DOUBLE", "PSI against the last stable session of this champion; NULL for its first."),
    Column(
        "scale_ratio", "DOUBLE", "Ratio of geometric means of the absolute values that are not 0, now to reference."
    ),
    Column(
        "p_value", "DOUBLE", "Chance of such a difference from the reference by sampling alone, before Holm's rule."
    ),
    Column("severity", "DOUBLE", "Farther of its two distances against its limit, where beyond chance; 1 is an alarm."),
)


def drift_table(statistics: Sequence[str]) -> TableContract:
    """:data:`DRIFT` with the columns of statistics of a user's own, by import path.

    Raises ``ValueError`` if there is no such statistic, or it has the name of another column.
    """
    columns = [*DRIFT.columns, *(found.column for found in statistics_of(statistics)[len(STATISTICS) :])]
    names = [column.name for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"monitor.statistics: monitoring.drift has a column {twice} already: give the statistic another name"
        )
    return replace(DRIFT, columns=tuple(columns))


DRIFT_BINS = _table(
    "drift_bins",
    "One row per watched column: how its rows fell into the bins frozen with the champion; what the next session compares with.",
    Column("as_of", "DATE", "Last day of data that the session reads."),
    Column("model_version", "VARCHAR", "Champion whose bins these are."),
    Column("kind", "VARCHAR", "feature, prediction or target."),
    Column("column_name", "VARCHAR", "Column."),
    Column("counts", "VARCHAR", "Rows per bin as a JSON list; the last one counts missing values."),
)
DATA_QUALITY = _table(
    "data_quality",
    "One row per check of the raw data; workflow is 'all'.",
    Column(
        "check_name",
        "VARCHAR",
        "volume, freshness, latest_day, age, null_share, scale, duplicates, repeated, overlap, rejected, unreadable, set_aside, "
        "zero_amounts, changed_ids, changed_unit, mixed_units, renumbered, rounded_ids, lacking_columns, empty_ids, test_orders, "
        "thin_months, new_categories, alike_customers, one_customer, lost_rows, recorded_at or declaration.",
    ),
    Column("source", "VARCHAR", "Raw table, or table.column."),
    Column("value", "DOUBLE", "What was found."),
    Column("expected", "DOUBLE", "What earlier data or the session before say."),
    Column("bound", "DOUBLE", "Where the alarm begins."),
    Column("status", "VARCHAR", "ok, note (shown in the summary), alarm, accepted by a person, or too_little."),
    Column("sentence", "VARCHAR", "The finding in words, with the remedy."),
)
TRIAGE = _table(
    "triage",
    "One row per session and workflow: what its monitoring found, and what is to be done.",
    Column("as_of", "DATE", "Last day of data that the session reads."),
    Column("model_version", "VARCHAR", "Champion that was measured."),
    Column("decision", "VARCHAR", "nothing, report, confirm (drift seen once), retrain or data_quality."),
    Column("cause", "VARCHAR", "source (raw data), data (features), features, predictions, realised, age or none."),
    Column("severity", "DOUBLE", "Farthest column against its limit; 1 is at the limit."),
    Column("sentence", "VARCHAR", "The decision in words, with figures."),
    Column("episode_id", "VARCHAR", "Episode the session belongs to; NULL for none."),
    Column("measured_at", "TIMESTAMP", "When, UTC."),
)
DRIFT_EPISODES = TableContract(
    "monitoring",
    "drift_episodes",
    "One row per episode: from the first alarm until it is stable again, or to the promotion of a model that knows the new world.",
    (
        *_KEY,
        Column("episode_id", "VARCHAR", "Workflow, day of the first alarm and kind.", False),
        Column("kind", "VARCHAR", "drift or data_quality."),
        Column("status", "VARCHAR", "open, closed (stable again), or resolved (another champion was promoted)."),
        Column("model_version", "VARCHAR", "Champion it began with."),
        Column("opened_as_of", "DATE", "Day of the first alarm."),
        Column("last_as_of", "DATE", "Latest day with an alarm."),
        Column("closed_as_of", "DATE", "Day on which it ended; NULL while open."),
        Column("alarms", "BIGINT", "Sessions with an alarm."),
        Column("stable_sessions", "BIGINT", "Stable sessions in a row at its end.", former_name="calm"),
        Column("retrain", "BOOLEAN", "Whether a retraining is called for."),
        Column("cause", "VARCHAR", "As in monitoring.triage, of the farthest session."),
        Column("severity", "DOUBLE", "Of the farthest session."),
        Column("sentence", "VARCHAR", "Of the farthest session."),
        Column(
            "alerted_channels", "VARCHAR", "Alert channels that delivered it, separated by commas.", former_name="told"
        ),
        Column("alerted_at", "TIMESTAMP", "When the last of them took it, UTC; NULL before."),
    ),
    ("workflow",),
)
GATE = _table(
    "gate",
    "One row per metric and slice on which a candidate was compared with the champion.",
    Column("candidate", "VARCHAR", "Model version."),
    Column("champion", "VARCHAR", "Model version it was compared with; NULL for none."),
    Column("metric", "VARCHAR", "Loss compared; less is better."),
    Column("slice", "VARCHAR", "all, or a guard slice."),
    Column("customers", "BIGINT", "Customers compared."),
    Column("candidate_value", "DOUBLE", "Loss of the candidate."),
    Column("champion_value", "DOUBLE", "Loss of the champion on the same customers."),
    Column("difference", "DOUBLE", "Candidate minus champion."),
    Column("low", "DOUBLE", "Lower bound of the difference, paired bootstrap over customers."),
    Column("high", "DOUBLE", "Upper bound."),
    Column("passed", "BOOLEAN", "Whether this comparison lets the candidate through."),
    Column("decision", "VARCHAR", "promote or hold."),
    Column("reason", "VARCHAR", "Why, in words, with figures."),
)

MODEL_VERSIONS = _table(
    "model_versions",
    "One row per model version trained: what it must still be when it is promoted or scores.",
    Column("model_version", "VARCHAR", "Its name in the model store.", False),
    Column(
        "content_sha256",
        "VARCHAR",
        "Hash of its manifest, and through that of every file, without session, time and metrics.",
    ),
)

LIFT = _table(
    "lift",
    "What activation does: customers who were sent against a control group, per session that published, workflow and band. All "
    "intervals of a session and workflow hold together with 95 %.",
    Column("as_of", "DATE", "Day that was published."),
    Column("band", "VARCHAR", "Grade or decile of the prediction; all for the whole."),
    Column("outcome", "VARCHAR", "What is compared: what the workflow predicts."),
    Column("horizon_days", "INTEGER", "Days from as_of that count."),
    Column("treated", "BIGINT", "Customers who were not kept out."),
    Column("control", "BIGINT", "Customers who were kept out."),
    Column("treated_mean", "DOUBLE", "Outcome per customer, both groups brought to the same mean prediction."),
    Column("control_mean", "DOUBLE", "The same of the control group."),
    Column("difference", "DOUBLE", "Treated less control."),
    Column("low", "DOUBLE", "Lower bound; NULL where too few customers tell nothing."),
    Column("high", "DOUBLE", "Upper bound."),
    Column("is_shown", "BOOLEAN", "Whether chance alone does not explain the difference."),
    Column(
        "needed", "BIGINT", "Customers with whom the relative difference of audience.control.detect would be shown."
    ),
    Column("sentence", "VARCHAR", "The comparison in words."),
)
LEVEL = _table(
    "level",
    "The total of the session's predictions: what earlier snapshots say of it. One row where anything is known.",
    Column("snapshot_date", "DATE", "Day that was scored."),
    Column("kind", "VARCHAR", "amount: predictions are multiplied; probability: their log-odds are shifted."),
    Column("corrected", "BOOLEAN", "Whether the published predictions were moved."),
    Column("gap", "DOUBLE", "What is added to the logarithm of predictions, or to their log-odds."),
    Column("deviation", "DOUBLE", "Standard deviation of the gap that is left."),
    Column("basis", "VARCHAR", "season: the same season of an earlier year was seen; trend: other days; none."),
    Column(
        "basis_date",
        "DATE",
        "Day before the same season of the latest year it was seen in, or the latest snapshot; NULL without any.",
    ),
    Column(
        "basis_gap",
        "DOUBLE",
        "The gap there: log of what came over what a lifetime model expects; without one, of the model itself.",
    ),
    Column(
        "ageing",
        "DOUBLE",
        "Part of the gap between the lifetime model and the model; the rest is what past windows say. 0 without one.",
    ),
    Column("customers", "BIGINT", "Customers scored."),
    Column("uncorrected_total", "DOUBLE", "Sum of the predictions as the model gives them."),
    Column("total", "DOUBLE", "Sum of the published predictions."),
    Column("expected_total", "DOUBLE", "The sum with the correction, whether it was made or not."),
    Column("low_total", "DOUBLE", "The truth is above it in nine of ten cases."),
    Column("high_total", "DOUBLE", "The truth is below it in nine of ten cases."),
    Column("rehearsals", "BIGINT", "Earlier snapshots that the correction was tried on."),
)
LEVEL_REHEARSALS = _table(
    "level_rehearsals",
    "The correction of the level tried on earlier snapshots, each from those known on its day, with the model that was measured.",
    Column("snapshot_date", "DATE", "The snapshot."),
    Column("is_test", "BOOLEAN", "Whether the model had learnt nothing of its window either."),
    Column("customers", "BIGINT", "Customers compared."),
    Column("predicted_total", "DOUBLE", "Sum of the predictions as the model gives them."),
    Column("corrected_total", "DOUBLE", "The same with the correction."),
    Column("low_total", "DOUBLE", "The truth is above it in nine of ten cases."),
    Column("high_total", "DOUBLE", "The truth is below it in nine of ten cases."),
    Column("actual_total", "DOUBLE", "What happened."),
    Column("gap", "DOUBLE", "What would have been right to add."),
    Column("expected_gap", "DOUBLE", "What was added."),
    Column("deviation", "DOUBLE", "Standard deviation stated for the difference of both."),
    Column("basis", "VARCHAR", "season or trend."),
)
ESTIMATOR_CHOICES = _table(
    "estimator_choices",
    "What estimator: auto chose among, on windows that ended by as_of; one row per option.",
    Column("option", "VARCHAR", "lifetime, lifetime_start, constant_start or blend."),
    Column("estimator", "VARCHAR", "The learner behind it."),
    Column("chosen", "BOOLEAN", "Whether it trained the session's candidate."),
    Column(
        "why",
        "VARCHAR",
        "Of the chosen one: simplest within one standard error, best, kept from before, only, or unrehearsed.",
    ),
    Column("loss", "DOUBLE", "Mean loss of the rehearsal, lower is better: an amount's 1 is the mean of the options."),
    Column("difference", "DOUBLE", "Its loss minus the lowest."),
    Column("standard_error", "DOUBLE", "Of that difference, customer by customer."),
    Column("refused", "VARCHAR", "Why it could not be fitted."),
    Column("seen", "VARCHAR", "What the choice looked at."),
)

TABLES = (
    SESSIONS,
    MODEL_VERSIONS,
    MODEL_METRICS,
    CALIBRATION,
    MODEL_PARAMS,
    FEATURE_IMPORTANCES,
    PREDICTION_STATS,
    LABEL_STATS,
    TARGET_HISTOGRAM,
    DRIFT,
    DRIFT_BINS,
    DATA_QUALITY,
    TRIAGE,
    DRIFT_EPISODES,
    GATE,
    OUTCOMES,
    LIFT,
    LEVEL,
    LEVEL_REHEARSALS,
    ESTIMATOR_CHOICES,
)
