"""The entry, the option strings, and what holds for every learner."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, compiled, run
from tdml_assets.engines.hivemall.catalogue import functions
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tdml_assets.engines.hivemall.java_text import double_text, float_text
from tdml_assets.engines.hivemall.options import declare, parse

ROWS = pa.table(
    {"features": [["a:1.0", "b:0.5"], ["a:-1.0"], ["b:2.0", "c"]], "label": pa.array([1, 0, 1], pa.int32())}
)
BINARY = [
    name
    for name in functions()
    if name.startswith("train_") and "multiclass" not in name and name not in ("train_ffm", "train_slim")
    if not name.startswith(("train_mf", "train_bpr"))
]


def test_an_unknown_function_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(HivemallError, match="The nearest name is train_arow"):
        run("train_aro", ROWS)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        HivemallError, match=r"Unrecognized option: -bogus\. Known options of train_arow: -dense .* -r "
    ):
        run("train_arow", ROWS, "-bogus 1")


def test_a_wrong_number_of_columns_is_refused() -> None:
    with pytest.raises(HivemallError, match=r"takes 2 to 2 arguments .* 1 given"):
        run("train_arow", ROWS.select(["features"]))


def test_options_have_short_and_long_names_and_bare_words_are_ignored() -> None:
    known = declare("r,regularization= dense,densemodel help")
    assert parse("word -regularization -0.5 --dense", known, "f").values == {"r": "-0.5", "dense": ""}
    assert parse("-r 1 -r 2", known, "f").values == {"r": "1"}
    assert not parse("  ", known, "f").given
    with pytest.raises(HivemallError, match="Missing argument for option: r"):
        parse("-r -dense", known, "f")
    with pytest.raises(HivemallError, match=r"usage: f \[-dense\] \[-help\] \[-r <arg>\]"):
        parse("-help", known, "f")


def test_an_option_string_may_be_a_constant_column() -> None:
    texts = pa.array(["-features 100"] * 2)
    rows = pa.table({"features": [["a:1"], ["b"]], "options": texts})
    assert run("feature_hashing", rows).equals(run("feature_hashing", rows.select(["features"]), "-features 100"))


def test_importing_and_calling_a_plain_function_does_not_import_numba() -> None:
    code = (
        "import sys, pyarrow as pa; from tdml_assets.engines.hivemall import run;"
        "run('mhash', pa.table({'word': ['a']})); print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_compiled_and_plain_kernels_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    draw = np.random.default_rng(3)
    values = draw.normal(size=(60, 4)).astype(np.float32)
    features = [[f"x{place}:{value}" for place, value in enumerate(row)] for row in values]
    rows = pa.table({"features": features, "label": pa.array((values[:, 0] > 0).astype(np.int32))})
    compiled_model = run("train_arow", rows)
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)
    assert compiled_model.equals(run("train_arow", rows))


@pytest.mark.parametrize("name", BINARY)
def test_a_learner_gives_equal_models_from_equal_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)
    model = run(name, ROWS)
    assert model.equals(run(name, ROWS))
    assert model.column_names[0] == "feature"
    assert model.num_rows > 0
    assert run(name, ROWS.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    "optimiser", ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "rmspropgraves", "adadelta"]
)
@pytest.mark.parametrize("regulariser", ["no", "l1", "l2", "elasticnet"])
def test_an_optimiser_learns_the_sign_of_a_feature(
    optimiser: str, regulariser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)
    options = f"-loss logloss -opt {optimiser} -reg {regulariser} -iters 3"
    model = run("train_classifier", pa.concat_tables([ROWS] * 5), options).to_pydict()
    weights = dict(zip(model["feature"], model["weight"], strict=True))
    assert weights["a"] > 0
    assert weights["b"] > 0


def test_numbers_are_written_as_java_writes_them() -> None:
    assert [double_text(x) for x in (20.0, 1e-5, 1e10, 0.001, 1e7, 123456.789, -0.0)] == [
        "20.0",
        "1.0E-5",
        "1.0E10",
        "0.001",
        "1.0E7",
        "123456.789",
        "-0.0",
    ]
    assert [float_text(x) for x in (0.1, 1.1, math.inf, math.nan)] == ["0.1", "1.1", "Infinity", "NaN"]


def test_random_numbers_are_those_of_java() -> None:
    source = JavaRandom(42)
    assert [source.next_int() for _ in range(2)] == [-1170105035, 234785527]
    assert JavaRandom(42).next_int(10) == 0
    assert JavaRandom(42).next_gaussian() == pytest.approx(1.1419053154730547)
    assert JavaRandom(42).next_double() == pytest.approx(0.7275636800328681)
