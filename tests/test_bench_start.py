"""The benchmark of start-up: its table, and what it does with a checkout in which a session fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import start
from benchmarks.measure import CommandFailedError, Measurement


def measured(cpu_seconds: float) -> list[Measurement]:
    return [Measurement(2 * cpu_seconds, cpu_seconds, 0.5, 10)]


def test_the_code_location_is_a_multiple_of_importing_dagster() -> None:
    # Of two quick loads and one on a busy machine the median counts.
    loads = [*measured(3.0), *measured(3.0), *measured(30.0)]
    ours = {"import dagster": measured(1.0), "code location": loads, "first session": measured(40.0)}
    before = {"import dagster": measured(1.0), "code location": measured(9.0), "first session": []}
    rows = {(row.case, row.metric): row for row in start.table_of(ours, before)}
    times = rows["code location", "cpu_seconds_per_import_dagster"]
    assert (times.ours, times.baseline, times.ratio) == (3.0, 9.0, 0.333)
    assert rows["first session", "seconds"].ours == 80.0
    assert rows["first session", "seconds"].ratio is None, "it failed there"


def test_a_command_that_fails_has_no_figure_and_the_others_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def run(arguments: tuple[str, ...], *_: object) -> Measurement:
        seen.append(arguments)
        if seen.count(arguments) == 2:
            raise CommandFailedError("the second session ended with code 1")
        return measured(1.0)[0]

    monkeypatch.setattr(start, "_run", run)
    found = start.measure_tree(tmp_path, tmp_path, 1)
    assert {case: len(one) for case, one in found.items()} == {
        "import dagster": 6,
        "code location": 6,
        "first session": 1,
        "second session": 0,
    }
    assert start.parse([]).repeat == 3, "a single repetition is noise"
    assert "ended with code 1" in capsys.readouterr().out


def test_a_checkout_runs_on_a_state_of_its_own_without_variables_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TDML_AS_OF", "2020-01-01")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = start.environment_of(tmp_path, tmp_path / "home")
    assert "TDML_AS_OF" not in found
    assert "PYTHONDONTWRITEBYTECODE" not in found, "the checkout would be compiled in each process, dagster would not"
    assert (found["TDML_HOME"], found["PYTHONPATH"]) == (str(tmp_path / "home"), str(tmp_path))
