"""The progress view: over Dagster's real console log, and around real processes that fail, hang and are stopped."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tdml_assets.commands.progress import REPORT, Progress, run_with_progress

HEAD = "2026-01-02 03:04:05 +0000 - dagster - DEBUG - __ASSET_JOB - 079b5a46-aa28-46cb-8349-73eb202d1bc0 - "


class Clock:
    """A clock that stands still until told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(log: str, clock: Clock | None = None) -> list[str]:
    progress = Progress(clock or Clock())
    printed = [text for line in log.splitlines() for text in progress.feed(line)]
    return [*printed, *progress.flush()]


def event(step: str, kind: str, message: str) -> str:
    return f"{HEAD}12 - {step} - {kind} - {message}\n"


def test_an_asset_is_one_line_with_its_seconds_and_its_own_report() -> None:
    log = (
        event("raw__orders", "STEP_START", 'Started execution of step "raw__orders".')
        + f"{HEAD}raw__orders - {REPORT}4,338 customers\n"
        + f"{HEAD}raw__orders - something else\n"
        + event("raw__orders", "STEP_OUTPUT", 'Yielded output "result" of type "Any". (Type check passed).')
        + event("raw__orders", "ASSET_MATERIALIZATION", "Materialized value raw orders.")
        + event("raw__orders", "STEP_SUCCESS", 'Finished execution of step "raw__orders" in 1m2s.')
    )
    lines = shown(log)
    assert len(lines) == 1
    assert lines[0].split() == ["raw/orders", "1m2s", "4,338", "customers"]


DBT = (
    event("dbt_models", "STEP_START", 'Started execution of step "dbt_models".')
    + "1 of 3 START sql view model staging.stg_orders .............. [RUN]\n"
    + "1 of 3 OK created sql view model staging.stg_orders .............. [\x1b[32mOK\x1b[0m in 0.08s]\n"
    + event("dbt_models", "ASSET_MATERIALIZATION", "Materialized value staging stg_orders.")
    + "2 of 3 WARN 1 not_null_stg_orders_id ............. [\x1b[33mWARN 1\x1b[0m in 0.05s]\n"
    + event("dbt_models", "ASSET_CHECK_EVALUATION", "Asset check 'not_null_id' on 'staging/stg_orders' did not pass.")
    + event("dbt_models", "ASSET_CHECK_EVALUATION", "Asset check 'unique_id' on 'staging/stg_orders' passed.")
    + "3 of 3 OK created sql table model features.customer_features ..... [\x1b[32mOK\x1b[0m in 2.50s]\n"
    + event("dbt_models", "ASSET_MATERIALIZATION", "Materialized value features customer_features.")
    + event("dbt_models", "STEP_SUCCESS", 'Finished execution of step "dbt_models" in 6.76s.')
)


def test_dbt_shows_its_models_with_their_own_seconds_and_its_failed_tests_only() -> None:
    lines = [line.split() for line in shown(DBT)]
    assert lines == [
        ["!", "staging/stg_orders:", "check", "not_null_id", "did", "not", "pass"],
        ["staging/stg_orders", "0.08s"],
        ["features/customer_features", "6.76s", "for", "the", "2", "of", "this", "step"],
    ]


def test_a_time_that_nobody_measured_is_left_out() -> None:
    quiet = "".join(line for line in DBT.splitlines(keepends=True) if "OK created" not in line)
    assert [line.split()[1:2] for line in shown(quiet)[1:]] == [[], ["6.76s"]]


def test_a_long_report_is_cut_at_a_word() -> None:
    log = (
        event("a", "STEP_START", "Started.")
        + f"{HEAD}a - {REPORT}{'word ' * 100}\n"
        + event("a", "ASSET_MATERIALIZATION", "Materialized value a.")
        + event("a", "STEP_SUCCESS", 'Finished execution of step "a" in 5ms.')
    )
    (line,) = shown(log)
    assert line.endswith("word word ...")
    assert len(line) < 220


FAILURE = """Execution of step "cltv__model" failed.

dagster._core.errors.DagsterExecutionStepExecutionError: Error occurred while executing op "cltv__model"::

tdml_assets.stages.training.fit.TooFewRowsError: the training split has 3 rows, 50 are needed: widen the horizon
or load more orders

Stack Trace:
  File "/x/core/execution/plan/utils.py", line 57, in op_execution_error_boundary
    yield

The above exception was caused by the following exception:
KeyError: 'inner'

Stack Trace:
  File "/x/tiny.py", line 17, in model
    raise KeyError("inner")
"""


