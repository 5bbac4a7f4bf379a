"""The pages in the reports folder: placing them whole, and the overview of all workflows.

Belongs here: paths, and the files themselves. Does not: what a page says (``core/session_report.py``, ``core/overview.py``).
"""

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import NamedTemporaryFile

from tdml_assets.core.overview import OVERVIEW_FILE, read_overview, render_overview
from tdml_assets.core.session_report import report_name
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.resources.warehouse import Warehouse
from tdml_assets.settings import Settings

LATEST = "latest.html"


def place(page: str, path: Path, *, is_latest: bool) -> None:
    """Write a page to its path, and as ``latest.html`` where it is; a reader sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for target in (path, path.with_name(LATEST)) if is_latest else (path,):
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False) as file:
            written = Path(file.name)
            try:
                file.write(page)
                file.flush()
                os.fsync(file.fileno())
                # A temporary file is readable by its owner alone; a report is for the team.
                written.chmod(0o644)
            except BaseException:
                written.unlink()
                raise
        written.replace(target)


def report_path(settings: Settings, workflow: str, as_of_day: date, session_id: str) -> Path:
    """Where the report of a session is, or will be: earlier stages may name it in an alert."""
    return settings.reports_folder / workflow / report_name(as_of_day, session_id)


class OverviewPage:
    """``reports/index.html``: what became of every declared workflow.

    Parameters
    ----------
    workflows : those that the settings run.
    off : reason per workflow that the sources do not allow.
    """

    def __init__(self, settings: Settings, workflows: Sequence[WorkflowSpec], off: Mapping[str, str]) -> None:
        self._settings, self._workflows, self._off = settings, workflows, off

    def write(self, warehouse: Warehouse) -> Path:
        """Write the page from what the warehouse holds now. Returns its path."""
        folder = self._settings.reports_folder
        with warehouse.read() as database:
            facts = read_overview(database, self._workflows, self._off)
        pages = [path.relative_to(folder).as_posix() for path in folder.glob("*/*.html")]
        path, exports = folder / OVERVIEW_FILE, self._settings.effective_exports_url
        if Path(exports).is_relative_to(self._settings.home):
            # The page is passed on: where the state folder lies on this machine is nobody's business.
            exports = f"{Path(exports).relative_to(self._settings.home).as_posix()}/ in the state folder"
        place(render_overview(facts, exports=exports, reports=pages), path, is_latest=False)
        return path
