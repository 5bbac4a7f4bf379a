"""Kernels of the binary online learners and of the online regressors: one pass over the rows, in float32.

Elsewhere: options and tables (``online``, ``online_regression``).

Each kernel takes compressed rows, float32 labels and the state per feature, which it changes: ``weight``, ``covar`` (starts at 1)
and ``seen`` (1 once a feature was updated). ``first``, ``second`` are the settings of the rule.
"""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall.compiled import f32, f64, kernel
from tdml_assets.engines.hivemall.losses import rate_at

PERCEPTRON, PA, PA1, PA2 = range(4)
AROW, AROWH, SCW, SCW2, CW = range(5)
PLAIN, EPSILON, ADAPTIVE = range(3)


@kernel
def margin_of(indptr, index, value, weight, covar, row):  # type: ignore[no-untyped-def]
    """Score, squared norm and variance of a row."""
    score, norm, variance = f32(0.0), f32(0.0), f32(0.0)
    for k in range(indptr[row], indptr[row + 1]):
        j, x = index[k], value[k]
        w = weight[j]
        if w != f32(0.0):
            score = score + w * x
        norm = norm + x * x
        variance = variance + covar[j] * x * x
    return score, norm, variance


@kernel
def passive_pass(rule, indptr, index, value, label, weight, covar, seen, c):  # type: ignore[no-untyped-def]
    """Perceptron and the passive-aggressive classifiers."""
    for row in range(label.shape[0]):
        y = label[row]
        score, norm, _ = margin_of(indptr, index, value, weight, covar, row)
        if rule == PERCEPTRON:
            if not y * score <= f32(0.0):  # NaN learns nothing
                continue
            step = y
        else:
            loss = f32(1.0) - y * score
            if not loss > f32(0.0):
                continue
            rate = loss / (norm + f32(0.5) / c) if rule == PA2 else loss / norm
            if rule == PA1 and rate > c:
                rate = c
            step = y * rate
        for k in range(indptr[row], indptr[row + 1]):
            j = index[k]
            weight[j] = weight[j] + step * value[k]
            seen[j] = 1


@kernel
def covariance_rates(rule, score, y, variance, first, second):  # type: ignore[no-untyped-def]
    """Whether to step, alpha and beta of AROW, AROWh, SCW-I and SCW-II. SCW uses the score without the label, as Hivemall does.

    NaN counts as a step where Hivemall's comparison lets it through.
    """
    zero, one, two, four = f32(0.0), f32(1.0), f32(2.0), f32(4.0)
    m = y * score
    if rule <= AROWH:
        asked = one if rule == AROW else second
        loss = asked - m
        if not loss > zero:
            return False, zero, zero
        beta = one / (variance + first)
        return True, loss * beta, beta
    phi, c = first, second
    loss = phi * f32(np.sqrt(f64(variance))) - m
    if not loss > zero:
        return False, zero, zero
    square = phi * phi
    if rule == SCW:
        psi, zeta = one + square / two, one + square
        inner = score * score * square * square / four + variance * square * zeta
        alpha = (-score * psi + f32(np.sqrt(f64(inner)))) / (variance * zeta)
        if alpha <= zero:
            return False, zero, zero
        alpha = c if c > alpha else alpha
    else:
        k = variance + c / two
        spread = variance * square
        inner = score * spread * score * variance + four * k * variance * (k + spread)
        gamma = phi * f32(np.sqrt(f64(inner)))
        numerator = -(two * score * k + spread * score) + gamma
        alpha = numerator / (two * (k * k + k * spread))
        if alpha <= zero:
            return False, zero, zero
    slope = alpha * phi
    spread = variance * slope
    u = -spread + f32(np.sqrt(f64(spread * spread + four * variance)))
    return True, alpha, slope / (u / two + spread)


@kernel
def cw_alpha(m, variance, phi):  # type: ignore[no-untyped-def]
    """Alpha of confidence-weighted learning."""
    b = f32(1.0) + f32(2.0) * phi * m
    inner = b * b - f32(8.0) * phi * (m - phi * variance)
    divisor = f32(4.0) * phi * variance
    if divisor == f32(0.0):
        return f32(0.0)
    return (-b + f32(np.sqrt(f64(inner)))) / divisor


