"""The lifetime models: published figures, definitions integrated by brute force, customers simulated with a known truth."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import gammaln, hyp2f1
from scipy.stats import gamma as gamma_law
from threadpoolctl import threadpool_info, threadpool_limits

from tdml_assets.engines.at_once import at_once
from tdml_assets.engines.lifetimes import (
    BgNbd,
    GammaGamma,
    ParetoNbd,
    bg_nbd,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_pareto_nbd,
    gamma_gamma,
    pareto_nbd,
)
from tdml_assets.engines.lifetimes.histories import Histories, maximise, one_blas_thread

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
BG = BgNbd(0.243, 4.414, 0.793, 2.426)
PARETO = ParetoNbd(0.553, 10.578, 0.606, 11.669)
GAMMA = GammaGamma(6.25, 3.74, 15.44)
# Frequency, recency, age in weeks: one-time buyers, a regular one, one who left, one who is gone beyond doubt.
FREQUENCY = np.array([0.0, 0.0, 2.0, 7.0, 26.0, 40.0])
RECENCY = np.array([0.0, 0.0, 30.43, 29.43, 30.86, 5.0])
AGE = np.array([0.0, 38.86, 38.86, 38.86, 38.0, 38.0])
HISTORY = (FREQUENCY, RECENCY, AGE)


def alive_of(model, *history):
    """Probability per customer not to have left by the end of the history."""
    histories = Histories.of(*history)
    return model.outlook(1.0, histories)[1][histories.place]


def published_sample():
    files = [DATA / "cdnow_master.csv.gz", DATA / "cdnow_sample_ids.csv.gz"]
    for file in files:
        if not file.is_file():
            pytest.skip(
                f"{file.name} is not in {file.parent}: put the CDNOW log there to compare with the published figures"
            )
    orders = pd.read_csv(files[0], parse_dates=["date"])
    sampled = pd.read_csv(files[1])["customer_id"]
    end = pd.Timestamp("1997-09-30")
    orders = orders[orders["customer_id"].isin(sampled) & (orders["date"] <= end)]
    days = orders.groupby(["customer_id", "date"], as_index=False)["dollar_value"].sum()
    by_customer = days.sort_values(["customer_id", "date"]).groupby("customer_id")
    first, last, repeats = by_customer["date"].min(), by_customer["date"].max(), by_customer.size() - 1
    later = by_customer["dollar_value"].sum() - by_customer["dollar_value"].first()
    value = later / repeats.where(repeats > 0)
    weeks = [(moment - first).dt.days.to_numpy() / 7 for moment in (last, pd.Series(end, index=last.index))]
    return repeats.to_numpy(dtype=float), *weeks, value.to_numpy()


def test_the_published_parameters_of_cdnow_are_reproduced():
    frequency, recency, age, value = published_sample()
    assert len(frequency) == 2357
    bg, pareto = fit_bg_nbd(frequency, recency, age), fit_pareto_nbd(frequency, recency, age)
    money = fit_gamma_gamma(frequency, value)
    assert (bg.r, bg.alpha, bg.a, bg.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert (pareto.r, pareto.alpha, pareto.s, pareto.beta) == pytest.approx((0.553, 10.58, 0.606, 11.67), abs=6e-3)
    assert (money.p, money.q, money.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=6e-3)
    assert bg.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert pareto.log_likelihood == pytest.approx(-9595.0, abs=0.05)


def test_the_worked_examples_of_the_notes_are_reproduced():
    assert BG.expected_purchases(39, [2], [30.43], [38.86])[0] == pytest.approx(1.226, abs=5e-4)
    assert GAMMA.expected_value([2, 1, 0], [22.35, 11.77, np.nan]) == pytest.approx([24.65, 18.91, 35.2], abs=0.02)


@pytest.mark.parametrize("place", range(6))
def test_bg_nbd_agrees_with_its_published_closed_forms(place):
    x, t_x, t = FREQUENCY[place], RECENCY[place], AGE[place]
    r, alpha, a, b, horizon = BG.r, BG.alpha, BG.a, BG.b, 39.0
    left = a / (b + x - 1) * ((alpha + t) / (alpha + t_x)) ** (r + x) if x else 0.0
    hyper = hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + t + horizon))
    share = 1 - ((alpha + t) / (alpha + t + horizon)) ** (r + x) * hyper
    expected = (a + b + x - 1) / (a - 1) * share / (1 + left)
    one = [x], [t_x], [t]
    assert alive_of(BG, *one)[0] == pytest.approx(1 / (1 + left), rel=1e-12)
    assert BG.expected_purchases(horizon, *one)[0] == pytest.approx(expected, rel=1e-9)


def bg_likelihood(r, alpha, a, b, x, t_x, t):
    """Mean over lambda and p of x purchases, and then either silence until t, or none to come after the last."""

    def bought(until):
        def integrand(log_rate):
            rate = np.exp(log_rate)
            return rate * np.exp(x * log_rate - rate * until) * gamma_law.pdf(rate, r, scale=1 / alpha)

        return quad(integrand, -30, 5, points=[np.log((r + x) / (alpha + until))], epsabs=0, epsrel=1e-10, limit=400)[0]

    stays = beta_function(a, b + x) / beta_function(a, b)
    leaves = beta_function(a + 1, b + x - 1) / beta_function(a, b) if x else 0.0
    return np.log(stays * bought(t) + leaves * bought(t_x))


def pareto_published(r, alpha, s, beta, x, t_x, t):
    """Likelihood with the two hypergeometric functions, alpha <= beta."""

    def term(moment):
        z = (beta - alpha) / (beta + moment)
        return hyp2f1(r + s + x, r + x, r + s + x + 1, z) / (beta + moment) ** (r + s + x)

    inside = (alpha + t) ** -(r + x) * (beta + t) ** -s + s / (r + s + x) * (term(t_x) - term(t))
    return gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(inside)


@pytest.mark.parametrize("place", range(1, 5))
def test_likelihoods_agree_with_their_definitions(place):
    one = FREQUENCY[place], RECENCY[place], AGE[place]
    histories = Histories.of([one[0]], [one[1]], [one[2]])
    bg = np.array([0.9, 4.0, 0.8, 2.4])
    assert bg_nbd._likelihood(bg, histories)[0] == pytest.approx(bg_likelihood(*bg, *one), rel=1e-6)
    pareto = np.array([0.553, 10.578, 0.606, 11.669])
    assert pareto_nbd._likelihood(pareto, histories)[0] == pytest.approx(pareto_published(*pareto, *one), rel=1e-9)


def test_gradients_agree_with_differences():
    histories = Histories.of(*HISTORY)
    x, m = np.array([1.0, 4.0, 2.0]), np.array([12.0, 30.0, 3.0])
    cases = [
        (lambda p: bg_nbd._likelihood(p, histories), [0.3, 5.0, 0.8, 2.0]),
        (lambda p: pareto_nbd._likelihood(p, histories), [0.5, 12.0, 0.6, 9.0]),
        (lambda p: gamma_gamma._likelihood(p, x, m), [6.0, 3.5, 15.0]),
    ]
    for likelihood, start in cases:
        parameters = np.array(start)
        _, gradient = likelihood(parameters)
        for place in range(len(parameters)):
            step = np.zeros(len(parameters))
            step[place] = 1e-5 * parameters[place]
            difference = (likelihood(parameters + step)[0] - likelihood(parameters - step)[0]) / (2 * step[place])
            assert gradient[place] == pytest.approx(difference, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("place", range(1, 5))
@pytest.mark.parametrize("horizon", [1.0, 39.0, 520.0])
def test_pareto_nbd_is_silent_as_often_as_its_definition_says(place, horizon):
    """Silent: gone by the end of the history, or no purchase before the horizon or the end of the lifetime, whichever is first."""
    x, t_x, t = FREQUENCY[place], RECENCY[place], AGE[place]
    r, alpha, s, beta = PARETO.r, PARETO.alpha, PARETO.s, PARETO.beta
    a, b = alpha + t, beta + t

    def dies_silent(u):
        return s * b**s / (b + u) ** (s + 1) * (a / (a + u)) ** (r + x)

    lives_silent = (a / (a + horizon)) ** (r + x) * (b / (b + horizon)) ** s
    silent = lives_silent + quad(dies_silent, 0, horizon, epsabs=0, epsrel=1e-11, limit=200)[0]
    log_alive = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) - (r + x) * np.log(a) - s * np.log(b)
    alive = np.exp(log_alive - pareto_published(r, alpha, s, beta, x, t_x, t))
    one = [x], [t_x], [t]
    assert alive_of(PARETO, *one)[0] == pytest.approx(alive, rel=1e-8)
    assert PARETO.probability_active(horizon, *one)[0] == pytest.approx(alive * (1 - silent), rel=1e-7)


@pytest.mark.parametrize("model", [BG, PARETO])
def test_probabilities_keep_their_order(model):
    alive = alive_of(model, *HISTORY)
    previous = np.zeros(len(FREQUENCY))
    for horizon in (1e-6, 1.0, 26.0, 520.0, 1e6):
        active, expected = model.probability_active(horizon, *HISTORY), model.expected_purchases(horizon, *HISTORY)
        assert (active <= alive + 1e-12).all()
        assert (active <= expected * (1 + 1e-9)).all()
        assert (active >= previous * (1 - 1e-5)).all()
        previous = active
    short = 1e-6
    np.testing.assert_allclose(
        model.probability_active(short, *HISTORY), model.expected_purchases(short, *HISTORY), rtol=1e-4
    )


def test_expectations_pass_smoothly_over_the_parameters_at_which_the_closed_forms_divide_by_zero():
    for near in (BgNbd(0.3, 5.0, 1 + 1e-7, 2.0), BgNbd(0.3, 5.0, 1 - 1e-7, 2.0)):
        at = BgNbd(0.3, 5.0, 1.0, 2.0).expected_purchases(20, *HISTORY)
        np.testing.assert_allclose(near.expected_purchases(20, *HISTORY), at, rtol=1e-6)
    for near in (ParetoNbd(0.5, 10.0, 1 + 1e-7, 12.0), ParetoNbd(0.5, 10.0, 1 - 1e-7, 12.0)):
        at = ParetoNbd(0.5, 10.0, 1.0, 12.0).expected_purchases(20, *HISTORY)
        np.testing.assert_allclose(near.expected_purchases(20, *HISTORY), at, rtol=1e-6)


@pytest.mark.parametrize(("a", "b"), [(0.05, 0.4), (0.8, 0.2), (0.79, 2.4), (3.0, 250.0), (1e-5, 9000.0)])
def test_the_rule_for_beta_means_gives_its_moments(a, b):
    nodes, weights = bg_nbd.beta_rule(a, b)
    assert weights.sum() == pytest.approx(1, rel=1e-12)
    for power in (1, 2, 5):
        moment = np.prod([(a + i) / (a + b + i) for i in range(power)])
        assert weights @ nodes**power == pytest.approx(moment, rel=1e-6, abs=1e-18)


def simulated(kind, customers, seed, age=52.0, horizon=26.0):
    """Customers of known laws: frequency, recency, age, and the purchases in the horizon after."""
    rng = np.random.default_rng(seed)
    ages = rng.uniform(age / 2, age, customers)
    rate = rng.gamma(0.8, 1 / 6.0, customers)
    if kind == "pareto":
        lifetime = rng.exponential(1 / rng.gamma(0.7, 1 / 15.0, customers))
    leaves = rng.beta(0.9, 2.5, customers)
    frequency, recency, later = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    for i in range(customers):
        moment = 0.0
        while True:
            moment += rng.exponential(1 / rate[i])
            if moment > ages[i] + horizon or (kind == "pareto" and moment > lifetime[i]):
                break
            if moment <= ages[i]:
                frequency[i], recency[i] = frequency[i] + 1, moment
            else:
                later[i] += 1
            if kind == "bg" and rng.random() < leaves[i]:
                break
    return (frequency, recency, ages), later


@pytest.mark.parametrize(
    ("kind", "fit", "truth"),
    [("bg", fit_bg_nbd, (0.8, 6.0, 0.9, 2.5)), ("pareto", fit_pareto_nbd, (0.8, 6.0, 0.7, 15.0))],
)
def test_simulated_customers_give_back_their_laws_and_their_future(kind, fit, truth):
    history, later = simulated(kind, 12_000, seed=4)
    model = fit(*history)
    found = np.array([getattr(model, name) for name in list(model.__dataclass_fields__)[:4]])
    np.testing.assert_allclose(found, truth, rtol=0.25)
    np.testing.assert_allclose(found[:2], truth[:2], rtol=0.1)
    active, expected = model.probability_active(26.0, *history), model.expected_purchases(26.0, *history)
    assert expected.sum() == pytest.approx(later.sum(), rel=0.05)
    # By tenth of the forecast: a probability is as often right as it says.
    for tenth in np.array_split(np.argsort(active), 10):
        share, forecast = (later[tenth] > 0).mean(), active[tenth].mean()
        assert abs(share - forecast) < 4 * np.sqrt(forecast * (1 - forecast) / len(tenth)) + 0.005


def test_simulated_values_give_back_their_law():
    rng = np.random.default_rng(8)
    frequency = rng.integers(0, 6, 20_000).astype(float)
    scale = 1 / rng.gamma(4.0, 1 / 15.0, 20_000)
    value = np.array([rng.gamma(5.0 * max(n, 1), s / max(n, 1)) for n, s in zip(frequency, scale, strict=True)])
    model = fit_gamma_gamma(frequency, np.where(frequency > 0, value, np.nan))
    np.testing.assert_allclose((model.p, model.q, model.gamma), (5.0, 4.0, 15.0), rtol=0.1)
    assert model.population_value == pytest.approx(25.0, rel=0.03)


@pytest.mark.parametrize("spread", [1.0, 1.5, 2.2])
def test_values_without_a_finite_mean_are_fitted_at_the_mean_that_was_observed(spread):
    """Wholesale next to retail: the likelihood alone puts the population's mean far above what anybody saw, or nowhere."""
    rng = np.random.default_rng(5)
    frequency = rng.integers(1, 40, 180).astype(float)
    level = np.exp(rng.normal(6, spread, 180))
    value = level * rng.gamma(3 * frequency, 1 / (3 * frequency))
    model = fit_gamma_gamma(frequency, value)
    assert model.q > 1
    assert 0.8 < model.population_value / value.mean() <= 2.0
    expected = model.expected_value(frequency, value)
    assert expected.sum() == pytest.approx(value.sum(), rel=0.1)
    assert np.corrcoef(expected, value)[0, 1] > 0.99


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_pareto_nbd])
def test_the_unit_of_time_and_the_order_of_customers_change_nothing(fit):
    history, _ = simulated("pareto", 1_500, seed=5)
    weeks = fit(*history)
    days = fit(history[0], history[1] * 7, history[2] * 7)
    shuffled = np.random.default_rng(1).permutation(len(history[0]))
    other = fit(*(column[shuffled] for column in history))
    expected = weeks.expected_purchases(10, *history)
    rows = history[0], history[1] * 7, history[2] * 7
    np.testing.assert_allclose(days.expected_purchases(70, *rows), expected, rtol=1e-4)
    np.testing.assert_allclose(days.probability_active(70, *rows), weeks.probability_active(10, *history), rtol=1e-4)
    np.testing.assert_allclose(other.expected_purchases(10, *history), expected, rtol=1e-4)
    np.testing.assert_allclose(
        weeks.expected_purchases(10, *(column[shuffled] for column in history)), expected[shuffled], rtol=1e-12
    )


