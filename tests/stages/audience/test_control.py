"""Who is in the control group stays there: over re-runs, with new customers and with a changed share."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tdml_assets.declaration.audience import ControlGroup
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.audience.attributes import CATALOG
from tdml_assets.stages.audience.control import assign, control_row, keep_bands
from tdml_assets.stages.realised.lift import lift_lines, measure_lift

DAY, HORIZON = date(2026, 1, 31), 30
SPEC = WorkflowSpec.model_validate({"name": "cltv", "target": {"horizon_days": HORIZON}})
WORKFLOWS = [{"table": ("cltv", "predictions"), "session_id": "s1"}]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)


def score(warehouse: Warehouse, customers: int) -> None:
    """Predictions of customers who are numbered from 1."""
    with warehouse.write() as database:
        database.execute(Statement("create schema if not exists cltv"))
        database.execute(
            Statement(
                "create or replace table cltv.predictions as select 's1' as session_id, format('{:06d}', i) as customer_id, "
                f"i::double as predicted_target from range(1, {customers + 1}) as t(i)"
            )
        )


def assigned(warehouse: Warehouse, control: ControlGroup) -> dict[str, bool]:
    """Assign, and read who is in the group of the seed."""
    with warehouse.write() as database:
        assign(database, control, WORKFLOWS, DAY)
        text = (
            f"select customer_id as c, in_control_group as g from audience.control_groups where seed = {control.seed}"
        )
        return {row["c"]: row["g"] for row in database.rows(Statement(text))}


def test_nobody_moves_when_a_session_runs_again_customers_come_or_the_share_changes(warehouse: Warehouse) -> None:
    score(warehouse, 2_000)
    first = assigned(warehouse, ControlGroup(share=0.1))
    assert 150 < sum(first.values()) < 250
    assert assigned(warehouse, ControlGroup(share=0.1)) == first
    score(warehouse, 4_000)
    later = assigned(warehouse, ControlGroup(share=0.5))
    assert {customer: later[customer] for customer in first} == first
    came = [later[customer] for customer in later if customer not in first]
    assert (len(came), 900 < sum(came) < 1_100) == (2_000, True)
    with warehouse.read() as database:
        shares = database.rows(
            Statement("select share as s, count(*) as n from audience.control_groups group by 1 order by 1")
        )
    assert [(row["s"], row["n"]) for row in shares] == [(0.1, 2_000), (0.5, 2_000)]


def test_another_seed_draws_another_group_and_the_same_state_anew_the_same(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    score(warehouse, 500)
    first, other = (assigned(warehouse, ControlGroup(share=0.3, seed=seed)) for seed in (1, 2))
    assert first != other
    anew = Warehouse(database=str(tmp_path / "other.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    score(anew, 500)
    assert assigned(anew, ControlGroup(share=0.3)) == first


def test_groups_are_compared_once_a_horizon_after_it_has_passed(warehouse: Warehouse) -> None:
    control = ControlGroup(share=0.3)
    score(warehouse, 600)
    groups = assigned(warehouse, control)
    with warehouse.write() as database:
        kept = [
            keep_bands(database, control, [SPEC], {"cltv": "s1"}, DAY + timedelta(days=days)) for days in (0, 10, 30)
        ]
        assert [found["cltv"] for found in kept] == [600, 0, 600]
        assert keep_bands(database, control, [SPEC], {}, DAY) == {}, "its predictions are not published"
        # Treated customers spend 30 within the horizon, the others 10; later orders do not count.
        for text in (
            "create schema raw",
            "create schema features",
            "create table raw.orders (customer_id varchar, order_id varchar, ordered_on date, amount decimal(18, 4), is_return "
            "boolean, is_product boolean)",
            f"create table features.snapshots as select date '{DAY}' + {HORIZON} as snapshot_date, true as is_scoring",
        ):
            database.execute(Statement(text))
        for customer, is_control in groups.items():
            for days, amount in ((5, 10 if is_control else 30), (HORIZON, 1), (HORIZON + 1, 500)):
                values = {"c": customer, "day": DAY + timedelta(days=days), "amount": amount + int(customer) % 3}
                database.execute(
                    Statement("insert into raw.orders values ($c, '', $day, $amount, false, true)", values)
                )
        assert measure_lift(database, SPEC, control.detect) == [DAY]
        rows = database.rows(Statement("from monitoring.lift order by band <> 'all', band"))
        [line] = lift_lines(database)
    whole = rows[0]
    assert [row["band"] for row in rows] == ["all", *(f"decile {number:02d}" for number in range(1, 11))]
    assert (whole["treated"] + whole["control"], whole["is_shown"]) == (600, True)
    assert whole["control"] == sum(groups.values())
    assert whole["low"] < 20 < whole["high"]
    assert whole["difference"] == pytest.approx(20, abs=0.5)
    assert "30 days" in line["sentence"]


def test_the_catalogue_has_a_whole_row_for_the_attribute() -> None:
    assert tuple(control_row()) == CATALOG.column_names
