"""raw.consent and raw.suppression: the lists that destinations ask, loaded as they are at that moment.

Elsewhere: what a list means for a sync (``activation/permission.py``), reading files (``files.py``, ``tables.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import PermissionSource, Source, Sources
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import PERMISSION_LISTS
from tdml_assets.stages.raw.rules import SourceError

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database, Warehouse
    from tdml_assets.stages.raw.files import FoundFiles
    from tdml_assets.stages.raw.load_report import LoadReport

#: Customers below which a share of them says little.
_FEW = 20


def declared_lists(sources: Sources) -> dict[str, PermissionSource]:
    """The lists that the settings declare, by name."""
    return {name: source for name in PERMISSION_LISTS if isinstance(source := sources.declared(name), PermissionSource)}


def load_lists(
    warehouse: Warehouse, sources: Sources, *, base_folder: Path, cache_folder: Path, s3_client: Callable[[], Any]
) -> dict[str, LoadReport]:
    """Load every declared list; unchanged files are not read again.

    Raises ``SourceError`` if one cannot be read, or lost most of its customers. The table before stays. ``base_folder``: folder
    that relative paths start from. ``cache_folder``: where fetched files are kept.
    """
    lists = declared_lists(sources)
    if not lists:
        return {}
    from tdml_assets.stages.raw.files import collect_files

    cache_folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).replace(tzinfo=None)
    reports = {}
    for name, source in lists.items():
        found = collect_files(name, source, base_folder=base_folder, cache_folder=cache_folder, s3_client=s3_client)
        with warehouse.write() as database:
            reports[name] = load_list(
                database, name, source, found, session_id="sync", now=now, scratch_folder=cache_folder
            )
    return reports


def load_list(
    database: Database, table: str, declaration: Source | None, found: FoundFiles, **options: Any
) -> LoadReport:
    """Load one list inside the caller's transaction; roll it back where this raises.

    Parameters are those of ``load_table``. Raises ``SourceError``: see :func:`load_lists`.
    """
    from tdml_assets.stages.raw.tables import load_table

    path = PERMISSION_LISTS[table].path
    before = _customers(database, path)
    report = load_table(database, table, declaration, found, **options)
    if report.is_unchanged or not isinstance(declaration, PermissionSource):
        return report
    if declaration.columns.allowed is not None:
        database.execute(render("raw/mark_unsaid", table=path))
    after = _customers(database, path)
    if before >= _FEW and after < (1 - declaration.most_drop) * before:
        raise SourceError(
            f"sources.{table} has {after:,} customers and had {before:,}: {1 - after / before:.0%} fewer, at most "
            f"{declaration.most_drop:.0%} are allowed. Nobody is sent. Give the whole list; if this is all, write most_drop: 1 "
            f"under sources.{table} for one run"
        )
    return report


def _customers(database: Database, path: tuple[str, str]) -> int:
    if not database.has_table(path):
        return 0
    found: int = database.row(render("raw/list_customers", table=path))["customers"]
    return found