def test_another_currency_changes_only_the_unit():
    rng = np.random.default_rng(3)
    frequency, value = rng.integers(1, 6, 500).astype(float), rng.gamma(3.0, 10.0, 500)
    pounds, pence = fit_gamma_gamma(frequency, value), fit_gamma_gamma(frequency, value * 128)
    np.testing.assert_allclose(
        pence.expected_value(frequency, value * 128), 128 * pounds.expected_value(frequency, value), rtol=1e-9
    )


def test_customers_who_never_leave_are_fitted_too():
    """No penalizer is needed: dropout goes to nought and the forecast is that of the negative binomial."""
    rng = np.random.default_rng(6)
    ages = rng.uniform(20, 52, 3_000)
    rate = rng.gamma(1.2, 1 / 8.0, 3_000)
    frequency = rng.poisson(rate * ages).astype(float)
    # The last of n uniform moments of purchase.
    recency = np.where(frequency > 0, ages * rng.random(3_000) ** (1 / np.maximum(frequency, 1)), 0.0)
    for fit in (fit_bg_nbd, fit_pareto_nbd):
        model = fit(frequency, recency, ages)
        negative_binomial = (model.r + frequency) / (model.alpha + ages) * 10
        assert (model.r, model.alpha) == pytest.approx((1.2, 8.0), rel=0.1)
        np.testing.assert_allclose(model.expected_purchases(10, frequency, recency, ages), negative_binomial, rtol=0.03)


