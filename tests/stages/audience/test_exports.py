"""Names, manifests, cells and retention of exports."""

from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pytest

from tdml_assets.stages.audience.exports import (
    DATA_FILES,
    StoredExport,
    export_name,
    json_bytes,
    kept_by_spreadsheets,
    manifest_of,
    parse_manifest,
    pointer_of,
    spreadsheet_safe,
    superseded,
)

FILES = dict.fromkeys(DATA_FILES, (10, "0" * 64))
MANIFEST = manifest_of(
    as_of=date(2011, 12, 9), session_id="s1", rows=3, columns={"customer_id": "VARCHAR"}, files=FILES
)


def test_an_export_is_named_by_instant_session_and_attempt() -> None:
    assert export_name(date(2011, 12, 9), "ab-12") == "2011-12-09-ab-12"
    assert export_name(date(2011, 12, 9), "ab-12", 2) == "2011-12-09-ab-12-2"


def test_a_session_cannot_lead_out_of_the_folder() -> None:
    assert "/" not in export_name(date(2011, 12, 9), "../../etc/passwd")
    assert export_name(date(2011, 12, 9), "../..") == "2011-12-09-session"


def test_a_manifest_survives_being_written_and_read() -> None:
    assert parse_manifest(json_bytes(MANIFEST)) == MANIFEST
    assert pointer_of("2011-12-09-s1", MANIFEST)["files"]["attributes.csv"] == "2011-12-09-s1/attributes.csv"


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\xff\xfe", json.dumps({**MANIFEST, "files": {}}).encode()])
def test_a_manifest_of_somebody_else_is_not_taken_for_ours(content: bytes) -> None:
    assert parse_manifest(content) is None


def safe(values: list[str | None]) -> list[str | None]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(values, pa.string())})
    return list(spreadsheet_safe(batch).column(0).to_pylist())


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\x00", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_text_that_could_be_a_formula_gets_a_leading_quote(start: str) -> None:
    assert safe([f"{start}1+cmd|' /C calc'!A0", start]) == [f"'{start}1+cmd|' /C calc'!A0", f"'{start}"]


def test_harmless_text_and_negative_numbers_stay_as_they_are() -> None:
    harmless = ["", None, "00123", "a=b", "12-34", "'x", "-5", "-0.25", "-1e-7", "-1.5E+10", "é", " =1"]
    assert safe(harmless) == harmless
    assert safe(["-5+1", "-a", "-5\n", "-"]) == ["'-5+1", "'-a", "'-5\n", "'-"]


def test_numbers_dates_and_booleans_are_never_quoted() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"n": [-1.5, None], "i": [-3, 4], "b": [True, None], "d": [date(2011, 1, 1), None]}
    )
    assert spreadsheet_safe(batch).equals(batch)


def stored(name: str, session: str, written_at: float) -> StoredExport:
    return StoredExport(name, {**MANIFEST, "session_id": session}, written_at)


def test_the_exports_written_last_are_kept_whatever_their_names() -> None:
    found = [
        stored("2011-a", "a", 3.0),
        stored("2012-b", "b", 1.0),
        stored("2010-c", "c", 4.0),
        stored("2013-d", "d", 2.0),
    ]
    assert [export.name for export in superseded(found, "2010-c", 2)] == ["2013-d", "2012-b"]
    assert superseded(found, "2010-c", 4) == []


def test_the_current_export_stays_even_if_it_is_the_oldest_and_one_is_kept() -> None:
    found = [stored("a", "a", 3.0), stored("b", "b", 1.0)]
    assert [export.name for export in superseded(found, "b", 1)] == ["a"]


def test_other_attempts_of_the_current_session_go_and_do_not_count() -> None:
    found = [stored("x", "s", 1.0), stored("x-2", "s", 3.0), stored("w", "t", 2.0)]
    assert [export.name for export in superseded(found, "x-2", 12)] == ["x"]


def test_keeping_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="keep is 0"):
        superseded([], "x", 0)


@pytest.mark.parametrize(
    "text", ["00123", "0000000001", "1234567890123456", "1E5", "3-4", "1/2", "2024-01-02", "12:30"]
)
def test_text_that_a_spreadsheet_would_change_is_a_formula_that_gives_it(text: str) -> None:
    batch = pa.RecordBatch.from_pydict({"customer_id": [text, None, "c1"]})
    assert kept_by_spreadsheets(batch).column(0).to_pylist() == [f'="{text}"', None, "c1"]


@pytest.mark.parametrize("text", ["123", "0", "a00123", "00123a", "Anna@shop.example", '0"&A1', "", "-7"])
def test_text_that_a_spreadsheet_leaves_alone_is_left_alone(text: str) -> None:
    batch = pa.RecordBatch.from_pydict({"customer_id": [text]})
    assert kept_by_spreadsheets(batch).equals(batch)
