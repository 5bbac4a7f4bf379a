"""Killing any stage by SIGKILL and running again gives the tables of an undisturbed run.

The stages are killed one after the other on one state: each run starts over on what the killed ones left, has to get past
the stage that was killed before, and is killed in the next; the last is left alone and compared.
"""

import signal
from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Home

#: Of the raw tables one: all are loaded by the same code, and the last run, which is left alone, has all of them.
DATA_STAGES = (
    "raw__orders",
    "raw__rejected_rows",
    "features__snapshots",
    "dbt_build",
    "features__customer_features_features_ignore_later_rows",
)
TRAINING = (
    "training_table",
    "exploration",
    "preparation_parameters",
    "prepared",
    "candidate_model",
    "evaluation",
    "champion_model",
)
SCORING = ("predictions", "drift", "drift_report", "realised", "triage", "session_report")
#: Of recommendation those whose writing is its own, and the promotion, without which nothing behind it runs. The other tasks
#: write by the code of cltv's stages; the last run, which is left alone, has all of them.
OF_RECOMMENDATION = ("candidate_model", "champion_model", "predictions")
WORKFLOW_STAGES = (
    "monitoring__data_quality",
    *(f"cltv__{stage}" for stage in (*TRAINING, *SCORING)),
    *(f"next_best_product__{stage}" for stage in OF_RECOMMENDATION),
    "publish_attributes",
    "audience__files",
)

KILLED = -signal.SIGKILL


#: Columns of what is compared with an earlier session that do not depend on whether there is one: the first has none before it.
OWN_COLUMNS = {"monitoring.data_quality": 2, "monitoring.triage": 2, "monitoring.drift": 5}


def own_of(tables: dict[str, Any]) -> dict[str, Any]:
    """Without what the figures were compared with: a killed run may have left the champion that the next run is compared with."""
    own = {name: sorted(row[: OWN_COLUMNS[name]] for row in tables[name]) for name in OWN_COLUMNS}
    return {**tables, **own}


def test_data_stages_killed_one_after_the_other_leave_no_trace(
    prepared_home: Home, data_home: Home, copy_of: Callable[[Home], Home]
) -> None:
    home = copy_of(prepared_home)
    assert home.runs(*DATA_STAGES, "data") == [KILLED] * len(DATA_STAGES) + [0]
    assert home.tables() == data_home.tables()


def test_workflow_stages_killed_one_after_the_other_leave_no_trace(
    data_home: Home, finished_home: Home, copy_of: Callable[[Home], Home]
) -> None:
    home = copy_of(data_home)
    assert home.runs(*WORKFLOW_STAGES, "workflows") == [KILLED] * len(WORKFLOW_STAGES) + [0]
    assert own_of(home.tables()) == own_of(finished_home.tables())


def test_the_same_session_executed_again_doubles_nothing_and_a_new_one_adds_only_its_own_rows(
    finished_home: Home, copy_of: Callable[[Home], Home]
) -> None:
    home, before = copy_of(finished_home), finished_home.tables()
    # A row that the first doubled would exist three times after the second.
    assert home.runs("again", "workflows") == [0, 0]
    tables = home.tables()
    appended = {name for name in tables if name.startswith("monitoring.")}
    assert {name: tables[name] for name in tables.keys() - appended} == {
        name: before[name] for name in before.keys() - appended
    }
    for name in appended:
        # Another session of the same data: the same figures under another key.
        assert len(tables[name]) == 2 * len(before[name]), name
        if name in OWN_COLUMNS:
            own = slice(0, OWN_COLUMNS[name])
            assert {row[own] for row in tables[name]} == {row[own] for row in before[name]}, name
        else:
            assert set(tables[name]) == set(before[name]), name