def test_a_penalizer_pulls_parameters_towards_zero():
    history, _ = simulated("bg", 1_500, seed=7)
    free, held = fit_bg_nbd(*history), fit_bg_nbd(*history, penalizer=0.05)
    assert held.a**2 + held.b**2 < free.a**2 + free.b**2
    assert held.log_likelihood < free.log_likelihood


def test_the_population_mean_stands_in_for_a_customer_without_repeat_purchases():
    assert GAMMA.expected_value([0, 0], [np.nan, 99.0]) == pytest.approx([GAMMA.population_value] * 2)
    assert GAMMA.expected_value([3], [-5.0])[0] == GAMMA.expected_value([3], [0.0])[0] > 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1.0], [2.0], [1.0]), "1 of 1 purchase histories break 0 <= recency <= age"),
        (([0.5, 0.0], [2.0, 0.0], [3.0, 3.0]), "1 of 2 purchase histories have a frequency that is neither 0 nor"),
        (([-1.0], [0.0], [3.0]), "frequency that is neither 0 nor"),
        (([1.0], [np.nan], [3.0]), "missing or infinite"),
        (([], [], []), "no purchase history"),
        (([1.0, 2.0], [1.0], [3.0]), "three columns of one length"),
        (([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]), "all 2 customers have age 0"),
    ],
)
def test_what_is_not_a_history_is_refused_with_the_count(columns, message):
    with pytest.raises(ValueError, match=message):
        fit_bg_nbd(*columns)
    with pytest.raises(ValueError, match=message):
        fit_pareto_nbd(*columns)


