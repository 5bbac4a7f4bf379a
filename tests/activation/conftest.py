"""A warehouse with published attributes, and a receiver on this machine that fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.activation.syncing import Surroundings, SyncResult, check_destination, plan_sync, run_sync
from tdml_assets.declaration.destinations import DestinationSettings, read_destination
from tdml_assets.platform.retrying import Clock
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tests.activation.receiver import Receiver

DAY = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - the warehouse stores naive UTC
SECRETS = {"HOOK_URL": "", "HOOK_SECRET": "s3cret-canary"}


class Published:
    """Published attributes, and syncs of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = Warehouse(
            database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "spill"), wait_seconds=5
        )
        self.environment = dict(SECRETS)
        self.session(1)

    def session(self, number: int, *, status: str = "published", decision: str | None = None) -> None:
        """Write that a session ended."""
        at = f"2026-06-30 0{number}:00:00"
        self.run(
            "create schema if not exists monitoring",
            "create table if not exists monitoring.sessions (session_id varchar, workflow varchar, as_of date, status varchar, "
            "updated_at timestamp)",
            "create table if not exists monitoring.triage (session_id varchar, workflow varchar, as_of date, decision varchar)",
            f"insert into monitoring.sessions values ('s{number}', 'churn', '2026-06-30', '{status}', '{at}')",
            f"insert into monitoring.triage values ('s{number}', 'churn', '2026-06-30', '{decision or 'nothing'}')",
        )

    def publish(self, rows: Mapping[str, tuple[float, str]]) -> None:
        """Replace the attributes: probability and grade by customer."""
        self.run(
            "create schema if not exists audience",
            "create or replace table audience.parent_segment_attributes "
            "(customer_id varchar, as_of date, churn_probability double, churn_grade varchar)",
            "create or replace table audience.attribute_catalog as select * from (values "
            "('churn_probability', 'churn', date '2026-06-30'), ('churn_grade', 'churn', date '2026-06-30')) as t"
            '("column", workflow, as_of)',
        )
        with self.warehouse.write() as database:
            for customer, (probability, grade) in rows.items():
                database.execute(
                    Statement(
                        "insert into audience.parent_segment_attributes values ($c, date '2026-06-30', $p, $g)",
                        {"c": customer, "p": probability, "g": grade},
                    )
                )

    def run(self, *statements: str) -> None:
        """Execute statements."""
        with self.warehouse.write() as database:
            for text in statements:
                database.execute(Statement(text))

    def rows(self, text: str) -> list[dict[str, Any]]:
        """Rows of a query."""
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def column(self, text: str) -> list[Any]:
        """First column of a query."""
        return [next(iter(row.values())) for row in self.rows(text)]

    def around(self, **changes: Any) -> Surroundings:
        """Surroundings whose pauses take no time."""
        clock = Clock(now=lambda: NOW, sleep=lambda seconds: None, jitter=lambda: 0.5)
        given = {"scratch": self.folder / "scratch", "environment": self.environment, "clock": clock}
        return Surroundings(**{**given, **changes})

    def sync(self, settings: DestinationSettings | None = None, name: str = "crm", **options: Any) -> SyncResult:
        """Sync once."""
        around = self.around(
            **{
                key: options.pop(key)
                for key in ("failpoint", "clock", "consent", "s3_client", "holds_out")
                if key in options
            }
        )
        return run_sync(self.warehouse, name, settings or self.hook(), around, **options)

    def check(self, settings: DestinationSettings, name: str = "crm") -> Mapping[str, Any] | None:
        """Ask the destination whether a sync could write."""
        around = self.around()
        return check_destination(plan_sync(self.warehouse, name, settings, around), around)

    def hook(self, **keys: Any) -> DestinationSettings:
        """A webhook with batches of two rows and no limit of shares."""
        section = {"kind": "webhook", "url_env": "HOOK_URL", "secret_env": "HOOK_SECRET", "batch_rows": 2, **keys}
        return read_destination("crm", section)


def people(count: int, grade: str = "A", probability: float = 0.5) -> dict[str, tuple[float, str]]:
    """Attributes of some customers."""
    return {f"{number:05d}": (probability, grade) for number in range(1, count + 1)}


@pytest.fixture
def published(tmp_path: Path, receiver: Receiver) -> Published:
    found = Published(tmp_path)
    found.environment["HOOK_URL"] = receiver.url
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def actions(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Action by customer."""
    return {row["customer_id"]: row["action"] for row in rows}
