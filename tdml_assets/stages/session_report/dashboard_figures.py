"""Pictures of the dashboard: rows in, markup out; None where there is nothing to draw.

Elsewhere: shapes and scales (``platform/svg.py``), what is read (``dashboard.py``).

Every bar and cell has its number in words: colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from tdml_assets.platform import svg
from tdml_assets.platform.svg import Markup, Scale, element, line, mark, picture, polyline, text

Rows = Sequence[Mapping[str, Any]]
#: As wide as a telephone shows: three pictures in a row on a large screen.
_WIDTH, _LEFT, _RIGHT, _TOP = 420.0, 112.0, 104.0, 18.0
#: Pixels to which a picture shrinks before its frame scrolls.
_LEAST = 300.0
_END = _WIDTH - _RIGHT
_ROW = 24.0
#: Right end of the columns, behind which the bands are named.
_SHARES_END = 260.0
_MOST_BANDS = 12
#: Letters of a name that fit to the left of a row.
_MOST_LETTERS = 17
#: A cell that is narrower has its figures in small letters.
_WIDE_CELL = 32.0
_NOT_SCORED = "not scored"


def shares(name: str, title: str, rows: Rows) -> Markup | None:
    """Stacked columns: the share of each band per day."""
    bands = _bands(rows)
    if len(bands) < 2:
        return None
    days = sorted({row["as_of"] for row in rows})
    counts = {(row["as_of"], row["band"]): row["customers"] for row in rows}
    height, floor = 280.0, 250.0
    step = (_SHARES_END - 44.0) / len(days)
    wide = min(46.0, step * 0.8)
    parts: list[str] = []
    tops: list[float] = []
    for place, day in enumerate(days):
        total = sum(counts.get((day, band), 0) for band in bands) or 1
        at, x = floor, 44.0 + step * place + (step - wide) / 2
        for number, band in enumerate(bands):
            customers = counts.get((day, band), 0)
            tall = (floor - _TOP) * customers / total
            at -= tall
            said = f"{band} on {day}: {customers:,} customers, {customers / total:.1%}"
            parts.append(
                element(
                    "rect",
                    element("title", said),
                    x=x,
                    y=at,
                    width=wide,
                    height=max(tall, 0.0),
                    class_=f"band b{number}",
                )
            )
            if place == len(days) - 1:
                tops.append(at + tall / 2 + 4)
    last = days[-1]
    total = sum(counts.get((last, band), 0) for band in bands) or 1
    for number, (band, y) in enumerate(zip(bands, svg.spread(tops, 14.0, _TOP + 8, floor), strict=True)):
        parts.append(element("rect", x=_SHARES_END + 4, y=y - 9, width=9, height=9, class_=f"band b{number}"))
        words = f"{svg.shortened(band, _MOST_LETTERS)} {counts.get((last, band), 0) / total:.0%}"
        parts.append(text(_SHARES_END + 17, y, words, "label"))
    shown = [days[0], days[-1]] if len(days) > 1 else days
    for day in shown:
        x = 44.0 + step * (days.index(day) + 0.5)
        parts.append(text(x, floor + 18, f"{day.day} {day:%b %Y}", "tick", "middle"))
    for share in (0.0, 0.5, 1.0):
        y = floor - (floor - _TOP) * share
        parts.append(text(38, y + 4, f"{share:.0%}", "tick", "end"))
    description = f"{len(bands)} bands over {len(days)} days; at {last}: " + ", ".join(
        f"{band} {counts.get((last, band), 0):,}" for band in bands
    )
    return picture(name, _WIDTH, height, title, description, *parts, least=_LEAST)


def movement(name: str, title: str, rows: Rows, days: str) -> Markup | None:
    """A table of shares: rows are the bands of before, columns those of now. ``days``: the two days, in words."""
    if not rows:
        return None
    before = sorted({row["band_before"] for row in rows}, key=_order)[:_MOST_BANDS]
    now = sorted({row["band_now"] for row in rows}, key=_order)[:_MOST_BANDS]
    counts = {(row["band_before"], row["band_now"]): row["customers"] for row in rows}
    top, tall = 96.0, 30.0
    wide = (_WIDTH - _LEFT - 40) / max(len(now), 1)
    parts: list[str] = []
    for place, band in enumerate(now):
        x = _LEFT + wide * (place + 0.5)
        words = svg.shortened(band or _NOT_SCORED, _MOST_LETTERS)
        parts.append(
            element("text", words, x=x, y=top - 8, class_="tick", transform=f"rotate(-38 {x:.1f} {top - 8:.1f})")
        )
    for level, old in enumerate(before):
        y = top + tall * level
        total = sum(counts.get((old, new), 0) for new in now) or 1
        words = svg.shortened(old or _NOT_SCORED, _MOST_LETTERS)
        parts.append(text(_LEFT - 8, y + 19, words, "label", "end"))
        for place, new in enumerate(now):
            if not old and not new:
                continue
            customers = counts.get((old, new), 0)
            share = customers / total
            x = _LEFT + wide * place
            said = f"{old or _NOT_SCORED} to {new or _NOT_SCORED}: {customers:,} customers, {share:.1%}"
            opacity = f"{0.06 + 0.84 * share:.2f}" if customers else "0"
            parts.append(
                element(
                    "rect",
                    element("title", said),
                    x=x + 1,
                    y=y + 1,
                    width=wide - 2,
                    height=tall - 2,
                    class_="stayed" if old == new else "moved",
                    fill_opacity=opacity,
                )
            )
            if customers:
                style = "cell light" if share > 0.5 else "cell"
                small = "" if wide >= _WIDE_CELL else " small"
                parts.append(text(x + wide / 2, y + 14, f"{share:.0%}", f"{style}{small}", "middle"))
                parts.append(text(x + wide / 2, y + 25, _short(customers), f"{style} fine", "middle"))
    parts.append(text(4, 14, days, "chart-title"))
    stayed = sum(count for (old, new), count in counts.items() if old == new and old)
    description = f"from {days}: {stayed:,} of {sum(counts.values()):,} customers stayed in their band"
    return picture(name, _WIDTH, top + tall * len(before) + 8, title, description, *parts, least=_LEAST)


def deciles(name: str, title: str, rows: Rows) -> Markup | None:
    """Bars: what each tenth is expected to spend in all."""
    if not rows:
        return None
    total = sum(row["amount"] for row in rows) or 1.0
    words = [f"{_amount(row['amount'])} · {row['amount'] / total:.0%}" for row in rows]
    labels = [f"{row['decile']}: {_amount(row['mean_amount'])} each" for row in rows]
    description = "; ".join(
        f"decile {row['decile']}: {row['customers']:,} customers, {row['amount']:,.0f} in all" for row in rows
    )
    return _bars(name, title, description, labels, [row["amount"] for row in rows], words, "value")


def grades(name: str, title: str, rows: Rows) -> Markup | None:
    """Bars: customers per grade."""
    if not rows:
        return None
    words = [f"{row['customers']:,}" for row in rows]
    labels = [f"{row['grade']}: mean {row['mean_probability']:.0%}" for row in rows]
    description = "; ".join(f"grade {row['grade']}: {row['customers']:,} customers" for row in rows)
    return _bars(name, title, description, labels, [row["customers"] for row in rows], words, "grade")


def drift(name: str, title: str, rows: Rows) -> Markup | None:
    """Lines over days: the farthest feature and the prediction."""
    known = [row for row in rows if row["feature_psi"] is not None or row["prediction_psi"] is not None]
    if len(known) < 2:
        return None
    days = [row["as_of"] for row in known]
    lines = {"farthest feature": "feature_psi", "prediction": "prediction_psi"}
    highest = max(0.1, *(row[column] or 0.0 for row in known for column in lines.values()))
    height, floor = 220.0, 188.0
    across = Scale(days[0].toordinal(), days[-1].toordinal(), 44.0, _END)
    up = Scale(0.0, highest, floor, _TOP)
    parts: list[str] = []
    values = svg.ticks(0.0, highest, 4)
    for value, words in zip(values, svg.tick_words(values), strict=True):
        parts += [line(44.0, up(value), _END, up(value), "grid"), text(38, up(value) + 4, words, "tick", "end")]
    parts += [text(across(day.toordinal()), floor + 18, words, "tick", "middle") for day, words in _days(days)]
    ends: list[float] = []
    for number, column in enumerate(lines.values()):
        points = [(across(row["as_of"].toordinal()), up(row[column])) for row in known if row[column] is not None]
        parts.append(polyline(points, f"line l{number}"))
        ends.append(points[-1][1] if points else floor)
    for row in known:
        if row["alarms"]:
            parts.append(mark("triangle", across(row["as_of"].toordinal()), _TOP - 6, 4.0, "alarm-mark"))
    for number, (words, y) in enumerate(zip(lines, svg.spread(ends, 15.0, _TOP, floor), strict=True)):
        parts.append(text(_END + 6, y + 4, words, f"label t{number}"))
    alarms = sum(bool(row["alarms"]) for row in known)
    description = f"{len(known)} days, {alarms} with an alarm; farthest feature now {known[-1]['feature_psi'] or 0:.3f}"
    return picture(name, _WIDTH, height, title, description, *parts, least=_LEAST)


def lift(name: str, title: str, rows: Rows) -> Markup | None:
    """Intervals of the latest measurement per band, and the line of the whole over days where it was measured more than once."""
    latest = [row for row in rows if row["age"] == 1 and None not in (row["difference"], row["low"], row["high"])]
    if not latest:
        return None
    low = min(0.0, *(row["low"] for row in latest))
    high = max(0.0, *(row["high"] for row in latest))
    across = Scale(low, high, _LEFT, _END)
    height = _TOP + _ROW * len(latest) + 30
    parts: list[str] = [line(across(0.0), 6, across(0.0), height - 24, "strong-line")]
    values = svg.ticks(low, high, 4)
    for value, words in zip(values, svg.tick_words(values), strict=True):
        parts.append(text(across(value), height - 8, words, "tick", "middle"))
    for place, row in enumerate(latest):
        y = _TOP + _ROW * (place + 0.5)
        style = "clear" if row["low"] > 0 or row["high"] < 0 else "unclear"
        parts.append(text(_LEFT - 8, y + 4, svg.shortened(str(row["band"]), _MOST_LETTERS), "label", "end"))
        parts.append(line(across(row["low"]), y, across(row["high"]), y, f"interval {style}"))
        parts.append(mark("circle", across(row["difference"]), y, 4.5, f"interval-mark {style}"))
        parts.append(text(_END + 6, y + 4, f"{row['difference']:+.3g}", "label"))
    description = "; ".join(
        f"{row['band']}: {row['difference']:+.3g} ({row['low']:.3g} to {row['high']:.3g}), "
        f"{row['treated']:,.0f} customers treated, {row['control']:,.0f} in the control group"
        for row in latest
    )
    return picture(name, _WIDTH, height, title, description, *parts, least=_LEAST)


def lift_over_time(name: str, title: str, rows: Rows) -> Markup | None:
    """Lines over days: the difference of each band that is large enough for an interval."""
    rows = [row for row in rows if row["low"] is not None]
    days = sorted({row["as_of"] for row in rows})
    if len(days) < 2:
        return None
    bands = sorted({row["band"] for row in rows})[:_MOST_BANDS]
    values = [row["difference"] for row in rows if row["difference"] is not None]
    if not values:
        return None
    height, floor = 220.0, 188.0
    across = Scale(days[0].toordinal(), days[-1].toordinal(), 54.0, _END)
    up = Scale(min(0.0, *values), max(0.0, *values), floor, _TOP)
    parts: list[str] = [line(54.0, up(0.0), _END, up(0.0), "strong-line")]
    parts += [text(across(day.toordinal()), floor + 18, words, "tick", "middle") for day, words in _days(days)]
    marks = svg.ticks(min(0.0, *values), max(0.0, *values), 4)
    for value, words in zip(marks, svg.tick_words(marks), strict=True):
        parts.append(text(48, up(value) + 4, words, "tick", "end"))
    ends = []
    for number, band in enumerate(bands):
        own = [row for row in rows if row["band"] == band and row["difference"] is not None]
        points = [(across(row["as_of"].toordinal()), up(row["difference"])) for row in own]
        parts.append(polyline(points, f"line l{number % 4}"))
        ends.append(points[-1][1] if points else floor)
    for number, (band, y) in enumerate(zip(bands, svg.spread(ends, 14.0, _TOP, floor), strict=True)):
        parts.append(text(_END + 6, y + 4, svg.shortened(str(band), 14), f"label t{number % 4}"))
    return picture(name, _WIDTH, height, title, f"{len(bands)} bands over {len(days)} days", *parts, least=_LEAST)


def _bars(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    values: Sequence[float],
    words: Sequence[str],
    style: str,
) -> Markup:
    across = Scale(0.0, max(*values, 0.0) or 1.0, 0.0, _END - _LEFT)
    parts: list[str] = []
    for place, (label, value, said) in enumerate(zip(labels, values, words, strict=True)):
        y = _TOP + _ROW * place
        parts.append(text(_LEFT - 8, y + 15, svg.shortened(label, 18), "label", "end"))
        wide = max(across(max(value, 0.0)), 1.0)
        bar = element(
            "rect", element("title", f"{label}: {said}"), x=_LEFT, y=y + 3, width=wide, height=_ROW - 6, class_=style
        )
        parts += [bar, text(_LEFT + wide + 6, y + 15, said, "label")]
    return picture(name, _WIDTH, _TOP + _ROW * len(labels) + 6, title, description, *parts, least=_LEAST)


def _bands(rows: Rows) -> list[str]:
    """Bands, those with most customers at the bottom; grades and the like in the order of their names."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["band"]] = totals.get(row["band"], 0) + row["customers"]
    if all(len(band) <= 2 for band in totals):
        return sorted(totals)[:_MOST_BANDS]
    return sorted(totals, key=lambda band: (-totals[band], band))[:_MOST_BANDS]


def _order(band: str) -> tuple[bool, int, str]:
    """Numbers by size, other bands by name, no band last."""
    return (band == "", int(band) if band.isdecimal() else 0, band)


def _days(days: Sequence[date]) -> list[tuple[date, str]]:
    return svg.date_ticks(days[0], days[-1], 4)


def _short(count: int) -> str:
    return f"{count:,}" if count < 1000 else f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:,.0f}k"


def _amount(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.1f}M"
    return f"{value / 1e3:,.0f}k" if abs(value) >= 1e4 else f"{value:,.0f}"
