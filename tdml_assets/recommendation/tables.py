"""Contracts of the tables of a recommendation workflow, and rows for them.

Elsewhere: statements (``sql/recommendation/``), ranking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.recommendation.metrics import Outcome
from tdml_assets.recommendation.ranking import Lists
from tdml_assets.recommendation.selection import Measured
from tdml_assets.stages.training_table.table import TooFewRowsError

REPEAT, DISCOVER = "repeat", "discover"

_CUSTOMER = Column("customer_id", "VARCHAR", "Customer.", False)
_RANKED = (
    Column("rank", "INTEGER", "1 is the first choice.", False),
    Column("product_id", "VARCHAR", "Product.", False),
    Column(
        "score",
        "DOUBLE",
        "Higher is better, within a customer and a slot. repeat: days on which the customer bought it, plus popularity and "
        "the learner's score as weighted; discover: the learner's score.",
        False,
    ),
)


def training_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.training_table``."""
    return TableContract(
        workflow,
        "training_table",
        "One row per snapshot, part, customer and product: what had been bought, and what was bought in the window behind.",
        (
            Column("snapshot_date", "DATE", "Last day of the history.", False),
            _CUSTOMER,
            Column("product_id", "VARCHAR", "Product.", False),
            Column("purchases", "BIGINT", "Days on which the customer bought it.", False),
            Column("quantity", "DOUBLE", "Units sold; returns are not taken off.", False),
            Column("last_on", "DATE", "The last of these days.", False),
            Column(
                "split",
                "VARCHAR",
                "history: up to the snapshot; truth: in the window after it, of customers and products known by then.",
                False,
            ),
        ),
    )


def products_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.exploration``."""
    return TableContract(
        workflow,
        "exploration",
        "One row per product known at as_of, the most popular first.",
        (
            Column("product_id", "VARCHAR", "Product.", False),
            Column("place", "BIGINT", "1 is the most popular; equal ones by product_id.", False),
            Column("customers", "BIGINT", "Customers who bought it.", False),
            Column("purchases", "BIGINT", "Days on which customers bought it, over all customers.", False),
            Column("share_of_purchases", "DOUBLE", "Of all products' purchases.", False),
            Column("repeat_share", "DOUBLE", "Customers who bought it on more than one day, of those who did.", False),
            Column("last_on", "DATE", "When it was last bought.", False),
        ),
    )


def holdout_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.holdout_recommendations``."""
    return TableContract(
        workflow,
        "holdout_recommendations",
        "One row per window, list, customer and rank: what would have been shown, and whether it was bought.",
        (
            Column("snapshot_date", "DATE", "Last day of the history.", False),
            Column(
                "split",
                "VARCHAR",
                "test; train: the window choices were made on; stored: as_of, with the stored model, where nothing is known yet.",
                False,
            ),
            Column("list", "VARCHAR", "model, baseline_popular or baseline_personal.", False),
            _CUSTOMER,
            *_RANKED,
            Column("is_new", "BOOLEAN", "Whether the customer had never bought it.", False),
            Column("bought", "BOOLEAN", "Whether the customer bought it in the window; NULL where it lies ahead."),
        ),
    )


