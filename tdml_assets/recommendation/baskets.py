"""Baskets: what customers bought, as integer codes in compressed rows.

Elsewhere: SQL (``sql/recommendation/``), ranking.

A product's code is its place in the catalogue, which is ordered by popularity and then by ``product_id``: of two products,
the one with the lower code is the more popular.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True)
class Baskets:
    """What every customer of a batch bought.

    ``starts``: (customers + 1,) int64; row i holds the entries ``starts[i]`` to ``starts[i + 1]``. ``codes``: (entries,) int32
    products, ascending within a customer. ``purchases``: (entries,) float64, days on which the customer bought the product.
    ``ages``: (entries,) float64, days since the last of them. ``products``: products of the catalogue.
    """

    starts: NDArray[np.int64]
    codes: NDArray[np.int32]
    purchases: NDArray[np.float64]
    ages: NDArray[np.float64]
    products: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """(entries,) the customer's place of every entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @property
    def keys(self) -> NDArray[np.int64]:
        """(entries,) ascending numbers, one for each pair of customer and product."""
        return self.rows * self.products + self.codes

    def holds(self, rows: NDArray[np.int64], codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether customer ``rows[i]`` has product ``codes[i]``; a code of -1 is nobody's."""
        wanted = rows * self.products + codes
        keys = self.keys
        if not len(keys):
            return np.zeros(wanted.shape, dtype=bool)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found: NDArray[np.bool_] = (keys[places] == wanted) & (codes >= 0)
        return found

    def taken(self, rows: NDArray[np.int64]) -> Baskets:
        """Only these customers, in this order."""
        lengths = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        return Baskets(starts, self.codes[places], self.purchases[places], self.ages[places], self.products)

    def aligned(self, places: pa.Array) -> Baskets:
        """Baskets in another order, an empty one for every NULL of ``places``."""
        import pyarrow.compute as pc

        found = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
        lengths = np.where(found >= 0, np.append(np.diff(self.starts), 0)[found], 0)
        chosen = self.taken(found[found >= 0].astype(np.int64))
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Baskets(starts, chosen.codes, chosen.purchases, chosen.ages, self.products)

    def relative_ages(self) -> NDArray[np.float64]:
        """(entries,) days between a product's last purchase and the customer's latest one.

        A customer who has been away is then shown the same products as on the day of leaving.
        """
        lengths = np.diff(self.starts)
        latest = np.zeros(len(self))
        filled = lengths > 0
        if filled.any():
            latest[filled] = np.minimum.reduceat(self.ages, self.starts[:-1][filled])
        return self.ages - np.repeat(latest, lengths)

    def weights(self, half_life_days: float, columns: int, *, relative: bool) -> sparse.csr_matrix:
        """(customers, columns) weights 0..1 by age, of the first ``columns`` products of the catalogue.

        ``half_life_days``: age at which a purchase counts half; 0: all count 1. ``relative``: age against the customer's latest
        purchase (for scoring) or against the snapshot (for learning).
        """
        values = aged(self.relative_ages() if relative else self.ages, half_life_days)
        shape = (len(self), self.products)
        from scipy import sparse

        return sparse.csr_matrix((values, self.codes, self.starts), shape=shape)[:, :columns].tocsr()


def aged(ages: NDArray[np.float64], half_life_days: float) -> NDArray[np.float64]:
    """Weights of purchases of these ages, 1 for a half-life of 0."""
    return np.exp2(-ages / half_life_days) if half_life_days > 0 else np.ones_like(ages)


def to_baskets(table: pa.Table, products: pa.Array) -> tuple[pa.Array, Baskets]:
    """Turn rows into baskets. Returns the customers, in the order of the rows, and their baskets.

    ``table``: customer_id, product_id (NULL for a customer without any), purchases, age_days; all rows of a customer follow one
    another. Products that are not in the catalogue are left out, their customers are not. ``products``: the catalogue, in the
    order of the codes.
    """
    import pyarrow.compute as pc

    customer = _one(table["customer_id"])
    starts = first_rows(customer)
    customers = customer.take(pa.array(starts))
    code = pc.fill_null(pc.index_in(_one(table["product_id"]), value_set=products), -1).to_numpy(zero_copy_only=False)
    known = code >= 0
    rows = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(customer))))[known]
    code = code[known].astype(np.int32)
    order = np.lexsort((code, rows))
    numbers = [
        pc.fill_null(_one(table[name]).cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)[known][order]
        if name in table.column_names
        else np.zeros(len(code))
        for name in ("purchases", "age_days")
    ]
    counts = np.bincount(rows, minlength=len(starts))
    edges = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return customers, Baskets(edges, code[order], numbers[0], numbers[1], len(products))


def first_rows(customer: pa.Array) -> NDArray[np.int64]:
    """Places at which another customer begins."""
    import pyarrow.compute as pc

    if len(customer) == 0:
        return np.zeros(0, dtype=np.int64)
    changes = pc.not_equal(customer[1:], customer[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.flatnonzero(changes) + 1]).astype(np.int64)


def whole_customers(batches: Iterable[pa.RecordBatch], customers: int) -> Iterator[pa.Table]:
    """Cut a stream of rows, ordered by customer, into tables of at most ``customers`` whole customers."""
    held: list[Any] = []
    for batch in batches:
        held.append(batch)
        table = pa.Table.from_batches(held)
        starts = first_rows(_one(table["customer_id"]))
        # The last customer may go on in the next batch.
        places = starts[: max(0, len(starts) - 1) : customers]
        begin = 0
        for end in [*places[1:], starts[-1]] if len(starts) > 1 else []:
            yield table.slice(begin, int(end) - begin)
            begin = int(end)
        held = table.slice(begin).combine_chunks().to_batches()
    if held and sum(part.num_rows for part in held):
        yield pa.Table.from_batches(held)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
