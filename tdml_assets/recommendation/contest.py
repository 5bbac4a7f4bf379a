"""Two recommenders on the same customers: what of the test window's purchases each failed to show.

Elsewhere: making lists, the bootstrap (``stages/evaluation/paired.py``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.recommendation.baskets import first_rows, to_baskets
from tdml_assets.recommendation.metrics import Outcome
from tdml_assets.recommendation.model import Recommender
from tdml_assets.stages.evaluation.paired import Masks, Pair

#: Ranks that count, as in the metric that the judge reads.
RANKS = 10
_MOST = 0.9

Floats = NDArray[np.float64]


def missed(outcome: Outcome) -> Floats:
    """(customers,) share of what was bought that the first ranks do not hold: 1 - recall."""
    return np.asarray(1 - outcome.bought[:, :RANKS].sum(axis=1) / outcome.truth, dtype=np.float64)


def missed_by(
    model: Recommender, history: pa.Table, truth: pa.Table, customers: pa.Array, sizes: NDArray[np.int64]
) -> Floats:
    """(customers,) the same of another model, on the same history and the same purchases.

    ``history``, ``truth``: as for :func:`~tdml_assets.recommendation.selection.observed_from`; products that the model does not
    know are not part of its baskets, and what was bought of them is missed. ``customers``: who is measured; all have a history.
    ``sizes``: (customers,) different products that each bought in the window.
    """
    known, baskets = to_baskets(history, model.products)
    lists = model.recommend(baskets.taken(_places(customers, known)))
    buyers, bought = to_baskets(truth, model.products)
    wanted = bought.taken(_places(customers, buyers))
    shown = lists.codes[:, :RANKS]
    rows = np.repeat(np.arange(len(wanted)), shown.shape[1])
    hits = wanted.holds(rows, shown.ravel()).reshape(shown.shape).sum(axis=1)
    return np.asarray(1 - hits / sizes, dtype=np.float64)


def guard_slices(history: pa.Table, customers: pa.Array) -> Masks:
    """Customers on whom a recommender may fail while the mean looks well: one product bought, and the most of them."""
    starts = first_rows(history["customer_id"].combine_chunks())
    names = history["customer_id"].take(pa.array(starts)).combine_chunks()
    products = np.diff(np.append(starts, history.num_rows))[_places(customers, names)]
    if not len(products):
        return {}
    return {"one_product": products == 1, "many_products": products >= np.quantile(products, _MOST)}


def pair_of_lists(candidate: Floats, champion: Floats, slices: Masks) -> Pair:
    """Losses of both, ready to be compared."""
    words = f"share of purchases missed by the first {RANKS} ranks {{}}"
    return Pair(f"missed_at_{RANKS}", words, candidate, champion, slices)


def _places(customers: pa.Array, among: pa.Array) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    found = pc.index_in(customers, value_set=among)
    if found.null_count:
        raise ValueError(
            f"{found.null_count} of {len(found)} customers who are measured bought nothing: rebuild the table"
        )
    return np.asarray(found.to_numpy(), dtype=np.int64)
