"""The simulator obeys its own truth, and each switch changes what it names and nothing else."""

from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarks.oracle import expected_spend
from tdml_assets.simulation import (
    BrokenFeed,
    PopulationChange,
    PriceChange,
    Simulation,
    SimulationSettings,
    simulate,
    simulate_blocks,
)
from tdml_assets.simulation.feed import ABSURD_PRICE, break_feed, draw_dirty_rows
from tdml_assets.simulation.process import returned_value_share
from tdml_assets.simulation.season import day_multipliers

SETTINGS = SimulationSettings(customers=4_000, seed=11)
SWITCH_DATE = date(2025, 9, 1)
SWITCH_TIME = pd.Timestamp(SWITCH_DATE)
START, END = pd.Timestamp(SETTINGS.start_date), pd.Timestamp(SETTINGS.end_date) + pd.Timedelta(days=1)
TABLES = ("orders", "pageviews", "email_events", "customers", "truth")
DAY = pd.Timedelta(days=1)

Amounts = NDArray[np.float64]
State = Literal["alive", "actual", "prior"]


def frame(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame(table.to_pandas())


@pytest.fixture(scope="module")
def plain() -> Simulation:
    return simulate(SETTINGS)


@pytest.fixture(scope="module")
def lines(plain: Simulation) -> pd.DataFrame:
    return frame(plain.orders)


@pytest.fixture(scope="module")
def truth(plain: Simulation) -> pd.DataFrame:
    return frame(plain.truth).set_index("customer_id")


def with_switch(**switch: object) -> Simulation:
    return simulate(SimulationSettings.model_validate(SETTINGS.model_dump() | switch))


def seasonal_days(begin: "pd.Series[Any]", end: "pd.Series[Any]") -> Amounts:
    """Days of average season between instants of the period, counted from the daily multipliers."""
    accumulated = np.concatenate([[0], np.cumsum(day_multipliers(SETTINGS.start_date, SETTINGS.days, 1.0))])
    knots = np.arange(SETTINGS.days + 1)
    began, ended = (np.interp((instants - START) / DAY, knots, accumulated) for instants in (begin, end))
    return np.asarray(ended - began)


# Determinism and identity


@pytest.mark.parametrize("table", TABLES)
def test_equal_settings_give_identical_tables(plain: Simulation, table: str) -> None:
    again = simulate(SimulationSettings(customers=4_000, seed=11))
    assert getattr(again, table).equals(getattr(plain, table))


@pytest.mark.parametrize("table", TABLES)
def test_another_seed_gives_other_tables(plain: Simulation, table: str) -> None:
    other = simulate(SimulationSettings(customers=4_000, seed=12))
    assert not getattr(other, table).equals(getattr(plain, table))


def test_a_block_does_not_depend_on_the_blocks_after_it() -> None:
    few, many = (SETTINGS.model_copy(update={"customers": n}) for n in (300, 700))
    first_of_few, first_of_many = (next(simulate_blocks(s, block_customers=300)) for s in (few, many))
    assert first_of_few == first_of_many


def test_ids_are_unique_across_blocks_and_blocks_differ() -> None:
    settings = SETTINGS.model_copy(update={"customers": 700})
    blocks = list(simulate_blocks(settings, block_customers=300))
    customers = pa.concat_tables([b.customers for b in blocks]).to_pandas()
    orders = pa.concat_tables([b.orders for b in blocks]).to_pandas()
    assert [b.customers.num_rows for b in blocks] == [300, 300, 100]
    assert customers["customer_id"].tolist() == [f"{i:010d}" for i in range(1, 701)]
    assert not orders.duplicated(["order_id", "line_number"]).any()
    assert orders.groupby("order_id")["customer_id"].nunique().eq(1).all()
    assert not np.isin(blocks[0].truth["purchase_rate_per_day"], blocks[1].truth["purchase_rate_per_day"]).any()


def test_customer_ids_keep_their_leading_zeros_in_every_table(plain: Simulation) -> None:
    known = set(plain.customers["customer_id"].to_pylist())
    for table in TABLES:
        ids = getattr(plain, table)["customer_id"]
        assert ids.type == pa.string()
        assert set(ids.to_pylist()) <= known
    assert all(len(i) == 10 and i.startswith("00000") for i in known)


def test_the_defaults_give_40_to_80_thousand_lines_and_less_than_twice_as_many_other_events() -> None:
    default = simulate(SimulationSettings())
    assert 40_000 < default.orders.num_rows < 80_000
    assert 0.5 < default.pageviews.num_rows / default.orders.num_rows < 2
    assert 0.5 < default.email_events.num_rows / default.orders.num_rows < 2


# Purchase and dropout


def test_customers_alive_throughout_buy_at_their_own_rate(lines: pd.DataFrame, truth: pd.DataFrame) -> None:
    loyal = truth[(truth["acquired_at"] < START) & truth["lapsed_at"].isna()]
    bought = lines[lines["quantity"] > 0].groupby("customer_id")["order_id"].nunique()
    counts = bought.reindex(loyal.index).fillna(0)
    season = seasonal_days(pd.Series(START, loyal.index), pd.Series(END, loyal.index))
    expected = loyal["purchase_rate_per_day"] * season
    for _, group in expected.groupby(pd.qcut(expected, 5), observed=True):
        z = (counts[group.index].sum() - group.sum()) / np.sqrt(group.sum())
        assert abs(z) < 4
    # Poisson around the known rate: were rates not heterogeneous, or counts not Poisson, this would leave 1.
    dispersion = ((counts - expected) ** 2 / expected)[expected > 1]
    assert dispersion.mean() == pytest.approx(1, abs=4 * np.sqrt(2.5 / len(dispersion)))


def test_rates_average_to_the_settings(truth: pd.DataFrame) -> None:
    new = truth[truth["acquired_at"] >= START]
    for column, per_year, shape, rows in (
        ("purchase_rate_per_day", SETTINGS.orders_per_year, SETTINGS.purchase_rate_shape, truth),
        ("dropout_rate_per_day", SETTINGS.dropouts_per_year, SETTINGS.dropout_rate_shape, new),
    ):
        error = per_year / np.sqrt(shape * len(rows))
        assert rows[column].mean() * 365.25 == pytest.approx(per_year, abs=4 * error)


def test_survival_of_new_customers_is_the_gamma_mixture_of_exponentials(truth: pd.DataFrame) -> None:
    years = 1.0
    cohort = truth[(truth["acquired_at"] >= START) & (truth["acquired_at"] < END - 366 * DAY)]
    survived = (~(cohort["lapsed_at"] - cohort["acquired_at"] <= years * 365.25 * DAY)).mean()
    shape = SETTINGS.dropout_rate_shape
    expected = (1 + years * SETTINGS.dropouts_per_year / shape) ** -shape
    assert survived == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / len(cohort)))


