"""A replay's sessions: what they are told, in which order they may run, and what is read of them."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.replay import replay
from tdml_assets.commands.replay_sessions import ReplayRefusedError, read_step, run_replay, session_environment
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.monitoring import MODEL_METRICS, SESSIONS, TRIAGE
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.settings import Settings, load_settings

DAY = date(2011, 3, 31)
SPEC = WorkflowSpec(name="cltv")


def settings_of(folder: Path, **keys: Any) -> Settings:
    return Settings.model_validate({"home": folder / "home", "base_folder": folder, **keys})


def session(day: date, *, version: str = "v1", status: str = "scored", session_id: str = "s1") -> dict[str, Any]:
    at = datetime.fromisoformat("2026-01-01T12:00")
    return {
        "session_id": session_id,
        "workflow": "cltv",
        "as_of": day,
        "model_version": version,
        "status": status,
        "updated_at": at,
    }


def test_a_session_is_told_its_day_and_keeps_what_the_settings_override(tmp_path: Path) -> None:
    own = {"cltv": {"target": {"horizon_days": 30}, "monitor": {"alpha": 0.05}}, "churn": {}}
    settings = settings_of(tmp_path, workflows=own)
    base = {
        "PATH": "/bin",
        "TDML_WORKFLOWS__CHURN__BATCH_ROWS": "7",
        "TDML_AS_OF": "2012-01-01",
        "TDML_ALERTS__WEBHOOK__URL_ENV": "HOOK",
    }
    found = session_environment(settings, ["cltv"], DAY, base)
    # What the environment said of a workflow that is left out must not bring it back.
    again = load_settings(
        {key: value for key, value in found.items() if key.startswith("TDML_")}, working_folder=tmp_path
    )
    assert again.as_of == DAY
    assert again.alerts.webhook is None
    assert again.workflows == {"cltv": {"target": {"horizon_days": 30}, "monitor": {"alpha": 0.05, "report": False}}}
    assert found["TDML_HOME"] == str(settings.home)


def test_without_overrides_every_workflow_chosen_still_runs(tmp_path: Path) -> None:
    found = session_environment(settings_of(tmp_path), ["cltv", "churn"], DAY, {})
    assert set(json.loads(found["TDML_WORKFLOWS"])) == {"cltv", "churn"}


def test_a_replay_into_the_past_of_a_champion_is_refused_with_the_remedy(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with build_warehouse(settings).write() as database:
        database.ensure(SESSIONS)
        database.insert(SESSIONS, [session(date(2011, 6, 30)), session(date(2011, 7, 31), status="abandoned")])
    with pytest.raises(ReplayRefusedError, match="exists at 2011-06-30, after --from 2011-03-31.*TDML_HOME"):
        next(run_replay(settings, ["cltv"], [DAY], keep_going=True))
    # Where it ended, it may go on.
    assert "as_of" in next(run_replay(settings, ["cltv"], [date(2011, 6, 30)], keep_going=True))


def test_a_workflow_that_does_not_run_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ReplayRefusedError, match="nonsense does not run with these settings; known: .*cltv"):
        next(run_replay(settings_of(tmp_path), ["nonsense"], [DAY], keep_going=True))


def test_a_day_is_told_by_the_session_that_stood_at_it_and_by_none_of_an_earlier_run(tmp_path: Path) -> None:
    before, after = datetime.fromisoformat("2026-01-01T11:00"), datetime.fromisoformat("2026-01-01T13:00")
    key = {"session_id": "s1", "workflow": "cltv"}
    with build_warehouse(settings_of(tmp_path)).write() as database:
        database.replace_slice(SESSIONS, key, [session(DAY)])
        tested = {**key, "evaluation_table": "test", "metric": "wape", "value": 0.91}
        database.replace_slice(MODEL_METRICS, key, [tested])
        undecided = read_step(database, SPEC, DAY, before)
        database.replace_slice(TRIAGE, key, [{**key, "decision": "report", "cause": "features"}])
        found = read_step(database, SPEC, DAY, before)
        stale = read_step(database, SPEC, DAY, after)
    assert (found.model, found.tested, found.realised) == ("v1", "wape 0.910", "")
    assert found.monitoring == "report (features)"
    assert undecided.monitoring == "scored"
    assert stale.model == stale.tested == stale.monitoring == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "2011-03-31", "--to", "2011-01-31"], "before it begins"),
        (["--from", "2011-03-31", "--to", "2011-04-30", "--every", "fortnight"], "give month, week"),
        (["--from", "31.03.2011", "--to", "2011-04-30"], "--from"),
    ],
)
def test_days_that_make_no_replay_are_refused_before_anything_runs(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    app = typer.Typer()
    app.command()(replay)
    found = CliRunner().invoke(app, options)
    assert found.exit_code == 2
    assert words in found.output
    assert not (tmp_path / "home").exists()
