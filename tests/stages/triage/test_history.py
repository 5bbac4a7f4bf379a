"""What earlier sessions left for the triage: the share of the importance that each raw feature has."""

from __future__ import annotations

from pathlib import Path

from tdml_assets.platform.monitoring import FEATURE_IMPORTANCES
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.triage.history import read_importances


def test_prepared_columns_count_for_the_raw_feature_they_come_from_and_unknown_ones_for_none(tmp_path: Path) -> None:
    shap = {"spend": 3.0, "city__oslo": 1.0, "city__rome": 0.5, "orders": None, "gone": 9.0}
    rows = [
        {"session_id": "s", "workflow": "cltv", "stage": "all", "feature": name, "shap": value}
        for name, value in shap.items()
    ]
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as database:
        database.replace(FEATURE_IMPORTANCES, rows)
        found = read_importances(database, "cltv", "s", ["spend", "city", "orders"])
        assert read_importances(database, "cltv", "other", ["spend"]) == {}
    assert found == {"spend": 3.0 / 4.5, "city": 1.5 / 4.5, "orders": 0.0}
