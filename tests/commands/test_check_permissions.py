"""``check`` says who may be sent where, before anything is, and what is wrong with a list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app

SETTINGS = """
sources:
  orders:
    path: orders.csv
    format: csv
    timestamp_format: "%Y-%m-%d"
    currency: EUR
    columns: {order_id: id, customer_id: who, ordered_at: day, amount: amount}
  suppression: {path: suppressed.csv, format: csv, columns: {customer_id: who, destination: where}}
  consent: {path: consents.csv, format: csv, columns: {customer_id: who, purpose: what, allowed: given}}
destinations:
  crm: {kind: webhook, url_env: HOOK_URL, purpose: email}
  ads: {kind: webhook, url_env: HOOK_URL, purpose: ads, unknown_consent: allow}
"""


class Shop:
    """Orders of eight customers and two lists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = [f"{number},c{number % 8},2026-01-{1 + number:02d},10" for number in range(24)]
        self.write("orders.csv", "id,who,day,amount", *lines)
        self.write("suppressed.csv", "who,where", "c1,", "c2,crm", "stranger,")
        self.write(
            "consents.csv",
            "who,what,given",
            "c1,email,yes",
            "c3,email,yes",
            "c4,Email ,YES",
            "c4,email,withdrawn",
            "c5,email,",
            "c6,,granted",
        )
        (folder / "tdml.yaml").write_text(SETTINGS, encoding="utf-8")

    def write(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def check(self, *options: str) -> tuple[int, str]:
        given = ["--config", str(self.folder / "tdml.yaml"), "--home", str(self.folder / "home"), "check", *options]
        result = CliRunner().invoke(app, given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    def facts(self) -> dict[str, Any]:
        code, text = self.check("--json")
        assert code == 0, text
        found: dict[str, Any] = json.loads(text)
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_lists_are_counted_and_what_they_leave_each_destination(shop: Shop) -> None:
    facts = shop.facts()
    consent, suppression = (facts["permissions"]["lists"][name] for name in ("consent", "suppression"))
    assert facts["sources"]["consent"]["rows_accepted"] == 6
    # An empty cell gives no consent.
    assert (consent["lines"], consent["customers"], consent["lines_that_give_consent"]) == (6, 5, 4)
    assert consent["purposes"] == [{"name": "email", "lines": 5}, {"name": None, "lines": 1}]
    assert (suppression["customers"], suppression["known_customers"]) == (3, 2)
    crm, ads = (facts["permissions"]["destinations"][name] for name in ("crm", "ads"))
    # c1 and c2 are suppressed, c4 and c5 refused, of c0 and c7 nothing is known.
    figures = ("known", "suppressed", "refused", "unknown", "left_to_send")
    assert tuple(crm[name] for name in figures) == (8, 2, 2, 2, 2)
    assert tuple(ads[name] for name in figures) == (8, 1, 0, 0, 7)
    assert crm["faults"] == []
    _, text = shop.check()
    assert "consent: 6 lines of 5 customers, 5 of them with orders" in text
    assert text.count("stranger") == 0


def test_a_line_that_cannot_be_read_is_refused_with_the_remedy(shop: Shop) -> None:
    shop.write("suppressed.csv", "who,where", "c1,", "c2", ",crm")
    code, text = shop.check()
    assert code == 2
    assert "sources.suppression has 2 lines that cannot be read (missing_customer 1, short_row 1)" in text
    assert "correct them" in text


@pytest.mark.parametrize(
    ("file", "lines", "words"),
    [
        ("suppressed.csv", ("who,where", "1,", "2,"), "none of the 2 customers of sources.suppression has an order"),
        (
            "suppressed.csv",
            ("who,where", "c1,cmr"),
            "1 lines of sources.suppression are about 1 destinations that are not",
        ),
        ("consents.csv", ("who,what,given", "c1,email,ja"), "no line of sources.consent gives consent"),
        ("consents.csv", ("who,what,given", "c1,e-mail,yes"), "purpose email of destination crm is in no line"),
    ],
    ids=["ids of another kind", "a destination's name", "a word for yes", "a purpose's name"],
)
def test_what_is_probably_not_meant_is_noted(shop: Shop, file: str, lines: tuple[str, ...], words: str) -> None:
    shop.write(file, *lines)
    assert any(words in note for note in shop.facts()["notes"])


def test_a_list_that_is_not_there_and_a_missing_purpose_are_named(shop: Shop) -> None:
    text = (shop.folder / "tdml.yaml").read_text(encoding="utf-8")
    (shop.folder / "tdml.yaml").write_text(text.replace(", purpose: email", ""), encoding="utf-8")
    code, said = shop.check()
    assert (code, "destinations.crm: sources.consent is declared, and the destination names no purpose" in said) == (
        2,
        True,
    )
    (shop.folder / "consents.csv").unlink()
    code, said = shop.check()
    assert (code, "consents.csv" in said) == (2, True)
