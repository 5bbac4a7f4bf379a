"""A build that keeps the rows of customers of whom nothing changed makes the tables that a build of everybody's rows makes."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.commands.forgetting import delete_rows
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.dbt_build import Built, build_models
from tdml_assets.stages.features.dbt_manifest import ensure_manifest
from tdml_assets.stages.features.dbt_project import Model, data_tests, models_in_order, sources_of
from tdml_assets.stages.features.increment import LAST_READ
from tdml_assets.stages.features.snapshots import SNAPSHOTS, snapshot_rows
from tdml_assets.stages.raw.forgotten import remember
from tests.stages.raw.conftest import COLUMNS, DECLARED, NOW
from tests.stages.raw.conftest import Shop as FilesAndTables

HEADER = "order,line,who,when,n,price,product,category,state,channel,coupon,loaded\n"
FIRST = (date(2026, 4, 30), date(2026, 7, 31), date(2026, 9, 30))
LATER = date(2026, 10, 3)
ORDERS: dict[str, Any] = {
    **DECLARED,
    "path": "orders-*.csv",
    "columns": {
        **COLUMNS,
        "product_id": "product",
        "product_category": "category",
        "order_status": "state",
        "order_type": "channel",
        "coupon_used": "coupon",
    },
}
KEYED = {**ORDERS, "line_key": ["order_id", "line"]}
VIEWS = {
    "path": "views-*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "columns": {"customer_id": "who", "viewed_at": "when", "path": "path"},
}
MAILS = {
    "path": "mails-*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "columns": {"customer_id": "who", "sent_at": "when", "event_type": "type", "email_name": "mail"},
}


def a_line(number: int, who: str, when: datetime, **changes: Any) -> str:
    """A line of an order of one line, bought in May unless something else is given."""
    line = {"n": 2, "price": "4.50", "product": "tea", "category": "kitchen", "state": "complete", "channel": "Website"}
    line |= {"coupon": "true", "loaded": when, **changes}
    values = (f"o{number}", line.pop("line", 1), who, when, *line.values())
    return ",".join(map(str, values)) + "\n"


def random_lines(seed: int, customers: int, until: date) -> str:
    """Sales and returns of a few products, several a day for some, in two hundred days."""
    chance, lines = random.Random(seed), []
    for number in range(customers * 8):
        who = f"c{chance.randrange(customers):03d}"
        when = datetime(until.year, until.month, until.day, 9) - timedelta(
            days=chance.randrange(200), hours=chance.choice((0, 0, 5))
        )
        product = chance.choice(("tea", "tea", "cup", "hat", ""))
        lines.append(
            a_line(
                number,
                who,
                when,
                n=chance.choice((-2, -1, 1, 1, 2, 5)),
                price=chance.randrange(100, 900) / 100,
                product=product,
                category={"tea": "kitchen", "cup": "kitchen", "hat": "clothes"}.get(product, ""),
                state=chance.choice(("complete", "complete", "pending")),
                channel=chance.choice(("Website", "In-Store")),
                coupon=chance.choice(("true", "false")),
            )
        )
    return HEADER + "".join(lines)


class Shop(FilesAndTables):
    """Files, their raw tables, and the features that are built of them."""

    def __init__(self, folder: Path, manifest: Path) -> None:
        super().__init__(folder)
        self.warehouse = Warehouse(database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "tmp"))
        self.manifest = json.loads(manifest.read_text())
        self.path = manifest
        self.models: Sequence[Model] = models_in_order(self.manifest)
        self.declared: dict[str, Any] = ORDERS

    def load_all(self) -> None:
        self.load("orders", declared=self.declared)
        self.load("pageviews", declared=VIEWS)
        self.load("email_events", declared=MAILS)

    def build(self, *days: date, share: float = 1.0, version: str = "1") -> dict[str, Built]:
        """Load the files, take the days, and build; what was built, by name."""
        self.load_all()
        with self.warehouse.write() as database:
            database.replace(SNAPSHOTS, snapshot_rows(days, max(days), share))
            built = build_models(
                database,
                self.models,
                data_tests(self.manifest),
                sources_of(self.manifest),
                version=version,
                is_whole=True,
            )
        assert not any(count for one in built for count in one.failures.values())
        return {one.model.name: one for one in built}

    def tables(self) -> dict[str, list[str]]:
        """Every cell of every table and view of the project, whatever the order of the rows."""
        paths = {model.path for model in self.models}
        return {".".join(path): sorted(map(repr, self.rows(f"from {'.'.join(path)}"))) for path in sorted(paths)}

    def change(self, statement: str) -> None:
        with self.warehouse.write() as database:
            database.execute(Statement(statement))

    def again(self, folder: Path) -> Shop:
        """A shop of the same files and declaration, without a table."""
        folder.mkdir()
        for path in self.folder.glob("*.csv"):
            shutil.copy(path, folder)
        other = Shop(folder, self.path)
        other.declared, other.models = self.declared, self.models
        return other


@pytest.fixture(scope="module")
def manifest(made_once: Callable[..., Path]) -> Path:
    return next((made_once("manifest", lambda home: ensure_manifest(home, "warehouse")) / "dbt").glob("*.json"))


@pytest.fixture(scope="module")
def of_first_session(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of ninety customers, and the features of three days, the earlier ones of a part of them."""
    shop = Shop(tmp_path_factory.mktemp("first"), manifest)
    shop.write("orders-1.csv", random_lines(1, 90, FIRST[-1]))
    shop.write("orders-2.csv", HEADER + "".join(a_line(9000 + n, f"c{n:03d}", datetime(2026, 9, 2)) for n in range(4)))
    # Of customers with rows behind the first day.
    shop.write("orders-3.csv", HEADER + a_line(9100, "c050", datetime(2026, 10, 1, 12), n=-1))
    views = [f"c{n % 60:03d},2026-0{1 + n % 9}-0{1 + n % 7} 10:00:00,/{'ab'[n % 2]}\n" for n in range(90)]
    shop.write("views-1.csv", "who,when,path\n" + "".join(views))
    mails = [f"c{n % 40:03d},2026-0{1 + n % 9}-05 10:00:00,{('send', 'open')[n % 2]},m{n % 3}\n" for n in range(80)]
    shop.write("mails-1.csv", "who,when,type,mail\n" + "".join(mails))
    built = shop.build(*FIRST, share=0.5)
    assert {one.customers for one in built.values()} == {None}
    return shop.folder