def test_customers_buy_only_between_acquisition_and_lapse(lines: pd.DataFrame, truth: pd.DataFrame) -> None:
    bought = lines[lines["quantity"] > 0].join(truth, on="customer_id")
    has_lapsed = bought["lapsed_at"].notna()
    assert has_lapsed.any()
    assert (bought["ordered_at"] <= bought["lapsed_at"])[has_lapsed].all()
    assert (bought["ordered_at"] >= bought["acquired_at"]).all()
    assert bought["ordered_at"].between(START, END, inclusive="left").all()


def test_a_new_customer_is_acquired_by_a_purchase(lines: pd.DataFrame, truth: pd.DataFrame) -> None:
    acquired = truth.loc[truth["acquired_at"] >= START, "acquired_at"]
    first = lines.groupby("customer_id")["ordered_at"].min()
    assert 0.5 < len(acquired) / len(truth) < 0.8
    assert first.reindex(acquired.index).equals(acquired.rename("ordered_at"))


def test_the_base_is_alive_at_the_start(truth: pd.DataFrame) -> None:
    base = truth[truth["acquired_at"] < START]
    assert len(base) / len(truth) == pytest.approx(SETTINGS.base_share, abs=0.03)
    assert (base["lapsed_at"].isna() | (base["lapsed_at"] > START)).all()
    # Having survived for an age a, uniform up to A, makes a dropout rate of s / (b + a) on average.
    shape, oldest = SETTINGS.dropout_rate_shape, SETTINGS.base_age_days
    inverse_scale = shape * 365.25 / SETTINGS.dropouts_per_year
    expected = shape / oldest * np.log(1 + oldest / inverse_scale)
    rate = base["dropout_rate_per_day"]
    assert rate.mean() == pytest.approx(expected, abs=4 * rate.std() / np.sqrt(len(rate)))


