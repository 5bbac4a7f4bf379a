"""How far two distributions lie apart: formulas on numbers.

Belongs here: divergences, their bins and their distribution under no drift.
Does not: tables, thresholds, verdicts (``drift.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tdml_assets.core.statistics import chi2_p_value, finite

# Added to every bin that holds a row on either side: keeps the logarithm finite for a bin that is empty on one of them.
_SMOOTHING = 0.5


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


def psi_p_value(index: float, bins: int, rows: int, rows_ref: int) -> float:
    """Chance of at least this PSI between two samples of one distribution.

    ``PSI / (1/n + 1/m)`` follows chi-square with ``bins - 1`` degrees of freedom (Yurdakul & Naranjo, J. Risk Model
    Validation, 2020).
    """
    return chi2_p_value(index / (1 / rows + 1 / rows_ref), bins - 1)


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
