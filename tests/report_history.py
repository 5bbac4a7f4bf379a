"""A made-up but plausible history of monitoring: weekly sessions, noise, a slow drift, a broken feed, a retraining."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

import json
import math
import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.reference import ColumnReference
from tdml_assets.platform import monitoring
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.warehouse import Database

LAST = date(2026, 6, 30)
HORIZON_DAYS = 90
COLUMNS = (
    "total_spend", "total_orders", "avg_order_value", "spend_30d", "spend_90d", "spend_365d", "orders_30d", "orders_90d",
    "orders_365d", "days_since_last_order", "days_since_last_pageview", "tenure_days", "most_ordered_category",
    "distinct_categories", "distinct_products", "returned_share", "coupon_share", "email_sends", "email_opens", "email_clicks",
    "email_clicks_90d", "total_pageviews", "pageviews_30d", "pageviews_90d", "browsing_history_length", "mean_gap_days",
    "sd_gap_days", "gap_now_against_mean", "weekend_share", "evening_share", "first_order_value", "last_order_value",
)  # fmt: skip
EDGES = (2.0, 5.0, 9.0, 14.0, 21.0, 32.0, 51.0, 88.0, 190.0)
REFERENCE = ColumnReference(
    "predicted_target", True, 4000, 4000, 31.2, 54.0, 0.0, 950.0, EDGES, (), (*[400] * 10, 0), None
)


def spec(**more: Any) -> WorkflowSpec:
    content = {"name": "cltv", "label": "Customer lifetime value", "target": {"horizon_days": HORIZON_DAYS}, **more}
    return WorkflowSpec.model_validate(content)


def session_id(number: int) -> str:
    return f"{number:08x}-cd20-4f2a-a43c-3619e00d1e3d"


class _Rows:
    """Collects rows, so that every table is written at once: sixty sessions one by one take seconds."""

    def __init__(self) -> None:
        self.tables: dict[str, tuple[TableContract, list[dict[str, Any]]]] = {}

    def add(self, contract: TableContract, rows: list[dict[str, Any]]) -> None:
        self.tables.setdefault(contract.name, (contract, []))[1].extend(rows)


def write_history(
    database: Database, *, sessions: int = 60, last: date = LAST, decision: str = "retrain", **overrides: Any
) -> str:
    """Fill the monitoring tables with weekly sessions up to ``last``. Returns the id of the last one.

    ``overrides`` are fields of the last session's row in ``monitoring.triage``.
    """
    rng, made, rows = random.Random(7), [], _Rows()
    for number in range(sessions):
        age = sessions - 1 - number
        key = {"session_id": session_id(number), "workflow": "cltv"}
        as_of = last - timedelta(days=7 * age)
        # The champion changes once a quarter and a half; the slow drift starts anew with it.
        since_model = (number + 2) % 19
        model = f"{last - timedelta(days=7 * (age + since_model))}-721117bd1d83"
        made.append((age, key, as_of, model))
        _write_session(rows, rng, age, key, as_of, model, since_model)
    age, key, as_of, model = made[-1]
    _write_decisions(rows, made, decision, overrides)
    _write_predictions(rows, made)
    _write_model(rows, key)
    _write_quality(rows, key, broken=decision == "data_quality")
    _write_gate(rows, key, model)
    _write_episodes(rows, key, as_of, model, decision)
    for contract, found in rows.tables.values():
        database.replace(contract, found)
    return str(key["session_id"])


def _write_session(
    to: _Rows, rng: random.Random, age: int, key: Mapping[str, str], as_of: date, model: str, since_model: int
) -> None:
    written = datetime(2026, 7, 1, 6) - timedelta(days=7 * age)
    row = {**key, "as_of": as_of, "run_id": key["session_id"], "engine": "python", "model_version": model}
    to.add(monitoring.SESSIONS, [{**row, "status": "published", "updated_at": written}])
    season = math.sin(as_of.toordinal() / 58)
    tested = {"mae": 27.4 + 1.6 * season, "spearman": 0.47 + 0.02 * season, "normalised_gini": 0.71, "total_bias": 0.02}
    metrics = [("test", name, value + rng.gauss(0, abs(value) * 0.012)) for name, value in tested.items()]
    metrics += [
        ("test", f"baseline_{name}", value * (1.28 if name == "mae" else 0.8)) for name, value in tested.items()
    ]
    if age * 7 >= HORIZON_DAYS:
        worse = 1 + 0.05 * max(0.0, season) + 0.004 * since_model
        metrics += [("realised", "mae", tested["mae"] * worse + rng.gauss(0, 0.4))]
        metrics += [("realised", "spearman", tested["spearman"] / worse + rng.gauss(0, 0.006))]
        metrics += [("realised", "normalised_gini", 0.71 / worse + rng.gauss(0, 0.008))]
        metrics += [("realised", "total_bias", 0.02 + (worse - 1) * 1.5 + rng.gauss(0, 0.01))]
    rows = [{**key, "evaluation_table": table, "metric": name, "value": value} for table, name, value in metrics]
    to.add(monitoring.MODEL_METRICS, rows)
    if age < 30:
        drift = [
            _column(rng, name, place, age, since_model) for place, name in enumerate(("predicted_target", *COLUMNS))
        ]
        to.add(monitoring.DRIFT, [{**key, **column} for column in drift])


def _column(rng: random.Random, name: str, place: int, age: int, since_model: int) -> dict[str, Any]:
    noise = rng.gammavariate(4.5, 0.0006)
    slow = since_model * (0.011 if name in {"tenure_days", "email_sends"} else 0.0035 if place % 4 == 0 else 0.0006)
    status, step = "ok", rng.gammavariate(4.5, 0.0007)
    if age == 9 and name.startswith(("email", "pageviews")):
        return {
            "kind": "feature",
            "column_name": name,
            "n": 4010,
            "null_share": 1.0,
            "status": "all_null",
            "severity": 1.0,
        }
    psi = noise + slow
    if age <= 1 and name in {"avg_order_value", "last_order_value", "spend_30d", "predicted_target"}:
        psi, step, status = (
            psi + 0.31 + 0.1 * (place % 3),
            0.03 + 0.011 * place if age else 0.004 + 0.0011 * place,
            "spike" if age else "far",
        )
    elif psi > 0.09:
        status = "watch"
    return {
        "kind": "prediction" if name == "predicted_target" else "feature",
        "column_name": name,
        "n": 4010,
        "avg_val": 38.1 + place,
        "avg_ref": 33.0 + place,
        "kld": psi * 0.8,
        "kld_log": psi * 0.9,
        "psi": psi,
        "psi_previous": None if since_model == 0 else step,
        "z": None if since_model < 6 else (step - 0.003) / 0.0015,
        "null_share": 0.02,
        "null_share_ref": 0.02,
        "status": status,
        "severity": psi / 0.25 if status in {"far", "spike"} else 0.0,
    }


def _write_decisions(to: _Rows, made: list[Any], decision: str, overrides: Mapping[str, Any]) -> None:
    for age, key, as_of, model in made:
        row = {**key, "as_of": as_of, "model_version": model, "decision": "nothing", "cause": "none", "severity": 0.4}
        row["sentence"] = "No drift: 33 columns of 4,010 rows look like what the model learnt."
        if age == 9:
            row |= {"decision": "data_quality", "cause": "data", "sentence": "email_events is empty since 21 April."}
        if age == 1:
            row |= {"decision": "confirm", "cause": "features", "severity": 1.4}
        if age == 0:
            sentence = (
                "avg_order_value moved far for the second session in a row (average 33.4 -> 41.8, PSI 0.41, limit 0.25), and "
                "the predictions with it (PSI 0.36): it carries 18 % of the model's importance."
            )
            row |= {"decision": decision, "cause": "features", "severity": 1.64, "sentence": sentence}
            row |= overrides
        to.add(monitoring.TRIAGE, [{**row, "measured_at": datetime(2026, 7, 1, 6, 30)}])


def _write_predictions(to: _Rows, made: list[Any]) -> None:
    for age, key, as_of, model in made[-2:]:
        counts = [352, 371, 380, 388, 395, 402, 411, 420, 432, 459, 0]
        row = {**key, "as_of": as_of, "model_version": model, "kind": "prediction", "column_name": "predicted_target"}
        to.add(monitoring.DRIFT_BINS, [{**row, "counts": json.dumps(counts)}])
        labels = {"Below AVG": 2890 - 9 * age, "Above AVG": 1120 + 4 * age}
        rows = [{**key, "prediction_category": name, "count": count} for name, count in labels.items()]
        to.add(monitoring.LABEL_STATS, rows)


def _write_model(to: _Rows, key: Mapping[str, str]) -> None:
    """The test of the champion, by tenths of customers, and its features; the last session trained it."""
    actual = [0.4, 0.9, 1.6, 2.8, 4.9, 8.8, 14.6, 27.0, 58.0, 151.0]
    rows = [
        {"decile": place, "count": 390, "mean_predicted": mean * 1.04, "mean_actual": mean, "share_actual": mean / 270}
        for place, mean in enumerate(actual, start=1)
    ]
    to.add(monitoring.CALIBRATION, [{**key, "evaluation_table": "test", **row} for row in rows])
    features = [
        ("total_spend_90d", 0.31),
        ("most_ordered_category__toys", 0.05),
        ("most_ordered_category__books", 0.04),
    ]
    stages = [("buys", 0.5), ("expected_spend", 1.0)]
    found = [
        {"stage": stage, "feature": name, "weight": shap * size, "shap": shap * size}
        for stage, size in stages
        for name, shap in features
    ]
    to.add(monitoring.FEATURE_IMPORTANCES, [{**key, **row} for row in found])


def _write_quality(to: _Rows, key: Mapping[str, str], *, broken: bool) -> None:
    rows = [
        ("volume", "raw.orders", 118.4, 121.0, 60.5, "ok", "118 rows a day in the last 28 days, 121 before."),
        ("freshness", "raw.orders", 1.0, 1.0, 4.0, "ok", "The last order is 1 day old."),
        ("null_share", "raw.orders.product_category", 0.031, 0.028, 0.2, "ok", "3.1 % without a value, 2.8 % before."),
        ("scale", "raw.orders.unit_price", 1.22, 1.0, 5.0, "ok", "Prices are 1.22 times those before."),
        ("duplicates", "raw.orders", 0.0, 0.0, 0.01, "ok", "No line is there twice."),
        ("rejected", "raw.orders", 0.0004, 0.0005, 0.05, "ok", "0.04 % of the rows were set aside."),
        ("new_categories", "raw.orders.product_category", 0.012, 0.0, 0.2, "ok", "1.2 % of the lines are of new categories."),
        ("volume", "raw.email_events", None, None, None, "too_little", "Fewer than 28 days of history."),
    ]  # fmt: skip
    if broken:
        rows[0] = (
            "volume",
            "raw.orders",
            41.0,
            121.0,
            60.5,
            "alarm",
            "41 rows a day in the last 7 days, 121 before: reload.",
        )
    names = ("check_name", "source", "value", "expected", "bound", "status", "sentence")
    own = {**key, "workflow": "all"}
    found = [{**own, **dict(zip(names, row, strict=True))} for row in rows]
    to.add(monitoring.DATA_QUALITY, found)


def _write_gate(to: _Rows, key: Mapping[str, str], model: str) -> None:
    shared = {**key, "candidate": "2026-06-30-9c41d0aa71b2", "champion": model, "metric": "tweedie_deviance"}
    reason = "The candidate is 3.1 % better than the champion on 3,904 customers (90 % interval -5.2 % to -1.0 %)."
    rows = [("all", 3904, 8.12, 8.38, -0.26, -0.43, -0.09), ("new customers", 611, 5.91, 5.87, 0.04, -0.19, 0.27)]
    names = ("slice", "customers", "candidate_value", "champion_value", "difference", "low", "high")
    found = [{**shared, **dict(zip(names, row, strict=True))} for row in rows]
    to.add(monitoring.GATE, [{**row, "passed": True, "decision": "promote", "reason": reason} for row in found])


def _write_episodes(to: _Rows, key: Mapping[str, str], as_of: date, model: str, decision: str) -> None:
    opened, earlier = as_of - timedelta(days=7), as_of - timedelta(days=63)
    broken = decision == "data_quality"
    rows = [
        {
            "episode_id": f"cltv-{opened}-{'data_quality' if broken else 'drift'}",
            "kind": "data_quality" if broken else "drift",
            "status": "open",
            "opened_as_of": opened,
            "last_as_of": as_of,
            "alarms": 2,
            "stable_sessions": 0,
            "retrain": not broken,
            "cause": "data" if broken else "features",
            "severity": 1.64,
            "sentence": "avg_order_value moved far (average 33.4 -> 41.8, PSI 0.41, limit 0.25).",
        },
        {
            "episode_id": f"cltv-{earlier}-data_quality",
            "kind": "data_quality",
            "status": "closed",
            "opened_as_of": earlier,
            "last_as_of": earlier,
            "closed_as_of": earlier + timedelta(days=21),
            "alarms": 1,
            "stable_sessions": 3,
            "retrain": False,
            "cause": "data",
            "severity": 4.0,
            "sentence": "email_events is empty since 21 April: reload it.",
            "alerted_at": datetime(2026, 4, 29, 6, 31),
        },
    ]
    to.add(monitoring.DRIFT_EPISODES, [{**key, "model_version": model, **row} for row in rows])
