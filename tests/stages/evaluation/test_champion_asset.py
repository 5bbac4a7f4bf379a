"""Candidate against champion as Dagster runs it: on a DuckDB file, with models in a folder."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import EVALUATED_PREFIX, Manifest, describe_files
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.features.snapshots_asset import build_snapshots
from tdml_assets.stages.predictions.asset import build_predictions
from tdml_assets.stages.preparation.asset import build_preparation
from tdml_assets.stages.raw.contracts import LOADS
from tdml_assets.stages.training.asset import build_model
from tdml_assets.stages.training_table.asset import build_training_table

FIRST, SECOND = date(2024, 6, 30), date(2024, 7, 7)
LATER = datetime.fromisoformat("2024-07-08T00:00")
CUSTOMERS = 900
KNOWN = ["taste", "noise", "recent_orders", "days_since_last_order"]
FEATURES = """
create or replace table features.customer_features as
select
    s.snapshot_date,
    o.customer_id,
    any_value(t.taste) as taste,
    (hash(o.customer_id) % 97)::double as noise,
    any_value(t.taste) * count(*) filter (where o.ordered_on > s.snapshot_date - 60) as worth,
    count(*) filter (where o.ordered_on > s.snapshot_date - 60)::double as recent_orders,
    sum(o.amount)::double as total_spend,
    count(*)::double as total_orders,
    date_diff('day', max(o.ordered_on), s.snapshot_date)::double as days_since_last_order
from features.snapshots as s
inner join raw.orders as o on o.ordered_on <= s.snapshot_date
inner join raw.tastes as t on t.customer_id = o.customer_id
group by s.snapshot_date, o.customer_id
"""


@dg.asset(key=["features", "customer_features"], deps=[["features", "snapshots"]])
def customer_features(warehouse: Warehouse) -> None:
    """Stands for dbt's table."""
    with warehouse.write() as database:
        database.execute(Statement(FEATURES))


@dataclass
class Shop:
    """A state folder with orders, and a way to train on it."""

    folder: Path
    warehouse: Warehouse
    models: ModelStore
    # Keeps the events of several sessions; each has its own unless given.
    instance: dg.DagsterInstance | None = None
    own_process_above_mb: int = 250

    @property
    def store(self) -> BundleStore:
        return self.models.open()

    def train(self, as_of: date, *, selection: list[str] | None = None, **declared: Any) -> dg.ExecuteInProcessResult:
        spec = WorkflowSpec.model_validate(
            {
                "name": "spend",
                "target": {"horizon_days": 30},
                "snapshots": {"count": 3, "seasons": []},
                "features": {"include": KNOWN},
                "model": {"estimator": "sklearn.linear_model.LinearRegression", "reasons": 0},
                "monitor": {"report": False},
                **declared,
            }
        )
        settings = Settings(home=self.folder, base_folder=self.folder, own_process_above_mb=self.own_process_above_mb)
        assets = [
            dg.AssetSpec(["raw", "orders"]),
            build_snapshots([spec], as_of),
            customer_features,
            build_training_table(spec),
            *build_preparation(spec, settings),
            *build_model(spec, settings),
            build_predictions(spec, settings),
        ]
        resources = {"warehouse": self.warehouse, "models": self.models, "s3": S3()}
        return dg.materialize(
            assets, resources=resources, raise_on_error=False, selection=selection, instance=self.instance
        )

    def rows(self, text: str) -> list[dict[str, Any]]:
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def gate(self) -> list[dict[str, Any]]:
        """The rows of the latest session."""
        return self.rows(
            "select * from monitoring.gate where session_id = (select session_id from monitoring.sessions "
            "order by updated_at desc limit 1)"
        )

    def predictions(self) -> bytes:
        rows = self.rows("select customer_id, predicted_target from spend.predictions order by customer_id")
        return repr(rows).encode()

    def champion(self) -> str:
        current = self.store.champion("spend")
        assert current is not None
        return current.champion.version


