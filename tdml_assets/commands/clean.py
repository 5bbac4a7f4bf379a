"""The command ``clean``: what of a state folder may go, the choice, and its removal.

Elsewhere: what a session removes by itself (``platform/housekeeping.py``).
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import AsJson, expected_errors, print_json, read_settings
from tdml_assets.declaration.addresses import parse_place

if TYPE_CHECKING:
    from tdml_assets.settings import Settings


@dataclass(frozen=True)
class Entry:
    """A file or folder that might go.

    ``kind``: logs, reports, versions, exports, runs, scratch or old states. ``group``: entries of one group compete for the
    places that are kept, such as the versions of one workflow. ``path``: where it lies. ``size_bytes``: with everything below
    it. ``written_at``: seconds since the epoch; the newest are kept.
    """

    kind: str
    group: str
    path: Path
    size_bytes: int
    written_at: float


def superfluous(entries: Iterable[Entry], keep: int, protected: Collection[Path] = ()) -> list[Entry]:
    """Entries that go: in each group all but the newest ``keep``, and never one that is protected.

    A protected entry does not count among those kept. Raises ``ValueError`` if ``keep`` is negative.
    """
    if keep < 0:
        raise ValueError(f"keep is {keep}: give 0 or more")
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.path not in protected:
            groups.setdefault((entry.kind, entry.group), []).append(entry)
    doomed = []
    for members in groups.values():
        newest_first = sorted(members, key=lambda entry: (entry.written_at, entry.path.name), reverse=True)
        doomed += newest_first[keep:]
    return sorted(doomed, key=lambda entry: (entry.kind, str(entry.path)))


def totals(entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    """Kind, number and bytes, in the order of kinds."""
    kinds = sorted({entry.kind for entry in entries})
    return [
        (kind, sum(e.kind == kind for e in entries), sum(e.size_bytes for e in entries if e.kind == kind))
        for kind in kinds
    ]


def size_words(size_bytes: int) -> str:
    """Bytes as people read them.

    >>> size_words(4_200_000)
    '4.2 MB'
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes} B"


_VERSIONS = "versions"
#: Where the kinds lie, below the state folder.
_PATTERNS = {
    "logs": ("logs/*.log",),
    "reports": ("reports/*/session-*.html", "reports/*/drift-*.html"),
    # What Dagster keeps of the console of each run.
    "runs": ("dagster/storage/*-*-*-*-*",),
    # Left behind by processes that were killed.
    "scratch": (
        *("spill/*", "cache/compare-*", "cache/database-*.parquet", "dbt/compile-*", "warehouse.duckdb.compacting*"),
        *("models/*/.discarded-*", "models/*/.incomplete-*", "cache/pictures"),
    ),
}