def test_what_is_not_a_horizon_penalizer_or_value_is_refused():
    for horizon in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="must be a positive time"):
            PARETO.expected_purchases(horizon, *HISTORY)
    with pytest.raises(ValueError, match="penalizer is -1"):
        fit_bg_nbd(*HISTORY, penalizer=-1)
    with pytest.raises(ValueError, match="1 of 3 customers bought again, at a positive value"):
        fit_gamma_gamma([0, 1, 2], [np.nan, 3.0, 0.0])
    with pytest.raises(ValueError, match="1 of 2 customers bought again and have no finite mean value"):
        fit_gamma_gamma([1, 2], [3.0, np.nan])
    with pytest.raises(ValueError, match="a mean only above 1"):
        _ = GammaGamma(2.0, 0.9, 1.0).population_value


def test_two_threads_that_ask_for_the_same_pareto_nbd_share_one_fit(monkeypatch):
    fits = []
    fit = pareto_nbd._fit

    def counted(histories, penalizer):
        fits.append(penalizer)
        return fit(histories, penalizer)

    monkeypatch.setattr(pareto_nbd, "_fit", counted)
    # No other test has these rows: what was fitted before is kept.
    frequency, recency, age = [0, 1, 3, 0, 2, 5] * 30, [0, 11, 34, 0, 26, 51] * 30, [61, 62, 63, 64, 65, 66] * 30
    ask = partial(pareto_nbd.fit_pareto_nbd, frequency, recency, age, penalizer=0.01)
    first, second = at_once([ask, ask], 2)
    assert first is second
    assert fits == [0.01]


