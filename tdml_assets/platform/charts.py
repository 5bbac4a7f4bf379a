"""Charts for the Dagster UI: bars and curves with axes, a legend and values in words, as SVG that needs no style sheet.

Elsewhere: shapes, scales and ticks (``svg.py``), which table is drawn (``figures.py`` and its like), Dagster's metadata
(``metadata.py``).

Pure: equal input gives equal bytes. A bar says its name and value when the pointer rests on it.

The UI opens Markdown in place only if it has fewer than 1,000 characters: :func:`glance_bars` draws a picture as short as that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tdml_assets.platform import svg
from tdml_assets.platform.svg import Markup, Scale, element, escaped, text

# Legible to colour-blind readers and in grey.
BLUE, ORANGE, GREY, RED, INK = "#2b6ca3", "#e08a1e", "#a9b2bb", "#b3261e", "#24323f"
WIDTH = 600.0
LEFT, TOP, BOTTOM = 60.0, 54.0, 42.0
#: Left end of horizontal bars, behind their names, and the letters of a name that fit there.
NAMES, LETTERS = 250.0, 34
_RIGHT = WIDTH - 16.0
#: Room for the words at the end of a horizontal bar.
_WORDS = 58.0
_LETTER = 6.0
_STYLE = Markup(
    f"text{{font-family:sans-serif;font-size:11px;fill:{INK}}}.small{{font-size:10px}}.name{{font-size:14px;font-weight:bold}}"
)


@dataclass(frozen=True)
class Bars:
    """A value per name. ``colours``: one for all of them, or one each. ``label``: in the legend; none where it is empty."""

    values: Sequence[float]
    colours: str | Sequence[str]
    label: str = ""

    def colour(self, place: int) -> str:
        """Colour of a bar."""
        return self.colours if isinstance(self.colours, str) else self.colours[place]


@dataclass(frozen=True)
class Limit:
    """A dashed line across the bars at a value, with its words in the legend."""

    value: float
    label: str
    colour: str = RED


@dataclass(frozen=True)
class Dots:
    """Values drawn as points over horizontal bars; None where there is none."""

    values: Sequence[float | None]
    colour: str
    label: str


@dataclass(frozen=True)
class Curve:
    """A line through points. ``marks``: whether each has a point. ``filled``: whether the area below it is."""

    points: Sequence[tuple[float, float]]
    colour: str
    label: str = ""
    dashed: bool = False
    marks: bool = False
    filled: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis says, and its ends."""

    label: str
    low: float
    high: float


def bars_across(
    title: str,
    names: Sequence[str],
    rows: Sequence[Bars],
    *,
    axis: str,
    form: str,
    ends: tuple[float, float] | None = None,
    limit: Limit | None = None,
    dots: Sequence[Dots] = (),
    root: bool = False,
) -> bytes:
    """Draw horizontal bars, those of one name below each other.

    ``axis``: its words. ``form``: of the value at the end of a bar. ``ends``: of the axis; those of the values, 0 and the limit
    unless given. ``root``: by the square root, so that a bar at the limit stays visible next to one far beyond it.
    """
    tall = 15.0 if len(rows) == 1 else 12.0
    group = tall * len(rows) + 7.0
    height = TOP + group * max(len(names), 3) + BOTTOM
    values = [value for row in rows for value in row.values] + [
        one for row in dots for one in row.values if one is not None
    ]
    low, high = ends or (min([0.0, *values]), max([limit.value if limit else 0.0, *values]))
    x = Scale(low, high if high > low else low + 1.0, NAMES + (_WORDS if low < 0 else 0.0), _RIGHT - _WORDS, root=root)
    parts = [_ticks_below(x, height)]
    for place, name in enumerate(names):
        y = TOP + group * place
        shown = text(NAMES - 8, y + group / 2 + 2, svg.shortened(name, LETTERS), None, "end")
        parts.append(element("g", element("title", name), shown))
        for level, row in enumerate(rows):
            value, words = row.values[place], form.format(row.values[place])
            start, end = sorted((x(0.0), x(value)))
            parts.append(_bar(start, y + tall * level, end - start, tall - 2, row.colour(place), f"{name}: {words}"))
            at, anchor = (end + 4, "start") if value >= 0 else (start - 4, "end")
            parts.append(text(at, y + tall * level + tall - 5, words, "small", anchor))
        for dot in dots:
            if (found := dot.values[place]) is not None:
                said = element("title", f"{name}: {dot.label} {found:.3g}")
                parts.append(element("circle", said, cx=x(found), cy=y + tall / 2 - 1, r=3, fill=dot.colour))
    parts.append(_line(x(0.0), TOP - 4, x(0.0), height - BOTTOM, INK))
    if limit is not None:
        parts.append(_line(x(limit.value), TOP - 4, x(limit.value), height - BOTTOM, limit.colour, dashed=True))
    return _chart(title, height, parts, [*rows, *dots, *([limit] if limit else [])], axis, is_empty=not names)


