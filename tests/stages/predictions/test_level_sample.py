"""The level of a champion's scores where its training table has many rows: the same, from a share of the customers."""

from datetime import timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.level import Snapshot
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import TIER1, ModelSpec, table_source
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement
from tdml_assets.stages.predictions import level
from tdml_assets.stages.predictions.level import find_workflow_level
from tdml_assets.stages.preparation.parameters import NumericColumn, Parameters
from tests.stages.predictions.test_level import DAY, FEATURES, customers, database

__all__ = ["database"]
THEN = DAY - timedelta(days=120)
SPEC = WorkflowSpec(name="cltv")
PARAMETERS = Parameters(
    tuple(NumericColumn(name, 0.0, None, None, 0.0, 1.0, False) for name in HISTORY), (), "clip", {}
)


def training_table(database, columns):
    """Everybody's history as it was 120 days ago, and 90 of spend for every second customer."""
    database.execute(
        Statement(
            f"insert into features.customer_features select date '{THEN}', customer_id, repeat_purchase_days // 2, "
            "recency_days // 2, tenure_days - 120, avg_repeat_day_value from features.customer_features"
        )
    )
    contract = TableContract(
        "cltv",
        "training_table",
        "",
        (*(FEATURES.columns if columns else FEATURES.columns[:2]), Column("target", "DOUBLE", "")),
    )
    names = ", ".join(column.name for column in contract.columns[:-1])
    rows = (
        f"select {names}, case when customer_id[-1]::int % 2 = 0 then 90.0 else 0.0 end as target "
        f"from features.customer_features where snapshot_date = date '{THEN}' and tenure_days >= recency_days"
    )
    return database.replace(contract, Statement(rows))


@pytest.mark.parametrize("columns", [True, False], ids=["with features", "keys alone"])
def test_of_many_labelled_rows_a_share_is_compared_and_the_level_stays(database, monkeypatch, columns):
    floats = pa.schema([(name, pa.float32()) for name in HISTORY])
    histories = customers(database).select(list(HISTORY)).cast(floats)
    source = table_source(histories.append_column("target", histories[HISTORY[0]]), "target")
    spec = ModelSpec("pareto_nbd_gamma_gamma", horizon_days=90)
    model = PythonEngine().fit(source, source, spec, TIER1)
    manifest = SimpleNamespace(workflow="cltv", files=[])
    champion = SimpleNamespace(model=model, parameters=PARAMETERS, manifest=manifest)
    labelled = training_table(database, columns)
    given = Snapshot(DAY, 150, 9_000.0, 9_000.0, 0.0, 0.0)
    found = {}
    for most in (labelled, labelled - 1, 90):
        monkeypatch.setattr(level, "MANY_ROWS", most)
        database.execute(Statement("drop table if exists cltv.level_snapshots"))
        found[most] = [find_workflow_level(database, SPEC, champion, "amount", given) for _ in range(2)]
    whole, nearly, share = (found[most][0] for most in found)
    assert [one.customers for one in whole.snapshots] == [labelled]
    assert labelled - 10 <= nearly.snapshots[0].customers <= labelled
    assert 60 < share.snapshots[0].customers < 120
    assert [again for _, again in found.values()] == [first for first, _ in found.values()]
    # Past windows say the gap; labelled rows say how far to trust it.
    assert nearly.level.gap == share.level.gap == whole.level.gap
    assert share.level.deviation == pytest.approx(whole.level.deviation, rel=0.2)
