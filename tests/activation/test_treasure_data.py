"""A table in Treasure Data and a parent segment over it: the real client, a strict stand-in, and nothing of others is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.activation.syncing import SyncResult
from tdml_assets.declaration.destinations import DestinationSettings, read_destination
from tests.activation.conftest import Published, people
from tests.activation.treasure_data_stub import KEY, Stub, TreasureData

SECTION = {
    "kind": "treasure_data",
    "api_key_env": "TD_API_KEY",
    "database": "marketing",
    "table": "predictions",
    "parent_segment": 42,
    "batch_rows": 2,
    "poll_seconds": 0.001,
    "guards": {"deletes": {"action": "off"}},
}
MASTER = [{"customer_id": key, "city": "Ulm"} for key in ("00001", "00002", "00099")]
OTHERS = [
    {
        "id": str(number),
        "audienceId": "42",
        "name": name,
        "type": "string",
        "parentDatabaseName": "crm",
        "parentTableName": "profiles",
        "parentColumn": "city",
        "parentKey": "customer_id",
        "foreignKey": "customer_id",
        "groupingName": None,
        "matrixColumnName": name,
        "ofLaterVersions": {"kept": [1, 2]},
    }
    for number, name in enumerate(("city", "town"), start=1)
]
BEHAVIOURS = [{"name": "orders", "parentDatabaseName": "crm", "parentTableName": "orders", "schema": [{"name": "a"}]}]
FILTERS = [{"columnName": "country", "rightValues": ["DE"]}]


class Account:
    """An account with a parent segment of others, and syncs into it."""

    def __init__(self, published: Published, stub: Stub) -> None:
        self.published, self.stub = published, stub
        published.environment["TD_API_KEY"] = KEY
        schema = [["customer_id", "string"], ["city", "string"]]
        self.service.databases = {"marketing": {}, "crm": {}}
        self.service.create_table("crm", "profiles", schema, MASTER)
        self.service.create_table("crm", "orders")
        self.service.audiences[42] = {
            "id": "42",
            "name": "Customers",
            "scheduleType": "daily",
            "master": {"parentDatabaseName": "crm", "parentTableName": "profiles"},
            "attributes": [dict(one) for one in OTHERS],
            "behaviors": [dict(one) for one in BEHAVIOURS],
            "audienceFilters": [dict(one) for one in FILTERS],
        }

    @property
    def service(self) -> TreasureData:
        return self.stub.service

    def settings(self, **keys: Any) -> DestinationSettings:
        return read_destination(
            "td", {**SECTION, "endpoint": self.stub.url, "audience_endpoint": self.stub.url, **keys}
        )

    def sync(self, **keys: Any) -> SyncResult:
        given = {name: keys.pop(name) for name in ("failpoint", "clock") if name in keys}
        return self.published.sync(self.settings(**keys), name="td", **given)

    @property
    def table(self) -> dict[str, str]:
        """Grade by customer, as the table holds them once each."""
        rows = self.service.databases["marketing"]["predictions"]["rows"]
        found = {row["customer_id"]: row["churn_grade"] for row in rows}
        assert len(found) == len(rows)
        return found

    def names(self) -> list[str]:
        return [attribute["name"] for attribute in self.service.audiences[42]["attributes"]]

    def without_ids(self, collection: str) -> list[dict[str, Any]]:
        return [{k: v for k, v in item.items() if k != "id"} for item in self.service.audiences[42][collection]]


def without_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in item.items() if k != "id"} for item in items]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Stub() as stub:
        yield Account(Published(tmp_path), stub)


def test_a_table_is_swapped_attributes_are_added_and_the_segment_is_run(account: Account) -> None:
    account.published.publish(people(5))
    result = account.sync()
    assert (result.status, result.added, result.reason) == ("succeeded", 5, None)
    assert account.table == dict.fromkeys(people(5), "A")
    assert list(account.service.databases["marketing"]) == ["predictions"]
    assert account.service.imports == {}
    details = dict(result.details)
    assert (details["rows"], details["attributes_added"], details["run"]) == (5, 2, "success")
    assert details["parent_segment"] == f"{account.stub.url}/audiences/42"
    assert account.service.customers["00002"]["churn_grade"] == "A"
    assert "churn_grade" not in account.service.customers["00099"]
    # Text stays text, whatever it looks like.
    assert account.service.databases["marketing"]["predictions"]["schema"][0] == ["customer_id", "string"]


def test_everything_that_others_wrote_into_the_segment_is_there_behind_our_put(account: Account) -> None:
    account.published.publish(people(3))
    assert account.sync().status == "succeeded"
    assert account.names() == ["city", "town", "churn_probability", "churn_grade"]
    assert account.without_ids("attributes")[:2] == without_ids(OTHERS)
    assert account.without_ids("behaviors") == BEHAVIOURS
    assert account.without_ids("audienceFilters") == FILTERS
    assert account.service.audiences[42]["scheduleType"] == "daily"
    puts = [one for one in account.service.asked if one.startswith("PUT /audiences")]
    # Where the attributes are there, nothing is put at all: nothing of others can be lost then.
    account.published.publish({**people(3), "00001": (0.9, "B")})
    assert account.sync().status == "succeeded"
    assert [one for one in account.service.asked if one.startswith("PUT /audiences")] == puts
    assert account.table == {**dict.fromkeys(people(3), "A"), "00001": "B"}
    # Nothing changed: nothing is sent, and nothing is run.
    runs = len(account.service.runs)
    again = account.sync()
    assert (again.status, again.unchanged, len(account.service.runs)) == ("succeeded", 3, runs)


def test_what_somebody_elses_put_took_away_is_put_back(account: Account) -> None:
    account.published.publish(people(2))
    before = json.loads(json.dumps(account.service.audiences[42]))

    def stale() -> None:
        """Somebody read the segment before our PUT, and puts it behind it, without one of the others' attributes."""
        account.service.put_audience(42, {**before, "attributes": before["attributes"][:1], "behaviors": []})

    account.service.behind_put = [stale, stale]
    assert account.sync().status == "succeeded"
    assert sorted(account.names()) == ["churn_grade", "churn_probability", "city", "town"]
    assert account.without_ids("behaviors") == BEHAVIOURS
    account.service.audiences[42] = json.loads(json.dumps(before))
    account.service.behind_put = [stale] * 50
    account.published.publish(people(3))
    result = account.sync()
    assert (result.status, "somebody else writes it" in (result.reason or "")) == ("failed", True)


