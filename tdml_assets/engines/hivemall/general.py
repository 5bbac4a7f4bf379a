"""train_classifier and train_regressor: options, iterations, and the model table.

Elsewhere: formulas (``losses``, ``general_kernel``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall import general_kernel as gk
from tdml_assets.engines.hivemall import losses
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import SparseRows, numbers, read_features, read_labels, signs
from tdml_assets.engines.hivemall.fm import iterations_of
from tdml_assets.engines.hivemall.java_text import float_text, hash_order, parse_float
from tdml_assets.engines.hivemall.losses import Convergence
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, Function, table_of

#: Options of every linear learner. Those of the parameter server are accepted and have no effect: there is one process.
SHARED = (
    "dense,densemodel dims,feature_dimensions= disable_halffloat mini_batch,mini_batch_size= mix,mix_servers= "
    "mix_cancel,enable_mix_canceling mix_session,mix_session_name= mix_threshold= ssl help "
)
OPTIONS = declare(
    SHARED + "loss,loss_function= opt,optimizer= reg,regularization= iter= iters,iterations= cv_rate,convergence_rate= "
    "disable_cv,disable_cvtest eta= eta0= t,total_steps= power_t= eps= rho,decay= decay scale= lambda= l1_ratio= alpha= "
    "beta= beta1,momentum= beta2= beta3= c= amsgrad inspect_opts"
)
_OPTIMISERS = {
    "sgd": gk.SGD,
    "momentum": gk.MOMENTUM,
    "nesterov": gk.NESTEROV,
    "adagrad": gk.ADAGRAD,
    "rmsprop": gk.RMSPROP,
    "rmspropgraves": gk.GRAVES,
    "rmsprop_graves": gk.GRAVES,
    "adadelta": gk.ADADELTA,
    "adam": gk.ADAM,
    "nadam": gk.NADAM,
    "eve": gk.EVE,
    "adam_hd": gk.ADAM_HD,
    "adamhd": gk.ADAM_HD,
}
_SCHEMES = {
    "inverse": losses.INVERSE,
    "inv": losses.INVERSE,
    "invscaling": losses.INVERSE,
    "fixed": losses.FIXED,
    "simple": losses.SIMPLE,
}


_LARGEST_THRESHOLD = 127
_ADAMS = (gk.ADAM, gk.NADAM, gk.EVE, gk.ADAM_HD)
#: The optimisers that read a setting.
_READ = {
    gk.MU: (gk.MOMENTUM, gk.NESTEROV, gk.GRAVES),
    gk.ALPHA: (gk.MOMENTUM, gk.NESTEROV, gk.GRAVES, *_ADAMS),
    gk.EPS: tuple(range(gk.ADAGRAD, gk.ADAGRAD_RDA + 1)),
    gk.SCALE: (gk.ADAGRAD, gk.RMSPROP, gk.GRAVES, gk.ADADELTA, gk.ADAGRAD_RDA),
    gk.RHO: (gk.RMSPROP, gk.GRAVES, gk.ADADELTA),
    gk.DECAY: _ADAMS,
    gk.BETA: (gk.ADAM_HD,),
    gk.BETA2: _ADAMS,
    gk.BETA3: (gk.EVE,),
    gk.CLIP: (gk.EVE,),
}
#: The names that ``-inspect_opts`` shows.
_SHOWN = {
    "momentum": gk.MU,
    "alpha": gk.ALPHA,
    "eps": gk.EPS,
    "scale": gk.SCALE,
    "decay": gk.RHO,
    "beta2": gk.BETA2,
    "beta3": gk.BETA3,
    "c": gk.CLIP,
    "beta": gk.BETA,
}


class Plan(NamedTuple):
    """What the options of a general learner resolve to; ``settings`` is the kernel's array."""

    loss: int
    loss_name: str
    optimiser: int
    optimiser_name: str
    regulariser: int
    regulariser_name: str
    scheme: int
    settings: np.ndarray
    iterations: int
    batch: int
    dense: bool
    rate: float
    check: bool


