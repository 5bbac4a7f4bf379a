"""train_ffm: field-aware factorisation machines.

Belongs here: options, parsing of ``field:index:value``, passes, the model table. Does not: formulas (``fm_kernels``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall import fm_kernels as fk
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.fm import (
    SHARED,
    Stop,
    factors_of,
    initial_factors,
    lambdas,
    learning_rate,
    targets,
    targets_of,
)
from tdml_assets.engines.hivemall.java_text import parse_float
from tdml_assets.engines.hivemall.murmur import hashed
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, INT, Function, table_of

_OPTIONS = declare(
    SHARED
    + "w0,global_bias disable_wi,no_coeff enable_wi,linear_term num_fields= feature_hashing= disable_norm,disable_l2norm "
    "opt,optimizer= eps= alpha,alphaFTRL= beta,betaFTRL= l1,lambda1= l2,lambda2= scale="
)
_RULES = {"ftrl": fk.FTRL, "adagrad": fk.ADAGRAD, "sgd": fk.SGD}
_DEFAULT_FIELDS = 256


def parse_item(item: str, fields: int, features: int | None) -> tuple[int, int, float]:
    """Field, index and value of ``field:index:value``; the value may be left out.

    Without a number of features to hash into, an index of digits stays as it is.
    """
    parts = item.split(":")
    if len(parts) not in (2, 3):
        raise HivemallError(f"Invalid FFM feature: {item}. Write field:index:value.")
    name, index = parts[0], parts[1]
    field = int(name) if name.isdecimal() else hashed(name, fields)
    if field >= fields:
        raise HivemallError(f"Invalid field value: {field}")
    place = int(index) if features is None and index.isdecimal() else hashed(index, features or 1) + fields
    return field, place, parse_float(parts[2]) if len(parts) == 3 else 1.0


class _Rows:
    """Parsed rows: items, and for every pair of a row the place of the factor of one item towards the field of the other."""

    def __init__(self, rows: pa.Table, options: Options) -> None:
        self.fields, bits = options.integer("num_fields", _DEFAULT_FIELDS), options.integer("feature_hashing", -1)
        count = 1 << bits if bits > 0 else None
        norm = options.given and not options.has("disable_norm")
        self.places: dict[int, int] = {}
        self.keys: dict[int, int] = {}
        self.drawn: dict[int, None] = {}
        indptr, pairs, slots, self.items, self.labels = [0], [0], [], [], []
        given = rows.column(1).to_pylist()
        for number, texts in enumerate(rows.column(0).to_pylist()):
            if not texts:
                continue
            parsed = [parse_item(text, self.fields, count) for text in texts if text is not None]
            length = float(np.sqrt(sum(x * x for _, _, x in parsed))) if norm else 1.0
            self._draw(parsed)
            slots += [self._slot(index, field) for _, index, _ in parsed for field, _, _ in parsed]
            for field, index, x in parsed:
                self.items.append((self.places.setdefault(index, len(self.places)), field, x / length if length else x))
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


def _train_ffm(rows: pa.Table, options: Options) -> pa.Table:
    classify = options.has("c")
    factors = factors_of(options, 5)
    name = options.text("opt", "ftrl" if options.given else "sgd").lower()
    if name not in _RULES:
        raise HivemallError(f"Unsupported optimizer: {name}. Known: {', '.join(_RULES)}.")
    data = _Rows(rows, options)
    count, size = len(data.keys), len(data.places)
    factor, alive = np.zeros((count, factors), np.float32), np.zeros(count, np.int8)
    draws = initial_factors(options, factors, "random")
    for place in data.drawn:
        factor[place], alive[place] = next(draws), 1
    bias, weight = np.zeros(1, np.float32), [np.zeros(size, np.float32) for _ in range(3)]
    state = [np.zeros((count, factors), np.float32) for _ in range(2)]
    memory, stop = np.zeros(3), Stop(options)
    feature = np.array([item[0] for item in data.items], np.int64)
    field = np.array([item[1] for item in data.items], np.int64)
    value = np.array([item[2] for item in data.items], np.float64)
    label = targets_of(data.labels, classify=classify)
    linear = options.has("enable_wi")
    strength = np.float32(lambdas(options, 1e-4)[2])
    ftrl = [
        options.number(key, default) for key, default in (("alpha", 0.5), ("beta", 1.0), ("l1", 2e-4), ("l2", 1e-4))
    ]
    for _ in range(max(options.integer("iters", options.integer("iter", 10)), 1) if data.labels else 0):
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
            raise HivemallError("Detected NaN in predict. We recommend to normalize training examples.")
        if stop.reached(memory[1], 0.0):
            break
    columns: dict[str, list[object]] = {"i": [], "wi": [], "vi": []}
    if data.labels:
        columns = {"i": [0], "wi": [bias[0]], "vi": [None]}
    if linear:
        columns["i"] += [-index for index in data.places]
        columns["wi"] += list(weight[0])
        columns["vi"] += [None] * size
    kept = [(key, place) for key, place in data.keys.items() if alive[place]]
    columns["i"] += [key for key, _ in kept]
    columns["wi"] += [None] * len(kept)
    columns["vi"] += [factor[place] for _, place in kept]
    return table_of(columns, {"i": INT, "wi": FLOAT, "vi": pa.list_(FLOAT)})


FUNCTIONS = {"train_ffm": Function(_train_ffm, _OPTIONS, 2, 2)}
