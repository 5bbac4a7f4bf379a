"""The pages in the reports folder: placing them whole, and the overview of all workflows.

Elsewhere: their paths (``platform/report_paths.py``), what a page says (``page.py``, ``overview.py``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.files import replacing
from tdml_assets.platform.report_paths import LATEST
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings


def place(page: str, path: Path, *, is_latest: bool) -> None:
    """Write a page to its path, and as ``latest.html`` where it is; a reader sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for target in (path, path.with_name(LATEST)) if is_latest else (path,):
        # A report is for the team.
        with replacing(target, mode=0o644) as file:
            file.write(page.encode())


class OverviewPage:
    """``reports/index.html``: what became of every declared workflow.

    ``workflows``: those that the settings run. ``off``: reason per workflow that the sources do not allow.
    """

    def __init__(self, settings: Settings, workflows: Sequence[WorkflowSpec], off: Mapping[str, str]) -> None:
        self._settings, self._workflows, self._off = settings, workflows, off

    def write(self, warehouse: Warehouse) -> Path:
        """Write the page from what the warehouse holds now. Returns its path."""
        from tdml_assets.stages.session_report.overview import OVERVIEW_FILE, read_overview, render_overview

        folder = self._settings.reports_folder
        with warehouse.read() as database:
            facts = read_overview(database, self._workflows, self._off)
        pages = [path.relative_to(folder).as_posix() for path in folder.glob("*/*.html")]
        path, exports = folder / OVERVIEW_FILE, self._settings.effective_exports_url
        if Path(exports).is_relative_to(self._settings.home):
            # The page is passed on: it does not say where the state folder lies on this machine.
            exports = f"{Path(exports).relative_to(self._settings.home).as_posix()}/ in the state folder"
        place(render_overview(facts, exports=exports, reports=pages), path, is_latest=False)
        return path
