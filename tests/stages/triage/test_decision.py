"""What a session's monitoring means: the decision table, row by row and all rows against each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import pytest

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.monitoring import TRIAGE
from tdml_assets.stages.drift.detection import BROKEN, ColumnDrift, Kind, Status, report_of
from tdml_assets.stages.triage.decision import Cause, DecisionName, Evidence, Finding, decide

TODAY = date(2026, 6, 30)
NOON = datetime(2026, 6, 30, 12)  # noqa: DTZ001
POLICY = Monitor(confirm=2, important_share=0.05, max_age_days=365)
FEED = "Orders of the last day: 1,204 rows where 12,100 to 13,900 are usual. Ask for the file again."
ERRORS = "Predictions of 2026-03-31 met what happened: MAE 61.2, at most 48.0 was promised."
IMPORTANCES = {"total_spend": 0.6, "orders": 0.35, "email_opens": 0.05, "page_views": 0.049, "coupons": 0.0}


def column(name: str, status: Status = "far", severity: float = 2.0, kind: Kind = "feature") -> ColumnDrift:
    """One judged column; what no decision reads is left out."""
    nothing = {
        "z": 4.25 if status == "spike" else None,
        "p_value": None,
    }
    return ColumnDrift(
        kind=kind,
        column_name=name,
        n=3364,
        avg_val=125.0,
        avg_ref=100.0,
        stdev_val=5.0,
        stdev_ref=5.0,
        psi=severity / 4,
        psi_previous=0.12,
        scale_ratio=100.0 if status == "scale" else 1.0,
        status=status,
        severity=severity,
        **nothing,
    )


def evidence(
    *columns: ColumnDrift,
    quality: Sequence[str] = (),
    realised: str | None = None,
    age_days: int = 30,
    importances: Mapping[str, float] = IMPORTANCES,
    policy: Monitor = POLICY,
) -> Evidence:
    """A session of a quiet world, but for what is given."""
    quiet = (column("orders", "ok", 0.0), column("prediction", "ok", 0.0, "prediction"))
    return Evidence(
        as_of=TODAY,
        measured_at=NOON,
        model_version="v1",
        reports=[
            report_of([one for one in (*columns, *quiet) if one.kind == kind], kind, policy)
            for kind in ("feature", "prediction")
        ],
        quality=quality,
        realised=realised,
        trained_as_of=TODAY - timedelta(days=age_days),
        importances=importances,
    )


def before(*decisions: DecisionName, version: str = "v1") -> list[Finding]:
    """Findings of the days before today, oldest first."""
    days = range(len(decisions), 0, -1)
    return [
        Finding(TODAY - timedelta(days=back), version, decision, "features", 1.5, "", NOON - timedelta(days=back))
        for back, decision in zip(days, decisions, strict=True)
    ]


def test_nothing_happened_is_said_with_what_was_looked_at() -> None:
    found = decide(evidence(), [], POLICY)
    assert (found.decision, found.cause, found.severity) == ("nothing", "none", 0)
    assert found.sentence == (
        "Unchanged: 1 feature of 3,364 rows are exactly as on the day the model went live. "
        "Unchanged: 1 prediction of 3,364 rows are exactly as on the day the model went live."
    )


def test_a_sentence_that_both_reports_share_is_said_once() -> None:
    few = Monitor(min_rows=5000)
    columns = [column("orders", "too_few", 0.0), column("prediction", "too_few", 0.0, "prediction")]
    reports = [report_of([one], one.kind, few) for one in columns]
    found = decide(Evidence(TODAY, NOON, "v1", reports, (), None, TODAY, {}), [], few)
    assert found.sentence == "Too little to judge: 3,364 rows, at least 5,000 are needed on each side."
    assert found.decision == "nothing"


def test_an_alarm_of_the_raw_data_forbids_everything_else_and_says_what_the_check_said() -> None:
    world = [column("total_spend"), column("prediction", kind="prediction")]
    worst = evidence(*world, quality=[FEED], realised=ERRORS, age_days=4000)
    found = decide(worst, before("retrain", "retrain", "retrain"), POLICY)
    assert (found.decision, found.cause, found.sentence) == ("data_quality", "source", FEED)
    assert found.severity >= 1


def test_of_many_problems_three_are_told_and_the_others_counted() -> None:
    found = decide(evidence(quality=[f"Problem {number}." for number in range(1, 6)]), [], POLICY)
    assert found.sentence == "Problem 1. Problem 2. Problem 3. And 2 more."
    assert found.severity == 1, "an alarm, and no more: nothing was measured"
    exactly = decide(evidence(quality=[f"Problem {number}." for number in range(1, 4)]), [], POLICY)
    assert exactly.sentence == "Problem 1. Problem 2. Problem 3."


@pytest.mark.parametrize("status", BROKEN)
@pytest.mark.parametrize("name", ["total_spend", "coupons"])
def test_a_feature_that_looks_broken_is_broken_data_whatever_the_model_thinks_of_it(status: Status, name: str) -> None:
    found = decide(evidence(column(name, status), realised=ERRORS, age_days=4000), before("retrain"), POLICY)
    assert (found.decision, found.cause) == ("data_quality", "data")
    assert found.sentence.startswith("Broken data: ")
    assert name in found.sentence
    assert found.severity == 2


def test_another_unit_is_named_with_its_factor() -> None:
    found = decide(evidence(column("total_spend", "scale", 9.0)), [], POLICY)
    assert "total_spend is 100 times as large as it was, like another unit" in found.sentence


def test_errors_worse_than_promised_call_for_a_retraining_at_once() -> None:
    found = decide(evidence(realised=ERRORS), [], POLICY)
    assert (found.decision, found.cause, found.severity, found.sentence) == ("retrain", "realised", 1, ERRORS)


@pytest.mark.parametrize(
    ("kind", "name", "cause"), [("prediction", "prediction", "predictions"), ("feature", "total_spend", "features")]
)
@pytest.mark.parametrize("confirm", [1, 2, 4])
def test_drift_is_confirmed_by_so_many_sessions_in_a_row(kind: Kind, name: str, cause: Cause, confirm: int) -> None:
    policy = Monitor(confirm=confirm)
    earlier: list[Finding] = []
    for session in range(1, confirm + 2):
        found = decide(evidence(column(name, kind=kind), policy=policy), earlier, policy)
        assert found.cause == cause
        assert f"{name} (average 100 -> 125, PSI 0.50) moved far" in found.sentence
        if session < confirm:
            more = confirm - session
            assert found.decision == "confirm"
            assert f"waits for {more} more session{'s' if more > 1 else ''} to confirm it" in found.sentence
        else:
            assert found.decision == "retrain"
            assert f"in {session} sessions in a row" in found.sentence
        earlier = before(*(one.decision for one in earlier), found.decision)


@pytest.mark.parametrize("between", ["nothing", "report", "data_quality"])
def test_a_session_without_drift_between_two_with_starts_the_count_again(between: DecisionName) -> None:
    found = decide(evidence(column("total_spend")), before("confirm", "retrain", between), POLICY)
    assert found.decision == "confirm"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_alarms_of_a_champion_count_only_since_another_was_measured(version: str) -> None:
    """As after a promotion and a rollback: what the first was called for before belongs to a world that ended."""
    back = [*before("retrain", "retrain", "confirm")[:2], *before("retrain", version=version)]
    found = decide(evidence(column("total_spend")), back, POLICY)
    assert (found.decision, found.cause) == ("confirm" if version == "v2" else "retrain", "features")
    if version == "v1":
        assert "in 4 sessions in a row" in found.sentence


def test_a_spike_is_told_with_its_leap_and_its_z() -> None:
    found = decide(evidence(column("total_spend", "spike")), [], POLICY)
    assert "PSI 0.12 since the last stable session, z 4.2" in found.sentence


def test_predictions_are_the_cause_where_features_drift_too() -> None:
    world = [column("total_spend", severity=9.0), column("prediction", severity=1.5, kind="prediction")]
    found = decide(evidence(*world), before("confirm"), POLICY)
    assert (found.decision, found.cause, found.severity) == ("retrain", "predictions", 9)


def test_of_many_columns_three_are_named_and_the_others_counted() -> None:
    names = ["total_spend", "orders", "email_opens", "clicks", "visits"]
    found = decide(evidence(*map(column, names), importances={}), [], POLICY)
    assert "email_opens (average 100 -> 125, PSI 0.50) and 2 more moved far" in found.sentence
    assert "clicks" not in found.sentence
    four = decide(evidence(*map(column, names[:4]), importances={}), [], POLICY)
    assert " and 1 more moved far" in four.sentence


@pytest.mark.parametrize("name", ["page_views", "coupons", "a_new_column"])
def test_a_feature_the_model_hardly_looks_at_is_only_reported_however_often(name: str) -> None:
    found = decide(evidence(column(name, severity=40.0)), before("retrain", "retrain", "retrain"), POLICY)
    assert (found.decision, found.cause) == ("report", "features")
    assert found.severity == 0, "it must not keep an episode open"
    assert found.sentence == f"{name} (average 100 -> 125, PSI 10.00) moved, and the model hardly looks at it."


def test_two_such_features_are_them() -> None:
    found = decide(evidence(column("page_views"), column("coupons")), [], POLICY)
    assert found.sentence.endswith("moved, and the model hardly looks at them.")


def test_a_feature_at_the_limit_of_importance_matters_and_a_model_without_importances_leans_on_all() -> None:
    assert decide(evidence(column("email_opens")), [], POLICY).decision == "confirm"
    assert decide(evidence(column("coupons"), importances={}), [], POLICY).decision == "confirm"


def test_of_drifted_features_only_those_that_matter_are_the_reason_and_the_severity() -> None:
    found = decide(evidence(column("coupons", severity=40.0), column("total_spend", severity=1.25)), [], POLICY)
    assert "total_spend" in found.sentence
    assert "coupons" not in found.sentence
    assert found.severity == 1.25


def test_a_change_beyond_chance_that_is_too_small_to_matter_does_nothing() -> None:
    found = decide(evidence(column("total_spend", "watch", 0.6)), before("confirm"), POLICY)
    assert (found.decision, found.severity) == ("nothing", 0.6)
    assert "changed a little, beyond chance: total_spend" in found.sentence


@pytest.mark.parametrize(
    ("limit", "age", "old"), [(365, 365, False), (365, 366, True), (1, 2, True), (None, 9999, False)]
)
def test_a_model_is_old_beyond_its_limit_and_not_at_it(limit: int | None, age: int, old: bool) -> None:
    found = decide(evidence(age_days=age), [], Monitor(max_age_days=limit))
    assert found.decision == ("retrain" if old else "nothing")
    if old:
        assert (found.cause, found.severity) == ("age", 1)
        assert found.sentence == f"The model is {age} days old, at most {limit} are allowed."


def _flags(flags: tuple[bool, ...]) -> str:
    names = ("feed", "broken", "errors", "drift", "old", "minor")
    return "+".join(name for name, flag in zip(names, flags, strict=True) if flag) or "quiet"


@pytest.mark.parametrize("flags", list(itertools.product([False, True], repeat=6)), ids=_flags)
def test_the_first_row_of_the_table_that_applies_decides(flags: tuple[bool, ...]) -> None:
    feed, broken, errors, drift, old, minor = flags
    columns = [column("orders_ever", "scale")] * broken + [column("total_spend")] * drift + [column("coupons")] * minor
    found = decide(
        evidence(
            *columns,
            quality=[FEED] * feed,
            realised=ERRORS if errors else None,
            age_days=400 if old else 30,
        ),
        before("confirm"),
        POLICY,
    )
    table: list[tuple[bool, tuple[str, str]]] = [
        (feed, ("data_quality", "source")),
        (broken, ("data_quality", "data")),
        (errors, ("retrain", "realised")),
        (drift, ("retrain", "features")),
        (old, ("retrain", "age")),
        (minor, ("report", "features")),
        (True, ("nothing", "none")),
    ]
    assert (found.decision, found.cause) == next(answer for applies, answer in table if applies)
    assert (found.severity >= 1) == (found.decision in ("data_quality", "retrain"))
    assert any(letter.isdigit() for letter in found.sentence), "a sentence carries figures"


def test_a_finding_is_a_row_of_its_table() -> None:
    row = decide(evidence(), [], POLICY).row("s1", "cltv", "cltv-20260630-drift")
    assert set(row) == set(TRIAGE.column_names)
    assert (row["session_id"], row["workflow"], row["as_of"], row["measured_at"]) == ("s1", "cltv", TODAY, NOON)
