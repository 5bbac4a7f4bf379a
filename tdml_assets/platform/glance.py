"""Pictures so small that the Dagster UI shows them in its table of metadata instead of behind a link.

Belongs here: two bars per place as a data URI. Does not: the full pictures (``figures.py``), Dagster's types (``metadata.py``).

The UI opens Markdown in place only if it has fewer than 1,000 characters; a whole chart has some thousands.
"""

from collections.abc import Sequence
from urllib.parse import quote

from tdml_assets.platform.svg import escaped

#: Characters from which the UI puts Markdown behind a link.
MOST_CHARACTERS = 1000
_WIDTH, _HEIGHT, _FLOOR = 260, 74, 60
_COLOURS = ("#2b6ca3", "#e08a1e")
_COLOUR_NAMES = ("blue", "orange")
# A parenthesis would end the address; most other signs may stand as they are, which saves two characters each.
_SAFE = "/:=',-.;@&"


def bars(title: str, series: Sequence[tuple[str, Sequence[float]]], first: str, last: str) -> str:
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
