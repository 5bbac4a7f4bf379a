"""Statements for other engines: DuckDB's are executed, the others are parsed in their dialect."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import expressions

from tdml_assets.commands.hivemall_sql import statements
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.linear_model import LinearModel
from tdml_assets.engines.score_map import ScoreMap
from tdml_assets.platform.dialects import DIALECTS, render_for
from tdml_assets.stages.predictions.scoring import score_batch
from tests.stages.predictions.test_in_sql import MAP, PARAMETERS, model_with

DAY = date(2024, 6, 30)
SPEC = WorkflowSpec.model_validate(
    {"name": "churn", "task": "classification", "engine": "hivemall", "eligible": {"ordered_within_days": 200}}
)


def features() -> pa.Table:
    draw = np.random.default_rng(5)
    count = 300
    return pa.table(
        {
            "snapshot_date": [DAY if place % 3 else date(2024, 3, 31) for place in range(count)],
            "customer_id": [f"c{place:04d}" for place in range(count)],
            "spend": pa.array(
                np.where(draw.random(count) < 0.1, np.nan, draw.lognormal(3, 2, count)), from_pandas=True
            ),
            "days": pa.array(draw.integers(0, 400, count), pa.int32()),
            "category": [("it's a \\ category", "b", None)[place] for place in draw.integers(0, 3, count)],
            "days_since_last_order": pa.array(draw.integers(0, 400, count), pa.int32()),
            "total_orders": pa.array(draw.integers(1, 9, count), pa.int32()),
        }
    )


def scored_by(model: LinearModel, form: str) -> dict[str, float]:
    """What the printed statements give in a database that knows nothing of this project."""
    with duckdb.connect() as connection:
        connection.execute("create schema features")
        connection.execute("create schema churn")
        connection.register("rows", features())
        connection.execute("create table features.customer_features as select * from rows")
        *before, last = statements(SPEC, model, PARAMETERS, "duckdb", DAY, form)
        for one in before:
            connection.execute(one.text)
        return dict(connection.execute(last.text).fetchall())


@pytest.mark.parametrize("score_map", [None, MAP], ids=["logistic", "knots"])
def test_duckdb_gives_the_champions_scores_in_both_forms(score_map: ScoreMap | None) -> None:
    model = model_with(score_map)
    wide, joined = scored_by(model, "wide"), scored_by(model, "joined")
    table = features().to_pandas()
    of_day = table[(table["snapshot_date"] == DAY) & (table["days_since_last_order"] <= 200)]
    assert set(wide) == set(of_day["customer_id"])
    assert wide == joined
    values = of_day["spend"].fillna(12.5).clip(0, 900)
    category = of_day["category"]
    prepared = pa.RecordBatch.from_pydict(
        {
            "customer_id": of_day["customer_id"].tolist(),
            "spend": (np.log1p(values) - 3.1) / 1.7,
            "days": (of_day["days"] - 41.3) / 19.9,
            "category__its_a": (category == "it's a \\ category").astype(float),
            "category__other": (category == "b").astype(float),
        }
    )
    expected = score_batch(model, prepared, None, [])
    given = [wide[name] for name in expected["customer_id"].to_pylist()]
    np.testing.assert_allclose(given, expected["predicted_target"], rtol=1e-5)


@pytest.mark.parametrize("form", ["wide", "joined"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_parses_and_hive_trains_first(dialect: str, form: str) -> None:
    arow = model_with(MAP)
    weights = arow.weights.append_column("covar", pa.array(np.ones(len(arow.weights)), pa.float32()))
    model = replace(arow, weights=weights, function="train_arow", options="-r 0.1")
    found = list(statements(SPEC, model, PARAMETERS, dialect, DAY, form))
    for one in found:
        (parsed,) = sqlglot.parse(one.text, read=dialect)
        assert isinstance(parsed, expressions.Create | expressions.Select)
        assert "$p" not in one.text, "values are literals"
    texts = "\n".join(one.text for one in found)
    assert ("train_arow" in texts.replace("`", "")) == (dialect == "hive")
    assert ("argmin_kld(weight, covar)" in texts) == (dialect == "hive")
    assert "200" in texts
    quoted = "'it\\'s a \\\\ category'" if dialect in ("hive", "spark") else "'it''s a \\ category'"
    assert quoted in texts


def test_other_dialects_and_values_without_a_literal_are_refused() -> None:
    with pytest.raises(ValueError, match="'mysql' is not a dialect: use one of hive, trino, spark, duckdb"):
        render_for("mysql", "warehouse/count", table=["a", "b"])
    rows = [{"feature": "a\nb", "weight": 1.0}]
    with pytest.raises(ValueError, match="cannot be written as a literal of hive"):
        render_for("hive", "predictions/linear/weights", weights=["a", "b"], rows=rows)
