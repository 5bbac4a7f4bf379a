"""What becomes of a workflow in a session, and what the run's exit code says of it."""

from __future__ import annotations

import pytest

from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.platform.outcome import (
    NEEDED_FOR_CHAMPION,
    NEEDED_FOR_PUBLICATION,
    Method,
    Outcome,
    State,
    ended_early,
    held,
    published_as,
    stopped_by,
)
from tdml_assets.stages.features.snapshots import HistoryTooShortError

BEGUN = Outcome("s", "cltv", run_id="r")


def test_missing_data_switch_a_workflow_off_and_need_nobody() -> None:
    found = stopped_by(HistoryTooShortError("20 days of orders", "shorten the horizon"), "training_table", BEGUN)
    assert (found.stopped_at, found.error, found.needs_person) == ("training_table", "HistoryTooShortError", False)
    assert found.in_words == "20 days of orders: shorten the horizon"
    assert not found.needs_person


def test_any_other_error_needs_a_person_and_only_its_first_line_is_kept() -> None:
    found = stopped_by(TypeError("wrong type\nlong traceback"), "candidate_model", BEGUN)
    assert found.reason == "candidate_model failed with TypeError: wrong type"
    assert found.needs_person
    assert "read the error in the run's log" in found.in_words
    assert found.needs_person


def test_an_error_that_says_what_to_do_is_not_followed_by_a_general_remedy() -> None:
    found = stopped_by(BundleDamagedError("model v1 is damaged: remove models/v1 and run again"), "predictions", BEGUN)
    assert found.needs_person
    assert found.in_words == (
        "predictions failed with BundleDamagedError: model v1 is damaged: remove models/v1 and run again"
    )


def test_a_hold_keeps_its_reason_without_an_error() -> None:
    found = held("held: no better than chance", "wait", "evaluation", BEGUN, needs_person=False)
    assert (found.stopped_at, found.error, found.in_words) == ("evaluation", None, "held: no better than chance: wait")


def test_stages_behind_one_that_ended_are_passed_over_in_the_same_attempt_alone() -> None:
    stopped = stopped_by(HistoryTooShortError("a", "b"), "training_table", BEGUN)
    assert ended_early(stopped, "r", NEEDED_FOR_CHAMPION)
    assert not ended_early(stopped, "r", NEEDED_FOR_PUBLICATION)
    assert not ended_early(stopped, "another attempt", NEEDED_FOR_CHAMPION)
    assert not ended_early(None, "r", NEEDED_FOR_CHAMPION)


@pytest.mark.parametrize(
    ("method", "stopped_at", "needs_person", "fresh", "carried", "state"),
    [
        ("champion", None, False, True, False, "published"),
        ("champion", "candidate_model", True, True, False, "published"),
        ("lifetime", "training_table", False, True, False, "fallback"),
        ("rules", "evaluation", False, True, False, "fallback"),
        ("champion", "drift", True, False, True, "kept"),
        (None, "predictions", False, False, False, "off"),
        (None, "predictions", True, False, False, "failed"),
    ],
)
def test_the_state_follows_from_what_was_published(
    method: Method | None, stopped_at: str | None, needs_person: bool, fresh: bool, carried: bool, state: State
) -> None:
    outcome = Outcome("s", "cltv", method=method, stopped_at=stopped_at, needs_person=needs_person)
    assert published_as(outcome, fresh=fresh, carried=carried).state == state


@pytest.mark.parametrize(
    ("method", "stopped_at", "withholds"),
    [
        ("champion", None, False),
        ("champion", "training_table", False),
        ("rules", "training_table", False),
        ("champion", "drift_report", False),
        ("champion", "triage", True),
        ("champion", "realised", True),
        (None, "training_table", True),
    ],
)
def test_new_scores_are_withheld_where_nothing_scored_or_nobody_watched(
    method: Method | None, stopped_at: str | None, withholds: bool
) -> None:
    assert Outcome("s", "cltv", method=method, stopped_at=stopped_at).withholds is withholds


def test_a_row_of_the_table_comes_back_as_it_was() -> None:
    assert Outcome.from_row(BEGUN.row()) == BEGUN
