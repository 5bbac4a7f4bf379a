"""train_mf_sgd, train_mf_adagrad and train_bprmf: matrix factorisation of ratings and of preferences.

Elsewhere: formulas (``mf_kernels``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall import losses, mf_kernels
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.fm import factors_of, iterations_of, learning_rate
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tdml_assets.engines.hivemall.losses import Convergence
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, INT, Function, table_of

_SHARED = (
    "k,factor= f,factors= iter= iters,iterations= rankinit= maxval,max_init_value= min_init_stddev= disable_cv,disable_cvtest "
    "cv_rate,convergence_rate= disable_bias,no_bias help "
)
_RATE = "eta= eta0= t,total_steps= power_t= "
#: The seeds that Hivemall fixes in its code, of the users' and of the items' factors.
_USER_SEED, _ITEM_SEED = 31, 41
_BOLD_START, _BOLD_UP, _BOLD_DOWN = 0.3, np.float32(1.1), np.float32(0.5)


def _factors(options: Options) -> int:
    return factors_of(options, 10)


def _iterations(options: Options, default: int, words: str) -> int:
    iterations = iterations_of(options, default)
    if iterations < 1:
        raise HivemallError(f"'-iterations' must be {words} 1: {iterations}")
    return iterations


def _start(ids: np.ndarray, size: int, seed: int, options: Options) -> np.ndarray:
    """Factors (size, k) of the ids, drawn in the order of their first rows; the others stay 0."""
    factors, name = _factors(options), options.text("rankinit", "random").lower()
    start = np.zeros((size, factors), np.float32)
    first = list(dict.fromkeys(ids.tolist()))
    if name == "gaussian":
        deviation = max(options.number("min_init_stddev", 0.1), 1.0 / factors)
        sources = [JavaRandom(seed + place) for place in range(factors)]
        for one in first:
            start[one] = [np.float32(deviation * source.next_gaussian()) for source in sources]
        return start
    source, largest = JavaRandom(seed), np.float32(options.number("maxval", 1.0))
    for one in first:
        start[one] = [np.float32(source.next_float() * largest / np.float32(factors)) for _ in range(factors)]
    return start


def _ids(rows: pa.Table, names: tuple[str, ...]) -> list[np.ndarray]:
    """The id columns; a null or negative id is refused."""
    found = []
    for place, name in enumerate(names):
        column = rows.column(place)
        if column.null_count:
            raise HivemallError(f"NullPointerException: the {name} index is null.")
        ids = column.cast(pa.int64()).to_numpy()
        if ids.size and ids.min() < 0:
            raise HivemallError(f"Illegal {name} index: {ids.min()}")
        found.append(ids)
    return found


def _model(parts: dict[str, tuple[np.ndarray, np.ndarray | None]], size: int, mean: float | None = None) -> pa.Table:
    """A table by id from 0 to the largest; factors are null where the id never occurred."""
    columns: dict[str, object] = {"idx": list(range(size))}
    kinds: dict[str, pa.DataType] = {"idx": INT}
    for name, (values, seen) in parts.items():
        if values.ndim == 1:
            columns[name], kinds[name] = values, FLOAT
        else:
            marks = np.ones(size, bool) if seen is None else seen
            columns[name] = [values[place] if marks[place] else None for place in range(size)]
            kinds[name] = pa.list_(FLOAT)
    if mean is not None:
        columns["mu"], kinds["mu"] = [mean] * size, FLOAT
    return table_of(columns, kinds)


def _seen(size: int, *ids: np.ndarray) -> np.ndarray:
    marks = np.zeros(size, bool)
    for some in ids:
        marks[some] = True
    return marks


def _mf(*, adagrad: bool) -> Function:
    def call(rows: pa.Table, options: Options) -> pa.Table:
        iterations = _iterations(options, 1, "greater than or equal to")
        biased, moving = not options.has("disable_bias"), options.has("update_mean")
        if moving and not biased:
            raise HivemallError("Cannot set both `update_mean` and `no_bias` option")
        user, item = _ids(rows, ("user", "item"))
        if rows.column(2).null_count:
            raise HivemallError("NullPointerException: a rating is null.")
        rating = rows.column(2).cast(pa.float64()).to_numpy()
        size = int(max(user.max(), item.max())) + 1 if user.size else 0
        factors = [_start(user, size, _USER_SEED, options), _start(item, size, _ITEM_SEED, options)]
        biases = [np.zeros(size, np.float32) for _ in range(2)]
        squares = [np.zeros_like(factors[0], np.float64) for _ in range(2)] + [np.zeros(size) for _ in range(2)]
        mean, memory = np.array([options.number("mu", 0.0)], np.float32), np.zeros(2)
        rate = (losses.FIXED, float(np.float32(options.number("eta", 1.0))), 0.1, 0.0)
        if not adagrad:
            rate = learning_rate(options)
        convergence = Convergence(options.number("cv_rate", 0.005), check=not options.has("disable_cv"))
        for number in range(iterations):
            loss = mf_kernels.mf_pass(
                *(user, item, rating, *factors, *biases, *squares, mean, memory, biased, moving, adagrad),
                *(np.float32(options.number("r", 0.03)), *rate),
                *(
                    float(np.float32(options.number(name, default)))
                    for name, default in (("eps", 1.0), ("scale", 100.0))
                ),
            )
            # Hivemall halves the loss of every pass but the first.
            if convergence.reached(float(loss) if number == 0 else float(loss) / 2):
                break
        parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
            "pu": (factors[0], _seen(size, user)),
            "qi": (factors[1], _seen(size, item)),
        }
        if biased:
            parts |= {"bu": (biases[0], None), "bi": (biases[1], None)}
        return _model(parts, size, float(mean[0]) if moving else None)

    extra = "r,lambda= mu,mean_rating= update_mean,update_mu " + ("eta,eta0= eps= scale=" if adagrad else _RATE)
    return Function(call, declare(_SHARED + extra), 3, 3)


_BPR_LOSSES = {"sigmoid": mf_kernels.SIGMOID, "logistic": mf_kernels.LOGISTIC, "lnlogistic": mf_kernels.LN_LOGISTIC}


def _bprmf(rows: pa.Table, options: Options) -> pa.Table:
    iterations = _iterations(options, 30, "greater than or equals to")
    user, positive, negative = _ids(rows, ("u", "i", "j"))
    name = options.text("loss", "lnLogistic").lower()
    if name not in _BPR_LOSSES:
        raise HivemallError(f"Unexpected loss function: {options.text('loss')}. Known: sigmoid, logistic, lnLogistic.")
    users, items = user, np.stack([positive, negative], axis=1).ravel()
    size = int(max(users.max(), items.max())) + 1 if user.size else 0
    p_factor, q_factor = _start(users, size, _USER_SEED, options), _start(items, size, _ITEM_SEED, options)
    bias, memory = np.zeros(size, np.float32), np.zeros(1)
    biased = not options.has("disable_bias")
    strength = options.number("reg", 0.0025)
    strength_i = options.number("reg_i", strength)
    strengths = (options.number("reg_u", strength), strength_i, options.number("reg_j", strength_i / 2))
    scheme, eta0, power, steps = learning_rate(options)
    start, bold = eta0, options.has("boldDriver")
    if bold:
        start = options.number("eta", _BOLD_START)
        scheme, eta0 = losses.FIXED, float(np.float32(start))
    convergence = Convergence(options.number("cv_rate", 0.005), check=not options.has("disable_cv"))
    before: float | None = None
    for number in range(iterations):
        loss = float(
            mf_kernels.bpr_pass(
                *(user, positive, negative, p_factor, q_factor, bias, memory, biased, _BPR_LOSSES[name]),
                *(scheme, eta0, power, steps, *(np.float32(part) for part in strengths)),
                np.float32(options.number("reg_bias", 0.01)),
            )
        )
        if not all(np.isfinite(part).all() for part in (p_factor, q_factor, bias)):
            raise HivemallError("Detected NaN or Infinity in the factors. Use a lower learning rate.")
        loss = loss if number == 0 else loss / 2  # Hivemall halves the loss of every pass but the first
        if convergence.reached(loss):
            break
        if bold and before is not None:
            step = np.float32(eta0) * (_BOLD_UP if loss > before else _BOLD_DOWN)
            eta0 = min(float(step), float(np.float32(start))) if np.isfinite(step) else eta0
        before = loss
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
        "pu": (p_factor, _seen(size, user)),
        "qi": (q_factor, _seen(size, positive, negative)),
    }
    if biased:
        parts["bi"] = (bias, None)
    return _model(parts, size)


FUNCTIONS = {
    "train_mf_sgd": _mf(adagrad=False),
    "train_mf_adagrad": _mf(adagrad=True),
    "train_bprmf": Function(
        _bprmf,
        declare(
            _SHARED
            + _RATE
            + "loss,loss_function= reg,lambda= reg_u,reg_user= reg_i,reg_item= reg_j= reg_bias= boldDriver,bold_driver"
        ),
        3,
        3,
    ),
}
