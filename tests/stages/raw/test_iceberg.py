"""An Iceberg table is read as its current snapshot says: neither deleted rows nor removed files, and wherever its folder lies."""

import shutil
from decimal import Decimal

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.types import StringType

from tdml_assets.platform.extras import MissingExtraError
from tdml_assets.stages.raw import delta, iceberg, lake
from tdml_assets.stages.raw.rules import SourceError

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
DECLARED = {"path": "orders", "format": "iceberg", "columns": COLUMNS, "timestamp_format": None}


def lines(shop, *totals):
    return pa.table({"who": [str(n) for n in totals], "when": [shop.NOW] * len(totals), "total": map(float, totals)})


def new_table(shop, location="orders"):
    catalog = SqlCatalog("c", uri=f"sqlite:///{shop.folder}/catalog.db")
    catalog.create_namespace("shop")
    location = f"file://{shop.folder / location}"
    return catalog.create_table("shop.orders", schema=lines(shop, 1).schema, location=location)


def test_deleted_rows_and_removed_files_are_not_read_and_added_columns_are(shop):
    table = new_table(shop)
    table.append(lines(shop, 100))
    table.overwrite(lines(shop, 1, 2, 3))
    table.delete("who == '2'")
    with table.update_schema() as change:
        change.add_column("sku", StringType())
    table.append(lines(shop, 40).append_column("sku", [["S1"]]))
    declared = {**DECLARED, "columns": {**COLUMNS, "product_id": "sku"}}
    report = shop.load(**declared)
    assert (report.rows_read, [file.name for file in report.files]) == (3, ["orders"])
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(44)]
    assert shop.column("select product_id from raw.orders order by amount") == [None, None, "S1"]
    assert shop.load(**declared).is_unchanged
    table.append(lines(shop, 5).append_column("sku", [["S2"]]))
    assert not shop.load(**declared).is_unchanged
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(49)]


def test_a_renamed_column_is_read_from_old_files_and_an_earlier_snapshot_counts_after_a_rollback(shop):
    table = new_table(shop)
    table.append(lines(shop, 1))
    first = table.current_snapshot().snapshot_id
    table.append(lines(shop, 2))
    with table.update_schema() as change:
        change.rename_column("total", "paid")
    declared = {**DECLARED, "columns": {**COLUMNS, "amount": "paid"}}
    shop.load(**declared)
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(3)]
    table.manage_snapshots().set_current_snapshot(snapshot_id=first).commit()
    shop.load(**declared)
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(1)]


def test_a_copied_table_is_read_in_its_new_folder_and_not_where_it_was_written(shop):
    table = new_table(shop, "first")
    table.append(lines(shop, 1, 2))
    shutil.copytree(shop.folder / "first", shop.folder / "orders")
    table.overwrite(lines(shop, 9))
    shutil.rmtree(shop.folder / "first" / "data")
    shop.load(**DECLARED)
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(3)]


def test_a_hadoop_table_is_read_at_its_hint_or_the_versions_behind_it(shop):
    table = new_table(shop)
    table.append(lines(shop, 1))
    table.append(lines(shop, 2))
    metadata = shop.folder / "orders" / "metadata"
    for number, path in enumerate(sorted(metadata.glob("*.metadata.json")), start=1):
        path.rename(metadata / f"v{number}.metadata.json")
    (metadata / "version-hint.text").write_text("2")
    shop.load(**DECLARED)
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(3)]
    (metadata / "version-hint.text").write_text("7")
    with pytest.raises(
        SourceError, match=r"says version 7, and v7\.metadata\.json is not there: copy the whole folder"
    ):
        shop.load(**DECLARED)


def test_two_metadata_files_of_one_number_are_answered_with_a_path_that_is_read(shop):
    table = new_table(shop)
    table.append(lines(shop, 1))
    metadata = shop.folder / "orders" / "metadata"
    latest = max(metadata.glob("*.metadata.json"))
    shutil.copy(latest, metadata / "00001-zz.metadata.json")
    with pytest.raises(SourceError, match=rf"path: orders/metadata/{latest.name}$"):
        shop.load(**DECLARED)
    shop.load(**{**DECLARED, "path": f"orders/metadata/{latest.name}"})
    assert shop.column("select sum(amount) from raw.orders") == [Decimal(1)]


@pytest.mark.parametrize("path", ["orders", "orders/data", "orders/data/*.parquet"])
def test_its_files_as_parquet_are_answered_with_what_reads_it(shop, path):
    new_table(shop).append(lines(shop, 1))
    with pytest.raises(
        SourceError, match=r"holds an Iceberg table, .*: write format: iceberg and path: 'orders' under"
    ):
        shop.load(**{**DECLARED, "format": "parquet", "path": path, "recursive": True})


