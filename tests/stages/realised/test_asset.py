"""Sessions over a simulated log: what one predicts, a later one holds against what happened."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.champions import TARGET_FILE
from tdml_assets.models.reference import GoneLive, build_reference
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import MODEL_METRICS
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.sessions import record_session, session_id_of
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.sample_sources import sources_of_sample
from tdml_assets.stages.drift.target_drift import measure_target
from tdml_assets.stages.predictions.history import keep_predictions
from tdml_assets.stages.raw.asset import build_raw_assets
from tdml_assets.stages.realised.asset import build_realised, latest_realised, read_ledger

FIRST, HORIZON = date(2026, 1, 31), 60
SECOND = FIRST + timedelta(days=HORIZON)
SPEC = WorkflowSpec.model_validate({"name": "cltv", "target": {"horizon_days": HORIZON}})
FEATURES = TableContract(
    "features",
    "customer_features",
    "test",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("total_spend", "DOUBLE", ""),
        Column("total_orders", "BIGINT", ""),
        Column("days_since_last_order", "BIGINT", ""),
    ),
)
SNAPSHOTS = TableContract(
    "features", "snapshots", "test", (Column("snapshot_date", "DATE", ""), Column("is_scoring", "BOOLEAN", ""))
)
PREDICTIONS = TableContract(
    "cltv", "predictions", "test", (Column("customer_id", "VARCHAR", ""), Column("predicted_target", "DOUBLE", ""))
)
KNOWN = """
    select date '{day}' as snapshot_date, customer_id, sum(amount)::double as total_spend,
        count(distinct order_id) as total_orders, date '{day}' - max(ordered_on) as days_since_last_order
    from raw.orders where ordered_on <= date '{day}' group by customer_id
"""
SPENT = """
    select customer_id, greatest(sum(amount), 0)::double as target
    from raw.orders where ordered_on > date '{day}' and ordered_on <= date '{day}' + {horizon} group by customer_id
"""
#: What the test of the model promised, and what its training knew.
TESTED = {
    ("test", "wape"): 1.0,
    ("test", "wape_low"): 0.9,
    ("test", "wape_high"): 1.1,
    ("train", "naive_ratio"): 0.1,
    ("train", "mean_actual"): 50.0,
}


@dataclass
class House:
    """A state folder with a loaded sample, and sessions on it."""

    warehouse: Warehouse
    sessions: dict[date, str] = field(default_factory=dict)

    def predict(self, day: date, *, version: str = "v1", share: float = 0.2, tested: bool = True) -> str:
        """A session that predicts a share of everybody's spend so far, as training, evaluation and scoring leave it."""

        @dg.asset
        def scored(context: dg.AssetExecutionContext) -> None:
            session = {"session_id": session_id_of(context), "workflow": "cltv"}
            with self.warehouse.write() as database:
                self._stand_at(database, day)
                text = f"select customer_id, greatest(total_spend, 0) * {share} as predicted_target from features.customer_features"
                database.replace(PREDICTIONS, Statement(text))
                record_session(database, context, "cltv", status="scored", model_version=version)
                keep_predictions(database, SPEC, session["session_id"], version, day)
                rows = [
                    {**session, "evaluation_table": split, "metric": metric, "value": value}
                    for (split, metric), value in TESTED.items()
                ]
                database.replace_slice(MODEL_METRICS, session, rows if tested else [])

        self.sessions[day] = dg.materialize([scored]).run_id
        return self.sessions[day]

    def realise(self, day: date, spec: WorkflowSpec = SPEC) -> dg.ExecuteInProcessResult:
        """The asset, in a session of ``day``."""
        with self.warehouse.write() as database:
            self._stand_at(database, day)
        return dg.materialize([build_realised(spec)], resources={"warehouse": self.warehouse})

    def metrics(self, session_id: str, split: str = "realised") -> dict[str, float]:
        with self.warehouse.read() as database:
            rows = database.rows(Statement("from monitoring.model_metrics"))
        return {
            row["metric"]: row["value"]
            for row in rows
            if row["session_id"] == session_id and row["evaluation_table"] == split
        }

    def rows(self, text: str) -> list[dict[str, Any]]:
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    @staticmethod
    def _stand_at(database: Database, day: date) -> None:
        database.replace(SNAPSHOTS, [{"snapshot_date": day, "is_scoring": True}])
        database.replace(FEATURES, Statement(KNOWN.format(day=day)))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("realised")
    write_sample(folder / "sample", SimulationSettings(customers=600))
    sources = Sources.model_validate({"orders": sources_of_sample(folder / "sample")["orders"]})
    warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
    raw = build_raw_assets(sources, base_folder=folder, cache_folder=folder / "cache")
    assert dg.materialize(raw, resources={"warehouse": warehouse, "s3": S3()}).success
    return folder / "w.duckdb"


