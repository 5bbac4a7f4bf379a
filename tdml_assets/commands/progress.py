"""A short view of a running ``dagster asset materialize``: one line per asset, warnings, and the error if there is one.

Elsewhere: choosing the command (``app.py``), the summary of the results (``summary.py``), the words of an error
(``platform/error_words.py``).

Nothing is lost: every line goes to the log file. Lines are plain, without colours or carriage returns, so that a
terminal, a file and a CI log show the same.

An asset shows one sentence of its own by logging it with the marker: ``context.log.info(f"{REPORT}4,338 customers")``.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TextIO

from tdml_assets.commands.output import Printer
from tdml_assets.platform.error_words import COLOUR, error_text, last_error
from tdml_assets.platform.outcome import NOT_RUN

REPORT = "report: "
_SILENCE_SECONDS = 60.0
_DRAIN_SECONDS = 2.0
_NAME_WIDTH = 40
_TEXT_WIDTH = 160
_TAIL_LINES = 200
_CHILD_DEFAULTS = {
    "PYTHONUNBUFFERED": "1",
    # Dagster ends its `tail` of a run's log with the run: without this wait (seconds per stream) the last lines, which say
    # what failed, are now and then lost (dagster#23336).
    "DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH": "0.5",
}

_ENTRY = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} - dagster - [A-Z]+ - \S+ - [0-9a-f-]{36} - (?P<rest>.*)", re.DOTALL
)
_EVENT = re.compile(r"(?:(?P<pid>\d+) - )(?:(?P<step>\S+) - )?(?P<event>[A-Z_]+) - (?P<message>.*)", re.DOTALL)
_LOGGED = re.compile(rf"(?P<step>\S+) - {REPORT}(?P<message>.*)", re.DOTALL)
_NOT_RUN = re.compile(
    r"(?P<step>\S+) - Dependencies for step \S+ (?:failed|were skipped): .* Not executing\.", re.DOTALL
)
_DURATION = re.compile(r" in (?P<duration>\d[0-9a-z.]*?)\.?$")
_CHECK = re.compile(
    r"Asset check '(?P<check>[^']*)' on '(?P<asset>[^']*)' did not pass\.(?: Description: '(?P<why>.*)')?", re.DOTALL
)
_DBT_DONE = re.compile(
    r"\d+ of \d+ OK created .*? model (?:\S+\.)?(?P<name>[^.\s]+) \.* ?\[.*? in (?P<seconds>[0-9.]+)s\]"
)


@dataclass
class _Step:
    started_at: float
    ready: str | None = None
    ready_duration: str | None = None
    assets: int = 0
    reports: list[str] = field(default_factory=list)


class Progress:
    """Turns lines of Dagster's console log into those a person reads; ``clock`` (seconds) times what Dagster does not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entry: list[str] = []
        self._steps: dict[str, _Step] = {}
        self._dbt_seconds: dict[str, str] = {}
        self._run_error = ""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.assets = 0
        #: Set when the first step starts.
        self.begun = threading.Event()
        self.warnings: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.not_run: list[str] = []

    def feed(self, line: str) -> Iterator[str]:
        """Take one line of the log; gives the lines to print, most often none."""
        line = line.rstrip("\n")
        self._tail.append(line)
        if _ENTRY.match(line):
            yield from self.flush()
            self._entry = [line]
            # Only a failure goes on over several lines, and all others are shown at once.
            if " - STEP_FAILURE - " not in line and " - RUN_FAILURE - " not in line:
                yield from self.flush()
        elif self._entry and line != "Error: Materialization failed.":
            self._entry.append(line)
        else:
            done = _DBT_DONE.search(COLOUR.sub("", line))
            if done:
                self._dbt_seconds[done["name"]] = f"{done['seconds']}s"

    def flush(self) -> Iterator[str]:
        """Take the entry read so far as complete."""
        entry, self._entry = "\n".join(self._entry), []
        matched = _ENTRY.fullmatch(entry)
        if matched is None:
            return
        rest = matched["rest"]
        event, logged, not_run = _EVENT.fullmatch(rest), _LOGGED.fullmatch(rest), _NOT_RUN.fullmatch(rest)
        if event is not None and event["event"] == "RUN_FAILURE":
            self._run_error = error_text(event["message"])
        elif event is not None and event["step"]:
            yield from self._event(event["step"], event["event"], event["message"])
        elif logged is not None and logged["step"] in self._steps:
            self._steps[logged["step"]].reports.append(logged["message"].strip())
        elif not_run is not None:
            self.not_run.append(not_run["step"].replace("__", "/"))

    def running(self) -> str | None:
        """Name the steps that are still running; None if none is."""
        now = self._clock()
        parts = [f"{name.replace('__', '/')} ({now - step.started_at:.0f} s)" for name, step in self._steps.items()]
        return f"  ... running: {', '.join(parts)}" if parts else None

    def unexplained_error(self) -> str:
        """Why the process failed, where no step said so: settings, definitions, the command line."""
        return self._run_error or last_error(list(self._tail))

    def _event(self, name: str, event: str, message: str) -> Iterator[str]:
        if event in ("STEP_START", "STEP_RESTARTED"):
            self._steps[name] = _Step(self._clock())
            self.begun.set()
        step = self._steps.get(name)
        if step is None:
            return
        if event == "ASSET_MATERIALIZATION" and message.startswith("Materialized value "):
            yield from self._finished(step)
            keys = message.removeprefix("Materialized value ").rstrip(".").split(" ")
            step.ready = "/".join(keys)
            step.ready_duration = self._dbt_seconds.pop(keys[-1], None)
        elif event == "ASSET_CHECK_EVALUATION":
            failed = _CHECK.fullmatch(message)
            # A check of a stage that did not run: the stage before it has said why.
            if failed is not None and not (failed["why"] or "").startswith(NOT_RUN):
                why = f": {failed['why']}" if failed["why"] else ""
                yield self._warn(f"{failed['asset']}: check {failed['check']} did not pass{why}")
        elif event == "STEP_UP_FOR_RETRY":
            yield self._warn(f"{name.replace('__', '/')}: failed, is tried again")
            del self._steps[name]
        elif event == "STEP_SUCCESS":
            duration = _DURATION.search(message)
            yield from self._finished(step, duration["duration"] if duration else None)
            del self._steps[name]
        elif event == "STEP_FAILURE":
            yield from self._finished(step)
            self.failed.append((name, error_text(message)))
            yield f"  x  {name.replace('__', '/')}: failed after {_seconds(self._clock() - step.started_at)}"
            yield from (f"     {line}" for line in self.failed[-1][1].splitlines())
            del self._steps[name]

    def _warn(self, words: str) -> str:
        self.warnings.append(words)
        return f"  !  {words}"

    def _finished(self, step: _Step, step_duration: str | None = None) -> Iterator[str]:
        if step.ready is None:
            return
        step.assets += 1
        self.assets += 1
        # Dagster times the step. Of several assets (dbt) only the last line says so; before it, what dbt itself timed.
        several = f"for the {step.assets} of this step" if step_duration and step.assets > 1 else ""
        duration = step_duration or step.ready_duration or ""
        text = "; ".join(part for part in (several, *step.reports) if part)
        if len(text) > _TEXT_WIDTH:
            text = text[: _TEXT_WIDTH - 4].rsplit(" ", 1)[0] + " ..."
        yield f"  {step.ready:<{_NAME_WIDTH}} {duration:>8}  {text}".rstrip()
        step.ready, step.reports = None, []


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}s" if seconds < 60 else f"{int(seconds // 60)}m{int(seconds % 60):02d}s"


def launch(
    command: Sequence[str], environment: Mapping[str, str] | None, *, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a command whose output :func:`run_with_progress` reads.

    ``environment``: of the command; this process's own unless given.
    """
    return subprocess.Popen(  # noqa: S603 - the command is the caller's own
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        # Apart, because Dagster copies them here by two processes, one of which could cut the other's line in two.
        stderr=subprocess.PIPE,
        env={**_CHILD_DEFAULTS, **(os.environ if environment is None else environment)},
        # A group of its own: Ctrl-C then reaches the command once, through this process.
        start_new_session=True,
    )


def run_with_progress(
    command: list[str] | Callable[[], subprocess.Popen[bytes]],
    log_path: Path,
    environment: Mapping[str, str] | None = None,
    out: TextIO | None = None,
    *,
    silence_seconds: float = _SILENCE_SECONDS,
    progress: Progress | None = None,
) -> int:
    """Run a command that writes Dagster's console log; print its progress and keep its whole output.

    SIGINT and SIGTERM are passed on to the command, which then ends in order; a second one ends it and all it started
    at once. Returns the command's exit code; 128 + n if signal n ended it, as a shell would say.

    ``command``: program and arguments; or what gives the process that :func:`launch` started for them. ``log_path``: file for
    all output, made with its folder, replaced if it is there. ``environment``: of the command; this process's own unless given.
    ``out``: where progress is printed; standard output unless given. If its reader goes away, the command runs on.
    ``silence_seconds``: after how long without a line the running steps are named. ``progress``: takes what the run warned of
    and what failed.
    """
    started = time.monotonic()
    printer = Printer(sys.stdout if out is None else out)
    progress = progress or Progress()
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        child = command() if callable(command) else launch(command, environment)
        # Leaving the block closes the pipes and waits for the child.
        with child, _forwarding(child):
            for line in _Output(child, log).lines(silence_seconds):
                printed = [progress.running()] if line is None else progress.feed(line)
                printer.lines(text for text in printed if text)
            code = child.wait()
    printer.lines(progress.flush())
    code = 128 - code if code < 0 else code
    printer.lines(_closing(progress, code, time.monotonic() - started, log_path))
    return code


def _closing(progress: Progress, code: int, seconds: float, log_path: Path) -> Iterator[str]:
    count = len(progress.warnings)
    warned = f", {count} warning{'s' if count != 1 else ''}" if count else ""
    done = f"{progress.assets} asset{'s' if progress.assets != 1 else ''} in {_seconds(seconds)}{warned}"
    if code == 0:
        yield f"Done: {done}. Full log: {log_path}"
        return
    if not progress.failed and code < 128:
        yield "  x  the run did not start or was not finished"
        yield from (f"     {line}" for line in progress.unexplained_error().splitlines())
    if progress.not_run:
        yield f"     not run because of it: {', '.join(progress.not_run)}"
    ended = f"ended by {signal.Signals(code - 128).name}" if code - 128 in set(signal.Signals) else f"exit code {code}"
    yield f"Failed ({ended}) after {done}. Full log: {log_path}"


class _Output:
    """Both streams of a child, cut into lines. Every byte goes to the log first, whole lines at a time."""

    def __init__(self, child: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._child, self._log = child, log
        self._selector = selectors.DefaultSelector()
        pipes = [pipe for pipe in (child.stdout, child.stderr) if pipe is not None]
        self._pending = {self._selector.register(pipe, selectors.EVENT_READ).fd: b"" for pipe in pipes}

    def lines(self, silence_seconds: float) -> Iterator[str | None]:
        """Lines as they come; None after every silence."""
        quiet_since = time.monotonic()
        ended_at: float | None = None
        while self._selector.get_map():
            found = self._read()
            now = time.monotonic()
            if found is not None:
                yield from found
                quiet_since = now
            elif self._child.poll() is not None:
                # Something the child started may hold the pipes open: it must not keep this process waiting for ever.
                ended_at = ended_at or now
                if now - ended_at > _DRAIN_SECONDS:
                    break
            elif now - quiet_since >= silence_seconds:
                quiet_since = now
                yield None
        self._selector.close()
        for rest in self._pending.values():
            self._keep([rest])
            yield rest.decode(errors="replace")

    def _keep(self, lines: list[bytes]) -> None:
        # On a full disk the run must be able to say so: the log ends, the view goes on.
        with suppress(OSError):
            self._log.writelines(lines)
            self._log.flush()

    def _read(self) -> list[str] | None:
        """Lines that are complete now; None if nothing came."""
        ready = self._selector.select(timeout=0.5)
        found: list[bytes] = []
        for key, _ in ready:
            chunk = os.read(key.fd, 1 << 16)
            if not chunk:
                self._selector.unregister(key.fileobj)
            *complete, self._pending[key.fd] = (self._pending[key.fd] + chunk).split(b"\n")
            found += complete
        self._keep([line + b"\n" for line in found])
        return [line.decode(errors="replace") for line in found] if ready else None


@contextmanager
def _forwarding(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass SIGINT and SIGTERM on while the command runs. Handlers can only be set by the main thread."""
    received = 0

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        nonlocal received
        received += 1
        if child.poll() is not None:
            return
        if received == 1:
            child.send_signal(number)
        else:
            # The group was made for this child alone: what it started ends with it.
            os.killpg(child.pid, signal.SIGKILL)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
