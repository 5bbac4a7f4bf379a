"""``explain`` and ``status`` on a finished state."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE
from tdml_assets.platform.statements import render
from tdml_assets.settings import load_settings
from tdml_assets.stages.features.dbt_manifest import ensure_manifest
from tdml_assets.stages.features.past_features import FEATURES, recompute
from tests.e2e.conftest import Home

OF_ORDERS = {"orders": ("raw", "orders"), "snapshots": SNAPSHOTS_TABLE}


def test_features_of_a_past_day_are_those_that_were_stored_then(data_home: Home) -> None:
    settings = load_settings(data_home.environment)
    manifest = ensure_manifest(settings.home, "warehouse")
    with build_warehouse(settings).read() as database:
        day = min(
            row["snapshot_date"] for row in database.rows(render("features/snapshot_dates", snapshots=SNAPSHOTS_TABLE))
        )
        stored = next(
            row
            for name in database.rows(render("features/sampled_customers", **OF_ORDERS, count=50))
            for row in database.rows(
                render("explain/features", features=FEATURES, customer_id=name["customer_id"], snapshot_date=day)
            )
        )
        again = recompute(database, manifest, stored["customer_id"], day)
    assert again == stored
    assert again is not None
    assert again["total_orders"] >= 1


def test_a_customer_is_explained_and_the_state_is_told(finished_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in finished_home.environment.items():
        monkeypatch.setenv(name, value)
    with build_warehouse(load_settings()).read() as database:
        (row,) = database.rows(render("features/sampled_customers", **OF_ORDERS, count=1))
    done = CliRunner().invoke(app, ["explain", row["customer_id"], "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["figures"]["orders"] >= 1
    by_name = {entry["workflow"]: entry for entry in told["workflows"]}
    assert set(by_name) == {"churn", "cltv", "next_best_product", "segments"}
    assert 0 <= by_name["churn"]["scores"]["probability"] <= 1
    assert by_name["churn"]["reasons"]
    assert by_name["next_best_product"]["products"][0]["rank"] == 1

    state = CliRunner().invoke(app, ["status", "--json"])
    assert state.exit_code == 0, state.output
    champions = {entry["name"]: entry["model"]["champion"] for entry in json.loads(state.stdout)["workflows"]}
    assert set(champions) == set(by_name)
    assert champions["churn"] == by_name["churn"]["model_version"]
    assert Path(json.loads(state.stdout)["home"]) == Path(finished_home.environment["TDML_HOME"])
