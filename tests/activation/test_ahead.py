"""The next item is made while one is used, in order, and an error comes where its item would have."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tdml_assets.activation.ahead import OneAhead


def test_items_come_in_order_and_the_next_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def source() -> Iterator[int]:
        for place, event in enumerate(made):
            event.set()
            yield place

    with OneAhead(source()) as items:
        seen = []
        for item in items:
            assert item == 2 or made[item + 1].wait(5)
            items.settle()
            seen.append(item)
    assert seen == [0, 1, 2]


def test_an_error_of_the_source_is_raised_behind_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise LookupError("broken")

    seen: list[int] = []
    with OneAhead(source()) as items, pytest.raises(LookupError, match="broken"):
        seen.extend(items)
    assert seen == [1]
