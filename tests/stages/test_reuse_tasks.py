"""Segments and recommendations in a second session on the same: taken over, and what a computation would give."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tdml_assets.automation.workflow_assets import build_stages
from tdml_assets.platform.recorded_events import UNCHANGED
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.sample_sources import sources_of_sample
from tdml_assets.stages import reuse
from tests.recommendation.test_assets import WORKFLOW, house, settings
from tests.stages.evaluation.test_champion_asset import FIRST, Shop, shop
from tests.stages.test_reuse import STAGES, only, opened, tables, taken_over

SEGMENTS: dict[str, Any] = {
    "task": "clustering",
    "target": {},
    "features": {"include": ["total_spend", "total_orders", "days_since_last_order"]},
    "model": {"reasons": 0},
    "clustering": {"k_min": 3, "k_max": 4, "refits": 3, "min_stability": 0.3},
}


@pytest.fixture
def segmented(tmp_path: Path) -> Shop:
    (tmp_path / "dagster").mkdir()
    shop(tmp_path)
    one = opened(tmp_path)
    with one.warehouse.get_connection() as connection:
        connection.execute("create schema staging")
        connection.execute("create view staging.stg_orders as select *, 1 as quantity from raw.orders")
    assert taken_over(one.train(FIRST, **SEGMENTS)) == set()
    return one


def of_workflow(one: Shop) -> dict[str, list[str]]:
    """Rows of the workflow's own tables, and of its figures without doubles: a session appends the same again."""
    return {name: sorted(set(rows)) for name, rows in tables(one).items() if name != "monitoring.gate"}


def test_segments_are_taken_over_in_the_second_session_and_are_what_a_computation_gives(
    segmented: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, version = of_workflow(segmented), segmented.champion()
    assert taken_over(segmented.train(FIRST, **SEGMENTS)) == set(STAGES)
    assert (of_workflow(segmented), segmented.champion()) == (first, version)
    monkeypatch.setattr(reuse, "code_of_stages", lambda: "other code")
    assert taken_over(segmented.train(FIRST, **SEGMENTS)) == set()
    assert (of_workflow(segmented), segmented.champion()) == (first, version)


def test_segments_behind_another_champion_are_computed(segmented: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "champion_of", lambda *_: ("2024-06-23-0123456789ab", "a" * 64))
    found = taken_over(segmented.train(FIRST, selection=only("prepared", "candidate_model"), **SEGMENTS))
    assert found == {"prepared"}


def test_recommendations_are_taken_over_in_the_second_session(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", SimulationSettings(customers=450, products_per_category=6))
    home, before = house(tmp_path, {"orders": sources_of_sample(tmp_path / "sample")["orders"]})
    spec = home.spec()
    assets = [*before, *build_stages(spec, settings(tmp_path))]
    taken, tables_of = [], []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            result = home.run(spec, assets, instance=instance)
            assert result.success
            taken.append(
                {
                    event.asset_key.path[-1]
                    for event in result.get_asset_materialization_events()
                    if event.asset_key is not None and UNCHANGED in event.materialization.metadata
                }
            )
            tables_of.append(
                home.rows(
                    f"select * exclude (session_id) from {WORKFLOW}.predictions order by customer_id, rank, product_id"
                )
            )
    assert taken == [set(), {"training_table", "exploration", "candidate_model", "predictions"}]
    assert tables_of[0] == tables_of[1] != []
    assert (
        len(home.rows(f"select distinct model_version from monitoring.model_versions where workflow = '{WORKFLOW}'"))
        == 1
    )