def test_a_search_goes_on_from_another_start_where_the_first_ends_on_a_slope():
    def likelihood(parameters):
        # A peak at 2 whose sides are straight, and a round one at 0.1.
        log = float(np.log(parameters[0]))
        if log > 0:
            side = log - np.log(2)
            return 40 - abs(side), np.array([-np.sign(side) / parameters[0]])
        place = log - np.log(0.1)
        return -place * place, np.array([-2 * place / parameters[0]])

    (found,) = maximise(likelihood, ((3.0,), (0.2,)), rows=1.0, penalizer=0.0, name="test")
    assert found == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize("model", [BG, PARETO])
def test_an_outlook_says_what_its_parts_say_one_by_one(model):
    histories = Histories.of(*HISTORY)
    purchases, _, active = (part[histories.place] for part in model.outlook(13.0, histories))
    np.testing.assert_array_equal(purchases, model.expected_purchases(13.0, *HISTORY))
    np.testing.assert_array_equal(active, model.probability_active(13.0, *HISTORY))


def test_several_horizons_ahead_say_what_each_says_alone():
    histories = Histories.of(*HISTORY)
    for (orders, active), pair in zip(
        [(13.0, 17.5), (1.0, 1.0)], PARETO.ahead(histories, [(13.0, 17.5), (1.0, 1.0)]), strict=True
    ):
        purchases, probability = (one[histories.place] for one in pair)
        np.testing.assert_array_equal(purchases, PARETO.expected_purchases(orders, *HISTORY))
        np.testing.assert_array_equal(probability, PARETO.probability_active(active, *HISTORY))
    with pytest.raises(ValueError, match="horizon is 0"):
        PARETO.ahead(histories, [(13.0, 0.0)])


def blas_threads():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_searches_hold_blas_to_one_thread_and_the_last_of_them_gives_the_others_back():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("BLAS has one thread here")
        with one_blas_thread():
            assert blas_threads() == {1}
            with one_blas_thread():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {2}
        with pytest.raises(ValueError, match="found no maximum"), one_blas_thread():
            maximise(lambda _: (0.0, np.array([1.0])), ((1.0,),), rows=1.0, penalizer=0.0, name="test")
        assert blas_threads() == {2}
