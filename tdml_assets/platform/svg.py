"""Vector pictures as text: elements that cannot be broken out of, scales and ticks.

Elsewhere: what is drawn (``stages/session_report/figures.py``), pages (``stages/session_report/page.py``).

Text given as a plain ``str`` is always escaped; only what :func:`element` made is printed as it is.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# Not allowed in a page in any form; tab and line breaks are.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
# Letters of a picture 600 wide are 11 pixels tall; narrower than this they can no longer be read.
_LEAST_WIDTH = 560.0
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)


class Markup(str):
    """Text that is safe to print into a page; templates print it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """As it is."""
        return str(self)


def escaped(text: str) -> Markup:
    """Any text, made safe for content and for attributes; characters no page may hold become U+FFFD."""
    return Markup(html.escape(_CONTROL.sub("\ufffd", text), quote=True))


def breakable(name: str) -> Markup:
    """Text in which a name may break after each ``_``, ``.`` and ``/`` before a letter, and nowhere else."""
    return Markup(re.sub(r"([_./])(?=[^\W\d])", r"\1<wbr>", escaped(name)))


def number(value: float) -> str:
    """A coordinate with at most two decimals.

    Raises ``ValueError`` if it is not finite: a picture would silently lose the shape.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a coordinate: leave the point out")
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def element(tag: str, *inner: str, **attributes: object) -> Markup:
    """One element.

    ``inner``: content: :class:`Markup` as it is, any other text escaped. ``attributes``: ``_`` stands for ``-``; a trailing one is
    dropped (``class_``); None leaves the attribute out.
    """
    said = []
    for name, value in attributes.items():
        if value is None:
            continue
        text = number(value) if isinstance(value, (int, float)) else str(value)
        said.append(f' {name.rstrip("_").replace("_", "-")}="{escaped(text)}"')
    content = "".join(part if isinstance(part, Markup) else escaped(part) for part in inner)
    return Markup(f"<{tag}{''.join(said)}>{content}</{tag}>")


def joined(parts: Sequence[str]) -> Markup:
    """Several parts after each other; what is not :class:`Markup` is escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(part) for part in parts))


def picture(
    name: str, width: float, height: float, title: str, description: str, *parts: str, least: float | None = None
) -> Markup:
    """A whole picture that scales with its place and says in words what it shows.

    ``name``: unique in the page; the ids of title and description are made of it. ``width``, ``height``: of the drawing, in its
    own units. ``least``: pixels below which it does not shrink, where its text would become unreadable; its frame scrolls then.
    """
    least = min(width, _LEAST_WIDTH if least is None else least)
    drawing = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        id=name,
        aria_labelledby=f"{name}-title {name}-desc",
        style=f"width:100%;min-width:{number(least)}px;max-width:{number(width)}px;height:auto",
    )
    return element("div", drawing, class_="scroll", tabindex="0", role="group", aria_label=title)


def text(x: float, y: float, content: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    """A line of text; ``anchor`` is start, middle or end."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points; nothing for fewer than two."""
    if len(points) < 2:
        return Markup("")
    return element("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), class_=class_)


def mark(shape: str, x: float, y: float, size: float, class_: str) -> Markup:
    """A sign around a point: circle, square, triangle, diamond or cross. Raises ``ValueError`` if the shape has another name."""
    if shape == "circle":
        return element("circle", cx=x, cy=y, r=size, class_=class_)
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        "cross": ((-1, -1), (1, 1), (0, 0), (1, -1), (-1, 1), (0, 0)),
    }.get(shape)
    if corners is None:
        raise ValueError(f"{shape!r} is not a mark: circle, square, triangle, diamond or cross")
    points = " ".join(f"{number(x + dx * size)},{number(y + dy * size)}" for dx, dy in corners)
    return element("polygon", points=points, class_=class_)


@dataclass(frozen=True)
class Scale:
    """From values to a coordinate, linear or by the root.

    ``low``, ``high``: values at the two ends; equal ones put everything in the middle. ``start``, ``end``: coordinates of the
    ends. ``root``: by the square root, which leaves room for the small next to the large; ``low`` is 0 then.
    """

    low: float
    high: float
    start: float
    end: float
    root: bool = False

    def __call__(self, value: float) -> float:
        """Coordinate of a value; a value beyond the ends stays at the nearer one."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.root:
            low, high, at = (math.sqrt(max(one, 0.0)) for one in (low, high, at))
        share = 0.5 if high <= low else (at - low) / (high - low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values between two, at most about ``most``; one where the two are equal."""
    if not high > low:
        return [low]
    rough = (high - low) / max(most, 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def tick_words(values: Sequence[float]) -> list[str]:
    """The values, all with as many decimals as are needed to write the finest of them; six at most."""
    digits = next(
        (n for n in range(6) if all(math.isclose(value, round(value, n), abs_tol=1e-9) for value in values)), 6
    )
    return [f"{value:,.{digits}f}" for value in values]


def date_ticks(first: date, last: date, most: int = 6) -> list[tuple[date, str]]:
    """Days to write below an axis, with their words: firsts of months, or days where the span is short."""
    days = (last - first).days
    if days <= 62:
        step = max(1, math.ceil(days / max(most, 1)))
        return [(day, f"{day.day} {day:%b}") for day in (first + timedelta(n) for n in range(0, days + 1, step))]
    step = next((months for months in _MONTH_STEPS if days / 30.4 / months <= most), _MONTH_STEPS[-1])
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    firsts = [date(month // 12, month % 12 + 1, 1) for month in months if month % step == 0]
    return [(day, f"{day:%b %Y}" if step < 12 else f"{day:%Y}") for day in firsts if first <= day <= last]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, at least ``gap`` apart where there is room for it, between two bounds."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    at = -math.inf
    for index in order:
        at = max(wanted[index], at + gap, low)
        placed[index] = at
    limit = high
    for index in reversed(order):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return placed


def shortened(words: str, most: int) -> str:
    """At most so many characters, the last an ellipsis where something was left out."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
