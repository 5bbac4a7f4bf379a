"""Drift and statistics in the warehouse agree with NumPy on the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import Reference, build_reference, measure, report_sample
from tdml_assets.platform import statistics
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import DRIFT, LABEL_STATS, PREDICTION_STATS
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.drift.asset import _farthest
from tdml_assets.stages.drift.detection import judge

TABLE = TableContract(
    "features",
    "customer_features",
    "Features.",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("spend", "DOUBLE", ""),
        Column("orders", "BIGINT", ""),
        Column("clicks", "DOUBLE", ""),
        Column("constant", "DOUBLE", ""),
        Column("empty", "DOUBLE", ""),
        Column("coupon", "BOOLEAN", ""),
        Column('odd "name"', "DECIMAL(18, 4)", ""),
        Column("category", "VARCHAR", ""),
    ),
)
WATCHED = TABLE.column_names[2:]
FIRST, SECOND = date(2024, 1, 1), date(2024, 2, 1)


def frame(rows: int, seed: int, day: date, factor: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    spend = np.exp(rng.normal(size=rows) * 1.5 + 3) * factor
    spend[:3] = [np.nan, np.inf, -np.inf]
    return pd.DataFrame(
        {
            "snapshot_date": pd.to_datetime([day] * rows),
            "customer_id": [f"c{i}" for i in range(rows)],
            "spend": spend,
            "orders": rng.poisson(2, rows),
            "clicks": np.where(rng.random(rows) < 0.1, np.nan, rng.poisson(0.5, rows)),
            "constant": 0.1,
            "empty": np.nan,
            "coupon": rng.random(rows) < 0.03,
            'odd "name"': rng.integers(0, 9, rows) / 4,
            "category": rng.choice(["gifts", "toys", None, "only one"], rows, p=[0.6, 0.3, 0.099, 0.001]),
        }
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))


@pytest.fixture
def database(warehouse: Warehouse) -> Iterator[Database]:
    import pyarrow as pa

    with warehouse.write() as writer:
        table = pd.concat([frame(4000, 1, FIRST), frame(1500, 2, SECOND, factor=3.0)])
        writer.replace(TABLE, pa.Table.from_pandas(table, preserve_index=False))
    with warehouse.read() as reader:
        yield reader


def finite(values: pd.Series) -> np.ndarray:
    numbers = values.astype(float).to_numpy()
    return numbers[np.isfinite(numbers)]


def test_moments_agree_with_numpy(database: Database) -> None:
    found = statistics.moments(database, TABLE.path, {"snapshot_date": FIRST}, WATCHED[:-1])
    for column in WATCHED[:-1]:
        values = finite(frame(4000, 1, FIRST)[column])
        one = found[column]
        assert (one.rows, one.n) == (4000, len(values))
        if len(values):
            assert one.mean == pytest.approx(values.mean(), rel=1e-9)
            assert one.sd == pytest.approx(values.std(), rel=1e-9, abs=1e-15)
            assert (one.minimum, one.maximum) == (values.min(), values.max())
        else:
            assert (one.mean, one.sd, one.minimum, one.maximum) == (None, None, None, None)


def test_a_constant_has_a_deviation_of_exactly_zero(database: Database) -> None:
    one = statistics.moments(database, TABLE.path, {}, ["constant"])["constant"]
    assert (one.mean, one.sd, one.is_constant) == (0.1, 0.0, True)


def test_quantiles_are_observed_values(database: Database) -> None:
    probabilities = [0.1, 0.5, 0.9]
    found = statistics.quantiles(
        database, TABLE.path, {"snapshot_date": FIRST}, {"spend": 3997, "empty": 0}, probabilities
    )
    expected = np.quantile(finite(frame(4000, 1, FIRST)["spend"]), probabilities, method="inverted_cdf")
    assert found == {"spend": tuple(expected), "empty": ()}


def test_bin_counts_agree_with_numpy_and_nothing_falls_outside(database: Database) -> None:
    edges = {"spend": (1.0, 20.0, 400.0), "orders": (0.0, 2.0), "empty": (1.0,)}
    found = statistics.bin_counts(database, TABLE.path, {"snapshot_date": FIRST}, edges)
    for column, limits in edges.items():
        values = finite(frame(4000, 1, FIRST)[column])
        counts = np.bincount(np.searchsorted(limits, values, side="left"), minlength=len(limits) + 1)
        assert found[column] == (*counts.tolist(), 4000 - len(values))


def test_levels_shared_by_few_rows_stay_unnamed(database: Database) -> None:
    reference = build_reference(database, TABLE.path, {"snapshot_date": FIRST}, ["category"])
    column = reference.columns[0]
    assert column.levels == ("gifts", "toys")
    sizes = frame(4000, 1, FIRST)["category"].value_counts(dropna=False)
    assert column.counts == (sizes["gifts"], sizes["toys"], sizes["only one"], sizes.loc[sizes.index.isna()].sum())


def test_reference_and_measurement_of_the_same_rows_are_equal(database: Database) -> None:
    where = {"snapshot_date": FIRST}
    reference = build_reference(database, TABLE.path, where, WATCHED)
    measured = measure(database, TABLE.path, where, reference)
    assert [now.counts for now in measured] == [ref.counts for ref in reference.columns]
    report = judge(reference, measured, Monitor())
    assert report.status == "ok"
    assert {column.psi for column in report.columns} == {0.0}
    assert {column.information["kld"] for column in report.columns} <= {0.0, None}


def test_only_the_snapshot_asked_for_is_measured_and_its_drift_is_found(
    database: Database, warehouse: Warehouse
) -> None:
    reference = build_reference(database, TABLE.path, {"snapshot_date": FIRST}, WATCHED)
    report = judge(reference, measure(database, TABLE.path, {"snapshot_date": SECOND}, reference), Monitor())
    assert report.named("far") == ("spend",)
    assert report.columns[0].n == 1500
    now, then = finite(frame(1500, 2, SECOND, factor=3.0)["spend"]), finite(frame(4000, 1, FIRST)["spend"])
    ratio = now.std() / then.std()
    expected = -np.log(ratio) + (ratio**2 + ((now.mean() - then.mean()) / then.std()) ** 2 - 1) / 2
    assert report.columns[0].information["kld"] == pytest.approx(expected, abs=1e-9)


def test_drift_rows_fit_their_table_and_a_second_attempt_replaces_them(database: Database, tmp_path: Path) -> None:
    reference = build_reference(database, TABLE.path, {}, WATCHED)
    rows = judge(reference, measure(database, TABLE.path, {}, reference), Monitor()).rows("s1", "cltv")
    other = Warehouse(database=str(tmp_path / "other.duckdb"), temp_directory=str(tmp_path / "spill"))
    with other.write() as writer:
        for _ in range(2):
            writer.replace_slice(DRIFT, {"session_id": "s1", "workflow": "cltv"}, rows)
        assert writer.count(DRIFT.path) == len(WATCHED)


def test_a_reference_from_the_warehouse_survives_its_text_form(database: Database) -> None:
    reference = build_reference(database, TABLE.path, {"snapshot_date": FIRST}, WATCHED)
    assert Reference.from_json(reference.to_json()) == reference


def test_the_order_of_rows_does_not_matter(database: Database, tmp_path: Path) -> None:
    import pyarrow as pa

    other = Warehouse(database=str(tmp_path / "other.duckdb"), temp_directory=str(tmp_path / "spill"))
    with other.write() as writer:
        shuffled = frame(4000, 1, FIRST).sample(frac=1, random_state=1)
        writer.replace(TABLE, pa.Table.from_pandas(shuffled, preserve_index=False))
        there = build_reference(writer, TABLE.path, {}, WATCHED)
    assert there == build_reference(database, TABLE.path, {"snapshot_date": FIRST}, WATCHED)


def test_a_missing_column_and_a_date_are_refused_by_name(database: Database) -> None:
    with pytest.raises(ValueError, match=r"no column .'nonsense'"):
        build_reference(database, TABLE.path, {}, ["spend", "nonsense"])
    with pytest.raises(ValueError, match="snapshot_date DATE"):
        build_reference(database, TABLE.path, {}, ["snapshot_date"])


def test_a_column_that_turned_into_text_is_refused(database: Database) -> None:
    text = build_reference(database, TABLE.path, {}, ["category"]).to_json().replace("category", "spend")
    with pytest.raises(ValueError, match="spend"):
        measure(database, TABLE.path, {}, Reference.from_json(text))


def test_a_snapshot_without_rows_is_too_few_and_one_without_values_is_broken(
    database: Database, tmp_path: Path
) -> None:
    import pyarrow as pa

    reference = build_reference(database, TABLE.path, {"snapshot_date": FIRST}, WATCHED)
    nothing = measure(database, TABLE.path, {"snapshot_date": date(1999, 1, 1)}, reference)
    assert judge(reference, nothing, Monitor()).status == "too_few"
    other = Warehouse(database=str(tmp_path / "other.duckdb"), temp_directory=str(tmp_path / "spill"))
    with other.write() as writer:
        table = frame(500, 3, FIRST).assign(category=None, spend=None)
        writer.replace(TABLE, pa.Table.from_pandas(table, preserve_index=False))
        report = judge(reference, measure(writer, TABLE.path, {}, reference), Monitor())
    assert report.status == "broken"
    assert set(report.named("all_null")) == {"category", "spend"}
    assert report.named("degenerate") == ("empty",)


def test_huge_values_give_a_verdict_and_no_infinity(tmp_path: Path) -> None:
    contract = TableContract("features", "huge", "", (Column("x", "DOUBLE", ""), Column("y", "DOUBLE", "")))
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))
    with warehouse.write() as writer:
        writer.replace(contract, [{"x": (i % 7 - 3) * 1e307, "y": i * 1.0} for i in range(300)])
        reference = build_reference(writer, contract.path, {}, ["x", "y"])
        report = judge(reference, measure(writer, contract.path, {}, reference), Monitor())
    assert report.status == "ok"
    assert reference.to_json()


def test_prediction_stats_agree_with_pandas(database: Database) -> None:
    rows = statistics.prediction_stats(
        database, TABLE.path, {"snapshot_date": FIRST}, {"Original": "orders", "Predicted": "spend", "Empty": "empty"}
    )
    expected = pd.Series(finite(frame(4000, 1, FIRST)["spend"]))
    found = rows[1]
    assert [row["dataset"] for row in rows] == ["Original", "Predicted", "Empty"]
    assert found["count"] == 3997
    assert found["stdev"] == pytest.approx(expected.std(ddof=0), rel=1e-9)
    for name, quantile in (("q1_25", 0.25), ("q2_50", 0.5), ("q3_75", 0.75)):
        assert found[name] == pytest.approx(expected.quantile(quantile), rel=1e-9)
    assert found["iqr"] == pytest.approx(found["q3_75"] - found["q1_25"])
    assert found["skew"] == pytest.approx(expected.skew(), rel=1e-6)
    assert found["kurt"] == pytest.approx(expected.kurt(), rel=1e-6)
    assert set(rows[2].values()) == {"Empty", 0, None}
    assert set(found) == set(PREDICTION_STATS.column_names) - {"session_id", "workflow"}


def test_statistics_of_a_constant_have_no_nan(database: Database) -> None:
    row = statistics.prediction_stats(database, TABLE.path, {}, {"Predicted": "constant"})[0]
    assert (row["mean"], row["stdev"], row["skew"], row["kurt"]) == (pytest.approx(0.1), 0.0, None, None)


def test_label_stats_count_every_row_once(database: Database) -> None:
    rows = statistics.label_stats(database, TABLE.path, {"snapshot_date": FIRST}, "category")
    assert sum(row["count"] for row in rows) == 4000
    assert rows[0]["prediction_category"] == "gifts"
    assert set(rows[0]) == set(LABEL_STATS.column_names) - {"session_id", "workflow"}


def test_the_sample_for_a_report_is_capped_the_same_every_time_and_without_ids(database: Database) -> None:
    where = {"snapshot_date": FIRST}
    columns = ["spend", "coupon", "category"]
    first, again = (report_sample(database, TABLE.path, where, columns, rows=500) for _ in range(2))
    assert first.num_rows == 500
    assert first.equals(again)
    assert first.column_names == columns
    assert [str(field.type) for field in first.schema] == ["double", "double", "string"]


def test_columns_are_measured_some_at_a_time_each_as_by_itself(database: Database) -> None:
    where, bounds = {"snapshot_date": FIRST}, {"spend": (1.0, 90.0), "orders": (0.0, 4.0), "clicks": (0.0, 2.0)}
    alone = {
        name: statistics.shapes(database, TABLE.path, where, {name: limits})[name] for name, limits in bounds.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "_SHAPES_AT_ONCE", 2)
        assert statistics.shapes(database, TABLE.path, where, bounds) == alone


def test_columns_of_a_report_are_the_features_that_moved_farthest_of_this_session(warehouse: Warehouse) -> None:
    key = {"session_id": "s", "workflow": "cltv", "kind": "feature"}
    found = {"near": (0.1, "ok"), "far": (0.9, "drift"), "unknown": (None, "too_few")}
    rows = [{**key, "column_name": name, "psi": psi, "status": status} for name, (psi, status) in found.items()]
    rows += [{**rows[1], "kind": "prediction"}, {**rows[1], "session_id": "other", "column_name": "elsewhere"}]
    with warehouse.write() as writer:
        writer.replace(DRIFT, rows)
        assert list(_farthest(writer, "cltv", "s").items()) == [
            ("far", "drift"),
            ("near", "ok"),
            ("unknown", "too_few"),
        ]
        with pytest.raises(LookupError, match="session none has measured no drift of cltv: materialise cltv/drift"):
            _farthest(writer, "cltv", "none")
