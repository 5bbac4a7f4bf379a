"""Fits whose rows memory does not hold: the same trees from the disk, refused with the sums where that holds them neither."""

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines import python, row_samples
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import TIER1, TIER2, BatchSource, ModelSpec, Tier, table_source
from tdml_assets.engines.python import PythonEngine, estimate_fit
from tdml_assets.platform.pages import page_folder

ROWS = 4_000
LEARNERS = [
    ("two_stage_xgboost", "regression", {"rounds": 12}),
    ("lifetime_xgboost", "regression", {"rounds": 12}),
    ("xgboost_classifier", "classification", {"rounds": 12, "positive_weight": "balanced"}),
    ("lifetime_xgboost_classifier", "classification", {"rounds": 12}),
]


def customers(rows, seed, task="regression", batch_rows=700):
    """Histories with two columns more, one of them with gaps, and what came next."""
    random = np.random.default_rng(seed)
    age, repeats = random.integers(30, 400, rows).astype(float), random.poisson(1.5, rows).astype(float)
    taste = random.standard_normal(rows)
    gaps = np.where(random.random(rows) < 0.2, np.nan, random.standard_normal(rows))
    bought = random.random(rows) < 1 / (1 + np.exp(-taste))
    target = bought * (1.0 if task == "classification" else random.gamma(2.0, 20.0, rows))
    history = [repeats, np.where(repeats > 0, np.floor(age / 2), 0), age, np.full(rows, 20.0) + repeats]
    columns = dict(zip((*HISTORY, "taste", "gaps"), [*history, taste, gaps], strict=True))
    floats = {name: pa.array(one.astype(np.float32), from_pandas=True) for name, one in columns.items()}
    return table_source(pa.table({**floats, "target": target}), "target", batch_rows)


def spec(estimator, task, parameters, folder=""):
    kind = "purchase" if task == "classification" else "net_spend"
    return ModelSpec(estimator, parameters, 3, task=task, target_kind=kind, spill_folder=str(folder))


@pytest.fixture
def tight(monkeypatch):
    """A tier that holds a page of some hundred rows and what is kept of each row, but not all rows."""
    monkeypatch.setattr(python, "_BASE_BYTES", 0)
    monkeypatch.setattr("tdml_assets.engines.paging._LEAST_PAGE_BYTES", 500 * 6 * 4)

    def tier(estimator, task):
        learner = PythonEngine().learner(ModelSpec(estimator, task=task))
        allowed = sum(learner.bytes_needed(ROWS + 1_000, features) for features in (0, 6)) / 2
        return Tier("machine", 2, allowed / 0.8e9, 1.0)

    return tier


@pytest.fixture
def sampled_bins(monkeypatch):
    monkeypatch.setattr(row_samples, "MANY_ROWS", 1_000)
    monkeypatch.setattr(row_samples, "_ROWS_OF_BINS", 500)


@pytest.mark.usefixtures("sampled_bins")
@pytest.mark.parametrize(("estimator", "task", "parameters"), LEARNERS)
def test_trees_learn_to_the_bit_the_same_from_pages_on_the_disk(tmp_path, tight, estimator, task, parameters):
    engine, room, tight = PythonEngine(), Tier("machine", 2, 4.0, 1.0), tight(estimator, task)
    rows, held = customers(ROWS, 1, task), customers(1_000, 2, task)
    made = []

    def watched():
        for batch in rows.batches():
            yield batch
            made.extend(path.name for path in tmp_path.iterdir())

    train = BatchSource(rows.features, rows.target, rows.row_count, watched)
    asked = spec(estimator, task, parameters, tmp_path)
    found = estimate_fit(engine.learner(asked), asked, ROWS + 1_000, len(train.features), tight)
    assert 0 < found.page_rows < ROWS / 2
    assert found.fits
    here = engine.fit(train, held, spec(estimator, task, parameters), room)
    assert not made, "rows that memory holds are not written"
    there = engine.fit(train, held, asked, tight)
    assert any(name.endswith(".gradient_index.page") for name in made)
    assert there.files() == here.files()
    assert not list(tmp_path.iterdir())
    again = [
        engine.refit([train, held], here.recipe, one, tier).files() for one, tier in ((asked, tight), (asked, room))
    ]
    assert again[0] == again[1]


