"""What must not matter: the order of the rows, the unit of the currency, the unit of a feature.

The whole pipeline runs on one sample, up to the predictions: as it is (the state folder that other tests share), with the rows
of every file shuffled, and with every price in a unit a hundredth as large. What trees do to units is shown again on one fixed
table.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score

from tdml_assets.declaration.workflow import Outliers, Prepare
from tdml_assets.engines.protocol import ModelSpec, table_source, tier_named
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.environment import child_environment
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import load_settings
from tdml_assets.stages.preparation.parameters import decide_parameters, prepared_contract, reshape_statistics
from tests.e2e.conftest import Home, Once

WORKFLOWS = ("churn", "cltv", "next_best_product", "segments")

# One process imports everything and forks a run per state folder: importing takes longer than most stages.
RUNS = """
import json, os, sys
import dagster as dg
from tdml_assets.definitions import defs

def run(config, home):
    os.environ.update(TDML_CONFIG=config, TDML_HOME=home, DAGSTER_HOME=os.path.join(home, "dagster"))
    wanted = [[name, "predictions"] for name in WORKFLOWS]
    # Builds the features a second time, and has tests of its own.
    shift = dg.AssetCheckKey(dg.AssetKey(["features", "customer_features"]), "features_ignore_later_rows")
    wanted = dg.AssetSelection.assets(*wanted).upstream() - dg.AssetSelection.checks(shift)
    jobs = dg.Definitions(jobs=[dg.define_asset_job("all", wanted)])
    job = dg.Definitions.merge(defs(), jobs).resolve_job_def("all")
    with dg.DagsterInstance.get() as instance:
        return 0 if job.execute_in_process(instance=instance, raise_on_error=False).success else 1

children = []
for config, home in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        code = 1
        try:
            code = run(config, home)
        finally:
            sys.stdout.flush()
            os._exit(code)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(max(map(abs, codes)))
