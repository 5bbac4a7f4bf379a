"""Names of segments: what sets a group apart, once each, and kept with the number."""

from datetime import date
from pathlib import Path
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.tasks import task_of
from tdml_assets.tasks.parts.clustering import name_segments, names_contract


def group(number: int, frequency: float | None, silence: float | None, spend: float | None) -> dict[str, Any]:
    return {"cluster": number, "frequency": frequency, "silence": silence, "spend": spend}


def test_a_group_is_named_by_what_sets_its_customers_apart() -> None:
    found = name_segments([group(1, 1.2, -0.9, 1.1), group(2, -0.8, 0.7, 0.1), group(3, 0.1, None, -0.2)], {})
    assert found == {1: "frequent, recent, high spend", 2: "infrequent, lapsed", 3: "average"}


def test_groups_alike_have_different_names() -> None:
    found = name_segments([group(2, 1.0, 0.0, 0.0), group(1, 0.9, 0.1, 0.0)], {})
    assert found == {1: "frequent", 2: "frequent (2)"}


def test_a_number_keeps_its_name_and_a_name_once_given_is_not_given_again() -> None:
    found = name_segments([group(1, -0.3, 0.0, 0.0), group(4, 1.0, 0.0, 0.0)], {1: "average", 2: "frequent"})
    assert found == {1: "average", 2: "frequent", 4: "frequent (4)"}


def test_groups_of_the_warehouse_are_named_and_published_with_their_number(tmp_path: Path) -> None:
    spec, day = WorkflowSpec(name="segments", task="clustering"), date(2026, 6, 30)
    scores = TableContract(
        "segments", "scores", "", (Column("customer_id", "VARCHAR", ""), Column("predicted_target", "DOUBLE", ""))
    )
    figures = ("total_orders", "days_since_last_order", "total_spend")
    features = TableContract(
        "features",
        "customer_features",
        "",
        (
            Column("snapshot_date", "DATE", ""),
            Column("customer_id", "VARCHAR", ""),
            *(Column(name, "DOUBLE", "") for name in figures),
        ),
    )
    like = {1: (20, 5, 900), 2: (1, 400, 20)}
    customers = [(f"c{number}", 1 + number % 2) for number in range(20)]
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "t"))
    with warehouse.write() as database:
        database.replace(scores, [{"customer_id": name, "predicted_target": group} for name, group in customers])
        rows = [
            {"snapshot_date": day, "customer_id": name, **dict(zip(figures, like[group], strict=True))}
            for name, group in customers
        ]
        database.replace(features, rows)
        database.ensure(names_contract("segments"))
        database.insert(names_contract("segments"), [{"cluster": 2, "segment_name": "sleepers"}])
        task = task_of(spec)
        task.name_groups(database, spec, day, scores.path)
        context = {"scores": scores.path, "session_id": "s", "as_of": day, "snapshot_date": day, "reasons": []}
        database.replace(task.predictions_contract(spec), task.publish(spec, **context))
        found = database.rows(
            Statement("select cluster, segment_name, count(*) as n from segments.predictions group by all order by 1")
        )
        groups = database.rows(render("clustering/groups", table=["segments", "predictions"], session_id="s"))
    assert [tuple(row.values()) for row in found] == [(1, "frequent, recent, high spend", 10), (2, "sleepers", 10)]
    assert [row["segment_name"] for row in groups] == ["frequent, recent, high spend", "sleepers"]