@kernel
def covariance_pass(rule, indptr, index, value, label, weight, covar, seen, first, second):  # type: ignore[no-untyped-def]
    """The confidence-weighted classifiers. ``first`` is r (AROW) or phi, ``second`` is c."""
    one, two = f32(1.0), f32(2.0)
    for row in range(label.shape[0]):
        y = label[row]
        score, _, variance = margin_of(indptr, index, value, weight, covar, row)
        if rule == CW:
            alpha = cw_alpha(y * score, variance, first)
            if not alpha > f32(0.0):
                continue
            for k in range(indptr[row], indptr[row + 1]):
                j, x = index[k], value[k]
                s = covar[j]
                weight[j] = weight[j] + alpha * y * s * x
                covar[j] = one / (one / s + two * alpha * first * x * x)
                seen[j] = 1
            continue
        learns, alpha, beta = covariance_rates(rule, score, y, variance, first, second)
        if not learns:
            continue
        step = y * alpha
        for k in range(indptr[row], indptr[row + 1]):
            j = index[k]
            s = covar[j]
            cx = s * value[k]
            weight[j] = weight[j] + step * cx
            covar[j] = s - beta * cx * cx
            seen[j] = 1


@kernel
def rda_pass(indptr, index, value, label, weight, squares, totals, seen, eta, strength, scale):  # type: ignore[no-untyped-def]
    """train_adagrad_rda: a truncated feature is forgotten, with its sums."""
    zero, one = f32(0.0), f32(1.0)
    for row in range(label.shape[0]):
        y = label[row]
        t = f32(row + 1)
        score = zero
        for k in range(indptr[row], indptr[row + 1]):
            w = weight[index[k]]
            if w != zero:
                score = score + w * value[k]
        if one - y * score <= zero:
            continue
        for k in range(indptr[row], indptr[row + 1]):
            j = index[k]
            gradient = -y * value[k]
            scaled = gradient * scale
            squares[j] = squares[j] + scaled * scaled
            totals[j] = totals[j] + scaled
            total = totals[j] * scale
            sign = one if total > zero else -one
            q = sign * total / t - strength
            if q < zero:
                weight[j], squares[j], totals[j], seen[j] = zero, zero, zero, 0
            else:
                weight[j] = -sign * eta * t * q / f32(np.sqrt(f64(squares[j] * scale)))
                seen[j] = 1


@kernel
def regression_pass(  # type: ignore[no-untyped-def]
    rule, band_rule, indptr, index, value, label, weight, covar, seen, first, band
):
    """PA and AROW regression. ``first`` is c or r, ``band`` the half width within which nothing is learned.

    With the adaptive rule the band is multiplied by the standard deviation of the targets so far, this one included.
    """
    zero, one = f32(0.0), f32(1.0)
    count, mean, moment = f64(0.0), f64(0.0), f64(0.0)
    for row in range(label.shape[0]):
        y = label[row]
        score, norm, variance = margin_of(indptr, index, value, weight, covar, row)
        error = y - score
        width = band
        if band_rule == ADAPTIVE:
            count += f64(1.0)
            shift = f64(y) - mean
            mean += shift / count
            moment += shift * (f64(y) - mean)
            deviation = np.sqrt(moment / (count - f64(1.0))) if count > f64(1.0) else f64(0.0)
            width = band * f32(deviation)
        sign = one if error > zero else -one
        if rule == AROW:
            beta = one / (variance + first)
            coefficient = error
            if band_rule != PLAIN:
                loss = abs(error) - width
                if not loss > zero:
                    continue
                coefficient = sign * loss
            for k in range(indptr[row], indptr[row + 1]):
                j = index[k]
                s = covar[j]
                cx = s * value[k]
                weight[j] = weight[j] + coefficient * cx * beta
                covar[j] = s - beta * cx * cx
                seen[j] = 1
            continue
        loss = abs(error) - width
        if not loss > zero:
            continue
        if rule == PA2:
            rate = loss / (norm + f32(0.5) / first)
        else:
            rate = loss / norm
            rate = min(rate, first)
        step = sign * rate
        if np.isinf(step):
            continue
        for k in range(indptr[row], indptr[row + 1]):
            j = index[k]
            weight[j] = weight[j] + step * value[k]
            seen[j] = 1


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
