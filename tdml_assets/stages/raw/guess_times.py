"""How the times of a file are written, and which column may tell when rows were recorded.

Elsewhere: the formats that are proposed (``dates.py``), which column is the time of an order (``guess_columns.py``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta

from tdml_assets.declaration.source_values import ISO_FORMAT
from tdml_assets.stages.raw.dates import (
    formats_of_browsers,
    formats_of_shapes,
    formats_that_read,
    formats_with_ending,
    formats_with_joint,
    moments_of,
    remedy_of_odd_dates,
)
from tdml_assets.stages.raw.guess_columns import find
from tdml_assets.stages.raw.sample import FileSample


def guess_formats(texts: Sequence[str], by_file: Sequence[Sequence[str]] = ()) -> tuple[tuple[str, ...], str]:
    """The only format that reads every text, or one per form of text; or why there is none. ``by_file``: texts of each file."""
    different = list(dict.fromkeys(texts))
    if not different:
        return (), "the column is empty"
    fitting = formats_that_read(different) or formats_with_ending(different) or formats_with_joint(different)
    if not fitting:
        several = formats_of_shapes(different) or formats_of_browsers(different)
        if several:
            return several, ""
        orders = _orders_of_files(by_file)
        if len(orders) > 1:
            listed = " and ".join(f"{written} in {count:,}" for written, count in orders.items())
            return (), f"days and months are in another order in some files ({listed} of them): export all files alike"
        why = f"no usual format reads all of them, such as {different[0]!r}"
        odd = remedy_of_odd_dates("sources.orders", different[:200])
        return (), f"{why}. {odd}" if odd is not None else why
    # Formats of equal meaning: an offset that may be missing, a fraction that is not there.
    meanings = {_order_of_parts(one) for one in fitting}
    if len(meanings) > 1:
        return (), f"{different[0]!r} can be read as {' or '.join(fitting[:2])}: no day in the sample is past 12"
    return (fitting[0],), ""


def _orders_of_files(by_file: Sequence[Sequence[str]]) -> Counter[str]:
    """Formats by the number of files that prove them, where these write days and months in several orders."""
    found: Counter[str] = Counter()
    for texts in by_file:
        fitting = formats_that_read(list(dict.fromkeys(texts)))
        if len({_order_of_parts(one) for one in fitting}) == 1:
            found[fitting[0]] += 1
    return found if len({_order_of_parts(one) for one in found}) > 1 else Counter()


def _order_of_parts(format_text: str) -> str:
    if format_text == ISO_FORMAT:
        return "ymd"
    return re.sub(r"[^dmbBYy]", "", format_text).lower().replace("b", "m")


#: Clocks differ, and a day without a time is written as its midnight.
_SLACK = timedelta(days=1)


def recorded_column(sample: FileSample, moment: str | None, taken: Collection[str]) -> str | None:
    """The column; ``None`` without one whose values are all there and never before those of ``moment``.

    ``moment``: column of the time at which rows happen. ``taken``: columns that have a role already.
    """
    if moment is None:
        return None
    column = find("recorded_at", sample, taken)
    if column is None:
        return None
    happened, recorded = moments_of(sample.cells[moment]), moments_of(sample.cells[column])
    if len(happened) != len(recorded) or not recorded or happened == recorded:
        return None
    is_later = all(before - _SLACK <= after for before, after in zip(happened, recorded, strict=True))
    return column if is_later else None
