"""The kernel of train_classifier and train_regressor: one pass over the rows with any loss, optimiser and regulariser.

Elsewhere: options and iterations (``general``).

State: ``one``, ``two``, ``three`` hold up to three float32 numbers per feature, ``memory`` (float64) what all features share:
0 rows so far, 1 product of nadam's momenta, 2 previous loss, 3 eve's divisor, 4 adam_hd's alpha, 5 its last direction,
6 amsgrad's largest v, 7 G of a dense RDA. ``c`` (float64) holds the settings in the order of the names below.
"""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall.compiled import f32, f64, kernel
from tdml_assets.engines.hivemall.losses import loss_of, penalty_of, rate_at, slope_of

SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, GRAVES, ADADELTA, ADAM, NADAM, EVE, ADAM_HD, ADAGRAD_RDA = range(12)
#: Places in the array of settings.
ETA0, POWER, STEPS, LAMBDA, RATIO, EPS, SCALE, RHO, MU, ALPHA, BETA, BETA2, BETA3, CLIP, DECAY, AMSGRAD, DENSE = range(
    17
)
SETTINGS = 17
MEMORY = 8


@kernel
def _momentum_step(opt, j, g, one, c):  # type: ignore[no-untyped-def]
    mu, alpha = f32(c[MU]), f32(c[ALPHA])
    v = mu * one[j] + alpha * g
    one[j] = v
    if opt == NESTEROV:
        return mu * mu * v + (f32(1.0) + mu) * alpha * g
    return v


@kernel
def _scaled_step(opt, j, g, one, two, three, c):  # type: ignore[no-untyped-def]
    eps, scale, rho = f32(c[EPS]), f32(c[SCALE]), f32(c[RHO])
    rest = f32(1.0) - rho
    before = one[j]
    if opt == ADAGRAD:
        one[j] = before + g * (g / scale)
        return f32(f64(g) / np.sqrt(f64(eps) + f64(before) * f64(scale)))
    if opt == RMSPROP:
        one[j] = rho * before + rest * g * (g / scale)
        return f32(f64(g) / np.sqrt(f64(eps) + f64(before) * f64(scale)))
    if opt == GRAVES:
        mean = rho * two[j] + rest * g / scale
        one[j] = rho * before + rest * g * (g / scale)
        two[j] = mean
        wide = f64(mean) * f64(scale)
        spread = f64(before) * f64(scale) - wide * wide
        delta = f32(c[MU]) * three[j] + f32(c[ALPHA]) * f32(f64(g) / np.sqrt(spread + f64(eps)))
        three[j] = delta
        return delta
    after = rho * before + rest * g * (g / scale)
    delta = f32(np.sqrt(f64(two[j] + eps) / (f64(after) * f64(scale) + f64(eps)))) * g
    two[j] = rho * two[j] + rest * delta * delta
    one[j] = after
    return delta


@kernel
def _adam_step(opt, j, g, first, loss, w, one, two, memory, c, t):  # type: ignore[no-untyped-def]
    b1, b2, decay, eps = f32(0.9), f32(c[BETA2]), f32(c[DECAY]), f64(f32(c[EPS]))
    g = g + decay * w
    m = b1 * one[j] + (f32(1.0) - b1) * g
    square = f64(g) * f64(g)
    left = f64(1.0) - f64(b2) if opt == NADAM else f64(f32(1.0) - b2)
    v = b2 * two[j] + f32(left * square)
    one[j], two[j] = m, v
    left1, left2 = f64(1.0) - f64(b1) ** f64(t), f64(1.0) - f64(b2) ** f64(t)
    correction = np.sqrt(left2) / left1
    if opt == ADAM_HD:
        h = g * f32(memory[5])
        if h > f32(0.0):
            memory[4] = f64(f32(memory[4]) * (f32(1.0) - f32(c[BETA])))
        elif h < f32(0.0):
            memory[4] = f64(f32(memory[4]) * (f32(1.0) + f32(c[BETA])))
        u = f64(m) / left1 / (np.sqrt(f64(v) / left2) + eps)
        memory[5] = f64(f32(u))
        delta = f32(memory[4] * u)
        return delta + decay * w
    alpha = f64(f32(c[ALPHA])) * correction
    if opt == NADAM:
        now, then = f64(memory[6]), f64(memory[7])
        ahead = f64(m) / (f64(1.0) - memory[1] * then)
        scaled = f64(g) / (f64(1.0) - memory[1])
        mean = (f64(1.0) - now) * scaled + then * ahead
        delta = f32(alpha * mean / (np.sqrt(f64(v) / left2) + eps))
        return delta + decay * w
    if opt == EVE and first and t > 1 and loss != f32(memory[2]):
        before = f32(memory[2])
        low = loss if loss < before else before
        change = abs(loss - before) / low
        clip = f32(c[CLIP])
        floor = f32(1.0) / clip
        change = floor if change < floor else (clip if change > clip else change)
        b3 = f64(f32(c[BETA3]))
        memory[3] = b3 * memory[3] + (f64(1.0) - b3) * f64(change)
        alpha = alpha / memory[3]
    if opt == EVE and first:
        memory[2] = f64(loss)
    root = v
    if c[AMSGRAD] > 0:
        memory[6] = max(memory[6], f64(v))
        root = f32(memory[6])
    delta = f32(alpha * f64(m) / (np.sqrt(f64(root)) + eps))
    return delta + decay * w


