"""Pictures of a session report about predictions: measures over sessions, and distributions; plain values in, markup out.

Elsewhere: shapes and scales (``platform/svg.py``), pictures of drift (``drift_figures.py``), colours (the page's style
sheet), which values are shown (``sections.py``).

Colour is never the only sign: numbers, shapes, dashes and words say the same, so that a page printed in grey reads as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tdml_assets.platform import svg
from tdml_assets.platform.svg import Markup, Scale, element, line, mark, polyline, text

Said = Callable[[float], str]
"""Writes a value of a measure."""

#: Least distance of two labels below each other.
GAP = 15.0
_FEW_POINTS = 40
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 590.0, 236.0, 52.0, 118.0, 40.0, 26.0
_END, _FLOOR = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
_BAR_LEFT, _BAR_RIGHT, _BAR_TOP, _BAR_TALL = 150.0, 104.0, 44.0, 24.0


@dataclass(frozen=True)
class Line:
    """One line of a panel. ``style`` is its class in the style sheet, ``sign`` the shape of its points (None for none)."""

    words: str
    style: str
    sign: str | None
    points: tuple[tuple[date, float], ...]


@dataclass(frozen=True)
class Panel:
    """One measure over the days of the sessions.

    ``name``: unique in the page. ``lines``: the later ones are drawn over the earlier ones; those without points are left out.
    ``as_of``: last day of the axis. ``unknown_since``: day after which nothing can be realised yet; None where nothing ever is.
    ``new_models``: days at which another champion begins. ``said``: writes a value.
    """

    name: str
    title: str
    lines: tuple[Line, ...]
    as_of: date
    unknown_since: date | None
    new_models: tuple[date, ...]
    said: Said


@dataclass(frozen=True)
class Bar:
    """Share of the rows in one bin, now and when the model was trained."""

    label: str
    now: float
    before: float


def metric_panel(panel: Panel) -> Markup:
    """Draw one measure. Raises ``ValueError`` if no line has a point."""
    drawn = [one for one in panel.lines if one.points]
    values = [value for one in drawn for _, value in one.points]
    if not values:
        raise ValueError(f"{panel.name}: no line has a point: leave the panel out")
    # A single session is drawn at the right end of a short axis, not on its border.
    first = min([*(day for one in drawn for day, _ in one.points), panel.as_of - timedelta(days=6)])
    x = Scale(first.toordinal(), panel.as_of.toordinal(), _LEFT + 8, _END - 8)
    room = (max(values) - min(values)) * 0.1 or abs(max(values)) * 0.05 or 0.1
    y = Scale(min(values) - room, max(values) + room, _FLOOR, _TOP)
    said = [f"{one.words}: {len(one.points)} points, the last {panel.said(one.points[-1][1])}" for one in drawn]
    return svg.picture(
        panel.name,
        _WIDTH,
        _HEIGHT,
        panel.title,
        f"Lines over the days of the sessions. {'; '.join(said)}.",
        text(0, 14, panel.title, "chart-title"),
        _unknown(panel, x, first),
        _axes(x, y, first, panel.as_of),
        *(
            line(x(day.toordinal()), _TOP, x(day.toordinal()), _FLOOR, "new-model")
            for day in panel.new_models
            if day > first
        ),
        *(_drawn(one, x, y) for one in drawn),
        _line_ends(panel, drawn, y),
    )


def _unknown(panel: Panel, x: Scale, first: date) -> Markup:
    """The days of which nobody knows yet what will have happened."""
    if panel.unknown_since is None or panel.as_of <= panel.unknown_since:
        return Markup("")
    begin = x(max(panel.unknown_since, first).toordinal())
    area = element("rect", x=begin, y=_TOP, width=_END - begin, height=_FLOOR - _TOP, class_="unknown")
    has_room = _END - begin > 92
    return svg.joined([area, text(_END - 4, _TOP + 12, "not realised yet", "small", "end") if has_room else Markup("")])


def _axes(x: Scale, y: Scale, first: date, last: date) -> Markup:
    parts = []
    marks = svg.ticks(y.low, y.high, 4)
    for value, words in zip(marks, svg.tick_words(marks), strict=True):
        parts += [line(_LEFT, y(value), _END, y(value), "grid"), text(_LEFT - 6, y(value) + 4, words, "tick", "end")]
    for day, words in svg.date_ticks(first, last, 5):
        at = x(day.toordinal())
        parts += [line(at, _FLOOR, at, _FLOOR + 4, "axis"), text(at, _FLOOR + 17, words, "tick", "middle")]
    return svg.joined([*parts, line(_LEFT, _FLOOR, _END, _FLOOR, "axis")])


def _drawn(one: Line, x: Scale, y: Scale) -> Markup:
    at = [(x(day.toordinal()), y(value)) for day, value in one.points]
    signs = [mark(one.sign, *point, 3.4, f"point {one.style}") for point in at] if one.sign else []
    return svg.joined([polyline(at, f"line {one.style}"), *(signs if len(at) <= _FEW_POINTS else [])])


def _line_ends(panel: Panel, drawn: Sequence[Line], y: Scale) -> Markup:
    """Name and last value of every line at its right end, none over another."""
    parts = []
    places = svg.spread([y(one.points[-1][1]) for one in drawn], GAP, _TOP + 4, _FLOOR)
    for one, place in zip(drawn, places, strict=True):
        if one.sign:
            parts.append(mark(one.sign, _END + 10, place, 3.4, f"point {one.style}"))
        else:
            parts.append(line(_END + 4, place, _END + 16, place, f"line {one.style}"))
        parts.append(text(_END + 20, place + 4, f"{one.words} {panel.said(one.points[-1][1])}", "label"))
    return svg.joined(parts)


def distribution(name: str, title: str, bars: Sequence[Bar], *, compared: bool) -> Markup:
    """Draw shares per bin, now and, where ``compared``, when the model was trained."""
    height = _BAR_TOP + _BAR_TALL * len(bars) + 6
    most = max([0.01, *(share for bar in bars for share in (bar.now, bar.before))])
    x = Scale(0, most, 0, _WIDTH - _BAR_LEFT - _BAR_RIGHT)
    described = f"{len(bars)} bins."
    moved = max(bars, key=lambda bar: abs(bar.now - bar.before), default=None)
    if compared and moved:
        described += f" The share that changed most: {moved.label}, from {moved.before:.1%} to {moved.now:.1%}."
    return svg.picture(
        name,
        _WIDTH,
        height,
        title,
        described,
        text(0, 14, title, "chart-title"),
        _bar_legend() if compared else "",
        *(_bar(bar, x, _BAR_TOP + _BAR_TALL * index, compared=compared) for index, bar in enumerate(bars)),
        line(_BAR_LEFT, _BAR_TOP, _BAR_LEFT, height - 4, "axis"),
    )


def _bar_legend() -> Markup:
    return svg.joined(
        [
            element("rect", x=_BAR_LEFT, y=24, width=12, height=8, class_="bar now"),
            text(_BAR_LEFT + 17, 32, "now", "small"),
            element("rect", x=_BAR_LEFT + 60, y=24, width=12, height=8, class_="bar before"),
            text(_BAR_LEFT + 77, 32, "when the model went live", "small"),
        ]
    )


def _bar(bar: Bar, x: Scale, base: float, *, compared: bool) -> Markup:
    label = text(_BAR_LEFT - 8, base + 14, svg.shortened(bar.label, 22), "label", "end")
    parts = [
        element("g", element("title", bar.label), label),
        element("rect", x=_BAR_LEFT, y=base + 2, width=max(x(bar.now), 0.5), height=9, class_="bar now"),
    ]
    words = f"{bar.now:.1%}"
    if compared:
        low = {"x": _BAR_LEFT, "y": base + 12, "width": max(x(bar.before), 0.5), "height": 7}
        parts.append(element("rect", **low, class_="bar before"))
        words += f" ({bar.before:.1%})"
    return svg.joined([*parts, text(_BAR_LEFT + x(max(bar.now, bar.before)) + 6, base + 14, words, "label")])
