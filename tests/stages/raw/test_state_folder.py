"""A state folder that meets other data, on real files and a real warehouse."""

import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.declaration.workflow import Target, WorkflowSpec
from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.resources import build_resources, build_warehouse
from tdml_assets.settings import Settings, load_settings
from tdml_assets.stages.features.snapshots_asset import build_snapshots
from tdml_assets.stages.raw.asset import build_raw_assets
from tdml_assets.stages.raw.files import FoundFiles, collect_files
from tdml_assets.stages.raw.state_folder import (
    accept_same_customers,
    check_state,
    load_recognised,
    set_aside,
    state_folder,
)
from tdml_assets.stages.raw.state_identity import SKETCH_SIZE, StateConflictError
from tdml_assets.stages.raw.tables import load_table

DAY = datetime.date(2024, 1, 1)
NOW = datetime.datetime.combine(datetime.date(2026, 1, 1), datetime.time())
SHOP = {f"c{number}": DAY + datetime.timedelta(days=3 * number) for number in range(40)}
OTHER_SHOP = {f"c{number}": DAY + datetime.timedelta(days=7 * (40 - number)) for number in range(40)}
CLTV = WorkflowSpec(name="cltv", target=Target(horizon_days=30))


def write_orders(
    path: Path, firsts: dict[str, datetime.date], more_days: int = 0, header: str = "who,when,total"
) -> None:
    lines = [f"{who},{first},5" for who, first in firsts.items()]
    lines += [f"c0,{max(firsts.values()) + datetime.timedelta(days=day)},7" for day in range(1, more_days + 1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    """Settings that declare a file of orders; the state folder is the same whatever they declare."""

    def give(path: str | None = "orders.csv", customer: str = "who", **more: Any) -> Settings:
        content = dict(more)
        if path is not None:
            columns = {"customer_id": customer, "ordered_at": "when", "amount": "total"}
            declared = {"path": path, "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "GBP"}
            content["sources"] = {"orders": {**declared, "columns": columns}}
        (tmp_path / "tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_settings({"TDML_HOME": "home"}, working_folder=tmp_path)

    return give


def load(settings: Settings, table: str = "orders") -> str:
    """Load a raw table and look at as_of, as the first stages of any run do; why it was refused, or nothing."""
    state, declaration = state_folder(settings), settings.sources.declared(table)
    found = FoundFiles((), ())
    if declaration is not None:
        found = collect_files(
            table, declaration, base_folder=settings.base_folder, cache_folder=settings.home, s3_client=lambda: None
        )
    warehouse = build_warehouse(settings)
    try:
        load_recognised(
            warehouse,
            state,
            table,
            lambda database: load_table(database, table, declaration, found, session_id="s", now=NOW),
        )
    except StateConflictError as error:
        return str(error)
    return ""


def materialise(settings: Settings) -> list[str]:
    """Failures of the first stages as Dagster runs them, whoever starts it."""
    state = state_folder(settings)
    assets = build_raw_assets(
        settings.effective_sources, base_folder=settings.base_folder, cache_folder=settings.home / "cache", state=state
    )
    done = dg.materialize(
        [*assets, build_snapshots([CLTV], settings.as_of, state)],
        resources=build_resources(settings),
        raise_on_error=False,
    )
    errors = [event.step_failure_data.error for event in done.get_step_failure_events()]
    return [str(error.cause.message if error and error.cause else error) for error in errors]


def add_session(settings: Settings, as_of: datetime.date, status: str = "published") -> None:
    row = {"session_id": f"s{as_of}", "workflow": "cltv", "as_of": as_of, "status": status}
    with build_warehouse(settings).write() as database:
        database.replace_slice(SESSIONS, {"session_id": row["session_id"], "workflow": "cltv"}, [row])


@pytest.fixture
def home(settings_of: Callable[..., Settings], tmp_path: Path) -> Settings:
    """A state folder with a session of the shop's orders."""
    write_orders(tmp_path / "orders.csv", SHOP)
    settings = settings_of()
    assert load(settings) == ""
    add_session(settings, max(SHOP.values()))
    return settings


def orders_loaded(settings: Settings) -> int:
    with build_warehouse(settings).read() as database:
        return database.count(("raw", "orders"))


def test_more_days_in_more_files_and_erased_customers_go_on(home: Settings, tmp_path: Path) -> None:
    write_orders(tmp_path / "orders.csv", dict(list(SHOP.items())[5:]), more_days=9)
    check_state(home)
    assert load(home) == ""
    assert orders_loaded(home) == 44


def test_a_file_replaced_under_its_path_is_refused_and_nothing_is_loaded(home: Settings, tmp_path: Path) -> None:
    write_orders(tmp_path / "orders.csv", OTHER_SHOP, more_days=3)
    said = load(home)
    assert "this state folder belongs to other data; nothing was changed" in said
    assert "of 40 customers remembered, 40 are in these orders" in said
    assert "last session: cltv at 2024-04-27" in said
    assert orders_loaded(home) == 40, "the load was rolled back"
    write_orders(tmp_path / "orders.csv", SHOP)
    assert load(home) == "", "the folder is as it was"


def test_the_same_orders_under_another_path_are_recognised(
    home: Settings, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    write_orders(tmp_path / "moved" / "all.csv", SHOP, more_days=2, header="customer,when,total")
    moved = settings_of("moved/all.csv", customer="customer")
    check_state(moved)
    assert load(moved) == ""
    recorded = state_folder(moved).read()
    assert recorded is not None
    assert recorded.declared == state_folder(moved).asked


def test_other_orders_under_another_path_are_refused_before_a_run_and_inside_one(
    home: Settings, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    write_orders(tmp_path / "other.csv", OTHER_SHOP)
    other = settings_of("other.csv")
    with pytest.raises(StateConflictError, match="belongs to other data") as caught:
        check_state(other)
    assert "orders from other.csv" in str(caught.value)
    assert "orders from orders.csv" in str(caught.value)
    assert "raw/orders in the same run" in load(other, "pageviews")
    (failure,) = materialise(other)
    assert "belongs to other data" in failure, "and nothing behind raw/orders ran"
    assert orders_loaded(home) == 40


def test_a_person_may_say_that_the_customers_are_the_same(
    home: Settings, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    write_orders(tmp_path / "new_ids.csv", {f"n-{who}": day for who, day in SHOP.items()})
    renamed = settings_of("new_ids.csv")
    with pytest.raises(StateConflictError, match="same-customers"):
        check_state(renamed)
    assert "are the same customers as before" in accept_same_customers(renamed)
    check_state(renamed)
    assert load(renamed) == ""
    recorded = state_folder(renamed).read()
    assert recorded is not None
    assert "as a person said" in recorded.note
    assert len(recorded.sketch.first_days) == 40, "the new customers are remembered"


def test_remembered_customers_are_found_among_more_than_a_sketch_holds(
    home: Settings, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    many = {f"m{number}": DAY for number in range(2 * SKETCH_SIZE)}
    write_orders(tmp_path / "orders.csv", {**SHOP, **many})
    assert load(home) == "", "the forty are there, though most of them lie behind the first of all by their hash"
    recorded = state_folder(home).read()
    assert recorded is not None
    hashed = sorted(hashlib.md5(who.encode(), usedforsecurity=False).hexdigest()[:16] for who in {**SHOP, **many})
    assert sorted(recorded.sketch.first_days) == hashed[:SKETCH_SIZE]


def test_the_samples_state_is_never_taken_for_ones_own(
    home: Settings, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    sample = settings_of(None)
    for refuse in (check_state, accept_same_customers):
        with pytest.raises(StateConflictError, match="the sample data") as caught:
            refuse(sample)
        assert "--same-customers" not in str(caught.value)


def test_a_folder_of_an_earlier_version_is_recognised_by_its_tables(home: Settings, tmp_path: Path) -> None:
    (home.home / "state.json").unlink()
    check_state(home)
    write_orders(tmp_path / "orders.csv", OTHER_SHOP)
    assert "orders loaded by an earlier version" in load(home)
    write_orders(tmp_path / "orders.csv", SHOP)
    (home.home / "sample").mkdir()
    (home.home / "sample" / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StateConflictError, match="holds   the sample data"):
        check_state(home)


def test_data_without_a_session_may_be_replaced(settings_of: Callable[..., Settings], tmp_path: Path) -> None:
    write_orders(tmp_path / "orders.csv", OTHER_SHOP)
    settings = settings_of()
    assert load(settings) == ""
    add_session(settings, DAY, status="started")
    write_orders(tmp_path / "orders.csv", SHOP)
    check_state(settings)
    assert load(settings) == "", "a first try that went wrong left nothing to protect"


def test_going_back_in_time_is_refused_before_a_run_and_inside_one(
    home: Settings, settings_of: Callable[..., Settings]
) -> None:
    back = settings_of(as_of="2024-03-01")
    record = (home.home / "state.json").read_bytes()
    for look in (check_state, accept_same_customers):
        with pytest.raises(
            StateConflictError, match=r"as_of 2024-03-01 is before the last session .*cltv at 2024-04-27"
        ):
            look(back)
    assert (home.home / "state.json").read_bytes() == record
    (failure,) = materialise(back)
    assert "as_of 2024-03-01 is before the last session" in failure
    again = settings_of(as_of="2024-04-27")
    check_state(again)
    assert materialise(again) == []


def test_a_fresh_start_moves_the_old_state_aside_and_keeps_the_samples(home: Settings) -> None:
    (home.home / "sample-state").mkdir()
    moved = set_aside(home)
    assert moved is not None
    assert moved.name.startswith("home.old-")
    assert (moved / "warehouse.duckdb").is_file()
    assert [path.name for path in home.home.iterdir()] == ["sample-state"]
    assert set_aside(home) is None
    assert load(home) == ""


def test_a_fresh_start_does_not_leave_models_of_the_old_data_elsewhere(
    home: Settings, settings_of: Callable[..., Settings]
) -> None:
    outside = settings_of(models_url="elsewhere")
    with pytest.raises(StateConflictError, match="set another models_url"):
        set_aside(outside)
    assert home.warehouse_path.is_file()


def test_the_command_refuses_with_exit_code_2_before_anything_is_written(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings_of: Callable[..., Settings]
) -> None:
    settings_of(None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TDML_HOME", str(home.home))
    before = sorted(home.home.rglob("*"))
    for command in (["run"], ["prepare"], ["replay", "--from", "2024-01-31", "--to", "2024-02-29"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 2, done.output
        assert done.stderr.startswith("error: this state folder belongs to other data; nothing was changed")
    assert sorted(home.home.rglob("*")) == before
    both = CliRunner().invoke(app, ["run", "--fresh", "--same-customers"])
    assert (both.exit_code, "give one of them" in both.stderr) == (2, True)


def test_models_without_a_session_are_protected_too(
    home: Settings, settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    with build_warehouse(home).write() as database:
        database.replace(SESSIONS, [])
    write_orders(tmp_path / "other.csv", OTHER_SHOP)
    other = settings_of("other.csv")
    check_state(other)
    assert load(other, "pageviews") == "", "nothing of the shop needs protection"
    manifest = home.home / "models" / "cltv" / "v1" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}", encoding="utf-8")
    with pytest.raises(StateConflictError, match="it has models"):
        check_state(other)


def test_orders_of_ones_own_are_not_loaded_over_those_of_the_sample(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    write_orders(tmp_path / "orders.csv", SHOP)
    own = settings_of()
    state = state_folder(own)
    assert load(own) == ""
    add_session(own, DAY)
    recorded = state.read()
    assert recorded is not None
    sample = state_folder(settings_of(None))
    state.write(recorded.model_copy(update={"declared": sample.asked}))
    assert "belongs to other data" in load(own)


def test_the_same_customers_can_be_declared_before_anything_was_loaded(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    write_orders(tmp_path / "orders.csv", SHOP)
    settings = settings_of()
    settings.home.mkdir()
    assert accept_same_customers(settings).endswith("are the same customers as before (no record)")
    assert load(settings) == ""


def test_a_fresh_start_without_a_sample_leaves_an_empty_folder(home: Settings) -> None:
    assert set_aside(home) is not None
    assert list(home.home.iterdir()) == []