def test_up_to_the_bound_of_samples_pages_give_the_same_model_too(tmp_path, tight):
    engine, train, held = PythonEngine(), customers(ROWS, 1), customers(1_000, 2)
    one = [spec(*LEARNERS[0][:2], {"rounds": 12, "max_bin": 64}, folder) for folder in ("", tmp_path)]
    fits = [
        engine.fit(train, held, asked, tier) for asked, tier in zip(one, (TIER1, tight(*LEARNERS[0][:2])), strict=True)
    ]
    (batch,) = pa.Table.from_batches(held.batches()).drop_columns("target").combine_chunks().to_batches()
    first, second = (fit.score(batch)["predicted_target"].to_numpy() for fit in fits)
    np.testing.assert_allclose(first, second, rtol=1e-6)


def test_an_error_while_pages_are_written_leaves_no_file(tmp_path, tight):
    rows, seen = customers(ROWS, 1), []

    def broken():
        for batch in rows.batches():
            seen.extend(tmp_path.glob("spill/*/*.page"))
            if seen:
                raise OSError("the disk is gone")
            yield batch

    source = BatchSource(rows.features, rows.target, rows.row_count, broken)
    with pytest.raises(OSError, match="the disk is gone"), page_folder(tmp_path / "spill") as folder:
        PythonEngine().fit(source, customers(1_000, 2), spec(*LEARNERS[0], folder), tight(*LEARNERS[0][:2]))
    assert seen
    assert not list((tmp_path / "spill").iterdir())


def never_read():
    raise AssertionError("rows were read before the refusal")


def wide(rows, features=50):
    return BatchSource(tuple(f"f{place}" for place in range(features)), "target", rows, never_read)


def test_what_memory_does_not_hold_is_planned_on_the_disk_with_both_sums():
    asked = spec("xgboost_classifier", "classification", {}, "spill")
    found = PythonEngine().estimate(asked, 100_000_000, 50, Tier("machine", 8, 16.0, 500.0))
    assert found.fits
    assert found.arithmetic == (
        "100,000,000 rows x 50 features for xgboost_classifier 36.40 GB + 0.6 GB = 37.00 GB, of 12.80 GB (80% of the 16 GB of "
        "machine): too much, so on the disk in pages of 1,280,000 rows: 6.40 GB for what is kept of every row + 1.02 GB for a page "
        "+ 0.6 GB = 8.02 GB memory, of 12.80 GB, and 26.40 GB of rows + 26.60 GB of their bins = 53.00 GB disk, of 500.00 GB of "
        "machine"
    )


def test_a_disk_that_does_not_hold_the_rows_is_refused_with_the_numbers_before_a_row_is_read():
    asked = spec("xgboost_classifier", "classification", {}, "spill")
    with pytest.raises(
        MemoryError, match=r"15.90 GB disk, of 10.00 GB of tier1; use a larger tier, a number as split.max_rows"
    ):
        PythonEngine().fit(wide(20_000_000), wide(10_000_000), asked, TIER1)
    with pytest.raises(MemoryError, match="8.94 GB memory, of 8.00 GB"):
        PythonEngine().refit([wide(130_000_000, 2)], None, asked, TIER1)


def test_rows_that_memory_holds_need_the_disk_that_they_are_read_from():
    asked = spec("xgboost_classifier", "classification", {}, "spill")
    held = PythonEngine().estimate(asked, 30_000_000, 50, TIER2)
    assert held.fits
    assert held.arithmetic.endswith("and 7.92 GB disk, of 10.00 GB of tier2")
    assert not PythonEngine().estimate(asked, 40_000_000, 50, TIER2).fits


def test_only_trees_on_the_cpu_of_a_workflow_that_leaves_nobody_out_are_learnt_from_the_disk():
    forest = ModelSpec("sklearn.ensemble.ExtraTreesRegressor", spill_folder="spill")
    on_gpu = ModelSpec("two_stage_xgboost", device="cuda", spill_folder="spill")
    for asked in (forest, on_gpu, ModelSpec("two_stage_xgboost")):
        found = estimate_fit(PythonEngine().learner(asked), asked, 30_000_000, 50, TIER1)
        assert (found.fits, found.page_rows) == (False, 0)
