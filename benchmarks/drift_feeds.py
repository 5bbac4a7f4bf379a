"""Feeds that break: the simulated shop delivers half its orders, an empty column, or pence for pounds.

Belongs here: simulated logs through the product's checks of raw data and its triage. Does not: drift of whole data
(``drift_worlds.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.platform.monitoring import DATA_QUALITY, SESSIONS
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.simulation import SimulationSettings, simulate
from tdml_assets.simulation.settings import BrokenFeed
from tdml_assets.stages.data_quality.measures import measure
from tdml_assets.stages.data_quality.quality_report import QualityReport, judge
from tdml_assets.stages.drift.detection import DriftReport
from tdml_assets.stages.raw.contracts import EMAIL_EVENTS, LOADS, ORDERS, PAGEVIEWS, REJECTED_ROWS
from tdml_assets.stages.triage.decision import Evidence, Finding, decide
from tdml_assets.stages.triage.episodes import fold, open_episode

FAULTS = ("half_volume", "null_column", "unit_change_x100")
LAST = date(2026, 6, 30)
#: Days after the feed broke on which a session looks at it.
LOOKS = (1, 2, 3, 5, 7, 10, 14)


@dataclass(frozen=True)
class Fed:
    """What sessions made of a feed.

    Parameters
    ----------
    fault : what broke; ``none`` for nothing.
    seen_on : day of the fault on which a session first raised an alarm; None if none did.
    retrained : whether a retraining was called for.
    """

    fault: str
    seen_on: int | None
    retrained: bool


def as_raw(orders: pa.Table) -> pa.Table:
    """Simulated orders as ``raw.orders`` holds them."""
    frame = orders.to_pandas()
    frame["quantity"] = frame["quantity"].astype(float)
    frame["amount"] = frame["quantity"] * frame["unit_price"]
    frame["ordered_on"] = frame["ordered_at"].dt.date
    frame["is_return"] = frame["quantity"] < 0
    absent = {"is_product": True, "product_name": None, "source": "orders", "file": "orders.parquet"}
    frame = frame.assign(**absent, row_number=np.arange(len(frame)) + 1)
    return pa.Table.from_pandas(frame[list(ORDERS.column_names)], preserve_index=False)


def play(folder: Path, repetitions: int, customers: int) -> Iterator[Fed]:
    """Feed the checks with whole and broken logs of ``repetitions`` simulated shops, session after session."""
    warehouse = Warehouse(database=str(folder / "feeds.duckdb"), temp_directory=str(folder / "spill"))
    for seed in range(repetitions):
        for fault in ("none", *FAULTS):
            broken = None
            if fault != "none":
                broken = BrokenFeed(kind=fault, from_date=LAST - timedelta(days=LOOKS[-1] - 1))
            shop = SimulationSettings(
                customers=customers, seed=seed, pageviews_per_order=0, emails_per_month=0, broken_feed=broken
            )
            with warehouse.write() as database:
                reports = _judge(database, as_raw(simulate(shop).orders))
            seen = [look for look, report in zip(LOOKS, reports, strict=True) if not report.passed]
            yield Fed(fault, seen[0] if seen else None, any(map(_retrains, reports)))


def _judge(database: Database, orders: pa.Table) -> list[QualityReport]:
    for contract in (PAGEVIEWS, EMAIL_EVENTS, REJECTED_ROWS, LOADS, DATA_QUALITY, SESSIONS):
        database.ensure(contract)
    database.replace(ORDERS, orders)
    policy, begun = QualityPolicy(), LAST - timedelta(days=LOOKS[-1])
    days = [begun + timedelta(days=look) for look in LOOKS]
    return [judge(measure(database, day, "0" * 64, policy), None, policy) for day in days]


def _retrains(report: QualityReport) -> bool:
    """Whether any of three sessions in a row over such data would call for a retraining, drifted features and all."""
    policy = Monitor()
    findings: list[tuple[str, Finding]] = []
    alarms = [finding.sentence for finding in report.with_status("alarm")]
    for day in range(3):
        moment = datetime(2026, 7, 1 + day)  # noqa: DTZ001 - naive UTC, as everywhere
        reports = (DriftReport("ok", "No drift.", ()), DriftReport("ok", "No drift.", ()))
        evidence = Evidence(moment.date(), moment, "v1", reports, alarms, None, LAST, {})
        findings.append((f"s{day}", decide(evidence, [finding for _, finding in findings], policy)))
    return open_episode(fold("cltv", findings, policy), "drift") is not None
