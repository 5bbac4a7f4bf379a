"""``init``: a settings file from the first rows of files, that loads where nothing was left open."""

import gzip
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.settings import load_settings

Run = Callable[..., Result]
FIRST = datetime(2025, 1, 1, 9, 30)  # noqa: DTZ001 - as files hold them


def rows(moment: str, money: Callable[[int], str], delimiter: str, header: str) -> str:
    lines = [
        delimiter.join([f"k{n % 7}@x.example", (FIRST + timedelta(days=n)).strftime(moment), money(n), f"A{n}"])
        for n in range(40)
    ]
    return "\n".join([header, *lines]) + "\n"


def comma(number: int) -> str:
    return f"1.{number + 100},50"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    return lambda *words: CliRunner().invoke(app, list(words))


def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "tdml.yaml").read_text(encoding="utf-8"))["sources"]
    return found


def test_a_european_export_is_declared_but_for_its_currency(run: Run, tmp_path: Path) -> None:
    text = rows("%d.%m.%Y %H:%M", comma, ";", "Kundennr;Bestelldatum;Umsatz;Bestellnr")
    (tmp_path / "b.csv").write_text(text.replace("k0", "Müller"), encoding="cp1252")
    done = run("init", "b.csv")
    assert done.exit_code == 3, done.output
    assert done.stderr.splitlines() == [
        "yours to decide: sources.orders.currency: no column holds a currency: write its code, such as EUR"
    ]
    orders = written(tmp_path)["orders"]
    assert orders["csv"] == {"delimiter": ";", "encoding": "cp1252"}
    assert orders["numbers"] == {"decimal": ",", "thousands": "."}
    assert orders["timestamp_format"] == "%d.%m.%Y %H:%M"
    assert orders["columns"] == {
        "customer_id": "Kundennr",
        "ordered_at": "Bestelldatum",
        "amount": "Umsatz",
        "order_id": "Bestellnr",
    }
    path = tmp_path / "tdml.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("currency:    #", "currency: EUR    #"), encoding="utf-8")
    assert load_settings({}, working_folder=tmp_path).sources.orders is not None, "filled in, it loads"


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tdml.yaml").write_text("mine: 1\n", encoding="utf-8")
    (tmp_path / "o.csv").write_text(rows("%Y-%m-%d", str, ",", "customer,date,amount,order"), encoding="utf-8")
    done = run("init", "o.csv")
    assert (done.exit_code, "is not overwritten" in done.stderr) == (2, True)
    assert (tmp_path / "tdml.yaml").read_text(encoding="utf-8") == "mine: 1\n"
    assert run("init", "o.csv", "--out", "other.yaml").exit_code == 3
    assert (tmp_path / "other.yaml").is_file()


def test_what_two_readings_explain_is_left_open(run: Run, tmp_path: Path) -> None:
    lines = [f"c{n},0{n % 9 + 1}/0{n % 8 + 1}/2025,1,{n + 100}" for n in range(30)]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,total", *lines]), encoding="utf-8")
    (tmp_path / "o.csv").write_text(
        "\n".join(["customer_id;date;total", *(line.replace(",", ";", 2) for line in lines)]), encoding="utf-8"
    )
    done = run("init", "o.csv")
    assert done.exit_code == 3, done.output
    assert "timestamp_format: '01/01/2025' can be read as %d/%m/%Y or %m/%d/%Y" in done.stderr
    assert "numbers.decimal: the numbers can be read in two ways: is 1,234 a thousand" in done.stderr
    orders = written(tmp_path)["orders"]
    assert orders["timestamp_format"] is None, "a gap that a run refuses, and no guess"
    assert run("check").exit_code == 2


def test_parquet_with_types_and_one_currency_is_complete(run: Run, tmp_path: Path) -> None:
    table = {
        "client_id": [str(n) for n in range(9)],
        "created_at": [FIRST + timedelta(days=n) for n in range(9)],
        "qty": list(range(1, 10)),
        "price": [9.5] * 9,
        "Order Total": [99.0] * 9,
        "currency": ["GBP"] * 9,
        "status": ["paid", "refunded", "paid"] * 3,
    }
    pq.write_table(pa.table(table), tmp_path / "o.parquet")
    done = run("init", "o.parquet")
    assert done.exit_code == 0, done.output
    settings = load_settings({}, working_folder=tmp_path)
    orders = settings.sources.orders
    assert orders is not None
    assert (orders.currency, orders.columns.customer_id) == ("GBP", "client_id")
    assert (orders.columns.quantity, orders.columns.unit_price, orders.columns.amount) == ("qty", "price", None)
    assert "      paid: sale\n      refunded: void\n" in (tmp_path / "tdml.yaml").read_text(encoding="utf-8")


