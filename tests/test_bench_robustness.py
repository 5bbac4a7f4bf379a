"""The study of deformed models: a small seeded part of it."""

from pathlib import Path

from benchmarks.robustness_models import counts, study

ESTIMATORS = ("two_stage_xgboost", "sklearn.ensemble.RandomForestRegressor", "minibatch_kmeans", "item_knn")


def test_deformed_bundles_are_refused_or_scored_and_never_end_the_process(tmp_path: Path) -> None:
    found = study(tmp_path, 28, seed=7, estimators=ESTIMATORS)
    assert not [verdict for verdict in found if verdict.verdict in ("failed", "died")]
    counted = counts(found)
    assert sum(counted.values()) == 28
    assert counted["refused"] >= 10
    assert counted["right"] >= 4
