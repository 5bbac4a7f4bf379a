"""The state folder's lock, with real processes and real run records."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.platform.run_lock import StateBusyError, exclusive_run, fail_dead_runs, hold_state


def stop(*_: object) -> None:
    """End as a killed process does: nothing after it happens."""
    raise KeyboardInterrupt


HOLD = """
import sys
from pathlib import Path
from tdml_assets.platform.run_lock import hold_state
with hold_state(Path(sys.argv[1]), "0123456789", 0):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_gives_up_naming_the_first_and_its_process(tmp_path: Path) -> None:
    process = holder(tmp_path / "run.lock")
    try:
        expected = rf"run 01234567 \(process {process.pid}\) is using .*waited 0.3 s.*nothing was changed"
        with pytest.raises(StateBusyError, match=expected), hold_state(tmp_path / "run.lock", "me", 0.3):
            pass
    finally:
        process.communicate()


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    process = holder(tmp_path / "run.lock")
    process.kill()
    process.communicate()
    with hold_state(tmp_path / "run.lock", "me", 0):
        pass


def test_a_run_that_waits_goes_on_when_the_other_ends(tmp_path: Path) -> None:
    process = holder(tmp_path / "run.lock")
    assert process.stdin is not None
    process.stdin.close()
    with hold_state(tmp_path / "run.lock", "me", 30):
        pass
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


@dg.op
def nothing() -> None: ...


@dg.job
def job() -> None:
    nothing()


def started(instance: dg.DagsterInstance, lock: str | None) -> str:
    run = instance.create_run_for_job(job, tags={} if lock is None else {".dagster/tdml-lock": lock})
    instance.handle_new_event(
        dg.EventLogEntry(
            error_info=None,
            level="debug",
            user_message="",
            run_id=run.run_id,
            timestamp=0.0,
            dagster_event=dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job.name),
        )
    )
    return run.run_id


def test_only_runs_that_held_the_lock_and_never_finished_are_failed() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        dead, released, other, own = (started(instance, lock) for lock in ("held", "released", None, "held"))
        assert fail_dead_runs(instance, own) == [dead]
        status = {run_id: instance.get_run_by_id(run_id).status for run_id in (dead, released, other, own)}  # type: ignore[union-attr]
    assert status.pop(dead) is dg.DagsterRunStatus.FAILURE
    assert set(status.values()) == {dg.DagsterRunStatus.STARTED}


def test_a_finished_block_is_never_taken_for_dead(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        first, second = started(instance, None), started(instance, None)
        with exclusive_run(instance, first, tmp_path / "run.lock", 0) as dead:
            assert dead == []
        with exclusive_run(instance, second, tmp_path / "run.lock", 0) as dead:
            assert dead == []


def test_a_pool_slot_kept_by_a_killed_run_is_freed(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        dead, own = started(instance, "held"), started(instance, None)
        storage = instance.event_log_storage
        storage.set_concurrency_slots("warehouse", 1)
        assert storage.claim_concurrency_slot("warehouse", dead, "step").is_claimed
        with exclusive_run(instance, own, tmp_path / "run.lock", 0) as found:
            assert found == [dead]
            assert storage.claim_concurrency_slot("warehouse", own, "step").is_claimed


def test_a_slot_is_freed_though_the_tidying_run_was_killed_before_it_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        dead, killed, own = started(instance, "held"), started(instance, None), started(instance, None)
        storage = instance.event_log_storage
        storage.set_concurrency_slots("warehouse", 1)
        assert storage.claim_concurrency_slot("warehouse", dead, "step").is_claimed
        with monkeypatch.context() as patch:
            patch.setattr(instance, "report_run_failed", stop)
            with pytest.raises(KeyboardInterrupt):
                fail_dead_runs(instance, killed)
        assert fail_dead_runs(instance, own) == [dead]
        assert storage.claim_concurrency_slot("warehouse", own, "step").is_claimed


@pytest.mark.parametrize("ending", ["failed", "deleted"])
def test_a_slot_kept_by_a_run_that_is_over_is_freed(tmp_path: Path, ending: str) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        over, own = started(instance, "held"), started(instance, None)
        storage = instance.event_log_storage
        storage.set_concurrency_slots("warehouse", 1)
        assert storage.claim_concurrency_slot("warehouse", over, "step").is_claimed
        run = instance.get_run_by_id(over)
        assert run is not None
        if ending == "failed":
            instance.report_run_failed(run)
        else:
            instance.run_storage.delete_run(over)
        assert not storage.claim_concurrency_slot("warehouse", own, "step").is_claimed
        fail_dead_runs(instance, own)
        assert storage.claim_concurrency_slot("warehouse", own, "step").is_claimed


def test_the_slot_of_a_run_that_is_under_way_is_kept(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        other, own = started(instance, None), started(instance, None)
        storage = instance.event_log_storage
        storage.set_concurrency_slots("warehouse", 1)
        assert storage.claim_concurrency_slot("warehouse", other, "step").is_claimed
        fail_dead_runs(instance, own)
        assert not storage.claim_concurrency_slot("warehouse", own, "step").is_claimed
