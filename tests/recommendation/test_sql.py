"""What customers bought, in the warehouse, on a dozen lines."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.recommendation.tables import predictions_contract, training_contract, with_names
from tdml_assets.stages.raw.contracts import ORDERS
from tdml_assets.tasks.recommendation import PRESENTATION

FEATURES = TableContract(
    "features",
    "customer_features",
    "",
    (Column("snapshot_date", "DATE", "", False), Column("customer_id", "VARCHAR", "", False)),
)
SNAPSHOTS = TableContract(
    "features", "snapshots", "", (Column("snapshot_date", "DATE", ""), Column("is_scoring", "BOOLEAN", ""))
)
AS_OF, CUT = date(2024, 3, 1), date(2024, 2, 1)
# customer, day, product, quantity, amount
LINES = [
    ("a", date(2024, 1, 1), "x", 2, 10),
    ("a", date(2024, 1, 1), "x", 1, 5),
    ("a", date(2024, 2, 1), "x", 1, 5),
    ("a", date(2024, 2, 2), "x", 1, 5),
    ("a", date(2024, 2, 3), "y", 1, 5),
    ("a", date(2024, 2, 4), "unseen", 1, 5),
    ("b", date(2024, 1, 5), "y", None, 7),
    ("b", date(2024, 1, 6), "y", -1, -7),
    ("b", date(2024, 1, 7), None, 1, 7),
    ("b", date(2024, 1, 8), "POST", 1, 7),
    ("late", date(2024, 2, 9), "x", 1, 5),
    ("a", date(2024, 3, 2), "x", 1, 5),
]


def opened(tmp_path: Path, lines: Sequence[tuple[Any, ...]] = LINES) -> Warehouse:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"))
    rows = [
        {
            "customer_id": customer,
            "ordered_at": day,
            "ordered_on": day,
            "product_id": product,
            "quantity": quantity,
            "amount": amount,
            "is_return": (amount if quantity is None else quantity) < 0,
            "is_product": True,
            "source": "orders",
            "file": "f",
            "row_number": number,
        }
        for number, (customer, day, product, quantity, amount) in enumerate(lines)
    ]
    with warehouse.write() as database:
        database.replace(ORDERS, rows)
        database.replace(FEATURES, [{"snapshot_date": AS_OF, "customer_id": name} for name in ("a", "b", "cold")])
        database.replace(SNAPSHOTS, [{"snapshot_date": AS_OF, "is_scoring": True}])
    return warehouse


def patterns(**over: Any) -> dict[str, Any]:
    return {"orders_table": ORDERS.path, "as_of": AS_OF, "include": ("*",), "exclude": ("POST*",), **over}


def built(warehouse: Warehouse, **over: Any) -> list[tuple[Any, ...]]:
    contract = training_contract("nbp")
    statement = render(
        "recommendation/build", days=[CUT, AS_OF], untils=[AS_OF, AS_OF], **{"sample_share": 1.0, **patterns(**over)}
    )
    with warehouse.write() as database:
        database.replace(contract, statement)
    with warehouse.read() as database:
        rows = database.arrow(
            render("recommendation/interactions", table=contract.path, snapshot_date=CUT, split="history")
        )
        found = [("history", *row.values()) for row in rows.to_pylist()]
        rows = database.arrow(
            render("recommendation/interactions", table=contract.path, snapshot_date=CUT, split="truth")
        )
    return [*found, *(("truth", *row.values()) for row in rows.to_pylist())]


def test_history_counts_days_and_truth_holds_known_products_of_known_customers(tmp_path: Path) -> None:
    assert built(opened(tmp_path)) == [
        ("history", "a", "x", 2, 0),
        ("history", "b", "y", 1, 27),
        ("truth", "a", "x", 1, -1),
        ("truth", "a", "y", 1, -2),
    ]


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    forwards, backwards = (tmp_path / name for name in ("one", "two"))
    assert built(opened(forwards)) == built(opened(backwards, LINES[::-1]))


def test_products_are_chosen_by_patterns(tmp_path: Path) -> None:
    warehouse = opened(tmp_path)
    assert {row[2] for row in built(warehouse, include=("x", "P*"), exclude=())} == {"x", "POST"}
    assert {row[2] for row in built(warehouse, include=("[xy]",), exclude=("y",))} == {"x"}


def test_a_sample_keeps_the_same_customers_whole(tmp_path: Path) -> None:
    warehouse = opened(tmp_path, [(f"c{n}", date(2024, 1, d), "x", 1, 5) for n in range(200) for d in (1, 2)])
    half = {row[1] for row in built(warehouse, sample_share=0.5)}
    assert 60 < len(half) < 140
    assert half < {row[1] for row in built(warehouse)}


def test_every_known_customer_has_a_basket_even_an_empty_one(tmp_path: Path) -> None:
    with opened(tmp_path).read() as database:
        rows = database.rows(render("recommendation/baskets", features_table=FEATURES.path, **patterns()))
    assert [tuple(row.values()) for row in rows] == [
        ("a", "unseen", 1, 26),
        ("a", "x", 3, 28),
        ("a", "y", 1, 27),
        ("b", "y", 1, 56),
        ("cold", None, None, None),
    ]


def test_truth_is_counted_with_what_is_new_apart(tmp_path: Path) -> None:
    warehouse = opened(tmp_path)
    built(warehouse)
    with warehouse.read() as database:
        table = training_contract("nbp").path
        rows = database.rows(render("recommendation/truth_sizes", table=table, snapshot_date=CUT))
        products = database.rows(render("recommendation/products", table=table, snapshot_date=AS_OF))
    assert rows == [{"customer_id": "a", "truth": 2, "truth_new": 1}]
    assert [(row["product_id"], row["customers"], row["purchases"], row["repeat_share"]) for row in products] == [
        ("x", 2, 4, 0.5),
        ("y", 2, 2, 0.0),
        ("unseen", 1, 1, 0.0),
    ]


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        ({}, {}),
        ({("a", 2): {"product_id": "x"}}, {"with_duplicates": 1}),
        ({("a", 2): {"rank": 1}}, {"with_wrong_ranks": 1}),
        ({("a", 2): {"rank": 3}}, {"with_wrong_ranks": 1}),
        ({("b", 1): {"score": float("nan")}}, {"not_finite": 1}),
        (
            {("b", 1): {"customer_id": "stranger"}, ("b", 2): {"customer_id": "stranger"}},
            {"without_list": 1, "unknown_customers": 1},
        ),
    ],
)
def test_the_profile_counts_what_must_not_be(
    tmp_path: Path, fault: dict[tuple[str, int], dict[str, Any]], counted: dict[str, int]
) -> None:
    rows = []
    for customer in ("a", "b", "cold"):
        for rank, product in ((1, "x"), (2, "y")):
            row = {"session_id": "s", "as_of": AS_OF, "customer_id": customer, "rank": rank, "product_id": product}
            rows.append({**row, "score": 1.0, "slot": "repeat", **fault.get((customer, rank), {})})
    contract = predictions_contract("nbp")
    warehouse = opened(tmp_path)
    with warehouse.write() as database:
        database.replace(contract, rows)
        tables = {"table": contract.path, "features_table": FEATURES.path, "snapshots_table": SNAPSHOTS.path}
        found = database.row(render("recommendation/profile", length=2, **tables))
    wrong = {
        name: found[name]
        for name in ("without_list", "unknown_customers", "with_duplicates", "with_wrong_ranks", "not_finite")
    }
    assert {name: value for name, value in wrong.items() if value} == counted


def named(tmp_path: Path) -> Warehouse:
    """Products under several names: by day, by the sign of the line, on one moment, after the day, and none."""
    warehouse = opened(tmp_path)
    lines = [
        ("x", "Old tea", date(2024, 1, 1), 1),
        ("x", "Tea", date(2024, 2, 1), 1),
        ("x", "damaged?", date(2024, 2, 9), -1),
        ("x", "Tea of the future", date(2024, 3, 2), 1),
        ("y", "Zebra cup", date(2024, 1, 1), 1),
        ("y", "Cup", date(2024, 1, 1), 1),
        ("y", None, date(2024, 2, 1), 1),
        ("zz", None, date(2024, 2, 1), 1),
    ]
    rows = [
        {
            "customer_id": "a",
            "product_id": product,
            "product_name": name,
            "ordered_at": day,
            "ordered_on": day,
            "quantity": quantity,
            "amount": quantity,
            "is_return": quantity is not None and quantity < 0,
            "is_product": True,
            "source": "orders",
            "file": "f",
            "row_number": number,
        }
        for number, (product, name, day, quantity) in enumerate(lines)
    ]
    with warehouse.write() as database:
        database.replace(ORDERS, rows)
    return warehouse


def test_a_product_has_the_newest_name_it_was_sold_under_by_the_day(tmp_path: Path) -> None:
    with named(tmp_path).read() as database:
        names = database.arrow(render("recommendation/product_names", orders_table=ORDERS.path, as_of=AS_OF))
    assert names.to_pylist() == [
        {"product_id": "x", "product_name": "Tea"},
        {"product_id": "y", "product_name": "Cup"},
    ]
    found = with_names(pa.table({"product_id": ["zz", "x", "x"]}), names)
    assert found["product_name"].to_pylist() == [None, "Tea", "Tea"]


def test_products_without_any_name_are_recommended_all_the_same(tmp_path: Path) -> None:
    with opened(tmp_path).read() as database:
        names = database.arrow(render("recommendation/product_names", orders_table=ORDERS.path, as_of=AS_OF))
    assert with_names(pa.table({"product_id": ["x"]}), names).to_pylist() == [{"product_id": "x", "product_name": None}]


def test_popular_products_carry_their_names_and_the_summary_tells_those_shown_first(tmp_path: Path) -> None:
    contract, warehouse = predictions_contract("nbp"), named(tmp_path)
    statement = render(
        "predictions/fallback/popular_products",
        **patterns(),
        features_table=FEATURES.path,
        recent_after=CUT,
        count=2,
        candidates=5,
        length=3,
        session_id="s",
        repeat="repeat",
        discover="discover",
    )
    with warehouse.write() as database:
        database.replace(contract, statement)
        shown = dict(PRESENTATION.highlights(database, contract.path, "s"))
        names = PRESENTATION.level_names(database, contract.path, "s") if PRESENTATION.level_names else {}
    assert shown["shown first"] == "Tea (x) 100%"
    assert names == {"x": "Tea (x)", "y": "Cup (y)"}


def test_predictions_of_before_products_had_names_are_told_without_them(tmp_path: Path) -> None:
    contract = predictions_contract("nbp")
    older = TableContract(
        contract.schema, contract.name, "", tuple(one for one in contract.columns if one.name != "product_name")
    )
    row = {
        "session_id": "s",
        "as_of": AS_OF,
        "customer_id": "a",
        "rank": 1,
        "product_id": "x",
        "score": 1.0,
        "slot": "r",
    }
    with opened(tmp_path).write() as database:
        database.replace(older, [row])
        assert [label for label, _ in PRESENTATION.highlights(database, contract.path, "s")] == ["recommended"]
        assert PRESENTATION.level_names is not None
        assert PRESENTATION.level_names(database, contract.path, "s") == {}
