"""Classification: settings, eligibility, measures, grades, the gate, and the statement that publishes predictions."""

import re
import warnings
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from tdml_assets.declaration.classification import Classification
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.classification_metrics import average_precision, confusion, reliability_table
from tdml_assets.platform.monitoring import CALIBRATION
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.evaluation.measures import decile_rows
from tdml_assets.stages.predictions.contracts import scores_contract
from tdml_assets.tasks.classification import TASK
from tdml_assets.tasks.parts.classification import (
    ClassCounts,
    eligibility,
    evaluate_classification,
    may_be_promoted_classification,
    naive_direction,
    with_lift,
)

HAPPENED = [0, 0, 1, 1, 0, 1, 0, 0, 0, 1]
PROBABILITY = [0.1, 0.2, 0.3, 0.4, 0.4, 0.6, 0.7, 0.05, 0.2, 0.9]
RECENCY = [5, 5, 9, 9, 1, 7, 2, 3, 5, 9]

# Steps of a twentieth, so that ties are frequent.
labelled = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, n, elements=st.integers(0, 1)).map(lambda x: x.astype(float)),
        arrays(np.int64, n, elements=st.integers(0, 20)).map(lambda x: x / 20),
    )
)


def near(value):
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


def measured(happened, probability, scores=None, threshold=0.5, train_base_rate=0.3):
    return evaluate_classification(
        np.asarray(happened, float), probability, scores or {}, threshold, train_base_rate=train_base_rate
    )


def test_measures_agree_with_hand_computation():
    found = measured(HAPPENED, PROBABILITY, {"recency": RECENCY}, threshold=0.4)
    assert (found["rows"], found["positives"], found["base_rate"], found["threshold"]) == (10, 4, 0.4, 0.4)
    # Pairs won of 4 x 6: .3 beats four, .4 beats four and ties with one, .6 beats five, .9 all six: 4 + 4.5 + 5 + 6.
    assert found["roc_auc"] == pytest.approx(19.5 / 24)
    # By score: .9 hit, .7 miss, .6 hit, .4 hit and miss, .3 hit: precision 1/1, 2/3, 3/5, 4/6, each gaining 1/4 of recall.
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3 + 3 / 5 + 4 / 6) / 4)
    # Called positive: .4, .4, .6, .7, .9, of which three are; of the others, .3 is.
    assert found["accuracy"] == 0.7
    assert found["precision"] == 0.6
    assert found["recall"] == 0.75
    assert found["f1"] == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    squares = 0.01 + 0.04 + 0.49 + 0.36 + 0.16 + 0.16 + 0.49 + 0.0025 + 0.04 + 0.01
    assert found["brier"] == pytest.approx(squares / 10)
    # One row a decile; the two rows at .4 share their outcomes.
    assert found["ece"] == pytest.approx((0.1 + 0.2 + 0.7 + 0.1 + 0.1 + 0.4 + 0.7 + 0.05 + 0.2 + 0.1) / 10)
    assert found["lift_top_decile"] == 2.5
    assert found["constant_brier"] == pytest.approx(0.4 * 0.49 + 0.6 * 0.09)
    assert found["constant_log_loss"] == pytest.approx(-(0.4 * np.log(0.3) + 0.6 * np.log(0.7)))
    # Recency of the positives 9, 9, 7, 9: above all of 5, 5, 1, 2, 3, 5.
    assert found["baseline_recency_roc_auc"] == 1.0
    assert found["baseline_recency_pr_auc"] == 1.0


@settings(max_examples=200, deadline=None)
@given(labelled)
def test_measures_agree_with_scikit_learn_also_with_ties(pair):
    happened, p = pair
    found = measured(happened, p, {"double": 2 * p}, threshold=0.35)
    called = p >= 0.35
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    assert found["log_loss"] == pytest.approx(sk.log_loss(happened, clipped, labels=[0, 1]), rel=1e-9, abs=1e-12)
    assert found["brier"] == pytest.approx(np.mean((p - happened) ** 2))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(happened, called))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = {name: getattr(sk, f"{name}_score") for name in ("precision", "recall", "f1")}
        for name, score in scores.items():
            # Where scikit-learn warns and says 0, we say None.
            assert (found[name] or 0.0) == pytest.approx(score(happened, called, zero_division=0)), name
    if 0 < happened.sum() < len(happened):
        assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(happened, p), rel=1e-12)
        assert found["pr_auc"] == pytest.approx(sk.average_precision_score(happened, p), rel=1e-12)
        assert found["baseline_double_pr_auc"] == found["pr_auc"]
    else:
        assert found["roc_auc"] is found["pr_auc"] is found["baseline_double_roc_auc"] is None