def resolve(options: Options, default_loss: str, *, regression: bool) -> Plan:
    """Read the options; impossible values and combinations raise HivemallError with Hivemall's words.

    Of an option of the optimiser given twice the last one counts, of the others the first.
    """
    batch = batch_size(options)
    iterations = iterations_of(options, 10)
    if iterations < 1:
        raise HivemallError(f"'-iterations' must be greater than or equals to 1: {iterations}")
    name = options.text("loss", default_loss)
    if name.lower() not in losses.LOSSES:
        raise HivemallError(f"Unsupported loss function name: {name}. Known: {', '.join(losses.LOSSES)}.")
    loss, loss_name, binary = losses.LOSSES[name.lower()]
    if regression and binary:
        raise HivemallError(f"The loss function `{loss_name}` is not designed for regression")
    rate, check, inspected = (
        options.number("cv_rate", 0.005),
        not options.has("disable_cv"),
        options.has("inspect_opts"),
    )
    options = options.last()
    optimiser_name, regulariser_name = options.text("opt", "adagrad").lower(), options.text("reg", "rda").lower()
    if regulariser_name not in losses.REGULARISERS:
        raise HivemallError(f"Unsupported regularization name: {options.text('reg')}")
    regulariser = losses.REGULARISERS[regulariser_name]
    if regulariser == losses.RDA and optimiser_name != "adagrad":
        raise HivemallError(
            f"`-regularization rda` is only supported for AdaGrad but `-optimizer {optimiser_name}`. "
            "Please specify `-regularization l1` and so on."
        )
    if optimiser_name not in _OPTIMISERS:
        raise HivemallError(f"Unsupported optimizer name: {optimiser_name}")
    rda = regulariser == losses.RDA
    optimiser = gk.ADAGRAD_RDA if rda else _OPTIMISERS[optimiser_name]
    scheme, settings = _settings(options, optimiser, elastic=regulariser == losses.ELASTIC_NET)
    plan = Plan(
        loss,
        loss_name,
        optimiser,
        "adagrad_rda" if rda else optimiser_name,
        losses.NO if rda else regulariser,
        "no" if rda else regulariser_name,
        scheme,
        settings,
        iterations,
        batch,
        options.has("dense"),
        rate,
        check,
    )
    if inspected:
        raise HivemallError("Inspected Optimizer options ...\n" + inspect(plan))
    return plan


def batch_size(options: Options) -> int:
    """The mini batch; below 1 is refused, and so are other options of every learner that Hivemall cannot read."""
    if options.has("dense"):
        options.integer("dims", 0)
    batch, threshold = options.integer("mini_batch", 1), options.integer("mix_threshold", 3)
    if batch < 1:
        raise HivemallError(f"mini_batch_size must be greater than 0: {batch}")
    if threshold > _LARGEST_THRESHOLD:
        raise HivemallError(f"mix_threshold must be in range (0,127]: {threshold}")
    return batch


def _settings(options: Options, optimiser: int, *, elastic: bool) -> tuple[int, np.ndarray]:
    fixed = optimiser in (gk.ADADELTA, gk.ADAM_HD)
    settings = np.zeros(gk.SETTINGS)
    eta0 = options.number("eta0", 1.0 if fixed else 0.1)
    text = options.text("eta", "fixed" if fixed else "inverse")
    if text.lower() in _SCHEMES:
        scheme = _SCHEMES[text.lower()]
    else:
        scheme = losses.FIXED
        try:
            eta0 = parse_float(text)
        except HivemallError as error:
            raise HivemallError(f"Unsupported ETA name: {text}") from error
    if scheme == losses.SIMPLE and not options.has("t"):
        raise HivemallError("-total_steps MUST be provided when `-eta simple` is specified")
    adam = gk.ADAM <= optimiser <= gk.ADAM_HD
    eps = 1e-8 if adam else (1e-6 if optimiser == gk.ADADELTA else 1.0)
    values = {
        gk.EPS: ("eps", eps),
        gk.SCALE: ("scale", 100.0),
        gk.RHO: ("rho", 0.95),
        gk.MU: ("beta1", 0.9),
        gk.ALPHA: ("alpha", 0.02 if optimiser == gk.ADAM_HD else 1.0),
        gk.BETA: ("beta", 1e-6),
        gk.BETA2: ("beta2", 0.999),
        gk.BETA3: ("beta3", 0.999),
        gk.CLIP: ("c", 10.0),
        gk.DECAY: ("rho", 0.0),
    }
    for place, (name, default) in values.items():
        # Hivemall does not look at the options of other optimisers.
        settings[place] = options.number(name, default) if optimiser in _READ[place] else default
    settings[gk.ETA0], settings[gk.POWER] = float(np.float32(eta0)), options.number("power_t", 0.1)
    settings[gk.STEPS] = options.integer("t", 0, bits=64) if scheme == losses.SIMPLE else 0
    settings[gk.LAMBDA] = options.number("lambda", 1e-6 if optimiser == gk.ADAGRAD_RDA else 1e-4)
    settings[gk.RATIO] = _ratio(options) if elastic else 0.5
    settings[gk.AMSGRAD], settings[gk.DENSE] = options.has("amsgrad"), options.has("dense")
    return scheme, settings


