"""What folders say: keys in their names, the order of their files, which files are copies, tables that are not files."""

import json
from decimal import Decimal

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.stages.raw.folders import folder_keys, natural_order
from tdml_assets.stages.raw.rules import SourceError

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
PARQUET = {"path": "orders/**/*.parquet", "format": "parquet", "columns": COLUMNS}
ROW = {"who": "7", "when": "2024-03-01", "total": 9.99}


def put(shop, name, row, **types):
    path = shop.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        columns = {key: pa.array([value], types.get(key)) for key, value in row.items()}
        pq.write_table(pa.table(columns), path)
    elif name.endswith(".json"):
        path.write_text(json.dumps(row) + "\n")
    else:
        path.write_text(",".join(row) + "\n" + ",".join(str(value) for value in row.values()) + "\n")


def test_partitions_with_equal_bytes_are_all_loaded_with_the_day_of_their_folder(shop):
    for month in range(1, 7):
        put(shop, f"orders/when=2024-{month:02d}-01/part-0.parquet", {"who": "7", "total": 9.99})
    report = shop.load(**PARQUET)
    assert (report.rows_accepted, report.duplicate_files) == (6, ())
    assert [str(day) for day in shop.column("select ordered_on from raw.orders order by 1")] == [
        f"2024-{month:02d}-01" for month in range(1, 7)
    ]
    assert shop.column("select sum(amount) from raw.orders") == [Decimal("59.94")]


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_a_key_of_a_folder_is_read_beside_text_too(shop, ending):
    put(shop, f"orders/shop=a%2Fb/when=2024-03-01/x.{ending}", {"who": "7", "total": 1})
    put(shop, f"orders/shop=__HIVE_DEFAULT_PARTITION__/when=2024-03-02/x.{ending}", {"who": "7", "total": "bad"})
    columns = {**COLUMNS, "order_type": "shop"}
    shop.load(path="orders", recursive=True, format=ending, columns=columns, timestamp_format="%d/%m/%Y")
    assert shop.rows("select order_type, ordered_on from raw.orders") == [
        {"order_type": "a/b", "ordered_on": shop.NOW.date().replace(2024, 3, 1)}
    ]
    assert shop.column("select reason from raw.rejected_rows") == ["bad_number"]


def test_moving_a_partition_is_a_change_though_its_bytes_stay(shop):
    put(shop, "orders/when=2024-03-01/x.parquet", {"who": "7", "total": 1})
    assert not shop.load(**PARQUET).is_unchanged
    assert shop.load(**PARQUET).is_unchanged
    (shop.folder / "orders/when=2024-03-01").rename(shop.folder / "orders/when=2024-03-02")
    assert not shop.load(**PARQUET).is_unchanged
    assert [str(day) for day in shop.column("select ordered_on from raw.orders")] == ["2024-03-02"]


def test_the_name_of_a_folder_never_replaces_a_column_of_the_file(shop):
    put(shop, "orders/who=008/when=1999-01-01/x.parquet", ROW)
    shop.load(**PARQUET, timestamp_format="%Y-%m-%d")
    assert shop.rows("select customer_id, ordered_on from raw.orders") == [
        {"customer_id": "7", "ordered_on": shop.NOW.date().replace(2024, 3, 1)}
    ]
    with pytest.raises(SourceError, match=r"x\.parquet has a column 'who' of its own, and hive_keys names the folder"):
        shop.load(**PARQUET, timestamp_format="%Y-%m-%d", hive_keys=["who"])


def test_a_file_outside_of_the_declared_folders_is_refused(shop):
    put(shop, "orders/x.parquet", ROW)
    with pytest.raises(SourceError, match=r"orders/x\.parquet is in no folder named shop=\.\.\.: correct hive_keys"):
        shop.load(**PARQUET, hive_keys=["shop"])


def test_equal_files_of_one_folder_are_copies_and_those_of_different_folders_are_not(shop):
    for name in ("a/x.csv", "a/x (1).csv", "b/x.csv"):
        put(shop, name, ROW)
    report = shop.load(path=["a", "b"], columns=COLUMNS, timestamp_format="%Y-%m-%d")
    assert report.rows_accepted == 2
    assert report.duplicate_files == ("a/x.csv",)


