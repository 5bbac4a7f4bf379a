"""The public logs as their homes offer them become the files that the examples read, value for value."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[1]
RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,"HEART, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
C536379,D,,-1,2010-12-01 09:41:00,27.5,,United Kingdom
"""
CDNOW = """ customer_id  date number_of_cds  dollar_value
 00001 19970101  1   11.77
 00002 19970112  5   77.00
"""


@pytest.fixture(scope="module")
def convert() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_logs", ROOT / "examples" / "convert_logs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_online_retail_keeps_its_values_and_its_missing_customers(
    convert: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "day.csv").write_text(RETAIL, encoding="utf-8")
    monkeypatch.setitem(convert.PUBLISHED, "online_retail", (2, 1, "5"))
    target = tmp_path / "new" / "log.parquet"
    assert convert.main(["online_retail", str(tmp_path / "day.csv"), "--to", str(target)]) == 0
    first, second = pq.read_table(target).to_pylist()
    assert (first["InvoiceNo"], first["Description"], first["CustomerID"]) == ("536365", "HEART, WHITE", 17850)
    assert (second["InvoiceNo"], second["Quantity"], second["CustomerID"]) == ("C536379", -1, None)
    assert str(second["InvoiceDate"]) == "2010-12-01 09:41:00"


def test_cdnow_is_written_as_the_example_declares_it(
    convert: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "master.txt").write_text(CDNOW, encoding="ascii")
    monkeypatch.setitem(convert.PUBLISHED, "cdnow", (2, 2, "88.77"))
    target = tmp_path / "log.csv.gz"
    assert convert.main(["cdnow", str(tmp_path / "master.txt"), "--to", str(target)]) == 0
    lines = gzip.decompress(target.read_bytes()).decode().splitlines()
    assert [line.replace('"', "") for line in lines] == [
        "customer_id,date,number_of_cds,dollar_value",
        "1,1997-01-01,1,11.77",
        "2,1997-01-12,5,77.00",
    ]


def test_a_download_that_is_not_whole_is_not_written(
    convert: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "master.txt").write_text(CDNOW, encoding="ascii")
    target = tmp_path / "log.csv.gz"
    assert convert.main(["cdnow", str(tmp_path / "master.txt"), "--to", str(target)]) == 1
    assert "published are (69659, 23570, '2500315.63')" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize("log", ["online_retail", "cdnow"])
def test_the_file_is_the_one_that_the_example_reads(convert: ModuleType, log: str) -> None:
    assert convert.target_of(log).name.startswith(log)
