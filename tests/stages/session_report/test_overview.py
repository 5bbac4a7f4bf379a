"""The overview page says what became of every workflow, and what a person has to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform import monitoring
from tdml_assets.platform.outcome import OUTCOMES
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.session_report.overview import read_overview, render_overview
from tdml_assets.stages.triage.words import DECISIONS
from tests.report_history import LAST, spec, write_history
from tests.stages.session_report.test_page import HOSTILE, Page

CHURN = WorkflowSpec(name="churn", task="classification", label="Churn", target={"kind": "no_purchase"})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as opened:
        yield opened


def overview(database: Database, *specs: WorkflowSpec, off=None, reports=()) -> tuple[Page, str]:
    text = render_overview(
        read_overview(database, specs or (spec(),), off or {}), exports="/x/exports", reports=reports
    )
    return Page(text), text


def test_before_the_first_session_every_workflow_is_listed(database):
    page, text = overview(database, spec(), CHURN, off={"segments": "no customer column"})
    assert "No session yet" in text
    assert page.sections["workflows"].count("no session yet") == 2
    assert "switched off" in page.sections["workflows"]
    assert "no customer column" in page.sections["workflows"]
    assert "Nothing needs a person" in page.sections["needs"]


def test_a_workflow_has_its_state_decision_trend_and_a_link_to_its_report(database):
    this = write_history(database, decision="nothing")
    database.replace(monitoring.DRIFT_EPISODES, [])
    page, text = overview(database, reports=[f"cltv/session-{LAST}-{this[:8]}.html"])
    said = page.sections["workflows"]
    assert "published" in said
    assert DECISIONS["nothing"].headline in said
    assert "error per customer" in said
    assert "came true" in said
    assert "trend-cltv" in page.ids
    assert f'href="cltv/session-{LAST}-{this[:8]}.html"' in text
    assert "Nothing needs a person" in page.sections["needs"]
    assert not page.tags.keys() & {"script", "img", "link", "iframe"}


def test_a_report_that_is_not_there_is_not_linked(database):
    write_history(database, sessions=1)
    assert "href" not in overview(database)[1]


@pytest.mark.parametrize(
    ("decision", "needed"), [("nothing", False), ("report", False), ("retrain", True), ("data_quality", True)]
)
def test_what_needs_a_person_is_said_first_with_what_to_do(database, decision, needed):
    write_history(database, sessions=2, decision=decision)
    database.replace(monitoring.DRIFT_EPISODES, [])
    said = overview(database)[0].sections["needs"]
    assert (DECISIONS[decision].next_step in said) == needed
    assert ("Nothing needs a person" in said) != needed


def test_an_open_episode_needs_a_person(database):
    write_history(database, sessions=2, decision="report")
    assert "drift since 2026-06-23" in overview(database)[0].sections["needs"]


def test_the_outcome_of_a_workflow_is_shown_with_its_reason_and_remedy(database):
    this = write_history(database, sessions=2, decision="nothing")
    database.replace(monitoring.DRIFT_EPISODES, [])
    few = {"state": "fallback", "method": "rules", "reason": "26 customers are too few", "needs_person": False}
    held = {"state": "off", "reason": "everybody bought once", "remedy": "leave churn out", "needs_person": True}
    rows = [{"session_id": this, "workflow": "cltv", **few}, {"session_id": this, "workflow": "churn", **held}]
    database.replace(OUTCOMES, rows)
    page, _ = overview(database, CHURN, spec())
    assert "published by a simpler method" in page.sections["workflows"]
    assert "26 customers are too few." in page.sections["workflows"]
    assert "off in this session" in page.sections["workflows"]
    assert "Everybody bought once. Leave churn out." in page.sections["needs"]
    assert "26 customers" not in page.sections["needs"], "what the orders do not allow needs nobody"


def test_a_failed_workflow_needs_a_person_whatever_is_recorded(database):
    this = write_history(database, sessions=2, decision="nothing")
    database.replace(OUTCOMES, [{"session_id": this, "workflow": "cltv", "state": "failed"}])
    assert "No reason is recorded" in overview(database)[0].sections["needs"]


def test_text_of_the_tables_cannot_break_out_of_the_overview(database):
    this = write_history(database, sessions=2, sentence=HOSTILE)
    database.replace(OUTCOMES, [{"session_id": this, "workflow": "cltv", "state": HOSTILE, "reason": HOSTILE}])
    page, _ = overview(database, spec(label=HOSTILE), off={"x": HOSTILE})
    assert not page.tags.keys() & {"script", "img"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
