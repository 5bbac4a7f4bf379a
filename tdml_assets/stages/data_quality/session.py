"""Everything the raw data of one session are judged on, read from one open warehouse.

Elsewhere: the measures (``measures.py``), the verdict (``quality_report.py``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.first_load_measures import read_first_load
from tdml_assets.stages.data_quality.measures import Measured, measure
from tdml_assets.stages.data_quality.order_rules import read_order_statuses, read_order_totals, read_partial_statuses
from tdml_assets.stages.data_quality.recorded import read_record_lags
from tdml_assets.stages.data_quality.unreadable import read_unreadable
from tdml_assets.stages.raw.latest_day import read_latest_day


def measure_session(
    reader: Reader,
    day: date,
    fingerprint: str,
    policy: QualityPolicy,
    sources: Sources,
    *,
    follows_latest: bool,
    today: date | None,
) -> Measured:
    """The raw tables up to ``day``, what could not be read of their files, and the day against the orders and the clock.

    ``fingerprint``: hash of the raw data as they are loaded. ``sources``: as declared, or those of the sample.
    ``follows_latest``: whether the settings say ``as_of: latest``. ``today``: day of the clock, for orders that have grown old;
    ``None`` where they are meant to end before.
    """
    found = measure(reader, day, fingerprint, policy)
    judged_rows = {intake.source: intake.judged_rows for intake in found.intakes}
    first_load = read_first_load(reader, day, sources, judged_rows.get("raw.orders", 0), policy.min_rows)
    found = replace(found, unreadable=tuple(read_unreadable(reader, sources, judged_rows)), first_load=first_load)
    statuses = read_order_statuses(reader, sources.orders)
    found = replace(
        found,
        order_totals=read_order_totals(reader, sources.orders, day),
        statuses=statuses,
        record_lags=read_record_lags(reader),
        partial_statuses=read_partial_statuses(reader, sources.orders, statuses, day),
    )
    if sources.orders is not None and sources.orders.line_key:
        # Lines that differ by their key alone are others: two pieces of a product on a row each.
        found = replace(found, repeated=None)
    if not follows_latest:
        return found
    return replace(found, latest=read_latest_day(reader), today=today)
