"""RFM scores and segments, and profiles of segments, against plain Python on the same rows."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot

from tdml_assets.engines.cluster_profile import ClusterProfile, cluster_profile, cluster_sizes
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render, sql_directory
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.tasks.parts.figures import RFM_SEGMENTS

DAY = date(2024, 6, 30)
FEATURES = TableContract(
    "features",
    "customer_features",
    "",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("days_since_last_order", "BIGINT", ""),
        Column("total_orders", "BIGINT", ""),
        Column("total_spend", "DOUBLE", ""),
        Column("gap", "DOUBLE", ""),
        Column("most_ordered_category", "VARCHAR", ""),
    ),
)


def customer(number: int, days: int, orders: int, spend: float, **more: Any) -> dict[str, Any]:
    row = {"snapshot_date": DAY, "customer_id": f"c{number:04d}", "days_since_last_order": days, "total_orders": orders}
    return {**row, "total_spend": spend, "gap": None, "most_ordered_category": "tea", **more}


def opened(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))


def scored(tmp_path: Path, rows: list[dict[str, Any]], day: date = DAY) -> dict[str, dict[str, Any]]:
    with opened(tmp_path).write() as database:
        database.replace(FEATURES, rows)
        found = database.rows(render("clustering/rfm", features_table=FEATURES.path, snapshot_date=day))
    return {row["customer_id"]: row for row in found}


def factorial() -> list[dict[str, Any]]:
    """64 customers, each quarter of whom is worse than the next in each of the three: every combination once."""
    return [
        customer(100 * r + 10 * f + m, days=100 - 10 * r, orders=f, spend=100.0 * m)
        for r, f, m in product(range(1, 5), repeat=3)
    ]


def test_every_combination_has_a_segment_and_every_segment_a_combination(tmp_path: Path) -> None:
    found = scored(tmp_path, factorial())
    assert len({row["rfm_code"] for row in found.values()}) == 64
    for r, f, m in product(range(1, 5), repeat=3):
        row = found[f"c{100 * r + 10 * f + m:04d}"]
        assert (row["r_quartile"], row["f_quartile"], row["m_quartile"]) == (r, f, m)
        assert row["rfm_code"] == f"R{r}F{f}M{m}"
        assert row["rfm_score"] == pytest.approx((r + f + m) / 3)
    counts = Counter(row["rfm_segment"] for row in found.values())
    assert counts == {
        "Champions": 4,
        "Loyal Customers": 12,
        "Potential Loyalists": 8,
        "Promising": 4,
        "New Customers": 4,
        "Cannot lose them": 8,
        "High Value Sleeping": 8,
        "Need attention": 6,
        "Hibernating": 6,
        "Lost customers": 4,
    }
    assert set(counts) == set(RFM_SEGMENTS)


def test_exactly_one_rule_holds_for_each_combination() -> None:
    text = (sql_directory() / "clustering" / "rfm.sql").read_text(encoding="utf-8")
    rules = re.findall(r"when (.+) then '([A-Z].+)'", text)
    assert len(rules) == 10
    numbers = "select r, f, m from range(1, 5) as a(r), range(1, 5) as b(f), range(1, 5) as c(m)"
    held = " + ".join(f"({condition})::integer" for condition, _ in rules)
    rows = duckdb.connect().execute(f"select {held} from ({numbers})").fetchall()
    assert len(rows) == 64
    assert {count for (count,) in rows} == {1}


@pytest.mark.parametrize(
    ("scores", "segment"),
    [
        ((4, 4, 4), "Champions"),
        ((4, 4, 1), "Loyal Customers"),
        ((3, 2, 4), "Potential Loyalists"),
        ((4, 1, 4), "New Customers"),
        ((3, 1, 1), "Promising"),
        ((1, 4, 4), "Cannot lose them"),
        ((1, 1, 4), "High Value Sleeping"),
        ((2, 3, 2), "Need attention"),
        ((1, 4, 1), "Hibernating"),
        ((1, 1, 1), "Lost customers"),
    ],
)
def test_a_segment_means_what_its_name_says(tmp_path: Path, scores: tuple[int, int, int], segment: str) -> None:
    r, f, m = scores
    assert scored(tmp_path, factorial())[f"c{100 * r + 10 * f + m:04d}"]["rfm_segment"] == segment


def test_without_ties_scores_are_those_of_ntile(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    rows = 4 * 53
    days, orders, spend = (draw.permutation(rows) for _ in range(3))
    found = scored(tmp_path, [customer(i, int(days[i]), int(orders[i]), float(spend[i] + 1)) for i in range(rows)])
    frame = pd.DataFrame({"customer_id": [f"c{i:04d}" for i in range(rows)], "d": days, "o": orders, "s": spend})
    query = """select customer_id, ntile(4) over (order by d desc) as r, ntile(4) over (order by o) as f,
        ntile(4) over (order by s) as m from frame"""
    connection = duckdb.connect()
    connection.register("frame", frame)
    for name, r, f, m in connection.execute(query).fetchall():
        assert tuple(found[name][f"{letter}_quartile"] for letter in "rfm") == (r, f, m)


def test_equal_customers_get_equal_scores_and_one_time_buyers_the_lowest(tmp_path: Path) -> None:
    # NTILE would call a third of the customers with one order frequent buyers.
    found = scored(tmp_path, [customer(i, days=30, orders=1 if i < 97 else 2, spend=10.0) for i in range(100)])
    assert {row["f_quartile"] for name, row in found.items() if name < "c0097"} == {1}
    assert {row["f_quartile"] for name, row in found.items() if name >= "c0097"} == {4}
    assert {(row["r_quartile"], row["m_quartile"]) for row in found.values()} == {(1, 1)}


def test_the_order_of_rows_and_the_names_of_customers_decide_nothing(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    rows = [customer(i, *map(int, draw.integers(1, 9, 2)), float(draw.integers(0, 5))) for i in range(200)]
    renamed = [{**row, "customer_id": f"x{999 - i}"} for i, row in enumerate(rows)]
    first, second = scored(tmp_path, rows), scored(tmp_path, renamed[::-1])
    for i in range(200):
        assert {**first[f"c{i:04d}"], "customer_id": ""} == {**second[f"x{999 - i}"], "customer_id": ""}


def test_who_has_paid_nothing_has_the_lowest_monetary_score(tmp_path: Path) -> None:
    spends = [-500.0] * 80 + [0.0] * 5 + [0.05] * 5 + [0.06] * 10
    found = scored(tmp_path, [customer(i, 10, 1, spend) for i, spend in enumerate(spends)])
    assert [found[f"c{i:04d}"]["m_quartile"] for i in (0, 80, 85, 90)] == [1, 1, 1, 4]


def test_spend_in_another_currency_gives_the_same_scores(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    rows = [customer(i, int(i % 17), int(i % 5), float(spend)) for i, spend in enumerate(draw.lognormal(3, 1, 100))]
    first = scored(tmp_path, rows)
    assert scored(tmp_path, [{**row, "total_spend": row["total_spend"] * 137.5} for row in rows]) == first


def test_only_the_snapshot_asked_for_is_scored(tmp_path: Path) -> None:
    other = [{**customer(900 + i, 1, 99, 1e6), "snapshot_date": date(2024, 3, 31)} for i in range(50)]
    alone = scored(tmp_path, factorial())
    assert scored(tmp_path, factorial() + other) == alone
    assert scored(tmp_path, factorial(), date(2020, 1, 1)) == {}


LABELS = TableContract(
    "segments",
    "predictions",
    "",
    (
        Column("session_id", "VARCHAR", ""),
        Column("as_of", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("cluster", "INTEGER", ""),
    ),
)
COLUMNS = ("total_spend", "total_orders", "gap")


def profiled(tmp_path: Path, rows: int = 300) -> tuple[pd.DataFrame, ClusterProfile]:
    draw = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "snapshot_date": [DAY] * rows,
            "customer_id": [f"c{i:04d}" for i in range(rows)],
            "days_since_last_order": draw.integers(0, 90, rows),
            "total_orders": draw.poisson(2, rows) + 1,
            "total_spend": draw.lognormal(3, 1, rows) - 5,
            "gap": np.where(np.arange(rows) % 3 == 0, np.nan, draw.random(rows)),
            "most_ordered_category": "tea",
        }
    )
    labels = pd.DataFrame({"session_id": "s", "as_of": DAY, "customer_id": table["customer_id"]})
    labels["cluster"] = np.where(np.arange(rows) % 10 == 0, 10, 1 + np.arange(rows) % 2)
    earlier = table.assign(snapshot_date=date(2024, 3, 31), total_spend=1e6)
    others = labels.assign(session_id="another", cluster=7)
    with opened(tmp_path).write() as database:
        database.replace(FEATURES, pa.Table.from_pandas(pd.concat([table, earlier]), preserve_index=False))
        database.replace(LABELS, pa.Table.from_pandas(pd.concat([labels, others]), preserve_index=False))
        found = cluster_profile(
            database, LABELS.path, {"session_id": "s"}, COLUMNS, features_table=FEATURES.path, group="cluster"
        )
    return table.assign(cluster=labels["cluster"]), found


def signed_log(values: Any) -> Any:
    return np.sign(values) * np.log1p(np.abs(values))


def test_a_profile_agrees_with_pandas_and_ten_comes_after_two(tmp_path: Path) -> None:
    table, found = profiled(tmp_path)
    assert [group["label"] for group in found.groups] == ["1", "2", "10"]
    for group in found.groups:
        members = table[table["cluster"] == int(group["label"])]
        assert group["customers"] == len(members)
        assert group["share"] == pytest.approx(len(members) / len(table))
        assert group["spend"] == pytest.approx(members["total_spend"].sum())
        assert group["spend_share"] == pytest.approx(members["total_spend"].sum() / table["total_spend"].sum())
        for column in COLUMNS:
            assert group["mean"][column] == pytest.approx(members[column].mean())
            assert group["median"][column] == pytest.approx(members[column].median())
            assert group["log_mean"][column] == pytest.approx(signed_log(members[column]).mean())
    for column in COLUMNS:
        assert found.spread[column] == pytest.approx(signed_log(table[column]).std(ddof=0))


def test_standardised_means_weigh_to_zero(tmp_path: Path) -> None:
    table, found = profiled(tmp_path)
    rows = [row for row in found.rows() if row["feature"] == "total_orders"]
    assert sum(row["standardised"] * row["customers"] for row in rows) == pytest.approx(0, abs=1e-3 * len(table))
    assert any(abs(row["standardised"]) > 0.01 for row in rows)


def test_text_has_no_mean(tmp_path: Path) -> None:
    profiled(tmp_path)
    with opened(tmp_path).read() as database, pytest.raises(ValueError, match="most_ordered_category"):
        cluster_profile(database, LABELS.path, {}, ["most_ordered_category"], features_table=FEATURES.path)


def test_a_profile_of_nobody_and_of_a_feature_nobody_has(tmp_path: Path) -> None:
    with opened(tmp_path).write() as database:
        database.replace(FEATURES, [customer(1, 1, 1, 0.0), customer(2, 1, 2, 0.0)])
        row = {"session_id": "s", "as_of": DAY, "cluster": 1}
        database.replace(LABELS, [{**row, "customer_id": "c0001"}, {**row, "customer_id": "c0002"}])
        nobody = cluster_profile(database, LABELS.path, {"session_id": "x"}, COLUMNS, features_table=FEATURES.path)
        found = cluster_profile(database, LABELS.path, {}, COLUMNS, features_table=FEATURES.path)
    assert (nobody.groups, set(nobody.spread.values())) == ((), {0.0})
    assert found.groups[0]["mean"]["gap"] is None
    assert found.groups[0]["spend_share"] is None
    assert found.spread["gap"] == 0.0
    assert math.isclose(found.spread["total_orders"], float(np.std([np.log(2), np.log(3)])))


def test_sizes_tell_too_large_and_too_small(tmp_path: Path) -> None:
    contract = TableContract("segments", "predictions", "", (Column("cluster", "BIGINT", ""),))
    clusters = pd.DataFrame({"cluster": [0] * 950 + [1] * 45 + [2] * 5})
    with opened(tmp_path).write() as database:
        database.replace(contract, pa.Table.from_pandas(clusters, preserve_index=False))
        rows = cluster_sizes(database, contract.path, {}, "cluster")
    assert [(row["label"], row["count"], row["status"]) for row in rows] == [
        ("0", 950, "too_large"),
        ("1", 45, "ok"),
        ("2", 5, "too_small"),
    ]


def test_each_file_is_one_statement_and_hostile_names_stay_names() -> None:
    hostile = 'a"; drop table x; --'
    contexts = {
        "rfm": {"features_table": ["f", hostile], "snapshot_date": DAY},
        "profile": {
            "labels_table": ["l", hostile],
            "features_table": ["f", hostile],
            "where": {hostile: hostile},
            "columns": [hostile, "b"],
            "group": hostile,
            "date_column": hostile,
            "spend": hostile,
        },
        "groups": {"table": ["t", hostile], "session_id": hostile},
        "names": {"table": ["t", hostile]},
        "z_scores": {"scores": ["s", hostile], "features_table": ["f", hostile], "day": DAY},
    }
    assert {path.stem for path in (sql_directory() / "clustering").glob("*.sql")} == set(contexts)
    for name, context in contexts.items():
        statement = render(f"clustering/{name}", **context)
        assert len(sqlglot.parse(statement.text, dialect="duckdb")) == 1
