"""train_ffm: field-aware factorisation machines. Elsewhere: formulas (``fm_kernels``)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall import fm_kernels as fk
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.fm import (
    SHARED,
    Stop,
    factors_of,
    index_of,
    initial_factors,
    iterations_of,
    lambdas,
    learning_rate,
    not_finite,
    targets,
    targets_of,
    value_of,
)
from tdml_assets.engines.hivemall.hashing import hashed
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, INT, Function, table_of

_OPTIONS = declare(
    SHARED
    + "enable_norm,l2norm w0,global_bias enable_wi,linear_term no_norm,disable_norm num_fields= feature_hashing= "
    "opt,optimizer= eps= alpha,alphaFTRL= beta,betaFTRL= l1,lambda1= l2,lambda2="
)
_RULES = {"ftrl": fk.FTRL, "adagrad": fk.ADAGRAD, "sgd": fk.SGD}
_DEFAULT_FIELDS, _LARGEST_FIELD = 256, 2**15
_LEAST_BITS, _MOST_BITS = 18, 31


def parse_item(item: str, fields: int, features: int | None) -> tuple[int, int, float]:
    """Field, index and value of ``field:index:value``.

    Without a number of features to hash into, an index of digits stays as it is.
    """
    name, colon, rest = item.partition(":")
    if not colon:
        raise HivemallError(f"Invalid FFM feature format: {item}")
    index, colon, text = rest.partition(":")
    if not colon:
        raise HivemallError(f"Invalid FFM feature representation. Expected <field>:<index>:<value> but got {item}")
    field = int(name) if name.isdecimal() else hashed(name, fields)
    if field >= min(fields, _LARGEST_FIELD):
        raise HivemallError(f"Invalid field value: {name}")
    place = index_of(index) if features is None and index.isdecimal() else hashed(index, features or 1) + fields
    return field, place, value_of(text)


def _hashing(options: Options) -> tuple[int, int | None]:
    """The number of fields, and the number of features to hash into: of ``-p``, else of the bits of ``-feature_hashing``."""
    fields = options.integer("num_fields", _DEFAULT_FIELDS)
    count, bits = options.integer("p", -1), options.integer("feature_hashing", -1)
    if count == -1 and bits != -1:
        if not _LEAST_BITS <= bits <= _MOST_BITS:
            raise HivemallError(f"-feature_hashing MUST be in range [{_LEAST_BITS},{_MOST_BITS}]: {bits}")
        count = 1 << bits
    if fields <= 1:
        raise HivemallError(f"-num_fields MUST be greater than 1: {fields}")
    return fields, None if count == -1 else count


class _Rows:
    """Parsed rows: items, and for every pair of a row the place of the factor of one item towards the field of the other."""

    def __init__(self, rows: pa.Table, options: Options) -> None:
        self.fields, count = _hashing(options)
        norm = options.given and not options.has("no_norm")
        self.places: dict[int, int] = {}
        self.keys: dict[int, int] = {}
        self.drawn: dict[int, None] = {}
        indptr, pairs, slots, self.items, self.labels = [0], [0], [], [], []
        given = rows.column(1).to_pylist()
        for number, texts in enumerate(rows.column(0).to_pylist()):
            if not texts:
                continue
            parsed = [parse_item(text, self.fields, count) for text in texts if text is not None]
            length = float(np.sqrt(sum(x * x for _, _, x in parsed))) if norm else 0.0
            self._draw(parsed)
            slots += [self._slot(index, field) for _, index, _ in parsed for field, _, _ in parsed]
            for field, index, x in parsed:
                self.items.append(
                    (self.places.setdefault(index, len(self.places)), field, x * (1.0 / length) if length else x)
                )
            indptr.append(len(self.items))
            pairs.append(len(slots))
            self.labels.append(given[number])
        self.indptr, self.pairs, self.slots = (np.array(part, np.int64) for part in (indptr, pairs, slots))

    def _slot(self, index: int, field: int) -> int:
        return self.keys.setdefault(index * self.fields + field, len(self.keys))

    def _draw(self, parsed: list[tuple[int, int, float]]) -> None:
        """Note which factors a prediction asks for, in its order: only these are drawn."""
        for place, (field, index, _) in enumerate(parsed):
            for other_field, other, _ in parsed[place + 1 :]:
                for key in ((index, other_field), (other, field)):
                    self.drawn.setdefault(self._slot(*key))


def _optimiser(options: Options, factors: int) -> tuple[str, list[float]]:
    """The name of the optimiser, an unknown one is ``sgd``, and alpha, beta, l1 and l2; impossible options are refused."""
    if factors < 1:
        raise HivemallError(f"Factors must be greather than 0: {factors}")
    if options.has("int_feature"):
        raise HivemallError("int_feature option is not supported yet for FFM")
    if options.has("enable_norm") and options.has("no_norm"):
        raise HivemallError("-enable_norm and -disable_norm MUST NOT be used simultaneously")
    name = options.text("opt", "ftrl" if options.given else "sgd").lower()
    ftrl = [
        options.number(key, default) for key, default in (("alpha", 0.5), ("beta", 1.0), ("l1", 2e-4), ("l2", 1e-4))
    ]
    if name == "ftrl" and ftrl[0] == 0:
        raise HivemallError("-alphaFTRL SHOULD NOT be 0")
    return name if name in _RULES else "sgd", ftrl


def _train_ffm(rows: pa.Table, options: Options) -> pa.Table:
    classify = options.has("c")
    factors = factors_of(options, 5)
    name, ftrl = _optimiser(options, factors)
    data = _Rows(rows, options)
    count, size = len(data.keys), len(data.places)
    factor, alive = np.zeros((count, factors), np.float32), np.zeros(count, np.int8)
    draws = initial_factors(options, factors, "random")
    for place in data.drawn:
        factor[place], alive[place] = next(draws), 1
    # AdaGrad's sums of squares are doubles, those of the regularised leader are not.
    bias, kinds = np.zeros(1, np.float32), (np.float32, np.float32, np.float64 if name == "adagrad" else np.float32)
    weight = [np.zeros(size, kind) for kind in kinds]
    state = [np.zeros((count, factors), kind) for kind in kinds[1:]]
    memory, stop = np.zeros(3), Stop(options)
    feature = np.array([item[0] for item in data.items], np.int64)
    field = np.array([item[1] for item in data.items], np.int64)
    value = np.array([item[2] for item in data.items], np.float64)
    label = targets_of(data.labels, classify=classify)
    linear = options.has("enable_wi")
    strength = np.array(lambdas(options, 1e-4), np.float32)
    for _ in range(max(iterations_of(options, 10), 1) if data.labels else 0):
        ended = fk.ffm_pass(
            *(data.indptr, data.pairs, data.slots, feature, field, value, label, bias, *weight, factor, *state, alive),
            *(memory, _RULES[name], classify, options.has("w0"), linear, *learning_rate(options)),
            *(
                np.float32(options.number("eps", 1.0)),
                *(np.float32(part) for part in ftrl),
                strength,
                *targets(options),
            ),
        )
        if ended != fk.FINE:
            raise not_finite(ended, memory[1])
        if stop.reached(memory[1], 0.0):
            break
    columns: dict[str, list[object]] = {"i": [], "wi": [], "vi": []}
    if data.labels:
        columns = {"i": [0], "wi": [bias[0]], "vi": [None]}
    if linear:
        shown = np.flatnonzero(weight[0])
        indices = list(data.places)
        columns["i"] += [-indices[place] for place in shown]
        columns["wi"] += list(weight[0][shown])
        columns["vi"] += [None] * len(shown)
    kept = [(key, place) for key, place in data.keys.items() if alive[place]]
    columns["i"] += [key for key, _ in kept]
    columns["wi"] += [None] * len(kept)
    columns["vi"] += [factor[place] for _, place in kept]
    return table_of(columns, {"i": INT, "wi": FLOAT, "vi": pa.list_(FLOAT)})


FUNCTIONS = {"train_ffm": Function(_train_ffm, _OPTIONS, 2, 2)}
