"""Lists of consent and suppression as a session sees them: read anew, counted, and refused where they cannot be trusted."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings, load_settings
from tdml_assets.stages.audience.activation import surroundings, sync_destination
from tdml_assets.stages.audience.permission_asset import build_permission_lists, permission_keys
from tdml_assets.stages.audience.permissions import read_list_state
from tdml_assets.stages.raw.rules import SourceError

LISTS = """
sources:
  suppression: {path: suppressed.csv, format: csv, columns: {customer_id: who}}
  consent: {path: consents.csv, format: csv, columns: {customer_id: who, purpose: what, allowed: given}}
destinations:
  crm: {kind: webhook, url_env: HOOK_URL, purpose: email}
"""


class Shop:
    """Ten customers with orders, and two lists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tdml.yaml").write_text(LISTS, encoding="utf-8")
        self.suppress(2)
        (folder / "consents.csv").write_text(
            "who,what,given\n" + "".join(f"c{number},email,yes\n" for number in range(1, 7)) + "c5,email,\n",
            encoding="utf-8",
        )
        self.settings: Settings = load_settings({"TDML_CONFIG": str(folder / "tdml.yaml"), "TDML_HOME": str(folder)})
        self.warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
        with self.warehouse.write() as database:
            for text in (
                "create schema raw",
                "create table raw.orders as select format('c{}', i) as customer_id from range(1, 11) as t(i)",
            ):
                database.execute(Statement(text))

    def suppress(self, count: int, *, more: str = "") -> None:
        lines = "".join(f"c{number}\n" for number in range(1, count + 1))
        (self.folder / "suppressed.csv").write_text(f"who\n{lines}{more}", encoding="utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_list_is_counted_with_what_it_leaves_and_a_changed_file_is_noticed(shop: Shop) -> None:
    state = read_list_state(shop.settings, shop.warehouse, "suppression")
    assert (state.faults, state.words) == ((), "2 lines of 2 customers, 2 of them with orders")
    assert state.loaded_at is not None
    assert state.written_at is not None
    reach, files = state.reach[1], state.reach[0]
    # c1 and c2 are suppressed, an empty cell is no consent of c5, of four nothing is known.
    assert (reach.known, reach.suppressed, reach.refused, reach.unknown, reach.left_to_send) == (10, 2, 1, 4, 3)
    assert (reach.destination, files.destination, files.left_to_send) == ("crm", "files", 3)
    shop.suppress(4)
    again = read_list_state(shop.settings, shop.warehouse, "suppression")
    assert (again.reach[1].suppressed, again.reach[1].left_to_send) == (4, 1)
    assert again.report is not None
    assert not again.report.is_unchanged


def test_a_list_that_lost_most_of_its_customers_is_refused_until_that_is_declared(shop: Shop) -> None:
    shop.suppress(40)
    surroundings(shop.settings, shop.warehouse)
    shop.suppress(19)
    with pytest.raises(SourceError, match="has 19 customers and had 40: 52% fewer, at most 50%") as raised:
        surroundings(shop.settings, shop.warehouse)
    assert "most_drop: 1 under sources.suppression" in str(raised.value)
    with shop.warehouse.read() as database:
        assert database.count(("raw", "suppression")) == 40
    assert read_list_state(shop.settings, shop.warehouse, "suppression").faults
    text = LISTS.replace("columns: {customer_id: who}}", "most_drop: 1, columns: {customer_id: who}}")
    (shop.folder / "tdml.yaml").write_text(text, encoding="utf-8")
    meant = load_settings({"TDML_CONFIG": str(shop.folder / "tdml.yaml"), "TDML_HOME": str(shop.folder)})
    assert read_list_state(meant, shop.warehouse, "suppression").faults == ()


def test_a_list_that_is_gone_or_has_a_line_of_nobody_leaves_a_refused_sync(shop: Shop) -> None:
    shop.suppress(2, more='""\n')
    state = read_list_state(shop.settings, shop.warehouse, "suppression")
    assert ["missing_customer 1" in fault for fault in state.faults] == [True]
    (shop.folder / "suppressed.csv").unlink()
    (fault,) = read_list_state(shop.settings, shop.warehouse, "suppression").faults
    assert "suppressed.csv" in fault
    result = sync_destination(shop.settings, shop.warehouse, "crm")
    assert (result.status, "suppressed.csv" in (result.reason or "")) == ("refused", True)
    with shop.warehouse.read() as database:
        (run,) = database.rows(Statement("select destination, status, reason from activation.sync_runs"))
    assert (run["destination"], run["status"]) == ("crm", "refused")


def test_declared_lists_are_assets_that_destinations_wait_for(shop: Shop) -> None:
    keys = [key.path for key in permission_keys(shop.settings)]
    assert keys == [["raw", "consent"], ["raw", "suppression"]]
    assert [list(asset.key.path) for asset in build_permission_lists(shop.settings)] == keys
    assert (
        build_permission_lists(
            load_settings({"TDML_HOME": str(shop.folder / "none")}, working_folder=shop.folder / "none")
        )
        == []
    )


def materialised(shop: Shop) -> dg.ExecuteInProcessResult:
    return dg.materialize(build_permission_lists(shop.settings), resources={"warehouse": shop.warehouse})


def test_the_asset_of_a_list_reports_counts_and_names_no_customer(shop: Shop) -> None:
    done = materialised(shop)
    consent, suppression = (
        {name: entry.value for name, entry in done.asset_materializations_for_node(node)[0].metadata.items()}
        for node in ("raw__consent", "raw__suppression")
    )
    asked = ("rows accepted", "customers", "lines that give consent", "lines that refuse it", "purposes")
    assert [consent[name] for name in asked] == [7, 6, 6, 1, 1]
    assert (suppression["dagster/row_count"], suppression["customers with orders"]) == (2, 2)
    assert "purposes" not in suppression
    assert (suppression["age in days"], "who may be sent" in suppression) == (0, True)
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True, True]
    assert not re.search(r"\bc\d+\b", " ".join(map(str, [*consent.values(), *suppression.values()])))


def test_a_list_that_cannot_be_read_fails_its_check_and_not_the_session(shop: Shop) -> None:
    (shop.folder / "suppressed.csv").unlink()
    done = materialised(shop)
    assert done.success
    checks = done.get_asset_check_evaluations()
    assert [(check.passed, "suppressed.csv" in (check.description or "")) for check in checks] == [(False, True)] * 2
    (event,) = done.asset_materializations_for_node("raw__suppression")
    assert not {"customers", "dagster/row_count", "loaded at"} & set(event.metadata)
    assert read_list_state(shop.settings, shop.warehouse, "suppression").words == "could not be read"
