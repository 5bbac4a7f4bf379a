"""Kernels of the factorisation machines: one pass of train_fm and of train_ffm.

Elsewhere: options, initial values and tables (``fm``, ``ffm``).

Weights and factors are float32, predictions float64.
"""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall.compiled import f32, f64, kernel
from tdml_assets.engines.hivemall.losses import rate_at

FTRL, ADAGRAD, SGD = range(3)
#: What a pass ends with.
FINE, NO_SCORE, INFINITE = range(3)


@kernel
def slope_and_loss(classify, p, y, low, high):  # type: ignore[no-untyped-def]
    """Derivative of the loss by the prediction, and the loss; a regression's prediction is cut to the target range first."""
    if classify:
        z = p * y
        cut = -23.0 if z < -23.0 else (23.0 if z > 23.0 else z)
        slope = (f64(1.0) / (f64(1.0) + np.exp(-cut)) - f64(1.0)) * y
        if z > 18.0:
            loss = np.exp(-z)
        elif z < -18.0:
            loss = -z
        else:
            loss = np.log(1.0 + np.exp(-z))
        return slope, loss
    cut = low if p < low else (high if p > high else p)
    return cut - y, f64(0.5) * (p - y) * (p - y)


@kernel
def fm_pass(  # type: ignore[no-untyped-def]
    indptr,
    index,
    value,
    label,
    held,
    bias,
    weight,
    factor,
    strength,
    strength_v,
    memory,
    classify,
    adaptive,
    scheme,
    eta0,
    power,
    steps,
    low,
    high,
):
    """One pass of train_fm.

    ``held`` marks rows that only adapt the regularisation; ``bias`` (1), ``strength`` (2: bias, weights) and ``strength_v``
    (factors) change in place; memory 0 counts training rows, 1 and 2 get the sums of losses of trained and of held rows.
    """
    factors = factor.shape[1]
    sums = np.zeros(factors, np.float64)
    two = f32(2.0)
    memory[1], memory[2] = 0.0, 0.0
    for row in range(label.shape[0]):
        start, stop = indptr[row], indptr[row + 1]
        y = label[row]
        p = f64(bias[0])
        for k in range(start, stop):
            p += f64(weight[index[k]]) * value[k]
        for f in range(factors):
            total, squares = f64(0.0), f64(0.0)
            for k in range(start, stop):
                vx = f64(factor[index[k], f]) * value[k]
                total += vx
                squares += vx * vx
            sums[f] = total
            p += f64(0.5) * (total * total - squares)
        if not np.isfinite(p):
            memory[1] = p
            return NO_SCORE
        g, loss = slope_and_loss(classify, p, y, low, high)
        if held[row] > 0:
            memory[2] += loss
            if not adaptive:
                continue
            rate = rate_at(scheme, eta0, power, steps, memory[0])
            eta, back = f64(rate), f32(-2.0) * rate
            strength[0] = max(f32(0.0), strength[0] - f32(eta * g * f64(back * bias[0])))
            linear = f64(0.0)
            for k in range(start, stop):
                linear += f64(weight[index[k]]) * value[k]
            strength[1] = max(f32(0.0), strength[1] - f32(eta * g * (f64(back) * linear)))
            for f in range(factors):
                after, both = f64(0.0), f64(0.0)
                for k in range(start, stop):
                    v, x = f64(factor[index[k], f]), value[k]
                    moved = v - eta * (x * (sums[f] - v * x) + f64(2.0) * f64(strength_v[f]) * v)
                    after += x * moved
                    both += x * moved * x * v
                push = f64(back) * (after * sums[f] - both)
                strength_v[f] = max(f32(0.0), f32(f64(strength_v[f]) - eta * g * push))
            continue
        memory[0] += 1.0
        memory[1] += loss
        if abs(g) <= 1e-9:
            continue
        eta = rate_at(scheme, eta0, power, steps, memory[0])
        bias[0] = bias[0] - eta * (f32(g) + two * strength[0] * bias[0])
        if not np.isfinite(bias[0]):
            memory[1] = f64(bias[0])
            return INFINITE
        for k in range(start, stop):
            j, x = index[k], value[k]
            w = weight[j]
            weight[j] = w - eta * (f32(g * x) + two * strength[1] * w)
            if not np.isfinite(weight[j]):
                memory[1] = f64(weight[j])
                return INFINITE
            for f in range(factors):
                v = factor[j, f]
                slope = f32(g * (x * (sums[f] - f64(v) * x)))
                factor[j, f] = v - eta * (slope + two * strength_v[f] * v)
                if not np.isfinite(factor[j, f]):
                    memory[1] = f64(factor[j, f])
                    return INFINITE
    return FINE


