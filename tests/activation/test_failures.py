"""A receiver that fails by script: in the end one row per key with the latest value, nothing lost, nothing doubled."""

from __future__ import annotations

import pytest

from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver


@pytest.mark.parametrize(
    "script",
    [[500, 500], [503, 429], ["reset"], ["take and hang up"], [[429, 7]], ["reset", 500, "take and hang up"]],
    ids=["twice 500", "503 and 429", "connection reset", "hung up in the body", "429 with Retry-After", "all of them"],
)
def test_what_waiting_mends_is_tried_again_with_the_same_key(
    published: Published, receiver: Receiver, script: list[object]
) -> None:
    published.publish(people(2))
    receiver.tell(script=script)
    result = published.sync()
    assert (result.status, result.added, result.attempts) == ("succeeded", 2, len(script) + 2)
    assert sorted(receiver.rows) == ["00001", "00002"]
    assert len({request["key"] for request in receiver.requests}) == 1


def test_a_sync_gives_up_at_its_deadline_and_the_next_goes_on(published: Published, receiver: Receiver) -> None:
    published.publish(people(4))
    receiver.tell(script=["take", [429, 5000]])
    result = published.sync()
    assert (result.status, result.added) == ("failed", 2)
    assert result.reason is not None
    assert "tried 1 times" in result.reason
    again = published.sync()
    assert (again.status, again.added, again.unchanged) == ("succeeded", 2, 2)
    assert [request["keys"] for request in receiver.requests][1:] == [["00003", "00004"]] * 2


def test_a_refused_row_is_found_and_waits_for_a_retry(published: Published, receiver: Receiver) -> None:
    published.publish(people(8))
    receiver.tell(refuses=["00006"])
    eight = published.hook(batch_rows=8)
    result = published.sync(eight)
    assert (result.status, result.added, result.failed) == ("degraded", 7, 1)
    (letter,) = published.rows("select * from activation.dead_letters")
    assert (letter["customer_id"], letter["action"], letter["code"], letter["attempts"]) == ("00006", "added", "422", 1)
    waiting = published.sync(eight)
    assert (waiting.taken, waiting.failed, waiting.waiting, waiting.unchanged) == (0, 0, 1, 7)
    again = published.sync(eight, only_dead=True)
    assert (again.failed, again.added) == (1, 0)
    assert published.column("select attempts from activation.dead_letters") == [2]
    receiver.tell(refuses=[], requests=[])
    mended = published.sync(eight, only_dead=True)
    assert (mended.status, mended.added, mended.failed) == ("succeeded", 1, 0)
    assert [request["keys"] for request in receiver.requests] == [["00006"]]
    assert published.column("select count(*) from activation.dead_letters") == [0]
    assert sorted(receiver.rows) == sorted(people(8))


def test_a_refused_row_that_changes_is_sent_again_by_itself(published: Published, receiver: Receiver) -> None:
    published.publish(people(2))
    receiver.tell(refuses=["00002"])
    published.sync()
    receiver.tell(refuses=[])
    published.publish({**people(2), "00002": (0.1, "D")})
    assert published.sync().added == 1
    assert published.column("select count(*) from activation.dead_letters") == [0]


def test_single_rows_that_the_answer_names_are_refused_without_cutting_the_batch(
    published: Published, receiver: Receiver
) -> None:
    published.publish(people(2))
    receiver.tell(script=[{"rejected": [{"index": 1, "code": "no consent of 00002"}], "skipped": ["x", 7]}])
    result = published.sync()
    assert (result.added, result.failed, result.attempts) == (1, 1, 2)
    assert published.column("select code from activation.dead_letters") == ["rejected"]


@pytest.mark.parametrize(
    ("answer", "word"), [(401, "credentials"), (404, "nothing at the address"), (301, "redirects")]
)
def test_what_waiting_does_not_mend_ends_the_sync_at_once(
    published: Published, receiver: Receiver, answer: int, word: str
) -> None:
    published.publish(people(4))
    receiver.tell(script=["take", answer])
    result = published.sync()
    assert (result.status, result.added, result.attempts) == ("failed", 2, 2)
    assert result.reason is not None
    assert word in result.reason
    assert "127.0.0.1" not in result.reason


def test_a_missing_secret_and_an_open_address_are_named_by_their_variables(published: Published) -> None:
    published.publish(people(1))
    published.environment["HOOK_SECRET"] = ""
    assert published.sync().reason == "set HOOK_SECRET in the environment"
    published.environment |= {"HOOK_SECRET": "x", "HOOK_URL": "http://shop.example.org/hook"}
    reason = published.sync().reason
    assert reason is not None
    assert "https address into HOOK_URL" in reason


def test_an_unforeseen_error_is_kept_by_its_class_alone(published: Published, receiver: Receiver) -> None:
    published.publish(people(1))

    def fail(step: str) -> None:
        if step == "sent 1":
            raise ValueError("00001 has grade A")

    with pytest.raises(ValueError, match="grade A"):
        published.sync(failpoint=fail)
    assert published.column("select reason from activation.sync_runs") == ["ValueError: see the log of the sync"]
    assert published.sync().added == 1


def test_a_sync_of_which_nothing_is_taken_ends_before_every_row_is_asked_for(
    published: Published, receiver: Receiver
) -> None:
    published.publish(people(300))
    receiver.tell(script=[400] * 900)
    result = published.sync(published.hook(batch_rows=300))
    assert (result.status, result.attempts < 120) == ("failed", True)
    assert "the first 50 rows were refused" in (result.reason or "")
