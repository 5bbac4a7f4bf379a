"""Where the header of an export is: below groups of columns, a line of values or above units; and cells that mean no value."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.trial_load import try_sources
from tdml_assets.settings import load_settings
from tdml_assets.stages.raw.beginning_text import csv_sample
from tdml_assets.stages.raw.sample import FileSample

NAMES = "Auftragsnummer;Auftragsdatum;E-Mail;Menge;Gesamtpreis"
ROWS = [f"A{n};{n % 28 + 1:02}.03.2026;k{n % 5}@x.example;{n % 3 + 1};{n},50" for n in range(40)]


def sample(*before: str) -> FileSample:
    return csv_sample("a.csv", [*before, *ROWS], "utf-8", is_whole=True)


@pytest.mark.parametrize(
    ("before", "skipped"),
    [
        ([NAMES], 0),
        (["Auftrag;;Kunde;Position;", NAMES], 1),
        (["Auftrag;Auftrag;Kunde;Position;Position", NAMES], 1),
        (["Liste", "Auftrag;Auftrag;Kunde;Position;Position", NAMES], 2),
        (["EXTF;700;21;2026;1", NAMES], 1),
        ([NAMES, ";;;Stk;EUR"], 0),
    ],
)
def test_the_header_is_found_below_groups_and_values_and_above_units(before: list[str], skipped: int) -> None:
    found = sample(*before)
    assert list(found.cells) == NAMES.split(";")
    assert found.row_count == 40
    assert (found.keys["skip_rows"].value if skipped else None) == (skipped or None)
    assert bool(found.notes) == (len(before) == 2 and before[0] == NAMES)


def test_a_file_without_a_header_has_none() -> None:
    assert not sample().has_header


def test_what_databases_write_for_no_value_is_none_and_is_declared() -> None:
    found = csv_sample("a.csv", ["order,coupon,total", "1,NULL,5.00", "2,x,\\N", "3,nan,6.00"], "utf-8", is_whole=True)
    assert found.nulls == ("\\N", "NULL")
    assert list(found.cells["coupon"]) == ["", "x", "nan"]
    assert list(found.cells["total"]) == ["5.00", "", "6.00"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    return tmp_path


def test_a_sheet_with_two_header_rows_and_a_name_that_two_columns_have_is_drafted_and_read(here: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Order", None, "Customer", "Customer", "Item", "Money"])
    book.active.append(["No.", "Date", "No.", "E-mail", "Qty", "Line total (EUR)"])
    for n in range(40):
        book.active.append([n, f"2026-03-{n % 28 + 1:02}", n % 5, f"k{n % 5}@x.example", 1, n + 0.5])
    book.save(here / "o.xlsx")
    assert CliRunner().invoke(app, ["init", "o.xlsx"]).exit_code == 0
    orders = try_sources(load_settings({}, working_folder=here), whole=True).orders
    assert f"{orders.net_revenue:.2f}" == f"{sum(n + 0.5 for n in range(40)):.2f}"


def test_rows_of_no_customer_id_are_known_by_the_address_that_all_have(here: Path) -> None:
    rows = [
        f"{n},{'NULL' if n % 4 == 0 else n % 7 + 1},k{n % 5}@x.example,2026-03-{n % 28 + 1:02},{n}.50,EUR"
        for n in range(60)
    ]
    header = "increment_id,customer_id,customer_email,created_at,grand_total,order_currency_code"
    (here / "o.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    assert CliRunner().invoke(app, ["init", "o.csv"]).exit_code == 0
    text = (here / "tdml.yaml").read_text(encoding="utf-8")
    assert 'null_values: ["", "NULL"]' in text or 'null_values: ["", NULL]' in text
    assert "customer_id: {column: [customer_id, customer_email]}" in text
    orders = try_sources(load_settings({}, working_folder=here), whole=True).orders
    assert f"{orders.net_revenue:.2f}" == f"{sum(n + 0.5 for n in range(60)):.2f}"
