"""From the facts of a session to what the sections of its report show.

Elsewhere: reading them (``reading.py``), drawing (``figures.py``, ``drift_figures.py``), what is shown of the model and its
predictions (``predictions.py``), the page (``page.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from tdml_assets.platform.svg import Markup
from tdml_assets.stages.session_report import drift_figures, figures
from tdml_assets.stages.session_report.facts import SHOWN_COLUMNS, DriftFact, ReportFacts, SessionFacts
from tdml_assets.stages.triage.words import StatusWords, decision_words, status_words
from tdml_assets.tasks.presentation import Measure, compare, gain_ends, presentation_of, shown

_FARTHEST = 8
#: Sessions in the small picture of the main measure.
_TREND = 16
#: Status of a column that jumped between sessions, which is what the history of spikes is about.
_SPIKE = "spike"


@dataclass(frozen=True)
class Tile:
    """One figure at the top of the page."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class MeasureRow:
    """One measure: tested, of the naive forecast, realised (a dash where there is none), and how the first two compare."""

    words: str
    better: str
    test: str
    naive: str
    realised: str
    verdict: str


def tiles_of(facts: ReportFacts) -> list[Tile]:
    """The figures at the top: what a reader asks first."""
    alarms, watched, bad = facts.columns_in_alarm, facts.watched, facts.broken_checks
    opened = [episode["opened_as_of"] for episode in facts.episodes if episode["status"] == "open"]
    scored = sum(count for _, count in facts.labels)
    return [
        Tile("customers scored", f"{scored:,}", _against_before(facts)),
        *_measure_tile(facts),
        Tile("columns in alarm", str(alarms) if watched and not facts.has_nothing_earlier else "-", _watched(facts)),
        Tile("data checks in alarm", *((str(bad), _checked(facts)) if facts.quality else ("-", "not run"))),
        Tile("open episodes", str(len(opened)), f"since {_day(min(opened))}" if opened else _without_episode(alarms)),
    ]


def _day(day: date) -> str:
    """A date that no line break cuts."""
    return f"{day.day}\N{NO-BREAK SPACE}{day:%b}\N{NO-BREAK SPACE}{day.year}"


def _checked(facts: ReportFacts) -> str:
    """How many checks had enough data to say something, as the terminal counts them."""
    little = facts.with_too_little
    return f"of {len(facts.quality) - little} judged" + (f", {little} had too little data" if little else "")


def _without_episode(alarms: int) -> str:
    # Drift must be seen in two sessions before it opens an episode, so columns may alarm without one.
    return "one opens if the next session alarms too" if alarms else "no drift, no broken data"


def _watched(facts: ReportFacts) -> str:
    if not facts.watched:
        return "not measured"
    return f"{facts.watched} watched from now on" if facts.has_nothing_earlier else f"of {facts.watched} watched"


def _against_before(facts: ReportFacts) -> str:
    now, before = (sum(count for _, count in labels) for labels in (facts.labels, facts.labels_before))
    if now and before:
        return f"{now / before - 1:+.1%} since the session before"
    if facts.repeats_first_day:
        return "on the day of the first session"
    return "in the first session" if len(facts.sessions) == 1 else ""


def _measure_tile(facts: ReportFacts) -> list[Tile]:
    measure = presentation_of(facts.spec.task).measures[0]
    tested, realised = (_points(facts, kind, measure.metric) for kind in ("test", "realised"))
    if not tested and not realised:
        return []
    day, value = (realised or tested)[-1]
    note = f"came true for the session of {_day(day)}" if realised else f"in the test made on {_day(day)}"
    if realised and tested:
        note += f"; test {shown(tested[-1][1], measure.form)}"
    return [Tile(measure.words, shown(value, measure.form), note)]


def measure_rows(facts: ReportFacts) -> list[MeasureRow]:
    """The main measures in words, the latest of each."""
    rows = []
    for measure in presentation_of(facts.spec.task).measures:
        tested, realised = (_points(facts, kind, measure.metric) for kind in ("test", "realised"))
        naive = _points(facts, "test", measure.naive)
        if not tested:
            continue
        values = {measure.metric: tested[-1][1], **({measure.naive: naive[-1][1]} if naive and measure.naive else {})}
        ends = {name: _points(facts, "test", name) for name in gain_ends(measure.metric)}
        values |= {name: points[-1][1] for name, points in ends.items() if points}
        (compared,) = compare(values, [measure])
        test, other, true = (
            shown(points[-1][1], measure.form) if points else "-" for points in (tested, naive, realised)
        )
        rows.append(MeasureRow(measure.words, measure.better, test, other, true, compared.verdict))
    return rows


def trend_of(facts: ReportFacts) -> tuple[str, list[tuple[str, list[float]]], str, str]:
    """The main measure of the test over the last sessions: title, values in words, and the first and the last day."""
    measure = presentation_of(facts.spec.task).measures[0]
    points = _points(facts, "test", measure.metric)[-_TREND:]
    title = f"{measure.words} over the sessions, {measure.better} is better"
    series = [(measure.words, [max(value, 0.0) for _, value in points])] if points else []
    return title, series, str(points[0][0]) if points else "", str(points[-1][0]) if len(points) > 1 else ""


