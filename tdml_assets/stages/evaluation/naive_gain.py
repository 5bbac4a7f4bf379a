"""By how much a model beats the naive forecast, with an interval over the same customers.

Elsewhere: which forecasts are naive (``measures.py``, ``tasks/``), words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tdml_assets.platform.metrics import OF_RANKS, ResampledRanks

Floats = NDArray[np.float64]

_REACH = 1.96
_DRAWS, _DRAWN_ROWS = 100, 5_000
_LEAST_ROWS = 20


def gain_of_losses(ours: Mapping[str, Floats], naive: Mapping[str, Floats]) -> dict[str, float]:
    """Bounds of the mean of the naive loss less ours, 95 %, by the normal approximation.

    ``ours``, ``naive``: (customers,) losses by measure. Returns ``<measure>_gain_low`` and ``<measure>_gain_high``: both above 0
    where the model is better. Nothing for few customers.
    """
    found: dict[str, float] = {}
    for name, losses in ours.items():
        if len(losses) < _LEAST_ROWS:
            continue
        gain = naive[name] - losses
        mean, reach = float(gain.mean()), _REACH * float(gain.std(ddof=1)) / float(np.sqrt(len(gain)))
        found |= {f"{name}_gain_low": mean - reach, f"{name}_gain_high": mean + reach}
    return found


def gain_of_rankings(
    measures: Sequence[str], target: Floats, ours: Floats, naive: Floats, seed: int
) -> dict[str, float]:
    """Bounds of our measure less the naive one's, higher being better, over resamples of the customers.

    ``measures``: names of :data:`~tdml_assets.platform.metrics.OF_RANKS`.
    ``target``, ``ours``, ``naive``: (customers,). More than 5,000 are represented by as many drawn.
    """
    size = min(len(target), _DRAWN_ROWS)
    if size < _LEAST_ROWS:
        return {}
    rng = np.random.default_rng(seed)
    ranks = [ResampledRanks(values) for values in (target, ours, naive)]
    gains: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(_DRAWS):
        rows = rng.integers(0, len(target), size)
        happened, (of_target, *of_scores) = target[rows], [one.of(rows) for one in ranks]
        for name in measures:
            one, other = (OF_RANKS[name](happened, of_target, of_score) for of_score in of_scores)
            if one is not None and other is not None:
                gains[name].append(one - other)
    found: dict[str, float] = {}
    for name, values in gains.items():
        if len(values) == _DRAWS:
            low, high = np.quantile(values, [0.025, 0.975])
            found |= {f"{name}_gain_low": float(low), f"{name}_gain_high": float(high)}
    return found
