"""K-means and what its result is worth: shape, sizes, whether other customers would have given the same segments.

Elsewhere: the learner and its files (``engines/kmeans.py``), settings (``declaration/clustering.py``), means in real units
(``cluster_profile.py``).

Rows are put in one order before anything is drawn from them, and fits run on one thread: the same customers give the same
segments, to the last bit, in whatever order they arrive. Silhouettes are reported and decide nothing: unscaled spend has
a silhouette of .97 by parting a handful of wholesalers from the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

#: Rows a silhouette is measured on: its cost grows with their square.
SILHOUETTE_ROWS = 5_000
#: Rows stability is measured on: on fewer than some 20,000 resamples of small segments differ by chance.
STABILITY_ROWS = 25_000
#: Starts of a refit to resampled rows. With 3, refits differed in local optimum more than in customers.
STARTS = 10
#: Starts of the fit that is kept. With 10, equal rows under another seed gave segments with an adjusted Rand index of .92.
KEPT_STARTS = 30
_DIGITS = 12


@dataclass(frozen=True)
class Limits:
    """What a number of segments must hold to be chosen: as in the section ``clustering`` of a workflow."""

    smallest_share: float
    largest_share: float
    min_stability: float


@dataclass(frozen=True)
class Candidate:
    """One number of segments, tried.

    ``k``: segments. ``silhouette``: mean over a sample, -1 to 1; None where undefined. ``stability_ari``: mean adjusted Rand
    index of the refits to resampled rows. ``smallest_share``, ``largest_share``: of the rows.
    """

    k: int
    silhouette: float | None
    stability_ari: float
    smallest_share: float
    largest_share: float

    def misses(self, limits: Limits) -> list[str]:
        """Which limits it misses."""
        return [
            *(["smallest_share"] if self.smallest_share < limits.smallest_share else []),
            *(["largest_share"] if self.largest_share > limits.largest_share else []),
            *(["stability_ari"] if self.stability_ari < limits.min_stability else []),
        ]


def fit_centroids(values: Floats, k: int, *, seed: int, starts: int = STARTS, initial: Floats | None = None) -> Floats:
    """Fit k-means (Lloyd's algorithm from k-means++ starts).

    Returns (k, features) centroids, in no order that means anything. Raises ``ValueError`` if fewer than ``k`` rows differ.
    ``values``: (rows, features), finite. ``initial``: (k, features), a start instead of ``starts`` random ones.
    """
    from sklearn.cluster import KMeans

    ordered = values[_order(values)]
    different = 1 + int((np.diff(ordered, axis=0) != 0).any(axis=1).sum()) if len(ordered) else 0
    if different < k:
        raise ValueError(
            f"{different} of {len(values)} rows differ, {k} segments need as many: take fewer, or more features"
        )
    fitted = KMeans(
        k,
        init="k-means++" if initial is None else initial,
        n_init=starts if initial is None else 1,
        random_state=seed,
    )
    with one_thread():
        fitted.fit(ordered)
    return rounded(fitted.cluster_centers_)


def one_thread() -> AbstractContextManager[Any]:
    """Hold the numeric libraries to one thread: sums of several are added in another order every time."""
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[Any] = threadpool_limits(1)
    return limited


def nearest(values: Floats, centroids: Floats) -> tuple[Places, Floats]:
    """Place of the nearest centroid, the first of equals, and the distance to it; (rows,) each."""
    squared = np.column_stack([np.square(values - centre).sum(axis=1) for centre in centroids])
    places = squared.argmin(axis=1)
    return places, np.sqrt(squared[np.arange(len(values)), places])


def shares(labels: ArrayLike, known: Sequence[int]) -> list[float]:
    """Share of the rows per known label, in its order; 0 for a label nobody has, 0 throughout without rows."""
    found = np.asarray(labels)
    return [float((found == label).sum()) / max(1, len(found)) for label in known]


def silhouette(values: Floats, labels: ArrayLike, *, seed: int = 0) -> float | None:
    """Mean silhouette of at most :data:`SILHOUETTE_ROWS` rows; None where it is undefined: one segment, or a segment per row."""
    values, found = sample(values, np.asarray(labels), rows=SILHOUETTE_ROWS, seed=seed)
    if not 2 <= len(np.unique(found)) < len(found):
        return None
    # Before the threads are limited: a library that is loaded later would not be.
    from sklearn.metrics import silhouette_score

    with one_thread():
        return _significant(silhouette_score(values, found))


def stability(
    values: Floats, measured: Mapping[str, tuple[Floats, NDArray[Any]]], k: int, *, refits: int, seed: int
) -> dict[str, float | None]:
    """Agreement of a clustering with fits to resampled rows: mean adjusted Rand index, 0 for chance, 1 for the same.

    Gives a value per name of ``measured``; None for fewer than two rows. Source: L. Hubert, P. Arabie, Comparing partitions,
    J. Classification 2 (1985); resampling as in C. Hennig, Cluster-wise assessment of cluster stability, Comput. Stat. Data
    Anal. 52 (2007). ``values``: (rows, features) that the clustering was fitted to; resampled with replacement. ``measured``:
    rows per name and the label the clustering gave each; agreement is measured on every one of them. ``refits``: resamples.
    """
    from sklearn.metrics import adjusted_rand_score

    ordered = values[_order(values)]
    draw = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name, (rows, _) in measured.items() if len(rows) >= 2}
    for _ in range(refits if found else 0):
        resampled = ordered[draw.integers(0, len(ordered), len(ordered))]
        # Few different rows may not fill k segments again: as many as they can fill is what a refit would give.
        filled = min(k, len(np.unique(resampled, axis=0)))
        centroids = fit_centroids(resampled, filled, seed=int(draw.integers(2**31)))
        for name, agreements in found.items():
            rows, labels = measured[name]
            agreements.append(float(adjusted_rand_score(labels, nearest(rows, centroids)[0])))
    return {name: _significant(np.mean(found[name])) if name in found else None for name in measured}


def try_k(values: Floats, k: int, *, refits: int, seed: int) -> tuple[Candidate, Floats]:
    """Fit ``k`` segments and measure them. Returns the centroids next to the measures."""
    centroids = fit_centroids(values, k, seed=seed, starts=KEPT_STARTS)
    places, _ = nearest(values, centroids)
    sizes = shares(places, range(k))
    agreement = stability(values, {"fitted": (values, places)}, k, refits=refits, seed=seed)["fitted"]
    found = Candidate(k, silhouette(values, places, seed=seed), agreement or 0.0, min(sizes), max(sizes))
    return found, centroids


def choose_k(candidates: Sequence[Candidate], limits: Limits, before: int | None = None) -> tuple[Candidate, str]:
    """Choose the most segments that are stable and within the limits of size, and say why.

    More segments tell customers further apart; what bounds them is that other customers would give them too. If none
    passes: the most stable one within the limits of size; if there is none of those either, the most stable one. ``before``:
    segments of the model in use, kept as long as they pass: near the limit the measured agreement moves by some .05 from sample to
    sample, and a number that comes and goes takes the audiences built on its segments with it. Raises ``ValueError`` if there are
    no candidates.
    """
    if not candidates:
        raise ValueError("there is no number of segments to choose from: lower k_min, or raise k_max")
    passing = [one for one in candidates if not one.misses(limits)]
    best = max(passing, key=lambda one: one.k, default=None)
    kept = next((one for one in passing if one.k == before), None)
    # The words are those of a first fit wherever the choice is: a fit that follows itself is the same in all.
    if kept is not None and kept is not best:
        return (
            kept,
            f"{kept.k} segments, as before: their agreement with resamples ({kept.stability_ari:.2f}) still suffices",
        )
    if best is not None:
        return best, (
            f"{best.k} segments: the most of {_listed(candidates)} whose agreement with resamples reaches "
            f"{limits.min_stability:g} ({best.stability_ari:.2f}) and whose shares lie within {limits.smallest_share:.0%} "
            f"and {limits.largest_share:.0%}"
        )
    sized = [one for one in candidates if not set(one.misses(limits)) - {"stability_ari"}]
    best = max(sized or candidates, key=lambda one: (one.stability_ari, -one.k))
    missed = "agreement with resamples" if sized else "size"
    return best, (
        f"{best.k} segments: none of {_listed(candidates)} passes the limits of {missed}, this is the most stable one "
        f"(agreement {best.stability_ari:.2f}, {limits.min_stability:g} is asked; shares {best.smallest_share:.1%} to "
        f"{best.largest_share:.1%})"
    )


def evaluate_clusters(
    train: tuple[Floats, ArrayLike],
    test: tuple[Floats, ArrayLike],
    *,
    known: Sequence[int],
    refits: int = 10,
    seed: int = 0,
) -> dict[str, dict[str, float | None]]:
    """Measure a clustering on the rows it was fitted to, and on rows it has not seen.

    Returns ``train`` and ``test``, each with rows, clusters, silhouette, stability_ari, smallest_share, largest_share.
    Agreement is that of refits to resampled training rows, on the rows of the split; values are None where undefined.
    ``train``, ``test``: prepared rows (rows, features) and the label of each (rows,); at most :data:`STABILITY_ROWS` of each
    are used for the agreement. ``known``: all labels of the clustering, so that one which nobody of a split has counts with a
    share of 0.
    """
    splits = {
        name: (np.asarray(values, dtype=np.float64), np.asarray(labels))
        for name, (values, labels) in (("train", train), ("test", test))
    }
    sampled = {name: sample(*split, rows=STABILITY_ROWS, seed=seed) for name, split in splits.items()}
    agreement = stability(sampled["train"][0], sampled, len(known), refits=refits, seed=seed)
    found: dict[str, dict[str, float | None]] = {}
    for name, (values, labels) in splits.items():
        sizes = shares(labels, known)
        found[name] = {
            "rows": float(len(labels)),
            "clusters": float(len(known)),
            "silhouette": silhouette(values, labels, seed=seed),
            "stability_ari": agreement[name],
            "smallest_share": min(sizes) if len(labels) else None,
            "largest_share": max(sizes) if len(labels) else None,
        }
    return found


def sample(values: Floats, labels: NDArray[Any], *, rows: int, seed: int) -> tuple[Floats, NDArray[Any]]:
    """Draw at most ``rows`` rows and their labels, the same ones in whatever order they come."""
    order = np.lexsort((labels, *values.T[::-1]))
    if len(order) > rows:
        order = order[np.sort(np.random.default_rng(seed).choice(len(order), rows, replace=False))]
    return values[order], labels[order]


def rounded(values: Floats) -> Floats:
    """Round to what a file keeps."""
    digits: Floats = np.array([[float(f"{cell:.{_DIGITS}g}") for cell in row] for row in values], dtype=np.float64)
    return digits


def _order(values: Floats) -> Places:
    return np.lexsort(values.T[::-1])


def _significant(value: Any) -> float:
    return float(f"{float(value):.{_DIGITS}g}")


def _listed(candidates: Sequence[Candidate]) -> str:
    return ", ".join(str(one.k) for one in candidates)