@pytest.mark.parametrize(("strength", "low", "high"), [(0.0, 0.85, 1.15), (1.0, 2.0, 3.5)])
def test_december_outsells_february_by_the_strength_of_the_season(strength: float, low: float, high: float) -> None:
    quiet = {"pageviews_per_order": 0.0, "emails_per_month": 0.0, "seasonality": strength}
    ordered_at = simulate(SETTINGS.model_copy(update=quiet)).orders["ordered_at"].to_pandas()
    december, february = ((ordered_at.dt.month == m).sum() for m in (12, 2))
    assert low < (december / 93) / (february / 85) < high


def test_the_season_averages_one_over_a_year_and_repeats() -> None:
    season = day_multipliers(date(2023, 1, 1), 4 * 365 + 1, 1.0)
    assert season.mean() == pytest.approx(1, abs=0.005)
    assert season.min() > 0
    # 364 days later is the same weekday and one day earlier in the year.
    assert np.abs(season[364:] / season[:-364] - 1).max() < 0.1


# What is in an order


def test_a_coupon_takes_a_tenth_off_the_price_a_customer_pays_for_a_product(lines: pd.DataFrame) -> None:
    bought = lines[(lines["quantity"] > 0) & (lines["unit_price"] > 10)]
    price = bought.groupby(["customer_id", "product_id", "coupon_used"])["unit_price"].agg(["min", "max"])
    assert (price["max"] == price["min"]).all()
    paired = price["max"].unstack().dropna()
    assert len(paired) > 100
    assert (paired[True] / paired[False]).to_numpy() == pytest.approx(0.9, abs=0.001)


def test_prices_have_two_decimals_and_lines_are_numbered_from_one(lines: pd.DataFrame) -> None:
    assert np.array_equal(lines["unit_price"], lines["unit_price"].round(2))
    assert (lines["unit_price"] > 0).all()
    bought = lines[lines["quantity"] > 0]
    numbered = bought.groupby("order_id")["line_number"].agg(["min", "max", "count"])
    assert (numbered["min"] == 1).all()
    assert (numbered["max"] == numbered["count"]).all()
    assert numbered["count"].mean() == pytest.approx(SETTINGS.lines_per_order, rel=0.03)


def test_customers_prefer_their_favourite_category_and_product(lines: pd.DataFrame, truth: pd.DataFrame) -> None:
    own = lines.join(truth, on="customer_id")
    assert (own["product_category"] == own["favourite_category"]).mean() > 0.6
    assert 0.15 < (own["product_id"] == own["favourite_product_id"]).mean() < 0.4
    popularity = lines["product_id"].value_counts()
    assert popularity.iloc[0] > 10 * popularity.median()
    assert set(lines["order_type"]) == {"Website", "Mobile App", "In-Store"}
    assert lines.loc[lines["quantity"] > 0, "coupon_used"].mean() == pytest.approx(1 / 6, abs=0.02)


def test_a_return_takes_back_no_more_than_one_earlier_line_of_the_same_product(lines: pd.DataFrame) -> None:
    returned, bought = (lines[lines["order_status"] == status] for status in ("RETURN", "COMPLETE"))
    assert (returned["quantity"] < 0).all()
    assert (bought["quantity"] > 0).all()
    assert len(returned) / len(bought) == pytest.approx(SETTINGS.return_share, rel=0.15)
    pairs = returned.assign(order_id="O" + returned["order_id"].str[1:]).merge(
        bought, on=["order_id", "line_number"], suffixes=("", "_bought"), validate="one_to_one"
    )
    assert len(pairs) == len(returned)
    for column in ("customer_id", "product_id", "unit_price"):
        assert (pairs[column] == pairs[f"{column}_bought"]).all()
    assert not returned["coupon_used"].any()
    delay = pairs["ordered_at"] - pairs["ordered_at_bought"]
    assert delay.between(3 * DAY, 30 * DAY).all()
    assert (-pairs["quantity"] <= pairs["quantity_bought"]).all()
    assert (-pairs["quantity"] < pairs["quantity_bought"]).any()


def test_running_units_of_a_product_never_fall_below_zero(lines: pd.DataFrame) -> None:
    ordered = lines.sort_values(["ordered_at", "quantity"], ascending=[True, False])
    held = ordered.groupby(["customer_id", "product_id"])["quantity"].cumsum()
    assert (held >= 0).all()


# Switches


@pytest.fixture(scope="module")
def dearer() -> Simulation:
    return with_switch(price_change=PriceChange(factor=1.3, from_date=SWITCH_DATE))


