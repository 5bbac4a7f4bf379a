"""A small state folder, sessions on it that may be ended or short of space, and what its tables hold.

Belongs here: what the studies of killed sessions and of full disks share. Does not: those (``robustness_kills.py``,
``robustness_disk.py``).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psutil

SETTINGS = """
sample: {customers: 300, pageviews_per_order: 0.5, emails_per_month: 0.3}
warehouse: {threads: 1}
workflows:
  cltv: {monitor: {report: false}}
  next_best_product: {monitor: {report: false}, split: {min_rows: 20}}
"""
#: Differ from session to session by their nature.
_VOLATILE = {
    *("session_id", "run_id", "updated_at", "committed_at", "measured_at", "alerted_at", "finished_at"),
    # Hashes over settings, champions and libraries, and the session that computed.
    *("identity", "made", "computed_in"),
    # Of the sample's files, which are written anew where a state is.
    "written_at",
    # The champion there was when a stage was computed, which it is once more after some kills.
    "follows",
}
#: What is compared with an earlier session depends on whether a session that was cut short left one: the columns that do not.
_OWN = {
    "monitoring.data_quality": ("workflow", "check_name", "source"),
    "monitoring.drift": ("workflow", "kind", "column_name", "n", "avg_val"),
    "monitoring.triage": ("workflow", "as_of"),
}
_SECONDS = 1_800.0

Tables = dict[str, list[tuple[str, ...]]]


@dataclass(frozen=True)
class State:
    """A folder with settings and a home."""

    folder: Path

    @property
    def home(self) -> Path:
        """The state folder."""
        return self.folder / "home"

    def make(self) -> State:
        """Write the settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tdml.yaml").write_text(SETTINGS, encoding="utf-8")
        return self

    def copied_to(self, folder: Path) -> State:
        """A copy that may be spoilt."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, symlinks=True)
        return State(folder)

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command of the product on this state."""
        environment = {**os.environ, "TDML_CONFIG": str(self.folder / "tdml.yaml"), "TDML_HOME": str(self.home)}
        return subprocess.Popen(
            [sys.executable, "-m", "tdml_assets", *words],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *words: str, **options: Any) -> tuple[int, str, float]:
        """Run a command to its end. Returns the exit code, what it printed, and the seconds."""
        started = time.monotonic()
        process = self.start(words, **options)
        printed, _ = process.communicate(timeout=_SECONDS)
        return process.returncode, printed, time.monotonic() - started

    def killed(self, words: Sequence[str], after_seconds: float) -> int | None:
        """Kill a command and all it started after some time. Returns the exit code of one that ended before; None if killed."""
        process = self.start(words)
        try:
            process.communicate(timeout=after_seconds)
        except subprocess.TimeoutExpired:
            started = psutil.Process(process.pid).children(recursive=True)
            for one in [*started, process]:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
            process.communicate()
            # A process that is killed keeps its locks until the kernel has taken it down.
            psutil.wait_procs(started, timeout=_SECONDS)
            return None
        return process.returncode

    def tables(self, *, own: bool = False) -> Tables:
        """Rows of every table, of the latest session where it keeps sessions apart; floats to nine digits.

        Parameters
        ----------
        own : without the columns that compare with an earlier session.
        """
        found: Tables = {}
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            latest = connection.execute(
                "select max_by(session_id, updated_at) from monitoring.sessions where status <> 'abandoned'"
            ).fetchone()
            for schema, name in _base_tables(connection):
                result = connection.execute(f'select * from "{schema}"."{name}"')
                columns = [column[0] for column in result.description or []]
                rows = result.fetchall()
                if "session_id" in columns and schema != "raw":
                    place = columns.index("session_id")
                    rows = [row for row in rows if latest is not None and row[place] == latest[0]]
                wanted = _OWN.get(f"{schema}.{name}", columns) if own else columns
                kept = [place for place, column in enumerate(columns) if column in wanted and column not in _VOLATILE]
                found[f"{schema}.{name}"] = sorted(tuple(_text(row[place]) for place in kept) for row in rows)
        return found

    def doubled_rows(self) -> int:
        """Rows of the ledgers that exist twice, with session and all."""
        doubled = 0
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            for schema, name in _base_tables(connection):
                columns = [c[0] for c in connection.execute(f'select * from "{schema}"."{name}" limit 0').description]
                if "session_id" not in columns or schema == "raw":
                    continue
                rows = connection.execute(f'select * from "{schema}"."{name}"').fetchall()
                counted = Counter(tuple(map(_text, row)) for row in rows)
                doubled += sum(count - 1 for count in counted.values())
        return doubled

    def litter(self) -> list[str]:
        """Files that a killed process left and nobody will remove."""
        patterns = (".incoming-*", "*.partial", "*.part", ".discarded-*", "*.tmp")
        return sorted(str(path.relative_to(self.home)) for pattern in patterns for path in self.home.rglob(pattern))


def differences(found: Tables, *undisturbed: Tables) -> list[str]:
    """Names of the tables that equal those of no undisturbed state."""
    names = set(found).union(*undisturbed)
    return sorted(name for name in names if all(found.get(name) != other.get(name) for other in undisturbed))


def _base_tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' order by 1, 2"
    ).fetchall()


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
