"""``split.max_rows: all``: nobody is left out, rows lie on the disk, and nothing is left there whatever ends a training."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import xgboost as xgb

from tdml_assets.declaration.workflow import Split
from tdml_assets.engines import paging, python
from tdml_assets.engines.protocol import ModelSpec, Tier
from tdml_assets.engines.python import PythonEngine
from tdml_assets.models import champions
from tdml_assets.platform.spool import Tables, spooled
from tdml_assets.stages.training import tier_process
from tdml_assets.stages.training.tier_process import Training, TrainingEndedError, train_within_tier
from tests.stages.evaluation.test_champion_asset import FIRST, KEEN, SECOND, metadata, shop
from tests.stages.training.test_rehearsal import splits
from tests.stages.training.test_tier_process import assert_same_files

ALL = {
    "split": {"max_rows": "all"},
    "target": {"horizon_days": 10},
    "model": {
        "estimator": "two_stage_xgboost",
        "parameters": {"rounds": 60, "learning_rate": 0.2, "min_child_weight": 1},
    },
    **KEEN,
}
MODEL = ModelSpec("two_stage_xgboost", {"rounds": 10, "min_rows": 10, "min_buyers": 5}, 3, horizon_days=91)
MEMORY_GB = 4.0


class Tight(PythonEngine):
    """Plans for so much besides the rows that memory holds a page of them and not all."""

    def estimate(self, spec, rows, features, tier):
        self._plan(spec, rows, features, tier)
        return super().estimate(spec, rows, features, tier)

    def fit(self, train, validation, spec, tier):
        self._plan(spec, train.row_count + validation.row_count, len(train.features), tier)
        return super().fit(train, validation, spec, tier)

    def refit(self, sources, recipe, spec, tier):
        self._plan(spec, sum(source.row_count for source in sources), len(sources[0].features), tier)
        return super().refit(sources, recipe, spec, tier)

    def _plan(self, spec, rows, features, tier):
        learner = self.learner(spec)
        needed = sum(learner.bytes_needed(rows, columns) for columns in (0, features)) // 2
        python._BASE_BYTES = int(tier.memory_gb * 1e9 * python._PLANNED_SHARE) - needed
        paging._LEAST_PAGE_BYTES = needed // 40


class Killed(Tight):
    """Is killed when its pages are written; says which."""

    def fit(self, train, validation, spec, tier):
        def ended(*_, **__):
            names = [path.name for path in Path(spec.spill_folder).iterdir()]
            (Path(spec.spill_folder).parents[1] / "pages.txt").write_text("\n".join(names))
            os.kill(os.getpid(), signal.SIGKILL)

        xgb.train = ended
        return super().fit(train, validation, spec, tier)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    for module, name in ((python, "_BASE_BYTES"), (paging, "_LEAST_PAGE_BYTES")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(champions, "machine", lambda: (1, MEMORY_GB))


def test_the_setting_is_a_number_or_all():
    assert (Split(max_rows="all").takes_all, Split(max_rows="all").most_rows) == (True, float("inf"))
    assert (Split().takes_all, Split().most_rows, Split().most_read) == (False, 1_000_000, 1_000_000)
    assert (Split(max_rows=500).most_read, Split(max_rows="all").most_read) == (500, 1_000_000)
    for wrong in ("some", 99):
        with pytest.raises(ValueError, match="max_rows"):
            Split(max_rows=wrong)


def one_pass(one):
    return one.rows("select count(*) as n from spend.prepared")[0]["n"]


def test_a_training_on_every_row_says_so_and_is_the_one_of_a_table_in_memory(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("memory", "spooled", "paged")]
    for folder in folders:
        folder.mkdir()
    memory, whole, paged = (shop(folder) for folder in folders)
    plain = memory.train(FIRST, **{**ALL, "split": {"max_rows": 100_000}})
    in_memory = whole.train(FIRST, **ALL)
    on_disk = paged.train(FIRST, **ALL, engine=f"{__name__}.Tight")
    assert [result.success for result in (plain, in_memory, on_disk)] == [True] * 3
    said = [metadata(result, "candidate_model") for result in (plain, in_memory, on_disk)]
    assert "rows" not in said[0]
    assert "on the disk" not in said[1]["rows"].value
    assert said[1]["rows"].value.startswith(f"{one_pass(whole):,} rows x 5 features for two_stage_xgboost")
    assert "too much, so on the disk in pages of " in said[2]["rows"].value
    assert memory.predictions() == whole.predictions() == paged.predictions()
    for one in (whole, paged):
        assert not list((one.folder / "spill").iterdir())


def test_a_disk_that_is_too_small_ends_the_workflow_with_the_numbers(tmp_path: Path, monkeypatch) -> None:
    one = shop(tmp_path)
    monkeypatch.setattr(champions, "disk_of", lambda tier, _: replace(tier, disk_gb=0.0001))
    monkeypatch.setattr("tdml_assets.stages.preparation.engine_choice.disk_of", champions.disk_of)
    ended = one.train(FIRST, **ALL, engine="python").failure_data_for_node("spend__candidate_model")
    assert ended is not None
    said = str(ended.error)
    assert "the training table does not fit machine: 2,700 rows x 5 features for two_stage_xgboost" in said
    assert "GB disk, of 0.00 GB of machine; use a larger tier, a number as split.max_rows" in said
    assert not (one.folder / "spill").exists() or not list((one.folder / "spill").iterdir())


def test_a_training_that_is_killed_leaves_the_champion_and_no_page(tmp_path: Path) -> None:
    one = shop(tmp_path)
    one.own_process_above_mb = 0
    assert one.train(FIRST, **ALL).success
    champion, predicted = one.champion(), one.predictions()
    one.train(SECOND, **ALL, engine=f"{__name__}.Killed")
    assert (one.folder / "pages.txt").read_text().endswith(".gradient_index.page")
    assert not list((one.folder / "spill").iterdir())
    assert (one.champion(), one.predictions()) == (champion, predicted)


def kept_in_files(folder):
    found = Tables()
    for name, table in splits().items():
        kept = spooled(table.to_batches(max_chunksize=200), folder)
        if kept is None:
            found[name] = table
        else:
            found.keep(name, kept)
    return found


def test_a_child_maps_the_files_of_the_rows_and_writes_no_copy(tmp_path, monkeypatch):
    written, plain = [], tier_process._written
    monkeypatch.setattr(tier_process, "_written", lambda table, file: written.append(table) or plain(table, file))
    parts, folder = kept_in_files(tmp_path), tmp_path / "pages"
    training = Training(Tight(), replace(MODEL, spill_folder=str(folder)), Tier("machine", 1, MEMORY_GB, 1.0))
    there = train_within_tier(training, parts, None, tmp_path, 0)
    assert [table.num_rows for table in written] == [0]
    here = train_within_tier(Training(PythonEngine(), MODEL, training.tier), splits(), None, tmp_path, 10**9)
    assert_same_files(there.final.files(), here.final.files())
    assert there.holdout.num_rows == here.holdout.num_rows
    assert not list(folder.iterdir())


def test_a_child_that_is_killed_is_named_and_its_pages_are_removed(tmp_path):
    (tmp_path / "x").mkdir()
    training = Training(Killed(), replace(MODEL, spill_folder=str(tmp_path / "x")), Tier("machine", 1, MEMORY_GB, 1.0))
    with pytest.raises(TrainingEndedError, match="was ended by SIGKILL"):
        train_within_tier(training, kept_in_files(tmp_path), None, tmp_path, 0)
    assert (tmp_path / "pages.txt").read_text().startswith("rows-")
    assert not list((tmp_path / "x").iterdir())
