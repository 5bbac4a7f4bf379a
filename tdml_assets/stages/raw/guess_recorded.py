"""A column that may tell when rows were recorded, by its name and by its values.

Belongs here: this guess. Does not: the draft (``commands/settings_draft.py``), other columns (``guess_columns.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from tdml_assets.stages.raw.dates import formats_that_read
from tdml_assets.stages.raw.guess_columns import find
from tdml_assets.stages.raw.sample import FileSample

#: Clocks differ, and a day without a time is written as its midnight.
_SLACK = timedelta(days=1)


def recorded_column(sample: FileSample, moment: str | None, taken: Collection[str]) -> str | None:
    """The column; ``None`` without one whose values are all there and never before those of ``moment``.

    Parameters
    ----------
    moment : column of the time at which rows happen.
    taken : columns that have a role already.
    """
    if moment is None:
        return None
    column = find("recorded_at", sample, taken)
    if column is None:
        return None
    happened, recorded = _moments(sample.cells[moment]), _moments(sample.cells[column])
    if len(happened) != len(recorded) or not recorded or happened == recorded:
        return None
    is_later = all(before - _SLACK <= after for before, after in zip(happened, recorded, strict=True))
    return column if is_later else None


def _moments(texts: Sequence[str]) -> list[datetime]:
    """Times without their offset; empty where not every cell can be read."""
    formats = [one for one in formats_that_read(texts) if "%" in one]
    try:
        if formats:
            return [datetime.strptime(text.strip(), formats[0]).replace(tzinfo=UTC) for text in texts]
        return [datetime.fromisoformat(text.strip()).replace(tzinfo=UTC) for text in texts]
    except ValueError:
        return []
