"""What of a training looked at a sample of many rows: said next to the model.

Elsewhere: taking samples (``engines/row_samples.py`` and who calls it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tdml_assets.engines.row_samples import MANY_ROWS, rows_of_bins


def samples_taken(
    splits: Mapping[str, pa.Table], histories: pa.Table | None, *, has_trees: bool, has_folds: bool
) -> list[dict[str, Any]]:
    """One row per part of a training that a sample decided: what, of how many rows, and how many there are.

    ``splits``, ``histories``: as ``train_candidate`` took them. ``has_trees``: whether trees of XGBoost learnt. ``has_folds``:
    whether a grid was searched on a sample.
    """
    learnt = {name: table.num_rows for name, table in splits.items()}
    labelled = sum(count for name, count in learnt.items() if name != "today")
    tried, read = learnt["train"] + learnt["validation"], labelled if histories is None else histories.num_rows
    parts = [
        *([("bounds of the bins of a feature", rows_of_bins(labelled), labelled)] if has_trees else []),
        *([("the round at which trees stop", MANY_ROWS, learnt["validation"])] if has_trees else []),
        *([("parameters of the grid", 2 * MANY_ROWS, tried)] if has_folds else []),
        ("measures of the training rows", MANY_ROWS, learnt["train"]),
        ("histories behind the correction of the level", read, labelled),
    ]
    return [{"what": what, "looked at": rows, "of": count} for what, rows, count in parts if rows < count]