def test_a_price_change_multiplies_unit_prices_from_its_date_on_and_nothing_else(
    dearer: Simulation, lines: pd.DataFrame, plain: Simulation
) -> None:
    after = dearer.orders.to_pandas()
    pd.testing.assert_frame_equal(after.drop(columns="unit_price"), lines.drop(columns="unit_price"))
    is_new = (lines["ordered_at"] >= SWITCH_TIME) & (lines["quantity"] > 0)
    assert np.array_equal(after["unit_price"][is_new], (lines["unit_price"][is_new] * 1.3).round(2))
    is_old = lines["ordered_at"] < SWITCH_TIME
    assert np.array_equal(after["unit_price"][is_old], lines["unit_price"][is_old])
    assert 0 < is_old.sum() < len(lines)
    for table in ("pageviews", "email_events", "customers", "truth"):
        assert getattr(dearer, table).equals(getattr(plain, table))


def test_a_refund_after_a_price_change_repays_what_was_paid(dearer: Simulation) -> None:
    after = dearer.orders.to_pandas()
    returned = after[(after["quantity"] < 0) & (after["ordered_at"] >= SWITCH_TIME)]
    bought = after[after["quantity"] > 0].set_index(["order_id", "line_number"])
    source = bought.loc[list(zip("O" + returned["order_id"].str[1:], returned["line_number"], strict=True))]
    assert np.array_equal(returned["unit_price"], source["unit_price"])
    assert (source["ordered_at"] < SWITCH_TIME).any()


def test_half_volume_loses_half_of_the_orders_whole_from_its_date_on(lines: pd.DataFrame, plain: Simulation) -> None:
    broken = with_switch(broken_feed=BrokenFeed(kind="half_volume", from_date=SWITCH_DATE))
    kept = broken.orders.to_pandas()
    is_late = lines["ordered_at"] >= SWITCH_TIME
    orders = lines.loc[is_late, "order_id"].nunique()
    arrived = set(kept.loc[kept["ordered_at"] >= SWITCH_TIME, "order_id"])
    assert len(arrived) / orders == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(orders))
    expected = lines[~is_late | lines["order_id"].isin(arrived)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, expected)
    for table in ("pageviews", "email_events", "customers", "truth"):
        assert getattr(broken, table).equals(getattr(plain, table))


@pytest.mark.parametrize("column", ["product_category", "unit_price", "coupon_used"])
def test_null_column_empties_one_column_from_its_date_on(lines: pd.DataFrame, plain: Simulation, column: str) -> None:
    fault = BrokenFeed.model_validate({"kind": "null_column", "from_date": SWITCH_DATE, "column": column})
    broken = with_switch(broken_feed=fault).orders
    assert broken.schema == plain.orders.schema
    assert broken.drop_columns(column).equals(plain.orders.drop_columns(column))
    is_late = lines["ordered_at"] >= SWITCH_TIME
    after = broken.to_pandas()[column]
    assert after[is_late].isna().all()
    assert (after[~is_late] == lines[column][~is_late]).all()


def test_unit_change_multiplies_every_price_by_100_from_its_date_on(lines: pd.DataFrame, plain: Simulation) -> None:
    broken = with_switch(broken_feed=BrokenFeed(kind="unit_change_x100", from_date=SWITCH_DATE)).orders
    assert broken.drop_columns("unit_price").equals(plain.orders.drop_columns("unit_price"))
    is_late = lines["ordered_at"] >= SWITCH_TIME
    expected = lines["unit_price"].where(~is_late, (lines["unit_price"] * 100).round())
    assert np.array_equal(broken["unit_price"].to_numpy(), expected)
    assert is_late.any()


