"""Fit in the warehouse, decide in Python, apply in the warehouse: checked against scikit-learn and by hand."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler

from tdml_assets.declaration.workflow import Outliers, Prepare
from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.preparation.parameters import (
    Parameters,
    decide_parameters,
    prepared_contract,
    reshape_statistics,
)

TABLE = TableContract(
    "wf",
    "training_table",
    "test",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("split", "VARCHAR", ""),
        Column("target", "DOUBLE", ""),
        Column("spend", "DOUBLE", ""),
        Column("orders", "BIGINT", ""),
        Column("flat", "DOUBLE", ""),
        Column("empty", "DOUBLE", ""),
        Column("category", "VARCHAR", ""),
    ),
)
NUMERIC = ("spend", "orders", "flat", "empty")
ROWS = 400


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    house = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "t"))
    draw = np.random.default_rng(3)
    spend = draw.lognormal(3, 1, ROWS)
    spend[7] = 1e6
    table = pa.table(
        {
            "snapshot_date": pa.array(["2026-01-01"] * ROWS).cast(pa.date32()),
            "customer_id": [f"{i:05d}" for i in range(ROWS)],
            "split": ["train"] * (ROWS // 2) + ["test"] * (ROWS // 2),
            "target": draw.random(ROWS),
            "spend": pa.array(spend, mask=np.arange(ROWS) % 10 == 0),
            "orders": draw.integers(0, 9, ROWS),
            "flat": np.ones(ROWS),
            "empty": pa.nulls(ROWS, pa.float64()),
            "category": pa.array(["Toys", "Home", "Books", "Home!", None] * (ROWS // 5 - 1) + ["Unseen"] * 5),
        }
    )
    with house.write() as database:
        database.replace(TABLE, table)
    return house


def fit(database: Database, prepare: Prepare, limit: int = 2) -> Parameters:
    low, high = prepare.outliers.low, prepare.outliers.high
    context = {"low": low, "high": high, "transform": prepare.transform}
    row = database.row(render("preparation/fit_numeric", table=TABLE.path, columns=NUMERIC, **context))
    levels = [
        r["level"]
        for r in database.rows(render("preparation/fit_levels", table=TABLE.path, column="category", limit=99))
    ]
    return decide_parameters(reshape_statistics(row, NUMERIC), {"category": levels}, prepare, limit)


def apply(database: Database, parameters: Parameters) -> dict[str, np.ndarray]:
    statement = render(
        "preparation/apply",
        table=TABLE.path,
        parameters=parameters,
        keys=["snapshot_date", "customer_id", "split", "target"],
        carried=["orders"],
        snapshot_date=None,
        drop_outliers=True,
        ordered=True,
    )
    table = database.arrow(statement)
    return {name: table[name].to_numpy() for name in table.column_names}


def raw(database: Database, column: str) -> tuple[np.ndarray, np.ndarray]:
    parts = [
        database.arrow(render("preparation/read_split", table=TABLE.path, columns=[column], split=split))
        for split in ("train", "test")
    ]
    train, test = (part[column].to_numpy() for part in parts)
    return train, np.concatenate([train, test])


@pytest.mark.parametrize(
    ("scaling", "scaler"), [("zscore", StandardScaler()), ("minmax", MinMaxScaler()), ("robust", RobustScaler())]
)
def test_scaling_agrees_with_scikit_learn_fitted_on_the_training_split(
    warehouse: Warehouse, scaling: str, scaler
) -> None:
    with warehouse.read() as database:
        prepared = apply(database, fit(database, Prepare(scaling=scaling)))
        train, everything = raw(database, "spend")
    expected = scaler.fit(train.reshape(-1, 1)).transform(everything.reshape(-1, 1)).ravel()
    np.testing.assert_allclose(prepared["spend"], expected, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize(
    ("scaling", "scaler"), [("zscore", StandardScaler()), ("minmax", MinMaxScaler()), ("none", FunctionTransformer())]
)
def test_the_logarithm_comes_before_the_scaling_and_keeps_the_sign(warehouse: Warehouse, scaling: str, scaler) -> None:
    with warehouse.write() as database:
        database.execute(Statement("update wf.training_table set spend = -spend where orders = 3"))
        prepared = apply(database, fit(database, Prepare(transform="log1p", scaling=scaling)))
        train, everything = (np.sign(x) * np.log1p(np.abs(x)) for x in raw(database, "spend"))
    expected = scaler.fit(train.reshape(-1, 1)).transform(everything.reshape(-1, 1)).ravel()
    np.testing.assert_allclose(prepared["spend"], expected, rtol=1e-8, atol=1e-11)
    assert prepared["raw__orders"].max() == 8, "a carried column stays as it is"


def test_the_iqr_rule_clips_at_one_and_a_half_ranges_of_the_training_split(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        prepared = apply(database, fit(database, Prepare(outliers=Outliers(rule="iqr"))))
        train, everything = raw(database, "spend")
    q1, q3 = np.nanquantile(train, [0.25, 0.75])
    expected = np.clip(everything, q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1))
    np.testing.assert_allclose(prepared["spend"], expected, rtol=1e-8, atol=1e-11)
    assert np.nanmax(prepared["spend"]) < 1e5


def test_flagged_outliers_keep_their_value_and_get_a_column(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        prepared = apply(database, fit(database, Prepare(outliers=Outliers(rule="iqr", action="flag"))))
    assert np.nanmax(prepared["spend"]) == 1e6
    assert prepared["spend__outlier"][7] == 1
    assert prepared["spend__outlier"][10] == 0, "a missing value is not an outlier"


def test_dropped_outliers_leave_training_but_never_the_test_split(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        prepared = apply(database, fit(database, Prepare(outliers=Outliers(rule="iqr", action="drop"))))
    assert "00007" not in set(prepared["customer_id"])
    assert (prepared["split"] == "test").sum() == ROWS // 2


@pytest.mark.parametrize(("nulls", "expected"), [("zero", 0.0), ("median", None), ("keep", np.nan)])
def test_missing_values_become_what_was_asked(warehouse: Warehouse, nulls: str, expected: float | None) -> None:
    with warehouse.read() as database:
        prepared = apply(database, fit(database, Prepare(nulls=nulls)))
        train, _ = raw(database, "spend")
    np.testing.assert_allclose(prepared["spend"][10], np.nanmedian(train) if expected is None else expected, rtol=1e-9)


def test_constant_and_empty_columns_are_dropped_and_listed(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        parameters = fit(database, Prepare())
    assert set(parameters.dropped) == {"flat", "empty"}
    assert "flat" not in parameters.feature_names


def test_the_history_of_customers_who_all_came_on_one_day_is_kept_for_a_lifetime_model() -> None:
    same = {"n": 9, "rows": 9, "min": 40.0, "max": 40.0, "mean": 40.0, "stdev": 0.0} | dict.fromkeys(
        ("q1", "median", "q3", "q_low", "q_high"), 40.0
    )
    measured = {"tenure_days": same, "flat": same, "spend": same | {"max": 90.0}}
    found = decide_parameters(measured, {}, Prepare(), 8)
    assert set(found.feature_names) == {"spend", "tenure_days"}
    assert set(found.dropped) == {"flat"}
    assert set(decide_parameters(measured, {}, Prepare(scaling="zscore"), 8).dropped) == {"flat", "tenure_days"}
    with pytest.raises(ValueError, match="every feature is constant"):
        decide_parameters({"tenure_days": same}, {}, Prepare(), 8)


def test_categories_beyond_the_limit_and_unseen_ones_share_the_other_column(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        parameters = fit(database, Prepare(), limit=2)
        prepared = apply(database, parameters)
    assert [level.name for level in parameters.levels] == ["category__books", "category__home", "category__other"]
    last = {name: prepared[name][-1] for name in ("category__books", "category__home", "category__other")}
    assert last == {"category__books": 0, "category__home": 0, "category__other": 1}
    assert prepared["category__other"][4] == 0, "a missing category is no other category"


def test_levels_that_would_share_a_column_name_get_a_number(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        parameters = fit(database, Prepare(), limit=9)
    names = [level.name for level in parameters.levels]
    assert len(set(names)) == len(names)
    assert {"category__home", "category__home_2"} <= set(names)


def test_parameters_survive_their_json_form(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        parameters = fit(database, Prepare(nulls="median", scaling="zscore", outliers=Outliers(rule="quantile")))
    assert Parameters.from_json(parameters.to_json()) == parameters


def test_the_contract_lists_what_is_applied(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        parameters = fit(database, Prepare(outliers=Outliers(rule="iqr", action="flag")))
        applied = [name for name in apply(database, parameters) if not name.startswith("raw__")]
        assert prepared_contract("wf", parameters).column_names == tuple(applied)


def test_a_leaking_column_is_dropped_and_listed_with_its_reason(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        row = database.row(
            render("preparation/fit_numeric", table=TABLE.path, columns=NUMERIC, low=0.1, high=0.9, transform="none")
        )
    measured = reshape_statistics(row, NUMERIC)
    leaks = {"orders": "ranks the target with AUC 1.000", "category": "ranks the target with AUC 0.999"}
    found = decide_parameters(measured, {"category": ["Toys", "Home"]}, Prepare(), 2, leaks)
    assert found.feature_names == ("spend",)
    assert leaks.items() <= found.dropped.items()


def test_nothing_left_to_learn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="every feature is constant or missing.*flat"):
        statistics = {"rows": 9, "n": 9, "min": 1.0, "max": 1.0}
        decide_parameters({"flat": statistics}, {}, Prepare(), 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "a name in it is empty, too long or not a text"),
        ({"name": "orders"}, "it gives no column, or one twice"),
        ({"center": float("nan")}, "a number of spend is not finite"),
        ({"fill": "0"}, "a number of spend is not finite"),
        ({"scale": 0.0}, "the scaling of spend is not possible"),
        ({"log1p": 1}, "the scaling of spend is not possible"),
        ({"outliers": "guess"}, "its rule for outliers is none that is known"),
    ],
)
def test_parameters_that_preparation_cannot_have_learnt_are_refused(
    warehouse: Warehouse, change: dict[str, object], said: str
) -> None:
    with warehouse.read() as database:
        content = json.loads(fit(database, Prepare(scaling="zscore")).to_json())
    spend = next(column for column in content["numeric"] if column["name"] == "spend")
    (content if "outliers" in change else spend).update(change)
    with pytest.raises(BundleDamagedError, match=re.escape(said)):
        Parameters.from_json(json.dumps(content))


def test_a_text_column_of_one_level_is_dropped_and_listed() -> None:
    statistics = {"rows": 9, "n": 9, "min": 1.0, "max": 2.0, "mean": 1.5, "stdev": 0.5, "median": 1.5}
    measured = {"spend": {**statistics, "q1": 1.0, "q3": 2.0, "q_low": 1.0, "q_high": 2.0}}
    found = decide_parameters(measured, {"category": ["Toys"]}, Prepare(), 2)
    assert (found.feature_names, found.dropped) == (("spend",), {"category": "one level or none in training"})