@pytest.fixture
def shop(of_first_session: Path, manifest: Path, tmp_path: Path) -> Shop:
    """A copy of that state, of which nothing was changed yet."""
    shutil.copytree(of_first_session, tmp_path / "shop")
    return Shop(tmp_path / "shop", manifest)


def computed(built: dict[str, Built]) -> int | None:
    """Of how many customers rows were computed; None where of all. One figure for all models that allow it."""
    (found,) = {one.customers for one in built.values() if one.model.by_customer}
    return found


def assert_as_whole(shop: Shop, day: date) -> None:
    """The tables are those that a build of everybody's rows makes."""
    whole = shop.again(shop.folder.parent / f"whole-{day}")
    assert computed(whole.build(day)) is None
    expected, found = whole.tables(), shop.tables()
    assert len(expected["features.customer_features"]) > 50
    for name, rows in expected.items():
        assert found[name] == rows, name


def a_day_later(shop: Shop) -> None:
    """Nothing comes."""


def a_new_file(shop: Shop) -> None:
    """Of known customers and a new one: a category before all others, a return of an earlier sale."""
    when = datetime(2026, 10, 2, 10)
    lines = [
        a_line(9200, "c010", when),
        a_line(9201, "c011", when, product="arm", category="arms"),
        a_line(9202, "c012", when, n=-2),
        a_line(9203, "new", when),
    ]
    shop.write("orders-4.csv", HEADER + "".join(lines))
    shop.write("views-2.csv", "who,when,path\nc013,2026-10-02 10:00:00,/0\nnobody,2026-10-02 10:00:00,/0\n")
    shop.write("mails-2.csv", "who,when,type,mail\nc014,2026-10-02 10:00:00,click,m0\n")