def test_a_population_change_shifts_a_share_of_later_customers_and_leaves_the_others_untouched(
    plain: Simulation, lines: pd.DataFrame, truth: pd.DataFrame
) -> None:
    change = PopulationChange(
        share=0.7, from_date=date(2024, 6, 1), purchase_rate_factor=0.4, spend_factor=0.5, category="Garden"
    )
    changed = with_switch(population_change=change)
    new_truth = changed.truth.to_pandas().set_index("customer_id")
    is_changed = new_truth["is_changed_population"]
    is_late = truth["acquired_at"] >= pd.Timestamp(change.from_date)
    assert not is_changed[~is_late].any()
    assert is_changed[is_late].mean() == pytest.approx(0.7, abs=4 * 0.5 / np.sqrt(is_late.sum()))

    pd.testing.assert_frame_equal(new_truth[~is_changed], truth[~is_changed])
    for table in ("orders", "pageviews", "email_events"):
        before, after = (getattr(s, table).to_pandas() for s in (plain, changed))
        same = [t[~t["customer_id"].map(is_changed)].reset_index(drop=True) for t in (before, after)]
        pd.testing.assert_frame_equal(*same)

    ratio = new_truth["purchase_rate_per_day"] / truth["purchase_rate_per_day"]
    assert ratio[is_changed].to_numpy() == pytest.approx(0.4)
    assert (new_truth.loc[is_changed, "favourite_category"] == "Garden").all()
    assert new_truth["lapsed_at"].equals(truth["lapsed_at"])
    after = changed.orders.to_pandas()
    after = after[after["customer_id"].map(is_changed) & (after["quantity"] > 0)]
    assert (after["product_category"] == "Garden").mean() > 0.6
    assert set(after["order_id"]) < set(lines["order_id"])
    views_before, views_after = (frame(s.pageviews)["customer_id"].map(is_changed).sum() for s in (plain, changed))
    assert views_after / views_before == pytest.approx(0.4, abs=0.06)


def test_changed_customers_buy_and_spend_at_their_new_truth() -> None:
    change = PopulationChange(share=0.7, from_date=date(2024, 6, 1), purchase_rate_factor=0.4, spend_factor=0.5)
    changed, as_dear = (
        with_switch(population_change=change.model_copy(update={"spend_factor": factor}), customers=8_000)
        for factor in (0.5, 1.0)
    )
    is_changed = changed.truth["is_changed_population"].to_numpy()
    ratio = changed.truth["mean_order_value"].to_numpy() / as_dear.truth["mean_order_value"].to_numpy()
    assert ratio == pytest.approx(np.where(is_changed, 0.5, 1))
    truth = changed.truth.to_pandas().set_index("customer_id")
    truth = truth[truth["is_changed_population"]]
    bought = changed.orders.to_pandas()
    bought = bought[bought["customer_id"].isin(truth.index) & (bought["quantity"] > 0)]
    repeats = bought["order_id"].nunique() - len(truth)
    expected = truth["purchase_rate_per_day"] @ seasonal_days(truth["acquired_at"], truth["lapsed_at"].fillna(END))
    assert repeats == pytest.approx(expected, abs=4 * np.sqrt(expected))

    value = (bought["quantity"] * bought["unit_price"]).groupby([bought["customer_id"], bought["order_id"]]).sum()
    mean = truth["mean_order_value"].reindex(value.index.get_level_values("customer_id")).to_numpy()
    assert (value / mean).mean() == pytest.approx(1, abs=4 * (value / mean).std() / np.sqrt(len(value)))


def test_a_broken_feed_can_be_laid_over_any_order_log() -> None:
    log = pa.table(
        {"order_id": ["a", "b"], "ordered_at": pa.array([0, 10**6], pa.timestamp("us")), "unit_price": [2.0, 0.35]}
    )
    fault = BrokenFeed(kind="unit_change_x100", from_date=date(1970, 1, 1))
    assert break_feed(log, fault, np.random.default_rng(0))["unit_price"].to_pylist() == [200.0, 35.0]
    assert log["unit_price"].to_pylist() == [2.0, 0.35]


def test_dirty_rows_are_as_many_and_as_bad_as_their_counts_say(plain: Simulation) -> None:
    dirt, counts = draw_dirty_rows(plain.orders, 0.001, np.random.default_rng(3))
    rows = frame(dirt)
    faults = pd.DataFrame(
        {
            "missing_customer": rows["customer_id"].isna() | (rows["customer_id"] == ""),
            "absurd_price": rows["unit_price"] == ABSURD_PRICE,
            "future_date": rows["ordered_at"] > END + 30_000 * DAY,
        }
    )
    assert (faults.sum(axis=1) == 1).all()
    assert faults.sum().to_dict() == counts
    assert min(counts.values()) > 0
    assert sum(counts.values()) == len(rows) == pytest.approx(0.001 * plain.orders.num_rows, abs=3)
    assert rows["customer_id"].isna().any()
    assert (rows["customer_id"] == "").any()
    assert dirt.schema == plain.orders.schema
    assert not set(rows["order_id"]) & set(plain.orders["order_id"].to_pylist())


