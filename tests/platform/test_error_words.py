"""The words of an error: which exception of a chain explains a failure, from text and from Dagster's own event records."""

from __future__ import annotations

import dagster as dg
import pytest

from tdml_assets.platform.error_words import error_name, error_text, last_error

SECRET = "anna@example.org"


def test_an_error_wrapped_only_by_dagster_is_taken_from_its_cause() -> None:
    body = (
        "Execution failed.\n\n"
        'dagster._core.errors.DagsterExecutionLoadInputError: Error occurred while loading "x":\n\n'
        "Stack Trace:\n  File x\n\nThe above exception was caused by the following exception:\n"
        "tdml_assets.platform.warehouse.WarehouseBusyError: held by PID 7: let it finish\n\nStack Trace:\n  File y\n"
    )
    assert error_text(body) == "WarehouseBusyError: held by PID 7: let it finish"


def test_a_dbt_failure_shows_what_dbt_said() -> None:
    body = (
        'Execution of step "dbt_models" failed.\n\n'
        "dagster_dbt.errors.DagsterDbtCliRuntimeError: The dbt CLI process\n\n"
        "failed with exit code `1`.\n\nErrors parsed from dbt logs:\n\n"
        "5 of 6 ERROR creating sql table model main.c ......... [\x1b[31mERROR\x1b[0m in 0.11s]\n\n"
        "  Runtime Error in model c (models/c.sql)\n\nStack Trace:\n  File x\n"
    )
    assert error_text(body).splitlines() == [
        "dbt failed",
        "5 of 6 ERROR creating sql table model main.c [ERROR in 0.11s]",
        "  Runtime Error in model c (models/c.sql)",
    ]


def test_a_blocking_check_is_named_without_dagsters_words() -> None:
    body = (
        'Execution of step "audience__check" failed.\n\n'
        "dagster._core.errors.DagsterAssetCheckFailedError: 1 blocking asset check failed with ERROR severity:\n"
        "cltv/predictions: sanity\n\nStack Trace:\n  File x\n"
    )
    assert error_text(body) == "stopped by a blocking check: cltv/predictions: sanity"


def test_a_long_error_is_cut_and_says_so() -> None:
    text = error_text("ValueError: first\n" + "\n".join(f"line {index}" for index in range(100)))
    assert len(text.splitlines()) == 13
    assert text.endswith("further lines in the log")


def test_the_last_exception_of_a_traceback_is_found_with_its_further_lines() -> None:
    lines = [
        "Traceback (most recent call last):",
        "ValueError: older",
        '  File "x", line 1',
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings",
        "workflow",
        "  Extra inputs are not permitted",
    ]
    assert last_error(lines).splitlines() == [
        "ValidationError: 1 validation error for Settings",
        "workflow",
        "  Extra inputs are not permitted",
    ]
    assert last_error(["Usage: dagster", "", "Error: Missing option '--select'."]).endswith(
        "Missing option '--select'."
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"TooFewRowsError: {SECRET} has 3 rows", "TooFewRowsError"),
        ("stopped by a blocking check: next_best_product/evaluation: fit_to_score", "fit_to_score"),
        (f"dbt failed\n{SECRET}", "dbt"),
        (f"{SECRET} is wrong", "unknown error"),
        ("", "unknown error"),
    ],
)
def test_an_error_is_named_by_its_class_alone(text: str, name: str) -> None:
    assert error_name(text) == name


class TooFewRowsError(ValueError):
    """An error as the stages raise it."""


@dg.asset
def candidate() -> None:
    """Fails with an error raised from another."""
    try:
        {}["inner"]
    except KeyError as error:
        raise TooFewRowsError("3 rows, 50 are needed: widen the horizon") from error


def test_an_event_record_and_its_printed_form_are_explained_alike() -> None:
    result = dg.materialize([candidate], raise_on_error=False)
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    error = failure.step_failure_data.error
    assert error is not None
    printed = f'Execution of step "candidate" failed.\n\n{error}'
    assert error_text(error.to_string()) == "TooFewRowsError: 3 rows, 50 are needed: widen the horizon"
    assert error_text(printed) == error_text(error.to_string())
    assert error_name(error_text(printed)) == "TooFewRowsError"
