"""Functions without a small vector: values that a person can compute, and properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, compiled, run
from tdml_assets.engines.hivemall.java_random import JavaRandom

TEXTS, LONGS, DOUBLES = pa.list_(pa.string()), pa.list_(pa.int64()), pa.list_(pa.float64())
#: Function, its argument columns, and the value that it gives for one row or for all of them.
VALUES: list[tuple[str, list[pa.Array], Any]] = [
    ("to_dense", [pa.array([["1:2.5"]], TEXTS), pa.array([2])], [None, 2.5, None]),
    ("to_sparse", [pa.array([[0.0, None, 2.0]], DOUBLES)], ["0:0.0", "2:2.0"]),
    ("add_field_indicies", [pa.array([["a", "b"]], TEXTS)], ["1:a", "2:b"]),
    ("sort_by_feature", [pa.array([[(2, 0.5), (1, 1.5)]], pa.map_(pa.int32(), pa.float32()))], [(1, 1.5), (2, 0.5)]),
]


@pytest.fixture(autouse=True)
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)


def table(*columns: pa.Array) -> pa.Table:
    return pa.table(list(columns), names=[f"c{place}" for place in range(len(columns))])


@pytest.mark.parametrize(("name", "columns", "wanted"), VALUES, ids=[f"{i:02d}-{v[0]}" for i, v in enumerate(VALUES)])
def test_gives(name: str, columns: list[pa.Array], wanted: Any) -> None:
    assert run(name, table(*columns)).to_pydict() == {"value": [wanted]}


def test_ffm_predict_adds_weights_and_products_of_pairs() -> None:
    rows = table(
        pa.array([0.5, None]),
        pa.array([None, [1.0, 2.0]], DOUBLES),
        pa.array([None, [3.0, 4.0]], DOUBLES),
        pa.array([2.0, 0.5]),
        pa.array([None, 2.0]),
    )
    assert run("ffm_predict", rows).to_pydict() == {"value": [0.5 * 2.0 + 11.0 * 0.5 * 2.0]}


def start(seed: int, count: int, scale: float) -> list[float]:
    source = JavaRandom(seed)
    return [float(source.next_float()) * scale for _ in range(count)]


@pytest.mark.parametrize("name", ["train_mf_sgd", "train_mf_adagrad"])
def test_one_rating_moves_factors_and_biases_by_the_written_rule(name: str) -> None:
    rows = table(pa.array([0]), pa.array([0]), pa.array([4.0]))
    model = run(name, rows, "-k 2 -mu 3").to_pylist()[0]
    p, q = start(31, 2, 0.5), start(41, 2, 0.5)
    error = 4.0 - 3.0 - sum(a * b for a, b in zip(p, q, strict=True))
    gradients = [error * q[0] - 0.03 * p[0], error * p[0] - 0.03 * q[0], error]
    if name == "train_mf_sgd":
        steps = [0.1 * g for g in gradients]
    else:
        steps = [g / math.sqrt(1.0 + g * (g / 100.0) * 100.0) for g in gradients]
    got = [model["pu"][0] - p[0], model["qi"][0] - q[0], model["bu"]]
    assert got == pytest.approx(steps, abs=1e-6)


def test_one_preference_moves_the_liked_item_up_and_the_other_down() -> None:
    rows = table(pa.array([0]), pa.array([1]), pa.array([2]))
    model = run("train_bprmf", rows, "-k 2 -iters 1").to_pydict()
    p, q = start(31, 2, 0.5), start(41, 4, 0.5)
    x = sum(p[f] * (q[f] - q[2 + f]) for f in range(2))
    slope = 1.0 / (1.0 + math.exp(x))
    assert model["bi"] == pytest.approx([0.0, 0.1 * slope, -0.1 * slope], abs=1e-6)
    assert model["qi"][1][0] == pytest.approx(q[0] + 0.1 * (slope * p[0] - 0.0025 * q[0]), abs=1e-6)
    assert model["qi"][0] is None
    assert model["pu"][1] is None


def test_one_row_moves_a_factorisation_machine_by_the_written_rule() -> None:
    rows = table(pa.array([["a", "b:2"]], TEXTS), pa.array([3.0]))
    model = {row["feature"]: row for row in run("train_fm", rows, "-seed 1 -f 1 -iters 1 -lambda 0").to_pylist()}
    a, b = start(1, 2, 0.5)
    g = 2.0 * a * b - 3.0
    assert model["0"]["w_i"] == pytest.approx(-0.1 * g, abs=1e-6)
    assert model["b"]["w_i"] == pytest.approx(-0.1 * g * 2.0, abs=1e-6)
    assert model["b"]["v_if"][0] == pytest.approx(b - 0.1 * g * 2.0 * a, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "weight"),
    [("pa", 0.5), ("pa2", 0.4), ("arowh", 10.0), ("cw", None), ("scw2", None)],
)
def test_the_first_row_of_a_multiclass_learner(name: str, weight: float | None) -> None:
    rows = table(pa.array([["x:1.0"]], TEXTS), pa.array(["red"]))
    model = run(f"train_multiclass_{name}", rows).to_pylist()
    assert (model[0]["label"], model[0]["feature"]) == ("red", "x")
    if weight is None:
        assert model[0]["weight"] > 0
        assert 0 < model[0]["covar"] < 1
    else:
        assert model[0]["weight"] == pytest.approx(weight, abs=1e-6)


def test_the_singular_spectrum_scores_a_change_of_frequency_highest() -> None:
    time = np.arange(160)
    series = np.where(time < 80, np.sin(time / 2.0), np.sin(time * 1.5))
    scores = np.array(run("sst", table(pa.array(series)), "-w 8 -th 0.5").to_pydict()["changepoint_score"])
    assert (scores[:23] == 0).all()
    assert 80 <= int(scores.argmax()) <= 112
    with pytest.raises(HivemallError, match="changepointThreshold"):
        run("sst", table(pa.array(series)), "-w 8")


def test_slim_finds_the_weight_of_one_neighbour_by_the_written_rule() -> None:
    ratings = pa.map_(pa.int32(), pa.float64())
    rows = table(
        pa.array([0], pa.int32()),
        pa.array([[(7, 2.0), (8, 4.0)]], ratings),
        pa.array([[(7, [(1, 1.0)]), (8, [(1, 2.0)])]], pa.map_(pa.int32(), ratings)),
        pa.array([1], pa.int32()),
        pa.array([[(7, 1.0), (8, 2.0)]], ratings),
    )
    model = run("train_slim", rows, "-l1 0.1 -l2 0.5 -iters 1").to_pydict()
    assert model["j"] == [0]
    assert model["nn"] == [1]
    assert model["w"] == pytest.approx([((2.0 + 8.0) / 2 - 0.1) / ((1.0 + 4.0) / 2 + 0.5)], abs=1e-6)
