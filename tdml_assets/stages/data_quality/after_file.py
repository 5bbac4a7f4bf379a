"""Order lines dated after the file that holds them was written: an order cannot be, so a date is read wrong, or a clock is.

Elsewhere: limits (``declaration/quality.py``), when a file was written (``stages/raw/files.py``).

The time of a file proves something in one direction only. A copied, touched or checked out file has a later time than its content,
so that nothing is found. A time that most lines of the file are after is the clock's fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.contracts import LOADS, ORDERS
from tdml_assets.stages.raw.dates import as_written, reads, swapped

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Times of files know no zone where an archive held them, and clocks differ.
_SLACK = timedelta(days=1)
#: Share of a file's lines from which its time is not believed, unless swapped days explain them.
_MOSTLY = 0.5
#: Fewer lines are left to the check of the last day (``stages/raw/latest_day.py``): one wrong date has no format as its cause.
_FEWEST_LINES = 6
_SAMPLED = 200


@dataclass(frozen=True)
class AfterFile:
    """The file with the largest share of lines dated after it was written.

    ``written_at``: when it was last written, in UTC. ``lines``, ``late_lines``: its order lines, and those dated more than a
    day after that. ``latest_on``: the last day among them. ``other_files``: further files with such lines. ``swapped_format``:
    the declared format with day and month in each other's place, where it reads every line looked at, none of them after the
    file.
    """

    file: str
    written_at: datetime
    lines: int
    late_lines: int
    latest_on: date
    other_files: int = 0
    swapped_format: str = ""

    @property
    def share(self) -> float:
        """Share of the file's order lines."""
        return self.late_lines / self.lines


def read_after_file(reader: Reader, declaration: OrdersSource, min_rows: int) -> AfterFile | None:
    """Find the file; ``None`` where there is none. ``min_rows``: order lines that a file must have to be judged."""
    loads = reader.rows(render("raw/loads_of_source", loads=LOADS.path, source=ORDERS.name))
    # A table of an older version has no such column.
    known = {load["file"]: load for load in loads if load.get("written_at") and load["rows_accepted"] >= min_rows}
    if not known:
        return None
    bounds = {name: load["written_at"] + _SLACK for name, load in known.items()}
    given = {"files": list(bounds), "bounds": list(bounds.values()), "earliest_bound": min(bounds.values())}
    rows = reader.rows(render("data_quality/after_file", orders=ORDERS.path, **given))
    found = [
        AfterFile(name, known[name]["written_at"], known[name]["rows_accepted"], row["late_lines"], row["latest_on"])
        for row in rows
        if row["late_lines"] >= _FEWEST_LINES
        for name in [row["file"]]
    ]
    if not found:
        return None
    worst = max(found, key=lambda one: (one.share, one.file))
    proposed = _swapped_format(reader, declaration, worst.file, bounds[worst.file])
    return replace(worst, other_files=len(found) - 1, swapped_format=proposed)


def _swapped_format(reader: Reader, declaration: OrdersSource, file: str, bound: datetime) -> str:
    formats = declaration.timestamp_format or ()
    if len(formats) != 1 or swapped(formats[0]) == formats[0]:
        return ""
    given = {"orders": ORDERS.path, "file": file, "bound": bound, "most": _SAMPLED}
    texts: list[str] = []
    for is_late in (True, False):
        rows = reader.rows(render("data_quality/after_file_moments", **given, is_late=is_late))
        texts += as_written([row["moment"] for row in rows], declaration.timezone, formats[0])
    proposed = swapped(formats[0])
    if not texts or not all(reads(text, proposed) for text in texts):
        return ""
    return proposed if max(_moments(texts, proposed, declaration.timezone)) <= bound else ""


def _moments(texts: Sequence[str], format_text: str, zone: str) -> list[datetime]:
    """Naive UTC."""
    local = (datetime.strptime(text, format_text).replace(tzinfo=ZoneInfo(zone)) for text in texts)
    return [moment.astimezone(UTC).replace(tzinfo=None) for moment in local]


def after_file(table: str, found: AfterFile | None, policy: QualityPolicy) -> Finding:
    """Share of a file's order lines that are dated after it was written."""
    bound = policy.after_file_limit
    if found is None:
        text = f"order lines dated after their file was written: none or next to none; {bound:.0%} is the bound"
        return judged("after_file", table, text, "", is_broken=False, value=0.0, bound=bound)
    others = f", and {found.other_files} further files have such lines" if found.other_files else ""
    text = (
        f"{found.late_lines:,} of the {found.lines:,} order lines of {found.file} ({found.share:.1%}) are dated after "
        f"{found.written_at:%Y-%m-%d}, the day the file was written, up to {found.latest_on}{others}; {bound:.0%} "
        "(quality.after_file_limit) is the bound"
    )
    if found.swapped_format:
        remedy = (
            f"Day and month are swapped: write timestamp_format: {found.swapped_format!r} under sources.orders, by which none of "
            "the lines looked at is later than the file."
        )
    else:
        remedy = (
            "Correct sources.orders.timestamp_format (day and month, digits of the year, unit of a number) or timezone. If the "
            "orders are right, such as orders taken in advance, the time of the file is of no use here."
        )
    is_of_clock = found.share > _MOSTLY and not found.swapped_format
    is_broken = found.share > bound and not is_of_clock
    finding = judged("after_file", table, text, remedy, is_broken=is_broken, value=found.share, bound=bound)
    if is_of_clock:
        sentence = (
            f"{finding.sentence} Most lines are later than the file: its time is probably wrong, or day and year are."
        )
        return replace(finding, status="note", sentence=sentence)
    return finding
