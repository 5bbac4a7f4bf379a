"""Losses of the linear learners, their slopes, the regularisers and the learning rates, in float32 as Hivemall rounds."""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall.compiled import f32, f64, kernel

HINGE, LOG, SQUARED_HINGE, MODIFIED_HUBER, SQUARED, QUANTILE, EPSILON, SQUARED_EPSILON, HUBER = range(9)
#: Accepted names in lower case, the class name that messages show, and whether the loss is one of binary labels.
LOSSES = {
    "hingeloss": (HINGE, "HingeLoss", True),
    "hinge": (HINGE, "HingeLoss", True),
    "logloss": (LOG, "LogLoss", True),
    "log": (LOG, "LogLoss", True),
    "logistic": (LOG, "LogLoss", True),
    "squaredhingeloss": (SQUARED_HINGE, "SquaredHingeLoss", True),
    "squared_hinge": (SQUARED_HINGE, "SquaredHingeLoss", True),
    "modifiedhuberloss": (MODIFIED_HUBER, "ModifiedHuberLoss", True),
    "modified_huber": (MODIFIED_HUBER, "ModifiedHuberLoss", True),
    "squaredloss": (SQUARED, "SquaredLoss", False),
    "squared": (SQUARED, "SquaredLoss", False),
    "quantileloss": (QUANTILE, "QuantileLoss", False),
    "quantile": (QUANTILE, "QuantileLoss", False),
    "epsiloninsensitiveloss": (EPSILON, "EpsilonInsensitiveLoss", False),
    "epsilon_insensitive": (EPSILON, "EpsilonInsensitiveLoss", False),
    "squaredepsiloninsensitiveloss": (SQUARED_EPSILON, "SquaredEpsilonInsensitiveLoss", False),
    "squared_epsilon_insensitive": (SQUARED_EPSILON, "SquaredEpsilonInsensitiveLoss", False),
    "huberloss": (HUBER, "HuberLoss", False),
    "huber": (HUBER, "HuberLoss", False),
}
NO, L1, L2, ELASTIC_NET, RDA = range(5)
REGULARISERS = {"no": NO, "l1": L1, "l2": L2, "elasticnet": ELASTIC_NET, "rda": RDA}
INVERSE, FIXED, SIMPLE = range(3)


@kernel
def loss_of(kind, p, y):  # type: ignore[no-untyped-def]
    """The loss of prediction p for label y."""
    zero, one, half, band = f32(0.0), f32(1.0), f32(0.5), f32(0.1)
    if kind == LOG:
        z = y * p
        if z > f32(18.0):
            return f32(np.exp(-f64(z)))
        if z < f32(-18.0):
            return -z
        return f32(np.log(f64(1.0) + np.exp(-f64(z))))
    if kind == HINGE:
        slack = one - y * p
        return slack if slack > zero else zero
    if kind == SQUARED_HINGE:
        slack = one - y * p
        return slack * slack if slack > zero else zero
    if kind == MODIFIED_HUBER:
        z = y * p
        if z >= one:
            return zero
        return (one - z) * (one - z) if z >= f32(-1.0) else f32(-4.0) * z
    if kind == SQUARED:
        return half * (p - y) * (p - y)
    if kind == QUANTILE:
        return half * abs(y - p)
    if kind == HUBER:
        size = abs(p - y)
        return half * size * size if size <= one else size - half
    excess = abs(y - p) - band
    if excess <= zero:
        return zero
    return excess if kind == EPSILON else excess * excess


@kernel
def slope_of(kind, p, y):  # type: ignore[no-untyped-def]
    """The derivative of the loss by the prediction."""
    zero, one, two, band = f32(0.0), f32(1.0), f32(2.0), f32(0.1)
    if kind == LOG:
        z = y * p
        if z > f32(18.0):
            return f32(np.exp(-f64(z))) * -y
        if z < f32(-18.0):
            return -y
        return -y / (f32(np.exp(f64(z))) + one)
    if kind == HINGE:
        return -y if one - y * p > zero else zero
    if kind == SQUARED_HINGE:
        slack = one - y * p
        return -two * slack * y if slack > zero else zero
    if kind == MODIFIED_HUBER:
        z = y * p
        if z >= one:
            return zero
        return two * (one - z) * -y if z >= -one else f32(-4.0) * y
    if kind == SQUARED:
        return p - y
    if kind == QUANTILE:
        if y > p:
            return f32(-0.5)
        return f32(0.5) if y < p else zero
    if kind == HUBER:
        error = p - y
        if abs(error) <= one:
            return error
        return one if error > zero else -one
    if y - p > band:
        return -one if kind == EPSILON else -two * (y - p - band)
    if p - y > band:
        return one if kind == EPSILON else two * (p - y - band)
    return zero


@kernel
def penalty_of(kind, w, ratio):  # type: ignore[no-untyped-def]
    """What the regulariser adds to the step, before lambda; L1 pushes a weight of 0 up, as Hivemall does."""
    if kind == NO:
        return f32(0.0)
    if kind == L2:
        return w
    sign = f32(1.0) if w > f32(0.0) else f32(-1.0)
    return sign if kind == L1 else ratio * sign + (f32(1.0) - ratio) * w


@kernel
def rate_at(kind, eta0, power, steps, t):  # type: ignore[no-untyped-def]
    """The learning rate of row t, which counts from 1: eta0, power and steps are float64, the result float32."""
    if kind == INVERSE:
        return f32(eta0 / f64(t) ** power)
    if kind == SIMPLE:
        return f32(eta0 / (f64(1.0) + f64(t) / steps)) if f64(t) <= steps else f32(f32(eta0) / f32(2.0))
    return f32(eta0)


class Convergence:
    """Stops when the loss fell by less than ``rate`` (a share of the pass before) in two passes running."""

    def __init__(self, rate: float, *, check: bool = True) -> None:
        self._rate, self._check = rate, check
        self._previous: float | None = None
        self._ready = False

    def reached(self, loss: float) -> bool:
        """Take the loss of a pass; True when training is over. A loss of 0 in the pass before never ends it."""
        before, self._previous = self._previous, loss
        if before is None or not self._check:
            return False
        small = loss <= before and before != 0 and (before - loss) / before < self._rate
        done = small and self._ready
        self._ready = small
        return done
