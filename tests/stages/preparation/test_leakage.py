"""Columns that hold the future are found; what the past can honestly know is left alone."""

import re
from datetime import date, timedelta

import duckdb
import jinja2
import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.simulation import SimulationSettings, simulate
from tdml_assets.stages.features.dbt_manifest import dbt_project_directory
from tdml_assets.stages.preparation.leakage import find_leaks

AS_OF, HORIZON = date(2025, 12, 31), 90
SNAPSHOTS = (AS_OF - timedelta(days=HORIZON), AS_OF - timedelta(days=2 * HORIZON))


def build_features(connection):
    """Run the project's own feature models without dbt: this test needs their tables, not dbt's bookkeeping."""
    folder = dbt_project_directory()
    macros = "".join(path.read_text(encoding="utf-8") for path in sorted((folder / "macros").glob("*.sql")))
    macros = re.sub(r"\{% macro (window_days|recorded_sources).*?endmacro %\}", "", macros, flags=re.DOTALL)
    models = {path.stem: path for path in (folder / "models").rglob("*.sql")}
    built = set()

    def build(name):
        if name not in built:
            built.add(name)
            text = macros + models[name].read_text(encoding="utf-8")
            query = (
                jinja2.Environment(autoescape=False)
                .from_string(text)
                .render(
                    ref=build,
                    source=lambda schema, table: f"{schema}.{table}",
                    window_days=lambda: [30, 90, 365],
                    recorded_sources=list,
                )
            )
            connection.execute(f"create table features.{name} as {query}")
        return f"features.{name}"

    return build("customer_features")


@pytest.fixture(scope="module")
def training():
    """Features of two snapshots of simulated customers, with what they did in the 90 days after."""
    settings = SimulationSettings(customers=1500, start_date=date(2024, 1, 1), end_date=AS_OF, pageviews_per_order=2.0)
    simulated = simulate(settings)
    with duckdb.connect() as connection:
        connection.execute("set threads = 1; create schema raw; create schema features")
        connection.execute(
            "create table features.snapshots as "
            "select unnest($1::date[]) as snapshot_date, false as is_scoring, 1.0 as customer_share",
            [SNAPSHOTS],
        )
        for table, instant, day in (
            ("orders", "ordered_at", "ordered_on"),
            ("pageviews", "viewed_at", "viewed_on"),
            ("email_events", "sent_at", "sent_on"),
        ):
            connection.register("incoming", getattr(simulated, table))
            extra = (
                ", quantity * unit_price as amount, quantity < 0 as is_return, true as is_product"
                if table == "orders"
                else ""
            )
            connection.execute(
                f"create table raw.{table} as select * replace ({instant}::timestamp as {instant}), {instant}::date as {day}, "
                f"'sample' as source, 'f' as file, row_number() over () as row_number{extra} from incoming"
            )
        features = build_features(connection)
        return connection.sql(
            f"""
            with later as (
                select
                    features.snapshot_date,
                    features.customer_id,
                    greatest(sum(orders.amount), 0)::double as target,
                    min(orders.ordered_on) - features.snapshot_date as days_until_next_order
                from {features} as features
                inner join raw.orders as orders
                    on features.customer_id = orders.customer_id and orders.ordered_on > features.snapshot_date
                    and orders.ordered_on <= features.snapshot_date + {HORIZON}
                group by features.snapshot_date, features.customer_id
            )
            select
                features.* exclude (snapshot_date, customer_id), coalesce(later.target, 0) as target, later.days_until_next_order
            from {features} as features
            left join later
                on features.snapshot_date = later.snapshot_date and features.customer_id = later.customer_id
            order by features.customer_id, features.snapshot_date
            """
        ).to_arrow_table()


@pytest.fixture(scope="module")
def target(training):
    return training["target"].to_numpy()


@pytest.fixture(scope="module")
def features(training):
    return training.drop_columns(["target", "days_until_next_order"])


def test_the_simulated_features_are_all_there(features, target):
    assert features.num_columns >= 55
    assert features.num_rows > 1500
    assert 0.1 < (target > 0).mean() < 0.6


@pytest.mark.parametrize("kind", ["spend", "purchase", "no purchase"])
def test_no_honest_feature_is_flagged(features, target, kind):
    goal = {"spend": target, "purchase": target > 0, "no purchase": target == 0}[kind]
    assert find_leaks(features, goal) == {}
    # Nor by a wide margin: every honest column would pass a much stricter limit.
    assert find_leaks(features, goal, limit=0.9) == {}