# Page views and e-mail


def test_views_per_order_follow_the_setting_and_zero_makes_none(plain: Simulation, lines: pd.DataFrame) -> None:
    views = plain.pageviews.num_rows / lines.loc[lines["quantity"] > 0, "order_id"].nunique()
    assert views == pytest.approx(SETTINGS.pageviews_per_order, rel=0.25)
    none = with_switch(pageviews_per_order=0, emails_per_month=0)
    assert none.pageviews.num_rows == none.email_events.num_rows == 0
    assert none.pageviews.schema == plain.pageviews.schema
    assert none.orders.equals(plain.orders)


def test_browsing_rises_before_a_purchase(plain: Simulation, lines: pd.DataFrame) -> None:
    views = plain.pageviews.to_pandas().sort_values("viewed_at")
    orders = lines[lines["quantity"] > 0].drop_duplicates("order_id")[["customer_id", "ordered_at"]]

    def views_in_three_days_before(moved_by: pd.Timedelta) -> int:
        viewed_at = (orders["ordered_at"] + moved_by).astype(views["viewed_at"].dtype)
        moved = orders.assign(viewed_at=viewed_at).sort_values("viewed_at")
        near = pd.merge_asof(
            views, moved, on="viewed_at", by="customer_id", direction="forward", tolerance=pd.Timedelta(days=3)
        )
        return int(near["ordered_at"].notna().sum())

    assert views_in_three_days_before(0 * DAY) > 2 * views_in_three_days_before(-15 * DAY)


def test_lapsed_customers_hardly_browse_and_nobody_browses_before_acquisition(
    plain: Simulation, truth: pd.DataFrame
) -> None:
    views = plain.pageviews.to_pandas().join(truth, on="customer_id")
    assert (views["viewed_at"] >= views["acquired_at"]).all()
    assert views["viewed_at"].between(START, END, inclusive="left").all()
    observed_from = truth["acquired_at"].where(truth["acquired_at"] > START, START)
    alive_until = truth["lapsed_at"].fillna(END)
    is_late = views["viewed_at"] > views["lapsed_at"]
    rate_alive = (~is_late).sum() / (alive_until - observed_from).dt.total_seconds().sum()
    rate_lapsed = is_late.sum() / (END - alive_until).dt.total_seconds().sum()
    assert 0 < rate_lapsed < 0.15 * rate_alive


def test_busy_customers_browse_more(plain: Simulation, truth: pd.DataFrame) -> None:
    alive = truth[truth["lapsed_at"].isna() & (truth["acquired_at"] < START)]
    views = plain.pageviews.to_pandas()["customer_id"].value_counts().reindex(alive.index).fillna(0)
    assert views.corr(alive["purchase_rate_per_day"], method="spearman") > 0.6
    # After the lapse there are no orders to lead up to: what is left shows the rate of the other views.
    late = frame(plain.pageviews).join(truth, on="customer_id").query("viewed_at > lapsed_at")
    is_busy = late["purchase_rate_per_day"] > truth["purchase_rate_per_day"].median()
    assert is_busy.sum() > 3 * (~is_busy).sum()


def test_an_email_is_answered_after_it_is_sent_and_less_once_lapsed(plain: Simulation, truth: pd.DataFrame) -> None:
    events = plain.email_events.to_pandas().join(truth, on="customer_id")
    assert set(events["event_type"]) == {"send", "open", "click", "unsubscribe", "bounce"}
    assert (events["sent_at"] >= events["acquired_at"]).all()
    assert events["sent_at"].between(START, END, inclusive="left").all()
    counts = events.groupby([events["sent_at"] > events["lapsed_at"], "event_type"]).size().unstack()
    rates = counts.div(counts["send"], axis=0)
    assert rates.loc[False, "open"] > 2 * rates.loc[True, "open"]
    assert rates.loc[False, "click"] > 4 * rates.loc[True, "click"]
    assert rates.loc[True, "unsubscribe"] > 2 * rates.loc[False, "unsubscribe"]
    assert rates.loc[True, "bounce"] > 2 * rates.loc[False, "bounce"]
    first = events.groupby(["customer_id", "event_type"])["sent_at"].min().unstack()
    for answer in ("open", "click", "unsubscribe", "bounce"):
        assert (first["send"] < first[answer])[first[answer].notna()].all()
    assert events.groupby("email_name")["campaign_name"].nunique().eq(1).all()


