"""Scorers of items: from weighted baskets to a score for every product, learnt from what is bought together.

Elsewhere: what is done with the scores (``recommendation/ranking.py``), the choice among them
(``recommendation/selection.py``).

Every scorer is a model of items only: a customer is the basket that is handed over, so nobody's row is stored and a customer
who came yesterday is scored like any other. Fits run on one thread: with several, sums of floats differ from run to run and
an equal session would store another model.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.platform.extras import load_extra

if TYPE_CHECKING:
    from scipy import sparse


ITEM_FILE = "items.parquet"
_COLUMNS_AT_ONCE = 512


class Scorer(Protocol):
    """Scores the first ``columns`` products of the catalogue."""

    @property
    def columns(self) -> int:
        """Products it knows."""

    def score(self, baskets: sparse.csr_matrix) -> NDArray[np.float32]:
        """(customers, columns) scores; higher is better, 0 for an empty basket."""

    def files(self) -> dict[str, bytes]:
        """Parquet bytes per file name."""


@dataclass(frozen=True)
class ItemWeights:
    """A score is the sum over the basket of what each product says for another.

    ``weights``: (columns, columns) float32; row: bought, column: scored.
    """

    weights: sparse.csr_matrix

    @property
    def columns(self) -> int:
        """Products it knows."""
        return int(self.weights.shape[0])

    def score(self, baskets: sparse.csr_matrix) -> NDArray[np.float32]:
        """(customers, columns) scores."""
        scores: NDArray[np.float32] = (baskets.astype(np.float32) @ self.weights).toarray()
        return scores

    def files(self) -> dict[str, bytes]:
        """One row per weight that is not 0."""
        found = self.weights.tocoo()
        columns = {
            "bought": pa.array(found.row.astype(np.int32)),
            "scored": pa.array(found.col.astype(np.int32)),
            "weight": pa.array(found.data.astype(np.float32)),
        }
        return {ITEM_FILE: _parquet(pa.table(columns))}


@dataclass(frozen=True)
class ItemFactors:
    """A score is the product of an item's factors with those of the customer, found from the basket.

    ``factors``: (columns, length) float32. ``regularization``, ``alpha``: of the least squares, as in the fit.
    """

    factors: NDArray[np.float32]
    regularization: float
    alpha: float

    @property
    def columns(self) -> int:
        """Products it knows."""
        return len(self.factors)

    def score(self, baskets: sparse.csr_matrix) -> NDArray[np.float32]:
        """(customers, columns) scores. Hu, Koren and Volinsky 2008, equation 4, with confidence 1 + alpha x weight."""
        items = self.factors.astype(np.float64)
        base = items.T @ items + self.regularization * np.eye(items.shape[1])
        users = np.zeros((baskets.shape[0], items.shape[1]))
        for row in range(baskets.shape[0]):
            place = slice(baskets.indptr[row], baskets.indptr[row + 1])
            bought, extra = items[baskets.indices[place]], self.alpha * baskets.data[place]
            matrix = base + (bought * extra[:, None]).T @ bought
            users[row] = np.linalg.solve(matrix, bought.T @ (1.0 + extra))
        return (users @ items.T).astype(np.float32)

    def files(self) -> dict[str, bytes]:
        """One row per product, one column per factor."""
        columns = {f"factor_{place}": pa.array(values) for place, values in enumerate(self.factors.T)}
        return {ITEM_FILE: _parquet(pa.table(columns))}


def fit_scorer(name: str, baskets: sparse.csr_matrix, parameters: Mapping[str, Any], seed: int) -> Scorer:
    """Learn a scorer. Raises ``ValueError`` if there is no learner of that name, or nothing was bought.

    ``name``: ``item_knn``, ``ease`` or ``als``. ``baskets``: (customers, columns) weights 0..1. ``parameters``: ``neighbours``
    (item_knn, ease), ``penalty`` (ease), ``factors``, ``iterations``, ``regularization``, ``alpha`` (als). ``seed``: of als.
    """
    from threadpoolctl import threadpool_limits

    if baskets.nnz == 0:
        raise ValueError(
            "no basket holds a product that is scored: give more orders, or raise recommendation.max_items"
        )
    with threadpool_limits(limits=1):
        if name == "item_knn":
            return _fit_cosine(baskets, int(parameters["neighbours"]))
        if name == "ease":
            return _fit_ease(baskets, float(parameters["penalty"]), int(parameters["neighbours"]))
        if name == "als":
            return _fit_als(baskets, parameters, seed)
    raise ValueError(f"there is no learner {name!r}: use item_knn, ease or als")


def load_scorer(name: str, columns: int, parameters: Mapping[str, Any], files: Mapping[str, bytes]) -> Scorer:
    """Bring back a scorer from the verified bytes of its files."""
    import pyarrow.parquet as pq
    from scipy import sparse

    table = pq.read_table(io.BytesIO(files[ITEM_FILE]))
    if name == "als":
        factors = np.column_stack([column.to_numpy() for column in table.columns]).astype(np.float32)
        if not np.isfinite(factors).all():
            raise ValueError(f"{ITEM_FILE} holds factors that are not finite")
        return ItemFactors(factors, float(parameters["regularization"]), float(parameters["alpha"]))
    places = (table["bought"].to_numpy(), table["scored"].to_numpy())
    # Sparse products use positions without a test of their range.
    if any(((place < 0) | (place >= columns)).any() for place in places) or not np.isfinite(table["weight"]).all():
        raise ValueError(f"{ITEM_FILE} holds weights of products that are not there, or that are not finite")
    return ItemWeights(sparse.csr_matrix((table["weight"].to_numpy(), places), shape=(columns, columns)))


def bytes_needed(columns: int, customers: int, entries: int, factors: int) -> int:
    """Memory of the hungriest fit: two dense matrices of products and one in work, the baskets twice, the factors twice."""
    return 3 * 8 * columns**2 + 2 * 16 * entries + 2 * 4 * factors * (columns + customers)


def _fit_cosine(baskets: sparse.csr_matrix, neighbours: int) -> ItemWeights:
    together = (baskets.T @ baskets).toarray()
    length = np.sqrt(np.diagonal(together))
    length = np.where(length > 0, length, 1.0)
    together /= length[:, None]
    together /= length[None, :]
    np.fill_diagonal(together, 0.0)
    return ItemWeights(_strongest(together, neighbours))


def _fit_ease(baskets: sparse.csr_matrix, penalty: float, neighbours: int) -> ItemWeights:
    """Steck 2019, "Embarrassingly Shallow Autoencoders", equation 8; by Cholesky, as the matrix is positive definite.

    Only the strongest weights of a product are kept. It makes scoring sparse, and did not cost accuracy on real logs.
    """
    from scipy.linalg.lapack import dpotrf, dpotri

    gram = (baskets.T @ baskets).toarray(order="F")
    gram[np.diag_indices_from(gram)] += penalty
    factor, failed = dpotrf(gram, lower=1, overwrite_a=1)
    inverse, failed_too = dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise ValueError(f"EASE cannot invert the products' matrix with a penalty of {penalty:g}: raise ease_lambdas")
    # Only the lower half is filled.
    diagonal = np.diagonal(inverse).copy()
    weights = np.tril(inverse, -1)
    weights += weights.T
    weights /= -diagonal[None, :]
    return ItemWeights(_strongest(weights, neighbours))


def _strongest(weights: NDArray[np.float64], neighbours: int) -> sparse.csr_matrix:
    """Keep the ``neighbours`` largest weights of every column by size."""
    from scipy import sparse

    bought, scored = [], []
    keep = min(neighbours, len(weights))
    for begin in range(0, weights.shape[1], _COLUMNS_AT_ONCE):
        size = np.abs(weights[:, begin : begin + _COLUMNS_AT_ONCE].T)
        bought.append(np.argpartition(size, len(weights) - keep, axis=1)[:, len(weights) - keep :].ravel())
        scored.append(np.repeat(np.arange(begin, begin + len(size)), keep))
    places = (np.concatenate(bought), np.concatenate(scored))
    values = weights[places].astype(np.float32)
    found = sparse.csr_matrix((values, places), shape=weights.shape)
    found.eliminate_zeros()
    found.sort_indices()
    return found


def _fit_als(baskets: sparse.csr_matrix, parameters: Mapping[str, Any], seed: int) -> ItemFactors:
    # Half a second to import, which only those who train spend.
    als = load_extra("implicit.als", "recommend", "Training a recommendation by matrix factorisation")
    model = als.AlternatingLeastSquares(
        # No more factors than the matrix can have.
        factors=min(int(parameters["factors"]), *baskets.shape),
        regularization=float(parameters["regularization"]),
        alpha=1.0,
        iterations=int(parameters["iterations"]),
        num_threads=1,
        random_state=seed,
        use_gpu=False,
    )
    confidence = baskets.astype(np.float32).tocsr()
    confidence.data = 1.0 + np.float32(parameters["alpha"]) * confidence.data
    model.fit(confidence, show_progress=False)
    factors = np.asarray(model.item_factors, dtype=np.float32)
    return ItemFactors(factors, float(parameters["regularization"]), float(parameters["alpha"]))


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
