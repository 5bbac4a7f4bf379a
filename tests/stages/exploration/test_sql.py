"""Exploration in the warehouse agrees with NumPy on the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import TARGET_HISTOGRAM
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.exploration import analyses as exploration
from tdml_assets.stages.exploration import split as exploration_split

TABLE = TableContract(
    "cltv",
    "training_table",
    "Training table.",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("split", "VARCHAR", ""),
        Column("target", "DOUBLE", ""),
        Column("spend", "DOUBLE", ""),
        Column("orders", "BIGINT", ""),
        Column("constant", "DOUBLE", ""),
        Column("empty", "DOUBLE", ""),
        Column("category", "VARCHAR", ""),
    ),
)
NUMBERS = ["target", "spend", "orders", "constant", "empty"]


def frame(rows: int = 3000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    spend = np.exp(rng.normal(size=rows) + 3)
    return pd.DataFrame(
        {
            "snapshot_date": pd.to_datetime(["2024-01-01"] * rows),
            "customer_id": [f"c{i}" for i in range(rows)],
            "split": rng.choice(["train", "validation", "test"], rows, p=[0.6, 0.2, 0.2]),
            "target": np.where(rng.random(rows) < 0.4, 0.0, spend * np.exp(rng.normal(size=rows) / 2)),
            "spend": np.where(rng.random(rows) < 0.01, np.nan, spend),
            "orders": rng.poisson(2, rows),
            "constant": 0.1,
            "empty": np.nan,
            "category": "x",
        }
    )


def opened(tmp_path: Path, contract: TableContract, table: pd.DataFrame) -> Warehouse:
    warehouse = Warehouse(database=str(tmp_path / f"{contract.name}.duckdb"), temp_directory=str(tmp_path / "spill"))
    with warehouse.write() as writer:
        writer.replace(contract, pa.Table.from_pandas(table, preserve_index=False))
    return warehouse


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path, TABLE, frame()).read() as reader:
        yield reader


def test_coefficients_of_variation_are_those_of_the_whole_table(database: Database) -> None:
    check = exploration_split.split_check(database, TABLE.path, NUMBERS)
    found = {column.column_name: column for column in check.columns}
    table = frame()
    for column in ("target", "spend", "orders"):
        train, test = (table.loc[table["split"] == side, column].dropna() for side in ("train", "test"))
        cv_train, cv_test = 100 * train.std(ddof=0) / train.mean(), 100 * test.std(ddof=0) / test.mean()
        assert found[column].cv_train == pytest.approx(cv_train, rel=1e-9)
        assert found[column].cv_test == pytest.approx(cv_test, rel=1e-9)
        assert found[column].difference == pytest.approx(abs(cv_train - cv_test), rel=1e-9)
        assert found[column].within_deck_limit == (abs(cv_train - cv_test) < 3)
        # All rows fit into the sample, one per customer: the tested difference is the told one.
        assert found[column].sampled_difference == pytest.approx(found[column].difference, rel=1e-6)
    assert (found["constant"].status, found["empty"].status) == ("constant", "all_null")
    assert check.rows_train + check.rows_test == (table["split"] != "validation").sum()
    json.dumps(check.rows(), allow_nan=False)


def test_a_fair_split_is_called_alike(database: Database) -> None:
    check = exploration_split.split_check(database, TABLE.path, NUMBERS)
    assert check.differing == ()
    assert "look alike" in check.sentence


def test_a_unit_error_in_the_test_rows_is_named(tmp_path: Path) -> None:
    table = frame()
    table.loc[table["split"] == "test", "spend"] *= 100
    with opened(tmp_path, TABLE, table).read() as database:
        check = exploration_split.split_check(database, TABLE.path, NUMBERS, rows=1000)
    assert check.differing == ("spend",)
    assert check.rows_train + check.rows_test == 1000
    assert check.p_value is not None
    assert check.p_value <= 0.01
    assert "spend" in check.sentence


def test_rows_of_one_customer_at_many_snapshots_count_once(tmp_path: Path) -> None:
    # Every row ten times, under ten dates: taken as independent, any fair split would look uneven by a factor of three.
    table = pd.concat([frame(600).assign(snapshot_date=pd.Timestamp(2024, 1, day + 1)) for day in range(10)])
    with opened(tmp_path, TABLE, table).read() as database:
        check = exploration_split.split_check(database, TABLE.path, NUMBERS)
    assert check.rows_train + check.rows_test == (frame(600)["split"] != "validation").sum()
    assert check.differing == ()


def test_the_check_is_the_same_every_time(database: Database) -> None:
    first, again = (exploration_split.split_check(database, TABLE.path, NUMBERS, rows=700) for _ in range(2))
    assert first == again


def test_a_test_split_of_few_rows_is_not_judged(tmp_path: Path) -> None:
    table = frame(200)
    table["split"] = np.where(np.arange(200) < 10, "test", "train")
    with opened(tmp_path, TABLE, table).read() as database:
        check = exploration_split.split_check(database, TABLE.path, NUMBERS)
    assert {column.status for column in check.columns} == {"too_few"}
    assert check.p_value is None
    assert "190 train, 10 test" in check.sentence


def test_text_columns_have_no_coefficient_of_variation(database: Database) -> None:
    with pytest.raises(ValueError, match="category"):
        exploration_split.split_check(database, TABLE.path, ["category"])


def test_correlations_agree_with_numpy_and_the_undefined_have_a_status(database: Database) -> None:
    rows = exploration.correlations(database, TABLE.path, {"split": "train"}, NUMBERS[1:], "target")
    found = {row["column_name"]: row for row in rows}
    table = frame().query("split == 'train'")
    for column in ("spend", "orders"):
        pair = table[["target", column]].dropna()
        assert found[column]["correlation"] == pytest.approx(np.corrcoef(pair.T)[0, 1], abs=1e-9)
        assert found[column]["n"] == len(pair)
    assert (found["constant"]["status"], found["constant"]["correlation"]) == ("constant", None)
    assert (found["empty"]["status"], found["empty"]["correlation"]) == ("all_null", None)
    assert [row["column_name"] for row in rows[:2]] == ["spend", "orders"]


def test_a_constant_target_correlates_with_nothing(database: Database) -> None:
    rows = exploration.correlations(database, TABLE.path, {}, ["spend"], "constant")
    assert rows == [{"column_name": "spend", "n": rows[0]["n"], "correlation": None, "status": "constant_target"}]


def test_the_histogram_counts_every_row_once_and_zero_by_itself(database: Database) -> None:
    rows = exploration.target_histogram(database, TABLE.path, {}, "target")
    target = frame()["target"]
    assert rows[0] == {"label_str": "0", "label_num": 0.0, "bin_cnt": int((target == 0).sum())}
    assert sum(row["bin_cnt"] for row in rows) == len(target)
    assert 4 <= len(rows) <= 11
    lower, upper = rows[2]["label_num"], rows[3]["label_num"]
    assert rows[2]["bin_cnt"] == ((target > lower) & (target <= upper)).sum()
    assert rows[2]["label_str"] == f"{lower:g} to {upper:g}"
    assert rows[-1]["label_str"].startswith("over ")
    assert set(rows[0]) == set(TARGET_HISTOGRAM.column_names) - {"session_id", "workflow"}


def test_the_largest_customer_cannot_be_read_off_the_histogram(database: Database) -> None:
    rows = exploration.target_histogram(database, TABLE.path, {}, "target")
    assert rows[-1]["label_num"] < frame()["target"].max() * 0.8


def _histogram(tmp_path: Path, values: list[float]) -> list[tuple[str, int]]:
    contract = TableContract("cltv", "values", "", (Column("x", "DOUBLE", ""),))
    with opened(tmp_path, contract, pd.DataFrame({"x": values})).read() as database:
        rows = exploration.target_histogram(database, contract.path, {}, "x")
    return [(row["label_str"], row["bin_cnt"]) for row in rows]


def test_a_yes_or_no_target_has_two_bars(tmp_path: Path) -> None:
    assert _histogram(tmp_path, [0.0] * 7 + [1.0] * 3) == [("0", 7), ("1", 3)]


def test_a_target_of_zeros_or_of_nothing_is_not_an_error(tmp_path: Path) -> None:
    assert _histogram(tmp_path, [0.0, 0.0]) == [("0", 2)]
    assert _histogram(tmp_path, [float("nan")]) == []


def test_negative_values_have_their_own_ranges_and_zero_is_not_counted_twice(tmp_path: Path) -> None:
    rows = _histogram(tmp_path, [-20.0, -11.0, 0.0, 0.0, 0.0, 5.0, 15.0, 80.0])
    assert rows[0] == ("0", 3)
    assert sum(count for _, count in rows) == 8
    assert rows[1:4] == [("-20 to -10", 2), ("-10 to 0", 0), ("0 to 10", 1)]
    assert all(count >= 0 for _, count in rows)


def test_products_ordered_most_stand_beside_those_recommended_most(tmp_path: Path) -> None:
    orders = TableContract(
        "raw",
        "orders",
        "",
        (
            Column("customer_id", "VARCHAR", ""),
            Column("product_id", "VARCHAR", ""),
            Column("quantity", "DECIMAL(18, 4)", ""),
            Column("ordered_on", "DATE", ""),
            Column("amount", "DECIMAL(18, 4)", ""),
        ),
    )
    predictions = TableContract("nbp", "predictions", "", (Column("session_id", "VARCHAR", ""), *orders.columns[:2]))
    bought = [(f"c{i}", "a", 1, "2024-02-10") for i in range(3)] + [
        ("c1", "b", 1, "2024-02-10"),
        ("c2", "b", 2, "2024-02-29"),
    ]
    ignored = [("c1", "late", 1, "2024-03-01"), ("c2", "early", 1, "2024-01-31"), ("c3", "returned", -1, "2024-02-05")]
    lines = [dict(zip(orders.column_names, (*line, 5 * line[2]), strict=True)) for line in bought + ignored]
    said = [("s2", "c1", "b"), ("s2", "c2", "b"), ("s2", "c1", "z"), ("s1", "c1", "a")]
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))
    with warehouse.write() as writer:
        writer.replace(orders, lines)
        writer.replace(predictions, [dict(zip(predictions.column_names, row, strict=True)) for row in said])
        found = exploration.product_overlap(
            writer,
            orders.path,
            predictions.path,
            {"session_id": "s2"},
            after=date(2024, 1, 31),
            until=date(2024, 2, 29),
            top=2,
        )
    assert [(row["ordered"], row["recommended"]) for row in found.rows] == [("a", "b"), ("b", "z")]
    assert (found.shared, found.share) == (("b",), 0.5)
    assert found.rows[0]["ordered_customers"] == 3


def later(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the test a year later."""
    days = np.where(table["split"] == "test", "2025-01-01", "2024-01-01")
    return table.assign(snapshot_date=pd.to_datetime(days))


