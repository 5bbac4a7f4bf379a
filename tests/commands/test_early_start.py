"""The process of a run waits for its arguments, and is gone where there is nothing to run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tdml_assets.commands.early_start import started_early
from tdml_assets.commands.progress import run_with_progress

#: The process with something else in the place of Dagster, which says how it was started.
SHOWN = """
import os, runpy, sys
from tdml_assets.commands import early_start
def shown(name, run_name):
    print(name, run_name, sys.argv[1:], oct(os.umask(0)), "xgboost" in sys.modules, repr(sys.stdin.buffer.raw.read()))
runpy.run_module = shown
early_start._ALWAYS = ()
early_start.main()
"""


def shown(given: str) -> str:
    done = subprocess.run([sys.executable, "-c", SHOWN], input=given, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_process_becomes_dagster_with_the_arguments_it_is_given() -> None:
    """Its files are its owner's alone, it imports no learner that it was not asked for, and nobody can type into it."""
    line = json.dumps(["asset", "materialize", "--select", 'a b "c"'])
    assert shown(f"{line}\nmore") == (
        "dagster __main__ ['asset', 'materialize', '--select', 'a b \"c\"'] 0o77 False b''"
    )


def test_without_arguments_it_ends_and_does_nothing() -> None:
    assert shown("") == ""


def test_a_refused_run_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TDML_HOME": str(tmp_path / "home"),
        "DAGSTER_HOME": str(tmp_path / "home" / "dagster"),
    }
    with pytest.raises(ValueError, match="refused"), started_early(environment, learners=False) as early:
        child = early._child
        raise ValueError("refused")
    assert child.returncode is not None, "it is ended and waited for"
    assert not list(tmp_path.iterdir())


def test_what_it_says_is_read_as_that_of_any_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with started_early(dict(os.environ), learners=False) as early:
        code = run_with_progress(lambda: early.begin(["no-such-command"]), tmp_path / "run.log")
    assert code == 2
    assert "No such command 'no-such-command'" in (tmp_path / "run.log").read_text()
    assert "exit code 2" in capsys.readouterr().out
