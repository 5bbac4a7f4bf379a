"""Declarations of attributes, their contracts, and publishing them into a real DuckDB file."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from tdml_assets.declaration.attributes import AttributeSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.audience.attributes import (
    AttributeDeclarationError,
    SanityLimits,
    WorkflowAttributes,
    catalog_rows,
    parent_segment_contract,
)
from tdml_assets.stages.audience.publication import PublicationRefusedError, find_scores, publish

AS_OF = date(2011, 12, 9)
CLTV = WorkflowAttributes(
    workflow="cltv",
    attributes=(
        AttributeSpec(name="cltv_predicted_spend", column="predicted_target", description="Spend expected in 90 days."),
        AttributeSpec(
            name="cltv_prediction_category",
            column="prediction_category",
            type="string",
            description="Above AVG or Below AVG",
        ),
        AttributeSpec(name="cltv_decile", column="predicted_target", kind="decile", description="Tenth, 10 = highest"),
        AttributeSpec(name="cltv_percentile", column="predicted_target", kind="percentile", description="0 to 100"),
    ),
)
CHURN = WorkflowAttributes(
    workflow="churn",
    attributes=(
        AttributeSpec(
            name="churn_probability", column="probability", grouping="Retention", description="Risk of leaving"
        ),
    ),
)
NEXT = WorkflowAttributes(
    workflow="next_best_product",
    attributes=tuple(
        AttributeSpec(
            name=f"next_product_{rank}", column="product_id", rank=rank, type="string", max_null_share=0.9,
            description=f"Product of rank {rank}",
        )
        for rank in (1, 2)
    ),
)  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"))


def predict(database: Database, workflow: str, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    contract = TableContract(
        workflow,
        "predictions",
        "",
        (
            Column("session_id", "VARCHAR", "", False),
            Column("as_of", "DATE", "", False),
            Column("customer_id", "VARCHAR", ""),
            *(Column(name, type_, "") for name, type_ in columns.items()),
        ),
        ("session_id",),
    )
    database.ensure(contract)
    names = contract.column_names
    filled = [{"session_id": "s1", "as_of": AS_OF, **row} for row in rows]
    database.insert(contract, pa.table({name: pa.array([row.get(name) for row in filled]) for name in names}))


def predict_spend(database: Database, spends: dict[str, float | None], **more: Any) -> None:
    rows = [
        {"customer_id": customer, "predicted_target": spend, "prediction_category": "Above AVG", **more}
        for customer, spend in spends.items()
    ]
    predict(database, "cltv", rows, {"predicted_target": "DOUBLE", "prediction_category": "VARCHAR"})


def published(warehouse: Warehouse, contract: TableContract) -> dict[str, dict[str, Any]]:
    with warehouse.read() as database:
        rows = database.rows(render("audience/export_attributes", table=contract.path))
    assert len({row["customer_id"] for row in rows}) == len(rows)
    return {row["customer_id"]: row for row in rows}


def test_the_contract_has_one_typed_column_per_attribute_behind_customer_and_instant() -> None:
    contract = parent_segment_contract([CLTV, NEXT])
    assert {column.name: column.type for column in contract.columns} == {
        "customer_id": "VARCHAR",
        "as_of": "DATE",
        "cltv_predicted_spend": "DOUBLE",
        "cltv_prediction_category": "VARCHAR",
        "cltv_decile": "BIGINT",
        "cltv_percentile": "BIGINT",
        "next_product_1": "VARCHAR",
        "next_product_2": "VARCHAR",
    }
    assert [column.name for column in contract.columns if not column.nullable] == ["customer_id", "as_of"]


def test_the_catalogue_says_what_a_missing_value_means() -> None:
    by_column = {row["column"]: row for row in catalog_rows([CLTV, CHURN, NEXT])}
    assert by_column["churn_probability"] == {
        "column": "churn_probability",
        "type": "number",
        "grouping": "Retention",
        "workflow": "churn",
        "description": "Risk of leaving. NULL: not scored by churn.",
        "as_of": None,
        "note": None,
        "changed_by": None,
    }
    assert by_column["cltv_decile"]["grouping"] == "cltv"
    assert by_column["next_product_2"]["description"].endswith("NULL: no recommendation of rank 2.")


@pytest.mark.parametrize(
    "name", ["ab", "1st_score", "Spend", "spend-90", "x" * 129, "spend ", "é_spend", "customer_id", "time"]
)
def test_a_name_that_breaks_the_rules_is_refused_with_workflow_and_rule(name: str) -> None:
    spec = AttributeSpec(name=name, column="x", description="x")
    with pytest.raises(
        AttributeDeclarationError, match=r"workflow cltv, attribute .*: (a name has lower case|the name is taken)"
    ):
        parent_segment_contract([WorkflowAttributes(workflow="cltv", attributes=(spec,))])


def test_the_shortest_and_the_longest_name_are_accepted() -> None:
    specs = tuple(AttributeSpec(name=name, column="x", description="x") for name in ("abc", "x" * 128, "_9a"))
    assert len(parent_segment_contract([WorkflowAttributes(workflow="w", attributes=specs)]).columns) == 5


def test_one_name_in_two_workflows_is_refused_naming_both() -> None:
    twin = WorkflowAttributes(
        workflow="churn", attributes=(AttributeSpec(name="cltv_decile", column="x", description="x"),)
    )
    with pytest.raises(
        AttributeDeclarationError, match=r"workflow churn, attribute 'cltv_decile': .*workflow cltv has it"
    ):
        parent_segment_contract([CLTV, twin])


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "decile", "type": "string"},
        {"kind": "percentile", "rank": 1},
        {"type": "string", "integer": True},
        {"rank": 0},
        {"typ": "number"},
        {"needs": "product_nam"},
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"attribute abc|rank|typ"):
        AttributeSpec.model_validate({"name": "abc", "column": "x", "description": "x", **wrong})


def test_a_decile_beside_ranked_recommendations_is_refused() -> None:
    extra = AttributeSpec(name="product_decile", column="score", kind="decile", description="x")
    mixed = WorkflowAttributes(workflow="next_best_product", attributes=(*NEXT.attributes, extra))
    with pytest.raises(AttributeDeclarationError, match=r"product_decile.*one row per customer"):
        parent_segment_contract([mixed])


def test_customers_of_every_workflow_are_published_once_with_null_where_unknown(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        predict_spend(database, {"007": 10.0, "b": 20.0, "c": 30.0})
        predict(
            database,
            "churn",
            [{"customer_id": c, "probability": p} for c, p in {"b": 0.5, "c": 0.25, "d": 0.75}.items()],
            {"probability": "DOUBLE"},
        )
        ranks = [("007", 1, "tea"), ("007", 2, "cup"), ("b", 1, "tea"), ("e", 1, "jar")]
        predict(
            database,
            "next_best_product",
            [{"customer_id": c, "rank": r, "product_id": p} for c, r, p in ranks],
            {"rank": "BIGINT", "product_id": "VARCHAR"},
        )
        workflows = [CLTV, CHURN, NEXT]
        result = publish(database, workflows, session_id="s1", as_of=AS_OF)
    rows = published(warehouse, parent_segment_contract(workflows))
    assert result.rows == 5
    assert result.attributes == 7
    assert set(rows) == {"007", "b", "c", "d", "e"}
    assert rows["d"]["cltv_decile"] is None
    assert rows["d"]["churn_probability"] == 0.75
    assert rows["007"]["churn_probability"] is None
    assert (rows["007"]["next_product_1"], rows["007"]["next_product_2"]) == ("tea", "cup")
    assert (rows["b"]["next_product_1"], rows["b"]["next_product_2"]) == ("tea", None)
    assert {row["as_of"] for row in rows.values()} == {AS_OF}


@pytest.mark.parametrize("customers", [1, 2, 3, 10, 11, 25, 100, 237])
def test_deciles_run_to_ten_and_percentiles_to_a_hundred_at_every_size(warehouse: Warehouse, customers: int) -> None:
    # Written from the largest to the smallest, so that insertion order cannot be mistaken for rank.
    spends = {f"c{index:03d}": float(index) for index in reversed(range(customers))}
    with warehouse.write() as database:
        predict_spend(database, spends)
        publish(database, [CLTV], session_id="s1", as_of=AS_OF)
    rows = published(warehouse, parent_segment_contract([CLTV]))
    for index in range(customers):
        row = rows[f"c{index:03d}"]
        assert row["cltv_decile"] == math.ceil(10 * (index + 1) / customers)
        assert row["cltv_percentile"] == (100 * index // (customers - 1) if customers > 1 else 100)
    assert rows[f"c{customers - 1:03d}"]["cltv_decile"] == 10


def test_equal_predictions_are_ranked_by_customer_whatever_the_order_of_rows(warehouse: Warehouse) -> None:
    names = [f"c{index:02d}" for index in range(20)]
    contract = parent_segment_contract([CLTV])
    ranked = []
    for session, order in (("s1", names), ("s2", names[::-1])):
        with warehouse.write() as database:
            predict_spend(database, {name: float(name in names[:10]) for name in order}, session_id=session)
            publish(database, [CLTV], session_id=session, as_of=AS_OF)
        ranked.append({name: row["cltv_decile"] for name, row in published(warehouse, contract).items()})
    assert ranked[0] == ranked[1]
    assert ranked[0]["c10"] == 1
    assert ranked[0]["c19"] == 5
    assert ranked[0]["c00"] == 6
    assert ranked[0]["c09"] == 10


def test_customers_without_a_prediction_have_no_rank_and_do_not_shift_the_others(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        predict_spend(database, {"a": None, "b": 1.0, "c": 2.0, "d": None, "e": 3.0})
        publish(database, [CLTV], session_id="s1", as_of=AS_OF)
    rows = published(warehouse, parent_segment_contract([CLTV]))
    assert {name: row["cltv_percentile"] for name, row in rows.items()} == {
        "a": None,
        "b": 0,
        "c": 50,
        "d": None,
        "e": 100,
    }
    assert rows["a"]["cltv_decile"] is None
    assert rows["e"]["cltv_decile"] == 10


def test_another_workflow_keeps_its_latest_scores_up_to_the_instant(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        predict_spend(database, {"a": 1.0, "b": 2.0}, session_id="new")
        for session, day, probability in (
            ("old", date(2011, 11, 1), 0.1),
            ("first", date(2011, 12, 1), 0.2),
            ("again", date(2011, 12, 1), 0.3),
            ("later", date(2011, 12, 20), 0.4),
        ):
            rows = [
                {"customer_id": name, "probability": probability + step, "session_id": session, "as_of": day}
                for step, name in enumerate("ab")
            ]
            predict(database, "churn", rows, {"probability": "DOUBLE"})
        result = publish(database, [CLTV, CHURN], session_id="new", as_of=AS_OF)
    assert {score.workflow: score.session_id for score in result.scores} == {"cltv": "new", "churn": "again"}
    assert result.evidence["ages_days"] == {"cltv": 0, "churn": 8}


def test_republishing_a_session_changes_nothing_and_a_new_one_replaces_the_old(warehouse: Warehouse) -> None:
    contract = parent_segment_contract([CLTV])
    with warehouse.write() as database:
        predict_spend(database, {"a": 1.0, "b": 2.0})
        publish(database, [CLTV], session_id="s1", as_of=AS_OF)
    first = published(warehouse, contract)
    with warehouse.write() as database:
        publish(database, [CLTV], session_id="s1", as_of=AS_OF)
    assert published(warehouse, contract) == first
    with warehouse.write() as database:
        predict_spend(database, {"a": 5.0, "z": 2.0}, session_id="s2", as_of=date(2012, 1, 1))
        publish(database, [CLTV], session_id="s2", as_of=date(2012, 1, 1))
    assert set(published(warehouse, contract)) == {"a", "z"}


BROKEN: dict[str, tuple[list[tuple[str | None, float | None]], str]] = {
    "no rows at all": ([("a", None), ("b", None)], "no value for any customer"),
    "a customer twice": ([("a", 1.0), ("a", 2.0)], "2 rows hold 1 different customers"),
    "a row without a customer": ([("a", 1.0), ("b", 2.0), (None, 2.0)], "1 rows have no customer_id"),
    "not a number": (
        [("a", math.nan), ("b", 2.0)],
        r"cltv_predicted_spend \(cltv\) is NaN or infinite for 1 customers",
    ),
    "infinite": ([("a", math.inf), ("b", 2.0)], "NaN or infinite for 1"),
    "all equal": ([("a", 3.0), ("b", 3.0)], "same for every customer"),
    "mostly missing": (
        [("a", 1.0), ("b", 2.0), ("c", None), ("d", None), ("e", None)],
        "no value for 60.0% of the customers",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_attributes_are_refused_and_the_old_tables_stay(warehouse: Warehouse, case: str) -> None:
    spends, message = BROKEN[case]
    contract = parent_segment_contract([CLTV])
    with warehouse.write() as database:
        predict_spend(database, {"old": 1.0, "older": 2.0}, session_id="s0")
        publish(database, [CLTV], session_id="s0", as_of=AS_OF)
    with warehouse.write() as database:
        columns = {"predicted_target": "DOUBLE", "prediction_category": "VARCHAR"}
        rows = [{"customer_id": c, "predicted_target": s, "prediction_category": "x"} for c, s in spends]
        predict(database, "cltv", rows, columns)
    with pytest.raises(PublicationRefusedError, match=message), warehouse.write() as database:
        publish(database, [CLTV], session_id="s1", as_of=AS_OF)
    assert set(published(warehouse, contract)) == {"old", "older"}


def test_a_number_that_may_be_alike_for_everybody_is_published(warehouse: Warehouse) -> None:
    (first, *rest) = CLTV.attributes
    alike = CLTV.model_copy(update={"attributes": (first.model_copy(update={"may_be_constant": True}), *rest)})
    with warehouse.write() as database:
        predict_spend(database, {"a": 3.0, "b": 3.0})
        publish(database, [alike], session_id="s1", as_of=AS_OF)
    assert set(published(warehouse, parent_segment_contract([alike]))) == {"a", "b"}


def test_sane_attributes_are_published_with_evidence_and_others_refused_without_writing(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        predict_spend(database, {"a": 1.0, "b": 2.0, "c": None})
        with pytest.raises(
            PublicationRefusedError, match="stay: 3 customers were scored, 4 are known at this instant$"
        ):
            publish(database, [CLTV], session_id="s1", as_of=AS_OF, expected_customers=4)
        strict = SanityLimits(max_null_share=0.3)
        with pytest.raises(PublicationRefusedError, match=r"83 days old, at most 31.*; .*33\.3% .*, at most 30\.0%"):
            publish(database, [CLTV], session_id="s1", as_of=date(2012, 3, 1), limits=strict)
        assert not database.has_table(("audience", "parent_segment_attributes"))
        evidence = publish(database, [CLTV], session_id="s1", as_of=AS_OF, expected_customers=3).evidence
    assert evidence["rows"] == evidence["population"] == 3
    assert evidence["null_shares"]["cltv_predicted_spend"] == pytest.approx(1 / 3)


def test_an_attribute_that_everybody_may_lack_is_published_empty(warehouse: Warehouse) -> None:
    optional = CLTV.attributes[0].model_copy(
        update={"name": "cltv_remark", "column": "remark", "type": "string", "max_null_share": 1.0}
    )
    workflow = CLTV.model_copy(update={"attributes": (CLTV.attributes[0], optional)})
    columns = {"predicted_target": "DOUBLE", "remark": "VARCHAR"}
    with warehouse.write() as database:
        predict(
            database, "cltv", [{"customer_id": c, "predicted_target": s} for c, s in (("a", 1.0), ("b", 2.0))], columns
        )
        publish(database, [workflow], session_id="s1", as_of=AS_OF)
    assert {row["cltv_remark"] for row in published(warehouse, parent_segment_contract([workflow])).values()} == {None}


def test_a_workflow_without_predictions_or_without_the_column_is_named(warehouse: Warehouse) -> None:
    wrong = WorkflowAttributes(
        workflow="cltv", attributes=(AttributeSpec(name="abc", column="spend", description="x"),)
    )
    with warehouse.write() as database:
        predict_spend(database, {"a": 1.0})
    with warehouse.read() as database:
        with pytest.raises(AttributeDeclarationError, match=r"workflow churn has no table churn\.predictions"):
            find_scores(database, [CLTV, CHURN], session_id="s1", as_of=AS_OF)
        with pytest.raises(
            AttributeDeclarationError, match=r"'abc': cltv.predictions has no column 'spend', it has session_id"
        ):
            find_scores(database, [wrong], session_id="s1", as_of=AS_OF)
        with pytest.raises(AttributeDeclarationError, match="no predictions up to 2001"):
            find_scores(database, [CLTV], session_id="other", as_of=date(2001, 1, 1))


def test_who_is_not_eligible_counts_against_no_limit_of_missing_values(warehouse: Warehouse) -> None:
    churn = CHURN.model_copy(update={"eligible": "ordered in the last 730 days"})
    with warehouse.write() as database:
        predict_spend(database, {f"c{number:03d}": float(number) for number in range(100)})
        some = [{"customer_id": f"c{number:03d}", "probability": number / 100} for number in range(30)]
        predict(database, "churn", some, {"probability": "DOUBLE"})
        limits = SanityLimits(max_null_share=0.2)
        spend = CLTV.model_copy(update={"attributes": CLTV.attributes[:1]})

        def withheld(eligible: dict[str, int]) -> dict[str, str]:
            known = {"expected_customers": 100, "eligible": eligible}
            done = publish(database, [spend, churn], session_id="s1", as_of=AS_OF, limits=limits, **known)
            assert done.rows == 100
            return dict(done.withheld)

        assert withheld({"cltv": 100, "churn": 30}) == {}
        (why,) = withheld({"cltv": 100, "churn": 60}).values()
        assert why.startswith("churn_probability (churn) has no value for 50.0% of")
    (described,) = [one["description"] for one in catalog_rows([churn])]
    assert described.endswith("NULL: not scored by churn, which scores customers who ordered in the last 730 days.")


NEW = WorkflowAttributes(
    workflow="next_best_product",
    attributes=(
        *(
            AttributeSpec(name=f"next_{rank}", column="product_id", rank=rank, type="string", description="x")
            for rank in (1, 2)
        ),
        AttributeSpec(
            name="next_new", column="product_id", rank=11, never_bought=True, type="string", description="New product."
        ),
    ),
)


def recommend(database: Database, bought: dict[str, int], products: int, ranks: int | None = None) -> None:
    """Lists of ``products``, as many of them bought as ``bought`` says per customer."""
    rows = [
        {
            "customer_id": customer,
            "rank": rank,
            "product_id": f"p{rank}" if ranks is None else f"p{(number + rank) % products}",
            "slot": "repeat" if rank <= count else "discover",
        }
        for number, (customer, count) in enumerate(bought.items())
        for rank in range(1, (ranks or products) + 1)
    ]
    predict(database, NEW.workflow, rows, {"rank": "INTEGER", "product_id": "VARCHAR", "slot": "VARCHAR"})


@pytest.mark.parametrize(
    ("products", "bought", "new", "second"),
    [
        (3, {"a": 3, "b": 3}, {"a": None, "b": None}, "p2"),
        (3, {"a": 3, "b": 1, "c": 3}, {"a": None, "b": "p2", "c": None}, "p2"),
        (1, {"a": 1, "b": 1}, {"a": None, "b": None}, None),
        (12, {"a": 12, "b": 10, "c": 1}, {"a": None, "b": "p11", "c": "p11"}, "p2"),
    ],
)
def test_a_shop_of_few_products_publishes_what_there_is_to_recommend(
    warehouse: Warehouse, products: int, bought: dict[str, int], new: dict[str, str | None], second: str | None
) -> None:
    with warehouse.write() as database:
        recommend(database, bought, products)
        done = publish(database, [NEW], session_id="s1", as_of=AS_OF)
    assert done.withheld == {}
    rows = published(warehouse, parent_segment_contract([NEW]))
    assert {customer: row["next_new"] for customer, row in rows.items()} == new
    assert {row["next_1"] for row in rows.values()} == {"p1"}
    assert {row["next_2"] for row in rows.values()} == {second}


def test_lists_without_a_new_product_are_refused_where_there_are_products_left(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        recommend(database, {"a": 4, "b": 4}, products=30, ranks=4)
        with pytest.raises(PublicationRefusedError, match="next_new .* has no value for any customer"):
            publish(database, [NEW], session_id="s1", as_of=AS_OF)


def test_a_product_never_bought_needs_a_rank_and_its_catalogue_says_when_there_is_none() -> None:
    with pytest.raises(ValidationError, match="never_bought chooses among ranks: add rank"):
        AttributeSpec(name="next_new", column="product_id", never_bought=True, type="string", description="x")
    assert catalog_rows([NEW])[2]["description"] == "New product. NULL: bought every product already."


def test_a_workflow_that_was_never_scored_waits_and_alone_is_refused(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        predict_spend(database, {"a": 1.0, "b": 2.0})
        done = publish(database, [CLTV, CHURN], session_id="s1", as_of=AS_OF)
        assert (done.rows, done.withheld) == (2, {"churn": "it was never scored: run it too"})
        with pytest.raises(PublicationRefusedError, match="no workflow has new scores.*churn: it was never scored"):
            publish(database, [CHURN], session_id="s1", as_of=AS_OF)
    assert set(published(warehouse, parent_segment_contract([CLTV, CHURN]))) == {"a", "b"}
