"""``engine: auto`` by arithmetic."""

from __future__ import annotations

import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.hivemall_engine import HivemallEngine
from tdml_assets.engines.protocol import TIER1, BatchSource, ModelSpec, Tier
from tdml_assets.engines.registry import choose_engine
from tdml_assets.stages.preparation.engine_choice import as_linear

SPECS = {
    "python": ModelSpec("xgboost_classifier", task="classification"),
    "hivemall": ModelSpec("train_classifier", task="classification"),
}


def test_python_trains_what_fits_and_hivemall_what_does_not_with_the_sums_of_both() -> None:
    small = choose_engine("auto", SPECS, 500_000, 60, TIER1)
    assert small.engine == "python"
    assert small.why.startswith("fits tier1: 500,000 rows x 60 features for xgboost_classifier")
    large = choose_engine("auto", SPECS, 30_000_000, 60, TIER1)
    assert large.engine == "hivemall"
    assert "python does not fit tier1 (30,000,000 rows x 60 features" in large.why
    assert "hivemall does (30,000,000 rows x 60 features in batches of 65,536" in large.why


def test_what_is_declared_is_taken_and_what_fits_nowhere_is_refused_with_both_sums() -> None:
    declared = choose_engine("hivemall", {"hivemall": SPECS["hivemall"]}, 100, 60, TIER1)
    assert declared.engine == "hivemall"
    assert declared.why.startswith("declared: 100 rows x 60 features")
    with pytest.raises(
        MemoryError, match=r"fits no engine in tier1: python: .*GB.*; hivemall: .*disk.*smaller split.max_rows"
    ):
        choose_engine("auto", SPECS, 100_000_000, 60, TIER1)


def test_rows_that_need_more_disk_than_the_tier_has_are_refused_before_they_are_read() -> None:
    def never() -> None:
        raise AssertionError("read")

    tier = Tier("machine", cpus=1, memory_gb=64, disk_gb=1)
    source = BatchSource(("a",), "target", 50_000_000, never)  # type: ignore[arg-type]
    with pytest.raises(MemoryError, match=r"does not fit machine: .* 4.40 GB disk, of 1.00 GB"):
        HivemallEngine().fit(source, source, SPECS["hivemall"], tier)


def test_a_workflow_that_becomes_linear_keeps_what_it_declares() -> None:
    spec = WorkflowSpec.model_validate(
        {
            "name": "churn",
            "task": "classification",
            "prepare": {"nulls": "keep", "outliers": {"rule": "iqr"}},
            "model": {"parameters": {"max_depth": 3}, "reasons": 1},
        }
    )
    linear = as_linear(spec)
    assert (linear.engine_name, linear.estimator, linear.model.parameters) == ("hivemall", "train_classifier", {})
    assert (linear.prepare.nulls, linear.prepare.scaling, linear.prepare.outliers.rule) == ("median", "zscore", "iqr")
    assert linear.reasons == 1
