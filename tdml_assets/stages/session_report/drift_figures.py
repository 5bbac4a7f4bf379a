"""Pictures of a session report about drift: the heat map and the history of spikes; plain values in, markup out.

Elsewhere: shapes and scales (``platform/svg.py``), colours (the page's style sheet), which values are shown
(``sections.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tdml_assets.platform import svg
from tdml_assets.platform.svg import Markup, Scale, element, line, mark, polyline, text
from tdml_assets.stages.session_report.figures import GAP
from tdml_assets.stages.triage.words import StatusWords

_SIGNS = ("circle", "square", "triangle", "diamond", "cross")
#: Shares of the limit at which a cell gets darker; the last but one is the limit itself.
SHADES = (0.04, 0.2, 0.5, 1.0, 2.0)
_WIDTH = 1200.0
_MAP_LEFT, _MAP_RIGHT, _MAP_TOP, _TALL, _WIDEST = 232.0, 168.0, 66.0, 21.0, 56.0
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 270.0, 52.0, 232.0, 16.0, 30.0
_END, _FLOOR = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
_ROOT_TICKS = (0, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20)
_DATES = 14
#: Pixels: both pictures scroll on a narrow screen.
_LEAST_WIDTH = 1000.0


@dataclass(frozen=True)
class Cell:
    """One column in one session; ``value`` is its PSI, None where there is none."""

    value: float | None
    status: StatusWords


@dataclass(frozen=True)
class HeatRow:
    """One column over all sessions, the oldest first (None: not measured there); ``note`` is at the right."""

    name: str
    kind: str
    cells: tuple[Cell | None, ...]
    note: str


@dataclass(frozen=True)
class SessionMark:
    """One session: its day, its decision with sign and tone, and whether another champion begins with it."""

    as_of: date
    decision: str
    sign: str
    tone: str
    new_model: bool


@dataclass(frozen=True)
class Series:
    """One column's distance from the session before, over the sessions; ``alarms`` are the places of its alarms."""

    name: str
    values: tuple[float | None, ...]
    alarms: frozenset[int] = frozenset()


def heat_map(name: str, rows: Sequence[HeatRow], sessions: Sequence[SessionMark], *, limit: float) -> Markup:
    """Draw how far columns lie from the reference: a row a column, a cell a session, a number a PSI."""
    wide = min(_WIDEST, (_WIDTH - _MAP_LEFT - _MAP_RIGHT) / max(len(sessions), 1))
    height, width = _MAP_TOP + _TALL * len(rows) + 8, _MAP_LEFT + wide * len(sessions) + _MAP_RIGHT
    changes = [_MAP_LEFT + wide * place for place, one in enumerate(sessions) if place and one.new_model]
    alarms = sum(cell.status.alarm for row in rows for cell in row.cells[-1:] if cell)
    return svg.picture(
        name,
        width,
        height,
        "How far each column lies from the day the model went live",
        f"{len(rows)} columns in {len(sessions)} sessions; {alarms} of these columns alarm in the last one.",
        text(_MAP_LEFT - 8, 29, "session at the end of day", "tick", "end"),
        text(_MAP_LEFT - 8, _MAP_TOP - 10, "decision", "tick", "end"),
        *_session_heads(sessions, wide),
        *(_heat_row(row, sessions, _MAP_TOP + _TALL * index, wide, limit) for index, row in enumerate(rows)),
        *(line(at, _MAP_TOP - 4, at, height - 6, "new-model strong-line") for at in changes),
        element("rect", x=_MAP_LEFT + wide * (len(sessions) - 1), y=17, width=wide, height=height - 23, class_="this"),
        least=_LEAST_WIDTH,
    )


def _session_heads(sessions: Sequence[SessionMark], wide: float) -> list[Markup]:
    """Months once, days in every column, and below them the decisions."""
    parts = []
    for place, one in enumerate(sessions):
        middle, last = _MAP_LEFT + wide * (place + 0.5), place == len(sessions) - 1
        month = (one.as_of.year, one.as_of.month)
        if place == 0 or month != (sessions[place - 1].as_of.year, sessions[place - 1].as_of.month):
            with_year = place == 0 or one.as_of.year != sessions[place - 1].as_of.year
            parts.append(
                text(middle - wide / 2 + 3, 12, f"{one.as_of:%b %Y}" if with_year else f"{one.as_of:%b}", "tick")
            )
            parts.append(line(middle - wide / 2, 3, middle - wide / 2, 34, "grid"))
        parts.append(text(middle, 29, str(one.as_of.day), "tick strong" if last else "tick", "middle"))
        said = element("title", f"{one.as_of}: {one.decision}")
        parts.append(element("g", said, mark(one.sign, middle, _MAP_TOP - 15, 5, f"sign {one.tone}")))
    return parts


def _heat_row(row: HeatRow, sessions: Sequence[SessionMark], base: float, wide: float, limit: float) -> Markup:
    label = text(_MAP_LEFT - 8, base + 15, svg.shortened(row.name, 33), f"label {row.kind}", "end")
    cells = [
        _cell(cell, _MAP_LEFT + wide * place, base, wide, limit, f"{row.name}, {sessions[place].as_of}")
        for place, cell in enumerate(row.cells)
    ]
    note = text(_MAP_LEFT + wide * len(sessions) + 10, base + 15, row.note, "label")
    return element("g", element("g", element("title", row.name), label), *cells, note)


