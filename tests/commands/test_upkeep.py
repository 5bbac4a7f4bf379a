"""``doctor`` and ``clean``: what is judged how, and what is never removed."""

import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.clean import Entry, doomed, size_words, superfluous
from tdml_assets.commands.doctor import (
    judge_disk,
    judge_libraries,
    judge_memory,
    judge_permissions,
    judge_python,
    judge_telemetry,
)
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.run_lock import hold_state
from tdml_assets.settings import load_settings
from tests.commands.test_models import FILES, manifest

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_each_figure_has_its_state_and_its_remedy() -> None:
    assert [judge_python(version, "x").state for version in ((3, 10), (3, 11), (3, 13), (3, 15))] == [
        *("fail", "ok", "ok", "warn")
    ]
    wanted = ["a>=2", "b<3", "c", "d; sys_platform == 'nowhere'"]
    found = judge_libraries(wanted, {"a": "1.9", "b": "2.0", "c": None})
    assert (found.state, found.text) == ("fail", "a 1.9 is not >=2, c is missing")
    assert judge_libraries(["a>=2"], {"a": "2.1"}).state == "ok"
    assert judge_memory(16, 4, 2).state == "ok"
    assert "warehouse.memory_limit_gb to 2.0" in judge_memory(4, 2, 3.5).remedy
    assert judge_memory(3, 2, 1).state == "warn"
    assert [judge_disk(free, "/").state for free in (0.1, 2, 50)] == ["fail", "warn", "ok"]
    assert judge_permissions("/h", exists=True, writable=False, others_read=False).state == "fail"
    assert judge_permissions("/h", exists=True, writable=True, others_read=True).remedy == "chmod 700 /h"
    assert judge_telemetry(telemetry_is_off=False).state == "warn"


def test_the_doctor_names_wrong_settings_missing_files_and_a_taken_port(run: Run, tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("doctor", "--port", str(port))
        assert done.exit_code == 0, done.output
        assert f"warn  port         {port} is taken: tdml-assets ui --port {port + 1}" in done.stdout
        assert "ok    settings     none: the sample is used" in done.stdout
    columns = "columns: {customer_id: a, ordered_at: b, amount: c}"
    declared = f"{{path: gone.csv, format: csv, timestamp_format: '%Y-%m-%d', currency: GBP, {columns}}}"
    (tmp_path / "tdml.yaml").write_text(f"sources:\n  orders: {declared}\n", encoding="utf-8")
    done = run("doctor")
    assert done.exit_code == 1
    assert "fail  sources      sources.orders.path: 'gone.csv'" in done.stdout
    (tmp_path / "tdml.yaml").write_text("teir: tier1\n", encoding="utf-8")
    done = run("doctor")
    assert done.exit_code == 1
    assert "did you mean 'tier'" in done.stdout


def test_the_doctor_sees_a_warehouse_that_does_not_open_and_a_damaged_champion(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "models" / "cltv").mkdir(parents=True)
    home.chmod(0o700)
    store = ModelStore(url=str(home / "models")).open()
    one = manifest(2, 30.0)
    store.write(one, FILES)
    store.promote("cltv", one.version, replacing=None, reason="r", session_id="s", promoted_at=one.created_at)
    (home / "models" / "cltv" / "champion.json").write_bytes(b"{")
    (home / "warehouse.duckdb").write_bytes(b"no database at all" * 1000)
    done = run("doctor")
    assert done.exit_code == 1
    assert "fail  models" in done.stdout
    assert "fail  warehouse" in done.stdout
    assert "Traceback" not in done.output


def test_the_newest_of_each_group_are_kept_and_the_protected_always() -> None:
    entries = [Entry("versions", group, Path(f"/{group}{age}"), 10, -age) for group in "ab" for age in range(4)]
    gone = superfluous(entries, 1, {Path("/a3")})
    assert [entry.path.name for entry in gone] == ["a1", "a2", "b1", "b2", "b3"]
    assert [size_words(size) for size in (12, 4_200, 3_000_000_000)] == ["12 B", "4.2 kB", "3.0 GB"]


@pytest.fixture
def home(tmp_path: Path, run: Run) -> Path:
    """Three of everything, the first champion the oldest version but one."""
    home = tmp_path / "home"
    store = ModelStore(url=str(home / "models")).open()
    versions = [manifest(day, 30.0) for day in range(1, 7)]
    for one in versions:
        store.write(one, FILES)
    for one in versions[:2]:
        current = store.champion("cltv")
        store.promote("cltv", one.version, replacing=current, reason="r", session_id="s", promoted_at=one.created_at)
    exports = home / "exports" / "parent_segment_attributes"
    for number in range(3):
        for path in (
            home / "logs" / f"run-{number}.log",
            home / "reports" / "cltv" / f"session-{number}.html",
            exports / f"e{number}" / "manifest.json",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x" * 1000, encoding="utf-8")
            os.utime(path, (number, number))
            os.utime(path.parent, (number, number))
    (exports / "latest.json").write_text('{"path": "e0"}', encoding="utf-8")
    (home / "reports" / "cltv" / "latest.html").write_text("x", encoding="utf-8")
    (home / "spill").mkdir()
    (home / "spill" / "left.tmp").write_text("x", encoding="utf-8")
    (home.parent / "home.old-20260101T000000Z").mkdir()
    return home


def test_champions_their_predecessors_and_the_current_export_are_never_removed(home: Path, run: Run) -> None:
    gone = {entry.path.name for entry in doomed(load_settings(), 1)}
    assert {"run-0.log", "run-1.log", "session-0.html", "session-1.html", "e1", "left.tmp"} <= gone
    assert not gone & {"run-2.log", "session-2.html", "latest.html", "e0", "e2", "home.old-20260101T000000Z"}
    store = ModelStore(url=str(home / "models")).open()
    listed = run("clean", "--keep", "2")
    assert "could go: add --yes" in listed.stdout
    assert len(store.versions("cltv")) == 6, "only listed"
    done = run("clean", "--keep", "2", "--yes", "--old-states")
    assert done.exit_code == 0, done.output
    assert "versions           4" in done.stdout
    left = store.versions("cltv")
    champion = store.champion("cltv")
    assert champion is not None
    assert {champion.champion.version, champion.champion.previous} == set(left)
    assert not (home.parent / "home.old-20260101T000000Z").exists()
    assert run("clean", "--keep", "2", "--yes").stdout == "nothing to remove\n"


def test_nothing_is_removed_while_a_run_uses_the_folder(home: Path, run: Run) -> None:
    with hold_state(home / "run.lock", "another-run", 0.0):
        done = run("clean", "--keep", "2", "--yes")
    assert done.exit_code == 1
    assert "is using" in done.stderr
    assert (home / "logs" / "run-0.log").exists()