def late_rows(shop: Shop) -> None:
    """A new file with rows of long ago."""
    lines = [a_line(9300, "c020", datetime(2026, 3, 1), n=5), a_line(9301, "c021", datetime(2026, 6, 1), n=-1)]
    shop.write("orders-4.csv", HEADER + "".join(lines))


def a_replaced_file(shop: Shop) -> None:
    """Another amount of one customer, and a line less."""
    lines = [a_line(9000 + n, f"c{n:03d}", datetime(2026, 9, 2), n=7 if n == 1 else 2) for n in range(3)]
    shop.write("orders-2.csv", HEADER + "".join(lines))


def a_removed_file(shop: Shop) -> None:
    """Its rows go."""
    (shop.folder / "orders-2.csv").unlink()


def a_status(shop: Shop) -> None:
    """The settings take a status of many lines for one that counts as nothing."""
    shop.declared = {**ORDERS, "statuses": {"pending": "void", "complete": "sale"}}


def a_currency(shop: Shop) -> None:
    """The settings report in another currency."""
    shop.declared = {**ORDERS, "reporting_currency": "EUR", "rates": {"GBP": 1.25}}


def a_bound(shop: Shop) -> None:
    """The settings take fewer units for a mistake."""
    shop.declared = {**ORDERS, "bounds": {"quantity": {"max": 4}}}


def an_erasure(shop: Shop) -> None:
    """A person is forgotten."""
    with shop.warehouse.write() as database:
        remember(database, ["c030"], now=NOW)
        delete_rows(database, ["c030"])


CHANGES: list[tuple[Callable[[Shop], None], int | None]] = [
    (a_day_later, 1),
    (a_new_file, 1 + 7),
    (late_rows, 1 + 2),
    (a_replaced_file, 1 + 2),
    (a_removed_file, 1 + 4),
    (a_currency, None),
    (a_bound, None),
    (a_status, None),
    (an_erasure, None),
]


@pytest.mark.parametrize(("change", "count"), CHANGES, ids=lambda value: getattr(value, "__name__", None))
def test_the_tables_are_those_of_a_whole_build_after(
    shop: Shop, change: Callable[[Shop], None], count: int | None
) -> None:
    change(shop)
    built = shop.build(LATER)
    if change is an_erasure:
        # The state holds the salt by which the person is known: the whole build is made of the state.
        kept = shop.tables()
        shop.change("delete from features.last_build")
        shop.build(LATER)
        assert (computed(built), kept) == (None, shop.tables())
        assert "c030" not in json.dumps(kept)
        return
    assert computed(built) == count
    assert_as_whole(shop, LATER)


def test_days_follow_one_another(shop: Shop) -> None:
    for place, (change, _) in enumerate(CHANGES[:4]):
        change(shop)
        day = LATER + timedelta(days=place)
        assert computed(shop.build(day)) is not None
    assert_as_whole(shop, day)


def test_the_same_day_again_with_more_rows(shop: Shop) -> None:
    shop.build(LATER)
    a_new_file(shop)
    assert computed(shop.build(LATER)) == 7
    assert_as_whole(shop, LATER)
    assert {one.seconds for one in shop.build(LATER).values()} == {None}


