"""Nobody is sent without permission, in no mode and by no command; identifiers are hashed once."""

from __future__ import annotations

import hashlib
import json
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.declaration.destinations import Mode
from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver

LISTS = {"consent": ("raw", "consent"), "suppression": ("raw", "suppression")}


def lists(published: Published, *, consent: str = "", suppression: str = "") -> dict[str, tuple[str, str]]:
    """Lists as a load leaves them: lines of customer, purpose, destination, allowed."""
    found = {}
    for name, lines in (("consent", consent), ("suppression", suppression)):
        if not lines:
            continue
        found[name] = LISTS[name]
        values = ", ".join(
            "(" + ", ".join("null" if part == "-" else f"'{part}'" for part in line.split()) + ")"
            for line in lines.splitlines()
        )
        published.run(
            "create schema if not exists raw",
            f"create or replace table raw.{name} as "
            f"select * from (values {values}) as t(customer_id, purpose, destination, allowed)",
        )
    return found


@pytest.mark.parametrize("mode", [mode for mode in get_args(Mode) if mode != "replace"])
def test_a_suppressed_customer_is_in_no_request_in_any_mode(
    published: Published, receiver: Receiver, mode: str
) -> None:
    published.publish(people(4))
    asked = lists(published, suppression="00002 - - -\n00003 - crm -\n00004 - other -")
    hook = published.hook(mode=mode)
    for options in ({}, {"full": True}, {"only_dead": True}):
        result = published.sync(hook, consent=asked, **options)
        assert result.excluded == {"suppressed": 2}
    assert sorted({key for request in receiver.requests for key in request["keys"]}) == ["00001", "00004"]


def test_consent_is_of_a_purpose_and_one_refusal_outweighs_it(published: Published, receiver: Receiver) -> None:
    published.publish(people(6))
    asked = lists(
        published,
        consent="00001 email - yes\n00002 email - no\n00003 ads - yes\n00004 email - TRUE\n00004 email - withdrawn\n00005 - - -",
    )
    result = published.sync(published.hook(purpose="email"), consent=asked)
    assert (sorted(receiver.rows), result.excluded) == (["00001", "00005"], {"no_consent": 4})
    everybody = published.sync(published.hook(purpose="email", unknown_consent="allow"), consent=asked)
    assert everybody.excluded == {"no_consent": 2}
    assert sorted(receiver.rows) == ["00001", "00003", "00005", "00006"]


def test_who_withdraws_is_removed_there_by_the_next_sync_even_if_gone_from_the_source(
    published: Published, receiver: Receiver
) -> None:
    published.publish(people(5))
    published.sync()
    published.publish(people(4))
    result = published.sync(consent=lists(published, suppression="00001 - - -\n00005 - - -"))
    assert (result.status, result.removed) == ("succeeded", 2)
    assert sorted(receiver.rows) == ["00002", "00003", "00004"]
    assert published.column("select count(*) from activation.sync_state") == [3]


@pytest.mark.parametrize(
    ("purpose", "names", "words"),
    [
        ("email", (), "declare sources.consent"),
        (None, ("consent",), "the destination names no purpose"),
        ("email", ("consent", "suppression"), "raw.suppression is not loaded"),
    ],
    ids=["a purpose without a list", "a list without a purpose", "a list that is not loaded"],
)
def test_lists_that_cannot_be_asked_send_nobody(
    published: Published, receiver: Receiver, purpose: str | None, names: tuple[str, ...], words: str
) -> None:
    published.publish(people(2))
    lists(published, consent="00001 email - yes")
    result = published.sync(published.hook(purpose=purpose), consent={name: LISTS[name] for name in names})
    assert (result.status, receiver.requests) == ("refused", [])
    assert words in (result.reason or "")


def test_who_asked_to_be_forgotten_is_removed_and_leaves_no_line(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    published.sync()
    published.run(
        "create schema if not exists raw",
        "create table raw.forgotten_customers as select sha256('salt' || sha256('00002')) as customer_sha256, 'salt' as salt",
        "delete from activation.sync_changelog where customer_id = '00002'",
    )
    result = published.sync()
    assert (result.removed, result.excluded) == (1, {"forgotten": 1})
    assert sorted(receiver.rows) == ["00001", "00003"]
    for table in ("sync_state", "sync_changelog", "dead_letters", "planned_changes"):
        assert published.column(f"select count(*) from activation.{table} where customer_id = '00002'") == [0]


def test_commands_read_the_lists_as_they_are_now(
    published: Published, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.publish(people(3))
    folder = published.folder
    consents = folder / "consents.csv"
    settings = {
        "sources": {
            "consent": {
                "path": "consents.csv",
                "format": "csv",
                "columns": {"customer_id": "id", "purpose": "what", "allowed": "given"},
            }
        },
        "destinations": {"webhook": {"url_env": "HOOK_URL", "secret_env": "HOOK_SECRET", "purpose": "email"}},
    }
    (folder / "tdml.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for name, value in {
        **published.environment,
        "TDML_HOME": str(folder),
        "TDML_CONFIG": str(folder / "tdml.yaml"),
    }.items():
        monkeypatch.setenv(name, value)

    def sync() -> tuple[int, list[str]]:
        result = CliRunner().invoke(app, ["sync"])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, sorted(receiver.rows)

    assert sync() == (2, [])
    consents.write_text("id,what,given\n00001,email,yes\n00002,email,yes\n", encoding="utf-8")
    assert sync() == (0, ["00001", "00002"])
    consents.write_text("id,what,given\n00001,email,no\n00002,email,yes\n", encoding="utf-8")
    assert sync() == (0, ["00002"])


def customers(published: Published, *rows: tuple[str, str | None, str | None]) -> None:
    texts = ", ".join("(" + ", ".join("null" if part is None else f"'{part}'" for part in row) + ")" for row in rows)
    published.run(
        "create schema if not exists raw",
        f"create or replace table raw.customers as select * from (values {texts}) as t(customer_id, mail, mobile)",
    )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_identifiers_are_normalised_and_then_hashed(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    customers(published, ("00001", " Ann@Example.ORG ", "0044 (20) 7946-0958"), ("00002", "", "+44 20 79460958"))
    keys: dict[str, Any] = {
        "email": {"column": "mail", "form": "email", "hash": "sha256"},
        "phone": {"column": "mobile", "form": "phone", "hash": "sha256"},
        "plain": {"column": "mail"},
    }
    hook = published.hook(identifiers=keys, attributes=["churn_grade"])
    assert published.sync(hook).added == 3
    first, second, third = (receiver.rows[key] for key in sorted(receiver.rows))
    assert (first["email"], first["phone"]) == (sha256("ann@example.org"), sha256("+442079460958"))
    assert first["plain"] == "Ann@Example.ORG"
    assert (second["email"], second["phone"]) == (None, first["phone"])
    assert (third["email"], third["phone"]) == (None, None)
    customers(published, ("00001", "new@example.org", "0044 (20) 7946-0958"), ("00002", "", "+44 20 79460958"))
    assert published.sync(hook).changed == 1


def test_what_is_hashed_already_is_not_hashed_again(published: Published, receiver: Receiver) -> None:
    published.publish(people(1))
    customers(published, ("00001", sha256("ann@example.org"), None))
    hashed = {"email": {"column": "mail", "form": "email", "hash": "sha256"}}
    result = published.sync(published.hook(identifiers=hashed))
    assert (result.status, receiver.requests) == ("refused", [])
    assert "1 values of email are hashed already" in (result.reason or "")
    assert published.sync(published.hook(identifiers={"email": {"column": "mail"}})).added == 1