def shop(folder: Path) -> Shop:
    rng = np.random.default_rng(5)
    taste = rng.normal(0, 1, CUSTOMERS)
    every = rng.integers(5, 25, CUSTOMERS)
    orders = pd.concat(
        pd.DataFrame(
            {
                "customer_id": f"c{customer:04d}",
                "ordered_on": pd.date_range("2024-01-03", SECOND, freq=f"{every[customer]}D").date,
            }
        )
        for customer in range(CUSTOMERS)
    )
    number = orders["customer_id"].str[1:].astype(int).to_numpy()
    orders["amount"] = np.round(20 * np.exp(0.8 * taste[number] + rng.normal(0, 0.3, len(orders))), 2)
    tastes = pd.DataFrame({"customer_id": [f"c{one:04d}" for one in range(CUSTOMERS)], "taste": np.exp(0.8 * taste)})
    warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
    with warehouse.get_connection() as connection:
        connection.execute("create schema raw; create schema features")
        connection.register("orders_frame", orders)
        connection.register("tastes_frame", tastes)
        connection.execute("create table raw.orders as select * from orders_frame")
        connection.execute("create table raw.tastes as select * from tastes_frame")
    load = {
        "source": "orders",
        "file": "orders.csv",
        "content_sha256": "a" * 64,
        "declaration_sha256": "b" * 64,
        "rows_read": len(orders),
        "rows_accepted": len(orders),
        "rows_rejected": 0,
        "header": "[]",
        "session_id": "s",
        "committed_at": LATER,
    }
    with warehouse.write() as database:
        database.replace(LOADS, [load])
    return Shop(folder, warehouse, ModelStore(url=str(folder / "models")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A champion that knows what customers like."""
    one = shop(tmp_path_factory.mktemp("shop"))
    assert one.train(FIRST).success
    return one


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Shop], Shop]:
    def copied(one: Shop) -> Shop:
        folder = tmp_path / "copy"
        shutil.copytree(one.folder, folder)
        warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
        return Shop(folder, warehouse, ModelStore(url=str(folder / "models")))

    return copied


def metadata(result: dg.ExecuteInProcessResult, stage: str) -> dict[str, Any]:
    return dict(result.asset_materializations_for_node(f"spend__{stage}")[0].metadata)


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "fit_to_score"]
    return found


#: What a candidate learns from that does not know what customers like, and one that knows what comes of it.
BLIND = {"features": {"include": ["noise", "days_since_last_order"]}}
KEEN = {"features": {"include": [*KNOWN, "worth"]}}


def test_the_first_candidate_is_judged_alone(trained: Shop) -> None:
    (row,) = trained.rows("select * from monitoring.gate")
    assert (row["metric"], row["decision"], row["champion"]) == ("fit_to_score", "promote", None)
    assert row["candidate"] == trained.champion()
    assert row["reason"].startswith("promoted: normalised Gini")


def test_a_version_keeps_the_fit_that_was_measured_beside_the_one_that_scores(trained: Shop) -> None:
    files = trained.store.read_champion("spend").files
    own = {name for name in files if name.startswith(EVALUATED_PREFIX)}
    assert {name.removeprefix(EVALUATED_PREFIX) for name in own} - {"scope.json"} <= files.keys()
    assert b'"known_until": "2024-05-31"' in files["evaluated_scope.json"]
    model = next(name for name in own if name.endswith(".skops"))
    assert files[model] != files[model.removeprefix(EVALUATED_PREFIX)]


def test_the_same_training_again_compares_nothing_and_changes_nothing(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    pointer = (one.folder / "models" / "spend" / "champion.json").read_bytes()
    result = one.train(FIRST)
    assert result.success
    assert check(result).passed
    assert (one.folder / "models" / "spend" / "champion.json").read_bytes() == pointer
    rows = one.rows("select * exclude (session_id) from monitoring.gate")
    assert rows[0] == rows[1]


def test_a_worse_candidate_is_held_by_name_and_figure_and_the_run_goes_on_with_the_champion(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    champion = one.champion()
    result = one.train(SECOND, **BLIND)
    assert result.success
    assert one.champion() == champion
    found = check(result)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    reason = metadata(result, "champion_model")["reason"].value
    assert "against the champion's" in reason
    assert f"on the same {CUSTOMERS} customers" in reason
    assert metadata(result, "champion_model")["model_version"].value == champion
    assert metadata(result, "predictions")["model_version"].value == champion
    rows = {(row["metric"], row["slice"]): row for row in one.gate()}
    primary = rows["absolute_error", "all"]
    assert primary["champion"] == champion
    assert primary["difference"] == pytest.approx(primary["candidate_value"] - primary["champion_value"])
    assert primary["low"] > 0
    assert not primary["passed"]
    assert ("normalised_gini", "all") in rows
    session = one.rows("select * from monitoring.sessions order by updated_at desc limit 1")[0]
    assert (session["status"], session["model_version"]) == ("scored", champion)
    assert reason in session["note"]


def test_the_champions_error_in_the_gate_is_that_of_its_measured_fit_on_the_new_test(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    """Worked out again by least squares on what was known on the day of the champion's own test."""
    one = copy_of(trained)
    assert one.train(SECOND).success
    row = next(row for row in one.gate() if (row["metric"], row["slice"]) == ("absolute_error", "all"))
    known = f"date '{FIRST - timedelta(days=90)}'"
    with one.warehouse.write() as database:
        database.execute(Statement(f"insert into features.snapshots select {known}, false, 1.0"))
        database.execute(Statement(FEATURES))
        frame = database.arrow(
            Statement(
                "select f.*, (select coalesce(sum(amount), 0) from raw.orders o where o.customer_id = f.customer_id and "
                "o.ordered_on > f.snapshot_date and o.ordered_on <= f.snapshot_date + 30)::double as target "
                "from features.customer_features f order by all"
            )
        ).to_pandas()
    days = pd.to_datetime(frame["snapshot_date"]).dt.date
    test = frame[days == SECOND - timedelta(days=30)]
    assert row["customers"] == len(test)
    learnt = frame[days == FIRST - timedelta(days=90)]
    weights, *_ = np.linalg.lstsq(np.column_stack([learnt[KNOWN], np.ones(len(learnt))]), learnt["target"], rcond=None)
    said = np.maximum(np.column_stack([test[KNOWN], np.ones(len(test))]) @ weights, 0)
    assert row["champion_value"] == pytest.approx(np.abs(said - test["target"]).mean(), rel=0.05)


def test_a_better_candidate_is_promoted_with_the_comparison_as_its_reason(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    before = one.champion()
    result = one.train(SECOND, **KEEN)
    assert result.success
    assert one.champion() != before
    reason = metadata(result, "champion_model")["reason"].value
    assert reason.startswith("promoted: error")
    assert metadata(result, "champion_model")["previous"].value == before
    assert metadata(result, "evaluation")["decision"].value == reason


def test_on_its_own_test_the_champion_is_found_as_good_as_it_was(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    metrics = one.store.read_champion("spend").manifest.metrics
    tested = one.rows(
        "select target, uncorrected_prediction as said from spend.holdout_predictions where split = 'test'"
    )
    target, said = (np.array([row[name] for row in tested]) for name in ("target", "said"))
    assert one.train(FIRST, **KEEN).success
    rows = {(row["metric"], row["slice"]): row["champion_value"] for row in one.gate()}
    assert rows["absolute_error", "all"] == pytest.approx(np.abs(target - said).mean(), rel=1e-9)
    assert rows["normalised_gini", "all"] == pytest.approx(1 - (metrics["normalised_gini"] or 0), rel=1e-9)
    assert rows["total_bias", "all"] == pytest.approx(abs(said.sum() / target.sum() - 1), rel=1e-9)


def test_the_workflows_policy_is_asked(trained: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    one = copy_of(trained)
    before = one.champion()
    assert one.train(SECOND).success
    assert one.champion() == before, "a little worse, on 900 customers"
    assert one.train(SECOND, gate={"tolerance": 0.1}).success
    assert one.champion() != before


def test_a_champion_without_its_measured_fit_is_replaced_by_a_fit_candidate_and_the_reason_says_so(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    bundle = one.store.read_champion("spend")
    files = {name: data for name, data in bundle.files.items() if not name.startswith(EVALUATED_PREFIX)}
    old = dict(vars(bundle.manifest)) | {"version": "2024-06-29-0123456789ab", "files": describe_files(files)}
    one.store.write(Manifest(**old), files)
    promote(one, "2024-06-29-0123456789ab")
    result = one.train(SECOND, **BLIND)
    assert result.success
    reason = metadata(result, "champion_model")["reason"].value
    assert "not compared with the champion 2024-06-29-0123456789ab: it was stored without the fit" in reason


def test_an_earlier_as_of_is_not_measured_against_a_champion_that_knows_its_test(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    result = one.train(FIRST - timedelta(days=14))
    assert result.success
    assert "knows events up to 2024-05-31, the test begins after 2024-05-17" in one.gate()[0]["reason"]


def test_columns_that_are_gone_are_named(trained: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    one = copy_of(trained)
    assert one.train(SECOND, features={"include": ["recent_orders", "taste"]}).success
    assert "not compared" not in one.gate()[0]["reason"], "the feature table still has them"


def test_an_unfit_candidate_without_a_champion_is_held_with_its_reason(tmp_path: Path) -> None:
    one = shop(tmp_path)
    result = one.train(
        FIRST, features={"include": ["noise"]}, model={"estimator": "sklearn.dummy.DummyRegressor", "reasons": 0}
    )
    found = check(result)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert one.store.champion("spend") is None
    assert "held: it " in metadata(result, "champion_model")["not run"].value


def test_an_unfit_candidate_beside_a_champion_is_held(trained: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    one = copy_of(trained)
    before = one.champion()
    result = one.train(SECOND, model={"estimator": "sklearn.dummy.DummyRegressor", "reasons": 0})
    assert result.success
    assert one.champion() == before
    assert f"the champion {before} stays" in one.gate()[0]["reason"]


@pytest.mark.parametrize("damaged", ["champion.json", "preparation.json", "evaluated_scope.json"])
def test_a_champion_that_cannot_be_read_is_not_replaced_unseen(
    trained: Shop, copy_of: Callable[[Shop], Shop], damaged: str
) -> None:
    one = copy_of(trained)
    folder = one.folder / "models" / "spend"
    path = folder / damaged if damaged == "champion.json" else folder / one.champion() / damaged
    path.write_bytes(path.read_bytes()[:-2] + b" x")
    pointer = (folder / "champion.json").read_bytes()
    result = one.train(SECOND)
    found = check(result)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (folder / "champion.json").read_bytes() == pointer
    assert "the champion cannot score" in one.gate()[0]["reason"]


@pytest.mark.parametrize("damaged", ["preparation.json", "evaluated_scope.json"])
def test_a_damaged_champion_is_written_anew_by_the_training_on_equal_orders(
    trained: Shop, copy_of: Callable[[Shop], Shop], damaged: str
) -> None:
    one = copy_of(trained)
    folder = one.folder / "models" / "spend"
    path, pointer = folder / one.champion() / damaged, (folder / "champion.json").read_bytes()
    whole, before = path.read_bytes(), one.predictions()
    path.write_bytes(whole[:-2] + b" x")
    assert one.train(FIRST).success
    assert path.read_bytes() == whole
    assert (folder / "champion.json").read_bytes() == pointer
    assert one.predictions() == before


def test_a_champion_whose_manifest_is_damaged_scores_again_when_its_remedy_is_followed(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    version, before = one.champion(), one.predictions()
    folder = one.folder / "models" / "spend" / version
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    result = one.train(FIRST)
    assert not result.success
    failure, *_ = result.get_step_failure_events()
    cause = failure.step_failure_data.error.cause
    assert f"remove {folder} and run again" in cause.message
    shutil.rmtree(folder)
    result = one.train(FIRST)
    assert result.success
    assert metadata(result, "champion_model")["previous"].value == "none"
    assert metadata(result, "predictions")["model_version"].value == version
    assert one.predictions() == before
    assert one.train(FIRST).success


def test_an_edited_table_under_the_same_name_is_refused_and_a_whole_run_mends_it(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    before = one.champion()
    with one.warehouse.write() as database:
        database.execute(Statement("update spend.prepared set target = target + 1"))
    result = one.train(FIRST, selection=["spend/candidate_model"])
    (failure,) = result.get_step_failure_events()
    assert (
        "if a table of the workflow was edited, run without --select" in failure.step_failure_data.error.cause.message
    )
    assert one.train(FIRST).success
    assert one.champion() == before


def test_an_operators_hold_is_respected_and_its_words_are_shown(trained: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    one = copy_of(trained)
    before = one.champion()
    one.store.hold("spend", "audit in July", datetime.fromisoformat("2024-07-01T09:00"))
    result = one.train(SECOND, **KEEN)
    assert result.success
    assert one.champion() == before
    assert "since 2024-07-01 09:00 UTC (audit in July)" in metadata(result, "champion_model")["reason"].value
    assert len(one.gate()) > 1, "the comparison is kept all the same"
    one.store.release("spend")
    assert one.train(SECOND, **KEEN).success
    assert one.champion() != before


def test_a_pointer_moved_between_evaluation_and_promotion_is_not_overwritten(
    trained: Shop, copy_of: Callable[[Shop], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = copy_of(trained)
    first = one.champion()
    assert one.train(SECOND).success
    (other,) = set(one.store.versions("spend")) - {first}
    read = BundleStore.held
    asked = []

    def moving(self: BundleStore, workflow: str) -> Any:
        # Asked once by the evaluation and once by the stage that promotes: an operator is faster than the latter.
        asked.append(workflow)
        if len(asked) == 2:
            promote(one, other)
        return read(self, workflow)

    monkeypatch.setattr(BundleStore, "held", moving)
    result = one.train(SECOND, **KEEN)
    assert result.success
    assert one.champion() == other
    reason = metadata(result, "champion_model")["reason"].value
    assert reason.startswith("held: ")
    assert f"the champion of spend moved meanwhile, it is {other} of operator" in reason


def test_a_rollback_predicts_byte_for_byte_what_the_version_predicted(
    trained: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    one = copy_of(trained)
    first, before = one.champion(), one.predictions()
    assert one.train(FIRST, **KEEN).success
    assert one.champion() != first
    assert one.predictions() != before
    promote(one, first)
    one.store.hold("spend", "rolled back", LATER)
    result = one.train(FIRST, **BLIND)
    assert result.success
    assert metadata(result, "predictions")["model_version"].value == first
    assert one.predictions() == before


def test_promoting_without_an_evaluation_names_what_is_missing(trained: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    one = copy_of(trained)
    result = one.train(SECOND, selection=["spend/champion_model"])
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "materialise spend/evaluation too" in str(failure.step_failure_data.error)


def promote(one: Shop, version: str) -> None:
    store = one.store
    store.promote(
        "spend",
        version,
        replacing=store.champion("spend"),
        reason="by hand",
        session_id="operator",
        promoted_at=LATER,
    )
