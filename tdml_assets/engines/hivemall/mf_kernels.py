"""Kernels of matrix factorisation: train_mf_sgd, train_mf_adagrad and train_bprmf.

Elsewhere: options, initial values and tables (``mf``).
"""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall.compiled import f32, f64, kernel
from tdml_assets.engines.hivemall.losses import rate_at

SIGMOID, LOGISTIC, LN_LOGISTIC = range(3)


@kernel
def _scaled(eta, gradient, squares, adagrad, eps, scale):  # type: ignore[no-untyped-def]
    """The step for a gradient, and the new sum of squares."""
    if not adagrad:
        return f32(f64(eta) * gradient), squares
    squares = squares + gradient * (gradient / scale)
    return f32(f64(eta / f32(np.sqrt(eps + squares * scale))) * gradient), squares


@kernel
def mf_pass(  # type: ignore[no-untyped-def]
    user,
    item,
    rating,
    p_factor,
    q_factor,
    p_bias,
    q_bias,
    p_square,
    q_square,
    u_square,
    i_square,
    mean,
    memory,
    biased,
    moving,
    adagrad,
    strength,
    scheme,
    eta0,
    power,
    steps,
    eps,
    scale,
):
    """One pass over ratings; returns the loss. All steps of a row start from the values before the row."""
    factors = p_factor.shape[1]
    loss = f64(0.0)
    for row in range(rating.shape[0]):
        u, i = user[row], item[row]
        memory[0] += 1.0
        score = f64(mean[0] + p_bias[u] + q_bias[i]) if biased else f64(mean[0])
        for f in range(factors):
            score += f64(p_factor[u, f] * q_factor[i, f])
        error = rating[row] - score
        loss += error * error
        eta = rate_at(scheme, eta0, power, steps, memory[0])
        for f in range(factors):
            p, q = p_factor[u, f], q_factor[i, f]
            step, q_square[i, f] = _scaled(eta, error * f64(p) - f64(strength * q), q_square[i, f], adagrad, eps, scale)
            q_factor[i, f] = q + step
            step, p_square[u, f] = _scaled(eta, error * f64(q) - f64(strength * p), p_square[u, f], adagrad, eps, scale)
            p_factor[u, f] = p + step
            loss += f64(strength * q * q)
            loss += f64(strength * p * p)
        if biased:
            bu, bi = p_bias[u], q_bias[i]
            if adagrad:
                step, u_square[u] = _scaled(eta, error - f64(strength * p_bias[u]), u_square[u], adagrad, eps, scale)
                p_bias[u] = p_bias[u] + step
                step, i_square[i] = _scaled(eta, error - f64(strength * q_bias[i]), i_square[i], adagrad, eps, scale)
                q_bias[i] = q_bias[i] + step
            else:
                bu = f32(f64(bu) + f64(eta) * (error - f64(strength * bu)))
                bi = f32(f64(bi) + f64(eta) * (error - f64(strength * bi)))
                p_bias[u], q_bias[i] = bu, bi
            loss += f64(strength * bu * bu)
            loss += f64(strength * bi * bi)
        if moving:
            if adagrad:
                step, memory[1] = _scaled(eta, error, memory[1], adagrad, eps, scale)
                mean[0] = mean[0] + step
            else:
                mean[0] = f32(f64(mean[0]) + f64(eta) * error)
    return loss


@kernel
def bpr_pass(  # type: ignore[no-untyped-def]
    user,
    positive,
    negative,
    p_factor,
    q_factor,
    q_bias,
    memory,
    biased,
    kind,
    scheme,
    eta0,
    power,
    steps,
    strength_u,
    strength_i,
    strength_j,
    strength_bias,
):
    """One pass over triples; returns the loss of the convergence check, which is the penalty alone."""
    factors = p_factor.shape[1]
    loss = f64(0.0)
    for row in range(user.shape[0]):
        u, i, j = user[row], positive[row], negative[row]
        memory[0] += 1.0
        left, right = f64(q_bias[i]), f64(q_bias[j])
        for f in range(factors):
            left += f64(p_factor[u, f] * q_factor[i, f])
            right += f64(p_factor[u, f] * q_factor[j, f])
        x = left - right
        if kind == LN_LOGISTIC:
            slope = np.exp(-x) / (f64(1.0) + np.exp(-x))
        elif kind == SIGMOID:
            slope = f64(1.0) / (f64(1.0) + np.exp(x))
        else:
            cut = -23.0 if x < -23.0 else (23.0 if x > 23.0 else x)
            sigmoid = f64(1.0) / (f64(1.0) + np.exp(-cut))
            slope = sigmoid * (f64(1.0) - sigmoid)
        eta = f64(rate_at(scheme, eta0, power, steps, memory[0]))
        for f in range(factors):
            p, qi, qj = p_factor[u, f], q_factor[i, f], q_factor[j, f]
            p_factor[u, f] = p + f32(eta * (slope * f64(qi - qj) - f64(strength_u * p)))
            q_factor[i, f] = qi + f32(eta * (slope * f64(p) - f64(strength_i * qi)))
            q_factor[j, f] = qj + f32(eta * (-slope * f64(p) - f64(strength_j * qj)))
            loss += f64(strength_u * p * p)
            loss += f64(strength_i * qi * qi)
            loss += f64(strength_j * qj * qj)
        if biased:
            bi = q_bias[i]
            bi = f32(f64(bi) + eta * (slope - f64(strength_bias * bi)))
            q_bias[i] = bi
            loss += f64(strength_bias * bi * bi)
            bj = q_bias[j]
            bj = f32(f64(bj) + eta * (-slope - f64(strength_bias * bj)))
            q_bias[j] = bj
            loss += f64(strength_bias * bj * bj)
    return loss
