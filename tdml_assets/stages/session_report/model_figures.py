"""Pictures of a session report about the model: predicted against actual, gain, bars, trends; plain values in, markup out.

Elsewhere: shapes and scales (``platform/svg.py``), which values are shown (``sections.py``, ``model.py``), colours (the
page's style sheet).
"""

from __future__ import annotations

from collections.abc import Sequence

from tdml_assets.platform import svg
from tdml_assets.platform.svg import Markup, Scale, element, line, mark, text

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 590.0, 250.0, 58.0, 48.0, 40.0
_FLOOR = _HEIGHT - _BOTTOM
_BAR_LEFT, _BAR_RIGHT, _BAR_TOP, _BAR_TALL = 232.0, 92.0, 26.0, 21.0


def predicted_and_actual(name: str, title: str, pairs: Sequence[tuple[float, float]], words: Sequence[str]) -> Markup:
    """Draw two bars per group of customers: the mean prediction and what happened on average.

    ``pairs``: predicted and actual, per group. ``words``: one per pair, below the axis; the last names the axis' meaning in the
    description.
    """
    most = max([value for pair in pairs for value in pair], default=0.0) or 1.0
    y = Scale(0, most * 1.08, _FLOOR, _TOP)
    step = (_WIDTH - _LEFT) / max(len(pairs), 1)
    bar = step * 0.36
    worst = max(pairs, key=lambda pair: abs(pair[0] - pair[1]), default=(0.0, 0.0))
    parts = [text(0, 14, title, "chart-title"), *_key(("now", "predicted"), ("realised", "happened")), _grid(y)]
    for place, ((predicted, actual), word) in enumerate(zip(pairs, words, strict=True)):
        at = _LEFT + step * place + step * 0.12
        parts.append(_upright(at, bar, y(predicted), "bar now", f"{word}: predicted {_amount(predicted)}"))
        parts.append(_upright(at + bar, bar, y(actual), "bar realised", f"{word}: happened {_amount(actual)}"))
        parts.append(text(at + bar, _FLOOR + 16, word, "tick", "middle"))
    parts.append(text(_LEFT, _HEIGHT - 6, "tenths of the tested customers, the lowest prediction first", "small"))
    described = f"{len(pairs)} groups; farthest apart: {_amount(worst[0])} predicted, {_amount(worst[1])} happened."
    return svg.picture(name, _WIDTH, _HEIGHT, title, described, *parts)


def gain(name: str, title: str, shares: Sequence[float]) -> Markup:
    """Draw which share of all that happened the customers with the highest predictions hold.

    ``shares``: of the best tenth, the best two tenths, ... of the tested customers.
    """
    y = Scale(0, 1, _FLOOR, _TOP)
    step = (_WIDTH - _LEFT) / max(len(shares), 1)
    parts = [
        text(0, 14, title, "chart-title"),
        *_key(("now", "by the model"), ("before", "in random order")),
        _grid(y, "%"),
    ]
    for place, share in enumerate(shares):
        at, by_chance = _LEFT + step * place, (place + 1) / len(shares)
        word = f"{by_chance:.0%}"
        left = at + step * 0.12
        parts.append(_upright(left, step * 0.36, y(share), "bar now", f"best {word}: {share:.1%} of all"))
        parts.append(_upright(left + step * 0.36, step * 0.36, y(by_chance), "bar before", f"by chance: {word}"))
        parts.append(text(left + step * 0.18, y(share) - 4, f"{share:.0%}", "value", "middle"))
        parts.append(text(at + step / 2, _FLOOR + 16, word, "tick", "middle"))
    parts.append(text(_LEFT, _HEIGHT - 6, "share of the tested customers, the highest predictions first", "small"))
    described = "; ".join(
        f"the best {(n + 1) / len(shares):.0%} hold {share:.0%}" for n, share in enumerate(shares[:3])
    )
    return svg.picture(name, _WIDTH, _HEIGHT, title, f"{described} of all that happened.", *parts)


def bars(name: str, title: str, rows: Sequence[tuple[str, float, str]]) -> Markup:
    """Draw one bar per row, in the order given. ``rows``: label, length (not negative), and the words at its end."""
    height = _BAR_TOP + _BAR_TALL * len(rows) + 6
    x = Scale(0, max([value for _, value, _ in rows], default=0.0) or 1.0, 0, _WIDTH - _BAR_LEFT - _BAR_RIGHT)
    parts = [text(0, 14, title, "chart-title")]
    for place, (label, value, words) in enumerate(rows):
        base = _BAR_TOP + _BAR_TALL * place
        shown = text(_BAR_LEFT - 8, base + 14, svg.shortened(label, 32), "label", "end")
        parts.append(element("g", element("title", label), shown))
        parts.append(element("rect", x=_BAR_LEFT, y=base + 4, width=max(x(value), 0.5), height=12, class_="bar now"))
        parts.append(text(_BAR_LEFT + x(value) + 6, base + 14, words, "label"))
    parts.append(line(_BAR_LEFT, _BAR_TOP, _BAR_LEFT, height - 4, "axis"))
    first = f"{rows[0][0]}: {rows[0][2]}" if rows else "nothing"
    return svg.picture(name, _WIDTH, height, title, f"{len(rows)} bars; the first is {first}.", *parts)


def trend(name: str, title: str, values: Sequence[float], said: Sequence[str]) -> Markup:
    """Draw a small line over sessions, without axes, for a table cell; its words say the first and the last value.

    ``values``: one per session, the oldest first; at least two. ``said``: the values in words.
    """
    width, height = 150.0, 34.0
    low, high = min(values), max(values)
    x, y = Scale(0, len(values) - 1, 5, width - 5), Scale(low, high, height - 6, 6)
    points = [(x(place), y(value)) for place, value in enumerate(values)]
    return svg.picture(
        name,
        width,
        height,
        title,
        f"{len(values)} sessions, from {said[0]} to {said[-1]}.",
        svg.polyline(points, "line test"),
        mark("circle", *points[-1], 3.4, "point end"),
        least=width,
    )


def _upright(x: float, wide: float, top: float, class_: str, words: str) -> Markup:
    shape = element("rect", x=x, y=top, width=wide, height=max(_FLOOR - top, 0.5), class_=class_)
    return element("g", element("title", words), shape)


def _key(*entries: tuple[str, str]) -> list[Markup]:
    parts, at = [], _LEFT
    for style, words in entries:
        parts.append(element("rect", x=at, y=24, width=14, height=10, class_=f"bar {style}"))
        parts.append(text(at + 20, 33, words, "small"))
        at += 34 + 7.2 * len(words)
    return parts


def _grid(y: Scale, unit: str = "") -> Markup:
    marks = svg.ticks(y.low, y.high, 4)
    words = [f"{value:.0%}" for value in marks] if unit else svg.tick_words(marks)
    parts = []
    for value, word in zip(marks, words, strict=True):
        parts += [line(_LEFT, y(value), _WIDTH, y(value), "grid"), text(_LEFT - 6, y(value) + 4, word, "tick", "end")]
    return svg.joined([*parts, line(_LEFT, _FLOOR, _WIDTH, _FLOOR, "axis")])


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"