@kernel
def _ftrl(z, n, old, slope, alpha, beta, l1, l2):  # type: ignore[no-untyped-def]
    """One step of follow-the-regularised-leader: new z, n and value. The new n is rounded when it is stored only."""
    squares = f64(n) + f64(slope * slope)
    root = np.sqrt(squares)
    sigma = f32((root - np.sqrt(f64(n))) / f64(alpha))
    n = f32(squares)
    z = z + slope - sigma * old
    if abs(z) <= l1:
        return z, n, f32(0.0)
    sign = f32(1.0) if z > f32(0.0) else f32(-1.0)
    value = f32(f64(sign * l1 - z) / ((f64(beta) + root) / f64(alpha) + f64(l2)))
    return z, n, value


@kernel
def _all_zero(factor, place):  # type: ignore[no-untyped-def]
    count = 0
    for f in range(factor.shape[1]):
        if abs(factor[place, f]) > f32(1e-9):
            count += 1
    return count == 0


@kernel
def ffm_pass(  # type: ignore[no-untyped-def]
    indptr,
    pairs,
    slot,
    feature,
    field,
    value,
    label,
    bias,
    weight,
    weight_z,
    weight_n,
    factor,
    factor_z,
    factor_n,
    alive,
    memory,
    rule,
    classify,
    with_bias,
    linear,
    scheme,
    eta0,
    power,
    steps,
    eps,
    alpha,
    beta,
    l1,
    l2,
    strength,
    low,
    high,
):
    """One pass of train_ffm. ``slot[pairs[row] + a * n + b]`` is the factor of item a towards the field of item b of a row of n."""
    factors = factor.shape[1]
    two = f32(2.0)
    memory[1] = 0.0
    for row in range(label.shape[0]):
        start = indptr[row]
        n = indptr[row + 1] - start
        base = pairs[row]
        y = label[row]
        p = f64(bias[0])
        if linear:
            for a in range(n):
                p += f64(weight[feature[start + a]]) * value[start + a]
        for a in range(n):
            for b in range(a + 1, n):
                left, right = slot[base + a * n + b], slot[base + b * n + a]
                if alive[left] == 0 or alive[right] == 0:
                    continue
                for f in range(factors):
                    p += f64(factor[left, f] * factor[right, f]) * value[start + a] * value[start + b]
        memory[0] += 1.0
        g, loss = slope_and_loss(classify, p, y, low, high)
        memory[1] += loss
        if not np.isfinite(p):
            memory[1] = p
            return NO_SCORE
        if abs(g) <= 1e-9:
            continue
        eta = rate_at(scheme, eta0, power, steps, memory[0])
        sums = np.zeros((n, n, factors), np.float64)
        for a in range(n):
            for q in range(n):
                for e in range(n):
                    if feature[start + e] == feature[start + a] or field[start + e] != field[start + q]:
                        continue
                    source = slot[base + e * n + a]
                    if alive[source] == 0:
                        continue
                    for f in range(factors):
                        sums[a, q, f] += f64(factor[source, f]) * value[start + a]
        if with_bias:
            bias[0] = bias[0] - eta * (f32(g) + two * strength[0] * bias[0])
        for a in range(n):
            x = value[start + a]
            j = feature[start + a]
            if linear:
                slope = f32(g * x)
                if rule == FTRL:
                    weight_z[j], weight_n[j], weight[j] = _ftrl(
                        weight_z[j], weight_n[j], weight[j], slope, alpha, beta, l1, l2
                    )
                    if abs(weight_z[j]) <= l1:  # a truncated weight forgets its state
                        weight_z[j], weight_n[j] = f32(0.0), f32(0.0)
                else:
                    rate = eta
                    if rule == ADAGRAD:
                        rate = f32(f64(eta) / np.sqrt(f64(eps) + weight_n[j]))
                        weight_n[j] = weight_n[j] + f64(slope * slope)
                    weight[j] = weight[j] - rate * (slope + two * strength[1] * weight[j])
            for q in range(n):
                target = slot[base + a * n + q]
                if alive[target] == 0:
                    continue
                for f in range(factors):
                    total = sums[a, q, f]
                    if abs(total) <= 1e-15:
                        continue
                    slope = f32(g * (x * total))
                    v = factor[target, f]
                    if rule == FTRL:
                        factor_z[target, f], factor_n[target, f], factor[target, f] = _ftrl(
                            factor_z[target, f], factor_n[target, f], v, slope, alpha, beta, l1, l2
                        )
                        if _all_zero(factor, target):
                            alive[target] = 0  # at once: the factors after this one are not updated any more
                            break
                    else:
                        rate = eta
                        if rule == ADAGRAD:
                            rate = f32(f64(eta) / np.sqrt(f64(eps) + factor_n[target, f]))
                            factor_n[target, f] = factor_n[target, f] + f64(slope * slope)
                        factor[target, f] = v - rate * (slope + two * strength[2] * v)
    return FINE