def test_names_of_products_are_mapped_beside_their_ids_and_in_place_of_missing_ones(run: Run, tmp_path: Path) -> None:
    line = ",k1@x.example,2025-01-31,1,9.50,"
    cases = {
        "shopify": ("Name,Email,Created at,Lineitem quantity,Lineitem price,Lineitem name,Lineitem sku", "Tea,T1"),
        "retail": ("InvoiceNo,CustomerID,InvoiceDate,Quantity,UnitPrice,StockCode,Description", "T1,Tea"),
        "only": ("order,customer_id,date,quantity,price,product_name", "Tea"),
    }
    found = {}
    for name, (header, products) in cases.items():
        (tmp_path / f"{name}.csv").write_text(f"{header}\n" + f"o{line}{products}\n" * 3, encoding="utf-8")
        run("init", f"{name}.csv")
        columns = written(tmp_path)["orders"]["columns"]
        found[name] = (columns.get("product_id"), columns.get("product_name"))
        (tmp_path / "tdml.yaml").unlink()
    assert found == {
        "shopify": ("Lineitem sku", "Lineitem name"),
        "retail": ("StockCode", "Description"),
        "only": ("product_name", None),
    }


def test_files_of_several_tables_and_several_files_of_one_are_told_apart(run: Run, tmp_path: Path) -> None:
    header = "customer,order date,line total,order no"
    for year in ("2025", "2026"):
        with gzip.open(tmp_path / f"orders-{year}.csv.gz", "wt", encoding="utf-8") as file:
            file.write(rows("%Y-%m-%dT%H:%M:%SZ", str, ",", header))
    (tmp_path / "views.jsonl").write_text('{"user_id": "1", "time": "2025-01-31 10:00:00", "url": "/a"}\n' * 3)
    (tmp_path / "people.csv").write_text("customer_id,city\n1,Oslo\n2,Bergen\n", encoding="utf-8")
    done = run("init", "people.csv", "views.jsonl", "orders-2025.csv.gz", "orders-2026.csv.gz")
    assert done.exit_code == 3, done.output
    sources = written(tmp_path)
    assert list(sources) == ["orders", "pageviews", "customers"]
    assert sources["orders"]["path"] == ["orders-2025.csv.gz", "orders-2026.csv.gz"]
    assert sources["orders"]["timestamp_format"] == "iso8601"
    assert sources["pageviews"]["columns"] == {"customer_id": "user_id", "viewed_at": "time", "path": "url"}
    assert sources["customers"]["columns"] == {"customer_id": "customer_id"}


