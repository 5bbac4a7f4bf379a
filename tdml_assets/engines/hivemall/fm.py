"""train_fm: factorisation machines for regression and classification. Elsewhere: formulas (``fm_kernels``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall import losses
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import numbers
from tdml_assets.engines.hivemall.fm_kernels import FINE, NO_SCORE, fm_pass
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tdml_assets.engines.hivemall.java_text import double_text, float_text, parse_float, parse_int
from tdml_assets.engines.hivemall.losses import Convergence
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, INT, STRING, Function, null_pointer, table_of

SHARED = (
    "c,classification f,factors= k,factor= p,num_features= seed= sigma= lambda0,lambda= eta= eta0= t,total_steps= power_t= "
    "iter= iters,iterations= cv_rate,convergence_rate= disable_cv,disable_cvtest adareg,adaptive_regularization "
    "va_ratio,validation_ratio= va_threshold,validation_threshold= early_stopping min,min_target= max,max_target= "
    "init_v= maxval,max_init_value= min_init_stddev= int_feature,feature_as_integer lambdaW0,lambda_w0= "
    "lambdaWi,lambda_wi= lambdaV,lambda_v= help "
)
#: Hivemall seeds with the clock where no seed is given; here equal inputs give equal models.
DEFAULT_SEED = 31
_STARTS = ("adjusted_random", "libffm", "random", "gaussian")
_SMALLEST, _LARGEST = 5e-324, float(np.finfo(np.float64).max)


def factors_of(options: Options, default: int) -> int:
    """The number of factors of ``-k`` or ``-f``."""
    return options.integer("k", default) if options.has("k") else options.integer("f", default)


def iterations_of(options: Options, default: int) -> int:
    """The number of passes of ``-iter`` or ``-iters``."""
    return options.integer("iter", default) if options.has("iter") else options.integer("iters", default)


def seed_of(options: Options) -> int:
    """The seed, where -1 is as good as none."""
    seed = options.integer("seed", -1, bits=64)
    return DEFAULT_SEED if seed == -1 else seed


def learning_rate(options: Options) -> tuple[int, float, float, float]:
    """Scheme, eta0, power and total steps: ``-eta x`` is fixed, ``-t n`` simple, otherwise inverse scaling."""
    if options.has("eta"):
        return losses.FIXED, float(np.float32(options.number("eta", 0.1))), 0.1, 0.0
    eta0 = float(np.float32(options.number("eta0", 0.1)))
    if options.has("t"):
        return losses.SIMPLE, eta0, 0.1, float(options.integer("t", 0, bits=64))
    return losses.INVERSE, eta0, options.number("power_t", 0.1), 0.0


def lambdas(options: Options, default: float) -> tuple[float, float, float]:
    """Regularisation of the bias, the weights and the factors; none at all without an option string."""
    if not options.given:
        return 0.0, 0.0, 0.0
    base = options.number("lambda0", default)
    return options.number("lambdaW0", base), options.number("lambdaWi", base), options.number("lambdaV", base)


def targets(options: Options) -> tuple[float, float]:
    """The range that a regression's prediction is cut to; its lower end is the smallest positive number by default."""
    return options.number("min", _SMALLEST), options.number("max", _LARGEST)


def initial_factors(options: Options, factors: int, default: str) -> Iterator[list[np.float32]]:
    """Factors of one feature after the other, as Hivemall draws them."""
    name, seed = options.text("init_v", default).lower(), seed_of(options)
    name = name if name in _STARTS else default
    largest = np.float32(options.number("maxval", 0.5))
    if name == "gaussian":
        deviation = max(options.number("min_init_stddev", 0.1), 1.0 / factors if factors else 0.0)
        sources = [JavaRandom(seed + place) for place in range(factors)]
        while True:
            yield [np.float32(deviation * source.next_gaussian()) for source in sources]
    scales = {
        "random": largest,
        "adjusted_random": np.float32(largest / np.float32(factors or 1)),
        "libffm": np.float32(float(largest) / np.sqrt(factors or 1)),
    }
    source = JavaRandom(seed)
    while True:
        yield [np.float32(source.next_float() * scales[name]) for _ in range(factors)]


def hold_out(options: Options, count: int) -> np.ndarray:
    """Which rows adapt the regularisation or stop training: drawn once, after the first ``-va_threshold`` training rows."""
    held = np.zeros(count, np.int8)
    ratio = options.number("va_ratio", 0.05)
    if not 0 <= ratio < 1:
        raise HivemallError(f"validation_ratio should be in range [0, 1): {np.float32(ratio)}")
    if not (options.has("adareg") or options.has("early_stopping")):
        return held
    threshold, source, trained = options.integer("va_threshold", 1000), JavaRandom(seed_of(options) + 31), 0
    for row in range(count):
        if trained >= threshold and source.next_float() < np.float32(ratio):
            held[row] = 1
        else:
            trained += 1
    return held


