"""The limits of a first load: on files of a small shop, each broken in one way, as ``tdml-assets check`` judges them."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tdml_assets.commands.preflight import Trial, problems_of
from tdml_assets.commands.trial_load import try_sources
from tdml_assets.settings import load_settings

DECLARED: dict[str, Any] = {
    "path": "orders*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"order_id": "order", "customer_id": "who", "ordered_at": "day", "product_id": "sku", "amount": "total"},
}
Lines = list[list[str]]


def shop_lines(count: int = 600, per_month: int = 25) -> Lines:
    """Order lines of 60 customers over two years, two lines an order."""
    return [
        [
            f"o{place // 2}",
            f"c{place // 2 * 7 % 60}",
            f"{2024 + place // per_month // 12}-{place // per_month % 12 + 1:02}-{place // 2 % 28 + 1:02}",
            f"p{place % 9}",
            f"{5 + place % 17}.50",
        ]
        for place in range(count)
    ]


def judged(folder: Path, quality: dict[str, Any] | None = None, **files: Lines) -> tuple[Trial, list[str]]:
    for name, lines in files.items():
        text = "\n".join(",".join(line) for line in [["order", "who", "day", "sku", "total"], *lines])
        (folder / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
    content = {"sources": {"orders": copy.deepcopy(DECLARED)}, "quality": quality or {}}
    (folder / "tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = load_settings({"TDML_HOME": str(folder / "home")}, working_folder=folder)
    trial = try_sources(settings, whole=True)
    return trial, problems_of(trial, as_of=settings.as_of, accepted=settings.quality.accepted)


def notes(trial: Trial, check: str) -> list[str]:
    return [finding.sentence for finding in trial.report.with_status("note") if finding.check_name == check]


def guests(lines: Lines) -> None:
    for place in range(0, len(lines), 10):
        lines[place][1] = ("guest", "0", "NaN")[place % 3]


def no_customers(lines: Lines) -> None:
    for place in range(0, len(lines) // 2 * 2, 4):
        lines[place][1] = lines[place + 1][1] = ""


def first_line_alone(lines: Lines) -> None:
    for place in range(1, len(lines), 2):
        lines[place][1] = ""


def first_row_alone(lines: Lines) -> None:
    for place in range(1, len(lines), 2):
        lines[place][0] = lines[place][1] = ""


def discounts(lines: Lines) -> None:
    for line in lines[:550]:
        line[4] = "0.00"


def one_buyer(lines: Lines) -> None:
    for place in range(0, len(lines), 2):
        lines[place][4] = "4000.00"
        lines[place][1] = "wholesale"


def mistyped(lines: Lines) -> None:
    lines[7][4] = "9000000.00"


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        (
            guests,
            "empty_ids",
            ["10.0% of the order lines", 'customer_id: {column: \'who\', empty: ["0", "guest", "nan"]}'],
        ),
        (no_customers, "set_aside", ["300 of 600 rows (50.0%)", "missing_customer 300", "columns.customer_id"]),
        (first_line_alone, "set_aside", ["carry: [customer_id, ordered_at]"]),
        (first_row_alone, "set_aside", ["carry: [order_id, customer_id, ordered_at]"]),
        (discounts, "zero_amounts", ["550 of 600 order lines (91.7%)", "column 'total'", "Map columns.amount"]),
        (
            one_buyer,
            "one_customer",
            ["of all money; 50.0% is the bound.", "sources.orders.columns.customer_id, key empty"],
        ),
        (mistyped, "one_customer", ["one order line alone makes", "as max under sources.orders.bounds"]),
    ],
)
def test_a_first_load_beyond_a_limit_is_stopped_with_what_to_declare_and_can_be_accepted_by_name(
    tmp_path: Path, fault: Callable[[Lines], None], check: str, words: list[str]
) -> None:
    lines = shop_lines()
    fault(lines)
    _, problems = judged(tmp_path, orders=lines)
    assert len(problems) == 1
    for text in [*words, f"quality: {{accepted: [{check}]}}"]:
        assert text in problems[0]
    trial, problems = judged(tmp_path, {"accepted": check})
    assert problems == []
    assert [one.check_name for one in trial.report.with_status("accepted")] == [check]


def test_a_whole_shop_passes_every_limit(tmp_path: Path) -> None:
    trial, problems = judged(tmp_path, orders=shop_lines())
    assert problems == []
    checks = {"set_aside", "zero_amounts", "empty_ids", "test_orders", "thin_months", "one_customer", "repeated"}
    assert {one.check_name for one in trial.report.with_status("ok")} >= checks


def test_amounts_out_of_bounds_are_not_counted_as_money_that_is_missing(tmp_path: Path) -> None:
    lines = shop_lines()
    for place in range(0, 60, 10):
        lines[place][4] = "9999999999.00"
    trial, problems = judged(tmp_path, orders=lines)
    assert problems == []
    assert {"set_aside"} <= {one.check_name for one in trial.report.with_status("ok")}


def test_a_month_that_two_exports_share_is_stopped_with_the_lines_the_money_and_the_key(tmp_path: Path) -> None:
    lines = shop_lines()
    shared = lines[280:330]
    trial, problems = judged(tmp_path, orders_a=lines[:330], orders_b=lines[280:])
    money = sum(float(line[4]) for line in shared)
    said = f"50 lines are in both files (same order, customer, day, product, amount) and double {money:,.2f} of revenue"
    assert said in problems[0]
    assert "declare line_key: [order_id, product_id]" in problems[0]
    assert len(problems) == 1, "lines that several files hold are not counted as repeated again"
    assert trial.orders.order_lines == 650


def test_few_ids_that_mean_nobody_tests_and_a_thin_month_are_noted(tmp_path: Path) -> None:
    lines = [line for line in shop_lines(1200, 50) if not line[2].startswith("2025-03")]
    lines[0][1], lines[2][1] = "unknown", "test@shop.example"
    trial, problems = judged(tmp_path, orders=lines)
    assert problems == []
    assert "customer_id: {column: 'who', empty: [\"unknown\"]}" in notes(trial, "empty_ids")[0]
    assert "1 order lines" in notes(trial, "test_orders")[0]
    assert "2025-03 (0 lines, about 50 around it)" in notes(trial, "thin_months")[0]


def test_ten_customers_numbered_from_nought_are_customers(tmp_path: Path) -> None:
    lines = shop_lines()
    for place, line in enumerate(lines):
        line[1] = str(place // 2 % 10)
    trial, problems = judged(tmp_path, orders=lines)
    assert problems == []
    assert '"0"' in notes(trial, "empty_ids")[0]


# ---- days after the file was written, and days that are months ----

WRITTEN = datetime(2025, 7, 1, 12, tzinfo=UTC)


def american(lines: Lines, last_day: int) -> None:
    """Dates with the month first, on days up to ``last_day`` of a month."""
    for place, line in enumerate(lines):
        year, month, _ = line[2].split("-")
        line[2] = f"{month}/{place // 2 % last_day + 1:02}/{year}"


def judged_as(
    folder: Path, lines: Lines, time_format: str, written: datetime | None = None, **quality: Any
) -> tuple[Trial, list[str]]:
    text = "\n".join(",".join(line) for line in [["order", "who", "day", "sku", "total"], *lines])
    path = folder / "orders.csv"
    path.write_text(text + "\n", encoding="utf-8")
    if written is not None:
        os.utime(path, (written.timestamp(), written.timestamp()))
    content = {"sources": {"orders": {**copy.deepcopy(DECLARED), "timestamp_format": time_format}}, "quality": quality}
    (folder / "tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = load_settings({"TDML_HOME": str(folder / "home")}, working_folder=folder)
    trial = try_sources(settings, whole=True)
    return trial, problems_of(trial, as_of=settings.as_of, accepted=settings.quality.accepted)


@pytest.mark.parametrize(("last_day", "written", "check"), [(28, None, "unreadable"), (12, WRITTEN, "after_file")])
def test_swapped_days_and_months_are_stopped_and_the_line_in_the_message_loads_every_row_right(
    tmp_path: Path, last_day: int, written: datetime | None, check: str
) -> None:
    lines = shop_lines(450)
    american(lines, last_day)
    trial, problems = judged_as(tmp_path, lines, "%d/%m/%Y", written)
    assert check in {finding.check_name for finding in trial.report.with_status("alarm")}
    proposed = re.search(r"timestamp_format: '([^']+)'", next(text for text in problems if "timestamp_format" in text))
    assert proposed is not None
    trial, problems = judged_as(tmp_path, lines, proposed.group(1), written)
    assert problems == []
    assert (trial.orders.order_lines, trial.orders.first_on, trial.orders.last_on) == (
        450,
        date(2024, 1, 1),
        max(datetime.strptime(line[2], "%m/%d/%Y").replace(tzinfo=UTC).date() for line in lines),
    )


def test_where_no_row_can_be_read_few_guests_are_not_called_all_of_the_money(tmp_path: Path) -> None:
    lines = shop_lines(450)
    for line in lines[:20]:
        line[1] = ""
    trial, problems = judged_as(tmp_path, lines, "%d.%m.%Y")
    assert [problem.split(":")[0] for problem in problems] == ["raw.orders"]
    assert "timestamp_format: '%Y-%m-%d'" in problems[0]
    assert "set_aside" not in {finding.check_name for finding in trial.report.with_status("alarm")}


def test_orders_dated_after_their_file_are_shown_and_can_be_accepted_by_name(tmp_path: Path) -> None:
    lines = shop_lines()
    written = datetime(2025, 11, 20, tzinfo=UTC)
    _, problems = judged_as(tmp_path, lines, "%Y-%m-%d", written)
    assert len(problems) == 1
    assert "order lines of orders.csv (5.8%) are dated after 2025-11-20, the day the file was written" in problems[0]
    assert "Correct sources.orders.timestamp_format" in problems[0]
    assert "quality: {accepted: [after_file]}" in problems[0]
    trial, problems = judged_as(tmp_path, lines, "%Y-%m-%d", written, accepted="after_file")
    assert (problems, [one.check_name for one in trial.report.with_status("accepted")]) == ([], ["after_file"])
    assert judged_as(tmp_path, lines, "%Y-%m-%d", written, after_file_limit=0.1)[1] == []


@pytest.mark.parametrize("written", [datetime(2020, 1, 1, tzinfo=UTC), datetime(1980, 1, 1, tzinfo=UTC), None])
def test_the_time_of_a_file_that_most_lines_are_after_or_an_archive_made_up_stops_nothing(
    tmp_path: Path, written: datetime | None
) -> None:
    trial, problems = judged_as(tmp_path, shop_lines(), "%Y-%m-%d", written)
    assert problems == []
    noted = [text for text in notes(trial, "after_file") if "its time is probably wrong" in text]
    assert bool(noted) == (written is not None and written.year == 2020)


def test_a_file_most_of_whose_rows_cannot_be_read_is_stopped_among_files_that_are_read(tmp_path: Path) -> None:
    lines = shop_lines()
    last = [[line[0], line[1], "/".join(reversed(line[2].split("-"))), *line[3:]] for line in lines[-8:]]
    _, problems = judged(tmp_path, orders_1=lines[:-8], orders_2=last)
    assert len(problems) == 1
    assert "8 of 600 rows (1.3%)" in problems[0]
    assert "most of orders_2.csv among them (8 of 8 rows)" in problems[0]
    assert "quality: {accepted: [unreadable]}" in problems[0]
    # A few rows of a file are few.
    _, problems = judged(tmp_path, orders_1=lines[:-8], orders_2=last[:4])
    assert problems == []


def test_a_file_without_the_status_that_others_have_is_stopped(tmp_path: Path) -> None:
    lines = shop_lines()
    columns = {**DECLARED["columns"], "order_status": "state"}
    for name, part, header in (("orders_1", lines[:300], "state"), ("orders_2", lines[300:], "Status")):
        rows = [["order", "who", "day", "sku", "total", header], *([*line, "paid"] for line in part)]
        (tmp_path / f"{name}.csv").write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")

    def problems(**changes: Any) -> list[str]:
        content = {"sources": {"orders": {**DECLARED, "columns": columns, **changes.pop("orders", {})}}, **changes}
        (tmp_path / "tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        settings = load_settings({"TDML_HOME": str(tmp_path / "home")}, working_folder=tmp_path)
        trial = try_sources(settings, whole=True)
        return problems_of(trial, as_of=settings.as_of, accepted=settings.quality.accepted)

    assert ["1 without 'state' (orders_2.csv)" in one for one in problems()] == [True]
    assert problems(orders={"other_names": {"state": ["Status"]}}) == []
    assert problems(quality={"accepted": ["lacking_columns"]}) == []
