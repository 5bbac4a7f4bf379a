"""Removing what nobody needs of earlier sessions: pages, logs, Dagster's runs, model versions.

Elsewhere: how much is kept (``declaration/retention.py``).

Called by the run that holds the state folder, so nothing else writes there meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from tdml_assets.declaration.retention import Retention
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.platform.monitoring import DRIFT_EPISODES, SESSIONS
from tdml_assets.platform.old_files import removable_versions, remove_files
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database

#: Runs removed by one session at most: the first one with a limit must not take minutes.
_MOST_RUNS = 100
_PAGES = ("session-*.html", "drift-*.html")
#: Of the sensor that retrains: it counts its attempts from the runs themselves.
_EPISODE_TAG = "tdml/episode"


@dataclass(frozen=True)
class Needed:
    """What the warehouse says must stay.

    ``episodes``: ids of open episodes. ``models``: per workflow, versions that open episodes began with. ``scored``: per
    workflow, versions that scored, the latest first.
    """

    episodes: frozenset[str]
    models: dict[str, set[str]]
    scored: dict[str, list[str]]


def read_needed(database: Database) -> Needed:
    """Read what open episodes and the latest sessions are about."""
    models: dict[str, set[str]] = {}
    scored: dict[str, list[str]] = {}
    episodes: set[str] = set()
    for row in database.rows_if(DRIFT_EPISODES.path, render("retention/open_episodes", table=DRIFT_EPISODES.path)):
        episodes.add(row["episode_id"])
        models.setdefault(row["workflow"], set()).add(row["model_version"])
    for row in database.rows_if(SESSIONS.path, render("retention/scored_versions", table=SESSIONS.path)):
        scored.setdefault(row["workflow"], []).append(row["model_version"])
    return Needed(frozenset(episodes), models, scored)


def prune(
    retention: Retention, needed: Needed, *, home: Path, reports: Path, store: BundleStore, instance: dg.DagsterInstance
) -> dict[str, int]:
    """Remove what ``retention`` does not keep. Returns how many pages, logs, model versions and runs went."""
    removed: Counter[str] = Counter()
    for folder in sorted(path for path in reports.glob("*") if path.is_dir()):
        for pattern in _PAGES:
            removed["pages"] += remove_files(folder, pattern, retention.reports)
    removed["logs"] = remove_files(home / "logs", "*.log", retention.logs)
    for workflow in store.workflows():
        for version in _removable_models(store, workflow, needed, retention.models):
            store.remove(workflow, version)
            removed["model versions"] += 1
    for run in _removable_runs(instance, needed.episodes, datetime.now(UTC) - timedelta(days=retention.runs_days)):
        _remove_run(instance, run)
        removed["runs"] += 1
    return {name: count for name, count in removed.items() if count}


def _removable_models(store: BundleStore, workflow: str, needed: Needed, keep: int) -> list[str]:
    try:
        current = store.champion(workflow)
    except BundleDamagedError:
        # Nobody knows which one scores: all stay until somebody promoted one.
        return []
    if current is None:
        return []
    protected = {current.champion.version, current.champion.previous or "", *needed.models.get(workflow, ())}
    return removable_versions(store.versions(workflow), needed.scored.get(workflow, []), protected, keep)


def _removable_runs(
    instance: dg.DagsterInstance, episodes: frozenset[str], before: datetime
) -> Iterator[dg.DagsterRun]:
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = instance.get_run_records(
        dg.RunsFilter(statuses=ended, created_before=before), limit=_MOST_RUNS, ascending=True
    )
    if not old:
        return
    latest = set()
    for record in instance.get_asset_records(list(instance.all_asset_keys())):
        entry = record.asset_entry
        latest |= {entry.last_run_id, entry.last_materialization_record and entry.last_materialization_record.run_id}
    for found in old:
        run = found.dagster_run
        if run.run_id not in latest and run.tags.get(_EPISODE_TAG) not in episodes:
            yield run


def _remove_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    # With all of SQLAlchemy behind it, which loading the code location does without.
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    instance.delete_run(run.run_id)
    instance.compute_log_manager.delete_logs(prefix=[run.run_id])
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        # A file per run, which Dagster empties and leaves.
        for path in Path(storage.path_for_shard(run.run_id)).parent.glob(f"{run.run_id}.db*"):
            path.unlink(missing_ok=True)