def bars_up(
    title: str,
    names: Sequence[str],
    rows: Sequence[Bars],
    *,
    axes: tuple[str, str],
    form: str | None = None,
    limit: Limit | None = None,
) -> bytes:
    """Draw upright bars, those of one name next to each other.

    ``axes``: words below and above the axes. ``form``: of the value on a bar; without one only the axis says it.
    """
    step = (_RIGHT - LEFT) / max(len(names), 1)
    longest = max(map(len, names), default=0) * _LETTER
    # Names that do not fit next to each other are turned.
    turn = 0.6 * longest if longest > step else 0.0
    height = 290.0 + turn
    floor = height - BOTTOM - turn
    values = [value for row in rows for value in row.values]
    low, high = min([0.0, *values]), max([limit.value if limit else 0.0, *values])
    y = Scale(low, (high - low or 1.0) * 1.08 + low, floor, TOP)
    wide = step * 0.84 / max(len(rows), 1)
    parts = [_ticks_left(y)]
    for place, name in enumerate(names):
        x = LEFT + step * (place + 0.08)
        for level, row in enumerate(rows):
            value = row.values[place]
            top, end = sorted((y(value), y(0.0)))
            words = f"{name}: {(form or '{:,.6g}').format(value)}"
            parts.append(_bar(x + wide * level, top, wide, end - top, row.colour(place), words))
            if form is not None:
                parts.append(text(x + wide * (level + 0.5), top - 3, form.format(value), "small", "middle"))
        at = LEFT + step * (place + 0.5)
        turned = f"rotate(-35 {at:.1f} {floor + 14:.1f})" if turn else None
        anchor = "end" if turn else "middle"
        parts.append(element("text", name, x=at, y=floor + 14, class_="small", text_anchor=anchor, transform=turned))
    parts.append(_line(LEFT, y(0.0), _RIGHT, y(0.0), INK))
    if limit is not None:
        parts.append(_line(LEFT, y(limit.value), _RIGHT, y(limit.value), limit.colour, dashed=True))
    legend: list[Bars | Limit] = [*rows, *([limit] if limit else [])]
    return _chart(title, height, parts, legend, axes[0], axes[1], is_empty=not names)


def curves(
    title: str, lines: Sequence[Curve], x_axis: Axis, y_axis: Axis, notes: Sequence[tuple[float, float, str]] = ()
) -> bytes:
    """Draw lines over numbers. ``notes``: words at the lower right of a point."""
    height = 300.0
    x = Scale(x_axis.low, x_axis.high, LEFT, _RIGHT)
    y = Scale(y_axis.low, y_axis.high, height - BOTTOM, TOP)
    parts = [_ticks_left(y), _ticks_below(x, height)]
    for one in lines:
        at = [(x(left), y(up)) for left, up in one.points]
        drawn = " ".join(f"{svg.number(left)},{svg.number(up)}" for left, up in at)
        if one.filled and at:
            base = svg.number(y(0.0))
            area = f"{svg.number(at[0][0])},{base} {drawn} {svg.number(at[-1][0])},{base}"
            parts.append(element("polygon", points=area, fill=one.colour, fill_opacity=0.8))
        dashes = "6 4" if one.dashed else None
        style = {"fill": "none", "stroke": one.colour, "stroke_width": 2, "stroke_dasharray": dashes}
        parts.append(element("polyline", points=drawn, **style))
        parts += [element("circle", cx=left, cy=up, r=3, fill=one.colour) for left, up in at if one.marks]
    parts += [text(x(left) + 7, y(up) + 14, words, "small") for left, up, words in notes]
    is_empty = not any(one.points for one in lines)
    return _chart(title, height, parts, lines, x_axis.label, y_axis.label, is_empty=is_empty)