def test_another_format_is_answered_with_the_right_one(shop):
    new_table(shop).append(lines(shop, 1))
    with pytest.raises(SourceError, match=r"'orders' is an Iceberg table: write format: iceberg$"):
        shop.load(**{**DECLARED, "format": "delta"})
    (shop.folder / "plain").mkdir()
    with pytest.raises(SourceError, match="'plain' is not the folder of an Iceberg table"):
        shop.load(**{**DECLARED, "path": "plain"})


@pytest.mark.parametrize("lost", ["data/*.parquet", "metadata/snap-*.avro", "metadata/*-m0.avro"])
def test_a_table_whose_files_are_missing_or_damaged_is_refused(shop, lost):
    new_table(shop).append(lines(shop, 1))
    path = next((shop.folder / "orders").glob(lost))
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(SourceError, match="orders cannot be read as an Iceberg table: one of its files is missing"):
        shop.load(**DECLARED)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="orders cannot be read as an Iceberg table: .*export the current rows"):
        shop.load(**DECLARED)


def test_damaged_metadata_are_refused_and_so_are_files_elsewhere(shop):
    new_table(shop).append(lines(shop, 1))
    latest = max((shop.folder / "orders" / "metadata").glob("*.metadata.json"))
    text = latest.read_text()
    latest.write_text(text.replace(f"file://{shop.folder}/orders/metadata/snap", "gs://lake/orders/metadata/snap"))
    with pytest.raises(SourceError, match=r"orders has files outside of its folder, at gs://: export the current rows"):
        shop.load(**DECLARED)
    latest.write_text(text[:200])
    with pytest.raises(SourceError, match="cannot be read as the metadata of an Iceberg table"):
        shop.load(**DECLARED)
    with pytest.raises(SourceError, match="its log cannot be read: export its current rows as Parquet"):
        shop.load(**{**DECLARED, "format": "parquet", "path": "orders/data"})


@pytest.mark.parametrize(
    ("module", "name", "marker"),
    [(iceberg, "iceberg", "metadata/v1.metadata.json"), (delta, "delta", "_delta_log/0.json")],
)
def test_without_the_library_the_message_names_the_extra_at_once(shop, monkeypatch, module, name, marker):
    def missing(*_):
        raise MissingExtraError(f"it needs a library: pip install 'tdml-assets[{name}]'")

    for place, function in ((lake, "require_extra"), (module, "load_extra")):
        monkeypatch.setattr(place, function, missing)
    (shop.folder / "orders" / marker).parent.mkdir(parents=True)
    (shop.folder / "orders" / marker).write_text("{}")
    (shop.folder / "orders" / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match=rf"write format: {name} .*pip install 'tdml-assets\[{name}\]'"):
        shop.load(**{**DECLARED, "format": "parquet"})
    with pytest.raises(SourceError, match=rf"pip install 'tdml-assets\[{name}\]'"):
        shop.load(**{**DECLARED, "format": name})


def test_a_folder_is_a_table_by_the_names_of_its_metadata_or_what_they_hold(tmp_path):
    metadata = tmp_path / "metadata"
    assert not iceberg.is_table(tmp_path)
    metadata.mkdir()
    (metadata / "notes.json").write_text('{"about": "a table"}')
    assert not iceberg.is_table(tmp_path)
    (metadata / "zeta.json").write_text('{"format-version": 2}')
    assert iceberg.is_table(tmp_path)
    with pytest.raises(SourceError, match=r"orders has no file metadata/<number>-<id>\.metadata\.json: write path"):
        iceberg.latest_metadata("orders", tmp_path)


@pytest.mark.parametrize("hint", ["00007-abc", "00007-abc.metadata.json"])
def test_a_hint_may_name_the_metadata_file_and_nothing_outside_of_its_folder(tmp_path, hint):
    metadata = tmp_path / "metadata"
    metadata.mkdir()
    named = metadata / "00007-abc.metadata.json"
    named.write_text("{}")
    (tmp_path / "00007-abc.metadata.json").write_text("{}")
    (metadata / "version-hint.text").write_text(f"{hint}\n")
    assert iceberg.latest_metadata("orders", tmp_path) == named
    for other in ("", f"../{hint}", "00008-def"):
        (metadata / "version-hint.text").write_text(other)
        with pytest.raises(SourceError, match=r"orders/metadata/version-hint\.text names no file next to it"):
            iceberg.latest_metadata("orders", tmp_path)


def test_the_first_rows_are_of_as_few_data_files_as_hold_them(shop):
    table = new_table(shop)
    table.append(lines(shop, 1, 2))
    table.append(lines(shop, 3, 4))
    place = shop.folder / "orders"
    assert [iceberg.first_rows("orders", place, count).num_rows for count in (1, 2, 3)] == [2, 2, 4]


def test_rows_that_are_deleted_by_equality_are_named_as_what_is_not_read():
    cause = iceberg._cause(ValueError("PyIceberg does not yet support equality deletes: https://x/equality deletes"))
    assert cause.startswith("it has rows deleted by equality, which its library does not read: rewrite the data files")