def test_a_file_without_a_header_and_names_that_say_nothing_are_left_to_the_person(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("7,2025-01-31,9.50\n8,2025-02-28,7.25\n", encoding="utf-8")
    done = run("init", "o.csv")
    assert done.exit_code == 3, done.output
    assert (
        "sources.orders.columns.customer_id: no column looks like it; there are column_1, column_2, column_3"
        in done.stderr
    )
    orders = written(tmp_path)["orders"]
    assert orders["csv"] == {"header": False}
    assert orders["columns"] == {"ordered_at": "column_2", "customer_id": None, "amount": "column_3"}
    assert "amount: column_3    # guessed by its values" in (tmp_path / "tdml.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "none.csv: no such file"),
        ("empty.csv", b"", "empty.csv: the file is empty"),
        ("one.csv", b"a,b\n", "one.csv: fewer than two lines"),
        ("list.json", b"[1, 2]\n", "list.json: holds no list of JSON objects"),
        ("book.xls", b"\xd0\xcf\x11\xe0 old book", "is a spreadsheet (.xls), not text: save it as .xlsx"),
        ("goods.csv", b"sku,product name\nA1,Tea\n", "no orders: goods.csv: products"),
        ("bad.parquet", b"PAR1nothing", "not a readable Parquet file"),
        ("cut.csv.gz", b"\x1f\x8b\x08\x00nothing", "cut.csv.gz"),
    ],
)
def test_files_that_cannot_be_declared_are_refused_in_words(
    run: Run, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("init", name)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert not (tmp_path / "tdml.yaml").exists()


def test_a_known_export_is_recognised_by_its_columns_and_only_the_rest_is_written(run: Run, tmp_path: Path) -> None:
    lines = [f"{n},wc-completed,2025-01-{n % 28 + 1:02} 10:00:00,k{n}@x.example,9.50" for n in range(40)]
    lines[3] = lines[3].replace("completed", "cancelled")
    header = "Order ID,Order Status,Order Date,Billing Email,Order Total"
    (tmp_path / "o.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    assert run("init", "o.csv").exit_code == 3
    orders = written(tmp_path)["orders"]
    assert orders == {
        "path": "o.csv",
        "preset": "woocommerce",
        "currency": None,
        "statuses": {"wc-cancelled": "void", "wc-completed": "sale"},
    }


def test_totals_of_orders_refund_rows_the_currency_sign_and_statuses_are_seen(run: Run, tmp_path: Path) -> None:
    lines = [
        f"o{n // 2},,who{n // 2 % 9},2025-01-{n // 2 % 28 + 1:02},p{n},{n // 2 + 20}.00 €,{'odd' if n > 90 else 'paid'}"
        for n in range(100)
    ]
    lines.append("r1,o3,,2025-02-01,,-23.00 €,paid")
    text = "\n".join(["order_id,parent_id,who,when,sku,total,status", *lines])
    (tmp_path / "o.csv").write_text(text + "\n", encoding="utf-8")
    done = run("init", "o.csv")
    assert done.exit_code == 3, done.output
    assert "sources.orders.statuses: no word of 'odd' says what it counts as" in done.stderr
    orders = written(tmp_path)["orders"]
    assert (orders["currency"], orders["amount_level"]) == ("EUR", "order")
    assert orders["columns"]["parent_order_id"] == "parent_id"
    assert orders["statuses"] == {"odd": None, "paid": "sale"}
    draft = tmp_path / "tdml.yaml"
    draft.write_text(draft.read_text(encoding="utf-8").replace("odd:", "odd: sale"), encoding="utf-8")
    assert f"{sum(range(20, 70)) - 23:,.2f} EUR" in run("check").stdout


@pytest.mark.parametrize(
    ("code", "money", "is_asked"), [("eur", 1999, True), ("EUR", 1999, False), ("jpy", 1999, False), ("eur", 19, False)]
)
def test_whole_numbers_beside_the_codes_of_an_interface_may_be_cents_and_are_asked_about(
    run: Run, tmp_path: Path, code: str, money: int, is_asked: bool
) -> None:
    lines = [f"c{n % 7},2025-01-{n % 27 + 1:02},{money + n},{code}" for n in range(40)]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,created,amount,currency", *lines]), encoding="utf-8")
    done = run("init", "o.csv")
    assert done.exit_code == (3 if is_asked else 0), done.output
    assert ("amount_unit: 'amount' holds whole numbers that may be cents" in done.stderr) == is_asked
    if is_asked:
        assert run("check").exit_code == 2, "a gap that a run refuses, and no guess"
        draft = tmp_path / "tdml.yaml"
        draft.write_text(
            draft.read_text(encoding="utf-8").replace("amount_unit:", "amount_unit: minor"), encoding="utf-8"
        )
        orders = load_settings({}, working_folder=tmp_path).sources.orders
        assert orders is not None
        assert orders.amount_unit == "minor"


def test_a_discount_that_no_amount_holds_is_asked_about_and_one_without_values_is_not(run: Run, tmp_path: Path) -> None:
    header = "order_id,customer_id,created,sku,quantity,unit_price,discount,currency"
    lines = [f"o{n},c{n % 7},2025-01-{n % 27 + 1:02},A{n},{n % 3 + 1},10.50,{{}},EUR" for n in range(40)]
    (tmp_path / "o.csv").write_text("\n".join([header, *(line.format("2.00") for line in lines)]), encoding="utf-8")
    done = run("init", "o.csv")
    assert done.exit_code == 3, done.output
    assert "columns.amount: 'discount' is not taken off a price by a quantity" in done.stderr
    draft = (tmp_path / "tdml.yaml").read_text(encoding="utf-8")
    assert "      amount:    # 'discount' is not taken off" in draft
    assert run("check").exit_code == 2, "a gap that a run refuses"
    answered = re.sub(r"amount:    # 'discount'[^\n]*", "unit_price: unit_price", draft)
    (tmp_path / "tdml.yaml").write_text(answered, encoding="utf-8")
    assert f"{sum((n % 3 + 1) * 10.5 for n in range(40)):,.2f} EUR" in run("check").stdout
    (tmp_path / "o.csv").write_text("\n".join([header, *(line.format("0") for line in lines)]), encoding="utf-8")
    (tmp_path / "tdml.yaml").unlink()
    assert run("init", "o.csv").exit_code == 0


@pytest.mark.parametrize(("ending", "is_folded"), [("@x.example", True), ("", False)])
def test_addresses_that_differ_by_case_are_one_person_and_other_ids_are_a_proposal(
    run: Run, tmp_path: Path, ending: str, is_folded: bool
) -> None:
    lines = [f"{'K' if n % 2 else 'k'}ey{n % 7}{ending},2025-01-{n % 27 + 1:02},{n + 1}.50,EUR" for n in range(60)]
    (tmp_path / "o.csv").write_text("\n".join(["email,created,amount,currency", *lines]), encoding="utf-8")
    done = run("init", "o.csv")
    assert done.exit_code == 0, done.output
    rule = {"column": "email", "normalise": ["trim", "casefold"]}
    assert written(tmp_path)["orders"]["columns"]["customer_id"] == (rule if is_folded else "email")
    assert "14 ids are 7 without case and blanks" in (tmp_path / "tdml.yaml").read_text(encoding="utf-8")
    checked = run("check").output
    assert re.search(r"customers +(\d+) ", checked)[1] == ("7" if is_folded else "14")  # type: ignore[index]
