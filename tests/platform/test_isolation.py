"""Two workflows in one run: what becomes of one does not stop the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import keep_outcome, read_outcome
from tdml_assets.platform.outcome import Outcome
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.audience.asset import build_audience
from tdml_assets.stages.features.snapshots_asset import build_snapshots
from tdml_assets.stages.predictions.asset import build_predictions
from tdml_assets.stages.preparation.asset import build_preparation
from tdml_assets.stages.raw.contracts import LOADS
from tdml_assets.stages.session_report.pages import OverviewPage
from tdml_assets.stages.training.asset import build_model
from tdml_assets.stages.training_table.asset import build_training_table

FIRST, SECOND = date(2024, 6, 30), date(2024, 7, 7)
CUSTOMERS = 300
FEATURES = """
create or replace table features.customer_features as
select
    s.snapshot_date,
    o.customer_id,
    sum(o.amount)::double as total_spend,
    count(*)::double as total_orders,
    date_diff('day', max(o.ordered_on), s.snapshot_date)::double as days_since_last_order,
    count(*)::double - 1 as repeat_purchase_days,
    date_diff('day', min(o.ordered_on), max(o.ordered_on))::double as recency_days,
    date_diff('day', min(o.ordered_on), s.snapshot_date)::double as tenure_days,
    avg(o.amount)::double as avg_repeat_day_value
from features.snapshots as s
inner join raw.orders as o on o.ordered_on <= s.snapshot_date
group by s.snapshot_date, o.customer_id
"""


@dg.asset(key=["features", "customer_features"], deps=[["features", "snapshots"]])
def customer_features(warehouse: Warehouse) -> None:
    """In place of dbt's table."""
    with warehouse.write() as database:
        database.execute(Statement(FEATURES))


def spec_of(name: str, **declared: Any) -> WorkflowSpec:
    attribute = {"name": f"{name}_amount", "column": "predicted_target", "description": "Expected spend."}
    return WorkflowSpec.model_validate(
        {
            "name": name,
            "target": {"horizon_days": 30},
            "snapshots": {"count": 3, "seasons": []},
            "model": {"estimator": "sklearn.linear_model.LinearRegression", "reasons": 0},
            "monitor": {"report": False},
            "attributes": [attribute],
            **declared,
        }
    )


@dataclass
class Shop:
    """A state folder with orders."""

    folder: Path

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(
            database=str(self.folder / "w.duckdb"), temp_directory=str(self.folder / "tmp"), threads=1, wait_seconds=0
        )

    @property
    def store(self) -> BundleStore:
        return ModelStore(url=str(self.folder / "models")).open()

    def run(self, as_of: date, *specs: WorkflowSpec, publish: bool = True) -> dg.ExecuteInProcessResult:
        settings = Settings(home=self.folder, base_folder=self.folder)
        assets: list[Any] = [dg.AssetSpec(["raw", "orders"]), build_snapshots(specs, as_of), customer_features]
        for spec in specs:
            assets += [build_training_table(spec), *build_preparation(spec, settings), *build_model(spec, settings)]
            assets.append(build_predictions(spec, settings))
        if publish:
            assets.append(build_audience(specs, settings)[0])
        resources = {
            "warehouse": self.warehouse,
            "models": ModelStore(url=str(self.folder / "models")),
            "s3": S3(),
            "overview": OverviewPage(settings, specs, {}),
        }
        return dg.materialize(assets, resources=resources, raise_on_error=False)

    def rows(self, text: str) -> list[dict[str, Any]]:
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def outcomes(self, result: dg.ExecuteInProcessResult) -> dict[str, Outcome]:
        rows = self.rows("select * from monitoring.workflow_outcomes")
        return {row["workflow"]: Outcome.from_row(row) for row in rows if row["session_id"] == result.run_id}

    def catalogue(self) -> dict[str, tuple[date | None, str | None]]:
        rows = self.rows("select workflow, as_of, note from audience.attribute_catalog")
        return {row["workflow"]: (row["as_of"], row["note"]) for row in rows}

    def published(self, column: str) -> dict[str, float | None]:
        rows = self.rows(f"select customer_id, {column} as value from audience.parent_segment_attributes")
        return {row["customer_id"]: row["value"] for row in rows}


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(5)
    every, taste = rng.integers(5, 40, CUSTOMERS), rng.normal(0, 1, CUSTOMERS)
    frame = pd.concat(
        pd.DataFrame(
            {
                "customer_id": f"c{one:04d}",
                "ordered_on": pd.date_range("2024-01-03", SECOND, freq=f"{every[one]}D").date,
                "amount": np.round(20 * np.exp(0.8 * taste[one]), 2),
                "is_product": True,
                "is_return": False,
            }
        )
        for one in range(CUSTOMERS)
    )
    shop = Shop(folder)
    with shop.warehouse.get_connection() as connection:
        connection.execute("create schema raw; create schema features")
        connection.register("frame", frame)
        connection.execute("create table raw.orders as select * from frame")
    with shop.warehouse.write() as database:
        database.ensure(LOADS)
    return shop