@settings(max_examples=100, deadline=None)
@given(labelled, st.randoms(use_true_random=False))
def test_no_measure_and_no_table_depends_on_the_order_of_rows(pair, random):
    happened, p = pair
    order = list(range(len(p)))
    random.shuffle(order)
    before, after = measured(happened, p, {"a": p}), measured(happened[order], p[order], {"a": p[order]})
    assert after == {name: near(value) for name, value in before.items()}
    for table in (decile_rows, lambda y, q: [vars(row) for row in reliability_table(y, q)]):
        for one, other in zip(table(happened, p), table(happened[order], p[order]), strict=True):
            assert one == {name: near(value) for name, value in other.items()}


@settings(max_examples=100, deadline=None)
@given(labelled)
def test_an_increasing_transform_of_the_probability_keeps_what_only_ranks(pair):
    happened, p = pair
    before, after = measured(happened, p), measured(happened, p**2 / 2)
    for name in ("roc_auc", "pr_auc", "lift_top_decile"):
        assert after[name] == before[name], name


@pytest.mark.parametrize("happened", [[], [0, 0, 0], [1, 1, 1]])
def test_empty_rows_and_one_class_give_none_and_never_nan(happened):
    p = [0.2, 0.4, 0.4][: len(happened)]
    found = measured(happened, p, {"recency": p})
    assert {found[name] for name in ("roc_auc", "pr_auc", "baseline_recency_roc_auc", "baseline_recency_pr_auc")} == {
        None
    }
    assert all(value is None or np.isfinite(value) for value in found.values())
    assert found["lift_top_decile"] is None or happened == [1, 1, 1]
    if not happened:
        assert {name for name, value in found.items() if value is not None} == {"rows", "positives", "threshold"}
    else:
        assert found["log_loss"] > 0
    assert with_lift(decile_rows(happened, p)) == [] if not happened else len(with_lift(decile_rows(happened, p))) == 3


def test_precision_recall_and_f1_without_a_positive_of_their_kind_are_none():
    assert confusion([1, 0], [0.2, 0.1], 0.5).precision is None
    assert confusion([1, 0], [0.2, 0.1], 0.5).f1 == 0.0
    assert confusion([0, 0], [0.7, 0.1], 0.5).recall is None
    assert confusion([0, 0], [0.2, 0.1], 0.5).f1 is None
    assert confusion([1], [0.5], 0.5).recall == 1.0


def test_average_precision_of_a_score_without_information_is_the_base_rate():
    assert average_precision([1, 0, 0, 0], [3, 3, 3, 3]) == 0.25


def test_without_a_training_base_rate_there_is_no_constant():
    found = measured(HAPPENED, PROBABILITY, train_base_rate=None)
    assert found["constant_log_loss"] is found["constant_brier"] is None


@pytest.mark.parametrize(
    ("probability", "scores", "message"),
    [
        ([0.1], {}, r"probability has shape \(1,\), the target \(2,\)"),
        ([0.1, 0.2], {"recency": [1.0]}, r"recency has shape \(1,\)"),
        ([0.1, 1.2], {}, "they must lie in"),
        ([0.1, np.nan], {}, "1 of 2 values that are not finite"),
        ([0.1, 0.2], {"recency": [1.0, np.nan]}, "1 of 2 values that are not finite"),
    ],
)
def test_values_that_cannot_be_measured_are_refused(probability, scores, message):
    with pytest.raises(ValueError, match=message):
        measured([0, 1], probability, scores)


def test_deciles_have_the_columns_of_the_calibration_table_and_lifts_that_average_one():
    rng = np.random.default_rng(1)
    p = rng.random(1003)
    happened = (rng.random(1003) < p).astype(float)
    rows = decile_rows(happened, p)
    assert {"evaluation_table", *rows[0]} == set(CALIBRATION.column_names) - {"session_id", "workflow"}
    assert [row["count"] for row in rows] == [101] * 3 + [100] * 7
    lifts = with_lift(rows)
    assert sum(row["count"] * row["lift"] for row in lifts) / 1003 == pytest.approx(1.0)
    assert lifts[-1]["lift"] == pytest.approx(measured(happened, p)["lift_top_decile"])
    assert lifts[-1]["lift"] > 1.5 > 0.5 > lifts[0]["lift"]
    assert [row["lift"] for row in with_lift(decile_rows([0, 0], [0.1, 0.2]))] == [None, None]


