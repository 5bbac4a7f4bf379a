"""Intervals of a candidate's amounts, stored with it so that it gives the same ones in every session.

Elsewhere: how (``engines/intervals.py``), writing them (``sql/predictions/``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.intervals import fit_intervals
from tdml_assets.models.champions import INTERVALS_FILE
from tdml_assets.stages.training.level import corrects


def interval_files(spec: WorkflowSpec, holdout: pa.Table) -> dict[str, bytes]:
    """The file of intervals by the test rows of a candidate; nothing where no amount is predicted, or rows are too few."""
    import pyarrow.compute as pc

    if not kind_named(spec.target_kind).is_amount:
        return {}
    test = holdout.filter(pc.equal(holdout["split"], "test"))
    predicted, target = (test[name].to_numpy().astype(np.float64) for name in ("predicted_target", "target"))
    if corrects(spec.level) and min(target.sum(), predicted.sum()) > 0:
        # The total of the test was missed in its season; today's is corrected for its own.
        predicted = predicted * (target.sum() / predicted.sum())
    found = fit_intervals(predicted, target)
    return {} if found is None else {INTERVALS_FILE: found.to_json().encode()}