def test_a_failure_shows_the_words_of_our_exception_and_no_stack_trace() -> None:
    clock = Clock()
    progress = Progress(clock)
    list(progress.feed(event("cltv__model", "STEP_START", "Started.")))
    clock.now = 75.0
    lines = [
        text for line in event("cltv__model", "STEP_FAILURE", FAILURE).splitlines() for text in progress.feed(line)
    ]
    assert lines == []
    skipped = (
        f"{HEAD}cltv__predictions - Dependencies for step cltv__predictions failed: ['cltv__model']. Not executing."
    )
    assert list(progress.feed(skipped)) == [
        "  x  cltv/model: failed after 1m15s",
        "     TooFewRowsError: the training split has 3 rows, 50 are needed: widen the horizon",
        "     or load more orders",
    ]
    assert progress.not_run == ["cltv/predictions"]


def test_a_failure_whose_own_lines_were_lost_is_still_named_by_the_end_of_the_run() -> None:
    progress = Progress(Clock())
    run_failure = (
        f"{HEAD}12 - RUN_FAILURE - Execution of run failed. Steps failed: ['x'].\n\n" + FAILURE.partition("\n\n")[2]
    )
    for line in [*run_failure.splitlines(), "Error: Materialization failed."]:
        assert list(progress.feed(line)) == []
    assert list(progress.flush()) == []
    assert progress.unexplained_error().startswith("TooFewRowsError: the training split has 3 rows")


def test_text_that_is_not_a_log_is_ignored() -> None:
    assert shown("\x00\xff\n - STEP_START - x\n2026-01-02 - dagster\n\n" + HEAD + "\n") == []


TINY = """
import dagster as dg

@dg.asset(key=["raw", "orders"], check_specs=[dg.AssetCheckSpec("shape", asset=["raw", "orders"])])
def orders(context):
    context.log.info("report: 10 rows\\nof them 2 rejected")
    print("noise")
    return dg.MaterializeResult(check_results=[
        dg.AssetCheckResult(check_name="shape", passed=False, severity=dg.AssetCheckSeverity.WARN, description="odd")
    ])

class TooFewRowsError(ValueError): ...

@dg.asset(key=["cltv", "model"], deps=[orders])
def model():
    try:
        {}["inner"]
    except KeyError as error:
        raise TooFewRowsError("3 rows, 50 are needed: widen the horizon") from error

@dg.asset(key=["cltv", "predictions"], deps=[model])
def predictions(): ...

defs = dg.Definitions(assets=[orders, model, predictions], executor=dg.in_process_executor)
"""


def dagster(tmp_path: Path, select: str) -> tuple[int, str, str]:
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "asset",
        "materialize",
        "--select",
        select,
        "-f",
        str(tmp_path / "tiny.py"),
    ]
    out, log = io.StringIO(), tmp_path / "logs" / "run.log"
    code = run_with_progress(command, log, {**os.environ, "DAGSTER_HOME": str(tmp_path / "home")}, out)
    return code, out.getvalue(), log.read_text()


def test_over_dagster_itself_a_good_run_is_short_and_the_log_is_whole(tmp_path: Path) -> None:
    code, printed, log = dagster(tmp_path, "raw/orders")
    assert code == 0
    lines = printed.splitlines()
    assert lines[0] == "  !  raw/orders: check shape did not pass: odd"
    assert lines[1].split()[0] == "raw/orders"
    assert lines[1].endswith("10 rows")
    assert lines[2].startswith("Done: 1 asset in ")
    assert "1 warning. Full log: " in lines[2]
    assert len(lines) == 3
    assert "noise" in log
    assert "RUN_SUCCESS" in log


def test_over_dagster_itself_a_failure_is_named_with_what_was_not_run(tmp_path: Path) -> None:
    code, printed, log = dagster(tmp_path, "*")
    assert code == 1
    assert "     TooFewRowsError: 3 rows, 50 are needed: widen the horizon\n" in printed
    assert "     not run because of it: cltv/predictions\n" in printed
    assert "Traceback" not in printed
    assert "Stack Trace" not in printed
    assert str(tmp_path / "logs" / "run.log") in printed.splitlines()[-1]
    assert "Stack Trace" in log


