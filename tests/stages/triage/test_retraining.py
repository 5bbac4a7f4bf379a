"""Whether an episode starts a retraining now; and a year of alarms, which must not become a year of retrainings."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.stages.drift.detection import ColumnDrift, DriftReport
from tdml_assets.stages.triage.decision import Evidence, Finding, decide
from tdml_assets.stages.triage.episodes import fold, open_episode
from tdml_assets.stages.triage.retraining import MAX_ATTEMPTS, Attempts, Call, Decision, Limits, decide_retrain

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
WHY = "total_spend (average 100 -> 125, PSI 0.50) moved far, in 2 sessions in a row."
CALL = Call("s1", "v1", "cltv-20260630-drift", retrain=True, sentence=WHY)
LIMITS = Limits(cool_down_days=90, monthly_cap=2)
NONE = Attempts(running=0, succeeded=0, failed=0)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def test_an_open_episode_starts_the_first_attempt_and_says_why() -> None:
    assert decide_retrain(CALL, NONE, LIMITS, NOW) == Decision(True, WHY, CALL, attempt=1)


def test_without_a_session_or_a_call_nothing_starts_and_nothing_waits() -> None:
    nothing = decide_retrain(None, NONE, LIMITS, NOW)
    assert (nothing.retrain, nothing.settled, nothing.reason) == (False, True, "no session since the last look")
    calm = replace(CALL, retrain=False, episode_id="none", sentence="No drift: 9 features of 3,364 rows.")
    decision = decide_retrain(calm, NONE, LIMITS, NOW)
    assert (decision.retrain, decision.settled) == (False, True)
    assert decision.reason == "no retraining called for: No drift: 9 features of 3,364 rows."


@pytest.mark.parametrize(
    ("attempts", "settled", "reason"),
    [
        (Attempts(1, 0, 0, (NOW,)), False, "a retraining for episode cltv-20260630-drift is running already"),
        (Attempts(1, 0, 1, (NOW, NOW)), False, "is running already"),
        (Attempts(0, 1, 0, (NOW,)), True, "had its retraining; the gate decided on it, see monitoring.gate"),
        (Attempts(0, 1, 2, (NOW,) * 3), True, "had its retraining"),
        (Attempts(0, 0, MAX_ATTEMPTS, (NOW,)), True, "2 retrainings for episode cltv-20260630-drift failed: a person"),
    ],
)
def test_what_was_started_for_this_episode_is_not_started_again(attempts: Attempts, settled: bool, reason: str) -> None:
    decision = decide_retrain(CALL, attempts, LIMITS, NOW)
    assert (decision.retrain, decision.settled) == (False, settled)
    assert reason in decision.reason


@pytest.mark.parametrize("failed", range(1, MAX_ATTEMPTS))
def test_a_failed_attempt_is_followed_by_the_next_one_without_a_cool_down(failed: int) -> None:
    decision = decide_retrain(CALL, Attempts(0, 0, failed, (NOW,)), LIMITS, NOW)
    assert (decision.retrain, decision.attempt) == (True, failed + 1)


def test_another_episode_waits_for_the_cool_down_to_the_minute() -> None:
    start = ago(days=90)
    just_before = decide_retrain(CALL, Attempts(0, 0, 0, (start,)), LIMITS, NOW - timedelta(minutes=1))
    assert (just_before.retrain, just_before.settled) == (False, False)
    assert just_before.reason == f"cooling down until 2026-06-30 12:00 UTC ({WHY})"
    assert decide_retrain(CALL, Attempts(0, 0, 0, (start,)), LIMITS, NOW).retrain


def test_the_cool_down_counts_from_the_latest_start_in_whatever_order_they_are_read() -> None:
    for starts in ((ago(days=100), ago(days=10)), (ago(days=10), ago(days=100))):
        decision = decide_retrain(CALL, Attempts(0, 0, 0, starts), LIMITS, NOW)
        assert decision.reason.startswith("cooling down until 2026-09-18 12:00 UTC")


@pytest.mark.parametrize(
    ("days_ago", "cap", "starts"),
    [
        ((29, 1), 2, False),
        ((31, 1), 2, True),
        ((30, 1), 2, True),
        ((29.99, 1), 2, False),
        ((60, 45, 31), 2, True),
        ((5,), 1, False),
        ((), 0, False),
        ((29, 1), 3, True),
    ],
)
def test_the_cap_slides_over_the_last_thirty_days(days_ago: Sequence[float], cap: int, starts: bool) -> None:
    attempts = Attempts(0, 0, 0, tuple(ago(days=days) for days in days_ago))
    decision = decide_retrain(CALL, attempts, Limits(cool_down_days=0, monthly_cap=cap), NOW)
    assert decision.retrain is starts
    if not starts:
        found = sum(days < 30 for days in days_ago)
        assert decision.reason.startswith(f"retrainings in the last 30 days: {found}, at most {cap} are allowed")
        assert not decision.settled


def test_the_cap_holds_attempts_after_a_failure_too() -> None:
    decision = decide_retrain(CALL, Attempts(0, 0, 1, (ago(days=2), ago(days=1))), LIMITS, NOW)
    assert decision.reason.startswith("retrainings in the last 30 days: 2, at most 2")
    assert not decision.settled


def test_an_operator_holds_everything_and_the_call_waits_for_the_release() -> None:
    held = replace(LIMITS, hold="an operator keeps the champion (prices are wrong until Monday)")
    for attempts in (NONE, Attempts(0, 0, 1, (NOW,))):
        decision = decide_retrain(CALL, attempts, held, NOW)
        assert (decision.retrain, decision.settled) == (False, False)
        assert decision.reason == f"an operator keeps the champion (prices are wrong until Monday) ({WHY})"
    assert decide_retrain(CALL, NONE, replace(held, hold=None), NOW).retrain


Outcome = Literal["promoted", "held by the gate", "failing"]
DAYS = 365
TICKS_A_DAY = 3
START = date(2025, 1, 1)
#: Predictions that moved twice as far as the limit.
MOVED = ColumnDrift(
    kind="prediction",
    column_name="prediction",
    n=3364,
    avg_val=125.0,
    avg_ref=100.0,
    stdev_val=5.0,
    stdev_ref=5.0,
    psi=0.5,
    z=None,
    status="far",
    psi_previous=None,
    scale_ratio=1.0,
    p_value=0.0,
    severity=2.0,
)


@dataclass
class Started:
    """A retraining of the storm."""

    episode: str
    champion: str
    at: datetime
    status: Literal["running", "succeeded", "failed"] = "running"


@dataclass
class Storm:
    """A year of sessions, a few ticks of the sensor after each; every retraining ends before the next tick."""

    policy: Monitor
    limits: Limits
    outcome: Outcome
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    champion: int = 1
    waits: Counter[str] = field(default_factory=Counter)

    def live_through(self, alarms: Sequence[bool]) -> Storm:
        for number, alarm in enumerate(alarms):
            call = self._session(START + timedelta(days=number), alarm)
            for tick in range(TICKS_A_DAY):
                midnight = datetime.combine(START + timedelta(days=number), datetime.min.time(), UTC)
                self._tick(call, midnight + timedelta(hours=8 * tick))
        return self

    def _session(self, day: date, alarm: bool) -> Call:
        """As the asset does it: decide, fold, and call."""
        version = f"v{self.champion}"
        report = DriftReport("drift", "It moved.", (MOVED,)) if alarm else DriftReport("ok", "No drift.", ())
        noon = datetime.combine(day, datetime.min.time())
        earlier = [finding for _, finding in self.findings if finding.model_version == version]
        finding = decide(Evidence(day, noon, version, [report], (), None, day, {}), earlier, self.policy)
        self.findings.append((f"s{day}", finding))
        drifting = open_episode(fold("cltv", self.findings, self.policy), "drift")
        episode = drifting.episode_id if drifting else "none"
        return Call(f"s{day}", version, episode, drifting is not None, finding.sentence)

    def _tick(self, call: Call, now: datetime) -> None:
        for one in self.started:
            self._end(one)
        own = [one for one in self.started if (one.episode, one.champion) == (call.episode_id, call.model_version)]
        count = Counter(one.status for one in own)
        starts = tuple(one.at for one in self.started)
        attempts = Attempts(count["running"], count["succeeded"], count["failed"], starts)
        decision = decide_retrain(call, attempts, self.limits, now)
        if decision.retrain:
            self.started.append(Started(str(call.episode_id), call.model_version, now))
        else:
            self.waits[decision.reason.split()[0]] += 1

    def _end(self, one: Started) -> None:
        if one.status == "running":
            one.status = "failed" if self.outcome == "failing" else "succeeded"
            self.champion += self.outcome == "promoted"

    def most_in_thirty_days(self) -> int:
        starts = [one.at for one in self.started]
        return max((sum(start <= at < start + timedelta(days=30) for at in starts) for start in starts), default=0)


def _chances() -> list[float]:
    dice = random.Random(7)
    return [dice.random() for _ in range(DAYS)]


ALARMS = {
    "alternating": [day % 2 == 0 for day in range(DAYS)],
    "random": [chance < 0.3 for chance in _chances()],
    "pairs": [day % 6 < 2 for day in range(DAYS)],
    "never ending": [True] * DAYS,
}


#: As shipped; and the worst that may be set: an alarm calls at once, an episode ends at the first stable session, no cool-down.
AS_SHIPPED = Monitor()
WORST = Monitor(confirm=1, close_after=1, cool_down_days=0)
HORIZON_DAYS = 90
#: As shipped, five episodes at most start one, 90 days apart, and try it at most MAX_ATTEMPTS times. Without a cool-down only the
#: cap is left: thirteen windows of 30 days begin in a year.
MOST_IN_A_YEAR = {AS_SHIPPED: 5 * MAX_ATTEMPTS, WORST: 13 * WORST.monthly_cap}


def limits(policy: Monitor) -> Limits:
    days = HORIZON_DAYS if policy.cool_down_days is None else policy.cool_down_days
    return Limits(days, policy.monthly_cap)


@pytest.mark.parametrize("outcome", ["promoted", "held by the gate", "failing"])
@pytest.mark.parametrize("pattern", ALARMS)
@pytest.mark.parametrize("policy", [AS_SHIPPED, WORST], ids=["as shipped", "worst"])
def test_a_year_of_alarms_starts_no_more_retrainings_than_the_cap(
    pattern: str, outcome: Outcome, policy: Monitor
) -> None:
    storm = Storm(policy, limits(policy), outcome).live_through(ALARMS[pattern])
    if policy is AS_SHIPPED and pattern == "alternating":
        assert not storm.started, "no two sessions in a row confirmed it"
        return
    assert storm.started, "a storm in which nothing starts shows nothing"
    assert storm.most_in_thirty_days() <= policy.monthly_cap
    assert len(storm.started) <= MOST_IN_A_YEAR[policy]
    succeeded = Counter(one.episode for one in storm.started if one.status == "succeeded")
    assert max(succeeded.values(), default=0) <= 1
    failed = Counter(one.episode for one in storm.started if one.status == "failed")
    assert max(failed.values(), default=0) <= MAX_ATTEMPTS
    first = {one.episode: one.at for one in reversed(storm.started)}
    gaps = [later - earlier for earlier, later in pairwise(sorted(first.values()))]
    assert all(gap >= timedelta(days=limits(policy).cool_down_days) for gap in gaps)


def test_the_cap_is_what_holds_the_worst_storm_back() -> None:
    capped = Storm(WORST, limits(WORST), "promoted").live_through(ALARMS["alternating"][:90])
    assert (len(capped.started), capped.most_in_thirty_days()) == (6, 2)
    loose = Storm(WORST, Limits(0, 1000), "promoted").live_through(ALARMS["alternating"][:90])
    assert len(loose.started) == 45, "without it every alarm of a new champion starts one"


def test_a_champion_kept_by_the_gate_is_retrained_once_per_episode_however_long_the_alarms_last() -> None:
    storm = Storm(Monitor(confirm=1), Limits(0, 1000), "held by the gate").live_through(ALARMS["alternating"][:90])
    assert [(one.episode, one.status) for one in storm.started] == [("cltv-20250101-drift", "succeeded")]


def test_alarms_that_never_end_call_anew_once_the_episode_is_older_than_renew_days() -> None:
    storm = Storm(AS_SHIPPED, limits(AS_SHIPPED), "held by the gate").live_through(ALARMS["never ending"])
    gaps = {(later.at - earlier.at).days for earlier, later in pairwise(storm.started)}
    # Two sessions confirm the first; after that an episode ends on its 91st day, and the next opens at once.
    assert (len(storm.started), gaps) == (4, {AS_SHIPPED.renew_days + 1})
    assert len({one.episode for one in storm.started}) == 4
    never = AS_SHIPPED.model_copy(update={"renew_days": 10 * DAYS})
    assert len(Storm(never, limits(never), "held by the gate").live_through(ALARMS["never ending"]).started) == 1
