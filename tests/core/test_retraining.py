from datetime import UTC, datetime, timedelta

import pytest

from tdml_assets.core.retraining import MAX_ATTEMPTS, Attempts, DriftReport, decide_retrain, latest_drift

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
NONE = Attempts(running=0, succeeded=0, failed=0, last_started_at=None)


def report(drifted: bool, hours: int = 0) -> DriftReport:
    return DriftReport("s", "v1", drifted, "3 of 9 columns drifted", NOW - timedelta(hours=hours))


def test_drift_behind_a_calm_report_of_the_same_look_is_not_lost() -> None:
    assert latest_drift([report(True, 5), report(False, 1)]) == report(True, 5)
    assert latest_drift([report(False)]) is None


def test_drift_starts_the_first_attempt_and_says_why() -> None:
    decision = decide_retrain(report(True), NONE, 7, NOW)
    assert (decision.retrain, decision.attempt, decision.reason) == (True, 1, "3 of 9 columns drifted")


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        (Attempts(1, 0, 0, NOW), "running already"),
        (Attempts(0, 1, 0, NOW), "retrained for drift already"),
        (Attempts(0, 0, MAX_ATTEMPTS, NOW), "a person should look"),
        (Attempts(0, 0, 0, NOW - timedelta(days=2)), "cooling down until 2026-07-05"),
    ],
)
def test_nothing_starts_when(attempts: Attempts, reason: str) -> None:
    decision = decide_retrain(report(True), attempts, 7, NOW)
    assert not decision.retrain
    assert reason in decision.reason


def test_a_failed_attempt_is_tried_again_without_waiting_for_the_cool_down() -> None:
    decision = decide_retrain(report(True), Attempts(0, 0, 1, NOW), 7, NOW)
    assert (decision.retrain, decision.attempt) == (True, 2)


def test_no_drift_no_retraining() -> None:
    assert not decide_retrain(None, NONE, 7, NOW).retrain
