"""monitoring/data_quality as Dagster runs it: on raw tables loaded from a file, before what depends on it."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from tdml_assets.commands.summary import read_summary, render_text
from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.guards import require_whole_data
from tdml_assets.platform.sessions import session_id_of
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.data_quality.asset import build_data_quality
from tdml_assets.stages.features.snapshots import SNAPSHOTS, snapshot_rows
from tdml_assets.stages.features.snapshots_asset import build_snapshots
from tdml_assets.stages.raw.contracts import TABLES
from tdml_assets.stages.raw.files import FoundFiles, collect_files
from tdml_assets.stages.raw.tables import load_table

ORDERS = {
    "path": "orders.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "GBP",
    "columns": {"customer_id": "who", "ordered_at": "when", "product_id": "what", "amount": "total"},
}
LAST = date(2024, 6, 30)
DAYS, PER_DAY = 90, 40
CANARY = "canary@example.org"


@dg.asset(deps=[["monitoring", "data_quality"]])
def learner(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
    """Stands for everything that learns."""
    with warehouse.read() as database:
        require_whole_data(database, session_id_of(context))


class Shop:
    """A file of orders and the runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = Warehouse(
            database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), wait_seconds=1
        )

    def write(self, *, days: int = DAYS, factor: float = 1.0, last_share: float = 1.0) -> None:
        random = np.random.default_rng(1)
        lines = ["who,when,what,total"]
        for place in range(DAYS):
            day = LAST - timedelta(days=DAYS - 1 - place)
            for number in range(PER_DAY):
                amount = factor * np.exp(random.normal(2, 1))
                is_last = place >= DAYS - 7
                if place >= DAYS - days and (not is_last or number < last_share * PER_DAY):
                    moment = datetime(day.year, day.month, day.day) + timedelta(minutes=number)  # noqa: DTZ001 - naive UTC
                    lines.append(f"{CANARY if number == 0 else f'c{number}'},{moment},p{number % 9},{amount:.2f}")
        (self.folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def load(self) -> None:
        orders = Sources.model_validate({"orders": ORDERS}).orders
        assert orders is not None
        places = {"base_folder": self.folder, "cache_folder": self.folder / "cache", "s3_client": lambda: None}
        now = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
        with self.warehouse.write() as database:
            for table in TABLES:
                declared = orders if table == "orders" else None
                found = collect_files(table, orders, **places) if declared else FoundFiles((), ())
                load_table(database, table, declared, found, session_id="loading", now=now)
            database.replace(SNAPSHOTS, snapshot_rows([LAST], LAST, 1.0))

    def run(
        self, policy: QualityPolicy | None = None, run_id: str | None = None, instance: dg.DagsterInstance | None = None
    ) -> dg.ExecuteInProcessResult:
        self.load()
        sources = Sources.model_validate({"orders": ORDERS})
        settings = Settings(
            home=self.folder, base_folder=self.folder, sources=sources, quality=policy or QualityPolicy()
        )
        assets = [build_data_quality(settings), learner]
        job = dg.Definitions(assets=assets, resources={"warehouse": self.warehouse})
        return job.resolve_implicit_global_asset_job_def().execute_in_process(
            run_id=run_id, instance=instance, raise_on_error=False
        )

    def rows(self, text: str) -> list[dict[str, Any]]:
        with self.warehouse.read() as database:
            return database.rows(Statement(text))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.write()
    return made


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "data_is_whole"]
    return found


def has_learnt(result: dg.ExecuteInProcessResult) -> bool:
    return bool(result.asset_materializations_for_node("learner"))


def test_whole_data_passes_and_its_findings_are_kept_under_the_session(shop: Shop) -> None:
    result = shop.run()
    assert result.success
    assert has_learnt(result)
    assert check(result).passed
    rows = shop.rows("from monitoring.data_quality")
    assert {(row["session_id"], row["workflow"]) for row in rows} == {(result.run_id, "all")}
    assert {row["check_name"] for row in rows} >= {
        "volume",
        "freshness",
        "null_share",
        "scale",
        "lost_rows",
        "rejected",
    }
    (session,) = shop.rows("select session_id, workflow, as_of from monitoring.sessions")
    assert session == {"session_id": result.run_id, "workflow": "all", "as_of": LAST}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"last_share": 0.4}, "raw.orders: 112 rows in the 7 days to 2024-06-30"),
        ({"factor": 100.0}, "raw.orders.amount (all history)"),
        ({"days": 45}, "History has gone from the files"),
    ],
)
def test_broken_data_stops_what_learns_and_the_check_says_what_to_do(
    shop: Shop, change: dict[str, Any], name: str
) -> None:
    assert shop.run().success
    shop.write(**change)
    result = shop.run()
    assert not result.success
    assert not has_learnt(result)
    found = check(result)
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert name in str(found.description)
    assert "quality.accepted" in str(found.description)
    assert found.metadata["fingerprint"].value[:12] in str(found.description)


