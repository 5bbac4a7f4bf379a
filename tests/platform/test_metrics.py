"""Measures of accuracy: hand-computed values, independent implementations, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as sk

from tdml_assets.platform import metrics as m

ACTUAL = [0.0, 0.0, 10.0, 30.0]
PREDICTED = [5.0, 0.0, 15.0, 20.0]

# Whole cents, so that ties are frequent and scaling keeps the order exact.
money = arrays(np.int64, st.integers(2, 40), elements=st.integers(0, 50)).map(lambda x: x.astype(float))
pairs = money.flatmap(
    lambda y: st.tuples(
        st.just(y), arrays(np.int64, len(y), elements=st.integers(0, 50)).map(lambda x: x.astype(float))
    )
)


def lognormal_sample(rows=3000):
    rng = np.random.default_rng(7)
    spend = np.where(rng.random(rows) < 0.4, rng.lognormal(3, 1.2, rows), 0.0)
    return spend, np.round(spend * rng.lognormal(0, 1, rows) + rng.lognormal(1, 1, rows))


def top_decile_share(predicted):
    return m.regression_metrics(ACTUAL, predicted)["top_decile_share"]


def test_measures_agree_with_hand_computation():
    assert m.mae(ACTUAL, PREDICTED) == 5.0
    assert m.rmse(ACTUAL, PREDICTED) == pytest.approx(np.sqrt(150 / 4))
    assert m.wape(ACTUAL, PREDICTED) == 0.5
    assert m.total_bias(ACTUAL, PREDICTED) == 0.0
    # Mean 10: SST = 100 + 100 + 0 + 400, SSE = 25 + 0 + 25 + 100.
    assert m.r2(ACTUAL, PREDICTED) == pytest.approx(1 - 150 / 600)
    # Ranks of the score 2, 1, 3, 4 around 2.5: 10 * 0.5 + 30 * 1.5 = 50, the best possible.
    assert m.normalised_gini(ACTUAL, PREDICTED) == 1.0
    # Reversed highest two: 10 * 1.5 + 30 * 0.5 = 30 of 50.
    assert m.normalised_gini(ACTUAL, [5.0, 0.0, 20.0, 15.0]) == pytest.approx(0.6)
    # A tenth of four customers is one.
    assert top_decile_share(PREDICTED) == 0.75


def test_normalised_gini_is_the_ratio_of_areas_under_gain_curves():
    spend, score = lognormal_sample()

    def area(order_by):
        order = np.argsort(-order_by, kind="stable")
        curve = np.concatenate([[0.0], np.cumsum(spend[order]) / spend.sum()])
        return np.trapezoid(curve, dx=1 / len(spend)) - 0.5

    distinct = score + np.arange(len(score)) * 1e-7
    assert m.normalised_gini(spend, distinct) == pytest.approx(area(distinct) / area(spend), rel=1e-12)


def test_tied_scores_share_their_mean_whatever_the_order_of_rows():
    # All four tie: any order is as good as another, so nothing is concentrated.
    assert m.normalised_gini(ACTUAL, [1.0] * 4) == 0.0
    assert top_decile_share([1.0] * 4) == 0.25
    assert [row.mean_actual for row in m.decile_table(ACTUAL, [1.0] * 4, bins=2)] == [10.0, 10.0]
    # The two highest tie: one of them holds half of their 40.
    assert top_decile_share([0.0, 0.0, 9.0, 9.0]) == 0.5


def test_measures_agree_with_scikit_learn_and_scipy():
    spend, score = lognormal_sample()
    assert m.r2(spend, score) == pytest.approx(sk.r2_score(spend, score), rel=1e-12)
    assert m.mae(spend, score) == pytest.approx(sk.mean_absolute_error(spend, score), rel=1e-12)
    assert m.rmse(spend, score) == pytest.approx(sk.root_mean_squared_error(spend, score), rel=1e-12)
    assert m.spearman(spend, score) == pytest.approx(stats.spearmanr(spend, score).statistic, rel=1e-12)
    np.testing.assert_array_equal(m.average_ranks(score), stats.rankdata(score))
    probability = np.round(score / score.max(), 3)
    assert m.auc(spend > 0, probability) == pytest.approx(sk.roc_auc_score(spend > 0, probability), rel=1e-12)
    assert m.log_loss(spend > 0, probability) == pytest.approx(
        sk.log_loss(spend > 0, np.clip(probability, 1e-15, 1 - 1e-15)), rel=1e-9
    )


def test_decile_table_counts_every_customer_and_all_spend_once():
    spend, score = lognormal_sample(1003)
    table = m.decile_table(spend, score)
    assert [row.customers for row in table] == [101] * 3 + [100] * 7
    assert sum(row.share_of_actual for row in table) == pytest.approx(1.0)
    assert sum(row.customers * row.mean_predicted for row in table) == pytest.approx(score.sum())
    assert [row.mean_predicted for row in table] == sorted(row.mean_predicted for row in table)


def test_decile_mape_by_hand_leaves_out_groups_without_spend():
    # Groups of two by score: {0, 0} has no spend; {10, 30} is predicted 17.5 for 20.
    assert m._decile_mape(m.decile_table(ACTUAL, PREDICTED, bins=2)) == pytest.approx(2.5 / 20)
    assert m._decile_mape(m.decile_table([0.0, 0.0], [1.0, 2.0])) is None


def test_measures_without_meaning_are_none_and_never_nan():
    same = m.regression_metrics([3.0, 3.0], [1.0, 2.0])
    assert same["r2"] is None
    assert same["spearman"] is None
    assert same["normalised_gini"] is None
    nothing = m.regression_metrics([0.0, 0.0], [1.0, 2.0])
    assert nothing["wape"] is None
    assert nothing["total_bias"] is None
    assert nothing["top_decile_share"] is None
    assert m.auc([1, 1], [0.2, 0.3]) is None


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [], [[1.0]]])
def test_values_that_are_not_finite_numbers_in_one_dimension_are_refused(bad):
    with pytest.raises(ValueError, match="predicted"):
        m.mae([1.0, 2.0], bad)


def test_wrong_lengths_labels_and_probabilities_are_refused():
    with pytest.raises(ValueError, match="2 actual values but 1 predictions"):
        m.mae([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        m.auc([0, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"range from 0\.1 to 1\.2"):
        m.log_loss([0, 1], [0.1, 1.2])


@settings(max_examples=150, deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_no_measure_depends_on_the_order_of_rows(pair, random):
    y, p = pair
    order = list(range(len(y)))
    random.shuffle(order)
    before, after = m.regression_metrics(y, p), m.regression_metrics(y[order], p[order])
    for name, value in before.items():
        assert after[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), name


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_another_currency_scales_errors_and_leaves_relative_measures(pair):
    y, p = pair
    plain, scaled = m.regression_metrics(y, p), m.regression_metrics(128.0 * y, 128.0 * p)
    for name, value in plain.items():
        factor = 128.0 if name in ("mae", "rmse", "mean_actual", "mean_predicted") else 1.0
        assert scaled[name] == (None if value is None else pytest.approx(factor * value, rel=1e-9, abs=1e-9)), name


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_an_increasing_transform_of_the_score_leaves_rank_measures(pair):
    y, p = pair
    before, after = m.regression_metrics(y, p), m.regression_metrics(y, np.log1p(p))
    for name in ("normalised_gini", "spearman", "top_decile_share"):
        assert after[name] == before[name]


@settings(max_examples=100, deadline=None)
@given(pairs)
def test_no_score_orders_spend_better_than_spend_itself(pair):
    y, p = pair
    gini = m.normalised_gini(y, p)
    assert gini is None or -1.0 - 1e-12 <= gini <= 1.0 + 1e-12
    assert m.normalised_gini(y, y) in (None, 1.0)
