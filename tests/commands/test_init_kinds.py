"""``init`` on each kind of source: what it writes is loaded by ``check``, and comes to the money that was written."""

from __future__ import annotations

import bz2
import gzip
import json
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.preflight import OrderFacts
from tdml_assets.commands.trial_load import try_sources
from tdml_assets.settings import load_settings

FIRST = datetime(2025, 1, 1, 9, 30)  # noqa: DTZ001 - as files hold them
#: Order, customer, day, product, amount in cents: 40 orders of two lines, 120.00 in all.
LINES = [
    (f"o{n // 2}", f"k{n // 2 % 7}@x.example", FIRST + timedelta(days=n // 2), f"p{n % 5}", 100 + n % 2 * 100)
    for n in range(80)
]
HEADER = ["order_id", "customer", "order date", "sku", "line total"]


def as_texts(line: tuple[str, str, datetime, str, int]) -> list[str]:
    return [line[0], line[1], line[2].strftime("%Y-%m-%d"), line[3], f"{line[4] / 100:.2f}"]


def csv_text(lines: list[tuple[str, str, datetime, str, int]] = LINES) -> str:
    return "\n".join(",".join(row) for row in [HEADER, *map(as_texts, lines)]) + "\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    return tmp_path


def declared(*words: str, gaps: tuple[str, ...] = ("currency",)) -> dict[str, Any]:
    """Run ``init``, fill in the currency that no file names, and give the keys of the orders."""
    done = CliRunner().invoke(app, ["init", *words])
    assert done.exit_code == (3 if gaps else 0), done.output
    open_keys = [line.split(": ")[1].rpartition(".")[2] for line in done.stderr.splitlines()]
    assert tuple(open_keys) == gaps, done.stderr
    path = Path("tdml.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("currency:    #", "currency: EUR    #"), encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]["orders"]
    return found


def checked() -> OrderFacts:
    """The orders as ``check`` reads them."""
    return try_sources(load_settings({}, working_folder=Path.cwd()), whole=True).orders


def net() -> str:
    return f"{checked().net_revenue:.2f}"


def write_sheet(folder: Path) -> str:
    book = openpyxl.Workbook()
    book.active.title = "About"
    book.active.append(["Exported by nobody"])
    sheet = book.create_sheet("Lines")
    sheet.append(["All orders"])
    sheet.append(HEADER)
    for order, who, when, sku, cents in LINES:
        sheet.append([order, who, when, sku, cents / 100])
    sheet.append(["Total", None, None, None, 120.0])
    book.save(folder / "o.xlsx")
    return "o.xlsx"


def write_zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "o.zip", "w") as archive:
        archive.writestr("readme.txt", "Nothing, to, see, here\n1,2,3,4\n")
        archive.writestr("export/lines.csv", csv_text())
    return "o.zip"


def write_nested(folder: Path) -> str:
    orders: dict[str, dict[str, Any]] = {}
    for order, who, when, sku, cents in LINES:
        found = orders.setdefault(order, {"id": order, "customer": {"id": 7, "email": who}, "items": []})
        found |= {"created_at": when.isoformat() + "Z"}
        found["items"].append({"id": f"{order}{sku}", "sku": sku, "quantity": 1, "price": cents / 100})
    (folder / "o.json").write_text(json.dumps({"orders": list(orders.values()), "count": 40}, indent=1))
    return "o.json"


def write_list(folder: Path) -> str:
    rows = [dict(zip(HEADER, as_texts(line), strict=True)) for line in LINES]
    (folder / "o.json").write_bytes(bz2.compress(json.dumps(rows).encode()))
    return "o.json"


def write_hive(folder: Path) -> str:
    for start in range(0, len(LINES), 20):
        order, who, when, sku, cents = zip(*LINES[start : start + 20], strict=True)
        place = folder / "lake" / f"day={when[0]:%Y-%m-%d}"
        place.mkdir(parents=True)
        amount = [one / 100 for one in cents]
        pq.write_table(pa.table({"order_id": order, "email": who, "sku": sku, "amount": amount}), place / "0.parquet")
    return "lake"


def write_preamble(folder: Path) -> str:
    rows = csv_text().replace(",", ";").replace("line total", "line total").splitlines()
    text = "\r".join(["sep=;", "Orders of the shop", "", *rows, "Total;;;;120.00", "(80 rows)"])
    (folder / "o.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    return "o.csv"


def write_japanese(folder: Path) -> str:
    header = "注文番号,会員ID,注文日,商品コード,金額"
    rows = [f'{o},{w},{d:%Y年%m月%d日},{s},"{c / 100:,.2f}"' for o, w, d, s, c in LINES]
    (folder / "o.csv").write_bytes("\n".join([header, *rows, ""]).encode("cp932"))
    return "o.csv"


def write_aligned(folder: Path) -> str:
    rows = [as_texts(line) for line in LINES]
    header = f"{'order_id':<9} {'customer':>12}  {'order_date':<12} {'sku':<6}{'line_total':>12}"
    lines = [f" {o:<8} {w:>12}  {d:<12} {s:<6}{a:>12}  " for o, w, d, s, a in rows]
    (folder / "o.txt").write_text("\r\n".join([header, *lines, ""]))
    return "o.txt"


def write_marked(mark: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / "o.txt").write_text(csv_text().replace(",", mark))
        return "o.txt"

    return write


KINDS: dict[str, tuple[Callable[[Path], str], dict[str, Any]]] = {
    "sheet": (write_sheet, {"format": "xlsx", "sheet": "Lines", "skip_rows": 1, "skip_footer_rows": 1}),
    "zip": (write_zip, {"format": "csv", "member": "export/lines.csv"}),
    "nested": (write_nested, {"format": "json", "records": "orders", "timestamp_format": "iso8601"}),
    "list": (write_list, {"format": "json"}),
    "hive": (write_hive, {"format": "parquet", "path": "lake", "recursive": True}),
    "preamble": (write_preamble, {"csv": {"delimiter": ";"}, "skip_rows": 3, "skip_footer_rows": 2}),
    "aligned": (write_aligned, {"format": "csv", "csv": {"delimiter": " "}}),
    "control A": (write_marked("\x01"), {"csv": {"delimiter": "\x01"}}),
    "caret": (write_marked("^"), {"csv": {"delimiter": "^"}}),
    "tilde": (write_marked("~"), {"csv": {"delimiter": "~"}}),
    "japanese": (write_japanese, {"csv": {"encoding": "cp932"}, "timestamp_format": "%Y年%m月%d日"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_file_is_declared_so_that_check_finds_its_money(home: Path, kind: str) -> None:
    write, wanted = KINDS[kind]
    orders = declared(write(home))
    assert {key: orders.get(key) for key in wanted} == wanted
    assert net() == "120.00"


def test_a_path_into_a_list_and_the_total_of_its_order_are_told_apart(home: Path) -> None:
    rows = [
        {"number": n, "buyer": {"email": f"k{n % 5}@x.example"}, "placed_at": f"2025-01-{n % 28 + 1:02}T10:00:00Z"}
        | {"total": "30.00", "currency": "eur", "line_items": [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 2}]}
        for n in range(30)
    ]
    (home / "o.jsonl").write_text("\n".join(map(json.dumps, rows)))
    orders = declared("o.jsonl", gaps=())
    assert orders["columns"] == {
        "order_id": "number",
        "customer_id": "buyer.email",
        "ordered_at": "placed_at",
        "product_id": "line_items[].sku",
        "quantity": "line_items[].qty",
        "amount": "total",
    }
    assert (orders["amount_level"], orders["currency"]) == ("order", "EUR")
    assert net() == "900.00"


def test_files_of_a_delta_table_are_declared_as_the_table(home: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    rows = pa.table({"who": ["a", "b"], "when": [FIRST, FIRST], "total": [1.0, 2.0]})
    deltalake.write_deltalake(home / "t", rows)
    deltalake.write_deltalake(home / "t", rows, mode="overwrite")
    part = next((home / "t").glob("*.parquet")).name
    orders = declared(f"t/{part}")
    assert (orders["format"], orders["path"]) == ("delta", "t")
    assert net() == "3.00"


def test_a_folder_of_an_iceberg_table_is_declared_as_the_table(home: Path) -> None:
    pytest.importorskip("pyiceberg")
    from pyiceberg.catalog.sql import SqlCatalog

    rows = pa.table({"who": ["a", "b"], "when": [FIRST, FIRST], "total": [1.0, 2.0]})
    catalog = SqlCatalog("c", uri="sqlite:///:memory:", warehouse=str(home))
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.lines", rows.schema, location=str(home / "t"))
    table.append(rows)
    table.overwrite(rows)
    orders = declared("t")
    assert (orders["format"], orders["path"]) == ("iceberg", "t")
    assert net() == "3.00"


def test_a_table_of_a_database_is_declared_by_its_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sqlite3.connect(home / "shop.db")
    with connection:
        connection.execute("create table lines (order_id text, email text, created_at text, sku text, amount real)")
        rows = [(o, w, f"{d:%Y-%m-%d %H:%M:%S}", s, c / 100) for o, w, d, s, c in LINES]
        connection.executemany("insert into lines values (?, ?, ?, ?, ?)", rows)
    connection.close()
    monkeypatch.setenv("SHOP_DATABASE_URL", f"sqlite:///{home / 'shop.db'}")
    orders = declared("--database", "SHOP_DATABASE_URL", "--table", "lines")
    assert orders["url_env"] == "SHOP_DATABASE_URL"
    assert (orders["table"], orders.get("path")) == ("lines", None)
    assert net() == "120.00"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the files to look at, or --database"),
        (("--table", "lines"), "need --database"),
        (("--database", "sqlite:///x.db", "--table", "lines"), "a URL is never written in the settings"),
        (("--database", "NO_SUCH_URL", "--table", "lines"), "the environment variable NO_SUCH_URL is not set"),
        (("--database", "NO_SUCH_URL"), "write one of table, query and query_file"),
    ],
)
def test_a_database_that_is_not_named_rightly_is_refused(home: Path, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["init", *words])
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (home / "tdml.yaml").exists()


def test_cells_of_first_lines_are_carried_and_their_total_counts_once(home: Path) -> None:
    rows = ["order,email,date,item,paid"]
    for n in range(30):
        rows += [f"o{n},k{n % 5}@x.example,2025-01-{n % 28 + 1:02},A,{n + 10}.00", f"o{n},,,B,"]
    (home / "o.csv").write_text("\n".join(rows))
    orders = declared("o.csv", gaps=("currency",))
    assert (orders["amount_level"], orders["carry"]) == ("order", ["customer_id", "ordered_at"])
    assert net() == f"{sum(range(10, 40))}.00"


def test_lines_that_two_exports_hold_get_a_key_and_times_of_two_forms_a_list(home: Path) -> None:
    text = csv_text().splitlines()
    (home / "a.csv").write_text("\n".join(text[:61]))
    (home / "b.csv").write_text(
        "\n".join([text[0], *(row.replace("2025-01-25", "25.01.2025 00:00") for row in text[41:])])
    )
    orders = declared("a.csv", "b.csv")
    assert orders["line_key"] == ["order_id", "product_id"]
    assert orders["timestamp_format"] == ["%Y-%m-%d", "%d.%m.%Y %H:%M"]
    assert net() == "120.00"


def test_files_of_other_roles_are_told_apart_and_what_nothing_reads_is_named(home: Path) -> None:
    (home / "lines.csv").write_text(csv_text())
    (home / "merged.csv").write_text("old_id,new_id,merged_at\nk0@x.example,k1@x.example,2025-01-01\n")
    (home / "goods.csv").write_text("sku,product name,weight\np0,Tea,1\np1,Cup,2\n")
    with gzip.open(home / "people.csv.gz", "wt") as file:
        file.write("email,city\nk0@x.example,Oslo\nk1@x.example,Bergen\n")
    declared("lines.csv", "merged.csv", "goods.csv", "people.csv.gz")
    text = (home / "tdml.yaml").read_text(encoding="utf-8")
    sources = yaml.safe_load(text)["sources"]
    assert sources["identities"]["columns"] == {"old_id": "old_id", "person": "new_id", "valid_from": "merged_at"}
    assert sources["customers"]["columns"] == {"customer_id": "email"}
    assert "# not used: goods.csv: products" in text
    assert checked().customers == 6


def test_rows_of_a_payment_system_count_by_their_type(home: Path) -> None:
    rows = ["id,Type,Email,Created,Amount,Currency"]
    rows += [f"c{n},charge,k{n % 5}@x.example,2025-01-{n % 28 + 1:02} 10:00,10.00,eur" for n in range(30)]
    rows += ["r1,refund,k1@x.example,2025-02-01 10:00,-4.00,eur", "p1,payout,,2025-02-02 10:00,-250.00,eur"]
    (home / "o.csv").write_text("\n".join(rows))
    orders = declared("o.csv", gaps=())
    assert orders["statuses"] == {"charge": "sale", "payout": "ignore", "refund": "return"}
    assert net() == "296.00"


def test_layouts_of_a_known_export_are_told_apart(home: Path) -> None:
    rows = ["Order Number,Order Status,Order Date,Email (Billing),Order Total Amount,Item Name,Quantity"]
    for n in range(30):
        order = f"{n},Completed,2025-01-{n % 28 + 1:02} 10:00,k{n % 5}@x.example,{n + 10}.50"
        rows += [f"{order},Tea,1", f"{order},Cup,2"]
    (home / "o.csv").write_text("\n".join(rows))
    orders = declared("o.csv")
    assert (orders["preset"], orders["amount_level"]) == ("woocommerce", "order")
    assert orders["columns"]["customer_id"] == "Email (Billing)"
    assert net() == f"{sum(range(10, 40)) + 15}.00"


def test_the_currency_and_the_marks_of_a_settlement_are_seen(home: Path) -> None:
    from tests.stages.raw.test_presets import SETTLEMENT

    (home / "settlement.txt").write_text(SETTLEMENT)
    orders = declared("settlement.txt", gaps=())
    assert (orders["preset"], orders["currency"]) == ("amazon_settlement", "EUR")
    assert net() == "1000.00"


@pytest.mark.parametrize("key", ["member", "sheet"])
def test_months_in_one_workbook_or_archive_are_asked_for_instead_of_read_one_of_them(home: Path, key: str) -> None:
    months = {"2025-01": csv_text(LINES[:30]), "2025-02": csv_text(LINES[30:])}
    name = "months.zip" if key == "member" else "months.xlsx"
    if key == "member":
        with zipfile.ZipFile(name, "w") as archive:
            for month, text in months.items():
                archive.writestr(f"orders-{month}.csv", text)
    else:
        book = openpyxl.Workbook()
        for month, text in months.items():
            sheet = book.create_sheet(month)
            for line in text.splitlines():
                sheet.append(line.split(","))
        book.save(name)
    result = CliRunner().invoke(app, ["init", name])
    assert result.exit_code == 3, result.output
    assert f"yours to decide: sources.orders.{key}: 2 " in result.output
    assert yaml.safe_load(Path("tdml.yaml").read_text(encoding="utf-8"))["sources"]["orders"][key] is None


@pytest.mark.parametrize(
    ("paid", "cancelled"),
    [
        ("Verzonden", "Geannuleerd door klant"),
        ("SENT", "CANCELLED_BY_PARTNER"),
        ("Teilweise storniert", "Storniert (Kunde)"),
        ("Concluído", "Não pago"),
    ],
)
def test_a_status_of_several_words_is_void_by_the_word_that_ends_an_order(
    home: Path, paid: str, cancelled: str
) -> None:
    header = ["Bestelnummer", "Besteldatum", "Klantnummer", "EAN", "Bedrag", "Status bestelling"]
    rows = [[n, f"{FIRST + timedelta(days=n):%d-%m-%Y}", n % 7, "87", "2.50", paid] for n in range(40)]
    rows += [[n, "01-05-2025", n % 7, "87", "1.00", cancelled] for n in range(40, 60)]
    text = "\n".join(";".join(map(str, row)) for row in [header, *rows])
    Path("orders.csv").write_text(text + "\n", encoding="utf-8")
    keys = declared("orders.csv")
    assert keys["columns"]["order_id"] == "Bestelnummer"
    assert (keys["statuses"][paid], keys["statuses"][cancelled]) == ("sale", "void")
    assert net() == "100.00"


def test_statuses_that_are_codes_are_asked_for(home: Path) -> None:
    lines = csv_text().splitlines()
    text = "\n".join([f"{lines[0]},status", *(f"{line},{7 + place % 2}" for place, line in enumerate(lines[1:]))])
    Path("orders.csv").write_text(text + "\n", encoding="utf-8")
    keys = declared("orders.csv", gaps=("currency", "statuses"))
    assert keys["statuses"] == {"7": None, "8": None}


@pytest.mark.parametrize(
    ("name", "yes", "no"), [("is_test", "TRUE", "FALSE"), ("Voided", "1", "0"), ("cancelled_at", "2025-03-01", "")]
)
def test_a_column_that_says_which_orders_came_to_nothing_stands_in_for_a_status(
    home: Path, name: str, yes: str, no: str
) -> None:
    lines = csv_text().splitlines()
    flagged = [f"{line},{yes if place < 20 else no}" for place, line in enumerate(lines[1:])]
    Path("orders.csv").write_text("\n".join([f"{lines[0]},{name}", *flagged]) + "\n", encoding="utf-8")
    assert declared("orders.csv")["columns"]["order_status"] == name
    assert net() == "90.00"
