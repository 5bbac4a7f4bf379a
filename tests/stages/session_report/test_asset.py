"""The session report as Dagster runs it: files, metadata, and what it lets through."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tdml_assets.models.store import ModelStore
from tdml_assets.platform import monitoring
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.report_paths import LATEST
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.session_report.asset import build_session_report
from tdml_assets.stages.session_report.pages import OverviewPage, place
from tests.report_history import LAST, spec, write_history

SNAPSHOTS = TableContract(
    *SNAPSHOTS_TABLE, "Days.", (Column("snapshot_date", "DATE", "", False), Column("is_scoring", "BOOLEAN", "", False))
)


@dg.asset(deps=[["cltv", "session_report"]])
def publication() -> None:
    """Stands for what publishes."""


class House:
    """A state folder with a history, and a way to run on it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder, base_folder=folder)
        self.warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
        self.models = ModelStore(url=str(folder / "models"))
        self.reports = folder / "reports" / "cltv"
        with self.warehouse.write() as database:
            database.replace(SNAPSHOTS, [{"snapshot_date": LAST, "is_scoring": True}])

    def run(self, decision: str | None, *, day: Any = LAST) -> dg.ExecuteInProcessResult:
        @dg.asset(key=["cltv", "triage"])
        def triage(context: dg.AssetExecutionContext) -> None:
            """Stands for the stage of that name."""
            key = {"session_id": context.run.run_id, "workflow": "cltv"}
            row = {**key, "as_of": day, "decision": decision, "cause": "none", "sentence": f"{decision} <b>"}
            with self.warehouse.write() as database:
                database.replace(SNAPSHOTS, [{"snapshot_date": day, "is_scoring": True}])
                database.replace_slice(monitoring.SESSIONS, key, [{**key, "as_of": day, "status": "scored"}])
                if decision:
                    database.replace_slice(monitoring.TRIAGE, key, [row])

        assets = [triage, build_session_report(spec(), self.settings), publication]
        overview = OverviewPage(self.settings, [spec()], {"segments": "no customer column"})
        resources = {"warehouse": self.warehouse, "models": self.models, "overview": overview}
        return dg.materialize(assets, resources=resources, raise_on_error=False)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_report_is_written_named_and_shown(house):
    with house.warehouse.write() as database:
        write_history(database, last=LAST.replace(day=23))
    result = house.run("nothing")
    assert result.success
    (shown,) = [event.metadata for event in result.asset_materializations_for_node("cltv__session_report")]
    path = Path(shown["file"].value)
    assert shown["report"].value == f"http://127.0.0.1:3001/cltv/{path.name}"
    assert path == house.reports / f"session-{LAST}-{result.run_id[:8]}.html"
    assert path.read_text() == (house.reports / LATEST).read_text()
    assert "nothing &lt;b&gt;" in path.read_text()
    assert shown["decision"].value == "nothing"
    assert shown["sentence"].value == "nothing <b>"
    assert sorted(found.name for found in house.reports.iterdir()) == [LATEST, path.name]


@pytest.mark.parametrize("decision", ["nothing", "report", "confirm", "retrain", "data_quality", None])
def test_broken_data_alone_keeps_what_is_behind_it_from_running(house, decision):
    result = house.run(decision)
    (check,) = result.get_asset_check_evaluations()
    passes = decision != "data_quality"
    assert (check.check_name, check.passed, check.blocking) == ("may_be_published", passes, True)
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert result.success == passes
    assert bool(result.asset_materializations_for_node("publication")) == passes
    assert (house.reports / LATEST).is_file()


def test_a_report_on_an_earlier_day_leaves_the_latest_one(house):
    house.run("nothing")
    before = (house.reports / LATEST).read_text()
    result = house.run("report", day=LAST.replace(day=2))
    assert result.success
    assert (house.reports / LATEST).read_text() == before
    assert len(list(house.reports.iterdir())) == 3


def test_the_overview_of_all_workflows_is_written_with_every_report(house):
    house.run("data_quality")
    page = (house.reports.parent / "index.html").read_text()
    assert "Broken data: nothing is published" in page
    (report,) = [path for path in house.reports.iterdir() if path.name != LATEST]
    assert f'href="cltv/{report.name}"' in page
    assert "no customer column" in page


def test_a_page_is_replaced_whole(tmp_path):
    path = tmp_path / "a.html"
    place("one", path, is_latest=True)
    place("two", path, is_latest=False)
    assert path.read_text() == "two"
    assert (tmp_path / LATEST).read_text() == "one"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.html", LATEST]
    assert path.stat().st_mode & 0o777 == 0o644
