"""A small log with returns, ties, missing fields and late events, and the features that dbt makes of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
import pytest

from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.asset import Runner, build_dbt_assets, dbt_environment

if TYPE_CHECKING:
    from tdml_assets.stages.features.dbt_cli_asset import WarehouseDbt

TABLES = {
    "raw.orders": """order_id varchar, customer_id varchar not null, ordered_at timestamp not null, product_id varchar,
        product_category varchar, quantity decimal(18, 4), unit_price decimal(18, 6), amount decimal(18, 4) not null,
        is_return boolean not null, is_product boolean not null, order_status varchar, order_type varchar,
        coupon_used boolean, currency varchar, ordered_on date not null,
        source varchar, file varchar, row_number bigint""",
    "raw.pageviews": """customer_id varchar, viewed_at timestamp, path varchar, viewed_on date, source varchar,
        file varchar, row_number bigint""",
    "raw.email_events": """customer_id varchar, sent_at timestamp, event_type varchar, email_name varchar,
        campaign_name varchar, sent_on date, source varchar, file varchar, row_number bigint""",
    "features.snapshots": "snapshot_date date, is_scoring boolean, customer_share double",
}
NOON = datetime(2024, 1, 1, 12)  # noqa: DTZ001
SNAPSHOTS = (date(2024, 4, 30), date(2024, 7, 31), date(2024, 10, 31))


@dataclass
class Log:
    """Rows of the raw tables."""

    orders: list[dict[str, Any]] = field(default_factory=list)
    pageviews: list[dict[str, Any]] = field(default_factory=list)
    email_events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Platform:
    """A warehouse with the assets that build its features."""

    home: Path
    warehouse: Warehouse
    assets: dg.AssetsDefinition
    check: dg.AssetChecksDefinition
    dbt: WarehouseDbt

    def materialize(self, *more: Any) -> dg.ExecuteInProcessResult:
        """Run dbt and the shift test inside Dagster."""
        resources = {"dbt": self.dbt, "warehouse": self.warehouse}
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [self.assets, self.check, *more], resources=resources, instance=instance, raise_on_error=False
            )

    def build(self, *arguments: str) -> None:
        """Run ``dbt build`` alone."""
        self.dbt.cli(["build", *arguments]).wait()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Read rows with a query of the test's own."""
        connection = duckdb.connect(self.warehouse.database, read_only=True)
        try:
            result = connection.execute(query)
            names = [column[0] for column in result.description or []]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        finally:
            connection.close()

    def change(self, *statements: str) -> None:
        """Change the warehouse behind everybody's back."""
        connection = duckdb.connect(self.warehouse.database)
        try:
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()


def random_log(seed: int, customers: int = 40) -> Log:
    """Orders with returns of more and of less than was bought, ties, and lines without order, product or category."""
    chance, log = random.Random(seed), Log()
    for number in range(customers):
        customer = f"customer-{number:03d}"
        for index in range(chance.choice((1, 2, 5, 12))):
            when = NOON + timedelta(days=chance.randrange(365), hours=chance.choice((0, 0, 5)))
            order_id = None if chance.random() < 0.1 else f"{customer}/{index}"
            for _ in range(chance.choice((1, 2, 3))):
                _add_line(chance, log, customer, order_id, when)
        for _ in range(chance.choice((0, 3, 30))):
            viewed_at = NOON + timedelta(days=chance.randrange(365))
            path = chance.choice(("/", "/tea", "/hats", None))
            row = {"customer_id": customer, "viewed_at": viewed_at, "path": path, "viewed_on": viewed_at.date()}
            log.pageviews.append(row)
        for _ in range(chance.choice((0, 4, 20))):
            sent_at = NOON + timedelta(days=chance.randrange(365))
            row = {"customer_id": customer, "sent_at": sent_at, "sent_on": sent_at.date()}
            row |= {"event_type": chance.choice(("send", "Sent", "OPEN", "click", "bounce", "unsubscribe"))}
            row |= {"email_name": chance.choice("abc"), "campaign_name": chance.choice(("spring", "news", None))}
            log.email_events.append(row)
    return log


def _add_line(chance: random.Random, log: Log, customer: str, order_id: str | None, when: datetime) -> None:
    sign = -1 if chance.random() < 0.3 else 1
    product = chance.choice(("tea", "tea", "cup", "hat", "cap", None))
    quantity = None if chance.random() < 0.1 else sign * chance.choice((1, 1, 2, 5))
    row = {
        "order_id": order_id,
        "customer_id": customer,
        "ordered_at": when,
        "ordered_on": when.date(),
        "product_id": product,
        "product_category": {"tea": "kitchen", "cup": "kitchen", "hat": "clothes", "cap": None}.get(product or ""),
        "quantity": quantity,
        "amount": sign * chance.randrange(1 if sign < 0 else 0, 5000) / 100,
        "is_return": sign < 0,
        "is_product": True,
        "order_type": chance.choice(("Website", "mobile app", "In-Store", None)),
        "coupon_used": chance.choice((True, False, None)),
    }
    log.orders += [row] * (2 if chance.random() < 0.1 else 1)


def write_log(path: Path, log: Log, snapshots: tuple[date, ...] = SNAPSHOTS) -> None:
    """Make the raw tables and the snapshots as Python does on a real run."""
    contents: Mapping[str, list[dict[str, Any]]] = {
        "raw.orders": log.orders,
        "raw.pageviews": log.pageviews,
        "raw.email_events": log.email_events,
        "features.snapshots": [{"snapshot_date": day, "is_scoring": day == max(snapshots)} for day in snapshots],
    }
    connection = duckdb.connect(str(path))
    try:
        connection.execute("create schema raw; create schema features")
        for table, columns in TABLES.items():
            connection.execute(f"create table {table} ({columns})")
            for number, row in enumerate(contents[table], start=1):
                values = row if table == "features.snapshots" else {**row, "file": "log.csv", "row_number": number}
                marks = ", ".join(f"${name}" for name in values)
                connection.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", values)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def make_platform(
    tmp_path_factory: pytest.TempPathFactory, give_manifest: Callable[[Path], None]
) -> Callable[..., Platform]:
    """Make a platform on a log, or on a copy of another's warehouse. All share one compiled manifest."""
    # Takes dbt, which a worker without these tests need not import.
    from tdml_assets.stages.features.dbt_cli_asset import build_dbt_resource

    home = tmp_path_factory.mktemp("home")
    give_manifest(home)

    def make(content: Path | Log, runner: Runner = "compiled") -> Platform:
        database = tmp_path_factory.mktemp("state") / "warehouse.duckdb"
        if isinstance(content, Log):
            write_log(database, content)
        else:
            shutil.copy(content, database)
        warehouse = Warehouse(database=str(database), temp_directory=str(database.parent / "spill"))
        environment = dbt_environment(home, warehouse)
        assets, check, _ = build_dbt_assets(home, environment, runner)
        return Platform(home, warehouse, assets, check, build_dbt_resource(environment))

    return make


@pytest.fixture(scope="session")
def log() -> Log:
    return random_log(seed=20240131)


@pytest.fixture(scope="session")
def built(make_platform: Callable[..., Platform], log: Log) -> tuple[Platform, dg.ExecuteInProcessResult]:
    """Features of the random log, built once."""
    platform = make_platform(log)
    return platform, platform.materialize()


@pytest.fixture
def copied(built: tuple[Platform, Any], make_platform: Callable[..., Platform]) -> Platform:
    """A copy of the built warehouse that a test may spoil."""
    return make_platform(Path(built[0].warehouse.database))