def _ratio(options: Options) -> float:
    ratio = options.number("l1_ratio", 0.5)
    if not 0 <= ratio <= 1:
        raise HivemallError(f"L1 ratio should be in [0.0, 1.0], but got {float_text(ratio)}")
    return ratio


class Training:
    """The state of a general learner over its passes: ``weight`` is one float32 per feature."""

    def __init__(self, size: int, plan: Plan) -> None:
        self._plan = plan
        self.weight = np.zeros(size, np.float32)
        self._state = [np.zeros(size, np.float32) for _ in range(3)]
        self._memory = np.zeros(gk.MEMORY)
        self._memory[1], self._memory[3], self._memory[4] = 1.0, 1.0, plan.settings[gk.ALPHA]
        self._batch = (np.zeros(size), np.zeros(size, np.int64))

    def one_pass(self, rows: SparseRows, label: np.ndarray) -> float:
        """Train on the rows once; returns the sum of their losses."""
        plan = self._plan
        loss = gk.general_pass(
            *(rows.indptr, rows.index, rows.value, label, self.weight, *self._state, self._memory, *self._batch),
            *(plan.loss, plan.optimiser, plan.regulariser, plan.scheme, plan.batch, plan.settings),
        )
        return float(loss)


def train(rows: SparseRows, label: np.ndarray, plan: Plan) -> np.ndarray:
    """Pass over the rows until the loss converges or the iterations are over; returns the weights."""
    training = Training(len(rows.names), plan)
    convergence = Convergence(plan.rate, check=plan.check)
    for _ in range(plan.iterations):
        if convergence.reached(training.one_pass(rows, label)):
            break
    return training.weight


def _learner(default_loss: str, *, regression: bool) -> Function:
    def call(rows: pa.Table, options: Options) -> pa.Table:
        plan = resolve(options, default_loss, regression=regression)
        features = read_features(rows.column(0), dense=plan.dense)
        labels = read_labels(rows.column(1), features.kept)
        label = np.array(numbers(labels), np.float32) if regression else signs(labels, truncate=False)
        weight = train(features, label, plan)
        places = np.flatnonzero(weight)
        columns = {"feature": [features.names[place] for place in places], "weight": weight[places]}
        return table_of(columns, {"feature": features.kind, "weight": FLOAT})

    return Function(call, OPTIONS, 2, 2)


def inspect(plan: Plan) -> str:
    """The resolved hyperparameters as ``-inspect_opts`` prints them."""
    c, opt = plan.settings, plan.optimiser
    values: dict[str, object] = {"optimizer": plan.optimiser_name.replace("rmspropgraves", "rmsprop_graves")}
    values |= {"regularization": plan.regulariser_name, "loss_function": plan.loss_name, "iterations": plan.iterations}
    values |= {"eta": ("Invscaling", "Fixed", "Simple")[plan.scheme], "eta0": float_text(c[gk.ETA0])}
    values |= {"lambda": float_text(c[gk.LAMBDA]), "cv_rate": plan.rate, "disable_cvtest": str(not plan.check).lower()}
    if plan.scheme == losses.INVERSE:
        values["power_t"] = float_text(c[gk.POWER])
    if opt in (gk.MOMENTUM, gk.NESTEROV):
        values |= {"nesterov": str(opt == gk.NESTEROV).lower()}
    shown = {place: name for name, place in _SHOWN.items() if opt in _READ[place]}
    if opt == gk.GRAVES:
        shown.pop(gk.SCALE)
    values |= {name: float_text(c[place]) for place, name in shown.items()}
    if gk.ADAM <= opt <= gk.ADAM_HD:
        values |= {"beta1": "0.9", "decay": float_text(c[gk.DECAY])}
    if opt == gk.NADAM:
        values["scheduleDecay"] = "0.004"
    return "{" + ", ".join(f"{name}={values[name]}" for name in hash_order(values)) + "}"


FUNCTIONS = {
    "train_classifier": _learner("hinge", regression=False),
    "train_regressor": _learner("squared", regression=True),
}
