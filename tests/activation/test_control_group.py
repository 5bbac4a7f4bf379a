"""Customers of the control group reach no destination, in whatever mode, and are counted."""

from __future__ import annotations

import pytest

from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver


def hold_out(published: Published, *customers: str) -> None:
    """Say in the published attributes who is kept out."""
    published.run(
        "alter table audience.parent_segment_attributes add column if not exists in_control_group boolean default false",
        *(
            f"update audience.parent_segment_attributes set in_control_group = true where customer_id = '{one}'"
            for one in customers
        ),
    )


@pytest.mark.parametrize("mode", ["upsert", "update_only", "create_only", "mirror"])
def test_who_is_in_the_control_group_is_sent_in_no_mode(published: Published, receiver: Receiver, mode: str) -> None:
    published.publish(people(5))
    hold_out(published, "00002", "00004")
    result = published.sync(published.hook(mode=mode), full=True)
    assert result.excluded == {"control_group": 2}
    sent = {key for request in receiver.requests for key in request["keys"]}
    assert sent == {"00001", "00003", "00005"}
    # The attribute says who is kept out; it is not sent to those who are not.
    assert all("in_control_group" not in row for row in receiver.rows.values())


def test_who_was_sent_before_is_removed_where_a_control_group_begins(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    published.sync()
    hold_out(published, "00002")
    assert published.sync().removed == 1
    assert sorted(receiver.rows) == ["00001", "00003"]


def test_a_declared_group_that_is_not_published_yet_sends_nobody(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    result = published.sync(holds_out=True)
    assert (result.status, "tdml-assets run" in (result.reason or "")) == ("refused", True)
    hold_out(published, "00002")
    assert published.sync(holds_out=True).added == 2
    assert sorted(receiver.rows) == ["00001", "00003"]
