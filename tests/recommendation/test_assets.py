"""The recommendation workflow as Dagster runs it: from a sample's orders to lists, on a DuckDB file."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tdml_assets.automation.workflow_assets import build_stages
from tdml_assets.declaration.sources import Sources
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.recommendation.model import load_recommender
from tdml_assets.settings import Settings
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.sample_sources import sources_of_sample
from tdml_assets.stages.raw.asset import build_raw_assets
from tdml_assets.stages.triage.asset import build_triage

AS_OF = date(2026, 6, 30)
WORKFLOW = "next_best_product"
COLD = "never ordered a product"
KNOWN = TableContract(
    "features",
    "customer_features",
    "Customers known.",
    (Column("snapshot_date", "DATE", "", False), Column("customer_id", "VARCHAR", "", False)),
)
SNAPSHOTS = TableContract(
    "features",
    "snapshots",
    "Days.",
    (Column("snapshot_date", "DATE", "", False), Column("is_scoring", "BOOLEAN", "", False)),
)


@dg.asset(key=["features", "snapshots"], deps=[["raw", "orders"]])
def snapshots(warehouse: Warehouse) -> None:
    """Stands for the stage of that name."""
    with warehouse.write() as database:
        database.replace(SNAPSHOTS, [{"snapshot_date": AS_OF, "is_scoring": True}])


@dg.asset(key=["features", "customer_features"], deps=[["features", "snapshots"]])
def customer_features(warehouse: Warehouse) -> None:
    """Stands for dbt's table: everybody who ordered, and one who did not order any product."""
    with warehouse.write() as database:
        rows = database.rows(Statement("select distinct customer_id from raw.orders"))
        known = [*(row["customer_id"] for row in rows), COLD]
        database.replace(KNOWN, [{"snapshot_date": AS_OF, "customer_id": customer} for customer in known])


@dataclass
class House:
    """A state folder with a sample, and a way to run on it."""

    folder: Path
    warehouse: Warehouse
    models: ModelStore

    def spec(self, **recommendation: Any) -> WorkflowSpec:
        small = {
            "als_factors": 8,
            "als_iterations": 3,
            "half_lives_days": [120],
            "ease_lambdas": [50],
            **recommendation,
        }
        return WorkflowSpec.model_validate(
            {"name": WORKFLOW, "task": "recommendation", "recommendation": small, "batch_rows": 70}
        )

    def run(self, spec: WorkflowSpec, assets: list[Any], **options: Any) -> dg.ExecuteInProcessResult:
        resources = {"warehouse": self.warehouse, "models": self.models, "s3": S3()}
        return dg.materialize(assets, resources=resources, **options)

    def rows(self, text: str) -> list[dict[str, Any]]:
        with self.warehouse.read() as database:
            return database.rows(Statement(text))


def house(folder: Path, sources: dict[str, Any]) -> tuple[House, list[Any]]:
    warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
    declared = Sources.model_validate(sources)
    raw = build_raw_assets(declared, base_folder=folder, cache_folder=folder / "cache")
    return House(folder, warehouse, ModelStore(url=str(folder / "models"))), [*raw, snapshots, customer_features]


def settings(folder: Path) -> Settings:
    return Settings(home=folder, base_folder=folder)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, dg.ExecuteInProcessResult]:
    folder = tmp_path_factory.mktemp("recommendation")
    write_sample(folder / "sample", SimulationSettings(customers=900, products_per_category=10))
    home, before = house(folder, {"orders": sources_of_sample(folder / "sample")["orders"]})
    spec = home.spec()
    result = home.run(spec, [*before, *build_stages(spec, settings(folder))])
    assert result.success
    return home, result


@pytest.fixture
def copied(scored: tuple[House, Any], tmp_path: Path) -> House:
    """The scored state for a test that goes on from it: the others read it as it was, in whatever order they run."""
    shutil.copytree(scored[0].folder, tmp_path, dirs_exist_ok=True)
    return house(tmp_path, {"orders": sources_of_sample(tmp_path / "sample")["orders"]})[0]


def metadata(result: dg.ExecuteInProcessResult, stage: str) -> dict[str, Any]:
    return dict(result.asset_materializations_for_node(f"{WORKFLOW}__{stage}")[0].metadata)


