"""What is drawn in a chart, for tests: bars with their values and colours, the legend, the words, and whether all lies inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Drawn:
    """One bar: its name and value in words, its colour, its size in pixels."""

    name: str
    value: str
    colour: str
    wide: float
    tall: float


def _root(picture: bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(picture)
    assert (root.tag, root.get("width")) == (f"{_SVG}svg", "600")
    return root


def lengths(picture: bytes) -> list[Drawn]:
    """Every bar, in the order it is drawn in."""
    found = []
    for box in _root(picture).iter(f"{_SVG}rect"):
        title = box.find(f"{_SVG}title")
        if title is not None:
            name, _, value = (title.text or "").rpartition(": ")
            found.append(
                Drawn(name, value, box.get("fill", ""), float(box.get("width", 0)), float(box.get("height", 0)))
            )
    return found


def bars(picture: bytes, of: str | None = None) -> dict[str, tuple[str, str]]:
    """Value in words and colour per name; of one row of the legend where there are several."""
    colour = None if of is None else legend(picture)[of]
    return {one.name: (one.value, one.colour) for one in lengths(picture) if colour in (None, one.colour)}


def legend(picture: bytes) -> dict[str, str]:
    """Colour per entry."""
    parts = list(_root(picture))
    return {
        after.text or "": box.get("fill", "")
        for box, after in pairwise(parts)
        if box.tag == f"{_SVG}rect"
        and box.find(f"{_SVG}title") is None
        and after.tag == f"{_SVG}text"
        and after.get("y") == "40"
    }


def words(picture: bytes) -> list[str]:
    """Every text that is shown."""
    return [one.text or "" for one in _root(picture).iter(f"{_SVG}text")]


def inside(picture: bytes) -> bool:
    """Whether every shape has finite coordinates inside the frame, and every text ends before its border."""
    root = _root(picture)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    return all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in _corners(root))


def _corners(root: ElementTree.Element) -> Iterator[tuple[float, float]]:
    for one in root.iter():
        at = {
            name: float(one.get(name, 0)) for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height")
        }
        if one.tag == f"{_SVG}rect":
            yield at["x"], at["y"]
            yield at["x"] + at["width"], at["y"] + at["height"]
        elif one.tag == f"{_SVG}line":
            yield from ((at["x1"], at["y1"]), (at["x2"], at["y2"]))
        elif one.tag == f"{_SVG}circle":
            yield at["cx"], at["cy"]
        elif one.tag == f"{_SVG}text" and not one.get("transform"):
            wide = 6.4 * len(one.text or "")
            left = at["x"] - wide * {"end": 1.0, "middle": 0.5}.get(one.get("text-anchor", ""), 0.0)
            yield from ((left, at["y"]), (left + wide, at["y"]))
        for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", one.get("points", "")):
            yield float(x), float(y)
