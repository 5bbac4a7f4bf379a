"""One customer explained from small tables: what is told, and what moved."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.commands.explanation import (
    Explanation,
    Move,
    WorkflowExplanation,
    moves_between,
    points_of,
    read_figures,
    read_workflow,
    render_explanation,
    similar_ids,
)
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.raw.contracts import ORDERS

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)


def contract(schema: str, name: str, row: dict[str, Any]) -> TableContract:
    types = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", date: "DATE"}
    return TableContract(schema, name, "", tuple(Column(key, types[type(value)], "") for key, value in row.items()))


def order(customer: str, day: date, amount: float, number: str) -> dict[str, Any]:
    return {
        "order_id": number,
        "customer_id": customer,
        "ordered_at": day,
        "ordered_on": day,
        "amount": amount,
        "is_return": amount < 0,
        "is_product": True,
        "currency": "GBP",
        "source": "orders",
        "file": "o.csv",
        "row_number": 1,
    }


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A customer with two orders and a return, scored in two sessions by a churn model, and by a recommender once."""
    found = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path))
    orders = [
        order("007", date(2026, 1, 5), 40.0, "A"),
        order("007", date(2026, 1, 5), 10.0, "A"),
        order("007", date(2026, 3, 1), -10.0, "B"),
        order("007", date(2026, 7, 9), 99.0, "later"),
    ]
    scored = {
        "session_id": "s2",
        "as_of": JUNE,
        "customer_id": "007",
        "probability": 0.75,
        "grade": "A",
        "reason_1": "raises: x",
    }
    kept = {"session_id": "s1", "as_of": MAY, "customer_id": "007", "model_version": "v1", "predicted_target": 0.5}
    listed = {
        "session_id": "s2",
        "as_of": JUNE,
        "customer_id": "007",
        "rank": 1,
        "product_id": "P",
        "score": 1.0,
        "slot": "repeat",
    }
    with found.write() as database:
        database.replace(ORDERS, orders)
        database.replace(contract("churn", "predictions", scored), [scored])
        both = [kept, {**kept, "session_id": "s2", "as_of": JUNE, "model_version": "v2", "predicted_target": 0.75}]
        database.replace(contract("churn", "prediction_history", kept), both)
        database.replace(contract("nbp", "predictions", listed), [{**listed, "rank": 2, "product_id": "Q"}, listed])
        database.replace(SESSIONS, [{"session_id": "s2", "workflow": "churn", "model_version": "v2", "as_of": JUNE}])
    return found


def test_figures_are_those_up_to_the_day_and_net_of_returns(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        figures, recent = read_figures(database, "007", JUNE)
        assert similar_ids(database, "7") == ["007"]
        assert similar_ids(database, "8") == []
        assert read_figures(database, "8", JUNE)[0]["orders"] == 0
    assert (figures["orders"], figures["order_lines"], float(figures["net_spend"])) == (2, 3, 40.0)
    assert float(figures["returned"]) == -10.0
    assert (figures["first_order_on"], figures["last_order_on"]) == (date(2026, 1, 5), date(2026, 3, 1))
    assert [(row["order_id"], float(row["amount"])) for row in recent] == [("B", -10.0), ("A", 50.0)]


def test_scores_reasons_products_and_earlier_predictions_are_read(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        churn = read_workflow(database, "churn", "Churn", "007")
        products = read_workflow(database, "nbp", "Products", "007")
        other = read_workflow(database, "churn", "Churn", "8")
        none = read_workflow(database, "cltv", "CLTV", "007")
    assert (churn.scores, churn.reasons) == ({"probability": 0.75, "grade": "A"}, ("raises: x",))
    assert (churn.as_of, churn.model_version, churn.before) == (JUNE, "v2", MAY)
    assert [(point.as_of, point.predicted) for point in churn.history] == [(JUNE, 0.75), (MAY, 0.5)]
    assert [row["product_id"] for row in products.products] == ["P", "Q"]
    assert render_explanation(explained(products)).splitlines()[-1].split() == ["products", "P,", "Q"]
    named = replace(products, products=({**products.products[0], "product_name": "Tea"}, products.products[1]))
    assert "Tea (P); Q" in render_explanation(explained(named))
    assert other.as_of is None
    assert none.as_of is None


def explained(found: WorkflowExplanation) -> Explanation:
    figures = {"orders": 0, "order_lines": 0, "net_spend": 0, "returned": 0, "currency": None}
    return Explanation("007", JUNE, {**figures, "first_order_on": None, "last_order_on": None}, (), (found,))


def test_lists_kept_are_one_point_a_day() -> None:
    rows = [
        {"as_of": MAY, "model_version": "v", "rank": rank, "product_id": name} for rank, name in ((2, "Q"), (1, "P"))
    ]
    (point,) = points_of(rows)
    assert point.products == ("P", "Q")


def test_moves_are_ordered_by_what_the_model_weighs_and_said_in_words() -> None:
    before = {"customer_id": "7", "days_since_last_order": 41, "total_orders": 3, "total_spend": 9.0, "email_opens": 1}
    now = {"customer_id": "7", "days_since_last_order": 71, "total_orders": 4, "total_spend": 9.0, "email_opens": 2}
    moves = moves_between(before, now, {"total_orders": 0.1, "days_since_last_order": 0.5})
    assert [move.feature for move in moves] == ["days_since_last_order", "total_orders"]
    assert moves[0].words() == "last order 41 days ago -> last order 71 days ago"
    assert moves[1].words() == "ordered 3 times in all -> ordered 4 times in all"
    assert moves_between(before, now, {"total_spend": 1.0}) == (), "the model uses nothing that moved"
    baskets = [move.feature for move in moves_between(before, now, {})]
    assert baskets == ["days_since_last_order", "total_orders"], "no importances: what the orders tell"
    missing = {"recency_ratio": float("nan")}
    assert moves_between(missing, missing, {"recency_ratio": 1.0}) == ()
    assert (
        moves_between({"recency_ratio": None}, {"recency_ratio": 0.5}, {"recency_ratio": 1.0})[0]
        .words()
        .startswith("only one purchase day")
    )


def test_the_words_hold_orders_scores_reasons_history_and_moves(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        figures, recent = read_figures(database, "007", JUNE)
        churn = read_workflow(database, "churn", "Churn", "007")
    moved = churn.__class__(**{**vars(churn), "moves": (Move("days_since_last_order", 41, 71, 0.5),)})
    found = Explanation("007", JUNE, figures, recent, (moved,))
    text = render_explanation(found)
    for part in (
        "orders      2 (3 lines), 2026-01-05 to 2026-03-01",
        "net spend   40.00 GBP, of it returned -10.00",
        "Churn (churn), as of 2026-06-30, by v2",
        "  - raises: x",
        "    2026-05-31  0.500           v1",
        "  what moved since 2026-05-31",
        "    the model: v1 then, v2 now",
        "    last order 41 days ago -> last order 71 days ago (50% of the model)",
    ):
        assert part in text, text
    assert found.to_dict()["workflows"][0]["moves"][0]["words"] == "last order 41 days ago -> last order 71 days ago"