def predictions_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.predictions``."""
    return TableContract(
        workflow,
        "predictions",
        "One row per customer known at as_of and rank: what to show each customer next.",
        (
            Column("session_id", "VARCHAR", "Session that scored.", False),
            Column("as_of", "DATE", "Last day of the history.", False),
            _CUSTOMER,
            *_RANKED,
            Column("product_name", "VARCHAR", "Newest name of the product in the orders; NULL where they hold none."),
            Column("slot", "VARCHAR", f"{REPEAT}: the customer bought it before; {DISCOVER}: never.", False),
        ),
    )


def list_rows(lists: Lists, customers: pa.Array, products: pa.Array) -> pa.Table:
    """Rows of ranked products: customer_id, rank, product_id, score, is_new, slot; ranks without a product are left out.

    ``customers``: one per row of ``lists``. ``products``: by code.
    """
    row, rank = np.nonzero(lists.codes >= 0)
    new = lists.is_new[row, rank]
    return pa.table(
        {
            "customer_id": customers.take(pa.array(row)),
            "rank": pa.array((rank + 1).astype(np.int32)),
            "product_id": products.take(pa.array(lists.codes[row, rank])),
            "score": pa.array(lists.scores[row, rank]),
            "is_new": pa.array(new),
            "slot": pa.array([REPEAT, DISCOVER]).take(pa.array(new.astype(np.int8))),
        }
    )


def with_names(rows: pa.Table, names: pa.Table) -> pa.Table:
    """Rows of products with a column product_name; missing for a product without one.

    ``rows``: with product_id. ``names``: product_id, product_name; one row per product.
    """
    place = pa.compute.index_in(rows["product_id"], value_set=names["product_id"].combine_chunks())
    return rows.append_column("product_name", names["product_name"].combine_chunks().take(place))


def holdout_rows(measured: Measured, customers: pa.Array, products: pa.Array, *, day: date, split: str) -> pa.Table:
    """Rows of ``holdout_recommendations`` of one window."""
    chosen = customers.take(pa.array(measured.rows))
    parts = []
    for name, lists in measured.lists.items():
        bought = measured.outcomes[name].bought[lists.codes >= 0]
        parts.append(_of_window(list_rows(lists, chosen, products), day, split, name, pa.array(bought)))
    return pa.concat_tables(parts)


def stored_rows(lists: Lists, customers: pa.Array, products: pa.Array, *, day: date, name: str) -> pa.Table:
    """Rows of ``holdout_recommendations`` of what the stored model shows on the day it was trained."""
    rows = list_rows(lists, customers, products)
    return _of_window(rows, day, "stored", name, pa.nulls(rows.num_rows, pa.bool_()))


def _of_window(rows: pa.Table, day: date, split: str, name: str, bought: pa.Array) -> pa.Table:
    constants = {"snapshot_date": pa.scalar(day), "split": pa.scalar(split), "list": pa.scalar(name)}
    for column, value in constants.items():
        rows = rows.append_column(column, pa.repeat(value, rows.num_rows))
    return rows.append_column("bought", bought)


def outcome_from(rows: pa.Table, sizes: pa.Table, *, length: int, catalogue: int) -> Outcome:
    """Lists as they were stored, ready to be measured.

    ``rows``: as ``sql/recommendation/holdout.sql`` orders them; every customer has rank 1. ``sizes``: as
    ``sql/recommendation/truth_sizes.sql`` orders them; customers without a list are left out. ``length``: ranks of a list.
    ``catalogue``: products that could have been recommended.
    """
    rank = rows["rank"].to_numpy()
    row = np.cumsum(rank == 1) - 1
    customers = rows["customer_id"].combine_chunks().filter(pa.array(rank == 1))
    shape = (len(customers), length)
    codes = np.full(shape, -1, dtype=np.int32)
    codes[row, rank - 1] = rows["product_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    flags: dict[str, NDArray[np.bool_]] = {}
    for name in ("is_new", "bought"):
        flags[name] = np.zeros(shape, dtype=bool)
        flags[name][row, rank - 1] = rows[name].combine_chunks().to_numpy(zero_copy_only=False)
    place = pa.compute.index_in(customers, value_set=sizes["customer_id"].combine_chunks())
    truth, truth_new = (sizes[name].take(place).to_numpy().astype(np.int64) for name in ("truth", "truth_new"))
    return Outcome(codes, flags["is_new"], flags["bought"], truth, truth_new, catalogue)


def check_sizes(sizes: Sequence[Mapping[str, Any]], days: Mapping[str, date], min_rows: int) -> None:
    """Refuse windows in which too few customers bought.

    Raises ``TooFewRowsError`` naming the window, its customers, the bound and the remedy. ``sizes``: rows of snapshot_date, split,
    customers. ``days``: snapshot per window: ``validation``, ``test``.
    """
    for name, day in days.items():
        found = sum(int(row["customers"]) for row in sizes if row["snapshot_date"] == day and row["split"] == "truth")
        if found < min_rows:
            raise TooFewRowsError(
                f"{found} customers bought a known product in the {name} window after {day}, at least {min_rows} are needed "
                "(split.min_rows)",
                "give more orders or a longer history, or lengthen target.horizon_days",
            )
