"""A model version must still be what it was when it was trained; the store alone cannot say so."""

import json
import os
from datetime import date, datetime
from pathlib import Path

import pytest

from tdml_assets.models.blobs import BlobStoreError, FolderStore
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import (
    BundleDamagedError,
    Manifest,
    ModelFeature,
    describe_files,
    other_libraries,
    sha256,
)
from tdml_assets.models.record import record_version, recorded_versions
from tdml_assets.platform.warehouse import Warehouse

VERSION = "2024-06-02-000000000001"
NOW = datetime.fromisoformat("2024-06-09T00:00")


def manifest(files: dict[str, bytes], session: str = "session") -> Manifest:
    return Manifest(
        workflow="spend",
        version=VERSION,
        as_of=date(2024, 6, 2),
        features=(ModelFeature("x", "FLOAT"),),
        target="target",
        engine="python",
        spec={},
        data_fingerprint="d",
        code_version="c",
        libraries={"xgboost": "3.2.0"},
        metrics={"mae": 1.0 if session == "session" else 2.0},
        session_id=session,
        created_at=NOW,
        files=describe_files(files),
    )


FILES = {"model.json": b"{}"}


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    made = BundleStore(FolderStore(tmp_path / "models"))
    made.write(manifest(FILES), FILES)
    made.promote("spend", VERSION, replacing=None, reason="first", session_id="session", promoted_at=NOW)
    return made


@pytest.fixture
def recorded(tmp_path: Path) -> dict[str, str]:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"))
    with warehouse.write() as database:
        assert recorded_versions(database, "spend") == {}
        for session in ("session", "again", "again"):
            record_version(database, session, manifest(FILES, session))
        return recorded_versions(database, "spend")


def replace_version(folder: Path) -> None:
    """Another model under the same name, with a manifest and a pointer that vouch for it."""
    other = {"model.json": b"[]"}
    place = folder / "models" / "spend"
    (place / VERSION / "model.json").write_bytes(other["model.json"])
    (place / VERSION / "manifest.json").write_bytes(manifest(other).to_bytes())
    pointer = json.loads((place / "champion.json").read_bytes())
    pointer["manifest_sha256"] = sha256(manifest(other).to_bytes())
    (place / "champion.json").write_text(json.dumps(pointer), encoding="utf-8")


def test_a_version_trained_again_is_the_same_whoever_did_and_however_it_was_measured(recorded: dict[str, str]) -> None:
    assert recorded == {VERSION: manifest(FILES, "later").content_sha256}


def test_a_version_replaced_in_the_store_neither_scores_nor_is_promoted(
    tmp_path: Path, store: BundleStore, recorded: dict[str, str]
) -> None:
    assert store.read_champion("spend", recorded).files == FILES
    replace_version(tmp_path)
    assert store.read_champion("spend").files == {"model.json": b"[]"}, "the store vouches for what it holds"
    words = "is not what was trained: files or manifest were replaced .* promote another version, or remove its folder"
    with pytest.raises(BundleDamagedError, match=words):
        store.read_champion("spend", recorded)
    before = store.champion("spend")
    with pytest.raises(BundleDamagedError, match=words):
        store.promote(
            "spend",
            VERSION,
            replacing=before,
            reason="back",
            session_id="operator",
            promoted_at=NOW,
            recorded=recorded[VERSION],
        )
    assert store.champion("spend") == before


@pytest.mark.parametrize("name", ["champion.json", f"{VERSION}/manifest.json", f"{VERSION}/model.json"])
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path, store: BundleStore, name: str) -> None:
    place = tmp_path / "models" / "spend" / name
    place.unlink()
    os.mkfifo(place)
    with pytest.raises((BundleDamagedError, BlobStoreError), match="is not a file"):
        store.read_champion("spend")


def test_a_device_in_the_place_of_a_file_is_refused(tmp_path: Path, store: BundleStore) -> None:
    place = tmp_path / "models" / "spend" / VERSION / "model.json"
    place.unlink()
    place.symlink_to("/dev/zero")
    with pytest.raises(BundleDamagedError, match="is not a file"):
        store.read_champion("spend")


def test_only_another_major_version_of_a_library_is_told() -> None:
    recorded = {"xgboost": "2.1.4", "numpy": "2.0.0", "gone": "1.0"}
    assert other_libraries(recorded, {"xgboost": "3.2.0", "numpy": "2.4.1"}) == ["xgboost 2.1.4, now 3.2.0"]
