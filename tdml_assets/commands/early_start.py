"""The process of a run, started while the command still prepares: it imports what it needs, and waits for its arguments.

Elsewhere: what is prepared (``app.py``), what the run prints (``progress.py``).

Importing Dagster takes seconds, and so do the sample and dbt's manifest: on two cores these overlap. The process opens nothing
before it has its arguments, so that a refused run leaves nothing behind.

    python -m tdml_assets.commands.early_start [--learners]
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from tdml_assets.commands.progress import launch
from tdml_assets.platform.environment import restrict_new_files

#: What every run imports: Dagster's command and what the definitions are made of.
_ALWAYS = (
    "alembic.command",
    "dagster._cli",
    "tdml_assets.component",
    "tdml_assets.automation.sensors",
    "tdml_assets.platform.dagster_storage",
    "tdml_assets.platform.resources",
    "tdml_assets.stages.audience.asset",
    "tdml_assets.stages.features.asset",
    "tdml_assets.stages.raw.asset",
    "tdml_assets.tasks.classification",
    "tdml_assets.tasks.clustering",
    "tdml_assets.tasks.recommendation",
    "tdml_assets.tasks.regression",
)
#: What only training imports: half as long again, and needless where an earlier session's results are taken over.
_LEARNERS = ("xgboost", "scipy.linalg", "scipy.sparse", "sklearn.cluster")


class EarlyRun:
    """A process that waits for the arguments of ``dagster``."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child, self._has_begun = child, False

    def begin(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Let the process run ``dagster`` with these arguments."""
        self._has_begun = True
        if self._child.stdin is not None:
            # A process that is gone says so by its exit code.
            with suppress(BrokenPipeError), self._child.stdin as pipe:
                pipe.write(json.dumps(list(arguments)).encode() + b"\n")
        return self._child

    def end_unless_begun(self) -> None:
        """End the process where there is nothing to run: it has opened no file yet."""
        if not self._has_begun:
            self._child.kill()
            with self._child:
                pass


@contextmanager
def started_early(environment: Mapping[str, str], *, learners: bool) -> Iterator[EarlyRun]:
    """Start the process; it ends with the block unless it was begun.

    ``environment``: of the run. ``learners``: whether the run will train and draw, so that it imports these libraries too.
    """
    command = [sys.executable, "-m", "tdml_assets.commands.early_start", *(["--learners"] if learners else [])]
    early = EarlyRun(launch(command, environment, stdin=subprocess.PIPE))
    try:
        yield early
    finally:
        early.end_unless_begun()


def main() -> None:
    """Import, wait for a line of arguments on standard input, and become ``dagster``; end without one."""
    from tdml_assets.platform.collector import collect_rarely, loading_what_stays

    collect_rarely()
    code: list[int] = []
    # What is registered first is called last: every other handler has done its work by then.
    atexit.register(_leave, code)
    with loading_what_stays():
        for name in (*_ALWAYS, *(_LEARNERS if "--learners" in sys.argv else ())):
            import_module(name)
    line = sys.stdin.readline()
    if not line:
        return
    restrict_new_files()
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    sys.argv = ["dagster", *json.loads(line)]
    try:
        runpy.run_module("dagster", run_name="__main__")
    except SystemExit as done:
        code.append(done.code if isinstance(done.code, int) else int(done.code is not None))
        raise


def _leave(code: Sequence[int]) -> None:
    """End the process without taking apart all that it has loaded, which is a second's work."""
    if code:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code[0])


if __name__ == "__main__":
    main()
