"""A data extension of Marketing Cloud, against a stand-in that follows the documents strictly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.activation.protocol import DestinationError
from tdml_assets.declaration.destinations import read_destination
from tests.activation.conftest import Published, people
from tests.activation.fault_proxy import FaultProxy
from tests.activation.sfmc_stub import Stub

SETTINGS = {
    "kind": "sfmc",
    "auth_url_env": "SFMC_AUTH_URL",
    "client_id_env": "SFMC_CLIENT_ID",
    "client_secret_env": "SFMC_CLIENT_SECRET",
    "data_extension": "Customers",
    "attributes": {"churn_grade": "ChurnGrade"},
    "poll_seconds": 0.01,
}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, stub: Stub) -> Published:
    found = Published(tmp_path)
    found.environment |= {
        "SFMC_AUTH_URL": stub.url,
        "SFMC_CLIENT_ID": "id-canary",
        "SFMC_CLIENT_SECRET": "secret-canary",
    }
    return found


def sync(shop: Published, **keys: Any):
    options = {name: keys.pop(name) for name in ("only_dead", "full") if name in keys}
    return shop.sync(read_destination("sfmc", {**SETTINGS, **keys}), name="sfmc", **options)


def test_rows_are_upserted_and_the_end_of_each_request_is_waited_for(shop: Published, stub: Stub) -> None:
    shop.publish(people(120))
    result = sync(shop, batch_rows=50)
    assert (result.status, result.added, result.details["requests"]) == ("succeeded", 120, 3)
    state = stub.state
    assert (len(state["rows"]), state["batches"], state["tokens"]) == (120, [50, 50, 20], 1)
    assert state["rows"]["00001"] == {"SubscriberKey": "00001", "ChurnGrade": "A"}
    shop.publish({**people(120), "00007": (0.5, "B")})
    assert (sync(shop).changed, stub.state["batches"][-1]) == (1, 1)


def test_a_token_that_ends_in_the_middle_of_a_batch_is_fetched_anew(shop: Published, stub: Stub) -> None:
    shop.publish(people(6))
    stub.tell(uses=2)
    assert sync(shop, batch_rows=2).status == "succeeded"
    assert len(stub.state["rows"]) == 6
    assert stub.state["tokens"] > 3


def test_a_refused_row_far_down_the_pages_is_found(shop: Published, stub: Stub) -> None:
    shop.publish(people(130))
    stub.tell(refuses=["00111"])
    result = sync(shop)
    assert (result.status, result.added, result.failed) == ("degraded", 129, 1) or result.failed == 1
    (letter,) = shop.rows("select customer_id, code, reason from activation.dead_letters")
    assert letter == {
        "customer_id": "00111",
        "code": "InvalidValue",
        "reason": "Marketing Cloud refuses the row (InvalidValue)",
    }
    assert len(stub.state["rows"]) == 129
    stub.tell(refuses=[])
    assert sync(shop, only_dead=True).added == 1


def test_deadlocks_and_storms_are_sent_again(shop: Published, stub: Stub) -> None:
    shop.publish(people(3))
    stub.tell(script=[429, 500, "deadlock", 503])
    result = sync(shop)
    assert (result.status, result.added, result.failed) == ("succeeded", 3, 0)
    assert len(stub.state["rows"]) == 3


def test_a_wrong_login_ends_the_sync_without_showing_it(shop: Published, stub: Stub) -> None:
    shop.publish(people(1))
    shop.environment["SFMC_CLIENT_SECRET"] = "other-canary"
    result = sync(shop)
    assert result.status == "failed"
    assert "SFMC_AUTH_URL" in (result.reason or "")
    assert "canary" not in (result.reason or "")


def test_a_request_that_does_not_end_is_given_up(shop: Published, stub: Stub) -> None:
    shop.publish(people(1))
    stub.tell(ending="Pending")
    result = sync(shop, most_poll_seconds=0.1, retries={"attempts": 2})
    assert (result.status, result.added) == ("failed", 0)
    assert "was not done after 0.1 s" in (result.reason or "")
    stub.tell(ending="Complete")
    assert sync(shop).added == 1


@pytest.mark.parametrize("keys", [{"mode": "mirror"}, {"batch_rows": 30_001}, {"data_extension": "a:b"}], ids=str)
def test_what_the_interface_cannot_do_is_refused_in_the_settings(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"mode mirror|30000|colon"):
        read_destination("sfmc", {**SETTINGS, **keys})


def test_a_dry_run_asks_for_a_token_alone(shop: Published, stub: Stub) -> None:
    shop.publish(people(1))
    settings = read_destination("sfmc", SETTINGS)
    assert shop.check(settings, name="sfmc") == {"data_extension": "Customers", "credentials": "accepted"}
    assert (stub.state["tokens"], stub.state["batches"]) == (1, [])
    shop.environment["SFMC_CLIENT_SECRET"] = "wrong-canary"
    with pytest.raises(DestinationError, match="SFMC_AUTH_URL") as caught:
        shop.check(settings, name="sfmc")
    assert "canary" not in str(caught.value)


def test_connections_that_break_and_answers_that_are_cut_end_with_each_row_once(shop: Published, stub: Stub) -> None:
    proxy = FaultProxy(int(stub.url.rpartition(":")[2]), writes=("GET", "POST", "PUT"))
    proxy.start()
    shop.publish(people(3))
    shop.environment["SFMC_AUTH_URL"] = proxy.url
    proxy.script += [None, "reset", "lost", "half"]
    result = sync(shop)
    proxy.stop()
    assert proxy.script == []
    assert (result.status, result.added, result.failed) == ("succeeded", 3, 0)
    assert len(stub.state["rows"]) == 3
