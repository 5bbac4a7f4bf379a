"""Input that cannot be used: the message names the thing and the remedy, the exit code is not 0, earlier results stay."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.platform.run_lock import hold_state
from tests.e2e.conftest import WAREHOUSE, Home

HEADER = "customer_id,day,amount\n"
BASE = """
sources:
  orders:
    path: orders.csv
    format: csv
    currency: EUR
    timestamp_format: "%Y-%m-%d"
    columns: {customer_id: customer_id, ordered_at: day, amount: amount}
"""
ORDERS = BASE + "workflows: [cltv]\n"
ONE_CUSTOMER = "".join(f"Q-0007-Q,2024-{month:02d}-{day:02d},10.50\n" for month in range(1, 13) for day in (3, 17))
NOBODY = "".join(f",2024-{month:02d}-05,10.50\n" for month in range(1, 13))

#: Refused before any other process starts.
SETTINGS_CASES = {
    "an unknown key": (
        ORDERS + "as_off: latest\n",
        HEADER + ONE_CUSTOMER,
        ["as_off: unknown key", "did you mean 'as_of'"],
    ),
    "a file that is not there": (
        ORDERS.replace("orders.csv", "ordres.csv"),
        HEADER + ONE_CUSTOMER,
        ["sources.orders.path: 'ordres.csv' is not there", "correct the path"],
    ),
    "an unknown workflow": (
        BASE + "workflows: [cltw]\n",
        HEADER + ONE_CUSTOMER,
        ["cltw is not declared; did you mean 'cltv'?", "known: churn, cltv"],
    ),
    "an unknown key of a workflow": (
        BASE + "workflows: {churn: {eligible: {ordered_within_day: 90}}}\n",
        HEADER + ONE_CUSTOMER,
        ["workflows.churn: eligible.ordered_within_day: unknown key; did you mean 'ordered_within_days'?"],
    ),
    "a wrong value of a workflow": (
        BASE + "workflows: {churn: {target: {horizon_days: soon}}}\n",
        HEADER + ONE_CUSTOMER,
        ["workflows.churn: target.horizon_days", "'soon'"],
    ),
    "a wrong value": (ORDERS + "warehouse: {threads: two}\n", HEADER + ONE_CUSTOMER, ["warehouse.threads", "'two'"]),
}
#: Of files that cannot be read one stands for all: which message each gives is shown in ``stages/raw/test_formats.py``.
CASES = {
    "a missing column": (
        ORDERS,
        "customer_id,day\nQ-0007-Q,2024-01-01\n",
        ["orders.csv has no column 'amount'", "found 'customer_id', 'day'"],
    ),
    "an empty file": (ORDERS, "", ["orders.csv", "empty"]),
    "no customers": (
        ORDERS,
        HEADER + NOBODY,
        ["none of 12 rows can be used (missing_customer 12)", "sources.orders.columns.customer_id"],
    ),
}
#: Too little to learn from, and enough to say something.
SMALL_CASES = {
    "one customer": (ORDERS, HEADER + ONE_CUSTOMER, ["train split has", "split.min_rows"], 1),
    "a history shorter than the horizon": (
        BASE + "workflows: [cltv, churn, segments]\n",
        HEADER + "".join(f"{customer:04d},2024-01-0{customer % 9 + 1},5\n" for customer in range(99)),
        ["horizon of 90 days", "shorten target.horizon_days"],
        99,
    ),
}


def run(home: Home, *options: str) -> tuple[int, str]:
    """Exit code, and what was said: by the command in this process, and by the run that it starts."""
    done = CliRunner().invoke(app, ["run", *options], env=home.environment)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("case", SETTINGS_CASES)
def test_settings_that_cannot_be_used_are_refused_before_anything_is_touched(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, orders, expected = SETTINGS_CASES[case]
    home = Home(tmp_path)
    (tmp_path / "tdml.yaml").write_text(settings, encoding="utf-8")
    (tmp_path / "orders.csv").write_text(orders, encoding="utf-8")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["run"])
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit), "an error, not a traceback"
    for words in expected:
        assert words in done.output
    assert "Q-0007-Q" not in done.output
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("case", CASES)
def test_the_message_names_the_thing_and_nothing_is_lost(
    case: str, finished_home: Home, copy_of: Callable[[Home], Home]
) -> None:
    settings, orders, expected = CASES[case]
    home = copy_of(finished_home)
    before = {name: rows for name, rows in home.tables().items() if name.split(".")[0] in ("cltv", "audience")}
    (home.folder / "tdml.yaml").write_text(settings, encoding="utf-8")
    (home.folder / "orders.csv").write_text(orders, encoding="utf-8")
    # A state that does not know its data, as an earlier version left it: the sample's would refuse any other orders.
    (home.folder / "home" / "state.json").unlink()
    shutil.rmtree(home.folder / "home" / "sample")
    code, said = run(home, "--same-customers")
    assert code in (1, 2), said
    assert "Traceback" not in said
    for words in expected:
        assert words in said, said
    after = {name: rows for name, rows in home.tables().items() if name.split(".")[0] in ("cltv", "audience")}
    assert after == before
    assert "Q-0007-Q" not in said, "a customer's id is not part of a message"


@pytest.mark.parametrize("case", SMALL_CASES)
def test_a_shop_too_small_to_learn_from_is_scored_by_a_rule_which_says_why(
    case: str, tmp_path: Path, give_manifest: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, orders, expected, customers = SMALL_CASES[case]
    home = Home(tmp_path)
    give_manifest(tmp_path / "home")
    (tmp_path / "tdml.yaml").write_text(settings, encoding="utf-8")
    (tmp_path / "orders.csv").write_text(orders, encoding="utf-8")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    checked = json.loads(CliRunner().invoke(app, ["check", "--json"]).stdout)["workflows"]
    code, said = run(home)
    assert code == 0, said
    with duckdb.connect(str(tmp_path / WAREHOUSE), read_only=True) as connection:
        outcomes = connection.execute("select workflow, state, reason from monitoring.workflow_outcomes").fetchall()
    assert {name: state for name, state, _ in outcomes} == {name: one["state"] for name, one in checked.items()}
    for name, state, reason in outcomes:
        if state == "fallback":
            assert reason.split("; ")[0] in checked[name]["reason"], "check gives the reason that the run gives"
    for words in ("scored without a trained model", *expected):
        assert words in " ".join(said.split()), said
    assert len(home.tables()["audience.parent_segment_attributes"]) == customers
    assert "Q-0007-Q" not in said, "a customer's id is not part of a message"


def test_of_two_runs_at_once_the_second_says_who_is_first(
    finished_home: Home, copy_of: Callable[[Home], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(finished_home)
    monkeypatch.setenv("TDML_SESSION_WAIT_SECONDS", "0")
    before = home.tables()
    with hold_state(Path(home.environment["TDML_HOME"]) / "run.lock", "0123456789", 0):
        code, said = run(home)
    assert code != 0
    assert f"run 01234567 (process {os.getpid()}) is using" in said
    assert "run again; nothing was changed" in said
    assert home.tables() == before
