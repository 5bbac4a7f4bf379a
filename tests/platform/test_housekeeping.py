"""Earlier sessions are removed from a real store, a real instance and real folders, but for what is still needed."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.declaration.retention import Retention
from tdml_assets.models.blobs import FolderStore
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import Manifest, ModelFeature, describe_files
from tdml_assets.platform.housekeeping import Needed, prune, read_needed
from tdml_assets.platform.monitoring import DRIFT_EPISODES, SESSIONS
from tdml_assets.platform.warehouse import Warehouse

NOW = datetime.fromisoformat("2024-07-01T00:00")
VERSIONS = [f"2024-06-{day:02d}-{day:012d}" for day in range(1, 9)]
NOTHING = Needed(frozenset(), {}, {})


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    """Eight versions; the fifth scores, the third did before."""
    made = BundleStore(FolderStore(tmp_path / "models"))
    for place, version in enumerate(VERSIONS):
        files = {"model.json": version.encode()}
        manifest = Manifest(
            workflow="cltv",
            version=version,
            as_of=date(2024, 6, place + 1),
            features=(ModelFeature("x", "FLOAT"),),
            target="target",
            engine="python",
            spec={},
            data_fingerprint="d",
            code_version="c",
            libraries={},
            metrics={},
            session_id="s",
            created_at=NOW,
            files=describe_files(files),
        )
        made.write(manifest, files)
    for version in (VERSIONS[2], VERSIONS[4]):
        made.promote("cltv", version, replacing=made.champion("cltv"), reason="r", session_id="s", promoted_at=NOW)
    return made


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.instance_for_test(temp_dir=str(tmp_path / "dagster")) as made:
        yield made


def clear(
    tmp_path: Path, store: BundleStore, instance: dg.DagsterInstance, needed: Needed = NOTHING, **kept: int
) -> dict[str, int]:
    (tmp_path / "home").mkdir(exist_ok=True)
    return prune(
        Retention(**kept), needed, home=tmp_path / "home", reports=tmp_path / "reports", store=store, instance=instance
    )


def test_the_champion_its_predecessor_and_what_open_episodes_need_stay(
    tmp_path: Path, store: BundleStore, instance: dg.DagsterInstance
) -> None:
    needed = Needed(frozenset({"e"}), {"cltv": {VERSIONS[0]}}, {"cltv": [VERSIONS[4], VERSIONS[1]]})
    assert clear(tmp_path, store, instance, needed, models=4) == {"model versions": 4}
    assert store.versions("cltv") == [VERSIONS[place] for place in (0, 1, 2, 4)]
    assert store.read_champion("cltv").manifest.version == VERSIONS[4]
    assert clear(tmp_path, store, instance, needed, models=4) == {}
    with pytest.raises(ValueError, match="is the champion or the version before it"):
        store.remove("cltv", VERSIONS[2])


def test_a_store_whose_champion_cannot_be_read_loses_nothing(
    tmp_path: Path, store: BundleStore, instance: dg.DagsterInstance
) -> None:
    (tmp_path / "models" / "cltv" / "champion.json").write_text("{", encoding="utf-8")
    assert clear(tmp_path, store, instance, models=2) == {}
    assert store.versions("cltv") == VERSIONS


def test_pages_and_logs_written_first_go_and_the_latest_page_stays(
    tmp_path: Path, store: BundleStore, instance: dg.DagsterInstance
) -> None:
    pages, logs = tmp_path / "reports" / "cltv", tmp_path / "home" / "logs"
    for folder in (pages, logs):
        folder.mkdir(parents=True)
    for age in range(5):
        for path in (pages / f"session-{age}.html", pages / f"drift-{age}.html", logs / f"run-{age}.log"):
            path.write_text("", encoding="utf-8")
            os.utime(path, (1e9 - age, 1e9 - age))
    (pages / "latest.html").write_text("", encoding="utf-8")
    os.utime(pages / "latest.html", (0, 0))
    assert clear(tmp_path, store, instance, reports=2, logs=3) == {"pages": 6, "logs": 2}
    assert {path.name for path in pages.iterdir()} == {
        "latest.html",
        *(f"{kind}-{age}.html" for kind in ("session", "drift") for age in (0, 1)),
    }
    assert {path.name for path in logs.iterdir()} == {f"run-{age}.log" for age in range(3)}


@dg.asset
def one() -> None: ...


@dg.asset
def two() -> None: ...


def run(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, age_days: int, **tags: str) -> str:
    done = dg.materialize([asset], instance=instance, tags=tags)
    at = datetime.now(UTC) - timedelta(days=age_days)
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql(
            "update runs set create_timestamp = ? where run_id = ?",
            (at.replace(tzinfo=None).isoformat(" "), done.run_id),
        )
    return done.run_id


def test_old_runs_go_with_their_files_but_not_the_latest_of_an_asset_nor_those_of_an_open_episode(
    tmp_path: Path, store: BundleStore, instance: dg.DagsterInstance
) -> None:
    gone = run(instance, one, 300)
    tried = run(instance, one, 250, **{"tdml/episode": "open"})
    over = run(instance, one, 250, **{"tdml/episode": "closed"})
    latest_of_two = run(instance, two, 400)
    latest_of_one = run(instance, one, 240)
    folder = tmp_path / "dagster"
    assert list(folder.rglob(f"*{gone}*"))
    assert clear(tmp_path, store, instance, Needed(frozenset({"open"}), {}, {}), runs_days=100) == {"runs": 2}
    assert {found.run_id for found in instance.get_runs()} == {tried, latest_of_two, latest_of_one}
    for run_id in (gone, over):
        assert not list(folder.rglob(f"*{run_id}*"))
    found = instance.get_latest_materialization_event(dg.AssetKey("two"))
    assert found is not None
    assert found.run_id == latest_of_two


def test_what_is_needed_is_read_from_sessions_and_episodes(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path))
    with warehouse.write() as database:
        assert read_needed(database) == NOTHING
        database.ensure(SESSIONS)
        sessions = [
            ("a", "v1", "scored", 1),
            ("b", "v2", "published", 2),
            ("c", "v1", "scored", 3),
            ("d", "v3", "held", 4),
        ]
        database.insert(
            SESSIONS,
            [
                {
                    "session_id": session,
                    "workflow": "cltv",
                    "model_version": version,
                    "status": status,
                    "updated_at": NOW + timedelta(days=day),
                }
                for session, version, status, day in sessions
            ],
        )
        database.ensure(DRIFT_EPISODES)
        database.insert(
            DRIFT_EPISODES,
            [
                {"session_id": "a", "workflow": "cltv", "episode_id": name, "status": name, "model_version": version}
                for name, version in (("open", "v0"), ("closed", "v9"))
            ],
        )
        assert read_needed(database) == Needed(frozenset({"open"}), {"cltv": {"v0"}}, {"cltv": ["v1", "v2"]})
