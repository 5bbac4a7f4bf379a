"""Dates as people write them: which formats read given texts.

Elsewhere: reading rows (``sql/raw/parts/moments.sql``), which formats a declaration may use
(``declaration/source_values.py``).

A proposal is never used by itself: a person writes it into the settings. ``01/02/2024`` alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from itertools import product
from zoneinfo import ZoneInfo

from tdml_assets.declaration.source_values import ISO_FORMAT
from tdml_assets.stages.raw.moments import ISO_INSTANT, ISO_LOCAL
from tdml_assets.stages.raw.month_names import has_months, in_english, short_months

_DAYS = (
    *("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y"),
    *("%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%a, %d %b %Y", "%Y年%m月%d日", "%d/%b/%Y"),
    *("%d. %b %Y", "%d. %B %Y", "%d de %b de %Y", "%d de %B de %Y"),
    *("%b-%d-%y", "%b-%d-%Y", "%b %d %Y", "%d %b %y", "%A, %B %d, %Y", "%a, %b %d, %Y"),
)
_TIMES = ("", "%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_OFFSETS = ("", "%z", " %z")
#: Ways of writing one column from where it is text of another kind.
_MOST_SHAPES = 6
_SPECIFIER = re.compile(r"%(-?.)")
_WRITABLE = {"Y", "m", "d", "y", "b", "B", "a", "A", "H", "M", "S", "f", "I", "p"}
_NUMERIC = {
    "unix": re.compile(r"\d{9,10}(\.\d+)?"),
    "unix_ms": re.compile(r"\d{12,13}"),
    "unix_us": re.compile(r"\d{15,16}"),
    # Days of the years 1982 to 2064.
    "excel": re.compile(r"[345]\d{4}([.,]\d+)?"),
}
_WORD, _ONE_OR_TWO = r"[^\W\d_]+\.?", r"\d{1,2}"
_FORMS = {
    **dict.fromkeys(("%m", "%d", "%H", "%I", "%M", "%S"), _ONE_OR_TWO),
    **dict.fromkeys(("%a", "%A", "%b", "%B", "%p"), _WORD),
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%f": r"\d{1,6}",
    "%z": r"(?:Z|[+-].+)",
}
_ISO = re.compile(f"{ISO_INSTANT}|{ISO_LOCAL}")


def _candidates() -> tuple[str, ...]:
    with_times = [
        f"{day}{between}{time}{offset}"
        for day, between, time, offset in product(_DAYS, (" ", "T"), _TIMES[1:], _OFFSETS)
        if between == " " or day.startswith("%Y")
    ]
    # As browsers write a time for people.
    with_commas = [f"{day}, {time}" for day, time in product(_DAYS, _TIMES[1:]) if not day.startswith("%Y")]
    return (*_DAYS, *with_times, *with_commas)


_CANDIDATES = _candidates()


def reads(text: str, format_text: str) -> bool:
    """Whether ``text`` is a timestamp in ``format_text``, as the loader reads it."""
    if _reads_as_it_is(text, format_text):
        return True
    return has_months(format_text) and _is_read(in_english(text.strip()), short_months(format_text))


def _reads_as_it_is(text: str, format_text: str) -> bool:
    cleaned = text.strip()
    if format_text in _NUMERIC:
        return _NUMERIC[format_text].fullmatch(cleaned) is not None
    if format_text == ISO_FORMAT:
        return _ISO.match(cleaned) is not None and _is_of_calendar(cleaned)
    form = _form_of(format_text)
    if form is not None and form.fullmatch(cleaned) is None:
        return False
    return _is_read(cleaned, format_text)


def _is_read(text: str, format_text: str) -> bool:
    try:
        datetime.strptime(text, format_text)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return True


@cache
def _form_of(format_text: str) -> re.Pattern[str] | None:
    """What a text of a format looks like, or looser; ``None`` where the format has other parts.

    ``strptime`` compiles a format anew for nearly every call, a millisecond each, and a column of dates is tried in hundreds.
    """
    parts = re.split(r"(%.|\s+)", format_text)
    forms = [
        _FORMS.get(part) if part.startswith("%") else re.escape(part) if part.strip() else r"\s+" * bool(part)
        for part in parts
    ]
    return re.compile("".join(filter(None, forms)), re.IGNORECASE) if None not in forms else None


def _is_of_calendar(text: str) -> bool:
    digits = re.sub(r"\D", "", text[:10])
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return False
    return True


def formats_that_read(texts: Sequence[str]) -> tuple[str, ...]:
    """The proposed formats that read every one of ``texts``, the most usual first; empty if none does."""
    # Fractions and offsets are often there in some rows alone: where a T says so, the standard reads them all.
    is_iso = all("T" in text for text in texts)
    usual = (ISO_FORMAT, *_CANDIDATES) if is_iso else (*_CANDIDATES, ISO_FORMAT)
    candidates = (*_NUMERIC, *usual) if texts else ()
    found = _fitting(texts, candidates, _reads_as_it_is)
    if found or not any(map(str.isalpha, "".join(texts[:1]))):
        return found
    # Months of other languages.
    return _fitting(texts, tuple(filter(has_months, candidates)), reads)


def _fitting(texts: Sequence[str], candidates: tuple[str, ...], is_read: Callable[[str, str], bool]) -> tuple[str, ...]:
    for text in texts:
        candidates = tuple(one for one in candidates if is_read(text, one))
        if not candidates:
            break
    return candidates


def moments_of(texts: Sequence[str]) -> list[datetime]:
    """Times without their offset; empty where not every text can be read."""
    formats = [one for one in formats_that_read(texts) if "%" in one]
    try:
        if formats and has_months(formats[0]):
            short = short_months(formats[0])
            return [datetime.strptime(in_english(text.strip()), short).replace(tzinfo=UTC) for text in texts]
        if formats:
            return [datetime.strptime(text.strip(), formats[0]).replace(tzinfo=UTC) for text in texts]
        return [datetime.fromisoformat(text.strip()).replace(tzinfo=UTC) for text in texts]
    except ValueError:
        return []


#: Words behind a time that are a part of it.
_ENDINGS_OF_TIMES = ("am", "pm", "a.m.", "p.m.", "z", "utc", "t")


def formats_with_ending(texts: Sequence[str]) -> tuple[str, ...]:
    """The formats that read texts but for one word behind each of them, such as ``Uhr`` or ``hs.``, with that word."""
    endings = {re.split(r"\d(?=\D*$)", text.strip())[-1] for text in texts}
    ending = endings.pop() if len(endings) == 1 else ""
    word = ending.strip()
    if not any(map(str.isalpha, word)) or "%" in word or word.isupper() or word.lower() in _ENDINGS_OF_TIMES:
        return ()
    bare = [text.strip().removesuffix(ending) for text in texts]
    return tuple(f"{one}{ending}" for one in formats_that_read(bare) if "%" in one)


_JOINED = re.compile(r"(.*\D\d{4}),? (om|um|à|às|a las|alle|kl\.?|-) (\d{1,2}:.*)")


def formats_with_joint(texts: Sequence[str]) -> tuple[str, ...]:
    """The formats that read texts but for one word between day and time, such as ``om`` or ``à``, with that word."""
    found = [_JOINED.fullmatch(text.strip()) for text in texts]
    words = {match.group(2) for match in found if match is not None}
    if None in found or len(words) != 1:
        return ()
    word = words.pop()
    bare = [f"{match.group(1)} {match.group(3)}" for match in found if match is not None]
    fitting = [*formats_that_read(bare), *formats_with_ending(bare)]
    return tuple(re.sub(r" (%[HI])", rf" {word} \1", one, count=1) for one in fitting if "%" in one)


#: A time as JavaScript writes it, with the name of its zone in brackets, which differs between winter and summer.
_BROWSER = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2} GMT[+-]\d{4}( \([^()%]+\))?")
_MOST_ZONES = 4


def formats_of_browsers(texts: Sequence[str]) -> tuple[str, ...]:
    """One format per name of a zone; empty where a text is not as a browser writes a time."""
    found = [_BROWSER.fullmatch(text.strip()) for text in texts]
    names = {match.group(1) or "" for match in found if match is not None}
    if None in found or not names or len(names) > _MOST_ZONES:
        return ()
    return tuple(f"%a %b %d %Y %H:%M:%S GMT%z{name}" for name in sorted(names))


def swapped(format_text: str) -> str:
    """The same format with day and month in each other's place."""
    return format_text.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def formats_of_shapes(texts: Sequence[str]) -> tuple[str, ...]:
    """One format per way of writing, such as days with and without a time; empty where one of them has none, or has several.

    Ways of writing differ in their marks, letters and counts of digits; the most usual comes first.
    """
    shapes: dict[str, list[str]] = {}
    for text in texts:
        shapes.setdefault(re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", text.strip())), []).append(text)
    if len(shapes) > _MOST_SHAPES:
        return ()
    found: dict[str, None] = {}
    for written in sorted(shapes.values(), key=len, reverse=True):
        fitting = formats_that_read(written)
        # A form of days first or months first that was proved by others decides for those that prove nothing.
        known = [one for one in fitting if any(one.startswith(day) for day in (f[:8] for f in found if "%" in f))]
        chosen = known or list(fitting)
        orders = {re.sub(r"[^dmbBYy]", "", one).lower().replace("b", "m") for one in chosen if "%" in one}
        if not chosen or len(orders) > 1:
            return ()
        found.setdefault(chosen[0])
    return tuple(found)


def as_written(moments: Sequence[datetime], zone: str, format_text: str) -> tuple[str, ...]:
    """The texts from which moments were read; empty where a format says more, or less, than moments hold.

    ``moments``: naive UTC. ``zone``: of the source. ``format_text``: as it declares it.
    """
    if format_text in (*_NUMERIC, ISO_FORMAT) or set(_SPECIFIER.findall(format_text)) - _WRITABLE:
        return ()
    local = (moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for moment in moments)
    return tuple(moment.strftime(format_text) for moment in local)


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


def remedy_of_odd_dates(where: str, cells: Sequence[str]) -> str | None:
    """What to do about ``cells``; ``None`` where they are odd in no known way. ``where``: the source's place in the settings."""
    if not cells:
        return None
    if all(_WEEK.match(cell.strip()) for cell in cells):
        return "They name weeks, which are not read: export the days."
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
