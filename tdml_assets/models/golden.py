"""Golden predictions: a few rows that a stored model must predict again as it did when it was stored.

Elsewhere: the other files of a version (``bundles.py``), loading a model (``engines/``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from tdml_assets.models.bundles import REMEDY_OF_REPLACED, BundleDamagedError, refusing_damage

GOLDEN_FILE = "golden.json"

_FORMAT = 1


class GoldenMismatchError(BundleDamagedError):
    """The model no longer gives the predictions that were stored with it."""


def golden_predictions(batch: pa.RecordBatch, predictions: pa.RecordBatch) -> bytes:
    """Keep a few rows of prepared features with their predictions, as the file ``golden.json``.

    Raises ``ValueError`` if there are no rows, the counts differ or a prediction is not finite. ``batch``: FLOAT features; NULL and
    NaN are missing values. No customer ids: take the features only. ``predictions``: what the model gave for them, as numbers.
    """
    if batch.num_rows == 0 or batch.num_rows != predictions.num_rows:
        raise ValueError(f"{batch.num_rows} rows with {predictions.num_rows} predictions: give one each, at least one")
    expected = {name: [float(value) for value in column.to_pylist()] for name, column in _columns(predictions)}
    if not all(math.isfinite(value) for values in expected.values() for value in values):
        raise ValueError("a golden prediction is not finite: the model must not be stored")
    rows = {name: [_number_or_none(value) for value in column.to_pylist()] for name, column in _columns(batch)}
    return json.dumps(
        {"format": _FORMAT, "feature_order": batch.schema.names, "features": rows, "predictions": expected},
        sort_keys=True,
        indent=1,
        allow_nan=False,
    ).encode()


def check_golden(data: bytes, score: Callable[[pa.RecordBatch], pa.RecordBatch], *, tolerance: float = 1e-6) -> None:
    """Let the model predict its golden rows again.

    Raises ``GoldenMismatchError`` if a prediction differs by more, or is not there; names the column and how many, no values.
    Raises ``BundleDamagedError`` if the file holds no rows or no predictions, or the model fails on them. ``data``: verified
    bytes of ``golden.json``. ``score``: the loaded model. ``tolerance``: allowed difference, relative to the stored value and
    absolute below 1.
    """
    with refusing_damage(GOLDEN_FILE):
        batch, predictions = _golden_rows(json.loads(data))
    with refusing_damage("the model"):
        found = score(batch)
    if set(predictions) != set(found.schema.names):
        raise GoldenMismatchError(
            f"{GOLDEN_FILE} holds {sorted(predictions)}, the model gives {sorted(found.schema.names)}: {REMEDY_OF_REPLACED}"
        )
    for name, expected in predictions.items():
        values = found.column(found.schema.names.index(name)).to_pylist() if name in found.schema.names else []
        if len(values) != len(expected):
            raise GoldenMismatchError(f"the model gave {len(values)} values of {name} for {len(expected)} golden rows")
        # A NaN compares false with everything, so the test is on what passes.
        passed = [abs(a - b) <= tolerance * max(1.0, abs(b)) for a, b in zip(values, expected, strict=True)]
        if not all(passed):
            raise GoldenMismatchError(
                f"{passed.count(False)} of {len(passed)} golden predictions of {name} differ by more than "
                f"{tolerance:g}: install the library versions of the manifest, or train again"
            )


def _golden_rows(record: dict[str, Any]) -> tuple[pa.RecordBatch, dict[str, list[float]]]:
    names, predictions = record["feature_order"], record["predictions"]
    if record["format"] != _FORMAT or not predictions or set(names) != set(record["features"]):
        raise ValueError("it holds no predictions, or other features than it names")
    batch = pa.RecordBatch.from_arrays([pa.array(record["features"][name], pa.float32()) for name in names], names)
    for name, values in predictions.items():
        finite = all(type(value) in (int, float) and math.isfinite(value) for value in values)
        if not batch.num_rows or len(values) != batch.num_rows or not finite:
            raise ValueError(f"{name} does not hold one finite number for each of {batch.num_rows} rows")
    return batch, predictions


def _columns(batch: pa.RecordBatch) -> Sequence[tuple[str, pa.Array]]:
    return list(zip(batch.schema.names, batch.columns, strict=True))


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
