"""How the learners read their option strings: repeated, unused and impossible options."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, run
from tests.engines.hivemall.examples import INT

ROWS = pa.table({"features": [["a:1", "b:2"], ["a:0.5", "c"], ["b", "c:2"]], "label": pa.array([1, 0, 1], INT)})
FFM = pa.table({"features": [["u:1:1.0", "i:2:0.5"], ["u:3:1", "i:2:1"]], "label": pa.array([1, 0], INT)})
RATINGS = pa.table({"u": pa.array([1, 2], INT), "i": pa.array([1, 1], INT), "r": [3.0, 4.0]})
TRIPLES = pa.table({"u": pa.array([1], INT), "i": pa.array([2], INT), "j": pa.array([3], INT)})
SERIES = pa.table({"x": [None, 1.0, 2.0, 4.0, 1.0, 9.0, None, 2.0, 1.0]})
COPIES = pa.table({"times": pa.array([2] * 5, INT), "row": list(range(5))})
SLIM = pa.table(
    [
        pa.array([1], INT),
        pa.array([[(1, 1.0)]], pa.map_(INT, pa.float64())),
        pa.array([[(1, [(2, 1.0)])]], pa.map_(INT, pa.map_(INT, pa.float64()))),
        pa.array([2], INT),
        pa.array([[(1, 1.0)]], pa.map_(INT, pa.float64())),
    ],
    names=["i", "ri", "knn", "j", "rj"],
)


@pytest.mark.parametrize(
    ("name", "rows", "given", "same"),
    [
        ("train_classifier", ROWS, "-opt sgd -reg no -eta0 1 -eta0 0.5", "-opt sgd -reg no -eta0 0.5"),
        ("train_classifier", ROWS, "-opt adam -reg no -opt sgd", "-opt sgd -reg no"),
        ("train_classifier", ROWS, "-iters 1 -iters 9", "-iters 1"),
        ("train_classifier", ROWS, "-iter 2 -iters 9", "-iters 2"),
        ("train_classifier", ROWS, "-opt rmsprop -reg no -rho 0.1 -decay", "-opt rmsprop -reg no"),
        ("train_classifier", ROWS, "-opt rmsprop -reg no -decay -rho 0.1", "-opt rmsprop -reg no -rho 0.1"),
        ("train_classifier", ROWS, "-opt sgd -reg l2 -l1_ratio 2 -rho x -beta3 y -t 1.5", "-opt sgd -reg l2"),
        ("train_classifier", ROWS, '-loss "logloss"', "-loss logloss"),
        ("train_classifier", ROWS, "-loss\tlogloss\n-iters  1", "-loss logloss -iters 1"),
        ("train_fm", ROWS, "-seed 1 -f 3 -k 2", "-seed 1 -k 2"),
        ("train_fm", ROWS, "-seed 1 -init_v odd", "-seed 1 -init_v adjusted_random"),
        ("train_fm", ROWS, "-seed 4294967297 -iters 1", "-seed 4294967297 -iter 1"),
        ("train_fm", ROWS, "-seed 1 -eta 0.1 -t x -power_t y", "-seed 1 -eta 0.1"),
        ("train_ffm", FFM, "-seed 1 -p 262144", "-seed 1 -feature_hashing 18"),
        ("train_ffm", FFM, "-seed 1 -opt odd", "-seed 1 -opt sgd"),
        ("train_ffm", FFM, "-seed 1 -no_norm", "-seed 1 -disable_norm"),
        ("train_mf_sgd", RATINGS, "-rankinit odd", ""),
        ("train_mf_adagrad", RATINGS, "-eta0 0.5", "-eta 0.5"),
        ("train_bprmf", TRIPLES, "-boldDriver -iters 5", "-bold_driver -iters 5"),
        (
            "changefinder",
            SERIES,
            "-AR 2 -x_forget 0.1 -y_window 3 -lossfunc2 LogLoss",
            "-k 2 -r1 0.1 -T2 3 -loss2 logloss",
        ),
        ("sst", SERIES, "-window 2 -scorefunc SVD -r 1 -threshold 0.5", "-w 2 -r 1 -th 0.5"),
        ("rand_amplify", COPIES, "-num_buffers 2 -seed -1", "-buf 2"),
    ],
)
def test_two_option_strings_mean_the_same(name: str, rows: pa.Table, given: str, same: str) -> None:
    assert run(name, rows, given).equals(run(name, rows, same))


@pytest.mark.parametrize(
    ("name", "rows", "options", "words"),
    [
        ("train_classifier", ROWS, "-eta simple -t 1.5", 'For input string: "1.5"'),
        ("train_classifier", ROWS, "-opt eve -reg no -beta3 y", 'For input string: "y"'),
        ("train_arow", ROWS, "-mix_threshold 128", "mix_threshold must be in range (0,127]: 128"),
        ("logress", ROWS, "-dense -dims x", 'For input string: "x"'),
        ("train_fm", ROWS, "-t 2.0", 'For input string: "2.0"'),
        ("train_ffm", FFM, "-feature_hashing 17", "-feature_hashing MUST be in range [18,31]: 17"),
        ("train_ffm", FFM, "-num_fields 1", "-num_fields MUST be greater than 1: 1"),
        ("train_ffm", FFM, "-alpha 0", "-alphaFTRL SHOULD NOT be 0"),
        ("train_ffm", FFM, "-int_feature", "int_feature option is not supported yet for FFM"),
        ("train_ffm", FFM, "-enable_norm -disable_norm", "MUST NOT be used simultaneously"),
        ("train_ffm", FFM, "-f 0", "Factors must be greather than 0: 0"),
        ("train_mf_adagrad", RATINGS, "-t 5", "Unrecognized option: -t"),
        ("train_bprmf", TRIPLES, "-loss odd", "Unexpected loss function: odd"),
        ("changefinder", SERIES, "-T1 1", "T1 must be greather than 1: 1"),
        ("changefinder", SERIES, "-r1 1", "r1 must be in range (0,1): 1.0"),
        ("changefinder", SERIES, "-loss1 Odd", "Unsupported LossFunction: Odd"),
        ("sst", SERIES, "-w 1 -th 0.5", "w must be greather than 1: 1"),
        ("sst", SERIES, "-r 0 -th 0.5", "r must be greater than 0: 0"),
        ("sst", SERIES, "-k 2 -th 0.5", "k must be equals to or greather than r: k=2, r3"),
        ("sst", SERIES, "-n 0 -th 0.5", "n and m must be greater than 0: 0 and 30"),
        ("sst", SERIES, "-th 1", "changepointThreshold must be in range (0, 1): 1.0"),
        ("sst", SERIES, "-score odd -th 0.5", "Unsupported ScoreFunction: odd"),
        ("train_slim", SLIM, "-l1 2", "Argument `double l1` must be within [0., 1.]: 2.0"),
        ("train_slim", SLIM, "-iters 0", "Argument `int numIterations` must be greater than 0: 0"),
        ("train_slim", SLIM, "-cv_rate 0", "Argument `double cv_rate` must be greater than 0.0: 0.0"),
    ],
)
def test_impossible_options_are_refused(name: str, rows: pa.Table, options: str, words: str) -> None:
    with pytest.raises(HivemallError) as raised:
        run(name, rows, options)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("name", "item", "options", "words"),
    [
        ("train_ffm", "a", "", "Invalid FFM feature format: a"),
        ("train_ffm", "a:b", "", "Expected <field>:<index>:<value> but got a:b"),
        ("train_ffm", "a:b:1:2", "", "Invalid feature value: 1:2"),
        ("train_ffm", "1:0:1", "", "Feature index MUST be greater than 0: 0"),
        ("train_ffm", "40000:1:1", "-num_fields 50000", "Invalid field value: 40000"),
        ("train_fm", "0:1", "", "Index value should not be 0: 0:1"),
        ("train_fm", "0:x", "", "Invalid feature value: x"),
        ("train_fm", "-1:1", "-int_feature", "Feature index MUST be greater than 0: -1"),
        ("train_fm", "4:1", "-int_feature -p 3", "Index 4 out of bounds for length 4"),
        ("train_fm", "a:1e200", "", "Detected NaN in predict"),
    ],
)
def test_impossible_items_are_refused(name: str, item: str, options: str, words: str) -> None:
    with pytest.raises(HivemallError) as raised:
        run(name, pa.table({"features": [[item], [item]], "label": pa.array([-1, 1], INT)}), options)
    assert words in str(raised.value)


def test_the_bold_driver_halves_the_rate_while_the_loss_does_not_rise() -> None:
    options = "-k 1 -reg 0 -reg_bias 0 -disable_bias "
    start = run("train_bprmf", TRIPLES, options + "-iters 1 -eta 0").to_pylist()
    p, positive, negative = (np.float32(part[0]) for part in (start[1]["pu"], start[2]["qi"], start[3]["qi"]))
    for rate in (0.3, 0.3, 0.15):
        margin = float(p * positive) - float(p * negative)
        slope = np.float32(rate) * (np.exp(-margin) / (1 + np.exp(-margin)))
        old = p
        p = p + np.float32(slope * float(positive - negative))
        positive, negative = positive + np.float32(slope * float(old)), negative - np.float32(slope * float(old))
    got = run("train_bprmf", TRIPLES, options + "-iters 3 -bold_driver").to_pylist()
    assert [got[1]["pu"][0], got[2]["qi"][0], got[3]["qi"][0]] == [float(part) for part in (p, positive, negative)]


def test_a_truncated_weight_of_a_field_aware_machine_is_not_given() -> None:
    found = run("train_ffm", FFM, "-seed 1 -enable_wi -l1 100 -iters 1").to_pylist()
    assert all(row["i"] >= 0 for row in found)


def test_a_score_that_reaches_its_threshold_is_found_but_not_before_the_first_value() -> None:
    found = run("changefinder", SERIES, "-outlier_threshold 0 -changepoint_threshold 0").to_pydict()
    assert found["is_outlier"] == found["is_changepoint"] == [False] + [True] * 8
