"""The scale on which an estimator learns an amount, and the way back from it.

Elsewhere: scaling of features (``stages/preparation/parameters.py``, in the warehouse), which estimators may ask for it
(``declaration/workflow.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Beyond it the exponential is not an amount of money any more.
_LARGEST_LOG = 80.0


@dataclass(frozen=True)
class TargetScale:
    """A scale and what was fitted of it.

    ``kind``: ``none``, ``log1p``, or the linear ``minmax``, ``zscore`` and ``robust``. ``shift``, ``unit``: of the linear ones,
    (target - shift) / unit. ``smear``: the mean of an exponential is more than the exponential of a mean: what predictions are
    multiplied with so that their total on the training rows is what happened (the ratio form of Duan 1983, Smearing estimate).
    1 for the others.
    """

    kind: str = "none"
    shift: float = 0.0
    unit: float = 1.0
    smear: float = 1.0

    @classmethod
    def fit(cls, kind: str, target: Floats) -> TargetScale:
        """Fit to training targets, shape (rows,).

        Raises ``ValueError`` if there is no such scale, or ``log1p`` meets negative targets.
        """
        if kind == "log1p" and target.min() < 0:
            raise ValueError(
                f"prepare.target_transform log1p: the smallest training target is {target.min():g}; amounts of 0 and more have a "
                "logarithm: take zscore or robust"
            )
        if kind in ("none", "log1p"):
            return cls(kind)
        if kind == "minmax":
            shift, unit = float(target.min()), float(np.ptp(target))
        elif kind == "zscore":
            shift, unit = float(target.mean()), float(target.std())
        elif kind == "robust":
            low, shift, high = (float(found) for found in np.quantile(target, (0.25, 0.5, 0.75)))
            unit = high - low
        else:
            raise ValueError(f"no target_transform {kind!r}: use none, log1p, minmax, zscore or robust")
        # Where half of all targets are one value their quartiles have no distance: then only the centre moves.
        return cls(kind, shift, unit or 1.0)

    def forward(self, target: Floats) -> Floats:
        """Give targets on the scale."""
        found: Floats = np.log1p(target) if self.kind == "log1p" else (target - self.shift) / self.unit
        return found

    def backward(self, predicted: Floats) -> Floats:
        """Give predictions in the unit of the target."""
        if self.kind == "log1p":
            amount: Floats = self.smear * np.expm1(np.minimum(predicted, _LARGEST_LOG))
            return amount
        linear: Floats = predicted * self.unit + self.shift
        return linear

    def smeared(self, target: Floats, predicted: Floats) -> TargetScale:
        """The same scale with the factor that makes the total of ``predicted``, on the scale, that of ``target``."""
        if self.kind != "log1p":
            return self
        total = float(np.maximum(self.backward(predicted), 0.0).sum())
        return replace(self, smear=self.smear * float(target.sum()) / total) if total > 0 else self