def test_reliability_bins_hold_equal_widths_with_wilsons_interval():
    low, high = reliability_table([0, 0, 1, 0, 1, 1], [0.0, 0.05, 0.099, 0.1, 1.0, 0.95])[0::2]
    assert (low.low, low.high, low.count) == (0.0, 0.1, 3)
    assert low.mean_actual == pytest.approx(1 / 3)
    # Wilson's interval of 1 of 3, computed by hand with z = 1.96: centre .4269, half width .3654.
    assert (low.actual_low, low.actual_high) == (pytest.approx(0.0615, abs=1e-3), pytest.approx(0.7923, abs=1e-3))
    assert (high.low, high.high, high.count, high.mean_actual, high.actual_high) == (0.9, 1.0, 2, 1.0, 1.0)
    assert high.actual_low == pytest.approx(2 / (2 + 1.96**2), abs=1e-4)
    assert reliability_table([], []) == []


def test_a_naive_score_is_turned_to_where_the_event_happens():
    assert naive_direction(HAPPENED, RECENCY) == 1.0
    assert naive_direction(1 - np.array(HAPPENED), RECENCY) == -1.0
    assert naive_direction([1, 1], [1.0, 2.0]) == 1.0


def test_splits_with_too_few_of_a_class_are_refused_together_with_counts_bounds_and_remedy():
    few = Classification(min_positives=5, min_negatives=6)
    eligibility({"train": ClassCounts(8, 12), "test": ClassCounts(5, 6)}, few)
    refusal = (
        "not eligible for training: validation has 4 positives of 94 rows, min_positives is 5; "
        "test has 0 positives of 0 rows, min_positives is 5; test has 0 negatives of 0 rows, min_negatives is 6: "
        "change target.horizon_days, add snapshots or customers, or lower the bound under classification"
    )
    with pytest.raises(ValueError, match=re.escape(refusal)):
        eligibility({"train": ClassCounts(40, 6), "validation": ClassCounts(4, 90), "test": ClassCounts(0, 0)}, few)


def test_a_split_that_only_ends_a_fit_needs_five_of_a_class():
    enough, settings = ClassCounts(50, 500), Classification()
    eligibility({"train": enough, "validation": ClassCounts(15, 470), "test": enough}, settings)
    with pytest.raises(ValueError, match="validation has 4 positives of 474 rows, 5 are needed to end a fit"):
        eligibility({"train": enough, "validation": ClassCounts(4, 470), "test": enough}, settings)


GOOD = {"rows": 900.0, "positives": 300.0, "roc_auc": 0.74, "log_loss": 0.55, "constant_log_loss": 0.64}


def test_a_model_that_ranks_and_tells_is_promoted_with_its_numbers():
    passed, why = may_be_promoted_classification(GOOD)
    assert passed
    assert why == "promoted: AUC 0.740, log loss 0.5500 against 0.6400 for a constant"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"roc_auc": 0.5}, "held: it ranks customers no better than chance (AUC 0.500 on the test split"),
        ({"roc_auc": 0.971}, "AUC 0.971 on the test split is above 0.95, too good to be believed: review the features"),
        ({"log_loss": 0.64}, "held: log loss 0.6400 on the test split, giving everybody the training base rate 0.6400"),
        ({"roc_auc": None, "positives": 0.0}, "held: 0 of 900 rows of the test split are positive"),
        ({"log_loss": float("nan")}, "held: 300 of 900 rows"),
    ],
)
def test_a_model_that_must_not_score_is_held_with_the_reason(changed, why):
    passed, sentence = may_be_promoted_classification(GOOD | changed)
    assert not passed
    assert why in sentence


def test_the_limit_of_a_suspected_leak_can_be_moved_and_no_measures_are_held():
    assert may_be_promoted_classification(GOOD | {"roc_auc": 0.97}, auc_limit=1.0)[0]
    assert not may_be_promoted_classification(GOOD | {"roc_auc": 0.86}, auc_limit=0.85)[0]
    assert not may_be_promoted_classification({})[0]


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ({}, "no grades are given"),
        ({"A": 50, "B": 50, "C": 0}, "grade B starts at 50, which is not below the 50 of A before it"),
        ({"C": 0, "A": 75}, "grade A starts at 75, which is not below the 0 of C before it"),
        ({"A": 75, "B": 25}, "the last grade, B, starts at 25: it must start at 0"),
        ({"A": 75, " a": 0}, r"grades \['a'\] are named twice"),
        ({"A": 75, " ": 0}, "empty name"),
        ({"A": 175, "B": 0}, "grade A starts at 175: scores go from 0 to 100"),
        ({"A": -1}, "grade A starts at -1"),
        ({"A": float("nan"), "B": 0}, "grade A starts at nan"),
    ],
)
def test_grades_that_cannot_grade_are_refused_by_name(grades, message):
    with pytest.raises(ValueError, match=message):
        Classification(grades=grades)


