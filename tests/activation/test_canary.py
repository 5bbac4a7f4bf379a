"""No secret and no customer's value in what a failing sync says or keeps, of whatever kind: preflight, sync, retry, plan, lists.

The control group, lift and everything that a whole session writes are searched by ``tests/e2e/test_everything_on.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tdml_assets.activation.plan_file import plan_content
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.activation.syncing import check_destination, plan_sync
from tdml_assets.declaration.destinations import known_kinds, read_destination
from tests.activation.conftest import NOW, Published
from tests.activation.test_bypass import SECTIONS
from tests.activation.treasure_data_stub import Stub
from tests.boto_data import read_boto_data_once

read_boto_data_once()

SECRET, CUSTOMER, GRADE, MAIL = "s3cret-canary", "customer-canary", "grade-canary", "mail-canary"
#: A port of this machine on which nobody listens.
NOWHERE = "127.0.0.1:9"
ENVIRONMENTS = {
    "webhook": {"SECRET": f"http://{NOWHERE}/{SECRET}"},
    "postgres": {"SECRET": f"postgresql://reader:{SECRET}@{NOWHERE}/bi"},
    "sfmc": {"URL": f"http://{NOWHERE}", "SECRET": SECRET},
}


def _nowhere() -> Any:
    options = Config(retries={"total_max_attempts": 1}, connect_timeout=2)
    where = {"endpoint_url": f"http://{NOWHERE}", "region_name": "us-east-1"}
    return boto3.client("s3", **where, aws_access_key_id=SECRET, aws_secret_access_key=SECRET, config=options)


def section_of(kind: str, stack: ExitStack) -> dict[str, Any]:
    """Settings of a kind whose server refuses, or is not there."""
    more: dict[str, Any] = {}
    if kind == "sfmc":
        more = {"auth_url_env": "URL"}
    if kind == "treasure_data":
        stub = stack.enter_context(Stub())
        more = {"endpoint": stub.url, "audience_endpoint": stub.url, "parent_segment": 42}
    return {"kind": kind, **SECTIONS[kind], **more, "retries": {"attempts": 1}, "purpose": "email"}


@pytest.mark.parametrize("kind", known_kinds())
def test_what_fails_says_and_keeps_neither_a_secret_nor_a_value(
    published: Published, kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="tdml_assets")
    said: list[str] = []

    def noted(call: Callable[[], Any]) -> Any:
        try:
            result = call()
        except DestinationError as error:
            said.append(repr(error))
            return None
        said.append(repr(result))
        return result

    published.environment = ENVIRONMENTS.get(kind, {"SECRET": SECRET})
    published.publish({CUSTOMER: (0.5, GRADE), f"{CUSTOMER}-2": (0.5, GRADE)})
    published.run(
        "create schema raw",
        f"create table raw.customers as select '{CUSTOMER}' as customer_id, '{MAIL}@example.org' as mail",
        f"create table raw.consent as select unnest(['{CUSTOMER}', '{CUSTOMER}-2', '{CUSTOMER}-3']) as customer_id, "
        "'email' as purpose, null::varchar as destination, 'yes' as allowed",
        f"create table raw.suppression as select '{CUSTOMER}-3' as customer_id, null::varchar as purpose, "
        "null::varchar as destination, null::varchar as allowed",
    )
    lists = {name: ("raw", name) for name in ("consent", "suppression")}
    with ExitStack() as stack:
        identifiers = {"mail": {"column": "mail", "form": "email", "hash": "sha256"}}
        settings = read_destination("crm", {**section_of(kind, stack), "identifiers": identifiers})
        around = published.around(consent=lists, s3_client=_nowhere)
        plan = plan_sync(published.warehouse, "crm", settings, around)
        assert (plan.refusals, plan.count("added")) == ([], 2)
        said.append(str(plan_content(plan, now=NOW)))
        noted(lambda: check_destination(plan, around))
        for options in ({}, {"full": True}, {"only_dead": True}):
            result = noted(lambda o=options: published.sync(settings, consent=lists, s3_client=_nowhere, **o))
            assert options == {"only_dead": True} or result is None or result.status == "failed"
        # A line that cannot be read, and whose content is kept for `rejected` alone.
        published.run(
            f"create table raw.rejected_rows as select 'consent' as source, 'missing_customer' as reason, '{CUSTOMER}' as content"
        )
        refused = noted(lambda: published.sync(settings, consent=lists, s3_client=_nowhere))
        assert refused.status == "refused"
        assert "missing_customer 1" in refused.reason
    said += [str(row) for row in published.rows("select * from activation.sync_runs")]
    said += [str(row) for row in published.rows("select code, reason from activation.dead_letters")]
    said += [caplog.text, *capfd.readouterr()]
    everything = "\n".join(said)
    assert not [word for word in (SECRET, CUSTOMER, GRADE, MAIL) if word in everything]