def large_amounts_with_a_thousands_mark(path: Path) -> None:
    """As a spreadsheet writes them: few lines, most of the money."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    for place in range(0, len(lines), 50):
        who, when, what, _ = lines[place].split(",")
        lines[place] = f'{who},{when},{what},"1,338.{place % 100:02}"'
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def test_a_first_session_that_could_not_read_most_of_the_money_learns_nothing_and_names_the_key(shop: Shop) -> None:
    large_amounts_with_a_thousands_mark(shop.folder / "orders.csv")
    result = shop.run()
    assert not result.success
    assert not has_learnt(result)
    said = str(check(result).description)
    assert "72 of 3,600 rows (2.0%), about 69% of the money, could not be read" in said
    assert "bad_number 72 (column 'total', for instance '1,338." in said
    assert 'Write numbers: {decimal: ".", thousands: ","} under sources.orders.' in said
    assert CANARY not in said


def test_a_first_session_that_could_not_read_a_little_goes_on_and_the_summary_notes_it(shop: Shop) -> None:
    large_amounts_with_a_thousands_mark(shop.folder / "orders.csv")
    assert shop.run(QualityPolicy(unreadable_money_limit=0.9)).success
    with shop.warehouse.read() as database:
        summary = read_summary(database, [], {})
    assert sum("could not be read" in note for note in summary.notes) == 1
    assert "could not be read: bad_number 72" in " ".join(render_text(summary).split())


def test_files_that_overlap_are_an_alarm_in_a_first_session(shop: Shop) -> None:
    path = shop.folder / "orders.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *lines, *lines[:3000]]) + "\n", encoding="utf-8")
    result = shop.run()
    assert not result.success
    assert "6,000 of 6,600 order lines (90.9%) equal another one" in str(check(result).description)
    assert "sources.orders.line_key" in str(check(result).description)


def test_accepted_data_goes_on_and_is_what_the_next_session_is_compared_with(shop: Shop) -> None:
    assert shop.run().success
    shop.write(factor=100.0)
    refused = shop.run()
    assert not refused.success
    accepted = QualityPolicy(accepted=(check(refused).metadata["fingerprint"].value[:12],))
    result = shop.run(accepted)
    assert result.success
    assert has_learnt(result)
    status = shop.rows(f"select status from monitoring.data_quality where session_id = '{result.run_id}'")
    assert {"status": "accepted"} in status
    assert {"status": "alarm"} not in status
    assert shop.run().success


def test_a_run_that_alarmed_is_not_what_the_next_session_is_compared_with(shop: Shop) -> None:
    assert shop.run().success
    shop.write(factor=100.0)
    assert not shop.run().success
    assert not shop.run().success
    shop.write()
    assert shop.run().success


def test_a_session_that_runs_again_replaces_its_rows_by_the_same(shop: Shop) -> None:
    again = "00000000-0000-4000-8000-000000000001"
    shop.run()
    kept = []
    for _ in range(2):
        assert shop.run(run_id=again).success
        kept.append(shop.rows(f"from monitoring.data_quality where session_id = '{again}' order by all"))
    assert kept[0] == kept[1]
    assert len(shop.rows("select distinct session_id from monitoring.data_quality")) == 2


def test_customer_values_never_reach_the_event_log(shop: Shop, tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        result = shop.run(instance=instance)
        shop.write(last_share=0.4)
        broken = shop.run(instance=instance)
        for run_id in (result.run_id, broken.run_id):
            logged = "".join(dg.serialize_value(record) for record in instance.all_logs(run_id))
            assert "raw.orders" in logged
            assert CANARY not in logged


def test_the_asset_says_who_owns_it_where_it_stands_and_what_it_waits_for(tmp_path: Path) -> None:
    asset = build_data_quality(Settings(home=tmp_path, base_folder=tmp_path))
    spec = asset.get_asset_spec()
    assert asset.key.path == ["monitoring", "data_quality"]
    assert (spec.group_name, spec.kinds, list(spec.owners)) == (
        "features",
        {"duckdb", "sql"},
        ["team:marketing-data"],
    )
    assert asset.op.pool == "warehouse"
    waits = {"/".join(key.path) for key in asset.asset_deps[asset.key]}
    tables = ("orders", "pageviews", "email_events", "customers", "rejected_rows")
    assert waits == {*(f"raw/{table}" for table in tables), "features/snapshots"}
    (only,) = asset.check_specs
    assert only.name == "data_is_whole"


def test_an_order_with_a_far_date_moves_no_session_and_is_noted(shop: Shop) -> None:
    path = shop.folder / "orders.csv"
    last = max(line.split(",")[1] for line in path.read_text(encoding="utf-8").splitlines()[1:])[:10]
    who, when, *others = path.read_text(encoding="utf-8").splitlines()[1].split(",")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(",".join([who, when.replace(when[:10], "2025-05-05"), *others]) + "\n")
    settings = Settings(home=shop.folder, base_folder=shop.folder, sources=Sources.model_validate({"orders": ORDERS}))
    shop.load()
    result = dg.materialize(
        [build_snapshots([], settings.as_of), build_data_quality(settings)], resources={"warehouse": shop.warehouse}
    )
    assert result.success
    with shop.warehouse.read() as database:
        assert [str(row["snapshot_date"]) for row in database.rows(Statement("select * from features.snapshots"))] == [
            last
        ]
        notes = read_summary(database, [], {}).notes
    assert f"raw.orders: as_of latest is {last}: 1 order line on 2025-05-05, " in " ".join(notes)