def test_settings_refuse_unknown_keys_and_bounds():
    for wrong in ({"treshold": 0.4}, {"threshold": 0}, {"threshold": 1.0}, {"min_positives": 0}, {"auc_limit": 0.5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Classification(**wrong)
    assert Classification().grade_steps == (("A", 75.0), ("B", 50.0), ("C", 25.0), ("D", 0.0))
    assert Classification() == Classification(grades={"A": 75, "B": 50, "C": 25, "D": 0})


def score_of(probability):
    """100 x probability to one decimal, halves away from zero."""
    tenths = 1000.0 * np.asarray(probability)
    whole = np.floor(tenths)
    # Not floor(x + 0.5): the sum may round up what lies just below a half.
    return (whole + (tenths - whole >= 0.5)) / 10.0


def grade_of(score, grades):
    """Name of the first grade, from the highest, whose lowest score is reached."""
    return next(name for name, lowest in grades.items() if score >= lowest)


@pytest.fixture
def database(tmp_path):
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path), wait_seconds=1)
    with warehouse.write() as opened:
        yield opened


def published(database, probability, grades):
    spec = WorkflowSpec(
        name="churn", task="classification", horizons=[], model={"reasons": 1}, classification={"grades": grades}
    )
    scores, contract = scores_contract(spec), TASK.predictions_contract(spec)
    ids = [f"c{i:05}" for i in range(len(probability))]
    table = {"customer_id": ids, "predicted_target": np.asarray(probability), "reason_1": [f"of {i}" for i in ids]}
    # The last first: the statement orders by customer.
    database.replace(scores, pa.table({name: values[::-1] for name, values in table.items()}))
    statement = TASK.publish(spec, scores=scores.path, session_id="s1", as_of=date(2026, 6, 30), reasons=["reason_1"])
    assert database.replace(contract, statement) == len(ids)
    rows = database.rows(Statement("select * from churn.predictions order by customer_id"))
    assert list(rows[0]) == list(contract.column_names)
    return rows


def test_scores_round_halves_up_and_grades_follow_the_score_that_is_seen(database):
    rows = published(database, [0.0, 0.0005, 0.74949, 0.7495, 0.2499999, 0.5, 1.0], Classification().grades)
    assert [row["score"] for row in rows] == [0.0, 0.1, 74.9, 75.0, 25.0, 50.0, 100.0]
    assert [row["grade"] for row in rows] == ["D", "D", "B", "A", "C", "B", "A"]
    assert [row["grade"] for row in published(database, [0.03], {"all": 0.0})] == ["all"]


def test_the_statement_gives_the_score_and_grade_that_python_gives(database):
    rng = np.random.default_rng(2)
    probability = np.concatenate(
        [rng.random(3000), np.arange(0, 1001) / 1000, np.arange(1, 2000, 2) / 2000, [0.0, 1.0]]
    )
    grades = {"gold": 80.5, "it's": 33.3, "rest": 0.0}
    rows = published(database, probability, grades)
    scores = score_of(probability)
    assert (rows[0]["session_id"], rows[0]["as_of"], rows[0]["reason_1"]) == ("s1", date(2026, 6, 30), "of c00000")
    np.testing.assert_array_equal([row["probability"] for row in rows], probability)
    np.testing.assert_array_equal([row["score"] for row in rows], scores)
    assert [row["grade"] for row in rows] == [grade_of(score, grades) for score in scores]
    assert {row["grade"] for row in rows} == {"gold", "it's", "rest"}


def test_thresholds_and_names_of_grades_are_bound_in_order():
    statement = render(
        "predictions/classification",
        scores=("churn", "scores"),
        session_id="s1",
        as_of=date(2026, 6, 30),
        reasons=[],
        grades=Classification(grades={"x'; drop table t": 60, "b": 0}).grade_steps,
    )
    assert list(statement.parameters.values())[2:] == [60.0, "x'; drop table t", 0.0, "b"]
    assert "drop" not in statement.text


def test_a_probability_below_0_has_no_grade_and_is_refused_by_the_contract(database):
    with pytest.raises(Exception, match="NOT NULL"):
        published(database, [-0.2], Classification().grades)
