"""Drift formulas and verdicts, on numbers alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, entropy, mannwhitneyu

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import ColumnMeasure, ColumnReference, Reference
from tdml_assets.platform.divergences import (
    bin_edges,
    chance_z,
    gaussian_kld,
    hivemall_kld,
    homogeneity_p_value,
    psi,
    rank_p_value,
)
from tdml_assets.platform.statistics import Shape, holm
from tdml_assets.stages.drift.detection import Earlier, judge

means = st.floats(-1e6, 1e6)
deviations = st.floats(1e-3, 1e6)


def test_gaussian_kld_of_half_the_spread_is_the_textbook_value() -> None:
    assert gaussian_kld(0, 1, 0, 2) == pytest.approx(math.log(2) + 1 / 8 - 1 / 2, abs=1e-15)
    assert gaussian_kld(100, 50, 100, 25) == pytest.approx(0.8068528194400547, abs=1e-12)


@given(means, deviations, means, deviations)
def test_gaussian_kld_is_never_negative(mean: float, sd: float, mean_ref: float, sd_ref: float) -> None:
    divergence = gaussian_kld(mean, sd, mean_ref, sd_ref)
    assert divergence is not None
    assert divergence >= 0


@given(means, deviations)
def test_gaussian_kld_is_zero_for_equal_distributions_and_only_for_them(mean: float, sd: float) -> None:
    assert gaussian_kld(mean, sd, mean, sd) == 0
    assert gaussian_kld(mean, sd * 1.001, mean, sd) > 1e-7  # type: ignore[operator]
    assert gaussian_kld(mean + sd / 1000, sd, mean, sd) > 1e-7  # type: ignore[operator]


@given(st.floats(-100, 100), st.floats(0.1, 100), st.floats(-100, 100), st.floats(0.1, 100), st.floats(1e-3, 1e3))
def test_gaussian_kld_does_not_depend_on_the_unit(
    mean: float, sd: float, mean_ref: float, sd_ref: float, unit: float
) -> None:
    here, there = (
        gaussian_kld(mean, sd, mean_ref, sd_ref),
        gaussian_kld(*(unit * x for x in (mean, sd, mean_ref, sd_ref))),
    )
    assert there == pytest.approx(here, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((5, 0, 5, 0), 0.0),
        ((5, 0, 6, 0), None),
        ((5, 0, 5, 1), None),
        ((5, 1, 5, 0), None),
        ((None, None, 5, 1), None),
        ((1e300, 1e-300, -1e300, 1e-300), None),
    ],
)
def test_gaussian_kld_is_none_where_it_is_not_defined(
    arguments: tuple[float | None, ...], expected: float | None
) -> None:
    assert gaussian_kld(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 1, 0, 4), 2.1931471805599454),
        ((0, 4, 0, 1), -1.0681471805599454),
        ((1, 2, 3, 5), 1.6081453659370775),
        ((100, 50, 100, 25), -0.5965735902799727),
    ],
)
def test_hivemall_kld_equals_the_original_to_the_last_bit(arguments: tuple[float, ...], expected: float) -> None:
    assert hivemall_kld(*arguments) == expected


def test_hivemall_kld_depends_on_the_unit_which_is_why_it_decides_nothing() -> None:
    assert hivemall_kld(110, 50, 100, 50) == pytest.approx(1.0)
    assert hivemall_kld(1.1, 0.5, 1.0, 0.5) == pytest.approx(0.01)


def test_psi_is_the_symmetric_divergence_of_the_smoothed_histograms() -> None:
    now, ref = [10, 40, 50, 0], [30, 30, 39, 1]
    p, q = np.array(now) + 0.5, np.array(ref) + 0.5
    index, bins = psi(now, ref)
    assert index == pytest.approx(entropy(p, q) + entropy(q, p), rel=1e-12)
    assert bins == 4


counts = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, max_size=12)


@given(counts, st.randoms())
def test_psi_is_not_negative_and_does_not_depend_on_the_order_of_bins(
    pairs: list[tuple[int, int]], random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    (here, bins), (there, bins_there) = (psi(*zip(*order, strict=True)) for order in (pairs, shuffled))
    assert here >= 0
    assert here == pytest.approx(there, rel=1e-9, abs=1e-12)
    assert bins == bins_there


def test_psi_of_equal_counts_is_zero_and_bins_empty_on_both_sides_do_not_count() -> None:
    assert psi([5, 0, 9], [5, 0, 9]) == (0.0, 2)
    assert psi([7], [3]) == (0.0, 1)


def test_a_value_that_many_rows_share_gets_a_bin_of_its_own() -> None:
    below = math.nextafter(0.0, -math.inf)
    assert bin_edges([0, 0, 0, 0, 0, 1, 2, 3, 9], 0, 50) == (below, 0, 1, 2, 3, 9)
    assert bin_edges([1, 1, 1, 1, 1, 1, 1, 1, 1], 0, 1) == (math.nextafter(1.0, -math.inf), 1)
    assert bin_edges([7] * 9, 7, 7) == (math.nextafter(7.0, -math.inf), 7)


def test_holm_steps_down_until_the_first_that_is_not_rejected() -> None:
    assert holm([0.03, 0.001, 0.012, 0.5], 0.05) == (False, True, True, False)
    assert holm([], 0.05) == ()


def _bins(values: np.ndarray, edges: tuple[float, ...]) -> tuple[int, ...]:
    places = np.searchsorted(edges, values, side="left")
    return (*map(int, np.bincount(places, minlength=len(edges) + 1)), 0)


def _reference(values: np.ndarray, name: str = "spend") -> ColumnReference:
    deciles = np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf")
    edges = bin_edges(deciles.tolist(), values.min(), values.max())
    n, low, high = len(values), values.min(), values.max()
    shape = _shape(values, low, high)
    return ColumnReference(
        name, True, n, n, values.mean(), values.std(), low, high, edges, (), _bins(values, edges), shape
    )


def _shape(values: np.ndarray, low: float, high: float) -> Shape:
    clipped = np.clip(values, low, high)
    logs, filled = np.sign(clipped) * np.log1p(np.abs(clipped)), values[values != 0]
    units = np.log(np.abs(filled)) if len(filled) else np.array([np.nan])
    found = [float(value) for value in (low, high, logs.mean(), logs.std(), units.mean(), units.std())]
    return Shape(*found, len(filled), int((clipped != values).sum()))


def _measure(values: np.ndarray, reference: ColumnReference) -> ColumnMeasure:
    mean, sd = float(values.mean()), float(values.std())
    shape = _shape(values, reference.shape.low, reference.shape.high) if reference.shape else None
    return ColumnMeasure(reference.name, len(values), len(values), mean, sd, _bins(values, reference.edges), shape)


def _columns(draw: str, rng: np.random.Generator, rows: int) -> np.ndarray:
    normal = rng.normal(size=rows)
    return {
        "normal": normal,
        "lognormal": np.exp(1.5 * normal),
        "mostly zero": np.exp(normal) * (rng.random(rows) < 0.3),
    }[draw]


@pytest.mark.parametrize("draw", ["normal", "lognormal", "mostly zero"])
@pytest.mark.parametrize(("rows_ref", "rows"), [(200, 200), (5000, 1000), (1000, 5000)])
@pytest.mark.parametrize("test", [homogeneity_p_value, rank_p_value])
def test_undrifted_data_pass_the_five_percent_point_in_about_five_percent(
    test: Callable[..., float], draw: str, rows_ref: int, rows: int
) -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(600):
        reference = _reference(_columns(draw, rng, rows_ref))
        now = _measure(_columns(draw, rng, rows), reference)
        alarms += test(now.counts[:-1], reference.counts[:-1]) < 0.05
    # 0.05 +- 0.009 (one standard error): 0.02..0.08 is more than three of them.
    assert 0.02 <= alarms / 600 <= 0.08


def test_the_rank_test_is_wilcoxons_with_ties() -> None:
    rng = np.random.default_rng(9)
    now, ref = rng.integers(0, 5, 400), rng.integers(0, 6, 300)
    counts = [np.bincount(values, minlength=6).tolist() for values in (now, ref)]
    expected = mannwhitneyu(now, ref, method="asymptotic", use_continuity=False).pvalue
    assert rank_p_value(*counts) == pytest.approx(expected, rel=1e-9)


def test_the_test_of_any_difference_is_pearsons_where_no_bin_is_small() -> None:
    counts = [40, 60, 80, 20], [55, 41, 90, 30]
    assert homogeneity_p_value(*counts) == pytest.approx(chi2_contingency(counts, correction=False).pvalue, rel=1e-9)


def test_a_leap_among_its_like_is_none_and_one_among_calm_sessions_is() -> None:
    calm = [0.004, 0.006, 0.005, 0.007, 0.004, 0.005]
    assert chance_z(0.006, 10, 5000, 5000, calm) == pytest.approx(0, abs=1)
    assert (chance_z(0.05, 10, 5000, 5000, calm) or 0) > 3.5
    assert chance_z(0.05, 10, 5000, 5000, []) is None


def test_a_past_without_any_movement_makes_no_alarm_of_what_sampling_gives() -> None:
    assert (chance_z(0.0036, 10, 5000, 5000, [0.0036] * 10) or 0) == pytest.approx(0, abs=1e-9)
    assert (chance_z(0.0060, 10, 5000, 5000, [0.0036] * 10) or 0) < 3.5


def test_a_session_of_many_undrifted_columns_is_called_ok() -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(100):
        reference = Reference(tuple(_reference(_columns("lognormal", rng, 2000), f"f{i}") for i in range(20)))
        measured = [_measure(_columns("lognormal", rng, 1000), column) for column in reference.columns]
        alarms += judge(reference, measured, Monitor()).status != "ok"
    assert alarms <= 4


@pytest.mark.parametrize(("shift", "rows", "least"), [(0.5, 1000, 1.0), (0.25, 1000, 0.95)])
def test_a_shift_of_the_mean_is_seen(shift: float, rows: int, least: float) -> None:
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(100):
        reference = _reference(rng.normal(size=rows))
        report = judge(Reference((reference,)), [_measure(rng.normal(size=rows) + shift, reference)], Monitor())
        seen += report.status in ("watch", "drift")
    assert seen / 100 >= least


def test_a_leap_since_the_last_calm_session_is_a_spike_where_the_distance_to_the_reference_is_none() -> None:
    rng = np.random.default_rng(11)
    reference = _reference(rng.normal(size=5000))
    before = _measure(rng.normal(size=5000), reference)
    earlier = Earlier(counts={"spend": before.counts}, steps={"spend": (0.002, 0.003, 0.002, 0.004, 0.003, 0.002)})
    now = _measure(rng.normal(size=5000) + 0.25, reference)
    (column,) = judge(Reference((reference,)), [now], Monitor(), earlier=earlier).columns
    assert column.status == "spike"
    assert (column.psi or 0) < Monitor().psi_limit
    assert (column.z or 0) > Monitor().z_limit
    # The same leap in a column that always leaps is nothing new.
    used_to_it = Earlier(counts=earlier.counts, steps={"spend": (0.05, 0.07, 0.06, 0.08, 0.05, 0.07)})
    assert judge(Reference((reference,)), [now], Monitor(), earlier=used_to_it).columns[0].status == "watch"


def test_a_first_session_is_described_and_compared_with_nothing() -> None:
    rng = np.random.default_rng(13)
    reference = _reference(rng.normal(size=500))
    now = _measure(rng.normal(size=500), reference)
    report = judge(Reference((reference,)), [now], Monitor(), is_first=True)
    assert (report.status, report.sentence) == ("first", "First session of this model: nothing to compare with yet.")
    (row,) = report.rows("s1", "cltv")
    assert (row["avg_val"], row["n"], report.columns[0].counts) == (now.mean, 500, now.counts)
    assert {row[name] for name in ("avg_ref", "stdev_ref", "psi", "psi_previous", "z", "kld", "p_value")} == {None}
    json.dumps(row, allow_nan=False)


def test_data_that_are_exactly_those_of_the_reference_are_called_unchanged() -> None:
    values = np.random.default_rng(14).normal(size=500)
    assert (
        _report(values, values)[2] == "Unchanged: 1 feature of 500 rows are exactly as on the day the model went live."
    )
    assert _report(values, values[::-1][:450])[2].startswith("No drift: 1 feature of 450 rows look as on the day")


def test_a_p_value_is_a_probability_where_nothing_differs() -> None:
    values = np.random.default_rng(14).normal(size=500)
    reference = _reference(values)
    (column,) = judge(Reference((reference,)), [_measure(values, reference)], Monitor()).columns
    assert column.p_value == 1.0


@pytest.mark.parametrize(("sessions", "status"), [(2, "spike"), (3, "watch")])
def test_earlier_sessions_are_a_floor_from_min_history_on(sessions: int, status: str) -> None:
    rng = np.random.default_rng(15)
    reference = _reference(rng.normal(size=5000))
    before = _measure(rng.normal(size=5000), reference)
    earlier = Earlier(counts={"spend": before.counts}, steps={"spend": (0.3,) * sessions})
    now = _measure(rng.normal(size=5000) + 0.25, reference)
    (column,) = judge(Reference((reference,)), [now], Monitor(min_history=3), earlier=earlier).columns
    assert (column.status, column.z is None) == (status, sessions < 3)


def test_a_column_that_follows_the_calendar_is_shown_and_never_an_alarm() -> None:
    rng = np.random.default_rng(12)
    reference = _reference(rng.normal(size=2000), "days_since_last_order")
    (column,) = judge(Reference((reference,)), [_measure(rng.normal(size=2000) + 3, reference)], Monitor()).columns
    assert (column.status, column.severity) == ("watch", 0)


def _report(ref: np.ndarray, now: np.ndarray, **policy: float) -> tuple[str, str, str]:
    reference = _reference(ref)
    report = judge(Reference((reference,)), [_measure(now, reference)], Monitor(**policy))
    return report.status, report.columns[0].status, report.sentence


def test_money_in_cents_is_broken_data_and_dearer_goods_are_drift() -> None:
    rng = np.random.default_rng(4)
    spend = np.exp(rng.normal(size=2000))
    status, column, sentence = _report(spend, spend * 100)
    assert (status, column) == ("broken", "scale")
    assert "spend is 100 times as large as it was" in sentence
    status, column, sentence = _report(spend, spend * 2)
    assert (status, column) == ("drift", "far")
    assert "1 of 1 feature moved far: spend (average" in sentence


def test_a_change_below_the_practical_limit_is_watched_and_not_called_drift() -> None:
    rng = np.random.default_rng(5)
    status, column, _ = _report(rng.normal(size=20_000), rng.normal(size=20_000) + 0.3, step_limit=0.2)
    assert (status, column) == ("watch", "watch")


def test_the_first_session_after_going_live_is_compared_with_that_day() -> None:
    rng = np.random.default_rng(5)
    status, column, sentence = _report(rng.normal(size=20_000), rng.normal(size=20_000) + 0.3)
    assert (status, column) == ("drift", "spike")
    assert "since the last stable session" in sentence


def test_a_tiny_change_in_a_million_rows_is_not_worth_a_word() -> None:
    rng = np.random.default_rng(6)
    assert _report(rng.normal(size=300_000), rng.normal(size=300_000) + 0.02)[:2] == ("ok", "ok")


def test_values_below_all_the_reference_held_are_seen() -> None:
    spend = np.where(np.arange(1000) < 600, 0.0, np.arange(1000.0))
    refunded = np.where(spend == 0, -1.0, spend)
    assert _report(spend, refunded)[1] == "far"


def test_a_constant_that_changes_and_a_feed_that_stands_still_are_named_so() -> None:
    varied = np.arange(1000.0)
    assert _report(np.full(1000, 7.0), np.full(1000, 7.0))[1] == "ok"
    assert _report(np.full(1000, 7.0), np.full(1000, 8.0))[:2] == ("drift", "changed")
    assert _report(np.full(1000, 7.0), varied + 1)[:2] == ("drift", "changed")
    assert _report(varied, np.full(1000, 7.0))[:2] == ("broken", "stuck")


def test_degenerate_columns_have_no_divergence_and_no_nan_anywhere() -> None:
    reference = Reference((_reference(np.full(300, 7.0)),))
    report = judge(reference, [ColumnMeasure("spend", 300, 300, 8.0, 0.0, (0, 0, 300, 0))], Monitor())
    row = report.rows("s1", "cltv")[0]
    assert row["kld"] is None
    assert row["kld_hivemall"] is None
    json.dumps(row, allow_nan=False)


def test_a_column_without_values_is_broken_data_and_one_that_never_had_any_is_not() -> None:
    filled = _reference(np.arange(300.0))
    empty = ColumnReference("clicks", True, 300, 0, None, None, None, None, (), (), (0, 300))
    nothing = ColumnMeasure("spend", 300, 0, None, None, (*(0 for _ in filled.counts[:-1]), 300))
    never = ColumnMeasure("clicks", 300, 0, None, None, (0, 300))
    report = judge(Reference((filled, empty)), [nothing, never], Monitor())
    assert report.status == "broken"
    assert report.named("all_null") == ("spend",)
    assert report.named("degenerate") == ("clicks",)


def test_too_few_rows_are_not_judged() -> None:
    status, column, sentence = _report(np.arange(1000.0), np.arange(100.0))
    assert (status, column) == ("too_few", "too_few")
    assert "100 rows, at least 200" in sentence


def test_rows_hold_exactly_the_contract() -> None:
    from tdml_assets.platform.monitoring import DRIFT

    reference = Reference((_reference(np.arange(300.0)),))
    rows = judge(reference, [_measure(np.arange(300.0), reference.columns[0])], Monitor()).rows("s1", "cltv")
    assert set(rows[0]) == set(DRIFT.column_names)


def test_a_reference_survives_its_text_form_exactly() -> None:
    text = ColumnReference("city", False, 10, 9, None, None, None, None, (), ("Oslo", 'a "b"'), (5, 3, 1, 1))
    reference = Reference((_reference(np.exp(np.random.default_rng(1).normal(size=500))), text))
    plain = Reference.from_json(reference.to_json())
    assert plain.columns[1] == text
    assert plain.columns[0].edges == reference.columns[0].edges


def test_a_reference_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 99"):
        Reference.from_json('{"version": 99, "columns": []}')
