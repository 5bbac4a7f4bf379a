"""A second session on the same takes over what the first computed, and computes again whatever is not the same."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tdml_assets.models.store import ModelStore
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.recorded_events import UNCHANGED
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages import reuse
from tdml_assets.stages.preparation.parameters import PREPARATION_FILE
from tests.stages.evaluation.test_champion_asset import FIRST, Shop, shop

STAGES = ("training_table", "preparation_parameters", "prepared", "candidate_model", "evaluation", "predictions")
#: Read by every stage, and written by it for the session alone.
LEDGERS = {"sessions", "workflow_outcomes", "stage_results"}
NUMBERS = TableContract("features", "numbers", "", (Column("number", "INTEGER", ""),))
#: Known by what ``owes`` reads, by the session's own rows, or by a view that is part of the identity.
ALWAYS = {
    "raw.loads",
    "monitoring.sessions",
    "monitoring.workflow_outcomes",
    "monitoring.model_versions",
    "spend.stage_results",
}
#: What a stage makes and looks at within one session, and what is read as what it owes.
OWN = {
    "candidate_model": {"spend.go_live_predictions"},
    "evaluation": {"monitoring.gate", "monitoring.model_params"},
    "predictions": {"spend.scores", "spend.next_orders", "spend.prediction_history"},
}
#: A table in a statement, as the template layer quotes it.
NAMED = re.compile(r'"(\w+)"\."(\w+)"')


def taken_over(result: dg.ExecuteInProcessResult) -> set[str]:
    """Stages that were taken over."""
    assert result.success
    return {stage for stage in STAGES if UNCHANGED in metadata(result, stage)}


def metadata(result: dg.ExecuteInProcessResult, stage: str) -> dict[str, Any]:
    """What Dagster was told of a stage; empty where it did not run."""
    found = result.asset_materializations_for_node(f"spend__{stage}")
    return dict(found[0].metadata) if found else {}


def only(*stages: str) -> list[str]:
    return [f"spend/{stage}" for stage in stages]


def change(one: Shop, text: str) -> None:
    with one.warehouse.write() as database:
        database.execute(Statement(text))


def opened(folder: Path) -> Shop:
    warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
    return Shop(
        folder,
        warehouse,
        ModelStore(url=str(folder / "models")),
        dg.DagsterInstance.local_temp(str(folder / "dagster")),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A state after its first session, and what Dagster was told of each stage."""
    folder = tmp_path_factory.mktemp("shop")
    shop(folder)
    (folder / "dagster").mkdir()
    first = opened(folder).train(FIRST)
    assert taken_over(first) == set()
    return folder, {stage: metadata(first, stage) for stage in STAGES}


@pytest.fixture
def again(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> Shop:
    shutil.copytree(trained[0], tmp_path / "copy")
    return opened(tmp_path / "copy")


def tables(one: Shop) -> dict[str, list[str]]:
    """Rows of every table, without what names the session."""
    found = {}
    for row in one.rows(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
    ):
        rows = one.rows(f'select * from "{row["table_schema"]}"."{row["table_name"]}"')
        plain = [{name: value for name, value in one.items() if name not in reuse.OF_SESSION} for one in rows]
        if row["table_name"] not in LEDGERS:
            found[".".join(row.values())] = sorted(map(str, plain))
    return found


def test_a_second_session_on_the_same_takes_over_and_leaves_equal_tables(
    again: Shop, trained: tuple[Path, dict[str, Any]]
) -> None:
    before, told = tables(again), trained[1]
    (first,) = again.rows("select distinct session_id from monitoring.sessions")
    result = again.train(FIRST)
    assert taken_over(result) == set(STAGES)
    for stage in STAGES:
        found = metadata(result, stage)
        assert found.pop(UNCHANGED).value == first["session_id"], stage
        assert {name: found[name] for name in found if name != "decision"} == {
            name: told[stage][name] for name in told[stage] if name != "decision"
        }, stage
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"fit_to_score": True, "every_customer_is_scored": True}
    after = tables(again)
    for name, rows in after.items():
        if name.startswith("spend."):
            assert rows == before[name], name
        elif name.startswith("monitoring.") and name != "monitoring.gate":
            # Of another session, and nothing doubled.
            assert rows == sorted([*before[name], *before[name]]), name
    one, other = again.rows("select workflow, as_of, engine, model_version, status from monitoring.sessions")
    assert one == other
    (latest,) = again.rows("select session_id from monitoring.sessions order by updated_at desc limit 1")
    assert again.rows("select distinct session_id from spend.predictions") == [latest]
    assert again.rows("select distinct session_id from spend.prediction_history") == [latest]


def test_rows_that_somebody_edited_or_removed_are_computed_again(again: Shop) -> None:
    before = tables(again)
    change(again, "delete from spend.predictions where customer_id = 'c0001'")
    change(again, "update monitoring.model_metrics set value = 0 where metric = 'mae'")
    change(again, "delete from monitoring.model_params where parameter = 'seed'")
    assert taken_over(again.train(FIRST)) == {"training_table", "preparation_parameters", "prepared"}
    after = tables(again)
    assert {name: after[name] for name in after if name.startswith("spend.")} == {
        name: before[name] for name in before if name.startswith("spend.")
    }


def test_a_row_that_changed_is_computed_again_by_whatever_reads_it(again: Shop) -> None:
    change(again, "update spend.training_table set taste = taste + 1 where customer_id = 'c0001'")
    assert taken_over(again.train(FIRST, selection=only("preparation_parameters", "prepared"))) == set()


