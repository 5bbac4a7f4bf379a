"""Earlier snapshots hold the customers that training draws, as_of holds everybody, and nothing else changes."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.declaration.target_kinds import KINDS
from tdml_assets.declaration.workflow import Snapshots, WorkflowSpec
from tdml_assets.platform.sessions import ONLY_AS_OF
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.dbt_manifest import ensure_manifest
from tdml_assets.stages.features.drawing import share_to_draw
from tdml_assets.stages.features.shift import judge
from tdml_assets.stages.features.shift_asset import compare_without_later_rows
from tdml_assets.stages.features.snapshots_asset import build_snapshots
from tests.stages.features.conftest import SNAPSHOTS, Platform

FEATURES = "select * from features.customer_features order by snapshot_date, customer_id"
SHARE = 0.5


def draw_of(customer: str) -> float:
    """The draw as the statements take it: the lower half of the MD5, little-endian."""
    digest = hashlib.md5(f"sample:{customer}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") % 1_000_000 / 1_000_000


@pytest.fixture
def drawn(copied: Platform) -> Platform:
    copied.change(f"update features.snapshots set customer_share = if(is_scoring, 1, {SHARE})")
    assert copied.materialize().success
    return copied


def test_earlier_snapshots_hold_the_drawn_alone_with_the_features_that_everybody_would_have(
    built, drawn: Platform
) -> None:
    everybody, rows = built[0].rows(FEATURES), drawn.rows(FEATURES)
    kept = [row for row in everybody if row["snapshot_date"] == SNAPSHOTS[-1] or draw_of(row["customer_id"]) < SHARE]
    assert rows == kept
    assert 10 < len(kept) < len(everybody) - 20


def test_the_training_table_takes_who_was_drawn(drawn: Platform) -> None:
    statement = render(
        "training_table/build",
        features_table=("features", "customer_features"),
        dates=list(SNAPSHOTS[:-1]),
        roles=["train", "test"],
        columns=["total_orders"],
        holdout_share=0.2,
        sample_share=SHARE,
        events_table=("raw", "orders"),
        day="ordered_on",
        kind=KINDS["net_spend"],
        column=None,
        conditions={},
        horizon_days=30,
    )
    with drawn.warehouse.read() as database:
        taken = database.rows(statement)
        share = render("training_table/drawn_share", snapshots=("features", "snapshots"), dates=list(SNAPSHOTS[:-1]))
        assert database.row(share)["customer_share"] == SHARE
    there = drawn.rows(f"select count(*) as n from features.customer_features where snapshot_date < '{SNAPSHOTS[-1]}'")
    assert len(taken) == there[0]["n"] > 0


def test_the_shift_test_looks_at_customers_that_every_snapshot_holds(drawn: Platform) -> None:
    manifest = json.loads(ensure_manifest(drawn.home, Path(drawn.warehouse.database).stem).read_text())
    comparisons, sampled = compare_without_later_rows(drawn.warehouse, manifest, 2000)
    passed, sentence = judge(comparisons)
    assert passed, sentence
    customers = drawn.rows("select distinct customer_id from raw.orders")
    assert sampled == sum(draw_of(row["customer_id"]) < SHARE for row in customers)


def _spec(max_rows: int | str, **eligible: int) -> WorkflowSpec:
    target = {"horizon_days": 30}
    return WorkflowSpec.model_validate(
        {"name": "spend", "task": "regression", "target": target, "split": {"max_rows": max_rows}}
        | ({"eligible": eligible} if eligible else {})
    )


@pytest.fixture
def shop(tmp_path: Path) -> Warehouse:
    """200 customers who order on the first day, every fourth of them again 40 days later, and one returns all."""
    warehouse = Warehouse(database=str(tmp_path / "warehouse.duckdb"), temp_directory=str(tmp_path / "spill"))
    import duckdb

    with duckdb.connect(warehouse.database) as connection:
        connection.execute(
            """
            create schema raw;
            create table raw.orders as
            select 'c' || i as customer_id, 'o' || i || ':' || n as order_id, date '2024-01-01' + (40 * n)::integer as ordered_on,
                true as is_product, i = 0 as is_return, 10.0 as amount, 'f' as file, i as row_number
            from range(200) as customers(i), range(2) as orders(n)
            where n = 0 or i % 4 = 0
            """
        )
    return warehouse


DAYS = (date(2024, 1, 20), date(2024, 2, 20))


@pytest.mark.parametrize(
    ("specs", "share"),
    [
        # 199 customers with a sale, at both days.
        ([_spec(398)], 1.0),
        ([_spec(199)], 1.05 * 199 / 398),
        ([_spec(100), _spec(199)], 1.05 * 199 / 398),
        ([_spec(100), _spec(1000)], 1.0),
        ([_spec(100), _spec("all")], 1.0),
        # 49 have a second order, known on the second day alone.
        ([_spec(100, min_orders=2)], 1.0),
        # On the second day the same 49 ordered lately; on the first everybody had.
        ([_spec(124, ordered_within_days=20)], 1.05 * 124 / 248),
    ],
)
def test_the_most_demanding_workflow_says_how_many_are_drawn(
    shop: Warehouse, specs: list[WorkflowSpec], share: float
) -> None:
    named = [spec.model_copy(update={"name": f"w{place}"}) for place, spec in enumerate(specs)]
    with shop.read() as database:
        found = share_to_draw(database, named, {spec.name: DAYS for spec in named})
        assert share_to_draw(database, named, {spec.name: () for spec in named}) == 1.0
    assert found == pytest.approx(share)


@pytest.mark.parametrize(
    ("tags", "champions", "days"),
    [
        ({}, {"spend"}, 3),
        ({ONLY_AS_OF: "true"}, {"spend"}, 1),
        # A fallback is measured on earlier days.
        ({ONLY_AS_OF: "true"}, set(), 3),
    ],
)
def test_a_run_that_trains_nothing_takes_features_at_as_of_alone_where_a_model_scores(
    shop: Warehouse, tags: dict[str, str], champions: set[str], days: int
) -> None:
    spec = _spec(1000).model_copy(update={"snapshots": Snapshots(count=2, step_days=5, seasons=[], min_history_days=0)})
    as_of = date(2024, 2, 10)
    asset = build_snapshots([spec], as_of, has_champion=champions.__contains__)
    dg.materialize([dg.AssetSpec(["raw", "orders"]), asset], resources={"warehouse": shop}, tags=tags)
    with shop.read() as database:
        rows = database.rows(Statement("from features.snapshots order by snapshot_date"))
    assert len(rows) == days
    assert rows[-1] == {"snapshot_date": as_of, "is_scoring": True, "customer_share": 1.0}
