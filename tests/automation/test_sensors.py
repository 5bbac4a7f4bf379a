"""The sensor on an ephemeral instance, with real materialisations and real run records."""

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from tdml_assets.automation.jobs import SCORING_JOB, build_jobs, training_job_name
from tdml_assets.automation.schedules import build_schedules
from tdml_assets.automation.sensors import build_sensors
from tdml_assets.core.workflow import Monitor, WorkflowSpec

SPEC = WorkflowSpec(name="cltv", monitor=Monitor(cool_down_days=7), schedule="0 5 * * 1")


class Harness:
    """Plays sessions and ticks against one instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        (self.sensor,) = build_sensors([SPEC], build_jobs([SPEC]))

    def session(self, drifted: bool, champion: str = "v1") -> None:
        """Record what the drift asset records."""

        @dg.asset(key=["cltv", "drift"])
        def drift() -> dg.MaterializeResult:
            verdict = "3 of 9 columns drifted" if drifted else "no drift"
            return dg.MaterializeResult(
                metadata={"session_id": "s", "model_version": champion, "drifted": drifted, "verdict": verdict}
            )

        assert dg.materialize([drift], instance=self.instance).success

    def tick(self, *, keep_cursor: bool = True) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        if keep_cursor:
            self.cursor = result.cursor
        return result

    def launch(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> str:
        """What the daemon would have launched, in the given state."""

        @dg.op
        def nothing() -> None: ...

        @dg.job(name=request.job_name or "")
        def job() -> None:
            nothing()

        return self.instance.create_run_for_job(job, tags=dict(request.tags), status=status).run_id


@pytest.fixture
def harness() -> Iterator[Harness]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Harness(instance)


def test_calm_sessions_start_nothing_and_move_the_cursor(harness: Harness) -> None:
    harness.session(drifted=False)
    result = harness.tick()
    assert not result.run_requests
    assert "no session found drift" in str(result.skip_reason)
    assert json.loads(result.cursor or "")["cltv"] > 0


def test_drift_requests_one_training_and_says_why(harness: Harness) -> None:
    harness.session(drifted=True)
    (request,) = harness.tick().run_requests or []
    assert request.job_name == "train_cltv"
    assert request.run_key == "drift:cltv:v1:attempt1"
    assert request.tags["tdml/reason"] == "3 of 9 columns drifted"


def test_a_calm_session_behind_a_drifted_one_does_not_hide_it(harness: Harness) -> None:
    harness.session(drifted=True)
    harness.session(drifted=False)
    assert len(harness.tick().run_requests or []) == 1


def test_a_tick_repeated_before_its_cursor_was_kept_asks_with_the_same_key(harness: Harness) -> None:
    harness.session(drifted=True)
    first = harness.tick(keep_cursor=False).run_requests or []
    second = harness.tick().run_requests or []
    assert [request.run_key for request in first] == [request.run_key for request in second]


def test_while_the_retraining_runs_nothing_else_starts_and_the_drift_is_not_forgotten(harness: Harness) -> None:
    harness.session(drifted=True)
    (request,) = harness.tick().run_requests or []
    harness.launch(request, dg.DagsterRunStatus.STARTED)
    result = harness.tick()
    assert not result.run_requests
    assert "running already" in str(result.skip_reason)


def test_a_failed_retraining_is_tried_again_under_a_new_key(harness: Harness) -> None:
    harness.session(drifted=True)
    (request,) = harness.tick().run_requests or []
    harness.launch(request, dg.DagsterRunStatus.FAILURE)
    (again,) = harness.tick().run_requests or []
    assert again.run_key == "drift:cltv:v1:attempt2"


def test_a_champion_is_retrained_once_even_if_the_cursor_is_lost(harness: Harness) -> None:
    harness.session(drifted=True)
    (request,) = harness.tick().run_requests or []
    harness.launch(request, dg.DagsterRunStatus.SUCCESS)
    harness.cursor = None
    result = harness.tick()
    assert not result.run_requests
    assert "once per champion" in str(result.skip_reason)


def test_a_new_champion_that_drifts_soon_waits_for_the_cool_down(harness: Harness) -> None:
    harness.session(drifted=True, champion="v1")
    (request,) = harness.tick().run_requests or []
    harness.launch(request, dg.DagsterRunStatus.SUCCESS)
    harness.tick()
    harness.session(drifted=True, champion="v2")
    result = harness.tick()
    assert not result.run_requests
    assert "cooling down until" in str(result.skip_reason)


def test_schedules_and_sensor_are_off_until_somebody_switches_them_on() -> None:
    jobs = build_jobs([SPEC])
    schedules = build_schedules([SPEC])
    assert {schedule.name for schedule in schedules} == {"train_cltv_schedule", f"{SCORING_JOB}_schedule"}
    assert all(schedule.default_status is dg.DefaultScheduleStatus.STOPPED for schedule in schedules)
    assert all(sensor.default_status is dg.DefaultSensorStatus.STOPPED for sensor in build_sensors([SPEC], jobs))
    assert {job.name for job in jobs} == {training_job_name("cltv"), SCORING_JOB}