def _other_code(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(reuse, "code_of_stages", lambda: "other code")
    return {}


def _other_libraries(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(reuse, "_libraries", lambda: {"numpy": "0"})
    return {}


def _other_setting(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"gate": {"resamples": 201}}


@pytest.mark.parametrize("changed", [_other_code, _other_libraries, _other_setting])
def test_other_code_libraries_and_settings_are_computed_again(
    changed: Callable[[pytest.MonkeyPatch], dict[str, Any]], again: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = only("preparation_parameters", "prepared")
    assert taken_over(again.train(FIRST, selection=stages)) == {"preparation_parameters", "prepared"}
    declared = changed(monkeypatch)
    assert taken_over(again.train(FIRST, selection=stages, **declared)) == set()


def test_a_model_that_is_gone_is_trained_again(again: Shop) -> None:
    shutil.rmtree(again.folder / "models")
    # The comparison is made in every session; the champion's manifest is another one.
    assert taken_over(again.train(FIRST)) == set(STAGES) - {"candidate_model", "predictions"}


def test_a_model_that_somebody_edited_is_not_taken_over(again: Shop) -> None:
    (file,) = again.folder.glob(f"models/spend/{again.champion()}/{PREPARATION_FILE}")
    whole = file.read_bytes()
    file.write_bytes(whole + b" ")
    result = again.train(FIRST, selection=only("predictions"))
    assert not result.success
    assert taken_over(again.train(FIRST, selection=only("candidate_model"))) == set()
    assert file.read_bytes() == whole, "the same training writes it anew"
    assert taken_over(again.train(FIRST, selection=only("predictions"))) == {"predictions"}


def test_a_stage_that_was_killed_before_it_was_remembered_is_computed_again(again: Shop) -> None:
    change(again, "delete from spend.stage_results where stage = 'prepared'")
    assert taken_over(again.train(FIRST, selection=only("preparation_parameters", "prepared"))) == {
        "preparation_parameters"
    }


def test_a_session_that_dagster_has_forgotten_is_computed_again(again: Shop) -> None:
    again.instance = None
    assert taken_over(again.train(FIRST, selection=only("preparation_parameters"))) == set()


def test_every_table_that_a_stage_reads_is_part_of_its_identity(again: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not declared could change unseen: the statements of each stage are searched for tables."""
    again.instance = None
    read: dict[str, set[str]] = {}
    declared: dict[str, set[str]] = {}
    watch(monkeypatch, read, declared)
    assert taken_over(again.train(FIRST)) == set()
    assert read.keys() == declared.keys() == set(STAGES)
    assert {stage: read[stage] - declared[stage] for stage in STAGES} == {stage: set() for stage in STAGES}


def watch(monkeypatch: pytest.MonkeyPatch, read: dict[str, set[str]], declared: dict[str, set[str]]) -> None:
    """Collect, per stage, the tables that its statements name and those that it declares."""
    keep = reuse.Recall.keep

    def note(statement: Any) -> None:
        with suppress(dg.DagsterInvariantViolationError):
            stage = str(dg.OpExecutionContext.get().op.name).removeprefix("spend__")
            if stage in STAGES and isinstance(statement, Statement):
                read.setdefault(stage, set()).update(".".join(found) for found in NAMED.findall(statement.text))

    for name in ("execute", "rows", "arrow", "batches"):
        run = getattr(Database, name)
        monkeypatch.setattr(Database, name, noting(run, note))

    def keeping(self: reuse.Recall, *args: Any) -> None:
        known = [*self.reads, *self.tables, *(one.path for one in self.slices)]
        declared[self.stage] = {".".join(path) for path in known} | ALWAYS | OWN.get(self.stage, set())
        keep(self, *args)

    monkeypatch.setattr(reuse.Recall, "keep", keeping)


def noting(run: Callable[..., Any], note: Callable[[Any], None]) -> Callable[..., Any]:
    @wraps(run)
    def noted(self: Database, statement: Any, *more: Any) -> Any:
        note(statement)
        return run(self, statement, *more)

    return noted


def test_a_check_that_passed_on_the_same_is_told_again_and_runs_on_other_rows(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    runs: list[int] = []
    key = dg.AssetCheckKey(dg.AssetKey(["features", "sums"]), "adds_up")

    @dg.asset(key=key.asset_key)
    def sums(warehouse: Warehouse) -> None:
        with warehouse.write() as database:
            database.ensure(NUMBERS)

    @dg.asset_check(asset=key.asset_key, name=key.name)
    @reuse.reused_check(key, [NUMBERS.path], "statements")
    def adds_up(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> dg.AssetCheckResult:
        with warehouse.read() as database:
            runs.append(database.count(NUMBERS.path))
        return dg.AssetCheckResult(passed=runs[-1] < 2, metadata={"rows": runs[-1]})

    with dg.DagsterInstance.ephemeral() as instance:

        def check() -> dg.AssetCheckEvaluation:
            result = dg.materialize([sums, adds_up], resources={"warehouse": warehouse}, instance=instance)
            (found,) = result.get_asset_check_evaluations()
            return found

        first, second, third = check(), check(), check()
        assert runs == [0]
        assert UNCHANGED not in first.metadata
        assert third.metadata == second.metadata == {**first.metadata, UNCHANGED: third.metadata[UNCHANGED]}
        for number in (1, 2):
            with warehouse.write() as database:
                database.insert(NUMBERS, [{"number": number}])
            check()
        # What failed is looked at again, whatever is the same.
        assert not check().passed
        assert runs == [0, 1, 2, 2]
