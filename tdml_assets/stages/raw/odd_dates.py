"""Dates that no format reads as they stand: what is in them, and what to write or to ask of the source.

Belongs here: names of time zones behind a time, month names of other languages, weeks. Does not: formats (``dates.py``), the other
hints (``hints.py``).
"""

import re
from collections.abc import Sequence

from tdml_assets.stages.raw.dates import formats_that_read

#: Zones whose times have these letters behind them, one name for winter and one for summer.
_ZONES = {
    "America/Los_Angeles": ("PST", "PDT"),
    "America/Denver": ("MST", "MDT"),
    "America/Chicago": ("CST", "CDT"),
    "America/New_York": ("EST", "EDT"),
    "Europe/London": ("GMT", "BST"),
    "Europe/Paris": ("CET", "CEST"),
    "Europe/Athens": ("EET", "EEST"),
    "Asia/Tokyo": ("JST", "JST"),
    "Asia/Kolkata": ("IST", "IST"),
    "Australia/Sydney": ("AEST", "AEDT"),
}
_LETTERS = re.compile(r"^(.*\d.*?)\s+\(?([A-Z]{3,4})\)?$")
_WEEK = re.compile(r"\d{4}-?W\d{2}")
_MONTHS = {
    "German": "januar februar märz mai juni juli oktober dezember okt dez mär",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre févr avr juil",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre ene abr ago dic",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre gen mag giu lug",
    "Dutch": "januari februari maart april mei juni juli augustus oktober mrt okt",
    "Portuguese": "janeiro fevereiro março abril maio junho julho setembro outubro novembro dezembro fev mai set out dez",
}


def remedy_of_odd_dates(where: str, cells: Sequence[str]) -> str | None:
    """What to do about ``cells``; ``None`` where they are odd in no known way. ``where``: the source's place in the settings."""
    if not cells:
        return None
    if all(_WEEK.match(cell.strip()) for cell in cells):
        return "They name weeks, which are not read: export the days."
    words = {word.casefold() for cell in cells for word in re.findall(r"[^\W\d_]{3,}", cell)}
    languages = [name for name, months in _MONTHS.items() if words and words <= set(months.split())]
    if languages:
        return (
            f"Their months are written in {' or '.join(languages)}, which is not read: export dates with numbers, such as "
            "2024-03-31."
        )
    return _zone_remedy(where, cells)


def _zone_remedy(where: str, cells: Sequence[str]) -> str | None:
    found = [match.groups() for cell in cells if (match := _LETTERS.match(cell.strip()))]
    if len(found) < len(cells):
        return None
    letters = sorted({name for _, name in found})
    zone = next((zone for zone, names in _ZONES.items() if set(letters) <= set(names)), None)
    fitting = formats_that_read([text for text, _ in found])
    if zone is None or not fitting:
        return None
    formats = ", ".join(repr(f"{fitting[0]} {name}") for name in letters)
    shown = formats if len(letters) == 1 else f"[{formats}]"
    return f"They end in the letters of a zone: write timestamp_format: {shown} and timezone: {zone} under {where}."
