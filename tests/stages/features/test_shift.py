"""Deleting every later row must not change a feature, and a feature that looks ahead must be caught."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tdml_assets.stages.features.dbt_manifest import ensure_manifest
from tdml_assets.stages.features.dbt_project import models_in_order
from tdml_assets.stages.features.shift import Comparison, judge, snapshots_to_check
from tdml_assets.stages.features.shift_asset import compare_without_later_rows
from tests.stages.features.conftest import SNAPSHOTS

FROM = "from features.customer_features where snapshot_date = '{}' order by customer_id"


@pytest.fixture
def manifest(built):
    platform = built[0]
    return json.loads(ensure_manifest(platform.home, Path(platform.warehouse.database).stem).read_text())


def test_deleting_every_later_row_changes_no_bit_of_a_feature(built, copied):
    snapshot = SNAPSHOTS[1]
    before = built[0].rows(FROM.format(snapshot))
    copied.change(
        f"delete from raw.orders where ordered_on > '{snapshot}'",
        f"delete from raw.pageviews where viewed_on > '{snapshot}'",
        f"delete from raw.email_events where sent_on > '{snapshot}'",
        f"delete from features.snapshots where snapshot_date > '{snapshot}'",
    )
    copied.build("--exclude-resource-type", "unit_test")

    assert len(before) > 20
    assert copied.rows(FROM.format(snapshot)) == before


def test_the_check_passes_and_says_what_it_compared(built):
    result = built[1]
    evaluation = next(found for found in result.get_asset_check_evaluations() if "later" in found.check_name)

    assert evaluation.passed
    assert evaluation.blocking
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    assert metadata["customers sampled"] == 40
    assert metadata["features compared"] == 62
    assert metadata["snapshots compared"] == [str(day) for day in SNAPSHOTS]
    assert metadata["later rows left out"] > 300
    assert "customer-" not in str(metadata) + (evaluation.description or "")


def test_a_stored_feature_that_holds_the_target_is_caught(copied, manifest):
    copied.change(
        """
        update features.customer_features as features
        set total_spend = total_spend + coalesce((
            select sum(amount)
            from raw.orders
            where orders.customer_id = features.customer_id
                and ordered_on > snapshot_date and ordered_on <= snapshot_date + 90
        ), 0)
        """
    )
    comparisons, _ = compare_without_later_rows(copied.warehouse, manifest, 2000)
    passed, sentence = judge(comparisons)

    assert not passed
    assert "total_spend for" in sentence
    assert {name for found in comparisons for name in found.different} == {"total_spend"}


def test_a_model_that_looks_a_month_ahead_is_caught(copied, manifest):
    leaking = copy.deepcopy(manifest)
    node = leaking["nodes"]["model.tdml.int_snapshot_days"]
    cut = "days.day <= snapshots.snapshot_date"
    assert cut in node["compiled_code"]
    node["compiled_code"] = node["compiled_code"].replace(cut, f"{cut} + 30")
    # The features are stored as the leaking models make them, and checked with the leaking models.
    connection = duckdb.connect(copied.warehouse.database)
    for model in models_in_order(leaking):
        kind = "view" if model.is_view else "table"
        connection.execute(f"create or replace {kind} {model.schema}.{model.name} as {model.sql}")
    connection.close()

    comparisons, _ = compare_without_later_rows(copied.warehouse, leaking, 2000)

    assert not judge(comparisons)[0]
    assert {"total_orders", "days_since_last_order", "total_pageviews"} <= set(comparisons[0].different)


def test_a_customer_who_was_unknown_at_the_snapshot_is_caught(copied, manifest):
    first = SNAPSHOTS[0]
    copied.change(
        f"""
        insert into features.customer_features
        select * replace (date '{first}' as snapshot_date)
        from features.customer_features
        where snapshot_date = '{SNAPSHOTS[-1]}'
            and customer_id not in (select customer_id from features.customer_features where snapshot_date = '{first}')
        """
    )
    comparisons, _ = compare_without_later_rows(copied.warehouse, manifest, 2000)

    assert comparisons[0].only_stored > 0
    assert not judge(comparisons)[0]


def test_the_earliest_the_latest_and_the_last_labelled_snapshot_are_looked_at():
    days = [date(2024, month, 1) for month in range(1, 7)]

    assert snapshots_to_check(days[::-1]) == (days[0], days[4], days[5])
    assert snapshots_to_check(days[:1]) == (days[0],)
    assert snapshots_to_check([]) == ()


def test_a_manifest_that_was_only_parsed_is_refused():
    node = {"resource_type": "model", "depends_on": {"nodes": []}, "schema": "s", "name": "m"}
    node["config"] = {"materialized": "table"}
    with pytest.raises(ValueError, match=r"model\.tdml\.m has no compiled_code .* dbt compile"):
        models_in_order({"nodes": {"model.tdml.m": node}})


def test_the_verdict_names_features_and_counts_worst_first():
    wrong = Comparison(date(2024, 1, 1), 10, 50, 1, 2, {"a": 3, "b": 9}, 5)
    passed, sentence = judge([wrong])

    assert not passed
    assert "2024-01-01, of 50 customers: b for 9, a for 3, 1 stored that should not be there, 2 missing" in sentence