""".replace("WORKFLOWS", repr(WORKFLOWS))


def rewrite(folder: Path, change: Callable[[str, pa.Table], pa.Table]) -> None:
    """Change the files of a sample; their names stay."""
    for path in folder.glob("*.parquet"):
        pq.write_table(change(path.stem, pq.read_table(path)), path)


def shuffled(name: str, table: pa.Table) -> pa.Table:
    return table.take(np.random.default_rng(11).permutation(table.num_rows))


def in_hundredths(name: str, table: pa.Table) -> pa.Table:
    if name != "orders":
        return table
    for column in {"unit_price", "amount"} & set(table.column_names):
        place, kind = table.column_names.index(column), table.schema.field(column).type
        values = pc.cast(pc.multiply(table[column], pa.scalar(100, pa.int32())), kind)
        table = table.set_column(place, column, values)
    return table


@pytest.fixture(scope="module")
def homes(prepared_home: Home, finished_home: Home, made_once: Once) -> dict[str, Home]:
    """The three state folders after their runs."""
    folder = made_once("properties", lambda folder: run_changed(prepared_home, folder))
    return {"plain": finished_home, **{name: Home(folder / name) for name in ("shuffled", "scaled")}}


def run_changed(prepared_home: Home, folder: Path) -> None:
    homes = {name: prepared_home.copied_to(folder / name) for name in ("shuffled", "scaled")}
    rewrite(homes["shuffled"].folder / "home" / "sample", shuffled)
    rewrite(homes["scaled"].folder / "home" / "sample", in_hundredths)
    places = [(home.environment["TDML_CONFIG"], home.environment["TDML_HOME"]) for home in homes.values()]
    base = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": str(folder), **prepared_home.environment}
    done = subprocess.run(
        [sys.executable, "-c", RUNS, json.dumps(places)],
        env=child_environment(load_settings(prepared_home.environment), base),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def read(home: Home, query: str) -> pd.DataFrame:
    with duckdb.connect(str(home.folder / "home" / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).df()


def predictions(home: Home, workflow: str) -> pd.DataFrame:
    order = "customer_id, rank" if workflow == "next_best_product" else "customer_id"
    return read(home, f"select * exclude (session_id) from {workflow}.predictions order by {order}")


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_the_order_of_the_rows_changes_nothing(homes: dict[str, Home], workflow: str) -> None:
    """To the last bit: sums are exact decimals or rounded before they are stored, and learners read ordered rows."""
    as_it_is, permuted = (predictions(homes[name], workflow) for name in ("plain", "shuffled"))
    assert len(as_it_is) > 200
    pd.testing.assert_frame_equal(as_it_is, permuted, check_exact=True)


def test_the_rows_were_permuted(homes: dict[str, Home]) -> None:
    """Else the test above would show nothing."""
    first, second = (
        read(homes[name], "select customer_id from raw.orders order by file, row_number")["customer_id"].tolist()
        for name in ("plain", "shuffled")
    )
    assert first != second
    assert sorted(first) == sorted(second)


def test_money_features_scale_with_the_currency_to_the_last_bit_but_rounding(homes: dict[str, Home]) -> None:
    query = "select total_spend, total_orders from features.customer_features order by snapshot_date, customer_id"
    before, after = read(homes["plain"], query), read(homes["scaled"], query)
    np.testing.assert_allclose(after["total_spend"], 100 * before["total_spend"], rtol=1e-11)
    pd.testing.assert_series_equal(after["total_orders"], before["total_orders"])


def test_expected_spend_scales_with_the_currency(homes: dict[str, Home]) -> None:
    """By 100, as near as the fit of the lifetime model ends that has a part in the level of the total."""
    before, after = (predictions(homes[name], "cltv") for name in ("plain", "scaled"))
    np.testing.assert_allclose(after["predicted_target"], 100 * before["predicted_target"], rtol=1e-7)
    pd.testing.assert_series_equal(after["prediction_category"], before["prediction_category"])
    assert before["predicted_target"].sum() > 0


def test_what_has_no_currency_does_not_move_with_it(homes: dict[str, Home]) -> None:
    for workflow, columns in (
        ("churn", ["customer_id", "probability", "score", "grade"]),
        ("next_best_product", ["customer_id", "rank", "product_id"]),
        ("segments", ["customer_id", "rfm_segment", "rfm_score", "m_quartile"]),
    ):
        before, after = (predictions(homes[name], workflow)[columns] for name in ("plain", "scaled"))
        pd.testing.assert_frame_equal(after, before, rtol=1e-12, atol=0)


def test_groups_move_with_the_currency_only_at_their_borders(homes: dict[str, Home]) -> None:
    """Not exactly: groups are found on ln(1 + spend), in which another unit is a mere shift only where spend is far above 1.

    Who is together is compared, not the numbers: a first session numbers the groups by their mean of ln(1 + spend), and
    two that spend nearly the same may swap.
    """
    before, after = (predictions(homes[name], "segments")["cluster"] for name in ("plain", "scaled"))
    assert before.nunique() == after.nunique() >= 3
    assert adjusted_rand_score(before, after) >= 0.95


def test_reasons_name_the_same_features_in_another_currency(homes: dict[str, Home]) -> None:
    """Amounts in the words differ; so may whether rounding lets a value look typical."""
    for workflow in ("churn", "cltv"):
        for place in (1, 2, 3):
            before, after = (
                predictions(homes[name], workflow)[f"reason_{place}"]
                .fillna("")
                .str.replace(r" \(typical.*", "", regex=True)
                .str.replace(r"[\d.,]+", "#", regex=True)
                for name in ("plain", "scaled")
            )
            assert before.tolist() == after.tolist()


# One fixed table, from the training split's statistics to the engine.

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
        Column("largest", "DOUBLE", ""),
        Column("days", "BIGINT", ""),
        Column("orders", "BIGINT", ""),
    ),
)
NUMERIC = ("spend", "largest", "days", "orders")
TIER = tier_named("machine", cpus=1, memory_gb=4.0, disk_gb=4.0)


def training_rows(rows: int = 1_200) -> pa.Table:
    """Customers who buy again the likelier the more often and the later they bought; amounts follow their spend."""
    draw = np.random.default_rng(5)
    orders, days = draw.poisson(2, rows) + 1, draw.integers(0, 400, rows)
    spend = np.round(orders * draw.lognormal(3, 0.6, rows), 2)
    buys = draw.random(rows) < 1 / (1 + np.exp(-(0.5 * orders - days / 90)))
    return pa.table(
        {
            "snapshot_date": pa.array(["2026-01-01"] * rows).cast(pa.date32()),
            "customer_id": [f"{number:05d}" for number in range(rows)],
            "split": (["train"] * 3 + ["validation"]) * (rows // 4),
            "target": np.where(buys, np.round(spend / orders * draw.lognormal(0, 0.5, rows), 2), 0.0),
            "spend": pa.array(spend, mask=draw.random(rows) < 0.05),
            "largest": np.round(spend * draw.random(rows), 2),
            "days": days,
            "orders": orders,
        }
    )


def times(table: pa.Table, factor: float, columns: tuple[str, ...]) -> pa.Table:
    for name in columns:
        table = table.set_column(table.column_names.index(name), name, pc.multiply(table[name], factor))
    return table


def learnt(folder: Path, rows: pa.Table, prepare: Prepare, model: ModelSpec) -> np.ndarray:
    """Predictions for all rows of a model that learnt from the prepared training split."""
    folder.mkdir()
    with Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "t")).write() as database:
        database.replace(TABLE, rows)
        outliers = prepare.outliers
        context = {"low": outliers.low, "high": outliers.high, "transform": prepare.transform}
        measured = database.row(render("preparation/fit_numeric", table=TABLE.path, columns=NUMERIC, **context))
        parameters = decide_parameters(reshape_statistics(measured, NUMERIC), {}, prepare, 0)
        contract = prepared_contract("wf", parameters)
        keys = ["snapshot_date", "customer_id", "split", "target"]
        more: dict[str, Any] = {"carried": [], "snapshot_date": None, "drop_outliers": True, "ordered": True}
        statement = render("preparation/apply", table=TABLE.path, parameters=parameters, keys=keys, **more)
        database.replace(contract, statement)
        splits = {
            split: database.arrow(
                render(
                    "preparation/read_split",
                    table=contract.path,
                    columns=parameters.feature_names,
                    split=split,
                )
            )
            for split in ("train", "validation")
        }
    train, validation = (
        table_source(splits[split].select(["target", *parameters.feature_names]), "target")
        for split in ("train", "validation")
    )
    fitted = PythonEngine().fit(train, validation, model, TIER)
    found = [
        fitted.score(batch)["predicted_target"].to_numpy()
        for split in ("train", "validation")
        for batch in splits[split].select(list(parameters.feature_names)).to_batches()
    ]
    return np.concatenate(found)


SPEND = ModelSpec("two_stage_xgboost", seed=3)
BUYS = ModelSpec("xgboost_classifier", seed=3, task="classification")
CLIPPED = Prepare(outliers=Outliers(rule="quantile", low=0.01, high=0.99))


def test_a_power_of_two_as_the_unit_scales_expected_spend_to_the_last_bit(tmp_path: Path) -> None:
    """Nothing rounds anew then, so nothing may differ: bounds, cuts, trees and amounts all carry the unit."""
    rows = training_rows()
    before = learnt(tmp_path / "a", rows, Prepare(), SPEND)
    after = learnt(tmp_path / "b", times(rows, 128.0, ("target", "spend", "largest")), Prepare(), SPEND)
    assert len(set(before)) > 20
    np.testing.assert_array_equal(after, 128 * before)


def test_clipped_at_quantiles_the_unit_still_cancels(tmp_path: Path) -> None:
    """Up to 1e-9: fitted bounds are kept to twelve digits, which another unit rounds elsewhere."""
    rows = training_rows()
    before = learnt(tmp_path / "a", rows, CLIPPED, SPEND)
    after = learnt(tmp_path / "b", times(rows, 100.0, ("target", "spend", "largest")), CLIPPED, SPEND)
    np.testing.assert_allclose(after, 100 * before, rtol=1e-9)


@pytest.mark.parametrize("model", [SPEND, BUYS], ids=lambda model: model.estimator)
def test_trees_do_not_see_whether_features_are_scaled(tmp_path: Path, model: ModelSpec) -> None:
    """Up to 1e-6: scaled values are FLOAT again, and a cut between two may fall next to one that lies on it."""
    rows = training_rows()
    if model is BUYS:
        place = rows.column_names.index("target")
        rows = rows.set_column(place, "target", pc.cast(pc.greater(rows["target"], 0.0), pa.float64()))
    plain = learnt(tmp_path / "a", rows, Prepare(), model)
    scaled = learnt(tmp_path / "b", rows, Prepare(scaling="zscore"), model)
    assert len(set(plain)) > 20
    np.testing.assert_allclose(scaled, plain, rtol=1e-6)