def checked(tmp_path: Path, table: pd.DataFrame) -> exploration_split.SplitCheck:
    with opened(tmp_path, TABLE, table).read() as reader:
        return exploration_split.split_check(reader, TABLE.path, NUMBERS)


def test_what_a_later_test_differs_in_by_season_is_a_note_and_no_warning(tmp_path: Path) -> None:
    table = later(frame())
    table.loc[table["split"] == "test", "spend"] *= 2
    check = checked(tmp_path, table)
    assert check.is_later
    assert (check.differing, check.unexplained) == (("spend",), ())
    assert "The test is of 2025-01-01, later than the training rows (up to 2024-01-01)" in check.sentence
    assert check.sentence.endswith("as season and age explain (spend). Nothing to do.")


@pytest.mark.parametrize("fault", ["unit", "one side"])
def test_another_unit_or_values_on_one_side_alone_are_no_season(tmp_path: Path, fault: str) -> None:
    table = later(frame())
    is_test = table["split"] == "test"
    if fault == "unit":
        table.loc[is_test, "spend"] *= 100
    else:
        table.loc[~is_test, "spend"] = np.nan
    check = checked(tmp_path, table)
    assert check.unexplained == ("spend",)
    assert "time does not explain the difference in 1 of 5 columns: spend (" in check.sentence
    assert "Check the unit and the source" in check.sentence


