"""A small state folder, and what its tables hold."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tdml_assets.commands.app import make_ready
from tdml_assets.platform.environment import NO_TELEMETRY, child_environment
from tdml_assets.settings import load_settings

SETTINGS = """
sample: {customers: 300, pageviews_per_order: 0.5, emails_per_month: 0.3}
warehouse: {threads: 1}
workflows:
  cltv:
  churn: {monitor: {report: false}, classification: {min_negatives: 20}}
  next_best_product: {monitor: {report: false}, split: {min_rows: 20}}
  segments: {monitor: {report: false}}
"""
#: The tree under test, whichever one is installed.
_ROOT = str(Path(__file__).parents[2])
_BASE = {"PATH": "/usr/bin:/bin", "PYTHONPATH": _ROOT, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
WAREHOUSE = "home/warehouse.duckdb"
#: Differ from run to run by their nature.
VOLATILE = {
    *("session_id", "run_id", "updated_at", "committed_at", "measured_at", "alerted_at"),
    # Hashes over settings, champions and libraries, and the session that computed.
    *("identity", "made", "computed_in", "follows"),
}


@cache
def _server() -> "subprocess.Popen[str]":
    """The process that runs are forked from: one for all tests of a worker. It ends with its input."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("killed_run.py"))],
        env={**_BASE, **NO_TELEMETRY, "OMP_WAIT_POLICY": "PASSIVE"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def pytest_sessionfinish() -> None:
    """End the process that runs were forked from."""
    if _server.cache_info().currsize:
        _server().communicate(timeout=60)


class Home:
    """A state folder with its settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"TDML_CONFIG": str(folder / "tdml.yaml"), "TDML_HOME": str(folder / "home")}

    def make(self, give_manifest: Callable[[Path], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        give_manifest(self.folder / "home")
        (self.folder / "tdml.yaml").write_text(SETTINGS, encoding="utf-8")
        make_ready(load_settings(self.environment))

    def copied_to(self, folder: Path) -> "Home":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Home(folder)

    def runs(self, *runs: str) -> list[int]:
        """Exit codes of runs of ``killed_run.py``, one after the other; prints what they said."""
        output = self.folder / "said.txt"
        environment = child_environment(load_settings(self.environment), {**_BASE, **self.environment})
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps({"environment": environment, "runs": runs, "output": str(output)}) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        sys.stderr.write(output.read_text(encoding="utf-8", errors="replace")[-6000:] if output.exists() else "")
        output.unlink(missing_ok=True)
        codes: list[int] = json.loads(answer)
        return codes

    def must_run(self, *runs: str) -> None:
        assert self.runs(*runs) == [0] * len(runs)

    def tables(self, warehouse: str = WAREHOUSE) -> dict[str, Any]:
        """Content of every table, without what differs by its nature; floats to nine digits."""
        found = {}
        with duckdb.connect(str(self.folder / warehouse), read_only=True) as connection:
            names = connection.execute(
                "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
            ).fetchall()
            for schema, name in names:
                where = " where status <> 'abandoned'" if name == "sessions" else ""
                columns = connection.execute(f'describe "{schema}"."{name}"').fetchall()
                texts = ", ".join(_text_of(column, kind) for column, kind, *_ in columns if column not in VOLATILE)
                found[f"{schema}.{name}"] = sorted(
                    connection.execute(f'select {texts} from "{schema}"."{name}"{where}').fetchall()
                )
        return found


def _text_of(column: str, kind: str) -> str:
    """A value in words: the warehouse writes them in a fifth of the time that pandas takes."""
    text = f"format('{{:.9g}}', \"{column}\")" if kind in {"DOUBLE", "FLOAT"} else f'"{column}"::varchar'
    return f"coalesce({text}, 'NULL')"


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def prepared_home(made_once: Once, give_manifest: Callable[[Path], None]) -> Home:
    """Sample data and manifest, nothing materialised."""
    return Home(made_once("prepared", lambda folder: Home(folder).make(give_manifest)))


@pytest.fixture(scope="session")
def undisturbed(prepared_home: Home, made_once: Once) -> Path:
    """Two state folders by one process: ``data`` after the stages of the data, ``finished`` after all."""

    def make(folder: Path) -> None:
        home = prepared_home.copied_to(folder / "finished")
        home.must_run("data", "../finished>../data", "workflows")

    return made_once("undisturbed", make)


@pytest.fixture(scope="session")
def data_home(undisturbed: Path) -> Home:
    """Raw tables and features of an undisturbed run."""
    return Home(undisturbed / "data")


@pytest.fixture(scope="session")
def finished_home(undisturbed: Path) -> Home:
    """Everything but the picture of drift, undisturbed."""
    return Home(undisturbed / "finished")


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Home], Home]:
    """A copy of a state folder that the test may spoil."""
    return lambda home: home.copied_to(tmp_path / "copy")
