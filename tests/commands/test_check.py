"""The first hour with own orders: each usual mistake is answered before a run starts, by a message that mends it."""

from __future__ import annotations

import bz2
import copy
import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.check import check_before_run
from tdml_assets.commands.outlooks import outlook_of
from tdml_assets.commands.preflight import OrderFacts
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.settings import Settings, SettingsError, load_settings
from tests.messy_shop import HEADER, SETTINGS, write_messy_shop


class Shop:
    """A folder with orders and settings, and what a run says of them before it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = copy.deepcopy(SETTINGS)

    @property
    def orders(self) -> dict[str, Any]:
        declared: dict[str, Any] = self.settings["sources"]["orders"]
        return declared

    def load(self) -> Settings:
        (self.folder / "tdml.yaml").write_text(yaml.safe_dump(self.settings), encoding="utf-8")
        return load_settings({"TDML_HOME": str(self.folder / "home")}, working_folder=self.folder)

    def said(self, capsys: pytest.CaptureFixture[str]) -> str:
        """What stops a run; the run must stop with exit code 2."""
        with pytest.raises(typer.Exit) as stopped:
            check_before_run(self.load())
        assert stopped.value.exit_code == 2
        assert not (self.folder / "home").exists(), "nothing is stored"
        return capsys.readouterr().err

    def noted(self, capsys: pytest.CaptureFixture[str]) -> str:
        check_before_run(self.load())
        return capsys.readouterr().out


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def rename_column(shop: Shop) -> None:
    shop.orders["columns"]["customer_id"] = "Customer Email"


def month_first(shop: Shop) -> None:
    shop.orders["timestamp_format"] = "%m/%d/%Y %H:%M"


def iso_dates(shop: Shop) -> None:
    shop.orders["timestamp_format"] = "%Y-%m-%d"


def commas(shop: Shop) -> None:
    del shop.orders["csv"]["delimiter"]


def points(shop: Shop) -> None:
    del shop.orders["numbers"]


def no_thousands(shop: Shop) -> None:
    del shop.orders["numbers"]["thousands"]


def utf16(shop: Shop) -> None:
    write_messy_shop(shop.folder / "orders.csv", encoding="utf-16")


def cp1252(shop: Shop) -> None:
    write_messy_shop(shop.folder / "orders.csv", encoding="cp1252")


def packed(shop: Shop) -> None:
    content = (shop.folder / "orders.csv").read_bytes()
    (shop.folder / "orders.csv").write_bytes(gzip.compress(content))


def bzipped(shop: Shop) -> None:
    content = (shop.folder / "orders.csv").read_bytes()
    (shop.folder / "orders.csv").write_bytes(bz2.compress(content))


def spreadsheet(shop: Shop) -> None:
    with zipfile.ZipFile(shop.folder / "orders.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    shop.orders["path"] = "orders.xlsx"


def missing_file(shop: Shop) -> None:
    shop.orders["path"] = "order.csv"


def folder_of_folders(shop: Shop) -> None:
    inner = shop.folder / "data" / "2026"
    inner.mkdir(parents=True)
    (shop.folder / "orders.csv").rename(inner / "orders.csv")
    shop.orders["path"] = "data"


def folder_of_others(shop: Shop) -> None:
    (shop.folder / "data").mkdir()
    (shop.folder / "data" / "orders.xlsx").write_bytes(b"PK\x03\x04")
    shop.orders["path"] = "data"


def early_day(shop: Shop) -> None:
    shop.settings["as_of"] = date(2020, 1, 1)


def late_day(shop: Shop) -> None:
    shop.settings["as_of"] = date(2027, 6, 30)


def twice(shop: Shop) -> None:
    (shop.folder / "orders2.csv").write_bytes((shop.folder / "orders.csv").read_bytes() + b"\n")
    shop.orders["path"] = "orders*.csv"


@pytest.mark.parametrize(
    ("mistake", "answers"),
    [
        (rename_column, ["no column 'Customer Email'", "found 'Order Number'", "{customer_id: 'Customer E-mail'}"]),
        (
            month_first,
            ["bad_timestamp", "column 'Order Date'", "timestamp_format: '%d/%m/%Y %H:%M' under sources.orders"],
        ),
        (iso_dates, ["bad_timestamp", "timestamp_format: '%d/%m/%Y %H:%M'"]),
        (commas, ["The header is one name", 'csv: {delimiter: ";"}']),
        (points, ["bad_number", 'numbers: {decimal: ",", thousands: "."}']),
        (no_thousands, ["about", "of the money", "for instance '1.", 'numbers: {decimal: ",", thousands: "."}']),
        (utf16, ["is UTF-16 text: write csv: {encoding: utf-16}"]),
        (cp1252, ["is not utf-8", "cp1252"]),
        (spreadsheet, ["is a spreadsheet (.xlsx)", "write format: xlsx"]),
        (missing_file, ["'order.csv' is not there", "correct the path"]),
        (folder_of_folders, ["write path: 'data/**/*.csv'"]),
        (folder_of_others, ["without a file that ends in .csv", "it holds files that end in .xlsx"]),
        (early_day, ["as_of: 2020-01-01 is before the first order", "write as_of: latest"]),
        (late_day, ["as_of: 2027-06-30 is 365 days after the last order", "as_of: 2026-06-30"]),
        (
            twice,
            [
                "lines are in both files (same order, customer, day, product, amount)",
                "declare line_key: [order_id, product_id]",
                "quality: {accepted: [overlap]}",
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_usual_mistake_is_answered_before_a_run_by_what_to_write(
    shop: Shop, capsys: pytest.CaptureFixture[str], mistake: Callable[[Shop], None], answers: list[str]
) -> None:
    write_messy_shop(shop.folder / "orders.csv")
    mistake(shop)
    said = shop.said(capsys)
    for answer in answers:
        assert answer in said
    assert "@shop.example" not in said


def test_the_messy_file_is_right_once_it_is_declared(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = write_messy_shop(shop.folder / "orders.csv", customers=700)
    shop.load()
    (shop.folder / "README.txt").write_text("about these files", encoding="utf-8")
    monkeypatch.chdir(shop.folder)
    found = CliRunner().invoke(app, ["--config", "tdml.yaml", "--home", "home", "check", "--json"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["problems"] == []
    assert told["sources"]["orders"]["rows_read"] == truth.lines + truth.guest_lines
    assert told["sources"]["orders"]["reasons"] == {"missing_customer": truth.guest_lines}
    assert told["orders"]["net_revenue"] == str(truth.net_revenue)
    assert told["orders"]["customers"] == truth.customers
    assert sum(float(value) for value in told["orders"]["net_revenue_by_month"].values()) == pytest.approx(
        float(truth.net_revenue)
    )
    assert told["as_of"] == str(truth.last_on)
    assert {name: told["workflows"][name]["state"] for name in ("churn", "cltv", "segments")} == dict.fromkeys(
        ("churn", "cltv", "segments"), "on"
    )
    assert not (shop.folder / "home").exists(), "nothing is stored"
    printed = CliRunner().invoke(app, ["--config", "tdml.yaml", "--home", "home", "check"])
    assert f"{truth.net_revenue:,.2f} EUR" in printed.stdout
    assert f"missing_customer {truth.guest_lines:,}: customer_id is empty" in printed.stdout


def test_a_day_before_the_first_order_says_nothing_of_workflows(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    write_messy_shop(shop.folder / "orders.csv")
    early_day(shop)
    shop.load()
    monkeypatch.chdir(shop.folder)
    found = CliRunner().invoke(app, ["--config", "tdml.yaml", "--home", "home", "check"])
    assert found.exit_code == 2
    assert "write as_of: latest" in found.output
    assert "Workflows" not in found.output
    assert "horizon_days" not in found.output


def test_the_remedies_followed_to_the_letter_lead_to_a_file_that_is_read(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the least that the README shows, one message at a time."""
    truth = write_messy_shop(shop.folder / "orders.csv")
    del shop.orders["csv"], shop.orders["numbers"]
    iso_dates(shop)
    assert 'csv: {delimiter: ";"}' in shop.said(capsys)
    shop.orders["csv"] = {"delimiter": ";"}
    assert "timestamp_format: '%d/%m/%Y %H:%M'" in shop.said(capsys)
    shop.orders["timestamp_format"] = "%d/%m/%Y %H:%M"
    assert 'numbers: {decimal: ",", thousands: "."}' in shop.said(capsys)
    shop.orders["numbers"] = {"decimal": ",", "thousands": "."}
    # The orders of the fixture grow older with the clock.
    assert [line for line in shop.noted(capsys).splitlines() if "before today" not in line] == []
    assert truth.lines > 0


