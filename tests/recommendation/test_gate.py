"""A recommendation's candidate against its champion as Dagster runs it, on a DuckDB file."""

from typing import Any

import dagster as dg
import pytest

from tdml_assets.automation.workflow_assets import build_stages
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.sample_sources import sources_of_sample
from tests.recommendation.test_assets import WORKFLOW, House, house, metadata, settings


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A champion, and a second candidate of the same day that learnt otherwise."""
    folder = tmp_path_factory.mktemp("contest")
    write_sample(folder / "sample", SimulationSettings(customers=600, products_per_category=8))
    home, before = house(folder, {"orders": sources_of_sample(folder / "sample")["orders"]})
    spec = home.spec(learners=["item_knn"])
    stages = build_stages(spec, settings(folder))[:-1]
    assert home.run(spec, [*before, *stages]).success
    return home


def again(home: House, **recommendation: Any) -> dg.ExecuteInProcessResult:
    spec = home.spec(**recommendation)
    external = [dg.AssetSpec(["raw", "orders"]), dg.AssetSpec(["features", "snapshots"])]
    external.append(dg.AssetSpec(["features", "customer_features"]))
    stages = build_stages(spec, settings(home.folder))[:-1]
    return home.run(spec, [*stages, *external])


def test_on_its_own_test_the_champion_misses_what_it_missed_then(scored: House) -> None:
    champion = scored.models.open().read_champion(WORKFLOW).manifest
    result = again(scored, learners=["ease"], popularity_weights=[0.1, 3])
    assert result.success
    rows = scored.rows("select * from monitoring.gate where metric = 'missed_at_10' and slice = 'all'")
    (row,) = rows
    assert row["champion"] == champion.version
    assert row["candidate"] != champion.version
    assert row["champion_value"] == pytest.approx(1 - (champion.metrics["recall_at_10"] or 0), rel=1e-9)
    candidate = scored.models.open().manifest(WORKFLOW, row["candidate"]).metrics
    assert row["candidate_value"] == pytest.approx(1 - (candidate["recall_at_10"] or 0), rel=1e-9)
    assert row["customers"] == candidate["customers"]
    reason = metadata(result, "champion_model")["reason"].value
    assert "share of purchases missed by the first 10 ranks" in reason
    now = scored.models.open().champion(WORKFLOW)
    assert now is not None
    assert now.champion.version == (row["candidate"] if row["decision"] == "promote" else champion.version)
