"""The commands ``export`` and ``rejected``, on a small warehouse."""

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.settings import load_settings
from tdml_assets.stages.raw.contracts import LOADS, REJECTED_ROWS

Run = Callable[..., Result]
ATTRIBUTES = TableContract(
    "audience",
    "parent_segment_attributes",
    "",
    (
        Column("customer_id", "VARCHAR", "", False),
        Column("as_of", "DATE", ""),
        Column("churn_probability", "DOUBLE", ""),
        Column("cltv_predicted_spend", "DOUBLE", ""),
        Column("segment", "BIGINT", ""),
        Column("reason", "VARCHAR", ""),
    ),
)


def customer(name: str, probability: float | None, spend: float, reason: str = "fine") -> dict[str, Any]:
    values = {"churn_probability": probability, "cltv_predicted_spend": spend, "segment": 3, "reason": reason}
    return {"customer_id": name, "as_of": date(2026, 6, 30), **values}


def rejected(reason: str, row: int, content: str) -> dict[str, Any]:
    place = {"source": "orders", "file": "o.csv", "row_number": row}
    return {**place, "reason": reason, "content": content, "session_id": "s"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def filled(run: Run) -> Run:
    rows = [customer("0002", None, 1234.5678, "=cmd()"), customer("0001", 0.123456, 80.50784262432963)]
    refused = [rejected("bad_number", 7, '{"total":"1.338,98"}'), rejected("bad_number", 9, '{"total":"2.338,98"}')]
    load = {"source": "orders", "file": "o.csv", "content_sha256": "a", "declaration_sha256": "b", "header": "[]"}
    counts = {
        "rows_read": 40,
        "rows_accepted": 37,
        "rows_rejected": 3,
        "session_id": "s",
        "committed_at": date(2026, 1, 1),
    }
    with build_warehouse(load_settings()).write() as database:
        database.replace(ATTRIBUTES, rows)
        database.replace(REJECTED_ROWS, [*refused, rejected("missing_customer", 8, "{}")])
        database.replace(LOADS, [{**load, **counts}])
    return run


def test_numbers_are_rounded_for_people_and_cells_are_safe_in_a_spreadsheet(filled: Run, tmp_path: Path) -> None:
    done = filled("export", "customers.csv")
    assert (done.exit_code, done.stdout) == (0, "customers.csv: 2 customers x 4 attributes (csv)\n")
    lines = (tmp_path / "customers.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1] == '"0001",2026-06-30,0.1235,80.51,3,"fine"'
    assert lines[2] == '"0002",2026-06-30,,1234.57,3,"\'=cmd()"'


def test_ids_keep_their_zeros_in_a_spreadsheet(filled: Run, tmp_path: Path) -> None:
    assert filled("export", "customers.csv", "--spreadsheet").exit_code == 0
    raw = (tmp_path / "customers.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    with (tmp_path / "customers.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[0] for row in rows] == ["customer_id", '="0001"', '="0002"']
    assert filled("export", "customers.parquet", "--spreadsheet").exit_code == 2


def test_columns_decimals_and_format_are_chosen(filled: Run, tmp_path: Path) -> None:
    assert filled("export", "a.jsonl", "--columns", "segment, cltv_predicted_spend", "--decimals", "0").exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {"customer_id": "0001", "segment": 3, "cltv_predicted_spend": 81.0}
    assert filled("export", "a.parquet", "--raw").exit_code == 0
    assert pq.read_table(tmp_path / "a.parquet")["cltv_predicted_spend"].to_pylist()[0] == 80.50784262432963
    piped = filled("export", "-", "--format", "json", "--columns", "segment")
    assert piped.stdout.splitlines()[1] == '{"customer_id": "0002", "segment": 3}'


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export", "a.xlsx"], 2, "give --format csv, json or parquet"),
        (["export", "a.csv", "--format", "xml"], 2, "--format xml is not known"),
        (
            ["export", "a.csv", "--columns", "sgment"],
            2,
            "--columns sgment: not published; known: as_of, churn_probability",
        ),
        (["export", "nowhere/a.csv"], 1, "nowhere"),
        (["rejected", "--reason", "bad"], 2, "--reason bad is not known; there are "),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(filled: Run, words: list[str], code: int, said: str) -> None:
    done = filled(*words)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_rows_set_aside_are_counted_with_reasons_and_examples(filled: Run) -> None:
    text = filled("rejected", "--limit", "1").stdout
    assert text.splitlines()[0] == "3 of 40 rows were set aside"
    assert "bad_number           2  a quantity, price or amount is not a number" in text
    assert 'o.csv, row 7: {"total":"1.338,98"}' in text
    assert "row 9" not in text
    told = json.loads(filled("rejected", "--reason", "bad_number", "--json").stdout)
    assert [row["row_count"] for row in told["reasons"]] == [2]
    assert [row["row_number"] for row in told["examples"]] == [7, 9]


def test_all_rows_set_aside_are_written_to_a_file(filled: Run, tmp_path: Path) -> None:
    assert filled("rejected", "--csv", "out.csv", "--reason", "bad_number").stdout == "out.csv: 2 rows\n"
    assert pa_csv.read_csv(tmp_path / "out.csv")["content"].to_pylist() == [
        '{"total":"1.338,98"}',
        '{"total":"2.338,98"}',
    ]


def test_an_empty_state_is_answered_with_the_command_that_fills_it(run: Run) -> None:
    for words in (["export", "a.csv"], ["rejected"], ["explain", "1"]):
        done = run(*words)
        assert done.exit_code == 1, done.output
        assert "run" in done.stderr
        assert "Traceback" not in done.stderr
