"""The pointer moves as the gate decided, unless an operator was faster."""

from datetime import date, datetime
from pathlib import Path

import pytest

from tdml_assets.models.blobs import FolderStore
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import Manifest, ModelFeature, describe_files
from tdml_assets.stages.evaluation.champion_asset import act

OLD, NEW = "2024-06-02-000000000001", "2024-06-09-000000000002"
NOW = datetime.fromisoformat("2024-06-09T00:00")
DECISION = {"candidate": NEW, "champion": OLD, "decision": "promote", "reason": "promoted: error 1.0 less"}


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    store = BundleStore(FolderStore(tmp_path / "models"))
    for version in (OLD, NEW):
        files = {"model.json": version.encode()}
        store.write(
            Manifest(
                "spend", version, date(2024, 6, 9), (ModelFeature("x", "FLOAT"),), "target", "python", {}, "d", "c", {}, {},
                "session", NOW, describe_files(files),
            ),
            files,
        )  # fmt: skip
    store.promote("spend", OLD, replacing=None, reason="first", session_id="session", promoted_at=NOW)
    return store


def test_a_candidate_that_the_gate_let_through_is_promoted(store: BundleStore) -> None:
    assert act(store, "spend", DECISION, "session").champion.champion.version == NEW


def test_a_hold_placed_between_evaluation_and_promotion_keeps_the_champion(store: BundleStore) -> None:
    # The decision to promote was made before the hold.
    store.hold("spend", "audit", NOW)
    outcome = act(store, "spend", DECISION, "session")
    assert not outcome.moved
    assert outcome.champion.champion.version == OLD
    assert "audit" in outcome.reason
    current = store.champion("spend")
    assert current is not None
    assert current.champion.version == OLD


def test_a_candidate_that_was_compared_with_another_champion_waits_for_the_next_training(store: BundleStore) -> None:
    outcome = act(store, "spend", {**DECISION, "champion": "2024-05-26-000000000000"}, "session")
    assert (outcome.moved, outcome.champion.champion.version) == (False, OLD)
    assert f"the champion became {OLD} while the candidate was compared with 2024-05-26" in outcome.reason


def test_a_workflow_without_a_champion_gets_none_by_a_hold(store: BundleStore) -> None:
    with pytest.raises(LookupError, match=f"churn has no champion, and {NEW} was not to be one: held: too few"):
        act(store, "churn", {**DECISION, "decision": "hold", "champion": None, "reason": "held: too few"}, "session")
