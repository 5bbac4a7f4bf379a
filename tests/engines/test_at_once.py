"""Independent fits in threads."""

import threading

import pytest

from tdml_assets.engines.at_once import at_once, threads_worth


def test_results_come_in_the_order_of_the_calls_whichever_ends_first():
    second_ended = threading.Event()

    def first() -> str:
        # Would never end if the calls took turns.
        assert second_ended.wait(30)
        return "first"

    def second() -> str:
        second_ended.set()
        return "second"

    assert at_once([first, second], 2) == ["first", "second"]


def test_with_one_thread_calls_take_turns_in_the_thread_that_asks():
    seen = at_once([threading.get_ident, threading.get_ident], 1)
    assert seen == [threading.get_ident()] * 2


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_call_raises_is_raised(threads):
    def refuse() -> str:
        raise ValueError("too few rows")

    with pytest.raises(ValueError, match="too few rows"):
        at_once([lambda: "fitted", refuse], threads)


def test_only_a_large_fit_is_worth_every_thread():
    assert threads_worth(10_000, 74, 8) == 1
    assert threads_worth(100_000, 74, 8) == 8
