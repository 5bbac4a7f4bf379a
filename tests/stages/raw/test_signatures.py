"""A file that is not what it is declared to be is named by its first bytes, with what to do."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from tdml_assets.stages.raw.signatures import not_a_workbook, what_is_wrong


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            # A name's own entry has a fixed date: test ids hold these bytes and must not depend on the clock.
            archive.writestr(zipfile.ZipInfo(name), "who,when\n7,2024-01-01\n")
    return buffer.getvalue()


TEXT = "who,when\n7,2024-01-01\n"
ZSTD = b"\x28\xb5\x2f\xfd" + b"\x04\x00rest"


@pytest.mark.parametrize(
    ("first", "name", "said"),
    [
        (
            zipped("[Content_Types].xml", "xl/workbook.xml"),
            "o.xlsx",
            "is a spreadsheet (.xlsx): write format: xlsx",
        ),
        (zipped("orders.csv"), "o.zip", "is a zip archive, which is not read: unpack it"),
        (b"\xd0\xcf\x11\xe0rest", "o.xls", "is a spreadsheet (.xls)"),
        (gzip.compress(TEXT.encode(), mtime=0), "o.csv", "is a gzip file: rename it so that its name ends in .gz"),
        (bz2.compress(TEXT.encode()), "o.csv", "is a bzip2 archive, which is not read: unpack it"),
        (lzma.compress(TEXT.encode()), "o.csv", "is an xz archive, which is not read: unpack it"),
        (ZSTD, "o.csv", "is a zstd archive, which is not read: unpack it"),
        (TEXT.encode(), "o.csv.gz", "ends in .gz and is not a gzip file: rename it without .gz"),
        (TEXT.encode("utf-16"), "o.csv", "is UTF-16 text: write csv: {encoding: utf-16}"),
        (TEXT.encode("utf-16-le"), "o.csv", "is UTF-16-LE text: write csv: {encoding: utf-16-le}"),
        (TEXT.encode("utf-16-be"), "o.csv", "is UTF-16-BE text: write csv: {encoding: utf-16-be}"),
        (b"PAR1rest", "o.csv", "is a Parquet file: write format: parquet"),
        (b"<!DOCTYPE html><html>", "o.csv", "is a web page or XML"),
    ],
)
def test_a_file_that_is_not_a_csv_is_named_with_its_remedy(first, name, said):
    found = what_is_wrong(first, name=name, file_format="csv", encoding="utf-8")
    assert found is not None
    assert said in found
    assert "cp1252" not in found


@pytest.mark.parametrize(
    ("first", "name", "file_format", "encoding"),
    [
        (TEXT.encode(), "o.csv", "csv", "utf-8"),
        (TEXT.encode("utf-8-sig"), "o.csv", "csv", "utf-8"),
        ("wer;wann\nJürgen;1\n".encode("cp1252"), "o.csv", "csv", "cp1252"),
        (TEXT.encode("utf-16"), "o.csv", "csv", "utf-16"),
        (TEXT.encode("utf-16-le"), "o.csv", "csv", "utf_16_le"),
        (gzip.compress(TEXT.encode(), mtime=0), "o.csv.gz", "csv", "utf-8"),
        (b"PK,when\n", "o.csv", "csv", "utf-8"),
        (b'{"who": 1}\n', "o.json", "json", "utf-8"),
        (b"PAR1rest", "o.parquet", "parquet", "utf-8"),
        (b"a,\x00\x00\x00\x00\x00\x00\x00\x00b\n", "o.csv", "csv", "utf-8"),
        (b"", "o.csv", "csv", "utf-8"),
    ],
)
def test_a_file_that_may_be_what_it_is_declared_to_be_is_left_to_the_loader(first, name, file_format, encoding):
    assert what_is_wrong(first, name=name, file_format=file_format, encoding=encoding) is None


@pytest.mark.parametrize(
    ("first", "name", "file_format", "said"),
    [
        (TEXT.encode(), "o.parquet", "parquet", "is not a Parquet file: write format: csv"),
        (b'{"who": 1}\n', "o.parquet", "parquet", "is not a Parquet file: write format: json"),
        (gzip.compress(b"PAR1", mtime=0), "o.parquet.gz", "parquet", "is a gzip file: unpack it"),
        ('{"who": 1}'.encode("utf-16"), "o.json", "json", "is UTF-16 text: write it as UTF-8"),
    ],
)
def test_other_formats_name_the_format_to_declare(first, name, file_format, said):
    found = what_is_wrong(first, name=name, file_format=file_format, encoding="utf-8")
    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b"\xd0\xcf\x11\xe0rest", "it is an old .xls workbook or has a password: save it as .xlsx without one"),
        (b"<html><body>Sign in</body></html>", "it is a web page or XML: open it in a spreadsheet"),
        (b"%PDF-1.7\n", "it is a PDF"),
        (b"\x00\x01\x02\xff\xfe\x00", "deliver it again"),
        (TEXT.encode(), "write format: csv"),
        (b' [{"who": 1}]', "write format: json"),
    ],
)
def test_a_file_that_is_declared_as_a_workbook_and_has_no_sheet_is_named_by_its_first_bytes(first, said):
    assert not_a_workbook(first).startswith(said)