def test_a_name_or_a_column_that_others_use_refuses_before_anything_is_written(account: Account) -> None:
    account.published.publish(people(2))
    result = account.sync(attributes={"churn_grade": "city"})
    assert (result.status, "named city over other tables" in (result.reason or "")) == ("failed", True)
    assert account.sync().status == "succeeded"
    account.published.publish(people(3))
    asked = len(account.service.asked)
    gone = account.published.sync(account.settings(attributes=["churn_grade"]), name="td", full=True)
    assert "columns that would be gone (churn_probability)" in (gone.reason or "")
    assert {one.split(" ")[0] for one in account.service.asked[asked:]} == {"GET"}
    assert len(account.table) == 2


PLACES = (
    "POST /v3/bulk_import/create/.*",
    "PUT /v3/bulk_import/upload_part/.*",
    "POST /v3/bulk_import/perform/.*",
    "POST /v3/bulk_import/commit/.*",
    "POST /v3/table/swap/.*",
    "POST /v3/table/delete/.*",
    "POST /v3/job/issue/.*",
    "PUT /audiences/42",
    "POST /audiences/42/run",
)


@pytest.mark.parametrize("steps", [["reset", "lost", "lost"], [429, 500, 503]], ids=["lost answers", "refusals"])
def test_whatever_fails_on_the_way_each_customer_is_there_once(account: Account, steps: list[Any]) -> None:
    account.published.publish(people(5))
    account.service.script = {place: list(steps) for place in PLACES}
    result = account.sync(retries={"attempts": 60})
    assert (result.status, result.reason) == ("succeeded", None)
    # What was done without an answer is found done, and not asked for again.
    assert all(len(left) < 2 for left in account.service.script.values())
    assert account.table == dict.fromkeys(people(5), "A")
    assert (list(account.service.databases["marketing"]), account.service.imports) == (["predictions"], {})
    assert account.service.customers["00001"]["churn_grade"] == "A"
    # A run whose answer was lost is found again.
    assert len(account.service.runs) <= 2


def test_a_storm_waits_as_long_as_it_is_asked_to(account: Account) -> None:
    from tdml_assets.platform.retrying import Clock
    from tests.activation.conftest import NOW

    waited: list[float] = []
    clock = Clock(now=lambda: NOW, sleep=waited.append, jitter=lambda: 0.5)
    account.published.publish(people(1))
    account.service.script = {".*upload_part.*": [429, 429], "GET /audiences/42/executions": [429]}
    assert account.sync(clock=clock).status == "succeeded"
    assert waited == [7.0, 7.0, 7.0]


def test_killed_before_the_swap_the_table_is_as_it_was_and_the_next_sync_begins_anew(account: Account) -> None:
    account.published.publish(people(4))
    assert account.sync().status == "succeeded"
    account.published.publish(people(6, grade="B"))

    def stop(step: str) -> None:
        if step == "sent 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        account.sync(failpoint=stop)
    assert account.table == dict.fromkeys(people(4), "A")
    assert "predictions__incoming" in account.service.databases["marketing"]
    assert account.sync().status == "succeeded"
    assert account.table == dict.fromkeys(people(6), "B")
    assert (list(account.service.databases["marketing"]), account.service.imports) == (["predictions"], {})