def leaks(training, target):
    rng = np.random.default_rng(3)
    bought = target > 0
    return {
        "target_again": target,
        "target_in_pence": -100.0 * target,
        "noisy_target": target * np.exp(0.1 * rng.standard_normal(len(target))) + 0.5 * rng.random(len(target)),
        "rounded_target": np.ceil(target / 20.0),
        "days_until_next_order": training["days_until_next_order"],
        "next_order_is_known": [None if days is None else 1 for days in training["days_until_next_order"].to_pylist()],
        "will_buy": bought,
        "status_later": np.where(bought, "active", "lapsed"),
        "spend_if_any": np.where(bought, target, rng.permutation(target)),
    }


@pytest.mark.parametrize(
    "name",
    [
        "target_again",
        "target_in_pence",
        "noisy_target",
        "rounded_target",
        "days_until_next_order",
        "next_order_is_known",
        "will_buy",
        "status_later",
        "spend_if_any",
    ],
)
def test_a_column_that_holds_the_future_is_found_with_its_figure(training, features, target, name):
    found = find_leaks(features.append_column(name, pa.array(leaks(training, target)[name])), target)
    assert list(found) == [name]
    assert re.fullmatch(
        r"ranks the (target with AUC|target with a Spearman correlation of|targets above 0 with a Spearman correlation of) "
        r"(1\.000|0\.9[89]\d)",
        found[name],
    )


def test_a_leak_of_a_yes_or_no_target_is_found(training, features, target):
    with_leak = features.append_column("days_until_next_order", training["days_until_next_order"])
    # Not 1: some of those orders come back whole, so that nothing was spent.
    for goal in (target > 0, target == 0):
        (figure,) = find_leaks(with_leak, goal).values()
        assert figure == "ranks the target with AUC 0.999"


def test_a_text_column_with_a_level_per_row_is_not_a_leak():
    rng = np.random.default_rng(1)
    target = (rng.random(2000) < 0.3).astype(float)
    columns = pa.table({"id": [f"c{i}" for i in range(2000)], "pairs": [f"c{i // 2}" for i in range(2000)]})
    assert find_leaks(columns, target) == {}


def test_a_limit_of_one_finds_nothing_and_a_lower_one_finds_more():
    target = np.arange(200.0)
    columns = pa.table({"copy": target, "near": target + 60 * np.random.default_rng(1).standard_normal(200)})
    assert find_leaks(columns, target, limit=1.0) == {}
    assert list(find_leaks(columns, target)) == ["copy"]
    assert list(find_leaks(columns, target, limit=0.6)) == ["copy", "near"]


def test_the_figure_is_the_auc_with_ties_averaged():
    # 30 buyers and 30 others; one buyer shares the value of all others: AUC = (29 + .5) / 30.
    target = np.repeat([1.0, 0.0], 30)
    column = np.concatenate([[0.0], np.ones(29), np.zeros(30)])
    assert find_leaks(pa.table({"x": column}), target) == {"x": "ranks the target with AUC 0.983"}
    assert find_leaks(pa.table({"x": -column}), target) == {"x": "ranks the target with AUC 0.983"}


def test_too_few_rows_of_a_class_are_not_judged():
    target = np.repeat([1.0, 0.0], [19, 500])
    assert find_leaks(pa.table({"x": target}), target, min_rows=20) != {}, "the ranking over all rows remains"
    noise = np.random.default_rng(2).random(12)
    assert find_leaks(pa.table({"x": noise}), noise) == {}


def test_columns_without_information_or_of_other_kinds_are_left_alone():
    columns = pa.table(
        {
            "constant": [1.0] * 100,
            "nothing": pa.array([None] * 100, pa.float64()),
            "null": pa.nulls(100),
            "day": [AS_OF] * 100,
            "level": ["a"] * 100,
            "decimal": pa.array([None] * 100, pa.decimal128(18, 4)),
        }
    )
    assert find_leaks(columns, np.arange(100.0) % 2) == {}


def test_many_rows_are_thinned_out_and_give_the_same_columns(features, target):
    with_leak = features.append_column("copy", pa.array(target))
    assert list(find_leaks(with_leak, target, max_rows=300)) == ["copy"]


def test_wrong_arguments_are_refused_with_the_numbers():
    columns = pa.table({"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match="3 targets for 2 rows"):
        find_leaks(columns, [0, 1, 2])
    with pytest.raises(ValueError, match="1 of 2 targets are missing"):
        find_leaks(columns, [0, np.nan])
    with pytest.raises(ValueError, match="limit is 0.5"):
        find_leaks(columns, [0, 1], limit=0.5)
