"""The accuracy benchmark counts as its protocols say: populations, targets, measures, resamples, verdicts."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks import accuracy, accuracy_journey, accuracy_measures, accuracy_runs
from benchmarks.accuracy_baselines import RECENT, TOTAL, heuristics, lifetimes, published_parameters
from benchmarks.accuracy_cases import Case, Method, Prediction, buys_case, judge, spend_case
from benchmarks.accuracy_measures import (
    buys_measures,
    difference,
    draws,
    interval,
    resampled_buys,
    resampled_spend,
    spend_measures,
)
from benchmarks.accuracy_products import (
    Shown,
    Task,
    means,
    per_customer,
    personal_lists,
    popular_lists,
    resampled_means,
    shown_of,
)
from benchmarks.accuracy_published import WANTED, Bound, Wanted
from benchmarks.accuracy_rehearsal import CDNOW_WINDOW, MEASURES, RETAIL_WINDOW, Rehearsal
from benchmarks.accuracy_report import page, rows_of, short_sentences, verdict_table
from benchmarks.accuracy_segments import shares, stability, variance_explained
from benchmarks.accuracy_truth import PopulationError, Truth, Window, lines_left, truth_of
from benchmarks.measure import Machine, Row
from tdml_assets.declaration.workflow import Snapshots
from tdml_assets.stages.features.snapshots import HistoryTooShortError, plan_snapshots

CUT = date(2011, 9, 9)


def lines(*rows: tuple[str, str, str, float, float]) -> pd.DataFrame:
    """Rows of customer, product, moment, quantity, price."""
    found = pd.DataFrame(rows, columns=["customer_id", "product_id", "ordered_at", "quantity", "price"])
    found["ordered_at"] = pd.to_datetime(found["ordered_at"], format="ISO8601")
    found["day"] = found["ordered_at"].dt.normalize()
    found["amount"] = found["quantity"] * found["price"]
    return found


def test_cancellations_come_off_the_latest_earlier_sale_first_and_overflow_to_the_one_before() -> None:
    left = lines_left(
        lines(
            ("a", "x", "2011-01-01", 5, 2.0),
            ("a", "x", "2011-01-02", 3, 2.0),
            ("a", "y", "2011-01-02", 9, 1.0),
            ("a", "x", "2011-01-03", -4, 2.0),
            ("a", "x", "2011-01-04", 2, 2.0),
            ("b", "x", "2011-01-01", -7, 2.0),  # nothing to take it off
            ("b", "x", "2011-01-02", 1, 2.0),
        )
    )
    found = sorted(left[["customer_id", "product_id", "quantity", "amount"]].itertuples(index=False, name=None))
    assert found == [("a", "x", 2.0, 4.0), ("a", "x", 4.0, 8.0), ("a", "y", 9.0, 9.0), ("b", "x", 1.0, 2.0)]


def example() -> pd.DataFrame:
    return lines(
        ("a", "x", "2011-08-01 10:00", 2, 5.0),
        ("a", "x", "2011-08-01 11:00", 1, 5.0),  # the same day: one transaction
        ("a", "x", "2011-09-09 23:59", 4, 5.0),  # the cut's whole day is known
        ("a", "x", "2011-09-10 00:00", 1, 7.0),  # the first day ahead
        ("a", "x", "2011-12-09 23:00", 1, 7.0),  # the last
        ("a", "x", "2011-12-10 00:00", 1, 900.0),  # behind it
        ("b", "x", "2011-06-01", 3, 2.0),
        ("b", "x", "2011-10-01", -3, 2.0),  # spends less than nothing, and buys nothing
        ("c", "x", "2011-05-01", 1, 2.0),
        ("c", "x", "2011-05-02", -1, 2.0),  # emptied: no customer
        ("d", "x", "2011-09-10", 1, 2.0),  # not a customer yet
    )


def test_a_truth_is_the_population_at_the_end_of_the_cut_and_what_it_did_in_the_window() -> None:
    truth = truth_of(example(), Window(CUT, 91, 2))
    assert list(truth.customers) == ["a", "b"]
    assert truth.spend.tolist() == [14.0, 0.0]
    assert truth.buys.tolist() == [True, False]
    assert truth.orders.tolist() == [2, 1]
    assert truth.repeats.tolist() == [1, 0]
    assert truth.until_last.tolist() == [39, 0]
    assert truth.age.tolist() == [39, 100]
    assert truth.recency.tolist() == [0, 100]
    assert truth.value.tolist() == [20.0, 0.0]
    assert truth.total.tolist() == [35.0, 6.0]
    assert truth.recent.tolist() == [35.0, 0.0]
    rules = heuristics(truth)
    assert rules[RECENT].tolist() == [35.0, 0.0]
    assert rules[TOTAL] == pytest.approx(np.array([35.0, 6.0]) * 35 / 41)


def test_the_grocery_log_is_read_as_lines_that_were_sold_and_paid_for(tmp_path: Path) -> None:
    raw = pd.DataFrame(
        {
            "household_id": [7, 7, 8, 9],
            "product_id": [1, 2, 3, 4],
            "quantity": [2, 0, 1, 1],
            "sales_value": [3.5, 1.0, 0.0, 4.0],
            "transaction_timestamp": pd.to_datetime(["2017-01-01 11:53:26"] * 4),
        }
    )
    raw.to_parquet(tmp_path / "transactions.parquet")
    found = accuracy_journey.read_journey(tmp_path / "transactions.parquet")
    assert list(zip(found["customer_id"], found["amount"], strict=True)) == [("7", 3.5), ("9", 4.0)]
    assert set(found["day"]) == {pd.Timestamp("2017-01-01")}


def test_a_population_of_another_size_is_refused() -> None:
    with pytest.raises(PopulationError, match=r"2 customers have a line left on 2011-09-09, the protocol has 3"):
        truth_of(example(), Window(CUT, 91, 3))


def test_the_protocols_windows_are_those_of_the_reference() -> None:
    windows = {
        (one.cut, one.until, one.customers) for one in (accuracy.WINDOW_39, accuracy.WINDOW_52, accuracy.WINDOW_RETAIL)
    }
    assert windows == {
        (date(1997, 9, 30), date(1998, 6, 30), 23_570),
        (date(1997, 12, 31), date(1998, 6, 30), 23_570),
        (date(2011, 9, 9), date(2011, 12, 9), 3_364),
    }
    # Nothing is rehearsed on a day that is scored.
    assert CDNOW_WINDOW.until <= accuracy.WINDOW_52.cut
    assert RETAIL_WINDOW.until <= accuracy.WINDOW_RETAIL.cut
    # Labels lie before two of the cuts, and before the first none: there the session scores by its lifetime model.
    with pytest.raises(HistoryTooShortError):
        plan_snapshots(date(1997, 9, 30), date(1997, 1, 1), 273, Snapshots())
    assert plan_snapshots(date(1997, 12, 31), date(1997, 1, 1), 181, Snapshots()).labelled == (date(1997, 7, 3),)


def test_the_estimators_judged_are_those_of_the_examples() -> None:
    for name, window in (("cdnow", accuracy.WINDOW_52), ("online_retail", accuracy.WINDOW_RETAIL)):
        for workflow, variants in accuracy_runs.VARIANTS.items():
            assert accuracy_runs.judged_estimator(name, workflow, window.days) in variants
        stored = yaml.safe_load((accuracy_runs.ROOT / "examples" / f"{name}.yaml").read_text())
        assert stored["as_of"] == window.cut
    with pytest.raises(ValueError, match="predicts 91 days of cltv by"):
        accuracy_runs.judged_estimator("online_retail", "cltv", 90)


def test_measures_are_those_of_the_definitions_on_data_made_by_hand() -> None:
    spend, said = np.array([0.0, 0.0, 10.0, 30.0]), np.array([5.0, 5.0, 5.0, 20.0])
    found = spend_measures(spend, said)
    assert found["mae"] == 25 / 4
    assert found["wape"] == 25 / 40
    assert found["total_bias"] == 35 / 40 - 1
    assert found["rmse"] == pytest.approx(np.sqrt((25 + 25 + 25 + 100) / 4))
    ranks = {"spend": [1.5, 1.5, 3, 4], "said": [2, 2, 2, 4]}
    assert found["spearman"] == pytest.approx(np.corrcoef(ranks["spend"], ranks["said"])[0, 1])
    gini = [np.dot(spend, np.array(ranks[name]) - 2.5) for name in ("said", "spend")]
    assert found["normalised_gini"] == pytest.approx(gini[0] / gini[1])
    ten = np.arange(1.0, 11.0)
    assert spend_measures(ten, ten * 1.5)["decile_mape"] == pytest.approx(0.5)
    assert spend_measures(ten, -ten)["top_decile_share"] == pytest.approx(1 / 55)
    chances = buys_measures(np.array([True, False, True, False]), np.array([0.8, 0.5, 0.5, 0.2]))
    assert chances["auc"] == 3.5 / 4
    assert chances["log_loss"] == pytest.approx(-(2 * np.log(0.8) + 2 * np.log(0.5)) / 4)
    assert chances["brier"] == pytest.approx((0.04 + 0.25 + 0.25 + 0.04) / 4)


def test_a_resample_measures_what_the_drawn_customers_themselves_would() -> None:
    random = np.random.default_rng(3)
    spend = np.maximum(random.normal(0, 30, 203), 0).round()
    said = np.round(spend * 0.3 + random.gamma(1.0, 10.0, 203))  # many ties
    chance = np.round(random.random(203), 1)
    (drawn,) = draws(203, seed=5, resamples=4)
    assert (drawn.sum(axis=1) == 203).all()
    assert len({tuple(one) for one in drawn}) == 4
    found = {**resampled_spend(drawn, spend, said), **resampled_buys(drawn, spend > 0, chance)}
    for row, counts in enumerate(drawn.astype(int)):
        rows = np.repeat(np.arange(203), counts)
        wanted = spend_measures(spend[rows], said[rows]) | buys_measures(spend[rows] > 0, chance[rows])
        assert {name: one[row] for name, one in found.items()} == pytest.approx(wanted, abs=1e-9)


def test_resamples_are_the_same_for_the_same_seed_however_many_are_asked_for() -> None:
    many = np.concatenate(list(draws(50, seed=1, resamples=250)))
    assert many.shape == (250, 50)
    assert (np.concatenate(list(draws(50, seed=1, resamples=100))) == many[:100]).all()
    assert (np.concatenate(list(draws(50, seed=2, resamples=100))) != many[:100]).any()


def test_a_difference_is_better_in_the_direction_of_its_measure() -> None:
    ours, baseline = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 2.0, 5.0])
    assert difference("mae", ours, baseline).better == 0.625, "of four, two are better and one is the same"
    assert difference("spearman", ours, baseline).better == 0.375
    assert difference("total_bias", np.array([-0.2, 0.1]), np.array([0.1, -0.3])).better == 0.5
    found = difference("mae", ours, baseline)
    assert (found.mean, found.low, found.high) == pytest.approx((-0.25, -1.0, 0.925))
    assert interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))


def test_every_measure_asked_for_or_resampled_has_a_direction() -> None:
    counted = {"smallest_share", "largest_share", "stability_ari"}
    assert {one.measure for one in WANTED} - counted <= set(accuracy_measures.DIRECTION)


def population(customers: int = 400) -> Truth:
    random = np.random.default_rng(0)
    rows = []
    for number in range(customers):
        # Some buy often and leave, some stay.
        rate, leaves = random.gamma(1.0, 0.01), random.exponential(200.0)
        first = random.integers(0, 90)
        days = [first, *(first + np.cumsum(random.exponential(1 / rate, 40)))]
        for day in days:
            if day <= first + leaves and day < 365:
                moment = pd.Timestamp("2010-12-01") + pd.Timedelta(days=int(day))
                rows.append((f"c{number:03}", "x", str(moment.date()), 1.0, float(random.gamma(2.0, 10.0)) + 1))
    return truth_of(lines(*rows), Window(CUT, 60, customers))


@pytest.fixture(scope="module")
def simulated() -> Truth:
    return population()


def test_baselines_predict_from_histories_and_their_parameters_have_the_published_names(simulated: Truth) -> None:
    found = lifetimes(simulated, penalizer=0.0)
    for spend, active in found.values():
        assert np.isfinite(spend).all()
        assert ((active >= 0) & (active <= 1)).all()
        assert buys_measures(simulated.buys, active)["auc"] > 0.6
    names = published_parameters(simulated, frozenset(simulated.customers))
    assert {"bg_nbd_r", "bg_nbd_alpha", "pareto_nbd_s", "pareto_nbd_beta", "gamma_gamma_gamma"} <= set(names)
    assert len(names) == 11


def cases_of(truth: Truth) -> list[Case]:
    good, bad = truth.spend * 0.9 + 1, truth.spend[::-1].copy()
    spend = [Prediction("model", True, "the past", good), Prediction("baseline", False, "the past", bad)]
    chance = [
        Prediction("churn", True, "the past", np.where(truth.buys, 0.9, 0.1)),
        Prediction("recency", False, "days", -truth.recency, is_probability=False),
    ]
    return [spend_case("A", "model", truth, spend), buys_case("B", "churn", truth, chance)]


def test_a_case_compares_ours_with_every_baseline_on_the_same_resamples(simulated: Truth) -> None:
    spend, buys = cases_of(simulated)
    (baseline,) = spend.baselines
    found = spend.differences(spend.ours, baseline)
    assert found["mae"].high < 0
    assert found["mae"].better == 1.0
    assert found["mae"].mean == pytest.approx(spend.ours.measured["mae"] - baseline.measured["mae"], rel=0.1)
    assert set(buys.differences(buys.ours, buys.baselines[0])) == {"auc"}, "a score is not a probability"


def test_verdicts_hold_values_against_bounds_at_the_digits_of_the_bound() -> None:
    case = Case("A", 9, "model", (Method("model", True, "", {"auc": 0.7949, "total_bias": -0.31}),))
    must, good = Bound("at least", 0.795, 3), Bound("at least", 0.8, 3)
    asked = [
        Wanted("A", "auc", must, good),
        Wanted("A", "auc", must, None),
        Wanted("A", "auc", None, good),
        Wanted("A", "total_bias", Bound("at most", 0.3, 2), None, absolute=True, missed="The season."),
        Wanted("A", "total_bias", Bound("at most", 0.4, 2), Bound("at most", 0.35, 2), absolute=True),
        Wanted("elsewhere", "auc", must, good),
    ]
    judged = judge([case], asked)
    assert [one.verdict for one in judged] == ["must", "must", "not met", "not met", "good"]
    assert [one.falls_short for one in judged] == [True, False, True, True, False]
    said = short_sentences(judged)
    assert "size of bias" in verdict_table(judged)
    assert "**must not met**" in verdict_table(judged)
    assert "-0.310 against must <= 0.30. The season." in said


def test_the_page_and_the_rows_hold_what_was_measured_and_mark_what_is_quoted(simulated: Truth) -> None:
    cases = cases_of(simulated)
    parameters = published_parameters(simulated, frozenset(simulated.customers))
    asked = [Wanted("A", "mae", Bound("at most", 1e9, 0), None)]
    values = dict.fromkeys(MEASURES["cltv"], 0.5)
    by_name = {"x": values, "y": {**values, "total_bias": -0.4, "mae": 0.6}}
    chances = dict.fromkeys(MEASURES["churn"], 0.5)
    played = [
        Rehearsal("A", "cltv", Window(CUT, 91, 9), "x", by_name),
        Rehearsal("A", "churn", Window(CUT, 91, 9), "v", {"v": {**chances, "log_loss": 0.4}, "w": chances}),
    ]
    rows = rows_of(cases, parameters, played, [Row("run: x", "seconds", 1.0, None)])
    text = page(cases, judge(cases, asked), parameters, ["A note."], played, Machine(2, 8.0, "Linux", "3.11"))
    assert "1 of 1 musts are met" in text
    assert "- A note." in text
    assert "lowest MAE x, highest nGini x, smallest bias y; judged is x." in text
    assert "highest AUC v, lowest log loss v; judged is v." in text
    assert "A leak until explained" in text, "churn knows the answer here"
    mae = next(row for row in rows if row.metric == "mae")
    assert (mae.case, mae.ours) == ("A: model against baseline", pytest.approx(cases[0].ours.measured["mae"], rel=1e-5))
    assert {row.metric for row in rows} >= {"mae_difference_low", "mae_share_better", "auc", "bg_nbd_r", "seconds"}
    assert all("quoted" in row.case for row in rows if row.metric.startswith("bg_nbd"))
    json.dumps([row.as_dict() for row in rows], allow_nan=False)


TASK = Task(
    own={"a": {"p": 1, "q": 3, "r": 1}, "b": {"s": 1}},
    truth={"a": frozenset("qsx"), "b": frozenset("s")},
    popular=("p", "r", "q", "s", "t", *"abcdefghijx"),
)


def test_personal_lists_break_ties_by_popularity_and_fill_up_with_what_is_popular() -> None:
    found = personal_lists(TASK)["a"]
    assert found.main == ["q", "p", "r", "s", "t", *"abcde"]
    assert found.new == ["s", "t", *"abcdefgh"]
    popular = popular_lists(TASK)["a"]
    assert list(popular.main) == ["p", "r", "q", "s", "t", *"abcde"]
    assert popular.repeat == ["p", "r", "q"]


def test_recall_counts_the_whole_truth_and_repeats_and_new_ones_apart() -> None:
    found = per_customer(TASK, personal_lists(TASK))
    assert found["recall_at_10"].tolist() == [2 / 3, 1.0]
    assert found["repeat_recall_at_10"].tolist() == [1.0, 1.0]
    assert found["new_recall_at_10"][0] == 0.5, "s is found, x is not among the ten most popular"
    assert np.isnan(found["new_recall_at_10"][1]), "who has nothing new in the truth does not count"
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert found["ndcg_at_10"][0] == pytest.approx((1 + 1 / np.log2(5)) / ideal)
    assert means(found)["new_recall_at_10"] == 0.5
    resampled = resampled_means(np.array([[2.0, 0.0], [1.0, 1.0]]), found)
    assert resampled["recall_at_10"] == pytest.approx([2 / 3, 5 / 6])
    assert resampled["new_recall_at_10"] == pytest.approx([0.5, 0.5])


def test_our_lists_are_read_by_rank_and_slot_and_an_unknown_customer_finds_nothing() -> None:
    ranked = [
        ("a", rank, f"{'n' if rank > 3 else 'o'}{rank}", "discover" if rank > 3 else "repeat")
        for rank in range(20, 0, -1)
    ]
    table = pd.DataFrame([*ranked, ("z", 1, "q", "repeat")], columns=["customer_id", "rank", "product_id", "slot"])
    found = shown_of(table, ["a", "b"])
    assert found["a"].main == ["o1", "o2", "o3", *(f"n{rank}" for rank in range(4, 11))]
    assert found["a"].new == [f"n{rank}" for rank in range(4, 14)]
    assert found["b"] == Shown((), (), ())
    assert per_customer(TASK, found)["recall_at_10"].tolist() == [0.0, 0.0]


def test_segments_are_measured_by_size_agreement_and_what_they_explain() -> None:
    labels = np.array([1, 1, 1, 2])
    assert shares(labels).tolist() == [0.25, 0.75]
    buys = np.array([1.0, 1.0, 1.0, 0.0])
    assert variance_explained(np.ones((1, 4)), labels, buys) == pytest.approx([1.0])
    assert variance_explained(np.array([[2.0, 1.0, 0.0, 1.0]]), np.array([1, 2, 1, 2]), buys) == pytest.approx([1 / 3])
    values = np.concatenate([np.random.default_rng(0).normal(middle, 0.1, (60, 2)) for middle in (0, 5, 9)])
    assert stability(values, np.repeat([3, 1, 2], 60), 0, refits=3) == pytest.approx([1.0, 1.0, 1.0])
    assert stability(values, np.tile([3, 1, 2], 60), 0, refits=3).max() < 0.1


def test_missing_data_ends_with_code_2_and_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        accuracy.main(["--data", str(tmp_path), "--docs", str(tmp_path)])
    assert ended.value.code == 2
    assert str(tmp_path / "cdnow_master.csv.gz") in capsys.readouterr().err