@pytest.fixture(scope="module")
def scored(orders: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop after a good session of both workflows."""
    shop = Shop(tmp_path_factory.mktemp("scored") / "shop")
    shutil.copytree(orders.folder, shop.folder)
    result = shop.run(FIRST, GOOD, spec_of("other"))
    assert result.success
    assert {name: one.state for name, one in shop.outcomes(result).items()} == {
        "spend": "published",
        "other": "published",
    }
    assert shop.catalogue() == {"spend": (FIRST, None), "other": (FIRST, None)}
    return shop


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Shop], Shop]:
    def copied(shop: Shop) -> Shop:
        shutil.copytree(shop.folder, tmp_path / "copy")
        return Shop(tmp_path / "copy")

    return copied


GOOD = spec_of("spend")
#: More rows than there are.
HUNGRY = spec_of("other", split={"min_rows": 1_000_000})


def test_a_workflow_with_too_few_rows_is_scored_by_a_fallback_and_the_other_by_its_model(
    orders: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    shop = copy_of(orders)
    result = shop.run(FIRST, GOOD, HUNGRY)
    assert result.success
    found = shop.outcomes(result)
    assert (found["spend"].state, found["spend"].method, found["spend"].reason) == ("published", "champion", None)
    assert (found["other"].state, found["other"].stopped_at) == ("fallback", "training_table")
    assert "at least 1000000 (split.min_rows)" in (found["other"].reason or "")
    assert found["other"].remedy == "give more customers or a longer history, or shorten target.horizon_days"
    assert not any(one.needs_person for one in found.values())
    assert len(shop.published("other_amount")) == CUSTOMERS
    assert None not in shop.published("other_amount").values()
    assert shop.catalogue()["spend"] == (FIRST, None)
    # To be compared with what happens, as those of a champion are.
    (kept,) = shop.rows(
        "select count(*) as customers, any_value(model_version) as version from other.prediction_history"
    )
    assert kept["customers"] == CUSTOMERS
    assert kept["version"].startswith(("lifetime:", "rule:"))
    assert (shop.catalogue()["other"][1] or "").startswith(f"scored by {found['other'].method}: the train split has")
    events = result.asset_materializations_for_node("other__prepared")
    assert "at least 1000000" in str(events[0].metadata["not run"].value)


def test_a_workflow_whose_code_fails_needs_a_person_and_the_other_is_published(
    orders: Shop, copy_of: Callable[[Shop], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = copy_of(orders)
    monkeypatch.setattr(LinearRegression, "fit", _broken)
    result = shop.run(FIRST, spec_of("spend", model={"estimator": "sklearn.linear_model.Ridge", "reasons": 0}), GOOD2)
    assert result.success
    found = shop.outcomes(result)
    assert found["spend"].state == "published"
    assert (found["other"].state, found["other"].error, found["other"].needs_person) == ("fallback", "TypeError", True)
    assert any(one.needs_person for one in found.values())


def test_the_champion_scores_on_where_a_later_training_is_not_possible(
    scored: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    shop = copy_of(scored)
    champion = shop.store.champion("other")
    result = shop.run(SECOND, GOOD, HUNGRY)
    found = shop.outcomes(result)["other"]
    assert (found.state, found.method, found.stopped_at) == ("published", "champion", "training_table")
    assert shop.store.champion("other") == champion
    assert shop.catalogue()["other"] == (SECOND, None)


def test_a_workflow_that_cannot_score_keeps_its_last_attributes_with_their_day(
    scored: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    shop = copy_of(scored)
    before = shop.published("other_amount")
    damage(shop, "other")
    result = shop.run(SECOND, GOOD, HUNGRY)
    assert result.success
    found = shop.outcomes(result)
    assert (found["spend"].state, found["other"].state) == ("published", "kept")
    assert (found["other"].stopped_at, found["other"].error) == ("predictions", "BundleDamagedError")
    assert shop.published("other_amount") == before
    assert shop.published("spend_amount") != before
    day, note = shop.catalogue()["other"]
    assert day == FIRST
    assert (note or "").startswith(f"values of {FIRST}: predictions failed with BundleDamagedError")
    again = shop.run(SECOND, GOOD, HUNGRY)
    assert shop.outcomes(again)["other"].state == "kept", "kept attributes keep their day however often they are kept"
    assert shop.catalogue()["other"][0] == FIRST


def test_attributes_that_are_too_old_to_keep_become_empty(scored: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    shop = copy_of(scored)
    damage(shop, "other")
    with shop.warehouse.write() as database:
        database.execute(Statement("update audience.attribute_catalog set as_of = date '2024-05-01'"))
    result = shop.run(SECOND, GOOD, HUNGRY)
    assert shop.outcomes(result)["other"].state == "failed"
    assert set(shop.published("other_amount").values()) == {None}
    assert shop.catalogue()["other"][0] is None


def test_with_no_new_score_at_all_nothing_is_published_and_the_run_fails(
    scored: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    shop = copy_of(scored)
    before = shop.rows("select * from audience.parent_segment_attributes order by customer_id")
    damage(shop, "other")
    damage(shop, "spend")
    result = shop.run(SECOND, spec_of("spend", split={"min_rows": 1_000_000}), HUNGRY)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "no workflow has new scores, the tables of before stay" in str(failure.step_failure_data.error)
    assert shop.rows("select * from audience.parent_segment_attributes order by customer_id") == before


def test_a_run_that_does_not_publish_fails_as_usual(orders: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    result = copy_of(orders).run(FIRST, HUNGRY, publish=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "TooFewRowsError" in str(failure.step_failure_data.error)


def test_a_full_disk_stops_every_workflow(
    orders: Shop, copy_of: Callable[[Shop], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = copy_of(orders)
    monkeypatch.setattr(LinearRegression, "fit", _full)
    result = shop.run(FIRST, GOOD)
    assert not result.success
    assert "No space left" in str(result.get_step_failure_events()[0].step_failure_data.error)
    assert not shop.rows("select * from information_schema.tables where table_schema = 'audience'")


def test_training_again_on_the_same_data_gives_the_same_versions_and_attributes(
    scored: Shop, copy_of: Callable[[Shop], Shop]
) -> None:
    shop = copy_of(scored)
    champions = [shop.store.champion(name) for name in ("spend", "other")]
    before = shop.rows("select * from audience.parent_segment_attributes order by customer_id")
    for _ in range(2):
        result = shop.run(FIRST, GOOD, spec_of("other"))
        assert {one.state for one in shop.outcomes(result).values()} == {"published"}
    assert [shop.store.champion(name) for name in ("spend", "other")] == champions
    assert shop.rows("select * from audience.parent_segment_attributes order by customer_id") == before


GOOD2 = spec_of("other")


def damage(shop: Shop, workflow: str) -> None:
    champion = shop.store.champion(workflow)
    assert champion is not None
    path = shop.folder / "models" / workflow / champion.champion.version / "preparation.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-2] + b" x")


def _broken(*_: Any, **__: Any) -> None:
    raise TypeError("unsupported operand")


def _full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_stages_read_what_their_run_kept_and_no_other_run(orders: Shop, copy_of: Callable[[Shop], Shop]) -> None:
    warehouse = copy_of(orders).warehouse
    this, other = (
        cast("dg.AssetExecutionContext", SimpleNamespace(run=SimpleNamespace(run_id=name, root_run_id=None)))
        for name in ("this", "other")
    )
    kept = Outcome("this", "spend", FIRST, "this", state="off", reason="held")
    assert read_outcome(warehouse, this, "spend") is None
    with warehouse.write() as database:
        keep_outcome(database, kept)
    assert read_outcome(warehouse, this, "spend") == kept
    assert read_outcome(warehouse, other, "spend") is None