def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is only listed.")] = False,
    keep: Annotated[
        int,
        typer.Option(min=2, help="Logs, reports, exports, runs and model versions kept, of each workflow."),
    ] = 12,
    old_states: Annotated[bool, typer.Option("--old-states", help="Also states that run --fresh moved aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what old logs, reports, exports, runs and model versions take, and remove them with --yes.

    Every session that publishes removes what the settings' retention does not keep; this removes more, at once. Tables, champions
    and the versions before them are never removed. With --yes the warehouse's file is written anew: deleted rows, such as those of
    customers that are gone from the files, leave no byte in it.

    \b
    tdml-assets clean
    tdml-assets clean --keep 5 --yes
    """
    settings = read_settings()
    with expected_errors():
        from tdml_assets.platform.compaction import compact
        from tdml_assets.platform.run_lock import hold_state

        if not yes:
            found = doomed(settings, keep, old_states=old_states)
        elif settings.home.exists():
            with hold_state(settings.home / "run.lock", "clean", 0.0):
                found = doomed(settings, keep, old_states=old_states)
                for entry in found:
                    _remove(settings, entry)
                if settings.warehouse_path.exists():
                    compact(settings.warehouse_path)
        else:
            found = []
    if as_json:
        print_json({"removed": yes, "entries": [asdict(entry) for entry in found]})
        return
    for kind, count, size in totals(found):
        typer.echo(f"{kind:<12}{count:>8,}  {size_words(size):>9}")
    total = size_words(sum(entry.size_bytes for entry in found))
    if not found:
        typer.echo("nothing to remove")
    else:
        typer.echo(f"{total} removed" if yes else f"{total} could go: add --yes to remove it, --json to see every path")


def doomed(settings: Settings, keep: int, *, old_states: bool = False) -> list[Entry]:
    """Everything that would go."""
    home = settings.home
    unwanted = list(_found(home, "scratch"))
    if old_states:
        unwanted += [_entry("old states", "", path) for path in home.parent.glob(f"{home.name}.old-*")]
    current = _current_export(settings)
    kept = [entry for kind in ("logs", "reports", "runs") for entry in _found(home, kind)]
    files = superfluous([*kept, *_exports(settings)], keep, {current} if current else set())
    return [*files, *_versions(settings, keep), *superfluous(unwanted, 0)]


def _remove(settings: Settings, entry: Entry) -> None:
    from tdml_assets.platform.resources import build_model_store

    if entry.kind == _VERSIONS:
        # The store refuses what a champion needs, whoever asks.
        build_model_store(settings).open().remove(entry.group, entry.path.name)
    else:
        remove(entry.path)


def remove(path: Path) -> None:
    """Remove a file, or a folder at once for whoever looks into the one above it."""
    if path.is_dir() and not path.is_symlink():
        hidden = path.rename(path.parent / f".discarded-{secrets.token_hex(8)}")
        shutil.rmtree(hidden)
    else:
        path.unlink(missing_ok=True)


def _entry(kind: str, group: str, path: Path) -> Entry:
    below = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    size = sum(one.stat().st_size for one in below)
    return Entry(kind, group, path, size, path.stat().st_mtime)


def _found(home: Path, kind: str) -> Iterator[Entry]:
    """Entries of a kind that lies in the state folder; reports of each workflow and pattern are a group of their own."""
    for pattern in _PATTERNS[kind]:
        for path in home.glob(pattern):
            group = f"{path.parent.name} {pattern.rpartition('/')[2]}" if kind == "reports" else ""
            yield _entry(kind, group, path)


def _export_folder(settings: Settings) -> Path | None:
    from tdml_assets.stages.audience.exports import DATASET

    folder = parse_place(settings.effective_exports_url, "exports_url").folder
    return folder / DATASET if folder else None


def _exports(settings: Settings) -> Iterator[Entry]:
    folder = _export_folder(settings)
    for path in folder.glob("*/manifest.json") if folder is not None else ():
        if not path.parent.is_symlink():
            yield _entry("exports", "", path.parent)


def _current_export(settings: Settings) -> Path | None:
    from tdml_assets.stages.audience.exports import POINTER

    folder = _export_folder(settings)
    pointer = folder / POINTER if folder is not None else None
    if pointer is None or folder is None or not pointer.is_file():
        return None
    return folder / str(json.loads(pointer.read_text(encoding="utf-8"))["path"])


def _versions(settings: Settings, keep: int) -> list[Entry]:
    """Versions that may go, of a store that is a folder: as at the end of a session, with another number kept."""
    from tdml_assets.models.bundles import BundleDamagedError
    from tdml_assets.platform.housekeeping import Needed, read_needed
    from tdml_assets.platform.old_files import removable_versions
    from tdml_assets.platform.resources import build_model_store, build_warehouse

    folder = Path(settings.effective_models_url)
    if "://" in settings.effective_models_url or not folder.is_dir():
        return []
    needed = Needed(frozenset(), {}, {})
    if settings.warehouse_path.exists():
        with build_warehouse(settings).read() as database:
            needed = read_needed(database)
    store = build_model_store(settings).open()
    found = []
    for workflow in store.workflows():
        try:
            current = store.champion(workflow)
        except BundleDamagedError:
            # Which version must stay is not known: all do.
            continue
        if current is not None:
            protected = {current.champion.version, current.champion.previous or "", *needed.models.get(workflow, ())}
            scored = needed.scored.get(workflow, [])
            doomed_names = removable_versions(store.versions(workflow), scored, protected, keep)
            found += [_entry(_VERSIONS, workflow, folder / workflow / name) for name in doomed_names]
    return found