def test_a_line_that_is_corrected_changes_its_customer_alone(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    shop = Shop(tmp_path / "shop", manifest)
    shop.declared = {**KEYED, "updated_at": "loaded"}
    shop.write("orders-1.csv", random_lines(3, 90, FIRST[-1]))
    shop.write("views-1.csv", "who,when,path\nc000,2026-05-01 10:00:00,/\n")
    shop.write("mails-1.csv", "who,when,type,mail\nc000,2026-05-01 10:00:00,send,m\n")
    shop.build(FIRST[-1])
    line = shop.rows("select * from raw.orders where customer_id = 'c005' order by all limit 1")[0]
    again = a_line(int(line["order_id"][1:]), "c005", line["ordered_at"], n=3, loaded=datetime(2026, 10, 1))
    shop.write("orders-2.csv", HEADER + again)
    assert computed(shop.build(LATER)) == 1
    assert_as_whole(shop, LATER)


@pytest.mark.parametrize(
    "change",
    [
        "update features.int_order_days set amount_left = amount_left + 1 where customer_id = 'c040'",
        "delete from features.int_purchase_days where customer_id = 'c040'",
        "delete from features.last_build_customers",
        "update features.last_build set version = 'x'",
        "drop table features.last_build",
        "create or replace table features.last_build as select 'x' as fingerprint",
        "alter table features.int_order_totals add column more int",
        "update features.last_build set scoring_day = '2026-12-31'",
    ],
)
def test_where_anything_of_the_last_build_is_in_doubt_everybody_is_computed(shop: Shop, change: str) -> None:
    shop.change(change)
    assert computed(shop.build(LATER)) is None
    assert_as_whole(shop, LATER)


def test_everybody_is_computed_where_earlier_days_are_wanted_and_where_many_changed(shop: Shop) -> None:
    assert computed(shop.build(FIRST[0], LATER)) is None
    lines = [a_line(9400 + n, f"c{n:03d}", datetime(2026, 10, 4)) for n in range(40)]
    shop.write("orders-4.csv", HEADER + "".join(lines))
    day = LATER + timedelta(days=1)
    assert computed(shop.build(day)) is None
    assert computed(shop.build(day, version="2")) is None
    assert computed(shop.build(day + timedelta(days=1), version="2")) == 0
    assert computed(shop.build(day, version="2")) is None, "a day before the last"
    assert_as_whole(shop, day)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("int_order_days", '"warehouse"."staging"."stg_orders"', "staging.stg_orders"),
        ("int_product_features", '"warehouse"."staging"."stg_orders"', '"warehouse"."raw"."customers"'),
        ("int_purchase_days", "totals.*,", "totals.*, 1 as more,"),
        (
            "int_order_totals",
            "select\n    snapshot_date,\n    customer_id,",
            "select snapshot_date, customer_id as who,",
        ),
    ],
    ids=["rows of others", "a table that dbt does not know of", "more columns", "no customer"],
)
def test_a_statement_that_breaks_what_its_model_says_is_run_on_everybody(
    shop: Shop, name: str, before: str, after: str
) -> None:
    """The version stays the same, as it cannot do in a session, so that the statement itself is judged."""
    a_new_file(shop)
    shop.load_all()
    shop.change("create table raw.customers as from staging.stg_orders")
    wanted = next(model for model in shop.models if model.name == name)
    assert before in wanted.sql
    changed = replace(wanted, sql=wanted.sql.replace(before, after))
    alone = [changed if model.name == name else model for model in shop.models]
    if name == "int_order_totals":
        alone = [model for model in alone if model.name not in ("customer_features",)]
    shop.models = alone
    assert computed(shop.build(LATER)) is None


def test_what_was_read_is_remembered_by_customer_and_goes_with_a_person(shop: Shop) -> None:
    known = shop.rows("select count(*) as customers, max(last_on) as last_on from features.last_build_customers")
    assert known == [{"customers": 90, "last_on": date(2026, 10, 1)}]
    an_erasure(shop)
    assert LAST_READ.path == ("features", "last_build_customers")
    assert shop.rows("from features.last_build_customers where customer_id = 'c030'") == []
