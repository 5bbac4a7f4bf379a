"""Episodes: one event, one alert, at most one retraining; folded from findings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.monitoring import DRIFT_EPISODES
from tdml_assets.stages.triage.decision import ALARMS, DecisionName, Finding
from tdml_assets.stages.triage.episodes import Episode, fold, open_episode

START = date(2026, 1, 1)
POLICY = Monitor(close_after=3, hysteresis=0.7)
#: One letter a session: calm, above hysteresis, reported, confirmation awaited, retraining called for, broken data.
LETTERS: dict[str, tuple[DecisionName, float]] = {
    ".": ("nothing", 0.2),
    "~": ("nothing", 0.8),
    "p": ("report", 0.0),
    "c": ("confirm", 1.3),
    "R": ("retrain", 1.6),
    "Q": ("data_quality", 2.0),
}
Findings = list[tuple[str, Finding]]


def days(story: str, versions: str | None = None) -> Findings:
    """A session a day; ``versions`` is the champion's letter on each."""
    found = []
    for number, letter in enumerate(story):
        decision, severity = LETTERS[letter]
        day = START + timedelta(days=number)
        version = versions[number] if versions else "a"
        noon = datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001
        cause = "data" if letter == "Q" else "features" if severity >= 1 else "none"
        found.append((f"s{number}", Finding(day, version, decision, cause, severity, f"Day {number}.", noon)))
    return found


def folded(story: str, versions: str | None = None, policy: Monitor = POLICY) -> list[Episode]:
    return list(fold("cltv", days(story, versions), policy))


def day(number: int) -> date:
    return START + timedelta(days=number)


def test_a_quiet_history_has_no_episode_and_neither_has_drift_that_was_never_confirmed() -> None:
    assert folded("") == folded("....pp~~..") == folded(".c.c~c.p") == []


def test_an_episode_opens_with_the_session_that_calls_for_a_retraining() -> None:
    (episode,) = folded("..cR")
    assert (episode.status, episode.kind, episode.retrain) == ("open", "drift", True)
    assert episode.episode_id == "cltv-20260104-drift"
    assert (episode.opened_as_of, episode.last_as_of, episode.closed_as_of) == (day(3), day(3), None)
    assert (episode.session_id, episode.model_version, episode.alarms, episode.stable_sessions) == ("s3", "a", 1, 0)
    assert (episode.cause, episode.severity, episode.sentence) == ("features", 1.6, "Day 3.")


@pytest.mark.parametrize(
    "ups_and_downs", ["..", "..R", "..c..R", "~~~~~~", "..~..~..", ".pR.p", "..Q..", "RRRR", "ccc"]
)
def test_it_stays_open_through_ups_and_downs(ups_and_downs: str) -> None:
    (episode, *others) = [one for one in folded("R" + ups_and_downs) if one.kind == "drift"]
    assert (episode.status, episode.opened_as_of, others) == ("open", day(0), [])


@pytest.mark.parametrize("close_after", [1, 3, 5])
def test_it_closes_after_so_many_sessions_in_a_row_below_hysteresis(close_after: int) -> None:
    policy = Monitor(close_after=close_after, hysteresis=0.7)
    (still,) = folded("R" + "." * (close_after - 1), policy=policy)
    assert (still.status, still.stable_sessions) == ("open", close_after - 1)
    (episode,) = folded("R" + "." * close_after + "...", policy=policy)
    assert (episode.status, episode.stable_sessions) == ("closed", close_after)
    assert (episode.last_as_of, episode.closed_as_of) == (day(0), day(close_after))


def test_a_session_exactly_at_hysteresis_is_not_calm_yet() -> None:
    at = [(name, replace(one, severity=0.7) if number else one) for number, (name, one) in enumerate(days("R..."))]
    below = [(name, replace(one, severity=0.69) if number else one) for number, (name, one) in enumerate(days("R..."))]
    assert fold("cltv", at, POLICY)[0].status == "open"
    assert fold("cltv", below, POLICY)[0].status == "closed"


def test_drift_of_unimportant_features_counts_as_calm() -> None:
    assert folded("Rppp")[0].status == "closed"


