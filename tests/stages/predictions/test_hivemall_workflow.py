"""A workflow with ``engine: hivemall`` from its training table to predictions, and the gate between engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdml_assets.engines.hivemall import compiled
from tdml_assets.stages.predictions.in_sql import weights_contract
from tests.stages.evaluation.test_champion_asset import FIRST, SECOND, check, metadata, shop


def test_a_linear_champion_scores_in_sql_and_meets_a_candidate_of_the_python_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)
    one = shop(tmp_path)
    result = one.train(FIRST, engine="hivemall", model={"reasons": 2})
    assert result.success
    manifest = one.store.manifest("spend", one.champion())
    assert (manifest.engine, manifest.spec["estimator"]) == ("hivemall", "train_regressor")
    assert {"linear_model.json", "linear_weights.parquet"} <= {file.name for file in manifest.files}
    assert metadata(result, "candidate_model")["engine"].value.startswith("hivemall: declared: ")
    (row,) = one.rows(
        "select count(*) as customers, count(distinct p.predicted_target) as different, min(p.predicted_target) as lowest, "
        "count(p.reason_1) as explained, corr(p.predicted_target, f.worth) as alike "
        "from spend.predictions as p inner join features.customer_features as f using (customer_id) "
        "where f.snapshot_date = (select max(snapshot_date) from features.customer_features)"
    )
    assert row["customers"] == row["explained"] > 100
    assert row["different"] > 50
    assert row["lowest"] >= 0
    assert row["alike"] > 0.5
    assert one.rows(f"select feature from {'.'.join(weights_contract('spend').path)} order by 1")[0] == {"feature": "0"}

    later = one.train(SECOND)
    assert later.success
    compared = [found for found in one.gate() if found["difference"] is not None]
    assert compared, "the candidate of the other engine was measured next to the champion"
    assert "champion" in str(check(later).description)