def test_every_customer_known_has_every_rank_once_and_no_product_twice(scored: tuple[House, Any]) -> None:
    home, _ = scored
    lists = home.rows(
        f"select customer_id, count(*) as n, count(distinct product_id) as products, list(rank order by rank) as ranks, "
        f"count(*) filter (where slot = 'discover') as new from {WORKFLOW}.predictions group by customer_id"
    )
    known = {row["customer_id"] for row in home.rows("select customer_id from features.customer_features")}
    assert {row["customer_id"] for row in lists} == known
    assert all(row["n"] == row["products"] == 20 and row["ranks"] == list(range(1, 21)) for row in lists)
    assert all(row["new"] >= 10 for row in lists)


def test_a_slot_says_whether_the_customer_bought_it_before(scored: tuple[House, Any]) -> None:
    home, _ = scored
    wrong = home.rows(
        f"select count(*) as n from {WORKFLOW}.predictions p left join (select distinct customer_id, product_id from raw.orders "
        "where quantity > 0) o using (customer_id, product_id) where (slot = 'repeat') <> (o.product_id is not null)"
    )
    assert wrong[0]["n"] == 0
    rising = home.rows(
        f"select count(*) as n from (select score - lag(score) over (partition by customer_id, slot order by rank) as step "
        f"from {WORKFLOW}.predictions) where step > 0"
    )
    assert rising[0]["n"] == 0


def test_a_customer_without_history_gets_the_popular_products(scored: tuple[House, Any]) -> None:
    home, _ = scored
    shown = home.rows(f"select product_id, slot from {WORKFLOW}.predictions where customer_id = '{COLD}' order by rank")
    model = load_recommender(home.models, WORKFLOW).model
    best = sorted(range(len(model.products)), key=lambda code: (-model.fallback[code], code))[:20]
    assert [row["product_id"] for row in shown] == [model.products[code].as_py() for code in best]
    assert {row["slot"] for row in shown} == {"discover"}


def test_the_training_table_keeps_what_was_bought_later_out_of_the_history(scored: tuple[House, Any]) -> None:
    home, _ = scored
    parts = home.rows(
        f"select snapshot_date, split, min(last_on) as first, max(last_on) as last from {WORKFLOW}.training_table "
        "group by all order by 1, 2"
    )
    days = [date(2026, 1, 1), date(2026, 4, 1), AS_OF]
    assert [(row["snapshot_date"], row["split"]) for row in parts] == [
        (days[0], "history"),
        (days[0], "truth"),
        (days[1], "history"),
        (days[1], "truth"),
        (days[2], "history"),
    ]
    for row in parts:
        assert row["last"] <= row["snapshot_date"] if row["split"] == "history" else row["first"] > row["snapshot_date"]
        assert row["last"] <= AS_OF
    assert parts[1]["last"] <= days[1]


def test_metrics_stand_beside_both_baselines_and_the_verdict_names_them(scored: tuple[House, Any]) -> None:
    home, result = scored
    found = {
        (row["evaluation_table"], row["metric"]): row["value"]
        for row in home.rows("select * from monitoring.model_metrics")
    }
    assert {split for split, _ in found} == {"train", "test"}
    for name in ("recall", "ndcg", "hit_rate", "coverage"):
        for prefix in ("", "baseline_popular_", "baseline_personal_"):
            assert 0 < found["test", f"{prefix}{name}_at_10"] <= 1
            assert found["test", f"{prefix}{name}_at_20"] <= 1
    assert found["test", "recall_at_10_new"] > found["test", "baseline_personal_recall_at_10_new"] * 0.8
    assert found["test", "recall_at_10"] > found["test", "baseline_popular_recall_at_10"]
    reason = metadata(result, "champion_model")["reason"].value
    assert f"{found['test', 'baseline_popular_recall_at_10']:.1%}" in reason
    assert f"{found['test', 'recall_at_10']:.1%}" in reason


