"""What a past day knew: late rows, corrections and statuses that changed later, against a load of the files of that day."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

from __future__ import annotations

import csv
import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.asset import _build_compiled as build_compiled
from tdml_assets.stages.features.dbt_build import Built, build_models
from tdml_assets.stages.features.dbt_manifest import ensure_manifest
from tdml_assets.stages.features.dbt_project import data_tests, models_in_order, sources_of
from tdml_assets.stages.features.past_features import recompute
from tdml_assets.stages.features.past_rows import replaced_rows
from tdml_assets.stages.features.shift import judge
from tdml_assets.stages.features.shift_asset import compare_without_later_rows
from tdml_assets.stages.features.snapshots import SNAPSHOTS, snapshot_rows
from tdml_assets.stages.raw.files import FoundFiles, collect_files
from tdml_assets.stages.raw.tables import load_table

CUSTOMER = Column("customer_id", "VARCHAR", "", False)
NOW = datetime(2024, 12, 31, 12)
DAYS = (date(2024, 4, 30), date(2024, 7, 31), date(2024, 10, 31))
RECORDED = ("orders", "pageviews")
ORDERS = {
    "path": "orders-*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "timezone": "Europe/Paris",
    "currency": "EUR",
    "line_key": ["line"],
    "columns": {
        "customer_id": "who",
        "ordered_at": "at",
        "order_id": "order",
        "product_id": "product",
        "order_status": "status",
        "product_category": "category",
        "quantity": "units",
        "amount": "amount",
        "order_type": "channel",
    },
}
VIEWS = {
    "path": "views.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "columns": {"customer_id": "who", "viewed_at": "at", "path": "path"},
}


class Shop:
    """A folder of files, a warehouse, and the statements that make features."""

    def __init__(self, folder: Path, manifest: Path) -> None:
        self.folder = folder
        self.manifest = manifest
        self.warehouse = Warehouse(database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "tmp"))

    def write(self, name: str, rows: list[dict[str, str]]) -> None:
        with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def load(self, as_of: date | None = None, **declared: dict[str, object]) -> None:
        sources = Sources.model_validate(declared)
        with self.warehouse.write() as database:
            for table in ("orders", "pageviews", "email_events"):
                source, found = sources.declared(table), FoundFiles((), ())
                if source is not None:
                    found = collect_files(
                        table, source, base_folder=self.folder, cache_folder=self.folder, s3_client=lambda: None
                    )
                load_table(database, table, source, found, session_id="s", now=NOW, as_of=as_of)

    def build(self, *days: date) -> list[Built]:
        manifest = json.loads(self.manifest.read_text())
        with self.warehouse.write() as database:
            database.replace(SNAPSHOTS, snapshot_rows(days, max(days), 1.0))
            built = build_models(
                database,
                models_in_order(manifest),
                data_tests(manifest),
                sources_of(manifest),
                version="1",
                is_whole=True,
            )
        assert not any(count for one in built for count in one.failures.values())
        return built

    def rows(self, text: str) -> list[dict[str, object]]:
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def features(self, day: date) -> list[dict[str, object]]:
        return self.rows(f"from features.customer_features where snapshot_date = '{day}' order by customer_id")


@pytest.fixture(scope="module")
def recorded_manifest(made_once) -> Path:
    return next(
        (made_once("recorded", lambda home: ensure_manifest(home, "warehouse", RECORDED)) / "dbt").glob("*.json")
    )


@pytest.fixture(scope="module")
def plain_manifest(made_once) -> Path:
    return next((made_once("manifest", lambda home: ensure_manifest(home, "warehouse")) / "dbt").glob("*.json"))


def random_lines(seed: int, customers: int = 40) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Order lines and page views that arrive late; lines are repeated, corrected, cancelled and taken back later."""
    chance, lines, views = random.Random(seed), [], []

    def later(day: datetime) -> datetime:
        return day + timedelta(hours=chance.choice((0, 1, 12, 24 * 3, 24 * 40)))

    for number in range(400):
        at = datetime(2024, 1, 1, 23, 30) + timedelta(days=chance.randrange(360))
        product = chance.choice(("tea", "cup", "hat"))
        line = {
            "line": f"l{number}",
            "who": f"c{chance.randrange(customers):02}",
            "at": str(at),
            "order": f"o{number // 2}",
            "product": product,
            "category": {"tea": "kitchen", "cup": "kitchen"}.get(product, "clothes"),
            "units": str(chance.choice((-1, 1, 1, 2, 5))),
            "channel": chance.choice(("website", "in-store")),
            "amount": f"{chance.randrange(100, 9000) / 100:.2f}",
            "status": "paid",
            "loaded": str(later(at)),
        }
        if line["units"] == "-1":
            line["amount"] = f"-{line['amount']}"
        lines.append(line)
        while chance.random() < 0.4:
            change = chance.choice(
                ({}, {"status": "cancelled"}, {"status": "paid"}, {"at": str(at + timedelta(days=9))})
            )
            money = {"amount": line["amount"].replace(".", "0.")} if chance.random() < 0.3 else {}
            recorded = datetime.fromisoformat(lines[-1]["loaded"]) + timedelta(
                days=chance.choice((0, 1, 20, 90)), seconds=1
            )
            lines.append({**lines[-1], **change, **money, "loaded": str(recorded)})
    for _ in range(300):
        at = datetime(2024, 1, 1, 9) + timedelta(days=chance.randrange(360))
        view = {"who": f"c{chance.randrange(customers):02}", "at": str(at), "path": chance.choice(("/", "/tea"))}
        views.append({**view, "loaded": str(later(at))})
    chance.shuffle(lines)
    return lines, views