def test_over_dagster_itself_a_wrong_selection_is_named(tmp_path: Path) -> None:
    code, printed, _ = dagster(tmp_path, "nothing_like_this")
    assert code == 1
    assert "DagsterInvalidSubsetError: AssetKey(s) ['nothing_like_this'] were selected" in printed
    assert "File " not in printed


def python(tmp_path: Path, code: str, **options: float) -> tuple[int, str, str]:
    out = io.StringIO()
    status = run_with_progress([sys.executable, "-c", code], tmp_path / "run.log", None, out, **options)
    return status, out.getvalue(), (tmp_path / "run.log").read_text()


@pytest.mark.parametrize(("ending", "status"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("pass", 0)])
def test_the_exit_code_is_the_commands_own_or_names_the_signal(tmp_path: Path, ending: str, status: int) -> None:
    code, printed, _ = python(tmp_path, f"import os, sys\n{ending}")
    assert code == status
    assert ("SIGKILL" in printed) == (status == 137)
    assert printed.startswith("Done" if status == 0 else "  x" if status == 3 else "Failed")


def test_output_of_both_streams_in_any_bytes_reaches_the_log_even_without_a_last_line_end(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('err\\n'); sys.stderr.flush(); sys.stdout.buffer.write(b'\\xff\\x00 no end')"
    out = io.StringIO()
    assert run_with_progress([sys.executable, "-c", code], tmp_path / "run.log", None, out) == 0
    assert (tmp_path / "run.log").read_bytes() == b"err\n\xff\x00 no end"


def test_a_long_silence_names_what_is_running(tmp_path: Path) -> None:
    start = event("cltv__model", "STEP_START", "Started.")
    _, printed, _ = python(
        tmp_path, f"import time; print({start!r}, end='', flush=True); time.sleep(2)", silence_seconds=0.6
    )
    assert "  ... running: cltv/model (" in printed


def test_empty_lines_are_no_silence(tmp_path: Path) -> None:
    start = event("cltv__model", "STEP_START", "Started.")
    _, printed, log = python(tmp_path, f"print({start!r} + 50 * chr(10))")
    assert "running" not in printed
    assert log.count("\n") == 52


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    done = tmp_path / "done"
    code = f"print({DBT!r}, flush=True)\nopen({str(done)!r}, 'w').close()"
    assert run_with_progress([sys.executable, "-c", code], tmp_path / "run.log", None, Gone()) == 0
    assert done.exists()


def test_something_left_behind_that_holds_the_output_does_not_keep_the_view_waiting(tmp_path: Path) -> None:
    started = time.monotonic()
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    status, _, _ = python(tmp_path, code)
    assert status == 0
    assert time.monotonic() - started < 10


def test_a_missing_program_is_an_error_and_not_a_silent_success(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_with_progress([str(tmp_path / "nothing")], tmp_path / "run.log", None, io.StringIO())


PARENT = """
import sys
from pathlib import Path
from tdml_assets.commands.progress import run_with_progress
sys.exit(run_with_progress([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2])))
"""
POLITE = """
import signal, sys, time
def end(number, frame):
    print("ending in order", number, flush=True)
    sys.exit(5)
signal.signal(signal.SIGINT, end); signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready", helper.pid, flush=True)
time.sleep(60)
"""


def start(tmp_path: Path, child: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PARENT, child, str(tmp_path / "run.log")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: (tmp_path / "run.log").exists() and "ready" in (tmp_path / "run.log").read_text())
    return process


def wait_for(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_which_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, POLITE)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 5, output
    assert (tmp_path / "run.log").read_text().count(f"ending in order {int(number)}") == 1


def test_a_second_signal_ends_a_deaf_command_and_what_it_started(tmp_path: Path) -> None:
    process = start(tmp_path, DEAF)
    helper = int((tmp_path / "run.log").read_text().split()[1])
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 137, output
    assert "ended by SIGKILL" in output
    wait_for(lambda: not Path(f"/proc/{helper}").exists() or "Z" in Path(f"/proc/{helper}/stat").read_text())


def test_it_also_works_outside_the_main_thread(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(python(tmp_path, "print('x')")[0]))
    thread.start()
    thread.join(20)
    assert codes == [0]