@kernel
def _rda_weight(j, g, eta, one, two, memory, c, t):  # type: ignore[no-untyped-def]
    """The weight of regularised dual averaging: ``one`` sums gradients, ``two`` squares; a truncation forgets both."""
    shared = c[DENSE] > 0
    total = one[j] + g
    sign = f32(1.0) if total > f32(0.0) else f32(-1.0)
    q = sign * total / f32(t) - f32(c[LAMBDA])
    weight = f32(0.0)
    squares = f32(memory[7]) if shared else two[j]
    if not q < f32(0.0):  # NaN goes on, as in Java
        scale = f32(c[SCALE])
        step = f32(f64(q) / np.sqrt(f64(f32(c[EPS])) + f64(squares) * f64(scale)))
        weight = -sign * eta * f32(t) * step
        squares = squares + q * (q / scale)
    if weight == f32(0.0):
        total, squares = f32(0.0), f32(0.0)
    one[j] = total
    if shared:
        memory[7] = f64(squares)
    else:
        two[j] = squares
    return weight


@kernel
def general_pass(  # type: ignore[no-untyped-def]
    indptr, index, value, label, weight, one, two, three, memory, sums, counts, loss, opt, reg, scheme, batch, c
):
    """Train on all rows once; returns the sum of their losses. ``sums`` and ``counts`` are the weights of a mini batch."""
    total = f64(0.0)
    pending = 0
    ratio, strength, limit = f32(c[RATIO]), f32(c[LAMBDA]), f32(1e12)
    for row in range(label.shape[0]):
        start, stop = indptr[row], indptr[row + 1]
        p = f32(0.0)
        for k in range(start, stop):
            w = weight[index[k]]
            if w != f32(0.0):
                p = p + w * value[k]
        memory[0] += 1.0
        t = memory[0]
        y = label[row]
        cost = loss_of(loss, p, y)
        total += f64(cost)
        if opt == NADAM:
            beta1 = f64(f32(0.9))
            memory[6] = beta1 * (1.0 - 0.5 * 0.96 ** (np.floor(0.004 * t) + 1.0))
            memory[7] = beta1 * (1.0 - 0.5 * 0.96 ** (np.floor(0.004 * (t + 1.0)) + 1.0))
            memory[1] *= memory[6]
        slope = slope_of(loss, p, y)
        if slope == f32(0.0):
            continue
        slope = -limit if slope < -limit else (limit if slope > limit else slope)
        eta = rate_at(scheme, c[ETA0], c[POWER], c[STEPS], t)
        if opt >= ADAM and opt <= ADAM_HD:
            b1, b2 = f64(f32(0.9)), f64(f32(c[BETA2]))
            eta = f32(f64(eta) * (np.sqrt(1.0 - b2**t) / (1.0 - b1**t)))
        for k in range(start, stop):
            j = index[k]
            g = slope * value[k]
            w = weight[j]
            if opt == ADAGRAD_RDA:
                after = _rda_weight(j, g, eta, one, two, memory, c, t)
            else:
                if opt == SGD:
                    delta = g
                elif opt <= NESTEROV:
                    delta = _momentum_step(opt, j, g, one, c)
                elif opt <= ADADELTA:
                    delta = _scaled_step(opt, j, g, one, two, three, c)
                else:
                    delta = _adam_step(opt, j, g, k == start, cost, w, one, two, memory, c, t)
                after = w - eta * (delta + strength * penalty_of(reg, w, ratio))
            if batch > 1:
                sums[j] += f64(after)
                counts[j] += 1
            else:
                weight[j] = after
        pending += 1
        if batch > 1 and pending == batch:
            average_batch(weight, sums, counts)
            pending = 0
    if pending > 0 and batch > 1:
        average_batch(weight, sums, counts)
    return total


@kernel
def average_batch(weight, sums, counts):  # type: ignore[no-untyped-def]
    """Write the mean of what each feature got in the batch, and empty the batch."""
    for j in range(weight.shape[0]):
        if counts[j] > 0:
            weight[j] = f32(sums[j] / f64(counts[j]))
            sums[j] = 0.0
            counts[j] = 0