def test_every_stage_shows_a_table_or_a_plot_and_no_customer(scored: tuple[House, Any]) -> None:
    home, result = scored
    customers = {row["customer_id"] for row in home.rows("select customer_id from features.customer_features")}
    for stage, shown in {
        "training_table": "parts",
        "exploration": "concentration",
        "candidate_model": "tried",
        "evaluation": "comparison",
        "predictions": "top ordered against top recommended",
        "drift": "columns",
    }.items():
        held = metadata(result, stage)
        assert shown in held
        assert not any(customer in str(value) for value in held.values() for customer in customers)
    statuses = home.rows("select status from monitoring.sessions")
    assert [row["status"] for row in statuses] == ["scored"]
    assert {row["metric"] for row in home.rows("select metric from monitoring.model_metrics")} >= {
        "repeat_share_of_truth"
    }


def test_the_first_session_describes_the_lists_and_compares_them_with_nothing(scored: tuple[House, Any]) -> None:
    home, result = scored
    rows = home.rows("select kind, column_name, psi, status from monitoring.drift order by column_name")
    assert [(row["kind"], row["column_name"]) for row in rows] == [
        ("prediction", "first_choice"),
        ("prediction", "first_discovery"),
        ("prediction", "first_discovery_score"),
    ]
    assert all((row["status"], row["psi"]) == ("first", None) for row in rows)
    assert metadata(result, "drift")["verdict"].value == "First session of this model: nothing to compare with yet."
    (check,) = [found for found in result.get_asset_check_evaluations() if found.check_name == "no_drift"]
    assert check.passed


def test_the_same_session_again_stores_the_same_model_and_doubles_nothing(
    scored: tuple[House, Any], copied: House
) -> None:
    home, result = copied, scored[1]
    before = home.rows(f"select * exclude (session_id) from {WORKFLOW}.predictions order by customer_id, rank")
    version = metadata(result, "champion_model")["model_version"].value
    spec = home.spec()
    stages = build_stages(spec, settings(home.folder))
    external = [dg.AssetSpec(["raw", "orders"]), dg.AssetSpec(["features", "snapshots"])]
    again = home.run(spec, [*stages, *external])
    assert metadata(again, "champion_model")["model_version"].value == version
    assert home.rows(f"select * exclude (session_id) from {WORKFLOW}.predictions order by customer_id, rank") == before


def test_a_session_that_promotes_another_model_has_nothing_to_compare_with_and_is_judged_all_the_same(
    copied: House,
) -> None:
    """Its lists differ from those of the champion before by the model too."""
    home = copied
    spec = home.spec(half_lives_days=[121])
    stages = [
        *build_stages(spec, settings(home.folder)),
        build_triage(spec, settings(home.folder)),
    ]
    external = [dg.AssetSpec(["raw", "orders"]), dg.AssetSpec(["features", "snapshots"])]
    result = home.run(spec, [*stages, *external])
    champion = metadata(result, "champion_model")
    assert champion["model_version"].value == champion["candidate"].value != champion["previous"].value != "none"
    found = home.rows(f"select decision, sentence from monitoring.triage where session_id = '{result.run_id}'")
    assert found == [{"decision": "nothing", "sentence": "Nothing to compare with yet."}]


def test_products_can_be_left_out(copied: House) -> None:
    home = copied
    products = sorted(row["product_id"] for row in home.rows(f"select product_id from {WORKFLOW}.exploration"))
    spec = home.spec(exclude=[products[0]], include=[f"{products[0][:3]}*"], learners=[], max_items=20)
    table = build_stages(spec, settings(home.folder))[:2]
    assert home.run(spec, table).success
    left = {row["product_id"] for row in home.rows(f"select product_id from {WORKFLOW}.exploration")}
    assert left == {product for product in products[1:] if product.startswith(products[0][:3])}


def test_orders_without_products_are_refused_with_the_remedy(tmp_path: Path) -> None:
    lines = "".join(f"c{row},2026-0{1 + row % 6}-0{1 + row % 9},5\n" for row in range(90))
    (tmp_path / "orders.csv").write_text("who,when,total\n" + lines)
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    orders = {
        "path": "orders.csv",
        "format": "csv",
        "timestamp_format": "%Y-%m-%d",
        "currency": "GBP",
        "columns": columns,
    }
    home, before = house(tmp_path, {"orders": orders})
    spec = home.spec()
    table = build_stages(spec, settings(tmp_path))[0]
    result = home.run(spec, [*before, table], raise_on_error=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    cause = failure.step_failure_data.error.cause
    assert "NoProductsError" in cause.cls_name
    assert "map product_id under sources.orders.columns" in cause.message