def test_the_tenth_export_is_newer_than_the_ninth_unless_updated_at_says_otherwise(shop):
    for number in range(1, 11):
        row = {**ROW, "order": 1, "st": f"state {number}", "at": f"2024-04-{20 - number:02d}"}
        put(shop, f"export_{number}.csv", row)
    declared = {"path": "export_*.csv", "columns": {**COLUMNS, "order_id": "order", "order_status": "st"}}
    declared |= {"timestamp_format": "%Y-%m-%d", "line_key": ["order_id"]}
    shop.load(**declared)
    assert shop.column("select order_status from raw.orders") == ["state 10"]
    shop.load(**declared, updated_at="at")
    assert shop.column("select order_status from raw.orders") == ["state 1"]


def test_numbers_in_names_are_compared_as_numbers():
    names = ["b/1.csv", "a/10.csv", "a/9.csv", "a/x.csv", "a-2/1.csv", "a/9a10.csv", "a/9a9.csv"]
    ordered = ["a/9.csv", "a/9a9.csv", "a/9a10.csv", "a/10.csv", "a/x.csv", "a-2/1.csv", "b/1.csv"]
    assert sorted(names, key=natural_order) == ordered


def test_the_innermost_folder_of_a_key_counts_and_only_wanted_keys_do():
    assert folder_keys("a=1/b=2/a=3/b=4.csv", {"a", "c"}) == (("a", "3"),)


def test_a_folder_is_searched_below_where_that_is_declared(shop):
    put(shop, "in/2024/02/a.csv", ROW)
    put(shop, "in/_temporary/0/a.csv", ROW)
    put(shop, "in/.hidden/a.csv", ROW)
    declared = {"path": "in", "columns": COLUMNS, "timestamp_format": "%Y-%m-%d"}
    with pytest.raises(SourceError, match=r"write path: 'in/\*\*/\*\.csv', or recursive: true"):
        shop.load(**declared)
    assert [file.name for file in shop.load(**declared, recursive=True).files] == ["in/2024/02/a.csv"]


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("_delta_log/00000000000000000000.json", "holds a Delta table, .*log cannot be read: export its current rows"),
        ("metadata/v1.metadata.json", "holds an Iceberg table, .*log cannot be read: export its current rows"),
        (".hoodie/hoodie.properties", "holds a Hudi table, .*: export its current rows"),
    ],
)
@pytest.mark.parametrize("path", ["orders", "orders/**/*.parquet", "orders/day=1/x.parquet"])
def test_files_of_a_table_that_is_more_than_its_files_are_refused(shop, marker, said, path):
    put(shop, "orders/day=1/x.parquet", ROW)
    (shop.folder / "orders" / marker).parent.mkdir()
    (shop.folder / "orders" / marker).write_text("{}")
    with pytest.raises(SourceError, match=rf"sources\.orders: the folder 'orders' {said}"):
        shop.load(**{**PARQUET, "path": path}, recursive=True)