@pytest.fixture
def house(loaded: Path, tmp_path: Path) -> House:
    copy = tmp_path / "w.duckdb"
    copy.write_bytes(loaded.read_bytes())
    return House(Warehouse(database=str(copy), temp_directory=str(tmp_path / "tmp"), threads=1))


def test_a_later_session_measures_the_earlier_ones_predictions_under_the_earlier_one(house: House) -> None:
    first = house.predict(FIRST)
    house.predict(SECOND)
    result = house.realise(SECOND)
    found = house.metrics(first)
    spent = {row["customer_id"]: row["target"] for row in house.rows(SPENT.format(day=FIRST, horizon=HORIZON))}
    known = house.rows(KNOWN.format(day=FIRST))
    target = np.array([spent.get(row["customer_id"], 0.0) for row in known])
    predicted = np.array([max(row["total_spend"], 0.0) * 0.2 for row in known])
    assert target.sum() > 0
    assert found["rows"] == len(known)
    assert found["wape"] == pytest.approx(np.abs(target - predicted).sum() / target.sum())
    assert found["baseline_mae"] == pytest.approx(np.abs(target - predicted / 2).mean())
    assert found["constant_mae"] == pytest.approx(np.abs(target - 50.0).mean())
    assert house.metrics(house.sessions[SECOND]) == {}
    shown = result.asset_materializations_for_node("cltv__realised")[0].metadata
    assert str(FIRST) in str(shown["verdict"].value)
    assert {"predicted against realised", "realised against test"} <= set(shown)


def test_what_the_test_had_measured_stays_and_a_second_look_doubles_nothing(house: House) -> None:
    first = house.predict(FIRST)
    house.realise(SECOND)
    once = house.metrics(first)
    house.realise(SECOND + timedelta(days=1))
    assert house.metrics(first) == once
    assert house.metrics(first, "test") == {"wape": 1.0, "wape_low": 0.9, "wape_high": 1.1}
    count = house.rows(f"select count(*) as n from monitoring.model_metrics where session_id = '{first}'")
    assert count[0]["n"] == len(once) + len(TESTED)


def test_before_the_horizon_has_passed_nothing_is_said(house: House) -> None:
    first = house.predict(FIRST)
    result = house.realise(SECOND - timedelta(days=1))
    assert result.success
    assert house.metrics(first) == {}
    with house.warehouse.read() as database:
        assert latest_realised(database, SPEC, "v1") is None


def test_days_that_no_order_reaches_are_not_taken_for_days_without_purchases(house: House) -> None:
    """A session may stand years after the last order: its predictions' window is unknown, not empty."""
    last = house.rows("select max(ordered_on) as day from raw.orders")[0]["day"]
    day = last - timedelta(days=HORIZON - 1)
    session = house.predict(day)
    house.realise(last + timedelta(days=1000))
    assert house.metrics(session) == {}
    assert len(house.rows("select distinct as_of from cltv.prediction_history")) == 1