def test_sends_are_regular_until_a_bounce_or_an_unsubscribe(plain: Simulation) -> None:
    events = plain.email_events.to_pandas()
    sends = events[events["event_type"] == "send"]
    gap_days = sends.groupby("customer_id")["sent_at"].diff().dropna() / DAY
    assert gap_days.between(49.9, 51.1).all()
    last_send = sends.groupby("customer_id")["sent_at"].max()
    ended = events[events["event_type"].isin(["unsubscribe", "bounce"])].set_index("customer_id")["sent_at"]
    assert ended.index.is_unique
    assert len(ended) > 50
    assert (last_send[ended.index] < ended).all()


# The oracle


@pytest.fixture(scope="module")
def worlds() -> list[tuple[SimulationSettings, Simulation]]:
    change = PriceChange(factor=1.5, from_date=date(2026, 2, 1))
    quiet = {"customers": 8_000, "pageviews_per_order": 0.0, "emails_per_month": 0.0, "price_change": change}
    settings = [SimulationSettings.model_validate(quiet | {"seed": seed}) for seed in (1, 2, 3)]
    return [(s, simulate(s)) for s in settings]


def test_orders_are_worth_what_the_truth_says_on_average(worlds: list[tuple[SimulationSettings, Simulation]]) -> None:
    ratios = []
    for _, world in worlds:
        bought = frame(world.orders)
        bought = bought[(bought["quantity"] > 0) & (bought["ordered_at"] < pd.Timestamp(2026, 2, 1))]
        value = (bought["quantity"] * bought["unit_price"]).groupby([bought["customer_id"], bought["order_id"]]).sum()
        expected = frame(world.truth).set_index("customer_id")["mean_order_value"]
        ratios.append(value / expected.reindex(value.index.get_level_values("customer_id")).to_numpy())
    ratio = pd.concat(ratios)
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.004
    assert ratio.mean() == pytest.approx(1, abs=4 * error)


def realised_spend(world: Simulation, as_of: date, horizon_days: int, *, gross: bool) -> Amounts:
    begin = pd.Timestamp(as_of) + DAY
    lines = world.orders.to_pandas()
    lines = lines[lines["ordered_at"].between(begin, begin + horizon_days * DAY, inclusive="left")]
    if gross:
        lines = lines[lines["quantity"] > 0]
    spend = (lines["quantity"] * lines["unit_price"]).groupby(lines["customer_id"]).sum()
    is_known = world.truth["acquired_at"].to_pandas() < begin
    return np.where(is_known, spend.reindex(world.truth["customer_id"].to_pandas()).fillna(0), 0)


@pytest.mark.parametrize(
    ("as_of", "horizon_days"), [(date(2024, 6, 30), 365), (date(2025, 9, 30), 90), (date(2026, 1, 10), 60)]
)
@pytest.mark.parametrize("state", ["actual", "prior"])
def test_expected_spend_is_the_average_of_realised_spend(
    worlds: list[tuple[SimulationSettings, Simulation]], as_of: date, horizon_days: int, state: State
) -> None:
    expected = np.concatenate(
        [expected_spend(w.truth, s, as_of, horizon_days, state=state, net_of_returns=False) for s, w in worlds]
    )
    realised = np.concatenate([realised_spend(w, as_of, horizon_days, gross=True) for _, w in worlds])
    assert (realised[expected == 0] == 0).all()
    positive = expected > 0
    for part in np.array_split(np.argsort(expected[positive]), 4):
        error = realised[positive][part] - expected[positive][part]
        assert error.mean() == pytest.approx(0, abs=4 * error.std() / np.sqrt(len(error)))
    assert realised.sum() == pytest.approx(expected.sum(), rel=0.05)


def test_expected_spend_net_of_returns_is_the_average_of_realised_net_spend(
    worlds: list[tuple[SimulationSettings, Simulation]],
) -> None:
    as_of = date(2024, 6, 30)
    net = sum(realised_spend(w, as_of, 365, gross=False).sum() for _, w in worlds)
    gross = sum(realised_spend(w, as_of, 365, gross=True).sum() for _, w in worlds)
    settings, world = worlds[0]
    ratio = expected_spend(world.truth, settings, as_of, 365).sum() / (
        expected_spend(world.truth, settings, as_of, 365, net_of_returns=False).sum()
    )
    assert ratio == pytest.approx(1 - returned_value_share(settings))
    assert net / gross == pytest.approx(ratio, abs=0.005)
    assert ratio < 0.98


