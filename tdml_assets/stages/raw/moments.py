"""How the times of a row are read: from declared formats and a column's type to the context of a statement.

Elsewhere: which formats a declaration may name (``declaration/source_values.py``), the statements (``sql/raw/parts``),
proposals for a person (``dates.py``).
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

from tdml_assets.declaration.source_values import ISO_FORMAT, NUMERIC_FORMATS, UNIX_FORMATS
from tdml_assets.declaration.sources import EventSource, Source
from tdml_assets.stages.raw.month_names import ENGLISH_MONTHS, has_months, short_months

_UNITS_PER_SECOND = {"unix": 1, "unix_ms": 1_000, "unix_us": 1_000_000}
_DAY = r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
_CLOCK = r"(?:[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?|[0-9]{4}(?:[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
_OFFSET = " ?(?:[Zz]|UTC|[-+\u2212][0-9]{2}(?::?[0-9]{2})?)"
_USUAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,9})?"
#: Regular expressions of times as ISO 8601 has them; the warehouse itself reads the usual ones.
ISO_INSTANT = f"^{_DAY}[Tt ]{_CLOCK}{_OFFSET}$"
ISO_LOCAL = f"^{_DAY}(?:[Tt ]{_CLOCK})?$"
_USUAL_INSTANT = f"{_USUAL}(?:Z|[-+][0-9]{{2}}(?::?[0-9]{{2}})?)$"


@dataclass(frozen=True)
class Reading:
    """One way to read a time: the template ``raw/parts/readings`` prints it.

    ``column``: name in the statement. ``kind``: ``local_text``, ``instant_text``, ``unix``, ``excel``, ``iso_instant`` or
    ``iso_local``. ``format``: of text; else empty.
    """

    column: str
    kind: str
    format: str = ""

    @property
    def is_instant(self) -> bool:
        """Whether it gives an instant; else a local time."""
        return self.kind in {"instant_text", "unix", "iso_instant"}

    @property
    def is_day(self) -> bool:
        """Whether every value of the format is a day without a time."""
        return self.kind == "local_text" and _is_day(self.format)

    @property
    def months(self) -> tuple[tuple[str, str], ...]:
        """Names of months in other languages and the English in their place; empty where the format has none."""
        return ENGLISH_MONTHS if has_months(self.format) else ()

    @property
    def english_format(self) -> str:
        """Format of what the names are replaced in."""
        return short_months(self.format)

    @property
    def units_per_second(self) -> int:
        """Of a number since 1970."""
        return _UNITS_PER_SECOND[self.format]

    @property
    def usual(self) -> str:
        """Regular expression of what the warehouse reads as it is."""
        return _USUAL_INSTANT if self.is_instant else f"{_USUAL}$"

    @property
    def pattern(self) -> str:
        """Regular expression of every form that is read."""
        return ISO_INSTANT if self.is_instant else ISO_LOCAL

    @property
    def other_marks(self) -> str:
        """Marks that ISO 8601 allows for a point and a minus."""
        return ",\u2212"


@dataclass(frozen=True)
class Times:
    """Times of one column that are written in one of several formats."""

    given: str
    readings: tuple[Reading, ...]

    @property
    def local(self) -> str:
        """Column of local times."""
        return f"{self.given}_local"

    @property
    def instant(self) -> str:
        """Column of instants."""
        return f"{self.given}_instant"

    @property
    def is_day(self) -> str:
        """Column that says whether a value is a day without a time."""
        return f"{self.given}_is_day"


@dataclass(frozen=True)
class Moment:
    """How the timestamp of a row is read.

    ``reading``: ``local_text``, ``instant_text``, ``unix``, ``local``, ``date``, ``instant`` or ``several``.
    ``format``: of text; else empty.
    ``unix_units_per_second``: 1, 1,000 or 1,000,000.
    ``zone``: zone of a time without offset.
    ``is_day``: whether the value is a calendar day and not a time; then its day is kept, whatever clocks did at midnight.
    ``policy``: which instant an ambiguous local time means.
    ``shifts_minutes``: sizes of the zone's backward clock changes.
    ``days_in``: zone that days are counted in; ``None`` where it is ``zone``.
    ``times``: where ``reading`` is ``several``.
    """

    reading: str
    format: str
    unix_units_per_second: int
    zone: str
    is_day: bool
    policy: str
    shifts_minutes: tuple[int, ...]
    days_in: str | None = None
    times: Times | None = None


@dataclass(frozen=True)
class Updated:
    """How ``updated_at`` is read: ``text`` with its format, a ``number``, a ``time``, or one of several formats."""

    kind: str
    format: str = ""
    zone: str = "UTC"
    times: Times | None = None


@dataclass(frozen=True)
class Recorded:
    """How ``recorded_at`` is read.

    ``kind``: ``written`` with ``times``; else the type of the column: ``local``, ``instant`` or ``date``. ``zone``: zone of a
    time without offset. ``days_in``: zone that its days are counted in. ``known_on``: last day whose rows are known; ``None``
    where all are.
    """

    kind: str
    zone: str
    days_in: str
    times: Times | None
    known_on: date | None


def plan_moment(declaration: EventSource, family: str, now: datetime) -> Moment:
    """How the timestamps of a column of ``family`` are read. ``now`` is naive UTC."""
    formats = _formats_for(family, declaration.timestamp_format or ())
    times = _several("moment_given", formats)
    declared, is_day = formats[0] if formats else "", False
    if times is not None:
        reading = "several"
    elif formats:
        reading = _kind(declared)
        is_day = reading == "local_text" and _is_day(declared)
    else:
        reading = {"timestamp": "local", "timestamptz": "instant", "date": "date"}.get(family, "local")
        is_day = family == "date"
    zone = declaration.timezone
    days_in = None if is_day or declaration.days_in in (None, zone) else declaration.days_in
    shifts = repeated_minutes(zone, declaration.earliest.year, now.year + 1)
    policy = "earlier" if is_day else declaration.ambiguous_time
    units = _UNITS_PER_SECOND.get(declared, 1)
    return Moment(reading, declared, units, zone, is_day, policy, shifts, days_in, times)


def plan_updated(declaration: Source, family: str) -> Updated:
    """How ``updated_at`` of a column of ``family`` is read."""
    declared = declaration.updated_at_format or getattr(declaration, "timestamp_format", None) or ()
    formats = _formats_for(family, declared)
    zone = getattr(declaration, "timezone", "UTC")
    times = _several("updated_given", formats)
    if times is not None or (formats and formats[0] not in UNIX_FORMATS):
        kind = formats[0]
        if times is None and _kind(kind) == "local_text":
            return Updated("text", kind, zone)
        return Updated("several", "", zone, times or Times("updated_given", tuple(_readings("updated_given", formats))))
    return Updated("number" if family in {"text", "json", "integer", "number"} else "time")


def plan_recorded(declaration: EventSource, formats: tuple[str, ...], family: str, known_on: date | None) -> Recorded:
    """How ``recorded_at`` of a column of ``family`` is read.

    ``formats``: declared for the column. ``known_on``: rows recorded after this day are set aside; ``None`` sets none aside.
    """
    zone = declaration.timezone
    readable = _formats_for(family, formats)
    times = Times("recorded_given", tuple(_readings("recorded_given", readable))) if readable else None
    kind = "written" if readable else {"timestamptz": "instant", "date": "date"}.get(family, "local")
    return Recorded(kind, zone, declaration.days_in or zone, times, known_on)


def _formats_for(family: str, declared: tuple[str, ...]) -> tuple[str, ...]:
    """Formats that a column of a type may hold: none where it carries a time, numeric ones where it carries a number."""
    if family in {"text", "json"}:
        return declared
    if family in {"integer", "number"}:
        return tuple(one for one in declared if one in NUMERIC_FORMATS)
    return ()


def _several(given: str, formats: tuple[str, ...]) -> Times | None:
    """The readings of a column that one plain ``strptime`` or number does not do."""
    if not formats or (len(formats) == 1 and formats[0] not in (ISO_FORMAT, "excel") and not has_months(formats[0])):
        return None
    return Times(given, tuple(_readings(given, formats)))


def _readings(given: str, formats: tuple[str, ...]) -> list[Reading]:
    kinds = [
        (kind, written)
        for written in formats
        for kind in (("iso_instant", "iso_local") if written == ISO_FORMAT else (_kind(written),))
    ]
    return [Reading(f"{given}_{place}", kind, written) for place, (kind, written) in enumerate(kinds)]


def _kind(written: str) -> str:
    if written in UNIX_FORMATS:
        return "unix"
    if written == "excel":
        return written
    return "instant_text" if "%z" in written else "local_text"


def _is_day(written: str) -> bool:
    return not any(part in written for part in ("H", "I"))


@cache
def repeated_minutes(zone: str, first_year: int, last_year: int) -> tuple[int, ...]:
    """Sizes in minutes of the clock changes of ``zone`` in these years; empty if its clocks never change."""
    known = zoneinfo.ZoneInfo(zone)
    instant, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    sizes, before = set(), instant.astimezone(known).utcoffset()
    while instant < end:
        instant += timedelta(days=1)
        offset = instant.astimezone(known).utcoffset()
        if offset != before and offset is not None and before is not None:
            sizes.add(round(abs((offset - before).total_seconds()) / 60))
        before = offset
    return tuple(sorted(sizes))
