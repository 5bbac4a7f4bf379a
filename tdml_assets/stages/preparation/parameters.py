"""Preparation of features: statistics fitted on the training split, applied by the same SQL to training and scoring.

Elsewhere: the statements themselves (``sql/preparation/``), learners.

The form is scikit-learn's fit/transform, with the work done in the warehouse: ``sql/preparation/fit_*.sql`` measures,
:func:`decide_parameters` decides, ``sql/preparation/apply.sql`` applies.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from tdml_assets.declaration.workflow import Outliers, Prepare
from tdml_assets.models.bundles import refusing_damage
from tdml_assets.platform.contracts import Column, TableContract

OTHER = "other"
#: Longest name of a column that is read back, in characters.
_NAME_LIMIT = 1_000
#: File of a model bundle that holds the parameters.
PREPARATION_FILE = "preparation.json"
#: What a lifetime model reads of a customer.
_HISTORY = ("repeat_purchase_days", "recency_days", "tenure_days", "avg_repeat_day_value")
_NOTHING = Prepare()


@dataclass(frozen=True)
class NumericColumn:
    """A number: missing values filled, clipped to bounds, transformed, then ``(x - center) / scale``.

    ``name``: column of the feature table and of the prepared table. ``fill``: value for a missing one; None keeps it missing.
    ``low``, ``high``: bounds of the outlier rule; None for none. ``center``, ``scale``: of the scaling, 0 and 1 for none; of
    the transformed values. ``log1p``: whether x becomes sign(x) ln(1 + |x|).
    """

    name: str
    fill: float | None
    low: float | None
    high: float | None
    center: float
    scale: float
    log1p: bool = False


@dataclass(frozen=True)
class Level:
    """One 0/1 column: the text column equals ``value``; ``value`` None collects every level without a column of its own."""

    name: str
    source: str
    value: str | None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameters:
    """All that preparation learnt from the training split.

    ``numeric``: one per number kept. ``levels``: one per 0/1 column made of text columns. ``outliers``: what happens outside
    the bounds: ``clip``, ``drop`` or ``flag``. ``dropped``: reason per column left out: constant or all missing in training, or
    a leak of the target.
    """

    numeric: tuple[NumericColumn, ...]
    levels: tuple[Level, ...]
    outliers: str
    dropped: Mapping[str, str]

    @property
    def flagged(self) -> tuple[NumericColumn, ...]:
        """Numbers that get an ``__outlier`` column next to them."""
        return tuple(c for c in self.numeric if self.outliers == "flag" and (c.low is not None or c.high is not None))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns a model sees, in order."""
        flags = (f"{column.name}__outlier" for column in self.flagged)
        return (*(c.name for c in self.numeric), *flags, *(level.name for level in self.levels))

    def to_json(self) -> str:
        """The form kept in a model bundle."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @staticmethod
    @refusing_damage(PREPARATION_FILE)
    def from_json(text: str) -> Parameters:
        """Read back what :meth:`to_json` wrote.

        Raises ``BundleDamagedError`` if a name, a number or a rule is not one that preparation can have learnt.
        """
        content = json.loads(text)
        found = Parameters(
            numeric=tuple(NumericColumn(**column) for column in content["numeric"]),
            levels=tuple(Level(**{**level, "others": tuple(level["others"])}) for level in content["levels"]),
            outliers=content["outliers"],
            dropped=content["dropped"],
        )
        _require_possible(found)
        return found


def _require_possible(found: Parameters) -> None:
    """Refuse parameters that :func:`decide_parameters` cannot have given. Raises ``ValueError``."""
    texts = [level.value for level in found.levels if level.value is not None]
    texts += [text for level in found.levels for text in level.others]
    names = [*found.feature_names, *(level.source for level in found.levels)]
    if not all(_is_name(name) for name in names) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a name in it is empty, too long or not a text")
    if not found.feature_names or len(set(found.feature_names)) < len(found.feature_names):
        raise ValueError("it gives no column, or one twice")
    if found.outliers not in get_args(Outliers.model_fields["action"].annotation):
        raise ValueError("its rule for outliers is none that is known")
    for column in found.numeric:
        numbers = [column.center, column.scale, *(n for n in (column.fill, column.low, column.high) if n is not None)]
        # NaN and infinity compare with nothing; a scale of 0 divides by zero.
        if not all(type(number) in (int, float) and abs(number) <= sys.float_info.max for number in numbers):
            raise ValueError(f"a number of {column.name} is not finite")
        if column.scale == 0 or type(column.log1p) is not bool:
            raise ValueError(f"the scaling of {column.name} is not possible")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _NAME_LIMIT and "\0" not in name


def decide_parameters(
    measured: Mapping[str, Mapping[str, Any]],
    levels: Mapping[str, Sequence[str]],
    prepare: Prepare,
    one_hot_limit: int,
    leaks: Mapping[str, str] | None = None,
    *,
    reads_histories: bool = False,
) -> Parameters:
    """Turn statistics of the training split into parameters.

    Raises ``ValueError`` if every column is constant or missing, so nothing is left to learn from.

    ``measured``: per numeric column ``n``, ``min``, ``max``, ``mean``, ``stdev``, ``q1``, ``median``, ``q3``, ``q_low``,
    ``q_high`` over the values that are present. ``levels``: per text column its levels, most frequent first. ``prepare``: the
    workflow's ``prepare``. ``one_hot_limit``: levels that get a column of their own. ``leaks``: reason per column that tells
    the target too well to be honest; left out and listed. ``reads_histories``: whether the learner reads histories of
    purchases: their columns are then left as they are.
    """
    dropped: dict[str, str] = dict(leaks or {})
    numeric = []
    for name, found in measured.items():
        if name in dropped:
            continue
        if not found["n"]:
            dropped[name] = "all missing in training"
        elif found["min"] == found["max"] and (prepare.nulls != "keep" or found["n"] == found["rows"]):
            dropped[name] = "constant in training"
        else:
            as_it_is = reads_histories and name in _HISTORY
            numeric.append(_numeric(name, found, _NOTHING if as_it_is else prepare))
    if numeric and (reads_histories or prepare.scaling == "none"):
        # A lifetime model needs the whole history, also of customers who all came on one day.
        kept = [name for name in _HISTORY if dropped.get(name) == "constant in training"]
        numeric += [_numeric(name, measured[name], _NOTHING if reads_histories else prepare) for name in kept]
        dropped = {name: why for name, why in dropped.items() if name not in kept}
    encoded: list[Level] = []
    taken = set(measured)
    for source, values in levels.items():
        if source in dropped:
            continue
        if len(values) < 2:
            dropped[source] = "one level or none in training"
            continue
        own = tuple(values[:one_hot_limit])
        encoded.extend(Level(_level_name(source, value, taken), source, value) for value in own)
        encoded.append(Level(_level_name(source, OTHER, taken), source, None, own))
    if not numeric and not encoded:
        raise ValueError(f"every feature is constant or missing in the training split: {', '.join(sorted(dropped))}")
    return Parameters(tuple(numeric), tuple(encoded), prepare.outliers.action, dropped)


def _numeric(name: str, found: Mapping[str, Any], prepare: Prepare) -> NumericColumn:
    fill = {"keep": None, "zero": 0.0, "median": found["median"]}[prepare.nulls]
    low = high = None
    if prepare.outliers.rule == "iqr":
        reach = prepare.outliers.factor * (found["q3"] - found["q1"])
        low, high = found["q1"] - reach, found["q3"] + reach
    elif prepare.outliers.rule == "quantile":
        low, high = found["q_low"], found["q_high"]
    # Order statistics pass through a monotone transform; mean and deviation were measured behind it.
    lowest, q1, median, q3, highest = (
        _transformed(found[at], prepare.transform) for at in ("min", "q1", "median", "q3", "max")
    )
    center, scale = {
        "none": (0.0, 1.0),
        "minmax": (lowest, highest - lowest),
        "zscore": (found["mean"], found["stdev"]),
        "robust": (median, q3 - q1),
    }[prepare.scaling]
    # A robust scale of 0 (more than half the values equal) or an underflow would divide by zero: such a column is centred only.
    scale = scale if scale and math.isfinite(scale) else 1.0
    bounds = _round(fill), _round(low), _round(high)
    log1p = prepare.transform == "log1p"
    return NumericColumn(name, *bounds, _round(center) or 0.0, _round(scale) or 1.0, log1p)


def _transformed(value: float, transform: str) -> float:
    return math.copysign(math.log1p(abs(value)), value) if transform == "log1p" else value


def _round(value: float | None) -> float | None:
    # Parallel sums differ in their last bits from run to run; twelve digits are the same every time.
    return None if value is None else float(f"{float(value):.12g}")


def _level_name(source: str, value: str, taken: set[str]) -> str:
    stem = f"{source}__{re.sub('[^0-9a-z]+', '_', value.lower()).strip('_') or 'blank'}"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    taken.add(name)
    return name


def prepared_contract(workflow: str, parameters: Parameters) -> TableContract:
    """Contract of ``<workflow>.prepared``."""
    features = [Column(name, "FLOAT", "Prepared feature.") for name in parameters.feature_names]
    return TableContract(
        workflow,
        "prepared",
        "One row per labelled snapshot and customer, as the learner sees it.",
        (
            Column("snapshot_date", "DATE", "Day at whose end the features were taken.", False),
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column("split", "VARCHAR", "train, validation, test or refit.", False),
            Column("target", "DOUBLE", "What is predicted, as in <workflow>.training_table.", False),
            *features,
        ),
    )


def reshape_statistics(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The one wide row of ``sql/preparation/fit_numeric.sql`` as statistics per column, as :func:`decide_parameters` takes them."""
    measured = {}
    for column in columns:
        q1, median, q3, q_low, q_high = row[f"{column}/quantiles"] or (None,) * 5
        measured[column] = {
            "rows": row["row_count"],
            **{name: row[f"{column}/{name}"] for name in ("n", "min", "max", "mean", "stdev")},
            "q1": q1,
            "median": median,
            "q3": q3,
            "q_low": q_low,
            "q_high": q_high,
        }
    return measured