def _cell(cell: Cell | None, x: float, y: float, wide: float, limit: float, where: str) -> Markup:
    inside = {"x": x + 0.75, "y": y + 0.75, "width": wide - 1.5, "height": _TALL - 1.5}
    sign = cell.status.sign if cell else None
    if cell is None or cell.value is None:
        said = element("title", f"{where}: {cell.status.words if cell else 'not measured'}")
        centre = mark(sign, x + wide / 2, y + _TALL / 2, 4, "sign stop") if sign else Markup("")
        return element("g", said, element("rect", **inside, class_="cell none"), centre)
    shade = sum(cell.value >= limit * step for step in SHADES)
    parts = [
        element("title", f"{where}: PSI {cell.value:.3f}, {cell.status.words}"),
        element("rect", **inside, class_=f"cell heat{shade}{' alarm' if cell.status.alarm else ''}"),
    ]
    if cell.value >= 0.005:
        middle = x + wide / 2 + (4 if sign else 0)
        parts.append(text(middle, y + _TALL / 2 + 4, short(cell.value), f"value heat{shade}", "middle"))
    if sign:
        parts.append(mark(sign, x + 7, y + _TALL / 2, 3, f"sign on-heat{shade}"))
    return element("g", *parts)


def spike_history(name: str, series: Sequence[Series], sessions: Sequence[SessionMark], *, limit: float) -> Markup:
    """Draw the distance of each session from the stable one before it; the first series have names, the rest are context."""
    values = [value for one in series for value in one.values if value is not None]
    x = Scale(0, max(len(sessions) - 1, 1), _LEFT + 12, _END - 12)
    y = Scale(0, max([limit * 1.6, *values]) * 1.08, _FLOOR, _TOP, root=True)
    named, context = series[: len(_SIGNS)], series[len(_SIGNS) :]
    said = "; ".join(f"{one.name}: {_last(one):.3f} in the last session" for one in named)
    return svg.picture(
        name,
        _WIDTH,
        _HEIGHT,
        "Distance of every session from the stable one before it",
        f"The limit is {limit:g}. {said}.",
        _frame(x, y, sessions),
        *(polyline(run, "line context") for one in context for run in _runs(one, x, y)),
        line(_LEFT, y(limit), _END, y(limit), "limit"),
        text(_LEFT + 6, y(limit) - 5, f"limit {limit:g}", "small limit-words"),
        *(_series(one, index, x, y) for index, one in enumerate(named)),
        _series_ends(named, y),
        least=_LEAST_WIDTH,
    )


def _frame(x: Scale, y: Scale, sessions: Sequence[SessionMark]) -> Markup:
    parts = []
    for value in _ROOT_TICKS:
        if value < y.high:
            parts.append(line(_LEFT, y(value), _END, y(value), "grid"))
            parts.append(text(_LEFT - 6, y(value) + 4, f"{value:g}", "tick", "end"))
    every = -(-len(sessions) // _DATES)
    for place, one in enumerate(sessions):
        if (len(sessions) - 1 - place) % every == 0:
            parts.append(text(x(place), _HEIGHT - 10, f"{one.as_of.day} {one.as_of:%b %y}", "tick", "middle"))
        if place and one.new_model:
            between = (x(place) + x(place - 1)) / 2
            parts.append(line(between, _TOP, between, _FLOOR, "new-model"))
    return svg.joined(parts)


def _series(one: Series, index: int, x: Scale, y: Scale) -> Markup:
    parts = []
    for run in _runs(one, x, y):
        parts.append(polyline(run, f"line series{index}"))
        parts += [mark(_SIGNS[index], *at, 3.2, f"point series{index}") for at in run]
    parts += [mark("circle", x(place), y(one.values[place] or 0.0), 8, "ring") for place in sorted(one.alarms)]
    return svg.joined(parts)


def _series_ends(named: Sequence[Series], y: Scale) -> Markup:
    parts = []
    places = svg.spread([y(_last(one)) for one in named], GAP, _TOP + 4, _FLOOR)
    for index, (one, place) in enumerate(zip(named, places, strict=True)):
        parts.append(mark(_SIGNS[index], _END + 10, place, 3.2, f"point series{index}"))
        parts.append(text(_END + 20, place + 4, f"{svg.shortened(one.name, 26)} {_last(one):.3f}", "label"))
    return svg.joined(parts)


def _last(one: Series) -> float:
    return next((value for value in reversed(one.values) if value is not None), 0.0)


def _runs(one: Series, x: Scale, y: Scale) -> list[list[tuple[float, float]]]:
    """Points that follow each other without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(one.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x(place), y(value)))
    return [run for run in runs if run]


def short(value: float) -> str:
    """A distance in at most four characters."""
    if value < 0.995:
        return f"{value:.2f}"[1:]
    return f"{value:.1f}" if value < 9.95 else f"{min(value, 9999):.0f}"


def sign_picture(shape: str, style: str) -> Markup:
    """A sign alone, for a legend; its words are next to it."""
    return element("svg", mark(shape, 7, 7, 5, style), viewBox="0 0 14 14", width=14, height=14, aria_hidden="true")
