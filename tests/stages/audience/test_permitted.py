"""Exports hold nobody whom a declared list keeps out: by destination and purpose, and nobody where a list cannot be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdml_assets.stages.audience.files_asset import CHECK
from tests.activation.conftest import people
from tests.activation.exported import Exporting


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exporting:
    made = Exporting(tmp_path, monkeypatch)
    made.publish(people(5))
    return made


def test_without_a_list_exports_hold_everybody_and_leave_no_trail(shop: Exporting) -> None:
    shop.declare()
    done = shop.export()
    customers, manifest = shop.latest()
    assert (customers, "left_out" in manifest) == (sorted(people(5)), False)
    assert done.get_asset_check_evaluations() == []
    assert shop.published.rows("select 1 from duckdb_tables() where schema_name = 'activation'") == []


def test_lines_are_of_a_destination_and_of_a_purpose(shop: Exporting) -> None:
    shop.write("suppression", "00001,,files,", "00002,,crm,", "00003,ads,,", "00004,email,,")
    shop.declare("suppression", purpose=None)
    shop.export()
    assert shop.latest()[0] == ["00002", "00005"]
    shop.write("consent", *(f"{customer},,,yes" for customer in people(5)))
    shop.declare("suppression", "consent", purpose="ads")
    shop.export()
    assert shop.latest()[0] == ["00002", "00004", "00005"]


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({}, ["00001"]),
        ({"purpose": "email"}, ["00001", "00002"]),
        ({"purpose": "email", "unknown_consent": "allow"}, ["00001", "00002", "00004", "00005"]),
    ],
    ids=["every purpose", "one purpose", "one purpose, and the unknown"],
)
def test_without_a_purpose_one_refusal_of_any_leaves_a_customer_out(
    shop: Exporting, keys: dict[str, str], left: list[str]
) -> None:
    shop.write("consent", "00001,email,,yes", "00002,email,,yes", "00002,ads,,no", "00003,Email,,no", "00004,ads,,no")
    shop.declare("consent", **keys)
    shop.export()
    customers, manifest = shop.latest()
    assert (customers, manifest["left_out"]) == (left, {"no_consent": 5 - len(left)})


def test_an_export_of_nobody_is_empty_and_takes_the_place_of_the_one_before(shop: Exporting) -> None:
    shop.write("suppression", "99999,,,")
    shop.declare("suppression")
    shop.export()
    assert len(shop.latest()[0]) == 5
    shop.write("suppression", *(f"{customer},,," for customer in people(5)))
    shop.export()
    assert shop.latest()[0] == []
    assert (shop.files / "latest" / "attributes.csv").read_text(encoding="utf-8").startswith('"customer_id"')


def test_a_list_that_cannot_be_read_exports_nobody_and_needs_a_person(shop: Exporting) -> None:
    shop.write("suppression", "00001,,,")
    shop.declare("suppression")
    shop.export()
    before = sorted(path.name for path in shop.files.iterdir())
    shop.write("suppression", "00001,,,", ",,,")
    for break_it in (lambda: None, (shop.folder / "suppression.csv").unlink):
        break_it()
        done = shop.export()
        (check,) = done.get_asset_check_evaluations()
        assert (done.success, check.check_name, check.passed) == (True, CHECK, False)
        assert sorted(path.name for path in shop.files.iterdir()) == before
        refused = shop.command(str(shop.folder / "out.csv"))
        assert (refused.exit_code, (shop.folder / "out.csv").exists()) == (1, False)
    runs = shop.published.rows("select status, excluded from activation.sync_runs order by started_at")
    assert [(run["status"], run["excluded"]) for run in runs] == [("succeeded", 1), ("refused", 0), ("refused", 0)]