def test_a_refused_record_becomes_a_dead_letter_and_the_others_are_there(account: Account) -> None:
    account.published.publish(people(5))
    account.service.refused_keys = {"00003"}
    result = account.sync(failed_share=0.5)
    assert (result.status, result.failed, dict(result.codes)) == ("succeeded", 1, {"import": 1})
    assert sorted(account.table) == ["00001", "00002", "00004", "00005"]
    (letter,) = account.published.rows("select customer_id, code, reason from activation.dead_letters")
    assert letter == {"customer_id": "00003", "code": "import", "reason": "Treasure Data refuses the row (bulk import)"}


def test_rows_that_are_not_all_there_are_not_swapped(account: Account) -> None:
    account.published.publish(people(4))
    assert account.sync().status == "succeeded"
    account.published.publish(people(4, grade="B"))

    def lose(step: str) -> None:
        if step == "marked 2" or step == "sent 2":
            account.service.databases["marketing"]["predictions__incoming"]["rows"].pop()

    result = account.sync(failpoint=lose)
    assert (result.status, "3 rows of 3 customers and 4 were sent" in (result.reason or "")) == ("failed", True)
    assert account.table == dict.fromkeys(people(4), "A")


def test_a_customer_who_may_be_sent_no_more_leaves_with_the_next_swap(account: Account) -> None:
    account.published.publish(people(4))
    assert account.sync().status == "succeeded"
    account.published.run(
        "create schema if not exists raw",
        "create table raw.suppression as select '00002' as customer_id, null::varchar as purpose, null::varchar as destination, "
        "null::varchar as allowed",
    )
    asked = {"suppression": ("raw", "suppression")}
    result = account.published.sync(account.settings(), name="td", consent=asked)
    assert (result.status, result.excluded) == ("succeeded", {"suppressed": 1})
    assert sorted(account.table) == ["00001", "00003", "00004"]
    assert "00002" not in json.dumps(account.service.databases["marketing"])


def test_who_is_forgotten_is_named_and_leaves_with_the_next_swap(account: Account) -> None:
    from tdml_assets.activation.erasure import erase

    account.published.publish(people(3))
    assert account.sync().status == "succeeded"
    around = account.published.around()
    declared = {"td": account.settings()}
    (done,) = erase(account.published.warehouse, declared, "00002", around, lambda database, erasure: None)
    assert (done.is_done, done.words) == (
        False,
        "it is replaced as a whole: tdml-assets sync td, which leaves them out",
    )
    account.published.run("delete from audience.parent_segment_attributes where customer_id = '00002'")
    assert account.sync().removed == 1
    assert "00002" not in json.dumps(account.service.databases["marketing"])
    assert account.published.rows("select * from activation.sync_state where customer_id = '00002'") == []


def test_a_failed_run_is_named_and_the_key_is_in_no_message(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    account.published.publish(people(2))
    account.service.run_ends = "error"
    failed = account.sync()
    assert (failed.status, "ended with error" in (failed.reason or "")) == ("failed", True)
    account.published.environment["TD_API_KEY"] = "wrong-canary"
    refused = account.sync()
    assert "credentials are not accepted" in (refused.reason or "")
    kept = json.dumps([failed.to_dict(), refused.to_dict()], default=str) + caplog.text
    assert (KEY in kept, "wrong-canary" in kept, "00001" in kept) == (False, False, False)


def test_a_dry_run_reads_and_writes_nothing(account: Account) -> None:
    account.published.publish(people(2))
    assert account.published.check(account.settings(), name="td") == {
        "table": "marketing.predictions",
        "rows_there": 0,
        "parent_segment": f"{account.stub.url}/audiences/42",
        "attributes_to_add": 2,
    }
    assert {one.split(" ")[0] for one in account.service.asked} == {"GET"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"mode": "upsert"}, "mode upsert is not one that treasure_data can do: replace"),
        ({"table": "Bad-Name"}, "small letters, digits and underscores"),
        ({"endpoint": "https://key@api.treasuredata.com"}, "https://host alone"),
    ],
)
def test_what_is_wrong_with_the_section_is_named(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_destination("td", {**SECTION, **keys})


def test_names_that_it_would_change_are_refused(account: Account) -> None:
    account.published.publish(people(1))
    result = account.sync(attributes={"churn_grade": "Churn Grade"})
    assert "Churn Grade: Treasure Data takes names of small letters" in (result.reason or "")