def test_drift_after_the_end_of_an_episode_is_another_one_and_needs_a_call_of_its_own() -> None:
    first, second = folded("R...cR")
    assert (first.status, second.status) == ("closed", "open")
    assert (first.episode_id, second.episode_id) == ("cltv-20260101-drift", "cltv-20260106-drift")
    (alone,) = folded("R...ccc")
    assert alone.status == "closed"


def test_of_two_sessions_that_are_equally_far_an_episode_tells_of_the_first() -> None:
    findings = days("RR")
    assert findings[0][1].severity == findings[1][1].severity
    (episode,) = fold("cltv", findings, POLICY)
    assert (episode.alarms, episode.sentence) == (2, "Day 0.")


def test_alarms_are_counted_and_the_farthest_session_is_what_an_episode_tells_of() -> None:
    findings = days("RcRR")
    findings[2] = ("s2", replace(findings[2][1], severity=7.5, cause="predictions", sentence="The farthest."))
    (episode,) = fold("cltv", findings, POLICY)
    assert (episode.alarms, episode.severity, episode.cause, episode.sentence) == (
        4,
        7.5,
        "predictions",
        "The farthest.",
    )
    assert (episode.opened_as_of, episode.last_as_of) == (day(0), day(3))


def test_another_champion_resolves_it_on_the_day_it_is_first_measured() -> None:
    (episode,) = folded("RR.", "aab")
    assert (episode.status, episode.model_version, episode.closed_as_of) == ("resolved", "a", day(2))
    assert episode.alarms == 2


@pytest.mark.parametrize("letter", ["c", "~", "p", "Q"])
def test_it_is_resolved_by_another_champion_whatever_is_found_with_it(letter: str) -> None:
    (episode, *_) = folded("R" + letter, "ab")
    assert (episode.kind, episode.status) == ("drift", "resolved")


def test_a_new_champion_that_is_called_for_a_retraining_at_once_has_an_episode_of_its_own() -> None:
    first, second = folded("RR", "ab")
    assert (first.status, second.status) == ("resolved", "open")
    assert (first.model_version, second.model_version) == ("a", "b")
    assert first.episode_id != second.episode_id


@pytest.mark.parametrize("renew_days", [1, 4])
def test_one_that_goes_on_for_longer_than_renew_days_ends_and_what_still_calls_opens_the_next(renew_days: int) -> None:
    policy = Monitor(close_after=3, hysteresis=0.7, renew_days=renew_days)
    (still,) = folded("R" * (renew_days + 1), policy=policy)
    assert (still.status, still.alarms) == ("open", renew_days + 1)
    first, second = folded("R" * (renew_days + 2), policy=policy)
    assert (first.status, first.closed_as_of, first.last_as_of) == ("closed", day(renew_days + 1), day(renew_days))
    assert (second.status, second.opened_as_of, second.alarms) == ("open", day(renew_days + 1), 1)
    assert first.episode_id != second.episode_id
    assert second.alerted_channels == "", "the alert of the first was kept for the second"


@pytest.mark.parametrize("letter", ["c", "~", "."])
def test_one_that_ended_of_age_is_followed_by_another_only_where_a_retraining_is_called_for(letter: str) -> None:
    policy = Monitor(renew_days=2)
    (only,) = folded("RRR" + letter * 3, policy=policy)
    assert (only.status, only.closed_as_of) == ("closed", day(3))


def test_broken_data_stay_one_episode_however_long_they_last() -> None:
    (broken,) = folded("Q" * 9, policy=Monitor(renew_days=2))
    assert (broken.status, broken.alarms) == ("open", 9)


def test_broken_data_are_an_episode_at_once_and_the_first_whole_session_ends_it() -> None:
    (episode,) = folded(".QQ")
    assert (episode.kind, episode.status, episode.retrain) == ("data_quality", "open", False)
    assert (episode.episode_id, episode.alarms) == ("cltv-20260102-data_quality", 2)
    (ended,) = folded(".QQ~")
    assert (ended.status, ended.closed_as_of, ended.last_as_of) == ("closed", day(3), day(2))


def test_broken_data_never_call_for_a_retraining_and_do_not_calm_a_drift() -> None:
    assert not any(episode.retrain for episode in folded("QQQQQQ.Q.Q"))
    drift, broken = folded("R..Q..")
    assert (drift.kind, drift.status, drift.stable_sessions) == ("drift", "open", 2)
    assert (broken.kind, broken.status) == ("data_quality", "closed")


