"""What status says, and what it says needs a person."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.commands.status_report import (
    ModelStatus,
    Recorded,
    Status,
    needs_of,
    read_recorded,
    render_status,
    workflow_status,
)
from tdml_assets.platform.monitoring import DRIFT_EPISODES, GATE, SESSIONS, TRIAGE
from tdml_assets.platform.outcome import OUTCOMES
from tdml_assets.platform.warehouse import Warehouse

DAY, NOW = date(2026, 6, 30), datetime(2026, 7, 2, 9)  # noqa: DTZ001 - naive UTC, as everywhere
MODEL = ModelStatus(2, "2026-06-30-45cd255edacf", datetime(2026, 6, 1, 3))  # noqa: DTZ001


def session(workflow: str, **more: Any) -> dict[str, Any]:
    row = {"session_id": "s2", "workflow": workflow, "as_of": DAY, "status": "published", "updated_at": NOW}
    return {**row, **more}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Two sessions; the later one held a candidate, found drift and left one workflow off."""
    found = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path))
    episode = {
        "episode_id": "e",
        "kind": "drift",
        "status": "open",
        "opened_as_of": DAY,
        "retrain": True,
        "sentence": "x",
    }
    with found.write() as database:
        for contract, rows in {
            SESSIONS: [
                session("cltv", session_id="s1", as_of=date(2026, 5, 31), updated_at=datetime(2026, 6, 1)),  # noqa: DTZ001
                session("cltv"),
                session("churn", status="started"),
                session("churn", session_id="s0", status="abandoned", updated_at=datetime(2026, 7, 3)),  # noqa: DTZ001
            ],
            TRIAGE: [{"session_id": "s2", "workflow": "cltv", "decision": "retrain", "sentence": "four columns moved"}],
            GATE: [
                {"session_id": "s2", "workflow": "cltv", "candidate": "c", "decision": "hold", "reason": "worse by 3"}
            ],
            DRIFT_EPISODES: [{"session_id": "s2", "workflow": "cltv", **episode}],
            OUTCOMES: [
                {"session_id": "s2", "workflow": "segments", "state": "running"},
                {
                    "session_id": "s2",
                    "workflow": "churn",
                    "state": "off",
                    "reason": "all bought once",
                    "remedy": "wait",
                    "needs_person": True,
                },
            ],
        }.items():
            database.replace(contract, rows)
    return found


def test_the_tables_of_the_latest_session_are_read(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        recorded = read_recorded(database, ["churn", "cltv", "segments"])
    assert (recorded.session["session_id"], recorded.session["as_of"]) == ("s2", DAY)
    cltv = workflow_status("cltv", "CLTV", None, recorded, MODEL)
    assert (cltv.state, cltv.as_of) == ("published", DAY)
    assert cltv.candidate == "of 2026-06-30, worse by 3"
    assert "four columns moved" in cltv.decision
    churn = workflow_status("churn", "Churn", None, recorded, ModelStatus())
    assert (churn.state, churn.reason, churn.remedy) == ("off", "all bought once", "wait")
    assert workflow_status("segments", "Segments", None, recorded, ModelStatus()).state == "new"
    assert workflow_status("nbp", "N", "no products", recorded, ModelStatus()).reason == "no products"


def test_what_needs_a_person_is_named_with_the_command(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        recorded = read_recorded(database, ["churn", "cltv"])
    workflows = [
        workflow_status("churn", "Churn", None, recorded, ModelStatus(1, damage="not JSON")),
        workflow_status("cltv", "CLTV", None, recorded, ModelStatus(1, "v", NOW, held="an operator keeps it (audit)")),
    ]
    needs = needs_of(workflows, recorded.episodes, recorded.session, NOW)
    assert [need.partition(":")[0] for need in needs] == ["churn", "churn", "cltv", "cltv"]
    assert "tdml-assets promote churn VERSION --repair" in needs[0]
    assert needs[1] == "churn: off: all bought once: wait"
    assert needs[2].endswith("retrain with tdml-assets run --workflow cltv")
    assert needs[3].endswith("(audit): tdml-assets release cltv")
    unscored = workflow_status("cltv", "CLTV", None, recorded, ModelStatus(1))
    assert needs_of([unscored], (), recorded.session, NOW) == (
        "cltv: no model scores; the candidate of 2026-06-30, worse by 3",
    )
    later = datetime(2026, 9, 1)  # noqa: DTZ001
    assert needs_of([], (), recorded.session, later) == ("the last session is 61 days old: tdml-assets run",)
    assert needs_of([], (), {}, NOW) == ("nothing has run yet: tdml-assets run",)


def test_an_installation_on_which_nothing_ran_is_answered(tmp_path: Path) -> None:
    empty = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path))
    with empty.write():
        pass
    with empty.read() as database:
        assert read_recorded(database, ["cltv"]) == Recorded()


def test_the_words_name_champion_age_schedules_and_needs(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        recorded = read_recorded(database, ["cltv"])
    cltv = workflow_status("cltv", "Customer lifetime value", None, recorded, MODEL)
    schedules = {"score_and_publish_schedule": True, "train_cltv_schedule": False}
    told = Status(
        "/h", "the sample data", DAY, NOW, recorded.session, "", (cltv,), recorded.episodes, schedules, ("act",)
    )
    text = render_status(told, NOW)
    for part in (
        "Session   as of 2026-06-30, 2026-07-02 09:00 UTC (today), s2",
        "Customer lifetime value (cltv): published, as of 2026-06-30",
        "champion   2026-06-30-45cd255edacf, scores since 2026-06-01 (31 days ago); 2 stored",
        "score_and_publish_schedule on, train_cltv_schedule off",
        "What needs you\n  - act",
    ):
        assert part in text, text
    assert max(map(len, text.splitlines())) <= 100
    assert told.to_dict()["workflows"][0]["model"]["versions"] == 2