def targets_of(labels: Sequence[object], *, classify: bool) -> np.ndarray:
    """Targets as doubles; a classification's are 1 above 0 and else -1."""
    if None in labels:
        raise null_pointer("a target")
    values = np.array(numbers(list(labels)), np.float64)
    return np.where(values > 0, 1.0, -1.0) if classify else values


def not_finite(ended: int, value: float) -> HivemallError:
    """The refusal of a prediction or a weight that is NaN or infinite."""
    if ended == NO_SCORE:
        return HivemallError(f"Detected {double_text(value)} in predict. We recommend to normalize training examples.")
    return HivemallError(f"Got {float_text(value)} for next W. We recommend to normalize training examples.")


class Stop:
    """Stops by convergence of the training loss, or when the loss of held-out rows rose in two passes running."""

    def __init__(self, options: Options) -> None:
        self._convergence = Convergence(options.number("cv_rate", 0.005), check=not options.has("disable_cv"))
        self._early = options.has("early_stopping")
        self._held: float | None = None
        self._rose = False

    def reached(self, loss: float, held: float) -> bool:
        """Take the losses of a pass."""
        if self._early:
            before, self._held = self._held, held
            rises = before is not None and held > before
            done, self._rose = rises and self._rose, rises
            if done:
                return True
        return self._convergence.reached(loss)


def index_of(name: str) -> int:
    """A positive index written in digits."""
    try:
        index = parse_int(name)
    except HivemallError as error:
        raise HivemallError(f"Invalid index value: {name}: {error}") from error
    if index <= 0:
        raise HivemallError(f"Feature index MUST be greater than 0: {name}")
    return index


def value_of(text: str) -> float:
    """The value of a feature."""
    try:
        return parse_float(text)
    except HivemallError as error:
        raise HivemallError(f"Invalid feature value: {text}: {error}") from error


def _split(item: str, limit: int, *, integer: bool) -> tuple[object, float]:
    name, colon, text = item.partition(":")
    key: object = index_of(name) if integer else name
    value = value_of(text) if colon else 1.0
    if key == "0":
        raise HivemallError(f"Index value should not be 0: {item}")
    if isinstance(key, int) and 0 <= limit < key:
        raise HivemallError(f"Index {key} out of bounds for length {limit + 1}")
    return key, value


def _train_fm(rows: pa.Table, options: Options) -> pa.Table:
    classify, integer = options.has("c"), options.has("int_feature")
    factors = factors_of(options, 5)
    iterations, limit = iterations_of(options, 10), options.integer("p", -1)
    low, high = targets(options)
    w0, wi, v = lambdas(options, 1e-4)
    scheme = learning_rate(options)
    hold_out(options, 0)
    places: dict[object, int] = {}
    indptr, index, value, labels = [0], [], [], []
    given = rows.column(1).to_pylist()
    for number, items in enumerate(rows.column(0).to_pylist()):
        if not items:
            continue
        if given[number] is None:
            raise HivemallError(f"NullPointerException: the target of row {number} is null.")
        parsed = [_split(str(item), limit, integer=integer) for item in items if item is not None]
        norm = np.sqrt(sum(x * x for _, x in parsed)) if options.has("enable_norm") else 0.0
        for name, x in parsed:
            index.append(places.setdefault(name, len(places)))
            value.append(x * (1.0 / norm) if norm else x)
        indptr.append(len(index))
        labels.append(given[number])
    names = list(places)
    draws = initial_factors(options, factors, "gaussian" if classify else "adjusted_random")
    factor = np.array([next(draws) for _ in names], np.float32).reshape(len(names), factors)
    bias, weight = np.zeros(1, np.float32), np.zeros(len(names), np.float32)
    strength, strength_v = np.array([w0, wi], np.float32), np.full(factors, v, np.float32)
    memory, held, stop = np.zeros(3), hold_out(options, len(labels)), Stop(options)
    arrays = (np.array(indptr, np.int64), np.array(index, np.int64), np.array(value, np.float64))
    label = targets_of(labels, classify=classify)
    for _ in range(max(iterations, 1) if labels else 0):
        ended = fm_pass(
            *(*arrays, label, held, bias, weight, factor, strength, strength_v, memory),
            *(classify, options.has("adareg"), *scheme, low, high),
        )
        if ended != FINE:
            raise not_finite(ended, memory[1])
        if stop.reached(memory[1], memory[2]):
            break
    kept = [place for place, name in enumerate(names) if not (integer and limit >= 0) or int(str(name)) < limit]
    none = [] if not labels else [0 if integer else "0"]
    columns = {
        "feature": [*none, *(names[place] for place in kept)],
        "w_i": [*(bias if labels else []), *(weight[place] for place in kept)],
        "v_if": [*([None] if labels else []), *(factor[place] for place in kept)],
    }
    return table_of(columns, {"feature": INT if integer else STRING, "w_i": FLOAT, "v_if": pa.list_(FLOAT)})


FUNCTIONS = {"train_fm": Function(_train_fm, declare(SHARED + "enable_norm,l2norm"), 2, 2)}
