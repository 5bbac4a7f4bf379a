"""A sync sends what changed, once per key, and writes down what was acknowledged."""

from __future__ import annotations

from tdml_assets.activation.planning import Plan, write_changes
from tdml_assets.activation.syncing import plan_sync
from tdml_assets.activation.trail import assume_sent, mark_batch
from tdml_assets.platform.warehouse import Database
from tests.activation.conftest import NOW, Published, actions, people
from tests.activation.receiver import Receiver


def test_the_first_sync_sends_all_and_the_second_only_what_changed(published: Published, receiver: Receiver) -> None:
    published.publish(people(5))
    first = published.sync()
    assert (first.status, first.added, first.changed, first.unchanged) == ("succeeded", 5, 0, 0), first.reason
    assert sorted(receiver.rows) == sorted(people(5))
    assert receiver.rows["00001"] == {"customer_id": "00001", "churn_probability": 0.5, "churn_grade": "A"}
    again = published.sync()
    assert (again.added, again.changed, again.unchanged, again.taken) == (0, 0, 5, 0)
    assert len(receiver.requests) == 3
    published.publish({**people(5), "00002": (0.9, "B"), "00006": (0.1, "D")})
    third = published.sync()
    assert (third.added, third.changed, third.unchanged) == (1, 1, 4)
    assert receiver.requests[-1]["keys"] == ["00002", "00006"]
    log = published.rows("select customer_id, action from activation.sync_changelog where action = 'changed'")
    assert actions(log) == {"00002": "changed"}
    runs = published.rows("select * from activation.sync_runs order by started_at")
    assert [row["status"] for row in runs] == ["succeeded"] * 3
    assert published.column("select count(*) from activation.planned_changes") == [0]


def test_an_attribute_compared_by_its_band_sends_a_row_only_when_the_band_changes(
    published: Published, receiver: Receiver
) -> None:
    by_grade = published.hook(changed_by={"churn_probability": "churn_grade"})
    published.publish(people(4))
    published.sync(by_grade)
    published.publish({**people(4, probability=0.5001), "00003": (0.2, "C")})
    moved = published.sync(by_grade)
    assert (moved.changed, moved.unchanged) == (1, 3)
    assert receiver.rows["00003"]["churn_probability"] == 0.2
    assert receiver.rows["00001"]["churn_probability"] == 0.5


def test_a_band_counts_where_it_is_not_sent_itself(published: Published, receiver: Receiver) -> None:
    alone = published.hook(attributes=["churn_probability"], changed_by={"churn_probability": "churn_grade"})
    published.publish(people(2))
    published.sync(alone)
    published.publish({"00001": (0.7, "A"), "00002": (0.7, "B")})
    assert published.sync(alone).changed == 1
    assert receiver.rows["00002"] == {"customer_id": "00002", "churn_probability": 0.7}


