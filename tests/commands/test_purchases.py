"""Units per order line: a trial load, which builds no staging model, counts what ``stg_orders`` counts."""

from itertools import product

import duckdb
import jinja2

from tdml_assets.platform.project_files import project_file
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import ORDERS

_LINES = [
    {"quantity": quantity, "amount": amount, "is_return": is_return, "is_product": is_product}
    for quantity, amount, is_return, is_product in product(
        (None, 0, 1, 2.5, -3), (-7.5, 0, 4), (False, True), (False, True)
    )
]


def test_a_trial_load_counts_the_units_of_the_staging_model():
    with duckdb.connect(":memory:") as connection:
        connection.execute("create schema raw")
        connection.execute(render("warehouse/create_table", contract=ORDERS, replace=False).text)
        for place, line in enumerate(_LINES):
            connection.execute(
                "insert into raw.orders by name select ? as customer_id, timestamp '2026-01-05' as ordered_at, "
                "date '2026-01-05' as ordered_on, ? as quantity, ? as amount, ? as is_return, ? as is_product, "
                "'orders' as source, 'a.csv' as file, ? as row_number",
                [f"c{place:02}", *line.values(), place + 1],
            )
        text = (project_file("dbt_project") / "macros" / "staging.sql").read_text(encoding="utf-8")
        macros = jinja2.Environment(autoescape=False).from_string(text).make_module()
        staged = macros.staged_orders("raw.orders", [])
        trial = render("check/purchases", orders=ORDERS.path).text
        expected, found = (
            connection.execute(f"select customer_id, ordered_on, units::double from ({text}) order by 1").fetchall()
            for text in (staged, trial)
        )
    assert found == expected
    assert len(found) == len(_LINES)
    assert {units for _, _, units in found} == {-3.0, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0}