def test_times_written_in_two_ways_are_not_mended_by_a_format_that_reads_one_of_them(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    write_messy_shop(shop.folder / "orders.csv")
    lines = (shop.folder / "orders.csv").read_text(encoding="utf-8").splitlines()
    write_messy_shop(shop.folder / "orders.csv", day_format="%Y-%m-%d", seed=8)
    others = (shop.folder / "orders.csv").read_text(encoding="utf-8").splitlines()[1:]
    (shop.folder / "orders.csv").write_text("\n".join([*lines, *others]) + "\n", encoding="utf-8")
    said = shop.said(capsys)
    assert "'%Y-%m-%d %H:%M' reads them and not the other rows: times are written in more than one way" in said


@pytest.mark.parametrize("customers", [1, 20])
def test_too_few_customers_are_noted_and_the_run_may_start(
    shop: Shop, capsys: pytest.CaptureFixture[str], customers: int
) -> None:
    line = "000001;{};30/06/2026 10:00;P1;1;12,50\n"
    content = ";".join(HEADER) + "\n" + "".join(line.format(f"c{place}") for place in range(customers))
    (shop.folder / "orders.csv").write_text(content, encoding="utf-8")
    said = shop.noted(capsys)
    assert f"customers {customers}, order lines {customers}: too few to learn from" in said


def test_a_horizon_longer_than_the_history_is_noted_before_a_run(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    write_messy_shop(shop.folder / "orders.csv", days=200)
    shop.settings["workflows"] = {"cltv": {"target": {"horizon_days": 365}}}
    said = shop.noted(capsys)
    assert "note: cltv: orders from " in said
    assert "Longest horizon with a test: workflows: {cltv: {target: {horizon_days: 66}}}" in said


def test_large_files_are_judged_by_their_first_rows(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tdml_assets.commands.trial_load.WHOLE_BYTES", 1_000)
    write_messy_shop(shop.folder / "orders.csv", customers=100)
    assert "tdml-assets check reads every row" in shop.noted(capsys)
    month_first(shop)
    assert "timestamp_format: '%d/%m/%Y %H:%M'" in shop.said(capsys)


def test_of_large_files_nothing_is_said_that_their_first_rows_cannot_tell(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tdml_assets.commands.trial_load.WHOLE_BYTES", 1_000)
    monkeypatch.setattr("tdml_assets.commands.trial_load._HEAD_ROWS", 200)
    line = "{0:06};{1};{2:%d/%m/%Y} 10:00;P1;1;{3},50\n"
    first = date(2021, 1, 1)
    # Sorted by customer, guests first, from the oldest order on.
    guests = [line.format(place, "", first + timedelta(days=place), place % 40) for place in range(300)]
    others = [
        line.format(place, f"c{place // 20}", first + timedelta(days=place % 20 * 90), place % 40)
        for place in range(300, 3_000)
    ]
    (shop.folder / "orders.csv").write_text(";".join(HEADER) + "\n" + "".join([*guests, *others]), encoding="utf-8")
    said = shop.noted(capsys)
    assert said.count("note: ") == 1
    assert "tdml-assets check reads every row" in said


def test_a_horizon_longer_than_the_history_is_told_with_the_longest_that_works() -> None:
    spec = WorkflowSpec.model_validate({"name": "cltv", "task": "regression", "target": {"horizon_days": 365}})
    facts = OrderFacts(500, 200, 900, 900, 200, date(2025, 12, 1), date(2026, 6, 30), "EUR", 1)
    outlook = outlook_of(spec, facts, date(2026, 6, 30))
    assert outlook.state == "fallback"
    assert "Scored without a trained model: a lifetime model or the total spend so far" in outlook.reason
    assert "span 212 days, and a horizon of 365 days leaves none to learn from" in outlook.reason
    assert 'workflows: {cltv: {target: {horizon_days: 70}}, "*": {}}' in outlook.reason
    named = outlook_of(spec, facts, date(2026, 6, 30), is_named=True)
    assert "workflows: {cltv: {target: {horizon_days: 70}}}" in named.reason
    shorter = spec.model_copy(update={"target": spec.target.model_copy(update={"horizon_days": 70})})
    assert outlook_of(shorter, facts, date(2026, 6, 30)).state == "on"
    one_day = replace(facts, first_on=date(2026, 6, 30))
    assert outlook_of(spec, one_day, date(2026, 6, 30)).reason.count("with a test: none, give earlier orders") == 1


def _keys(model: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    from tdml_assets.settings import _model_of

    found = []
    for name, field in model.model_fields.items():
        found.append((*place, name))
        inner = _model_of(field.annotation)
        if inner is not None:
            found += _keys(inner, (*place, name))
    return found


#: Columns of customers have names of their own.
FREE_NAMES = ("sources", "customers", "columns")


@pytest.mark.parametrize(
    "key",
    [key for key in _keys(Settings) if key[0] not in ("home", "base_folder") and key[:3] != FREE_NAMES],
    ids=".".join,
)
def test_a_typo_in_a_key_is_named_with_the_key_that_was_meant(tmp_path: Path, key: tuple[str, ...]) -> None:
    *parents, last = key
    typo = last[:-1] if len(last) > 3 else f"{last}x"
    content: Any = {typo: None}
    for parent in reversed(parents):
        content = {parent: content}
    (tmp_path / "tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings({"TDML_HOME": str(tmp_path / "home")}, working_folder=tmp_path)
    assert f"{'.'.join([*parents, typo])}: unknown key" in str(caught.value)
    assert f"did you mean '{last}'?" in str(caught.value)
