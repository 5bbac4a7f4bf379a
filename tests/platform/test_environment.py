"""The state folder and the environment of what works on it."""

import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.platform.environment import child_environment, prepare_home, project_root
from tdml_assets.platform.sessions import later_than
from tdml_assets.settings import Settings, SettingsError

TELEMETRY = {"DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "true", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def settings_of(home: Path) -> Settings:
    return Settings(home=home, base_folder=home.parent)


def prepare(home: str) -> None:
    prepare_home(settings_of(Path(home)))


def test_the_state_folder_is_its_owners_alone_even_where_it_was_open(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    prepare_home(settings_of(home))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_what_a_command_writes_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TDML_SAMPLE", "{customers: 20, end_date: 2023-08-01}")
    monkeypatch.setattr("tdml_assets.stages.features.dbt_manifest.ensure_manifest", lambda *_: None)
    mask = os.umask(0o022)
    try:
        assert CliRunner().invoke(app, ["prepare"]).exit_code == 0
    finally:
        os.umask(mask)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").rglob("*")}
    assert modes
    assert not {path: oct(mode) for path, mode in modes.items() if mode & 0o077}


def test_a_home_that_is_a_file_is_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "file"
    home.write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="a file is in its place: remove the file or set another TDML_HOME"):
        prepare_home(settings_of(home))
    monkeypatch.setenv("TDML_HOME", str(home))
    done = CliRunner().invoke(app, ["prepare"])
    assert done.exit_code == 2
    assert re.fullmatch(r"error: the state folder .*\n", done.output)


def test_many_commands_may_start_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(prepare, [str(home)] * 40))
    assert {path.name for path in (home / "dagster").iterdir()} == {"dagster.yaml", ".dagster-yaml.sha256"}


def test_an_empty_state_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["summary"])
    assert done.exit_code == 1
    assert re.fullmatch(r"error: there is no warehouse at .* yet: .*\n", done.output)


def test_a_warehouse_that_another_process_holds_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("TDML_HOME", str(home))
    monkeypatch.setenv("TDML_WAREHOUSE__WAIT_SECONDS", "0")
    code = f"import duckdb, sys; c = duckdb.connect({str(home / 'warehouse.duckdb')!r}); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = CliRunner().invoke(app, ["summary"])
        other.communicate()
    assert done.exit_code == 1
    assert re.fullmatch(r"error: the warehouse .* is held by another process .*PID \d+.*\n", done.output)


def test_nothing_reports_home(tmp_path: Path) -> None:
    found = child_environment(settings_of(tmp_path / "home"), dict.fromkeys(TELEMETRY, "on"))
    assert {name: found[name] for name in TELEMETRY} == TELEMETRY
    exported = dict(re.findall(r"^export (\w+) := (\w+)$", (project_root() / "Makefile").read_text(), re.MULTILINE))
    assert {name: exported.get(name) for name in TELEMETRY} == TELEMETRY
    assert dagster_settings()["telemetry"] == {"enabled": False}


def test_a_run_that_hangs_is_ended_and_gives_back_its_slot() -> None:
    monitoring = dagster_settings()["run_monitoring"]
    assert monitoring["enabled"] is True
    assert 0 < monitoring["max_runtime_seconds"] <= 24 * 3600
    assert 0 < monitoring["free_slots_after_run_end_seconds"] <= 600


def dagster_settings() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = yaml.safe_load((project_root() / "dagster.yaml").read_text(encoding="utf-8"))
    return found


def test_a_clock_set_back_does_not_change_the_order_of_sessions() -> None:
    before = datetime.fromisoformat("2026-06-30T12:00")
    assert later_than(None, before) == before
    assert later_than(before, before + timedelta(hours=1)) == before + timedelta(hours=1)
    set_back = later_than(before, before - timedelta(days=400))
    assert set_back > before
    assert later_than(set_back, before - timedelta(days=400)) > set_back
