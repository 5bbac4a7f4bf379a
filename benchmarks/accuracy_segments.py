"""Segments: their sizes, whether resampled customers fall into the same ones, and what they say of who buys next.

Belongs here: measures of a grouping, k-means on the customers' raw figures as the baseline. Does not: our groups, which the
pipeline makes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from benchmarks.accuracy_truth import Truth

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
REFITS = 10
_STARTS = 10
#: Segments of the baseline, as the reference names them.
RIVAL_K = 4


def scaled_rfm(truth: Truth) -> Floats:
    """(customers, 3) z-scores of log1p of recency, orders and spend."""
    spend = np.maximum(truth.total, 0.0)
    found = np.log1p(np.column_stack([truth.recency, truth.orders, spend]))
    scaled: Floats = (found - found.mean(axis=0)) / found.std(axis=0)
    return scaled


def kmeans_labels(values: Floats, k: int, seed: int) -> Labels:
    """Plain k-means."""
    labels: Labels = KMeans(k, n_init=_STARTS, random_state=seed).fit_predict(values).astype(np.int64)
    return labels


def stability(values: Floats, labels: Labels, seed: int, refits: int = REFITS) -> Floats:
    """(refits,) adjusted Rand index of ``labels`` with k-means fitted to resampled customers, over all customers."""
    k, random = len(np.unique(labels)), np.random.default_rng(seed)
    found = []
    for number in range(refits):
        drawn = random.integers(0, len(values), len(values))
        fitted = KMeans(k, n_init=_STARTS, random_state=seed + number).fit(values[drawn])
        found.append(adjusted_rand_score(labels, fitted.predict(values)))
    return np.array(found)


def shares(labels: Labels) -> Floats:
    """Share of the customers in each segment, ascending."""
    counts = np.unique(labels, return_counts=True)[1]
    ordered: Floats = np.sort(counts / len(labels))
    return ordered


def variance_explained(drawn: Floats, labels: Labels, values: Floats) -> Floats:
    """(resamples,) variance of ``values`` between segments over all their variance.

    Parameters
    ----------
    drawn : (resamples, customers) how often each was drawn; ones for the customers as they are.
    """
    member = (labels[:, None] == np.unique(labels)[None, :]).astype(np.float64)
    counts, sums = drawn @ member, drawn @ (member * values[:, None])
    total = drawn.sum(axis=1)
    mean = sums.sum(axis=1) / total
    between = (sums**2 / np.maximum(counts, 1.0)).sum(axis=1) - total * mean**2
    explained: Floats = between / (drawn @ values**2 - total * mean**2)
    return explained