def by(day: date, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows of a file that was written at the end of a day."""
    return [row for row in rows if row["loaded"] < str(day + timedelta(days=1))]


BOTH = {"orders": {**ORDERS, "recorded_at": "loaded"}, "pageviews": {**VIEWS, "recorded_at": "loaded"}}
A_VIEW = [{"who": "ann", "at": "2024-03-01 10:00:00", "path": "/", "loaded": "2024-03-01 10:00:00"}]


def past_facts(shop: Shop, day: date) -> list[list[dict[str, object]]]:
    """What lifetime models and recommendations are told of a past day, from orders that go on after it."""
    last = DAYS[-1]
    with shop.warehouse.write() as database:
        everybody = TableContract("features", "everybody", "", (SNAPSHOTS.columns[0], CUSTOMER))
        database.replace(everybody, [{"snapshot_date": last, "customer_id": f"c{n:02}"} for n in range(40)])
        reads = {"orders_table": ("raw", "orders"), "replaced_orders": replaced_rows(database)}
        asked = {**reads, "features_table": everybody.path, "day": last, "most": 99}
        levels = database.rows(render("training/level_windows", begins=[day], lengths=[1], **asked))
        ages = database.rows(render("predictions/next_orders/past", days_ago=[(last - day).days], horizons=[], **asked))
        wanted = {"as_of": day, "include": ["*"], "exclude": [], "sample_share": 1.0}
        bought = database.rows(render("recommendation/build", days=[day], untils=[day], **reads, **wanted))
    # Sums of doubles depend on the order of the rows in their last digit.
    known = [{name: round(row[name], 6) for name in ("repeats", "recency", "age", "repeat_amount")} for row in levels]
    return [known, ages, sorted(bought, key=lambda row: (row["customer_id"], row["product_id"]))]


def test_every_snapshot_has_the_features_that_a_load_of_the_files_of_that_day_gives(
    tmp_path, recorded_manifest, plain_manifest
):
    lines, views = random_lines(seed=1)
    (tmp_path / "now").mkdir()
    shop = Shop(tmp_path / "now", recorded_manifest)
    shop.write("orders-1.csv", lines[:300])
    shop.write("orders-2.csv", lines[300:])
    shop.write("views.csv", views)
    shop.load(**BOTH)
    shop.build(*DAYS)
    seen = {day: shop.features(day) for day in DAYS}

    for day in DAYS[:2]:
        (tmp_path / str(day)).mkdir()
        then = Shop(tmp_path / str(day), plain_manifest)
        then.write("orders-1.csv", by(day, lines))
        then.write("views.csv", by(day, views))
        then.load(orders={**ORDERS, "updated_at": "loaded"}, pageviews=VIEWS)
        then.build(day)
        assert len(seen[day]) > 20
        assert seen[day] == then.features(day), day
        assert past_facts(shop, day) == past_facts(then, day), day

    manifest = json.loads(recorded_manifest.read_text())
    comparisons, _ = compare_without_later_rows(shop.warehouse, manifest, 2000)
    assert judge(comparisons)[0], judge(comparisons)
    assert sum(found.later_rows for found in comparisons) > 300
    with shop.warehouse.read() as database:
        first = seen[DAYS[0]][0]
        assert recompute(database, recorded_manifest, str(first["customer_id"]), DAYS[0]) == first


def test_a_session_of_a_past_day_reads_what_its_own_files_would_have_given(tmp_path, recorded_manifest):
    day, (lines, views) = DAYS[1], random_lines(seed=2)
    shops = []
    for name, rows, seen in (("now", lines, views), ("then", by(day, lines), by(day, views))):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path / name, recorded_manifest)
        shop.write("orders-1.csv", rows[:150])
        shop.write("orders-2.csv", rows[150:])
        shop.write("views.csv", seen)
        shop.load(as_of=day, **BOTH)
        shop.build(DAYS[0], day)
        shops.append(shop)
    now, then = shops

    assert then.rows("select count(*) as n from raw.replaced_orders")[0]["n"] > 20
    for table in ("orders", "replaced_orders", "pageviews", "replaced_pageviews"):
        rows = f"select * exclude (file, row_number) from raw.{table} order by all"
        assert now.rows(rows) == then.rows(rows), table
    statuses = "from raw.order_statuses order by all"
    assert now.rows(statuses) == then.rows(statuses)
    for past in (DAYS[0], day):
        assert now.features(past) == then.features(past)
    later = now.rows(
        "select count(*) as n from raw.rejected_rows where reason = 'recorded_later' and source = 'orders'"
    )
    assert later == [{"n": len(lines) - len(by(day, lines))}]


def a_line(name: str, at: str, loaded: str, **changes: str) -> dict[str, str]:
    """A paid line of 10.00 of one customer."""
    line = {
        "line": name,
        "who": "ann",
        "at": f"{at} 10:00:00",
        "order": name,
        "product": name,
        "category": "",
        "units": "1",
    }
    return {**line, "channel": "", "amount": "10.00", "status": "paid", "loaded": f"{loaded} 02:00:00", **changes}


def test_a_return_and_a_status_recorded_later_lower_the_later_snapshot_alone(tmp_path, recorded_manifest):
    shop = Shop(tmp_path, recorded_manifest)
    shop.write(
        "orders-1.csv",
        [
            a_line("tea", "2024-03-01", "2024-03-01"),
            a_line("cup", "2024-03-02", "2024-03-02"),
            a_line("hat", "2024-03-03", "2024-03-03"),
            # Late by two months, taken back on paper in March, and cancelled in June.
            a_line("cap", "2024-03-04", "2024-05-06", amount="5.00"),
            a_line("back", "2024-03-05", "2024-06-01", product="cup", units="-1", amount="-10.00"),
            a_line("hat", "2024-03-03", "2024-06-02", status="cancelled"),
        ],
    )
    shop.write("views.csv", A_VIEW)
    shop.load(as_of=DAYS[-1], **BOTH)
    shop.build(*DAYS, date(2024, 5, 31))
    spent = {
        str(row["snapshot_date"]): (row["total_spend"], row["total_orders"], row["returned_amount"])
        for row in shop.rows("from features.customer_features")
    }

    assert spent == {
        "2024-04-30": (30.0, 3, 0.0),
        "2024-05-31": (35.0, 4, 0.0),
        "2024-07-31": (15.0, 2, 10.0),
        "2024-10-31": (15.0, 2, 10.0),
    }
    assert shop.rows("select product_id, recorded_on, replaced_on from raw.replaced_orders") == [
        {"product_id": "hat", "recorded_on": date(2024, 3, 3), "replaced_on": date(2024, 6, 2)}
    ]


def test_the_files_of_two_days_give_what_one_file_of_all_gives(tmp_path, recorded_manifest):
    lines, _ = random_lines(seed=3)
    tables = []
    for names in (("orders-1.csv",), ("orders-1.csv", "orders-2.csv")):
        folder = tmp_path / str(len(names))
        folder.mkdir()
        shop = Shop(folder, recorded_manifest)
        parts = (
            [lines]
            if len(names) == 1
            else [by(DAYS[1], lines), [row for row in lines if row not in by(DAYS[1], lines)]]
        )
        for name, rows in zip(names, parts, strict=True):
            shop.write(name, rows)
            shop.write("views.csv", A_VIEW)
            shop.load(**BOTH)
        shop.build(*DAYS)
        read = "select {} from {} order by all"
        kept = {"raw.orders": "* exclude (file, row_number)", "raw.replaced_orders": "* exclude (file, row_number)"}
        kept["features.customer_features"] = "*"
        tables.append([shop.rows(read.format(columns, name)) for name, columns in kept.items()])

    assert tables[0] == tables[1]


def test_the_day_after_sees_what_was_recorded_since_and_computes_those_customers_alone(tmp_path, recorded_manifest):
    day, (lines, views) = DAYS[1] + timedelta(days=2), random_lines(seed=4, customers=120)
    shops = []
    for name, days in (("second", (DAYS[1], day)), ("first", (day,))):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path / name, recorded_manifest)
        shop.write("orders-1.csv", lines)
        shop.write("views.csv", views)
        for each in days:
            shop.load(as_of=each, **BOTH)
            built = shop.build(each)
        shops.append((shop, built))
    (second, built), (first, built_at_once) = shops

    computed = {one.customers for one in built if one.model.by_customer}
    assert len(computed) == 1
    assert 0 < (computed.pop() or 0) < 40
    assert {one.customers for one in built_at_once} == {None}
    for one in built:
        rows = f"from {'.'.join(one.model.path)}"
        assert sorted(map(repr, second.rows(rows))) == sorted(map(repr, first.rows(rows))), one.model.name


def test_without_the_key_nothing_of_it_is_in_a_table_or_a_statement(tmp_path, plain_manifest):
    lines, _ = random_lines(seed=4)
    shop = Shop(tmp_path, plain_manifest)
    shop.write("orders-1.csv", lines)
    shop.load(orders={**ORDERS, "recorded_at": "loaded"})
    assert shop.rows("select count(*) > 0 as has_some from raw.replaced_orders") == [{"has_some": True}]
    shop.load(orders={**ORDERS, "updated_at": "loaded"})
    columns = shop.rows(
        "select concat(table_name, column_name) as name from duckdb_columns() where schema_name = 'raw'"
    )

    assert not [row["name"] for row in columns if "recorded" in str(row["name"]) or "replaced" in str(row["name"])]
    nodes = json.loads(plain_manifest.read_text())["nodes"].values()
    assert not [node["name"] for node in nodes if "record" in node["compiled_code"] or "known" in node["compiled_code"]]


def test_dbt_itself_runs_the_same_assets_where_earlier_states_are_kept(recorded_manifest):
    from tdml_assets.stages.features.dbt_cli_asset import build_with_dbt

    manifest = json.loads(recorded_manifest.read_text())
    by_dbt, compiled = (
        {spec.key: {dep.asset_key for dep in spec.deps} for spec in assets.specs}
        for assets in (build_with_dbt(recorded_manifest, manifest), build_compiled(manifest, "1"))
    )

    assert by_dbt == compiled
