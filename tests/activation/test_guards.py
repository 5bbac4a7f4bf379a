"""Guards forbid a sync with the reason; one that cannot be judged forbids it too."""

from __future__ import annotations

from typing import Any

import pytest

from tdml_assets.activation.guards import Figures, judge, refusals
from tdml_assets.declaration.destinations import Guards
from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver

SOUND = {"source_rows": 100, "known_rows": 100, "added": 0, "changed": 0, "removed": 0, "age_days": 1}
LIMITS = {
    "creates": {"most": 5, "most_share": 0.5},
    "updates": {"most_share": 0.1},
    "deletes": {"most_share": 0.05},
    "score_age": {"most_days": 7, "action": "refuse"},
}


def refused(guards: dict[str, Any] | None = None, *, full: bool = False, **changes: Any) -> list[str]:
    figures = Figures(**{**SOUND, **changes})
    return [
        words.partition(":")[0]
        for words in refusals(judge(figures, Guards.model_validate(guards or LIMITS), full=full))
    ]


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({}, []),
        ({"added": 5}, []),
        ({"added": 6}, ["creates"]),
        ({"changed": 10}, []),
        ({"changed": 11}, ["updates"]),
        ({"removed": 6}, ["deletes"]),
        ({"removed": 2, "known_rows": 19}, []),
        ({"removed": 2, "known_rows": 20}, ["deletes"]),
        ({"has_synced": True, "before_rows": 143}, ["source_drop"]),
        ({"has_synced": True, "before_rows": 120}, []),
        ({"has_synced": True, "before_rows": None}, ["source_drop"]),
        ({"age_days": 8}, ["score_age"]),
        ({"age_days": None}, ["score_age"]),
        ({"faults": ("broken",)}, ["session"]),
        ({"faults": None}, ["session"]),
        ({"source_rows": 0, "known_rows": 0}, ["empty_source"]),
        ({"duplicates": 1}, ["unique_keys"]),
        ({"mapping_changed": True}, ["mapping"]),
        ({"hashed": (("email", 3),)}, ["identifiers"]),
        ({"consent": ("not loaded",)}, ["consent"]),
    ],
    ids=str,
)
def test_each_guard_refuses_beyond_its_limit_and_where_it_cannot_be_judged(
    changes: dict[str, Any], guard: list[str]
) -> None:
    assert refused(**changes) == guard


def test_off_and_warn_do_not_refuse(published: Published) -> None:
    everything = {"added": 99, "changed": 99, "removed": 99, "age_days": None, "faults": None}
    off = {name: {"action": "off"} for name in Guards.model_fields if name != "empty_source"}
    assert refused(off, **everything) == []
    warn = {name: {**LIMITS.get(name, {}), "action": "warn"} for name in Guards.model_fields}
    assert refused(warn, **{**everything, "age_days": 99, "faults": ("broken",)}) == []


def test_rows_that_another_version_hashed_are_a_warning_unless_all_are_sent_on_purpose() -> None:
    def warned(*, full: bool = False, **changes: Any) -> list[str]:
        verdicts = judge(Figures(**{**SOUND, **changes}), Guards.model_validate(LIMITS), full=full)
        return [verdict.guard for verdict in verdicts if verdict.status == "warning"]

    assert warned() == []
    assert warned(hashed_anew=True) == ["hashes"]
    assert warned(hashed_anew=True, full=True) == []


def test_a_full_sync_may_change_everything() -> None:
    assert refused(full=True, changed=100, mapping_changed=True) == []
    assert refused(full=True, removed=100) == ["deletes"]


def test_a_broken_session_sends_nothing_anywhere(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    published.session(2, status="scored", decision="data_quality")
    result = published.sync()
    assert (result.status, result.taken) == ("refused", 0)
    assert result.reason is not None
    assert "broken" in result.reason
    assert receiver.requests == []
    published.session(3)
    assert published.sync().added == 3


def test_a_session_that_needs_a_person_sends_nothing(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    published.run(
        "create table monitoring.workflow_outcomes as select 's1' as session_id, 'churn' as workflow, date '2026-06-30' as as_of, "
        "'r' as run_id, 'fallback' as state, 'rules' as method, 'evaluation' as stopped_at, null::varchar as error, "
        "'the first candidate is worse than a rule' as reason, 'x' as remedy, true as needs_person"
    )
    result = published.sync()
    assert result.status == "refused"
    assert result.reason is not None
    assert "the first candidate is worse than a rule" in result.reason
    assert receiver.requests == []


def test_a_guard_of_a_sync_is_judged_on_the_plan(published: Published, receiver: Receiver) -> None:
    strict = published.hook(guards={"updates": {"most_share": 0.1}})
    published.publish(people(40))
    published.sync(strict)
    published.publish(people(40, grade="B"))
    result = published.sync(strict)
    assert result.status == "refused"
    assert published.column("select status from activation.sync_runs order by status") == ["refused", "succeeded"]