def test_other_columns_ask_for_a_full_sync(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    published.sync()
    renamed = published.hook(attributes={"churn_grade": "Grade"}, key="Id")
    refused = published.sync(renamed)
    assert (refused.status, refused.taken) == ("refused", 0)
    assert refused.reason is not None
    assert "--full" in refused.reason
    sent = published.sync(renamed, full=True)
    assert (sent.status, sent.changed) == ("succeeded", 3)
    assert receiver.requests[-1]["keys"] == ["00003"]
    assert published.sync(renamed).unchanged == 3


def test_two_destinations_are_synced_apart(published: Published, receiver: Receiver) -> None:
    published.publish(people(2))
    assert published.sync(name="crm").added == 2
    assert published.sync(name="shop").added == 2
    assert published.column("select count(*) from activation.sync_state") == [4]


def test_a_mirror_takes_a_baseline_first_and_then_removes_what_it_sent_itself(
    published: Published, receiver: Receiver
) -> None:
    receiver.tell(rows={"theirs": {"customer_id": "theirs"}})
    published.publish(people(30))
    published.sync()
    mirror = published.hook(mode="mirror")
    published.publish(people(28))
    baseline = published.sync(mirror)
    assert (baseline.status, baseline.removed) == ("succeeded", 0)
    second = published.sync(mirror)
    assert (second.status, second.removed, second.unchanged) == ("succeeded", 2, 28)
    assert sorted(receiver.rows) == [*sorted(people(28)), "theirs"]


def test_an_empty_source_removes_nothing_even_where_it_is_only_a_warning(
    published: Published, receiver: Receiver
) -> None:
    off = {name: {"action": "off"} for name in ("deletes", "source_drop", "score_age", "session")}
    mirror = published.hook(mode="mirror", guards={**off, "empty_source": {"action": "warn"}})
    published.publish(people(3))
    published.sync(mirror)
    published.publish({})
    empty = published.sync(mirror)
    assert (empty.status, empty.removed) == ("degraded", 0)
    assert published.sync(published.hook(mode="mirror", guards=off)).status == "refused"
    assert len(receiver.rows) == 3


def test_create_only_never_sends_a_change(published: Published, receiver: Receiver) -> None:
    create = published.hook(mode="create_only")
    published.publish(people(2))
    published.sync(create)
    published.publish(people(3, grade="B"))
    again = published.sync(create)
    assert (again.added, again.changed, again.unchanged) == (1, 0, 2)
    assert [request["operation"] for request in receiver.requests] == ["create", "create"]


def test_rows_that_an_update_does_not_find_are_skipped_and_tried_again(
    published: Published, receiver: Receiver
) -> None:
    update = published.hook(mode="update_only")
    published.publish(people(2))
    receiver.tell(script=[{"skipped": [1]}])
    first = published.sync(update)
    assert (first.added, first.skipped, first.status) == (1, 1, "succeeded")
    assert published.column("select customer_id from activation.sync_changelog") == ["00001"]
    second = published.sync(update)
    assert (second.added, second.unchanged) == (1, 1)
    assert receiver.requests[-1]["keys"] == ["00002"]


def test_the_changelog_is_kept_as_long_as_the_settings_say(published: Published, receiver: Receiver) -> None:
    published.publish(people(1))
    published.sync()
    published.run("update activation.sync_changelog set \"at\" = timestamp '2020-01-01'")
    published.publish(people(1, grade="B"))
    published.sync()
    assert published.column("select action from activation.sync_changelog") == ["changed"]


def test_an_attribute_of_a_workflow_declares_its_band(published: Published, receiver: Receiver) -> None:
    published.publish(people(3))
    published.run(
        "alter table audience.attribute_catalog add column changed_by varchar",
        "update audience.attribute_catalog set changed_by = 'churn_grade' where \"column\" = 'churn_probability'",
    )
    published.sync()
    published.run("update audience.parent_segment_attributes set churn_probability = 0.51")
    assert published.sync().unchanged == 3


def test_rows_that_an_older_version_hashed_are_sent_once_more_and_the_plan_says_so(
    published: Published, receiver: Receiver
) -> None:
    published.publish(people(3))
    published.sync()
    published.run(
        "update activation.sync_state set row_hash = null", "update activation.sync_mappings set hash_form = null"
    )
    again = published.sync()
    assert (again.status, again.changed) == ("succeeded", 3)
    assert [words.partition(":")[0] for words in again.warnings] == ["hashes"]
    settled = published.sync()
    assert (settled.unchanged, settled.warnings) == (3, ())


def test_a_change_of_any_one_column_and_a_swap_of_two_change_the_hash(published: Published, receiver: Receiver) -> None:
    published.publish(people(2))
    published.run("alter table audience.parent_segment_attributes add column note varchar")
    published.sync()
    for column, value in (("note", "'A'"), ("churn_grade", "null"), ("churn_probability", "0.5000001")):
        published.run(f"update audience.parent_segment_attributes set {column} = {value} where customer_id = '00002'")
        assert (published.sync().changed, receiver.requests[-1]["keys"]) == (1, ["00002"])


def test_batches_are_in_the_order_of_the_keys(published: Published) -> None:
    published.publish({})
    published.run(
        "insert into audience.parent_segment_attributes select printf('%05d', 9999 - i), date '2026-06-30', 0.5, 'A' from "
        "range(9000) as t(i)"
    )
    settings = published.hook(batch_rows=4000)

    def write(database: Database, plan: Plan) -> None:
        write_changes(database, plan, now=NOW)

    plan_sync(published.warehouse, "crm", settings, published.around(), then=write)
    found = published.rows(
        "select batch, count(*) as n, min(customer_id) as first, max(customer_id) as last from activation.planned_changes "
        "group by batch order by batch"
    )
    assert [tuple(row.values()) for row in found] == [
        (1, 4000, "01000", "04999"),
        (2, 4000, "05000", "08999"),
        (3, 1000, "09000", "09999"),
    ]


def test_who_may_have_been_sent_when_a_process_ended_is_taken_for_held_there(published: Published) -> None:
    published.publish(people(6))

    def end_behind_the_first_batch(database: Database, plan: Plan) -> None:
        write_changes(database, plan, now=NOW)
        mark_batch(database, plan, 1, rejected={}, unmarked=[], now=NOW)

    plan_sync(published.warehouse, "crm", published.hook(), published.around(), then=end_behind_the_first_batch)
    with published.warehouse.write() as database:
        assume_sent(database, ["00003", "00007"], NOW)
    assert published.column("select customer_id from activation.sync_state order by customer_id") == [
        "00001",
        "00002",
        "00003",
    ]
    assert published.column("select distinct customer_id from activation.sync_changelog order by customer_id") == [
        "00001",
        "00002",
    ]
