"""The sensor on an ephemeral instance, with real materialisations, real run records and a real model store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.automation.jobs import SCORING_JOB, build_jobs, build_schedules, training_job_name
from tdml_assets.automation.sensors import build_sensors
from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.targets import Target
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import BundleDamagedError, Manifest, ModelFeature, describe_files, version_name
from tdml_assets.models.store import ModelStore
from tdml_assets.stages.triage.asset import _metadata
from tdml_assets.stages.triage.decision import Cause, DecisionName, Finding
from tdml_assets.stages.triage.episodes import fold

SPEC = WorkflowSpec(name="cltv", monitor=Monitor(cool_down_days=7), schedule="0 5 * * 1")
MOVED = "total_spend (average 100 -> 125, PSI 0.50) moved far, in 2 sessions in a row."
CALM = "No drift: 9 features of 3,364 rows look like what the model learnt."
EPISODE = "cltv-20260630-drift"
FAILED, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


class Harness:
    """Plays sessions and ticks against one instance."""

    def __init__(self, instance: dg.DagsterInstance, models: ModelStore, *specs: WorkflowSpec) -> None:
        self.instance = instance
        self.models = models
        self.cursor: str | None = None
        (self.sensor,) = build_sensors(specs, build_jobs(specs))

    def session(
        self, verdict: str = MOVED, *, episode: str = EPISODE, champion: str = "v1", workflow: str = "cltv"
    ) -> None:
        """Record what the triage asset records."""
        calls = verdict.startswith(MOVED)

        @dg.asset(key=[workflow, "triage"])
        def triage() -> dg.MaterializeResult:
            return dg.MaterializeResult(
                metadata={
                    "session_id": "s",
                    "model_version": champion,
                    "verdict": verdict,
                    "decision": "retrain" if calls else "nothing",
                    "severity": 2.0 if calls else 0.1,
                    "retrain": calls,
                    "episode": episode if calls else "none",
                }
            )

        assert dg.materialize([triage], instance=self.instance).success

    def tick(self, *, keep_cursor: bool = True) -> dg.SensorResult:
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"models": self.models}
        ) as context:
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        if keep_cursor:
            self.cursor = result.cursor
        return result

    def seen(self) -> dict[str, int]:
        """The latest session of each workflow that the cursor has done with."""
        return {name: last for name, last in json.loads(self.cursor or "{}").items() if last}

    def requested(self) -> dg.RunRequest:
        """The one run that a tick asks for."""
        (request,) = self.tick().run_requests or []
        return request

    def waits(self) -> str:
        """Why a tick asks for none; the call must not be forgotten meanwhile."""
        before = self.seen()
        result = self.tick()
        assert not result.run_requests
        assert self.seen() == before, "what waits is looked at again"
        return str(result.skip_reason.skip_message if result.skip_reason else "")

    def settled(self) -> str:
        """Why a tick asks for none and has done with the call."""
        before = self.seen()
        result = self.tick()
        assert not result.run_requests
        assert self.seen() != before, "what is settled is not looked at again"
        return str(result.skip_reason.skip_message if result.skip_reason else "")

    def launch(
        self, request: dg.RunRequest, status: dg.DagsterRunStatus, *, days_ago: float = 0, job: str = "train_cltv"
    ) -> None:
        """What the daemon would have launched, in the given state."""
        run = dg.DagsterRun(job_name=job, status=status, tags=dict(request.tags))
        self.instance.run_storage.add_historical_run(run, datetime.now(UTC) - timedelta(days=days_ago))

    def retrained(self, status: dg.DagsterRunStatus, episode: str, champion: str = "v1", **when: float) -> None:
        """A retraining that this sensor started earlier."""
        tags = {"tdml/retrains": "cltv", "tdml/retrains_champion": champion, "tdml/episode": episode}
        self.launch(dg.RunRequest(tags=tags), status, **when)


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(url=str(tmp_path / "models"))


@pytest.fixture
def harness(models: ModelStore) -> Iterator[Harness]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Harness(instance, models, SPEC)


def with_champion(models: ModelStore) -> BundleStore:
    """The store, with a model that can be held."""
    day, now, files = date(2026, 6, 30), datetime(2026, 6, 30, 8), {"model.json": b"{}"}  # noqa: DTZ001
    identity = {
        "workflow": "cltv",
        "spec": {"seed": 1},
        "data_fingerprint": "d1",
        "code_version": "1.0",
        "libraries": {"xgboost": "3.2.0"},
    }
    version = version_name(day, **identity)  # type: ignore[arg-type]
    manifest = Manifest(
        **identity,  # type: ignore[arg-type]
        version=version,
        as_of=day,
        features=(ModelFeature("orders", "FLOAT"),),
        target="spend",
        engine="python",
        metrics={},
        session_id="s1",
        created_at=now,
        files=describe_files(files),
    )
    store = models.open()
    store.write(manifest, files)
    store.promote("cltv", version, replacing=None, reason="first", session_id="s1", promoted_at=now)
    return store


def test_calm_sessions_start_nothing_say_what_was_found_and_move_the_cursor(harness: Harness) -> None:
    harness.session(CALM)
    assert harness.settled() == f"cltv: no retraining called for: {CALM}"
    assert harness.waits() == "cltv: no session since the last look"


def test_before_the_first_session_there_is_nothing_to_do(harness: Harness) -> None:
    assert harness.waits() == "cltv: no session since the last look"


def test_a_call_requests_one_training_under_its_own_key_and_says_why(harness: Harness) -> None:
    harness.session()
    result = harness.tick()
    (request,) = result.run_requests or []
    assert result.skip_reason is None
    assert request.job_name == "train_cltv"
    assert request.run_key == f"retrain:cltv:v1:{EPISODE}:attempt1"
    assert {name: value for name, value in request.tags.items() if name.startswith("tdml/")} == {
        "tdml/retrains": "cltv",
        "tdml/retrains_champion": "v1",
        "tdml/episode": EPISODE,
        "tdml/reason": MOVED,
    }


@pytest.mark.parametrize(
    ("story", "called"), [("R", True), ("R.", True), ("R...", False), (".", False), ("RQ", False), ("RQ.", True)]
)
def test_what_the_triage_asset_records_is_what_the_sensor_acts_on(harness: Harness, story: str, called: bool) -> None:
    decisions: dict[str, tuple[DecisionName, float]] = {
        "R": ("retrain", 2.0),
        ".": ("nothing", 0.1),
        "Q": ("data_quality", 2.0),
    }
    start, noon = date(2026, 6, 30), datetime(2026, 6, 30, 12)  # noqa: DTZ001
    findings = [
        (f"s{number}", Finding(start + timedelta(days=number), "v1", *_of(decisions[letter]), MOVED, noon))
        for number, letter in enumerate(story)
    ]
    recorded = _metadata("s9", findings[-1][1], fold("cltv", findings, SPEC.monitor), [])
    event = dg.AssetMaterialization(asset_key=["cltv", "triage"], metadata=recorded)  # type: ignore[arg-type]
    harness.instance.report_runless_asset_event(event)
    keys = [request.run_key for request in harness.tick().run_requests or []]
    assert keys == [f"retrain:cltv:v1:{EPISODE}:attempt1"] * called


def _of(decision: tuple[DecisionName, float]) -> tuple[DecisionName, Cause, float]:
    return decision[0], "features", decision[1]


def test_sessions_while_an_episode_is_open_repeat_its_call_and_not_the_retraining(harness: Harness) -> None:
    harness.session()
    harness.session()
    harness.retrained(SUCCESS, EPISODE)
    assert f"episode {EPISODE} had its retraining; the gate decided on it" in harness.settled()
    harness.session()
    assert "had its retraining" in harness.settled()


def test_broken_data_after_a_call_take_it_back(harness: Harness) -> None:
    harness.session()
    harness.session("Broken data: total_spend is 100 times as large as it was, like another unit.")
    assert "no retraining called for: Broken data: total_spend is 100 times" in harness.settled()


def test_a_tick_repeated_before_its_cursor_was_kept_asks_with_the_same_key(harness: Harness) -> None:
    harness.session()
    first = harness.tick(keep_cursor=False).run_requests or []
    second = harness.tick().run_requests or []
    assert [request.run_key for request in first] == [request.run_key for request in second]
    assert len(first) == 1


def test_another_session_of_the_same_episode_asks_with_the_same_key(harness: Harness) -> None:
    harness.session()
    first = harness.requested()
    harness.session()
    assert harness.requested().run_key == first.run_key


@pytest.mark.parametrize("status", ["STARTING", "STARTED", "CANCELING"])
def test_while_the_retraining_is_under_way_nothing_else_starts_and_the_call_waits(
    harness: Harness, status: str
) -> None:
    harness.session()
    harness.launch(harness.requested(), dg.DagsterRunStatus[status])
    assert harness.waits() == f"cltv: a retraining for episode {EPISODE} is running already"


@pytest.mark.parametrize("status", ["FAILURE", "CANCELED"])
def test_a_retraining_that_failed_is_tried_again_under_a_new_key_until_a_person_should_look(
    harness: Harness, models: ModelStore, status: str
) -> None:
    spec = SPEC.model_copy(update={"monitor": Monitor(monthly_cap=9)})
    harness = Harness(harness.instance, models, spec)
    harness.session()
    keys = []
    for _ in range(2):
        request = harness.requested()
        keys.append(request.run_key)
        harness.launch(request, dg.DagsterRunStatus[status])
    assert keys == [f"retrain:cltv:v1:{EPISODE}:attempt{number}" for number in (1, 2)]
    assert f"2 retrainings for episode {EPISODE} failed: a person should look" in harness.settled()


def test_a_retraining_of_the_champion_before_is_none_of_this_one(harness: Harness) -> None:
    harness.session(champion="v2")
    harness.retrained(SUCCESS, EPISODE, "v1", days_ago=8)
    assert harness.requested().run_key == f"retrain:cltv:v2:{EPISODE}:attempt1"


def test_a_lost_cursor_repeats_no_retraining(harness: Harness) -> None:
    harness.session()
    harness.launch(harness.requested(), SUCCESS)
    harness.cursor = None
    assert "had its retraining" in harness.settled()


def test_another_episode_of_a_new_champion_waits_for_the_cool_down_and_says_until_when(harness: Harness) -> None:
    harness.session()
    harness.retrained(SUCCESS, "cltv-20260301-drift", "v0", days_ago=5)
    until = datetime.now(UTC) + timedelta(days=2)
    reason = harness.waits()
    assert reason.startswith(f"cltv: cooling down until {until:%Y-%m-%d}"), reason
    assert reason.endswith(f"UTC ({MOVED})")


def test_the_cool_down_over_the_call_that_waited_starts(harness: Harness) -> None:
    harness.session()
    harness.retrained(SUCCESS, "cltv-20260301-drift", "v0", days_ago=7.01)
    assert harness.requested().run_key == f"retrain:cltv:v1:{EPISODE}:attempt1"


def test_the_cool_down_is_the_horizon_unless_given(harness: Harness, models: ModelStore) -> None:
    spec = WorkflowSpec(name="cltv", target=Target(horizon_days=40))
    harness = Harness(harness.instance, models, spec)
    harness.session()
    harness.retrained(SUCCESS, "cltv-20260301-drift", "v0", days_ago=38)
    assert f"cooling down until {datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}" in harness.waits()


def test_the_monthly_cap_counts_every_start_of_the_last_thirty_days(harness: Harness, models: ModelStore) -> None:
    spec = SPEC.model_copy(update={"monitor": Monitor(cool_down_days=0, monthly_cap=2)})
    harness = Harness(harness.instance, models, spec)
    harness.session()
    harness.retrained(FAILED, "cltv-20260301-drift", "v0", days_ago=29.9)
    harness.retrained(SUCCESS, "cltv-20260301-drift", "v0", days_ago=31)
    harness.retrained(SUCCESS, "cltv-20260401-drift", "v0", days_ago=1)
    assert "retrainings in the last 30 days: 2, at most 2 are allowed" in harness.waits()


def test_a_start_of_more_than_thirty_days_ago_no_longer_counts(harness: Harness, models: ModelStore) -> None:
    spec = SPEC.model_copy(update={"monitor": Monitor(cool_down_days=0, monthly_cap=2)})
    harness = Harness(harness.instance, models, spec)
    harness.session()
    harness.retrained(SUCCESS, "cltv-20260301-drift", "v0", days_ago=30.1)
    harness.retrained(SUCCESS, "cltv-20260401-drift", "v0", days_ago=1)
    assert harness.requested()


def test_trainings_started_by_hand_count_neither_as_attempts_nor_for_cap_and_cool_down(harness: Harness) -> None:
    harness.session()
    for status in (SUCCESS, FAILED, dg.DagsterRunStatus.STARTED):
        harness.launch(dg.RunRequest(tags={"tdml/workflow": "cltv"}), status)
    assert harness.requested().run_key == f"retrain:cltv:v1:{EPISODE}:attempt1"


def test_retrainings_of_another_workflow_do_not_count(harness: Harness) -> None:
    harness.session()
    tags = {"tdml/retrains": "churn", "tdml/retrains_champion": "v1", "tdml/episode": EPISODE}
    for _ in range(2):
        harness.launch(dg.RunRequest(tags=tags), SUCCESS, job="train_churn")
    assert harness.requested()


def test_an_operators_hold_is_respected_and_told_and_after_the_release_the_call_starts(
    harness: Harness, models: ModelStore
) -> None:
    store = with_champion(models)
    store.hold("cltv", "prices are wrong until Monday", datetime(2026, 6, 30, 9))  # noqa: DTZ001
    harness.session()
    reason = harness.waits()
    assert reason.startswith("cltv: an operator keeps the champion since ")
    assert "since 2026-06-30 09:00 UTC (prices are wrong until Monday)" in reason
    assert reason.endswith(f"({MOVED})")
    store.release("cltv")
    assert harness.requested().run_key == f"retrain:cltv:v1:{EPISODE}:attempt1"


def test_a_hold_that_cannot_be_read_fails_the_tick_rather_than_be_ignored(harness: Harness, models: ModelStore) -> None:
    with_champion(models)
    (Path(models.url) / "cltv" / "hold.json").write_bytes(b"{")
    harness.session()
    with pytest.raises(BundleDamagedError, match="hold the workflow again"):
        harness.tick()
    assert harness.cursor is None


def test_a_hold_that_cannot_be_read_matters_only_where_a_retraining_is_called_for(models: ModelStore) -> None:
    """The damaged hold of one workflow must not stop the look at the others."""
    with_champion(models)
    (Path(models.url) / "cltv" / "hold.json").write_bytes(b"{")
    churn = WorkflowSpec(name="churn", task="classification")
    with dg.DagsterInstance.ephemeral() as instance:
        harness = Harness(instance, models, SPEC, churn)
        harness.session(CALM)
        harness.session(episode="churn-20260630-drift", workflow="churn")
        assert harness.requested().run_key == "retrain:churn:v1:churn-20260630-drift:attempt1"


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING"])
def test_a_run_that_was_made_and_never_launched_is_asked_for_again_under_its_key(harness: Harness, status: str) -> None:
    harness.session()
    request = harness.requested()
    harness.launch(request, dg.DagsterRunStatus[status])
    if status == "STARTING":
        assert "is running already" in harness.waits()
    else:
        assert harness.requested().run_key == request.run_key


def test_each_workflow_has_its_own_cursor_and_reason_and_one_that_waits_stops_no_other(models: ModelStore) -> None:
    churn = WorkflowSpec(name="churn", task="classification")
    with dg.DagsterInstance.ephemeral() as instance:
        harness = Harness(instance, models, SPEC, churn)
        harness.session()
        harness.session(CALM, workflow="churn")
        harness.launch(harness.requested(), dg.DagsterRunStatus.STARTED)
        assert set(harness.seen()) == {"churn"}
        reason = harness.waits()
        assert reason == (
            f"cltv: a retraining for episode {EPISODE} is running already; churn: no session since the last look"
        )
        harness.session(episode="churn-20260630-drift", workflow="churn")
        assert harness.requested().run_key == "retrain:churn:v1:churn-20260630-drift:attempt1"


def test_a_long_reason_is_cut_where_dagster_shows_it_as_a_tag(harness: Harness) -> None:
    harness.session(MOVED * 5)
    assert harness.requested().tags["tdml/reason"] == (MOVED * 5)[:200]


def test_a_materialisation_reported_by_hand_calls_for_nothing_and_stops_nothing(harness: Harness) -> None:
    harness.instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=["cltv", "triage"]))
    assert not harness.tick().run_requests


def test_the_sensor_reads_models_and_run_records_and_never_the_warehouse(harness: Harness) -> None:
    assert harness.sensor.required_resource_keys == {"models"}


def test_schedules_and_sensor_are_off_until_somebody_switches_them_on() -> None:
    jobs = build_jobs([SPEC])
    schedules = build_schedules([SPEC])
    assert {schedule.name for schedule in schedules} == {"train_cltv_schedule", f"{SCORING_JOB}_schedule"}
    assert all(schedule.default_status is dg.DefaultScheduleStatus.STOPPED for schedule in schedules)
    assert all(sensor.default_status is dg.DefaultSensorStatus.STOPPED for sensor in build_sensors([SPEC], jobs))
    assert {job.name for job in jobs} == {training_job_name("cltv"), SCORING_JOB}
    assert build_sensors([], jobs) == []
