"""The summary that ends a run: its words, its warnings, and its figures read from real tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.commands.summary import (
    DataFacts,
    Summary,
    WorkflowFacts,
    WorkflowInfo,
    comparisons_of,
    drift_verdict,
    read_summary,
    render_text,
    total_verdict,
    warnings_of,
)
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import CALIBRATION, DRIFT, MODEL_METRICS, SESSIONS
from tdml_assets.platform.outcome import Outcome
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.raw.contracts import LOADS, ORDERS, REJECTED_ROWS

CLTV = WorkflowInfo("cltv", "Customer lifetime value", "regression", 90)
DATA = DataFacts(
    customers=4338,
    orders=18532,
    order_lines=397884,
    first_on=date(2009, 12, 1),
    last_on=date(2011, 12, 9),
    currency="GBP",
    rows_read=541909,
    rows_rejected=135080,
    reasons=(("no_customer", 133361), ("price_not_positive", 1719)),
)
METRICS = {
    "mae": 512.25,
    "baseline_mae": 601.0,
    "spearman": 0.52,
    "baseline_spearman": 0.55,
    "normalised_gini": 0.701,
    "baseline_normalised_gini": 0.701,
    "total_bias": -0.05,
    "baseline_total_bias": 0.12,
}
FACTS = WorkflowFacts(
    CLTV,
    session_id="s1",
    as_of=date(2011, 12, 9),
    status="published",
    engine="python",
    model_version="v-1",
    customers=3364,
    expected_spend=1234567.4,
    top_tenth_share=0.612,
    metrics=METRICS,
    tested_on=date(2011, 9, 10),
    drift={"ok": 24},
)
PLACES = {"exports": "/srv/exports/latest", "Dagster UI": "make ui"}


def summary(*facts: WorkflowFacts, data: DataFacts | None = DATA) -> Summary:
    return Summary(data, facts, 4, PLACES)


def test_one_workflow_is_told_in_full_within_25_short_lines() -> None:
    text = render_text(summary(FACTS))
    lines = text.splitlines()
    assert len(lines) <= 25
    assert max(len(line) for line in lines) <= 100
    assert text.isascii()
    for words in (
        "customers scored       3,364",
        "expected spend     1,234,567 GBP   61% of it from the top tenth",
        "set aside       135,080 of 541,909 rows: no_customer 133,361, price_not_positive 1,719",
        "18,532   397,884 lines, 2009-12-01 to 2011-12-09",
        "Customer lifetime value (cltv), the 90 days after 2011-12-09",
        "none: 24 columns look as on the day the model went live",
        "total tested      came out 5% too low in the test of 2011-09-10",
        "v-1 (python)",
        "exports         /srv/exports/latest",
        "4 attributes per customer",
    ):
        assert words in text, text
    assert "Please note" not in text


def test_each_measure_stands_beside_the_naive_forecast_with_a_verdict() -> None:
    rows = [line.split() for line in render_text(summary(FACTS)).splitlines()]
    assert ["error", "per", "customer", "512.25", "601.00", "better"] in rows
    assert ["ranking", "customers", "(1", "=", "perfect)", "0.520", "0.550", "worse"] in rows
    assert ["finding", "big", "spenders", "(1", "=", "perfect)", "0.701", "0.701", "equal"] in rows
    assert ["total", "spend,", "too", "high", "or", "low", "-5%", "+12%", "better"] in rows


def test_the_numbers_of_one_workflow_stand_below_each_other() -> None:
    lines = [
        line for line in render_text(summary(FACTS)).splitlines() if line.startswith("    ") and "customer" in line
    ]
    assert len({line.index(".") for line in lines if "(" not in line}) == 1


def test_several_workflows_are_told_briefly() -> None:
    others = [
        replace(FACTS, info=WorkflowInfo(name, name.title(), "classification", 90), expected_spend=None, metrics={})
        for name in ("churn", "segments", "products")
    ]
    text = render_text(summary(FACTS, *others))
    assert len(text.splitlines()) <= 36
    assert "better in 2 of 4 measures" in text


def test_data_equal_to_the_day_the_model_went_live_are_called_so() -> None:
    assert (
        drift_verdict(replace(FACTS, moved=False)) == "none: 24 columns are exactly as on the day the model went live"
    )


def test_customers_without_a_purchase_left_and_lines_after_as_of_are_explained() -> None:
    data = replace(DATA, known_customers=4306, return_lines=12, later_lines=7, as_of=date(2011, 12, 9))
    text = render_text(summary(FACTS, data=data))
    assert "4,338   32 of them have no purchase left after returns: not scored" in text
    assert "397,884 lines (12 of them returns), 2009-12-01 to 2011-12-09" in text
    assert "not read        7 lines after 2011-12-09" in text


def test_who_is_scored_is_said_where_it_is_not_everybody() -> None:
    info = replace(CLTV, eligible="ordered in the last 730 days")
    data = replace(DATA, known_customers=4306, as_of=FACTS.as_of)
    text = render_text(summary(replace(FACTS, info=info), data=data))
    assert "  eligible          those who ordered in the last 730 days; 942 others have no score" in text
    assert "eligible" not in render_text(summary(FACTS, data=data))


def test_what_the_run_warned_of_is_explained_among_the_notes() -> None:
    text = render_text(replace(summary(FACTS), notes=("churn/exploration: check split_is_fair: another unit",)))
    assert "  - churn/exploration: check split_is_fair: another unit" in text


def test_one_cause_is_one_note() -> None:
    held = Outcome("s", "cltv", state="fallback", method="rules", stopped_at="evaluation", reason="held: no better")
    facts = [
        replace(FACTS, info=replace(FACTS.info, name=name), outcome=replace(held, workflow=name))
        for name in ("cltv", "churn")
    ]
    notes = ("churn/evaluation: check fit_to_score did not pass: held: no better", "raw/orders: something else")
    text = render_text(replace(summary(*facts), notes=notes))
    assert text.count("no better") == 1
    assert "- cltv, churn: scored without a trained model, because held: no better." in text
    assert "something else" in text


def test_a_bias_counts_by_its_size_and_not_by_its_sign() -> None:
    verdicts = {
        found.metric: found.verdict
        for found in comparisons_of(replace(FACTS, metrics={"total_bias": 0.3, "baseline_total_bias": -0.1}))
    }
    assert verdicts == {"total_bias": "worse"}


def test_a_session_that_promotes_another_recommender_has_nothing_to_compare_with() -> None:
    scored = replace(FACTS, drift={}, outcome=Outcome("s1", "next_best_product", state="published", method="champion"))
    assert drift_verdict(scored) == "nothing to compare with yet: another model went live"
    assert drift_verdict(replace(scored, outcome=replace(scored.outcome, stopped_at="drift"))).startswith(
        "not measured"
    )


def test_a_measure_without_a_naive_value_or_without_a_number_is_not_judged() -> None:
    assert total_verdict(replace(FACTS, metrics={"total_bias": float("nan")})) is None
    assert [found.verdict for found in comparisons_of(replace(FACTS, metrics={"mae": 5.0}))] == ["unknown"]
    assert comparisons_of(replace(FACTS, metrics={"mae": float("nan"), "baseline_mae": 1.0})) == []


@pytest.mark.parametrize(
    ("drift", "names", "words"),
    [
        ({}, (), "not measured"),
        ({"first": 24}, (), "nothing to compare with yet"),
        ({"too_few": 3}, (), "too little to compare"),
        ({"ok": 20, "degenerate": 4}, (), "none: 24 columns"),
        ({"ok": 20, "watch": 1}, ("total_spend",), "1 of 21 columns changed a little: total_spend"),
        ({"ok": 20, "spike": 1, "far": 1, "changed": 1}, ("a", "b"), "3 of 23 columns moved far since"),
        ({"ok": 1, "spike": 2, "all_null": 1}, ("a",), "broken data: 1 of 4 columns no longer change"),
    ],
)  # fmt: skip
def test_the_drift_check_is_told_in_one_sentence(drift: dict[str, int], names: tuple[str, ...], words: str) -> None:
    assert words in drift_verdict(replace(FACTS, drift=drift, drifted=names))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"session_id": None}, "has not run yet"),
        ({"status": "held"}, "ended at 'held' and scored nobody"),
        ({"note": "tested on other customers, not later in time"}, "tested on other customers"),
        (
            {"metrics": METRICS | {"total_bias": -0.31}},
            "the total came out 31% too low in the test of 2011-09-10: use the order of customers",
        ),
        ({"metrics": METRICS | {"total_bias": 0.5}}, "the total came out 50% too high in the test of 2011-09-10"),
        ({"calibration_error": 0.4}, "the tenths of customers were 40% off"),
        ({"metrics": {"mae": 2.0, "baseline_mae": 1.0}}, "no better than the naive forecast"),
    ],
)
def test_what_spoils_the_figures_is_said(change: dict[str, Any], words: str) -> None:
    facts = replace(FACTS, **change)
    assert any(words in warning for warning in warnings_of(facts, DATA))
    assert words in render_text(summary(facts))
    assert warnings_of(FACTS, DATA) == []


def test_a_long_note_is_wrapped() -> None:
    lines = render_text(summary(replace(FACTS, note="word " * 60))).splitlines()
    assert max(len(line) for line in lines) <= 100
    assert any(line.startswith("    word") for line in lines)


def test_many_drifted_columns_with_long_names_are_wrapped_below_each_other() -> None:
    names = tuple(f"a_rather_long_name_of_a_column_{number}" for number in range(3))
    lines = render_text(summary(replace(FACTS, drift={"ok": 9, "spike": 3}, drifted=names))).splitlines()
    assert max(len(line) for line in lines) <= 100
    assert any(line.startswith("  drift             3 of 12") for line in lines)
    assert any(line.startswith(" " * 20 + "a_rather") for line in lines)


def test_a_history_without_a_second_season_is_said() -> None:
    short = replace(DATA, first_on=date(2010, 12, 1))
    assert "373 days of orders show no season twice" in warnings_of(FACTS, short)[0]


def test_the_dictionary_is_json_and_holds_verdicts_and_warnings() -> None:
    facts = replace(FACTS, metrics=METRICS | {"r2": float("nan")}, note="a note")
    found = json.loads(json.dumps(summary(facts).to_dict(), allow_nan=False))
    assert found["data"]["first_on"] == "2009-12-01"
    workflow = found["workflows"][0]
    assert workflow["comparisons"][0] == {"metric": "mae", "model": 512.25, "naive": 601.0, "verdict": "better"}
    assert workflow["warnings"] == ["cltv: a note"]
    assert workflow["drift_verdict"].startswith("none")
    assert workflow["metrics"]["r2"] is None


PREDICTIONS = TableContract(
    "cltv",
    "predictions",
    "",
    (
        Column("session_id", "VARCHAR", ""),
        Column("as_of", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("predicted_target", "DOUBLE", ""),
    ),
    ("session_id",),
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))


def day(number: int) -> dict[str, Any]:
    return {"on": date(2011, 1, number), "at": datetime(2011, 1, number)}  # noqa: DTZ001 - naive UTC, as stored


def fill(database: Database) -> None:
    def insert(contract: TableContract, rows: list[dict[str, Any]]) -> None:
        database.ensure(contract)
        database.insert(contract, rows)

    lines = [("1", "a", 1), ("1", "a", 1), ("2", "a", 2), (None, "b", 3), (None, "b", 3), (None, "b", 4)]
    orders = []
    for number, (order, customer, on) in enumerate(lines):
        moments = {"ordered_at": day(on)["at"], "ordered_on": day(on)["on"]}
        row = {
            "order_id": order,
            "customer_id": customer,
            "amount": 5,
            "is_return": False,
            "is_product": True,
            "currency": "EUR",
            "row_number": number,
        }
        orders.append({**row, **moments, "source": "orders", "file": "o.csv"})
    insert(ORDERS, orders)
    load = {"source": "orders", "content_sha256": "x", "declaration_sha256": "x", "header": "[]", "session_id": "s1"}
    load |= {"committed_at": day(9)["at"], "rows_read": 5, "rows_accepted": 3, "rows_rejected": 2}
    insert(LOADS, [{**load, "file": file} for file in ("o.csv", "p.csv")])
    rejected = {"source": "orders", "file": "o.csv", "content": "{}", "session_id": "s1"}
    reasons = ("no_customer", "no_price", "no_customer", "zzz")
    insert(REJECTED_ROWS, [{**rejected, "reason": reason, "row_number": n} for n, reason in enumerate(reasons)])
    session = {"workflow": "cltv", "as_of": day(4)["on"], "engine": "python", "model_version": "v1"}
    told = [("s0", 1, "published", None), ("s1", 2, "published", "a note"), ("s2", 3, "held", None)]
    insert(
        SESSIONS,
        [{**session, "session_id": s, "status": x, "note": note, "updated_at": day(d)["at"]} for s, d, x, note in told],
    )
    metric = {"workflow": "cltv", "evaluation_table": "test", "metric": "mae"}
    insert(MODEL_METRICS, [{**metric, "session_id": "s0", "value": 9.0}, {**metric, "session_id": "s2", "value": 3.0}])
    insert(MODEL_METRICS, [{**metric, "session_id": "s1", "value": 7.0, "evaluation_table": "train"}])
    tenths = [(1, 0.5, 0.1), (2, 10.0, 9.9), (3, 80.0, 90.0)]
    calibration = {"session_id": "s0", "workflow": "cltv", "evaluation_table": "test", "count": 5}
    insert(CALIBRATION, [{**calibration, "decile": d, "mean_predicted": p, "mean_actual": a} for d, p, a in tenths])
    column = {"session_id": "s1", "workflow": "cltv", "kind": "feature"}
    drift = [("a", 0.1, "ok"), ("b", 0.5, "spike"), ("c", 0.9, "spike"), ("d", None, "spike")]
    insert(DRIFT, [{**column, "column_name": name, "psi": psi, "status": status} for name, psi, status in drift])
    scored = [{"session_id": "s1", "customer_id": f"c{n:02d}", "predicted_target": float(n)} for n in range(20)]
    insert(PREDICTIONS, [*scored, {**scored[0], "session_id": "s0", "predicted_target": 1e9}])


def test_the_figures_come_from_the_latest_session_that_scored(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        fill(database)
    with warehouse.read() as database:
        found = read_summary(database, [CLTV, replace(CLTV, name="churn")], PLACES)
    assert found.data == DataFacts(
        customers=2, orders=4, order_lines=6, first_on=date(2011, 1, 1), last_on=date(2011, 1, 4), currency="EUR",
        rows_read=10, rows_rejected=4, reasons=(("no_customer", 2), ("no_price", 1), ("zzz", 1)),
    )  # fmt: skip
    cltv, churn = found.workflows
    assert (cltv.session_id, cltv.note, cltv.customers) == ("s1", "a note", 20)
    assert cltv.expected_spend == 190.0
    assert cltv.top_tenth_share == pytest.approx((18 + 19) / 190)
    assert cltv.drift == {"ok": 1, "spike": 3}
    assert cltv.drifted == ("c", "b", "d")
    assert churn.session_id is None


def test_a_session_that_did_not_train_shows_the_measures_of_its_model_and_not_of_a_held_candidate(
    warehouse: Warehouse,
) -> None:
    with warehouse.write() as database:
        fill(database)
    with warehouse.read() as database:
        (cltv,) = read_summary(database, [CLTV], PLACES).workflows
    assert cltv.metrics == {"mae": 9.0}
    assert cltv.tested_on == date(2010, 10, 6)


def test_calibration_is_weighted_by_money_so_that_customers_who_spend_nothing_do_not_decide(
    warehouse: Warehouse,
) -> None:
    with warehouse.write() as database:
        fill(database)
    with warehouse.read() as database:
        (cltv,) = read_summary(database, [CLTV], PLACES).workflows
    assert cltv.calibration_error == pytest.approx((0.4 + 0.1 + 10) / 100)


def test_an_empty_warehouse_gives_a_summary_that_says_so(warehouse: Warehouse) -> None:
    with warehouse.write():
        pass
    with warehouse.read() as database:
        found = read_summary(database, [CLTV], PLACES)
    text = render_text(found)
    assert "no orders are loaded yet" in text
    assert "cltv: has not run yet" in text
    json.dumps(found.to_dict())