# ---- columns that some files lack ----


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_an_optional_column_that_comes_later_has_no_value_before(shop, ending):
    put(shop, f"in/1.{ending}", ROW)
    put(shop, f"in/2.{ending}", {**ROW, "sku": "S1"})
    columns = {**COLUMNS, "product_id": "sku"}
    report = shop.load(path="in", format=ending, columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select product_id from raw.orders order by file") == [None, "S1"]
    assert report.lacking_columns == (f"in/1.{ending}: sku",)
    with pytest.raises(SourceError, match="has no column 'skuu', wanted as product_id"):
        shop.load(path="in", format=ending, columns={**COLUMNS, "product_id": "skuu"}, timestamp_format="%Y-%m-%d")


def test_a_column_that_the_contract_needs_must_be_in_every_file(shop):
    put(shop, "in/1.csv", {"who": 7, "when": "2024-03-01", "cur": "GBP"})
    put(shop, "in/2.csv", {**ROW, "n": 1, "price": 2, "cur": "GBP"})
    both = {**COLUMNS, "quantity": "n", "unit_price": "price"}
    with pytest.raises(SourceError, match=r"in/1\.csv has no column 'n', wanted as quantity"):
        shop.load(path="in", columns=both, timestamp_format="%Y-%m-%d")
    put(shop, "in/1.csv", {"who": 7, "when": "2024-03-01", "n": 2, "price": 3})
    shop.load(path="in", columns=both, timestamp_format="%Y-%m-%d")
    assert shop.column("select amount from raw.orders order by file") == [Decimal(6), Decimal("9.99")]
    changes = {"columns": {**both, "currency": "cur"}, "currency": None, "reporting_currency": "GBP"}
    with pytest.raises(SourceError, match=r"in/1\.csv has no column 'cur', wanted as currency"):
        shop.load(path="in", timestamp_format="%Y-%m-%d", **changes)


def test_a_parquet_column_without_a_single_value_is_read_as_no_value(shop):
    put(shop, "orders/1.parquet", {**ROW, "sku": "S1"})
    put(shop, "orders/2.parquet", {**ROW, "sku": None})
    put(shop, "orders/3.parquet", {**ROW, "who": None, "sku": None})
    shop.load(**{**PARQUET, "columns": {**COLUMNS, "product_id": "sku"}}, timestamp_format="%Y-%m-%d")
    assert shop.column("select product_id from raw.orders order by file") == ["S1", None]
    assert shop.column("select reason from raw.rejected_rows") == ["missing_customer"]


def test_customers_have_the_columns_of_all_their_files(shop):
    put(shop, "in/1.csv", {"id": 7, "name": "A"})
    put(shop, "in/2.csv", {"id": 8, "name": "B", "city": "Bath"})
    shop.load("customers", declared={"path": "in", "format": "csv", "columns": {"customer_id": "id"}})
    assert shop.rows("select customer_id, name, city from raw.customers order by 1") == [
        {"customer_id": "7", "name": "A", "city": None},
        {"customer_id": "8", "name": "B", "city": "Bath"},
    ]


def test_an_order_that_came_to_nothing_later_is_not_counted_by_its_earlier_state(shop):
    for number, state in ((9, "paid"), (10, "refunded")):
        put(shop, f"export_{number}.csv", {**ROW, "order": 1, "st": state})
    declared = {"path": "export_*.csv", "columns": {**COLUMNS, "order_id": "order", "order_status": "st"}}
    declared |= {"timestamp_format": "%Y-%m-%d", "line_key": ["order_id"]}
    report = shop.load(**declared)
    assert (report.rows_accepted, report.rows_read) == (0, 2)
    assert set(report.reasons) == {"void_status", "superseded_line"}


def test_a_delta_table_is_read_as_its_latest_version_says(shop):
    for content, mode in (([1.0, 2.0], "overwrite"), ([3.0], "overwrite"), ([4.0], "append")):
        rows = {"who": ["7"] * len(content), "when": [shop.NOW.date()] * len(content), "total": content}
        deltalake.write_deltalake(str(shop.folder / "orders"), pa.table(rows), mode=mode)
    declared = {"path": "orders", "format": "delta", "columns": COLUMNS, "timestamp_format": None}
    report = shop.load(**declared)
    assert (report.rows_read, [file.name for file in report.files]) == (2, ["orders"])
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(7)]
    assert shop.load(**declared).is_unchanged
    with pytest.raises(SourceError, match=r"'\.' is not the folder of a Delta table"):
        shop.load(**{**declared, "path": "."})


def test_the_files_of_a_delta_table_are_answered_with_what_reads_it(shop):
    deltalake.write_deltalake(str(shop.folder / "orders"), pa.table({"who": ["7"], "when": ["x"], "total": [1.0]}))
    with pytest.raises(SourceError, match=r"holds a Delta table, .*: write format: delta and path: 'orders'"):
        shop.load(path="orders", format="parquet", columns=COLUMNS)


def test_a_damaged_delta_table_is_refused(shop):
    deltalake.write_deltalake(str(shop.folder / "orders"), pa.table({"who": ["7"], "when": ["x"], "total": [1]}))
    next((shop.folder / "orders").glob("*.parquet")).unlink()
    with pytest.raises(SourceError, match="orders cannot be read as a Delta table .*export the current rows"):
        shop.load(path="orders", format="delta", columns=COLUMNS)
    next((shop.folder / "orders" / "_delta_log").glob("*.json")).write_text("{")
    with pytest.raises(SourceError, match="orders cannot be read as a Delta table"):
        shop.load(path="orders", format="delta", columns=COLUMNS)
