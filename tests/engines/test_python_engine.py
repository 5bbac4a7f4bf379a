"""The python engine refuses what does not fit its tier, and trains what does."""

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.protocol import (
    TIER1,
    TIER2,
    BatchSource,
    Engine,
    ModelSpec,
    Tier,
    chained,
    table_source,
    tier_named,
)
from tdml_assets.engines.python import LEARNERS, TWO_STAGE_XGBOOST, PythonEngine, estimate_memory

MACHINE = Tier("machine", cpus=2, memory_gb=4.0, disk_gb=20.0)
SPEC = ModelSpec(TWO_STAGE_XGBOOST, {"rounds": 20}, seed=1)

LEARNER = PythonEngine().learner(SPEC)


def source(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(rows).astype(np.float32)
    target = np.where(x + rng.standard_normal(rows) > 0, np.exp(x), 0.0)
    return table_source(pa.table({"x": x, "target": target}), "target")


def never_read():
    raise AssertionError("rows were read before the refusal")


def test_the_estimate_is_rows_times_features_plus_rows_plus_a_base():
    estimate = estimate_memory(LEARNER, 1_000_000, 50, TIER1)
    assert estimate.bytes_needed == 1_000_000 * 50 * 6 + 1_000_000 * 64 + 600_000_000
    assert estimate.bytes_allowed == 8_000_000_000
    assert estimate.fits
    assert "1,000,000 rows x 50 features for two_stage_xgboost 0.36 GB + 0.6 GB" in estimate.arithmetic


def test_the_tiers_hold_the_rows_the_deck_gives_them_and_not_a_hundred_million():
    assert estimate_memory(LEARNER, 1_000_000, 100, TIER1).fits
    assert estimate_memory(LEARNER, 5_000_000, 100, TIER2).fits
    assert not estimate_memory(LEARNER, 100_000_000, 100, TIER2).fits


def test_what_does_not_fit_is_refused_with_the_arithmetic_before_a_row_is_read():
    wide = tuple(f"f{i}" for i in range(100))
    train = BatchSource(wide, "target", 80_000_000, never_read)
    validation = BatchSource(wide, "target", 20_000_000, never_read)
    with pytest.raises(MemoryError, match=r"100,000,000 rows x 100 features .* = 67.00 GB, of 8.00 GB"):
        PythonEngine().fit(train, validation, SPEC, TIER1)
    with pytest.raises(MemoryError, match="does not fit tier1"):
        PythonEngine().refit([train, validation], recipe=None, spec=SPEC, tier=TIER1)


def test_fit_refit_and_load_work_through_the_protocol():
    engine: Engine = PythonEngine()
    fitted = engine.fit(source(1000, 1), source(400, 2), SPEC, MACHINE)
    final = engine.refit([source(1000, 1), source(400, 2)], fitted.recipe, SPEC, MACHINE)
    rows = pa.RecordBatch.from_arrays([pa.array([-1.0, 1.0], pa.float32())], names=["x"])
    assert engine.load(final.files(), SPEC, MACHINE).score(rows).equals(final.score(rows))
    low, high = final.score(rows).column(0).to_pylist()
    assert low < high


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_every_learner_has_the_name_it_is_found_by_and_refuses_a_task_it_does_not_serve(name: str) -> None:
    spec = ModelSpec(name, task="clustering" if name != "minibatch_kmeans" else "regression")
    with pytest.raises(ValueError, match=rf"estimator {name} serves .*, the task is {spec.task}"):
        PythonEngine().learner(spec)
    found = {
        PythonEngine().learner(ModelSpec(name, task=task)).name
        for task in ("regression", "classification", "clustering")
        if _serves(name, task)
    }
    assert found == {name}


def _serves(name: str, task: str) -> bool:
    try:
        PythonEngine().learner(ModelSpec(name, task=task))
    except ValueError:
        return False
    return True


def test_an_unknown_estimator_or_tier_is_refused_by_name():
    with pytest.raises(ValueError, match="no estimator 'random_forest'"):
        PythonEngine().fit(source(500, 1), source(500, 2), ModelSpec("random_forest"), MACHINE)
    with pytest.raises(ValueError, match="'tier3' is not a tier"):
        tier_named("tier3", cpus=1, memory_gb=1, disk_gb=1)
    with pytest.raises(ValueError, match="all must be positive"):
        tier_named("machine", cpus=0, memory_gb=1, disk_gb=1)


def test_tiers_are_those_of_the_deck_and_machine_is_what_is_there():
    assert tier_named("tier1", cpus=64, memory_gb=500, disk_gb=9) == Tier("tier1", 1, 10.0, 10.0)
    assert tier_named("tier2", cpus=64, memory_gb=500, disk_gb=9) == Tier("tier2", 4, 30.0, 10.0)
    assert tier_named("machine", cpus=64, memory_gb=500, disk_gb=9) == Tier("machine", 64, 500, 9)


def test_chained_sources_are_read_in_order_and_must_have_the_same_columns():
    one, two = source(10, 1), source(5, 2)
    both = chained([one, two])
    assert both.row_count == 15
    assert pa.Table.from_batches(both.batches()).num_rows == 15
    assert pa.Table.from_batches(both.batches()).slice(10).equals(pa.Table.from_batches(two.batches()))
    other = table_source(pa.table({"z": pa.array([1.0], pa.float32()), "target": [1.0]}), "target")
    with pytest.raises(ValueError, match=r"missing \['x'\], unexpected \['z'\]"):
        chained([one, other])
    with pytest.raises(ValueError, match="no source to learn from"):
        chained([])