def test_other_customers_of_the_same_days_may_differ_by_chance_alone(tmp_path: Path) -> None:
    table = frame()
    table.loc[table["split"] == "test", "spend"] *= 2
    check = checked(tmp_path, table)
    assert (check.is_later, check.unexplained) == (False, ("spend",))
    assert "Look in raw.orders for duplicated or missing customers" in check.sentence


def test_a_few_values_far_below_the_others_are_in_a_bar_that_is_open_downwards(tmp_path: Path) -> None:
    bars = _histogram(tmp_path, [-9_000.0, *map(float, range(1, 500))])
    assert bars[0][0].startswith("up to ")
    assert sum(count for _, count in bars) == 500


def test_two_rows_are_too_few_for_a_correlation_and_no_column_has_none(tmp_path: Path) -> None:
    contract = TableContract("cltv", "two", "", (Column("x", "DOUBLE", ""), Column("target", "DOUBLE", "")))
    with opened(tmp_path, contract, pd.DataFrame({"x": [1.0, 2.0], "target": [3.0, 4.0]})).read() as database:
        (row,) = exploration.correlations(database, contract.path, {}, ["x"], "target")
        assert exploration.correlations(database, contract.path, {}, [], "target") == []
    assert (row["n"], row["correlation"], row["status"]) == (2, None, "too_few")
