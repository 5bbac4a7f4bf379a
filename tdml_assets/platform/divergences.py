"""How far two distributions lie apart: formulas on numbers.

Elsewhere: tables, thresholds, verdicts (``stages/drift/detection.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tdml_assets.platform.statistics import chi2_p_value, finite

# Added to every bin that holds a row on either side: keeps the logarithm finite for a bin that is empty on one of them.
_SMOOTHING = 0.5
# Rows a bin must expect for the chi-square distribution to hold in its tail (Cochran's rule).
_EXPECTED = 5

Vector = NDArray[np.float64]


def gaussian_kld(mean: float | None, sd: float | None, mean_ref: float | None, sd_ref: float | None) -> float | None:
    """Kullback-Leibler divergence of a normal distribution from a reference, KL(current || reference), in nats.

    ``ln(sd_ref / sd) + (sd**2 + (mean - mean_ref)**2) / (2 sd_ref**2) - 1/2`` with population standard deviations.
    Unit-free. 0 for two equal constants; None where it is not defined: a value is missing, or only one side varies, or
    two constants differ.
    """
    if mean is None or sd is None or mean_ref is None or sd_ref is None:
        return None
    if sd == 0 and sd_ref == 0 and mean == mean_ref:
        return 0.0
    if sd <= 0 or sd_ref <= 0:
        return None
    ratio, distance = sd / sd_ref, (mean - mean_ref) / sd_ref
    if ratio == 0:
        return None
    # log1p and (r - 1)(r + 1): the plain form loses every digit of a small divergence to cancellation.
    logarithm = math.log1p(ratio - 1) if 0.5 < ratio < 2 else math.log(ratio)
    divergence = finite(0.5 * ((ratio - 1) * (ratio + 1) - 2 * logarithm + distance * distance))
    return None if divergence is None else max(0.0, divergence)


def hivemall_kld(mu1: float | None, sigma1: float | None, mu2: float | None, sigma2: float | None) -> float | None:
    """Hivemall's ``kld``, for comparison only: ``(ln(s2/s1) + s2/s1 + (mu1-mu2)**2/s2 - 1) / 2``.

    Not a divergence: it takes sigma for a variance and turns one ratio over, so it can be negative and depends on the
    unit. Source: apache/incubator-hivemall, ``hivemall.knn.distance.KLDivergenceUDF``. None where a sigma is not
    positive.
    """
    if mu1 is None or sigma1 is None or mu2 is None or sigma2 is None or sigma1 <= 0 or sigma2 <= 0:
        return None
    ratio = sigma2 / sigma1
    if ratio == 0 or not math.isfinite(ratio):
        return None
    return finite((math.log(ratio) + ratio + (mu1 - mu2) * (mu1 - mu2) / sigma2 - 1.0) * 0.5)


def psi(counts: Sequence[int], counts_ref: Sequence[int]) -> tuple[float, int]:
    """Compute the population stability index of two binned samples, and how many bins hold a row on either side.

    ``sum((p - q) ln(p / q))``, the symmetric KL divergence of the two histograms in nats, with half a row added to
    every bin that either side fills.
    """
    pairs = [(now, ref) for now, ref in zip(counts, counts_ref, strict=True) if now or ref]
    if len(pairs) < 2:
        return 0.0, len(pairs)
    now, ref = np.asarray(pairs, dtype=float).T + _SMOOTHING
    p, q = now / now.sum(), ref / ref.sum()
    return float(np.sum((p - q) * np.log(p / q))), len(pairs)


def homogeneity_p_value(counts: Sequence[int], counts_ref: Sequence[int]) -> float:
    """Chance of at least this difference between two binned samples of one distribution: Pearson's chi-square.

    Neighbouring bins are merged until each expects :data:`_EXPECTED` rows on the smaller side, below which the statistic's
    tail is no longer chi-square. ``PSI / (1/n + 1/m)`` has the same limit (Yurdakul & Naranjo, J. Risk Model Validation,
    2020) but a heavier tail where bins are small, and many columns are judged in the tail.
    """
    now, ref = np.asarray(counts, dtype=float), np.asarray(counts_ref, dtype=float)
    n, m = now.sum(), ref.sum()
    if n == 0 or m == 0:
        return 1.0
    now, ref = _merged(now, ref, _EXPECTED * (n + m) / min(n, m))
    statistic = float(np.sum((now * m - ref * n) ** 2 / (n * m * (now + ref))))
    return chi2_p_value(statistic, len(now) - 1)


def _merged(now: Vector, ref: Vector, least: float) -> tuple[Vector, Vector]:
    """Merge neighbours until every bin holds ``least`` rows of both sides together; what is left joins the last."""
    groups: list[list[float]] = []
    left = [0.0, 0.0]
    for pair in zip(now.tolist(), ref.tolist(), strict=True):
        left = [left[0] + pair[0], left[1] + pair[1]]
        if sum(left) >= least:
            groups.append(left)
            left = [0.0, 0.0]
    if groups:
        groups[-1] = [groups[-1][0] + left[0], groups[-1][1] + left[1]]
    else:
        groups = [left]
    first, second = np.asarray(groups).T
    return first, second


def rank_p_value(counts: Sequence[int], counts_ref: Sequence[int]) -> float:
    """Chance of at least this shift between two samples in ordered bins: Wilcoxon's rank sum, corrected for ties.

    One degree of freedom where chi-square spreads over all: it sees a shift of a quarter of a standard deviation in a third
    of the rows. Source: Lehmann, Nonparametrics (1975), section 1.4. ``counts``, ``counts_ref``: rows per bin, lowest first,
    without missing values.
    """
    now, both = np.asarray(counts, dtype=float), np.asarray(counts, dtype=float) + np.asarray(counts_ref, dtype=float)
    n, total = now.sum(), both.sum()
    ranks = np.cumsum(both) - (both - 1) / 2
    spread = float(np.sum(both * (ranks - (total + 1) / 2) ** 2))
    if n in (0, total) or spread == 0:
        return 1.0
    variance = n * (total - n) / (total * (total - 1)) * spread
    z = (float(np.sum(now * ranks)) - n * (total + 1) / 2) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def chance_z(index: float, bins: int, rows: int, rows_ref: int, earlier: Sequence[float]) -> float | None:
    """Robust z of a PSI among earlier ones, on the cube-root scale; None without earlier ones.

    ``(x - median) / scale`` of cube roots (Wilson & Hilferty 1931: there a chi-square is nearly normal). The scale is
    1.4826 x the median absolute deviation, or 1.2533 x the mean one where over half are equal, and never less than what
    sampling alone gives two samples of these sizes, so that a stable past does not cause a false alarm.
    """
    if not earlier:
        return None
    roots = np.cbrt(np.asarray(earlier, dtype=float))
    middle = float(np.median(roots))
    away = np.abs(roots - middle)
    robust = 1.4826 * float(np.median(away)) or 1.2533 * float(np.mean(away))
    degrees = max(1, bins - 1)
    sampling = math.cbrt(degrees * (1 / rows + 1 / rows_ref)) * math.sqrt(2 / (9 * degrees))
    return (math.cbrt(index) - middle) / max(robust, sampling)


def bin_edges(deciles: Sequence[float], minimum: float, maximum: float) -> tuple[float, ...]:
    """Bin edges from observed deciles.

    A value met at two deciles is shared by many rows (no purchase, no click) and gets a bin of its own. So does the
    value of a constant, that any other be seen. Bins may therefore be empty in the reference: what falls below or above
    all it held.
    """
    edges = set(deciles) if minimum < maximum else {minimum}
    shared = {value for value in deciles if list(deciles).count(value) > 1} | (
        {minimum} if minimum == maximum else set()
    )
    edges |= {math.nextafter(value, -math.inf) for value in shared}
    return tuple(sorted(edges))
