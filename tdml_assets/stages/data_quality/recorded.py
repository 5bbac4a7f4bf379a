"""How long after they happened rows were recorded, where a source tells.

Elsewhere: which rows a day sees of it (``dbt_project/``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.contracts import EMAIL_EVENTS, ORDERS, PAGEVIEWS

CHECK_NAME = "recorded_at"
_MOMENTS = {ORDERS.path: "ordered_at", PAGEVIEWS.path: "viewed_at", EMAIL_EVENTS.path: "sent_at"}
#: Days after which half of the rows are recorded, from where it is asked whether a table was filled at once.
_LONG_DAYS = 30


@dataclass(frozen=True)
class RecordLag:
    """When the rows of a table were recorded.

    ``table``: schema and name, as people write it. ``rows``, ``early_rows``: rows and earlier states, and those recorded more
    than a day before they happened. ``median_days``, ``high_days``: from when a row happened to when it was recorded: the
    median, and what 95 % stay within.
    """

    table: str
    rows: int
    early_rows: int
    median_days: float
    high_days: float


def read_record_lags(reader: Reader) -> tuple[RecordLag, ...]:
    """Measure the tables whose sources tell; those without a row are left out."""
    found = []
    for path, moment in _MOMENTS.items():
        if "recorded_at" not in reader.columns(path):
            continue
        replaced = (path[0], f"replaced_{path[1]}")
        row = reader.row(render("data_quality/record_lag", table=path, replaced=replaced, moment=moment))
        if row["rows"]:
            found.append(RecordLag(".".join(path), **row))
    return tuple(found)


def recorded(found: RecordLag) -> Finding:
    """The lag in words; a note where rows cannot have been recorded when they say, or a table was filled at once."""
    value = found.early_rows / found.rows
    text = (
        f"rows were recorded {found.median_days:.1f} days after they happened (median), 95 % of them within "
        f"{found.high_days:.1f} days"
    )
    notes = []
    if found.early_rows:
        notes.append(
            f"{found.early_rows:,} of {found.rows:,} were recorded more than a day before they happened: is recorded_at the right "
            "column, and timezone right? They count from the day on which they happened"
        )
    if found.median_days > _LONG_DAYS:
        notes.append(
            "days before rows were recorded know nothing of them: if the table was filled at once, recorded_at holds no past, and "
            "nothing can be learnt of days before; leave it out"
        )
    finding = judged(CHECK_NAME, found.table, "; ".join([text, *notes]), "", is_broken=False, value=value)
    return replace(finding, status="note") if notes else finding
