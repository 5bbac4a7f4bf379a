"""A training in a process of its own: the same model, within the tier, and nothing lost whatever ends it."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tdml_assets.engines.protocol import TIER1, ModelSpec, Tier
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.stages.training.fit import Choosing
from tdml_assets.stages.training.tier_process import (
    TierBreachError,
    Training,
    TrainingEndedError,
    _answer,
    _ending,
    _packed,
    _written,
    train_within_tier,
)
from tests.stages.training.test_rehearsal import MODEL, splits

SMALL = Tier("tier1", cpus=1, memory_gb=0.5, disk_gb=1.0)


class Greedy(PythonEngine):
    """Needs more than its arithmetic says."""

    def fit(self, train, validation, spec, tier):
        kept = [np.ones(10_000_000) for _ in range(20)]
        raise AssertionError(f"{len(kept)} arrays were allowed")


class Ended(PythonEngine):
    """Is ended by something else while it learns."""

    def fit(self, train, validation, spec, tier):
        os.kill(os.getpid(), signal.SIGKILL)


class Refusing(PythonEngine):
    """Finds too little to learn from."""

    def fit(self, train, validation, spec, tier):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else tier.cpus
        raise RefusedError(f"3 rows on {cores} core, 50 are needed", "add snapshots")


class OddError(Exception):
    """Made from two values, with a message of one."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


class Sleeping(PythonEngine):
    """Learns for ever, and says where."""

    def fit(self, train, validation, spec, tier):
        Path(spec.options).write_text(str(os.getpid()))
        time.sleep(600)


PLAIN = ModelSpec("pareto_nbd_gamma_gamma", horizon_days=91)


def trained(engine, tmp_path, tier=TIER1, model=PLAIN, parts=None):
    return train_within_tier(Training(engine, model, tier), parts or splits(), None, tmp_path, 0)


def leaves(content, place=()):
    """Values of a JSON document by their place in it."""
    if not isinstance(content, dict | list):
        return {place: content}
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    return {found: value for key, one in inner for found, value in leaves(one, (*place, key)).items()}


def near(values):
    """The same values, floats to nine digits."""
    return {place: pytest.approx(one, rel=1e-9) if isinstance(one, float) else one for place, one in values.items()}


def test_files_are_the_same_to_nine_digits_and_not_to_eight():
    said = {"losses": [0.5, 0.25], "rounds": 8, "name": "x"}
    assert_same_files(
        {"a": json.dumps(said).encode()}, {"a": b'{"losses": [0.500000000001, 0.25], "rounds": 8, "name": "x"}'}
    )
    for other in (
        '{"losses": [0.50000001, 0.25], "rounds": 8, "name": "x"}',
        '{"losses": [0.5, 0.25], "rounds": 9, "name": "x"}',
    ):
        with pytest.raises(AssertionError):
            assert_same_files({"a": json.dumps(said).encode()}, {"a": other.encode()})


def assert_same_files(found, expected):
    """Equal but for what a sum may differ by: NumPy adds in an order that depends on where the values lie in memory."""
    assert found.keys() == expected.keys()
    for name in found:
        if found[name] != expected[name]:
            assert leaves(json.loads(found[name])) == near(leaves(json.loads(expected[name])))


def test_a_process_of_its_own_gives_the_model_that_this_process_gives(tmp_path):
    training = Training(PythonEngine(), replace(MODEL, parameters={"rounds": 8, "patience": 3}), TIER1)
    training = replace(training, choosing=Choosing())
    here = train_within_tier(training, splits(), None, tmp_path, 10**9)
    there = train_within_tier(training, splits(), None, tmp_path, 0)
    assert_same_files(there.final.files(), here.final.files())
    assert_same_files(there.evaluated.files(), here.evaluated.files())
    assert there.holdout.equals(here.holdout)
    assert (there.choice, there.model.estimator) == (here.choice, here.model.estimator)
    assert not list(tmp_path.iterdir())


def test_what_needs_more_memory_than_the_tier_is_ended_with_the_bound_and_the_remedy(tmp_path):
    with pytest.raises(TierBreachError, match=r"1,800 rows took more than the 0.5 GB memory of tier1 .* larger tier"):
        trained(Greedy(), tmp_path, SMALL)
    assert not list(tmp_path.iterdir())


def test_a_process_that_something_ends_is_named_with_how_it_ended(tmp_path):
    with pytest.raises(TrainingEndedError, match="ended by SIGKILL.*run the session again"):
        trained(Ended(), tmp_path)


def test_a_refusal_of_a_process_on_as_many_cores_as_the_tier_has_comes_back_whole(tmp_path):
    with pytest.raises(RefusedError) as raised:
        trained(Refusing(), tmp_path)
    assert (raised.value.reason, raised.value.remedy) == ("3 rows on 1 core, 50 are needed", "add snapshots")
    # Where it was raised, which the traceback of this process does not know.
    assert "in fit" in "".join(raised.value.__notes__)


def test_an_error_that_cannot_be_carried_over_is_named():
    found = pickle.loads(_packed(OddError(1, 2)))
    assert isinstance(found, TrainingEndedError)
    assert str(found) == "OddError: 1 and 2"


def test_a_training_ends_with_the_process_that_asked_for_it(tmp_path):
    noted = tmp_path / "pid"
    code = (
        "import sys; from tests.stages.training import test_tier_process as t; from dataclasses import replace; "
        "from pathlib import Path; t.trained(t.Sleeping(), Path(sys.argv[2]), model=replace(t.PLAIN, options=sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", code, str(noted), str(tmp_path / "spill")], env=environment)
    try:
        _until(lambda: noted.exists() and noted.read_text())
        child = int(noted.read_text())
    finally:
        parent.kill()
        parent.wait()
    _until(lambda: not _runs(child))
    assert not list((tmp_path / "spill").iterdir())


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _until(happened):
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_process_that_ended_by_itself_is_named_with_its_exit_code_or_its_signal():
    by_code, by_signal = (str(_ending(code, "", 1_800, TIER1)) for code in (7, -signal.SIGSEGV))
    assert by_code.startswith(
        "training on 1,800 rows ended with exit code 7 before it had a model: run the session again"
    )
    assert by_signal.startswith("training on 1,800 rows ended by signal 11 before it had a model")


class Starved(PythonEngine):
    """Its library says in words of its own that memory has ended."""

    def fit(self, train, validation, spec, tier):
        raise RuntimeError("std::bad_alloc")


def test_memory_that_ends_inside_a_library_is_memory_that_ended(tmp_path):
    with (tmp_path / "asked").open("w+b") as asked, contextlib.ExitStack() as files:
        pickle.dump(Training(Starved(), PLAIN, TIER1), asked)
        asked.flush()
        rows = {name: files.enter_context((tmp_path / name).open("w+b")) for name in splits()}
        written = {name: _written(table, rows[name]).fileno() for name, table in splits().items()}
        with pytest.raises(MemoryError, match="bad_alloc"):
            _answer(asked.fileno(), written)


def test_a_model_that_cannot_be_carried_over_is_an_error_and_no_message():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        _packed(lambda: None)