def picture(title: str, height: float, parts: Sequence[Markup]) -> bytes:
    """A whole picture with its title, on white."""
    drawing = element(
        "svg",
        element("style", _STYLE),
        element("rect", width=WIDTH, height=height, fill="#ffffff"),
        text(12, 20, title, "name"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=height,
        viewBox=f"0 0 {svg.number(WIDTH)} {svg.number(height)}",
    )
    return drawing.encode()


def _chart(
    title: str,
    height: float,
    parts: Sequence[Markup],
    legend: Sequence[Bars | Limit | Dots | Curve],
    below: str,
    above: str = "",
    *,
    is_empty: bool,
) -> bytes:
    entries, at = [], LEFT
    for one in legend:
        if one.label:
            colour = one.colour if isinstance(one.colour, str) else one.colour(0) if one.values else GREY
            entries += [
                element("rect", x=at, y=32, width=12, height=8, fill=colour),
                text(at + 17, 40, one.label, "small"),
            ]
            at += 30 + _LETTER * len(one.label)
    words = [text((LEFT + _RIGHT) / 2, height - 8, below, None, "middle")]
    if above:
        words.append(
            element("text", above, text_anchor="middle", transform=f"translate(14 {height / 2:.1f}) rotate(-90)")
        )
    if is_empty:
        words.append(text(WIDTH / 2, height / 2, "nothing to draw", None, "middle"))
    return picture(title, height, [*parts, *entries, *words])


def _bar(x: float, y: float, wide: float, tall: float, colour: str, words: str) -> Markup:
    return element("rect", element("title", words), x=x, y=y, width=wide, height=tall, fill=colour)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_dasharray="6 4" if dashed else None)


def _ticks_left(y: Scale) -> Markup:
    marks = svg.ticks(y.low, y.high, 5)
    words = zip(marks, svg.tick_words(marks), strict=True)
    return svg.joined([text(LEFT - 6, y(value) + 4, word, "small", "end") for value, word in words])


def _ticks_below(x: Scale, height: float) -> Markup:
    marks = svg.ticks(x.low, x.high, 5)
    words = zip(marks, svg.tick_words(marks), strict=True)
    return svg.joined([text(x(value), height - BOTTOM + 14, word, "small", "middle") for value, word in words])


#: Characters from which the UI puts Markdown behind a link.
MOST_CHARACTERS = 1000
_WIDTH, _HEIGHT, _FLOOR = 260, 74, 60
_COLOURS = ("#2b6ca3", "#e08a1e")
_COLOUR_NAMES = ("blue", "orange")
# A parenthesis would end the address; most other signs need no escape, which saves two characters each.
_SAFE = "/:=',-.;@&"


def glance_bars(title: str, series: Sequence[tuple[str, Sequence[float]]], first: str, last: str) -> str:
    """Draw one or two bars per place, as Markdown with an image.

    Returns fewer than 1,000 characters, or only the words if it cannot be drawn in so few. ``title``: alternative text.
    ``series``: words and values (not negative) of one or two rows of bars, equally many. ``first``, ``last``: words below the
    first and the last place.
    """
    most = max((value for _, values in series for value in values), default=0.0)
    words = " ".join(f"{name}: {_COLOUR_NAMES[place]}." for place, (name, _) in enumerate(series))
    if most <= 0:
        return f"{title}. Nothing to draw."
    places = len(series[0][1])
    step = _WIDTH / places
    wide = max(round(step * 0.8 / len(series)), 1)
    drawn = [
        f"<path fill='{_COLOURS[row]}' d='"
        + "".join(
            f"M{round(step * place) + wide * row} {_FLOOR}v-{max(round(50 * value / most), 1)}h{wide}V{_FLOOR}"
            for place, value in enumerate(values)
        )
        + "'/>"
        for row, (_, values) in enumerate(series)
    ]
    texts = (
        f"<g font-size='10' font-family='sans-serif'><text y='72'>{escaped(first)}</text>"
        f"<text x='{_WIDTH}' y='72' text-anchor='end'>{escaped(last)}</text></g>"
    )
    picture = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}'>{''.join(drawn)}{texts}</svg>"
    )
    text = f"![{title}](data:image/svg+xml,{quote(picture, safe=_SAFE)})\n\n{words}"
    return text if len(text) < MOST_CHARACTERS else f"{title}. {words}"