def test_broken_data_are_no_calm_whatever_their_severity() -> None:
    findings = [
        (name, replace(one, severity=0.0) if one.decision == "data_quality" else one) for name, one in days("R..Q.")
    ]
    assert fold("cltv", findings, POLICY)[0].stable_sessions == 1


def test_drift_found_when_the_data_are_whole_again_closes_the_one_and_opens_the_other() -> None:
    broken, drift = folded("QR")
    assert (broken.kind, broken.status, broken.closed_as_of) == ("data_quality", "closed", day(1))
    assert (drift.kind, drift.status, drift.opened_as_of) == ("drift", "open", day(1))


def test_open_episode_is_the_open_one_of_its_kind() -> None:
    episodes = fold("cltv", days("R...QcR"), POLICY)
    found = open_episode(episodes, "drift")
    assert found is not None
    assert found.opened_as_of == day(6)
    assert open_episode(episodes, "data_quality") is None
    assert open_episode((), "drift") is None


def test_an_episode_is_a_row_of_its_table() -> None:
    assert set(folded("R")[0].row()) == set(DRIFT_EPISODES.column_names)


#: Any history: what was found, and by which champion, which may come back.
histories = st.lists(st.tuples(st.sampled_from("".join(LETTERS)), st.sampled_from("aaaab")), max_size=40).map(
    lambda sessions: days("".join(letter for letter, _ in sessions), "".join(version for _, version in sessions))
)


@given(histories)
def test_folding_again_changes_nothing_and_depends_on_no_session_id(history: Findings) -> None:
    once = fold("cltv", history, POLICY)
    assert fold("cltv", history, POLICY) == once
    again = fold("cltv", [(f"again-{name}", finding) for name, finding in history], POLICY)
    assert [replace(one, session_id="") for one in again] == [replace(one, session_id="") for one in once]


@given(histories, st.data())
def test_a_session_that_runs_again_with_the_same_findings_changes_no_episode(
    history: Findings, data: st.DataObject
) -> None:
    again = [
        (f"{name}-again", replace(finding, measured_at=finding.measured_at + timedelta(days=9)))
        if data.draw(st.booleans())
        else (name, finding)
        for name, finding in history
    ]
    before, after = fold("cltv", history, POLICY), fold("cltv", again, POLICY)
    assert [replace(one, session_id="") for one in after] == [replace(one, session_id="") for one in before]


@given(histories)
def test_what_has_ended_is_never_changed_by_what_comes_later(history: Findings) -> None:
    ended: dict[str, Episode] = {}
    for number in range(len(history) + 1):
        episodes = fold("cltv", history[:number], POLICY)
        now = {episode.episode_id: episode for episode in episodes if episode.status != "open"}
        assert ended.items() <= now.items()
        ended = now


@given(histories)
def test_at_most_one_episode_of_a_kind_is_open_they_do_not_overlap_and_ids_are_unique(history: Findings) -> None:
    episodes = fold("cltv", history, POLICY)
    assert len({episode.episode_id for episode in episodes}) == len(episodes)
    for kind in ("drift", "data_quality"):
        own = [episode for episode in episodes if episode.kind == kind]
        assert all(episode.status != "open" for episode in own[:-1])
        for one, following in pairwise(own):
            assert one.closed_as_of is not None
            assert one.closed_as_of <= following.opened_as_of
        _counts_are_right(own, history)


def _counts_are_right(own: Sequence[Episode], history: Findings) -> None:
    for episode in own:
        alarms = ALARMS if episode.kind == "drift" else ("data_quality",)
        inside = [
            finding
            for _, finding in history
            if episode.opened_as_of <= finding.as_of <= episode.last_as_of and finding.decision in alarms
        ]
        assert len(inside) == episode.alarms
        assert max(finding.severity for finding in inside) == episode.severity


@given(histories)
def test_whenever_a_retraining_is_called_for_a_drift_of_that_champion_is_open(history: Findings) -> None:
    for number, (_, finding) in enumerate(history, start=1):
        episode = open_episode(fold("cltv", history[:number], POLICY), "drift")
        if finding.decision == "retrain":
            assert episode is not None
        if episode is not None:
            assert episode.model_version == finding.model_version, "no call for a model that nobody measured"