def test_expected_spend_ranks_customers_far_better_than_chance(
    worlds: list[tuple[SimulationSettings, Simulation]],
) -> None:
    settings, world = worlds[0]
    expected = pd.Series(expected_spend(world.truth, settings, date(2025, 9, 30), 90))
    realised = pd.Series(realised_spend(world, date(2025, 9, 30), 90, gross=False))
    assert expected.corr(realised, method="spearman") > 0.6


def test_expected_spend_without_season_is_the_closed_form(plain: Simulation) -> None:
    settings = SETTINGS.model_copy(update={"seasonality": 0.0})
    as_of, horizon = date(2026, 6, 30), 120
    truth = plain.truth.to_pandas()
    rate, dropout = truth["purchase_rate_per_day"], truth["dropout_rate_per_day"]
    closed = truth["mean_order_value"] * rate * (1 - np.exp(-dropout * horizon)) / dropout
    alive = expected_spend(plain.truth, settings, as_of, horizon, state="alive", net_of_returns=False)
    assert alive == pytest.approx(closed.to_numpy(), rel=1e-6)


def test_states_differ_only_in_who_counts_as_alive(plain: Simulation, truth: pd.DataFrame) -> None:
    as_of = date(2025, 3, 31)
    midnight = pd.Timestamp(as_of) + DAY
    states: tuple[State, ...] = ("alive", "actual", "prior")
    alive, actual, prior = (expected_spend(plain.truth, SETTINGS, as_of, 90, state=state) for state in states)
    is_known = (truth["acquired_at"] < midnight).to_numpy()
    has_lapsed = (truth["lapsed_at"] <= midnight).to_numpy()
    assert (alive[is_known] > 0).all()
    assert (alive[~is_known] == 0).all()
    assert np.array_equal(actual, np.where(has_lapsed, 0, alive))
    observed = midnight - truth["acquired_at"].where(truth["acquired_at"] > START, START)
    survival = np.exp(-truth["dropout_rate_per_day"] * (observed.dt.total_seconds() / 86_400)).to_numpy()
    assert prior == pytest.approx(alive * survival)


def test_a_price_change_enters_the_expectation_from_its_date_on(plain: Simulation) -> None:
    as_of = SWITCH_DATE - timedelta(days=1)
    dearer = SETTINGS.model_copy(update={"price_change": PriceChange(factor=2.0, from_date=SWITCH_DATE)})
    later = SETTINGS.model_copy(
        update={"price_change": PriceChange(factor=2.0, from_date=SWITCH_DATE + timedelta(days=30))}
    )
    before, after, between = (expected_spend(plain.truth, s, as_of, 30) for s in (SETTINGS, dearer, later))
    assert after == pytest.approx(2 * before)
    assert np.array_equal(between, before)


# Settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"custmers": 5}, "Extra inputs"),
        ({"customers": 0}, "greater than or equal to 1"),
        ({"end_date": date(2023, 6, 1)}, "before start_date"),
        ({"currency": "pounds"}, "pattern"),
        ({"price_change": {"factor": 2, "from_date": date(2030, 1, 1)}}, "outside 2023-07-01..2026-06-30"),
        ({"broken_feed": {"kind": "null_column", "from_date": SWITCH_DATE, "column": "customer_id"}}, "column"),
        ({"population_change": {"from_date": SWITCH_DATE, "purchase_rate_factor": 1.5}}, "less than or equal to 1"),
    ],
)
def test_wrong_settings_are_refused_with_the_reason(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulationSettings.model_validate(wrong)


def test_unanswerable_expectations_are_refused(plain: Simulation) -> None:
    with pytest.raises(ValueError, match="horizon_days is 0"):
        expected_spend(plain.truth, SETTINGS, SWITCH_DATE, 0)
    with pytest.raises(ValueError, match="state is 'dead'"):
        expected_spend(plain.truth, SETTINGS, SWITCH_DATE, 30, state="dead")  # type: ignore[arg-type]


def test_one_customer_for_one_day_is_a_valid_world() -> None:
    tiny = simulate(
        SimulationSettings(customers=1, start_date=date(2024, 2, 29), end_date=date(2024, 2, 29), base_share=0)
    )
    assert tiny.truth.num_rows == 1
    assert tiny.orders["ordered_at"].to_pandas().dt.date.eq(date(2024, 2, 29)).all()