def test_an_order_that_arrives_late_is_counted(house: House) -> None:
    first = house.predict(FIRST)
    house.realise(SECOND)
    before = house.metrics(first)["mean_actual"]
    with house.warehouse.write() as database:
        database.execute(
            Statement(f"update raw.orders set amount = amount + 1000 where ordered_on > date '{FIRST}' and amount > 0")
        )
    house.realise(SECOND + timedelta(days=5))
    assert house.metrics(first)["mean_actual"] > before


def test_long_past_predictions_are_thrown_away_once_measured_and_their_figures_stay(house: House) -> None:
    first = house.predict(FIRST)
    house.realise(SECOND + timedelta(days=31))
    assert house.metrics(first)["rows"] > 0
    assert house.rows("from cltv.prediction_history") == []
    house.realise(SECOND + timedelta(days=40))
    assert house.metrics(first)["rows"] > 0


def test_predictions_of_another_horizon_are_not_held_against_this_one(house: House) -> None:
    first = house.predict(FIRST)
    house.realise(SECOND, SPEC.model_copy(update={"target": SPEC.target.model_copy(update={"horizon_days": 30})}))
    assert house.metrics(first) == {}


def test_a_champion_is_judged_by_its_own_predictions_against_its_own_test(house: House) -> None:
    house.predict(FIRST, version="bad", share=5.0)
    house.predict(FIRST + timedelta(days=1), version="good", share=0.0)
    house.realise(SECOND + timedelta(days=1))
    with house.warehouse.read() as database:
        bad, good = (latest_realised(database, SPEC, version) for version in ("bad", "good"))
        ledger = read_ledger(database, SPEC)
    assert bad is not None
    assert good is not None
    assert (bad.status, bad.as_of, bad.low, bad.high) == ("worse", FIRST, 0.9, 1.1)
    assert (good.status, good.value) == ("ok", 1.0)
    assert [(row["model_version"], row["status"]) for row in ledger] == [("bad", "worse"), ("good", "ok")]


def test_a_later_session_with_the_same_model_is_held_to_the_test_of_its_training(house: House) -> None:
    """The later session measured a candidate that was held: its test figures are not the champion's."""
    house.predict(FIRST)
    later = FIRST + timedelta(days=3)
    session = house.predict(later)
    with house.warehouse.write() as database:
        database.execute(
            Statement(
                f"update monitoring.model_metrics set value = 99 where session_id = '{session}' and metric like 'wape%'"
            )
        )
    house.realise(later + timedelta(days=HORIZON))
    with house.warehouse.read() as database:
        found = latest_realised(database, SPEC, "v1")
    assert found is not None
    assert (found.as_of, found.high) == (later, 1.1)


def test_the_first_session_of_all_finds_nothing_and_succeeds(house: House) -> None:
    assert house.realise(FIRST).success


def test_the_target_that_turned_out_is_held_against_that_of_the_test_and_alarms_nobody(house: House) -> None:
    house.predict(FIRST)
    tested = TableContract("cltv", "tested", "test", (Column("target", "DOUBLE", ""),))
    with house.warehouse.write() as database:
        database.replace(
            tested, Statement(f"select target * 50 as target from ({SPENT.format(day=FIRST, horizon=HORIZON)})")
        )
        reference = build_reference(database, tested.path, {}, ["target"]).to_json().encode()
        live = GoneLive(None, {TARGET_FILE: reference}, scores=True)  # type: ignore[arg-type]
        assert measure_target(database, SPEC, live).columns == (), "its horizon has not passed"
        house._stand_at(database, SECOND)
        assert measure_target(database, SPEC, replace(live, files={})).columns == (), "the test kept no target"
        found = measure_target(database, SPEC, live)
        assert not database.has_table(("cltv", "happened"))
    (target,) = found.columns
    assert target.psi is not None
    assert target.psi > 1
    assert found.status not in ("drift", "broken")
