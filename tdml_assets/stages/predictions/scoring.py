"""What the predictions ask of a task, and scoring a batch: predictions, and the reasons behind them in words.

Elsewhere: words (``reasons.py``), models (``engines/``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from tdml_assets.engines.intervals import Intervals
from tdml_assets.engines.protocol import FittedModel
from tdml_assets.models.bundles import Manifest
from tdml_assets.models.reference import ColumnReference, Reference
from tdml_assets.platform.per_task import StageOfTask
from tdml_assets.stages.predictions.reasons import top_reasons
from tdml_assets.stages.training.fit import PREDICTION, score_table

if TYPE_CHECKING:
    from tdml_assets.models.store import ModelStore
    from tdml_assets.platform.warehouse import Database

#: What ``sql/preparation/apply.sql`` puts before the name of a column it carries along unprepared.
CARRIED = "raw__"


@dataclass(frozen=True)
class Explainer:
    """What it takes to say why.

    ``columns``: raw features that a row carries along, for the figures in the sentences. ``typical``: value of a typical
    customer per column. ``count``: reasons per customer.
    """

    columns: tuple[str, ...]
    typical: Mapping[str, float]
    count: int

    @staticmethod
    def of(model: FittedModel, reference: Reference, columns: Sequence[str], count: int) -> Explainer | None:
        """None where no reasons are asked for, or the model cannot give any."""
        anybody = pa.RecordBatch.from_pydict({name: pa.array([0.0], pa.float32()) for name in model.features})
        if not count or model.reasons(anybody) is None:
            return None
        typical = {column.name: median_of(column) for column in reference.columns}
        return Explainer(tuple(columns), {name: value for name, value in typical.items() if value is not None}, count)

    def explain(self, model: FittedModel, features: pa.Table, raw: pa.Table) -> Mapping[str, Any]:
        """Phrases by column, ``reason_1`` the strongest."""
        (batch,) = features.combine_chunks().to_batches(max_chunksize=max(1, features.num_rows))
        attributions = model.reasons(batch)
        if attributions is None:
            raise ValueError("the model gives reasons for no row at all: set model.reasons: 0")
        found = top_reasons(attributions, raw, model.features, references=self.typical, count=self.count)
        return {name: found[name] for name in found.column_names}


def median_of(column: ColumnReference) -> float | None:
    """The median as the reference's frozen bins know it: the upper bound of the bin that holds it; None without one."""
    if not column.numeric or not column.edges:
        return None
    counts = column.counts[:-1]
    middle = int(np.searchsorted(np.cumsum(counts), sum(counts) / 2))
    return column.edges[min(middle, len(column.edges) - 1)]


def bounds_of(intervals: Intervals | None) -> dict[str, Any]:
    """What a task's ``publish`` takes of a model's intervals: nothing where it has none."""
    if intervals is None:
        return {}
    bounds = {name: list(values) for name, values in intervals.bounds.items()}
    return {"intervals": {"floor": intervals.floor, "lowest": list(intervals.lowest), **bounds}}


def score_batch(
    model: FittedModel,
    batch: pa.RecordBatch,
    explainer: Explainer | None,
    reasons: Sequence[str],
    *,
    scored: bool = False,
) -> pa.Table:
    """Score prepared rows. Returns rows of the scores table: customer_id, predicted_target, and the reasons where there are any.

    ``batch``: customer_id, the model's features in its order, and the columns the explainer carries. ``reasons``: columns of
    the reasons; empty of text where there is no explainer. ``scored``: whether the batch holds the predictions, made in SQL.
    """
    table = pa.Table.from_batches([batch])
    schema = pa.schema([(name, pa.float32()) for name in model.features])
    features = table.select(list(model.features)).cast(schema)
    predictions = table[PREDICTION] if scored else score_table(model, features)[PREDICTION]
    found: dict[str, Any] = {name: pa.nulls(table.num_rows, pa.string()) for name in reasons}
    found |= {"customer_id": table["customer_id"], "predicted_target": predictions}
    if explainer is not None:
        raw = table.select([CARRIED + name for name in explainer.columns]).rename_columns(list(explainer.columns))
        found |= explainer.explain(model, features, raw)
    return pa.table(found)


class HasManifest(Protocol):
    """A champion as one of the kinds of tasks loads it."""

    @property
    def manifest(self) -> Manifest:
        """What it is."""


Loaded = TypeVar("Loaded", bound=HasManifest)


@dataclass(frozen=True, kw_only=True)
class Scoring(StageOfTask, Generic[Loaded]):
    """How a task scores.

    ``check``, ``promise``: name of the blocking check, and what it holds in words. ``load``: the champion, from what was
    recorded of each version. ``score``: writes the predictions of a session, inside the caller's transaction; gives the rows.
    ``labels``: their title, and what reads rows of ``monitoring.label_stats`` without their key. ``profile``: whether the check
    holds, and the counts behind it, from the rows written and the champion; None for a fallback. ``look``: metadata of the
    asset, from the session and the counts.
    """

    check: str
    promise: str
    load: Callable[[ModelStore, Mapping[str, str]], Loaded]
    score: Callable[[Database, Loaded, str], int]
    labels: tuple[str, Callable[[Database], list[dict[str, Any]]]]
    profile: Callable[[Database, int, Loaded | None], tuple[bool, dict[str, Any]]]
    look: Callable[[Database, str, Mapping[str, Any]], dict[str, Any]]
