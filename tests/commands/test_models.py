"""The commands for models, on a folder of versions."""

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from tdml_assets.commands import models as cli_models
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import Manifest, ModelFeature, describe_files, version_name
from tdml_assets.models.record import record_version
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.warehouse import Warehouse

FILES = {"amount.json": b"{}"}
Run = Callable[..., Result]


def manifest(day: int, mae: float) -> Manifest:
    as_of = datetime.date(2024, 6, day)
    identity = {
        "workflow": "cltv",
        "spec": {"task": "regression"},
        "data_fingerprint": str(day),
        "code_version": "1",
        "libraries": {},
    }
    return Manifest(
        **identity,
        version=version_name(as_of, **identity),
        as_of=as_of,
        features=(ModelFeature("orders", "FLOAT"),),
        target="target",
        engine="python",
        metrics={"mae": mae, "spearman": 0.5},
        session_id=f"s{day}",
        created_at=datetime.datetime.combine(as_of, datetime.time()),
        files=describe_files(FILES),
    )


OLD, NEW = manifest(2, 34.7), manifest(9, 33.1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundleStore:
    """Two versions, the later one promoted over the earlier."""
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    store = ModelStore(url=str(tmp_path / "home" / "models")).open()
    for one in (OLD, NEW):
        store.write(one, FILES)
        store.promote(
            "cltv",
            one.version,
            replacing=store.champion("cltv"),
            reason="promoted: error 33.1 a customer",
            session_id=one.session_id,
            promoted_at=one.created_at,
        )
    return store


@pytest.fixture
def run() -> Run:
    app = typer.Typer()
    for command in cli_models.COMMANDS:
        app.command()(command)
    return lambda *words: CliRunner().invoke(app, list(words))


def champion(store: BundleStore) -> str:
    current = store.champion("cltv")
    assert current is not None
    return current.champion.version


def test_versions_are_listed_with_the_champion_marked_and_what_each_was_measured_at(
    store: BundleStore, run: Run
) -> None:
    done = run("versions", "cltv")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert (
        lines[0]
        == f"  {OLD.version}  as of 2024-06-02  error per customer 34.70, ranking customers (1 = perfect) 0.500"
    )
    assert lines[1].startswith(f"* {NEW.version}  as of 2024-06-09  error per customer 33.10")
    assert "scores since 2024-06-09 00:00 UTC (promoted: error 33.1 a customer)" in done.stdout
    assert f"before it: {OLD.version}" in done.stdout
    assert "held" not in done.stdout


def test_without_a_workflow_the_versions_of_all_are_listed(store: BundleStore, run: Run) -> None:
    done = run("versions")
    assert done.exit_code == 0
    assert done.stdout == "cltv\n" + run("versions", "cltv").stdout


def test_a_rollback_goes_to_the_version_before_and_holds_it(store: BundleStore, run: Run) -> None:
    done = run("rollback", "cltv", "--reason", "complaints")
    assert done.exit_code == 0
    assert f"{OLD.version} scores from the next run on, instead of {NEW.version}" in done.stdout
    assert "held: no candidate replaces it until you release cltv" in done.stdout
    assert champion(store) == OLD.version
    hold = store.held("cltv")
    assert hold is not None
    assert hold.reason == f"rolled back from {NEW.version}: complaints"
    assert "release cltv to let candidates" in run("versions", "cltv").stdout
    pointer = store.champion("cltv")
    assert pointer is not None
    assert (pointer.champion.previous, pointer.champion.reason) == (NEW.version, "complaints")


def test_a_rollback_to_a_version_that_is_not_the_one_that_was_trained_is_refused(
    tmp_path: Path, store: BundleStore, run: Run
) -> None:
    home = tmp_path / "home"
    with Warehouse(database=str(home / "warehouse.duckdb"), temp_directory=str(home)).write() as database:
        record_version(database, OLD.session_id, dataclasses.replace(OLD, data_fingerprint="of other data"))
    done = run("rollback", "cltv")
    assert done.exit_code == 1
    assert "is not what was trained" in done.stderr
    assert champion(store) == NEW.version
    assert "cannot be compared with what was trained" in run("promote", "cltv", NEW.version).stderr


def test_a_rollback_and_back_names_the_version(store: BundleStore, run: Run) -> None:
    assert run("rollback", "cltv", OLD.version, "--no-hold").exit_code == 0
    assert store.held("cltv") is None
    assert run("rollback", "cltv").exit_code == 0
    assert champion(store) == NEW.version


def test_a_version_is_promoted_by_name_and_the_hold_stays_as_it_was(store: BundleStore, run: Run) -> None:
    done = run("promote", "cltv", OLD.version)
    assert done.exit_code == 0
    assert champion(store) == OLD.version
    assert "to keep it: hold cltv" in done.stdout
    assert store.held("cltv") is None
    assert run("hold", "cltv", "--reason", "audit").exit_code == 0
    assert "(audit)" in run("promote", "cltv", NEW.version).stdout


def test_hold_and_release(store: BundleStore, run: Run) -> None:
    assert run("hold", "cltv", "--reason", "audit").exit_code == 0
    assert str(store.held("cltv")).endswith("(audit)")
    assert run("release", "cltv").stdout == "cltv is released; it was held: audit\n"
    assert store.held("cltv") is None
    done = run("release", "cltv")
    assert (done.exit_code, done.stdout) == (0, "cltv was not held\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["versions", "cltw"], 2, "no model of a workflow 'cltw' is stored: there are cltv"),
        (["promote", "cltv", "2024-06-30-000000000000"], 2, f"Stored are {OLD.version}, {NEW.version}"),
        (["promote", "cltv", "../evil"], 2, "has no version '../evil'"),
        (["promote", "cltv", OLD.version, "--repair"], 2, "can be read: leave --repair out"),
        (["rollback", "cltv", NEW.version], 2, "is the champion already"),
        (["hold", "cltv", "--reason", " "], 2, "has no reason"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(
    store: BundleStore, run: Run, words: list[str], code: int, said: str
) -> None:
    done = run(*words)
    assert done.exit_code == code
    assert said in done.stderr
    assert champion(store) == NEW.version


def test_nothing_stored_and_nothing_before_are_said(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    empty = run("versions", "cltv")
    assert (empty.exit_code, "none was trained yet: tdml-assets run" in empty.stderr) == (1, True)
    assert run("versions").stdout == "no model is stored yet: tdml-assets run trains the first\n"
    store = ModelStore(url=str(tmp_path / "home" / "models")).open()
    store.write(OLD, FILES)
    assert "no version scores: none was promoted" in run("versions", "cltv").stdout
    assert "no champion to go back from" in run("rollback", "cltv").stderr
    done = run("hold", "cltv", "--reason", "audit")
    assert (done.exit_code, "has no champion" in done.stderr) == (2, True)
    assert run("promote", "cltv", OLD.version).exit_code == 0
    assert f"{OLD.version} replaced no other version" in run("rollback", "cltv").stderr


def test_a_damaged_pointer_is_repaired_on_request_only(store: BundleStore, run: Run, tmp_path: Path) -> None:
    (tmp_path / "home" / "models" / "cltv" / "champion.json").write_bytes(b"{")
    assert "cannot be read" in run("versions", "cltv").stdout
    assert "--repair" in run("rollback", "cltv").stderr
    done = run("promote", "cltv", OLD.version)
    assert done.exit_code == 2
    assert "add --repair" in done.stderr
    assert run("promote", "cltv", OLD.version, "--repair").exit_code == 0
    assert champion(store) == OLD.version


def test_a_damaged_version_is_never_promoted(store: BundleStore, run: Run, tmp_path: Path) -> None:
    (tmp_path / "home" / "models" / "cltv" / OLD.version / "amount.json").write_bytes(b"[]")
    done = run("promote", "cltv", OLD.version)
    assert done.exit_code == 1
    assert "another SHA-256" in done.stderr
    assert champion(store) == NEW.version
