"""Kernels of logress, train_adagrad_regr and train_adadelta_regr: targets between 0 and 1.

Belongs here: their update rules in float32. Does not: options and tables (``online_regression``).
"""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall.compiled import f32, f64, kernel
from tdml_assets.engines.hivemall.losses import rate_at

LOGRESS, ADAGRAD, ADADELTA = range(3)


@kernel
def _gradient(y, p):  # type: ignore[no-untyped-def]
    """Target minus the logistic of the score, which is cut off at +-23."""
    if not p > f32(-100.0):  # NaN too
        return y
    cut = f32(-23.0) if p < f32(-23.0) else (f32(23.0) if p > f32(23.0) else p)
    return y - f32(f64(1.0) / (f64(1.0) + np.exp(-f64(cut))))


@kernel
def logistic_pass(  # type: ignore[no-untyped-def]
    rule,
    indptr,
    index,
    value,
    label,
    weight,
    one,
    two,
    seen,
    sums,
    counts,
    batch,
    scheme,
    eta0,
    power,
    steps,
    eps,
    scale,
    rho,
):
    """One pass; ``sums`` and ``counts`` collect the steps of a mini batch (logress only)."""
    zero = f32(0.0)
    pending = 0
    for row in range(label.shape[0]):
        p = zero
        for k in range(indptr[row], indptr[row + 1]):
            w = weight[index[k]]
            if w != zero:
                p = p + w * value[k]
        g = _gradient(label[row], p)
        rate = rate_at(scheme, eta0, power, steps, f64(row + 1)) * g
        for k in range(indptr[row], indptr[row + 1]):
            j, x = index[k], value[k]
            if rule == LOGRESS:
                if batch > 1:
                    sums[j] += f64(x * rate)
                    counts[j] += 1
                else:
                    weight[j] = weight[j] + rate * x
            elif rule == ADAGRAD:
                one[j] = one[j] + g * (g / scale)
                step = f32(eta0) / f32(np.sqrt(f64(eps) + f64(one[j]) * f64(scale)))
                weight[j] = weight[j] + step * g * x
            else:
                before = one[j]
                ratio = (two[j] + eps) / (before * scale + eps)
                dx = f32(np.sqrt(f64(ratio))) * g
                one[j] = rho * before + (f32(1.0) - rho) * (g * (g / scale))
                two[j] = rho * two[j] + (f32(1.0) - rho) * dx * dx
                weight[j] = weight[j] + dx * x
            seen[j] = 1
        pending += 1
        if batch > 1 and pending == batch:
            add_batch(weight, sums, counts)
            pending = 0
    if pending > 0 and batch > 1:
        add_batch(weight, sums, counts)


@kernel
def add_batch(weight, sums, counts):  # type: ignore[no-untyped-def]
    """Add to each weight the mean of its steps in the batch, and empty the batch."""
    for j in range(weight.shape[0]):
        if counts[j] > 0:
            weight[j] = weight[j] + f32(sums[j] / f64(counts[j]))
            sums[j] = 0.0
            counts[j] = 0