def metric_panels(facts: ReportFacts) -> list[Markup]:
    """One picture per main measure; none before two days were measured, since a point alone is a number."""
    if len({metric.as_of for metric in facts.metrics}) < 2:
        return []
    presentation, as_of = presentation_of(facts.spec.task), facts.session.as_of
    unknown = as_of - timedelta(days=facts.spec.target.horizon_days) if presentation.looks_ahead else None
    changes = tuple(session.as_of for before, session in pairwise(facts.sessions) if _is_new(session, before))
    panels = []
    for index, measure in enumerate(presentation.measures):
        lines = _lines(facts, measure)
        title = f"{measure.words[:1].upper()}{measure.words[1:]}; {measure.better} is better"
        panel = figures.Panel(f"measure{index}", title, lines, as_of, unknown, changes, _writer(measure))
        if any(one.points for one in lines):
            panels.append(figures.metric_panel(panel))
    return panels


def _writer(measure: Measure) -> figures.Said:
    return lambda value: shown(value, measure.form)


def _lines(facts: ReportFacts, measure: Measure) -> tuple[figures.Line, ...]:
    naive = _points(facts, "realised", measure.naive) or _points(facts, "test", measure.naive)
    return (
        figures.Line("naive", "naive", None, naive),
        figures.Line("test", "test", "circle", _points(facts, "test", measure.metric)),
        figures.Line("realised", "realised", "square", _points(facts, "realised", measure.metric)),
    )


def _points(facts: ReportFacts, table: str, metric: str | None) -> tuple[tuple[date, float], ...]:
    wanted = (table, metric)
    return tuple((one.as_of, one.value) for one in facts.metrics if (one.evaluation_table, one.metric) == wanted)


def heat_map(facts: ReportFacts) -> Markup | None:
    """The farthest columns over the sessions; None where this session measured nothing."""
    rows = [_heat_row(facts, found) for found in _by_column(facts) if found[0].far <= SHOWN_COLUMNS]
    if not rows:
        return None
    return drift_figures.heat_map("heat-map", rows, _marks(facts), limit=facts.spec.monitor.psi_limit)


def _heat_row(facts: ReportFacts, found: Sequence[DriftFact]) -> drift_figures.HeatRow:
    by_session = {fact.session_id: fact for fact in found}
    cells: list[drift_figures.Cell | None] = []
    for session in facts.sessions:
        fact = by_session.get(session.session_id)
        cells.append(None if fact is None else drift_figures.Cell(fact.psi, status_words(fact.status)))
    note = cells[-1].status.words if cells[-1] else "not measured"
    return drift_figures.HeatRow(found[0].column_name, found[0].kind, tuple(cells), note)


def _by_column(facts: ReportFacts) -> list[list[DriftFact]]:
    """Facts per column, the farthest column first."""
    groups: dict[tuple[str, str], list[DriftFact]] = {}
    for fact in facts.drift:
        groups.setdefault((fact.kind, fact.column_name), []).append(fact)
    return sorted(groups.values(), key=lambda found: found[0].far)


def spike_history(facts: ReportFacts) -> Markup | None:
    """How far each session lies from the stable one before it; None while there is none before."""
    places = {session.session_id: place for place, session in enumerate(facts.sessions)}
    series = []
    for found in sorted(_by_column(facts), key=lambda one: one[0].moved):
        measured = {places[fact.session_id]: fact for fact in found if fact.psi_previous is not None}
        values = tuple(measured[place].psi_previous if place in measured else None for place in places.values())
        alarms = frozenset(place for place, fact in measured.items() if fact.status == _SPIKE)
        if measured:
            series.append(drift_figures.Series(found[0].column_name, values, alarms))
    if not series:
        return None
    return drift_figures.spike_history("spike-history", series, _marks(facts), limit=facts.spec.monitor.step_limit)


def _marks(facts: ReportFacts) -> list[drift_figures.SessionMark]:
    marks = []
    for place, session in enumerate(facts.sessions):
        words = decision_words(session.decision)
        new = place > 0 and _is_new(session, facts.sessions[place - 1])
        marks.append(drift_figures.SessionMark(session.as_of, words.headline, words.sign, words.tone, new))
    return marks


def _is_new(session: SessionFacts, before: SessionFacts) -> bool:
    return bool(session.model_version and before.model_version and session.model_version != before.model_version)


def farthest(facts: ReportFacts) -> list[tuple[DriftFact, StatusWords]]:
    """The farthest columns of this session, with their figures."""
    own = [fact for fact in facts.drift if fact.session_id == facts.session.session_id and fact.far <= _FARTHEST]
    return [(fact, status_words(fact.status)) for fact in own]
