"""A destination is an asset: what it reports, its check, and that a session does not fail for it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.commands.outcomes import exit_code_of_session
from tdml_assets.settings import Settings, load_settings
from tdml_assets.stages.audience.destinations_asset import CHECK, build_destinations
from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver

KEY = dg.AssetKey(["audience", "crm"])


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


@pytest.fixture
def published(tmp_path: Path) -> Published:
    found = Published(tmp_path)
    found.publish(people(3, grade="canary-grade"))
    return found


@pytest.fixture
def settings(published: Published, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Settings:
    retries = "retries: {attempts: 1}, sync_retries: {most: 1, first_pause_seconds: 0}"
    hook = f"{{kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET, {retries}}}"
    (published.folder / "tdml.yaml").write_text(f"destinations: {{crm: {hook}}}", encoding="utf-8")
    monkeypatch.setenv("HOOK_URL", receiver.url)
    monkeypatch.setenv("HOOK_SECRET", "s3cret-canary")
    return load_settings({"TDML_CONFIG": str(published.folder / "tdml.yaml"), "TDML_HOME": str(published.folder)})


def materialised(published: Published, settings: Settings) -> dg.ExecuteInProcessResult:
    return dg.materialize(build_destinations(settings, []), resources={"warehouse": published.warehouse})


def test_no_destination_makes_no_asset(settings: Settings) -> None:
    assert build_destinations(Settings(home=Path(), base_folder=Path()), []) == []
    (asset,) = build_destinations(settings, [])
    assert asset.keys == {KEY}
    assert asset.op.pool == "destination_crm"


def test_the_asset_reports_figures_and_no_customer(
    published: Published, settings: Settings, receiver: Receiver
) -> None:
    receiver.tell(script=[500])
    done = materialised(published, settings)
    metadata = done.asset_materializations_for_node("audience__crm")[0].metadata
    assert {
        name: metadata[name].value for name in ("status", "added", "changed", "unchanged", "removed", "failed")
    } == {
        "status": "succeeded",
        "added": 3,
        "changed": 0,
        "unchanged": 0,
        "removed": 0,
        "failed": 0,
    }
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True]
    assert len(receiver.requests) == 2
    events = " ".join(str(event) for event in done.all_events)
    assert not [word for word in ("canary", "00001", "127.0.0.1") if word in events]


def test_a_destination_that_is_down_fails_its_check_and_not_the_session(
    published: Published, settings: Settings, receiver: Receiver
) -> None:
    receiver.tell(script=[500] * 9)
    done = materialised(published, settings)
    assert done.success
    (check,) = done.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == (CHECK, False, dg.AssetCheckSeverity.ERROR)
    assert check.description is not None
    assert "answers 500" in check.description
    published.run(
        "create table monitoring.workflow_outcomes as select 's1' as session_id, 'churn' as workflow, date '2026-06-30' as as_of, "
        "'r' as run_id, 'published' as state, 'champion' as method, null::varchar as stopped_at, null::varchar as error, "
        "null::varchar as reason, null::varchar as remedy, false as needs_person"
    )
    assert exit_code_of_session(settings) == 3
    receiver.tell(script=[])
    assert materialised(published, settings).success
    assert len(receiver.rows) == 3
