"""One training of the learning curve: fit to a share of the customers, measure on all of them.

Elsewhere: the sizes and the page (``learning_curve.py``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.component import declared_workflows
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.learner_choice import unrehearsed
from tdml_assets.engines.protocol import FeatureSource, FittedModel, ModelSpec, Tier, table_source
from tdml_assets.engines.python import PythonEngine, estimate_memory
from tdml_assets.models.champions import model_spec_of
from tdml_assets.platform.machine import machine
from tdml_assets.platform.metrics import log_loss, mae, normalised_gini, rmse
from tdml_assets.platform.resources import build_warehouse, spill_folder
from tdml_assets.platform.spool import Tables, spooled
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Database
from tdml_assets.settings import load_settings
from tdml_assets.stages.evaluation.asset import read_today
from tdml_assets.stages.preparation.asset import read_parameters
from tdml_assets.stages.preparation.parameters import Parameters
from tdml_assets.stages.training.fit import KEYS, LABELLED, features_of, score_table
from tdml_assets.stages.training_table.table import sample_share

WORKFLOW = "cltv"
_BATCH_ROWS = 65_536
#: The draw of the training table (``sql/training_table/build.sql``).
_DRAWN = "(md5_number_lower('sample:' || customer_id) % 1000000)::double / 1000000 < $share"
Floats = NDArray[np.float64]


def read_rows(database: Database, parameters: Parameters, share: float, folder: str | None) -> Tables:
    """Prepared rows of a share of the customers by split: in files of ``folder``, or in memory."""
    columns = ", ".join(f'"{name}"' for name in (*KEYS, *parameters.feature_names))
    found = Tables()
    for split in LABELLED:
        text = f"select {columns} from {WORKFLOW}.prepared where split = $split and {_DRAWN} order by snapshot_date, customer_id"
        statement = Statement(text, {"split": split, "share": share})
        kept = None if folder is None else spooled(database.batches(statement, _BATCH_ROWS), folder)
        if kept is None:
            found[split] = database.arrow(statement)
        else:
            found.keep(split, kept)
    return found


def tier_for(way: str, model: ModelSpec, rows: int, features: int) -> Tier:
    """The machine; to learn from the disk, a tier that holds half of what the rows would need in memory."""
    cores, memory_gb = machine()
    if way == "disk":
        learner = PythonEngine().learner(model)
        whole = estimate_memory(learner, rows, features, Tier("machine", 1, 1.0, 1.0)).bytes_needed
        kept = estimate_memory(learner, rows, 0, Tier("machine", 1, 1.0, 1.0)).bytes_needed
        memory_gb = (whole + kept) / 2 / 0.8e9
    return Tier("machine", cores, memory_gb, 1_000.0)


def measures(target: Floats, scored: pa.Table, others: Path, *, is_whole: bool) -> dict[str, float]:
    """Measures of predictions that are brought to the total that came, next to those of the training on all rows.

    ``others``: its absolute errors, which it leaves there for the trainings that follow.
    """
    predicted = scored["predicted_target"].to_numpy().astype(np.float64)
    predicted = predicted * (target.sum() / predicted.sum())
    errors = np.abs(target - predicted)
    if is_whole:
        np.save(others, errors)
    apart = errors - np.load(others)
    return {
        "mae": mae(target, predicted),
        "rmse": rmse(target, predicted),
        "normalised_gini": float(normalised_gini(target, predicted) or 0.0),
        "log_loss": log_loss(target > 0, scored["p_buy"].to_numpy()),
        "difference": float(apart.mean()),
        "error": float(apart.std() / np.sqrt(len(apart))),
    }


def source_of(table: pa.Table) -> FeatureSource:
    """Features and target of prepared rows."""
    return table_source(features_of(table).append_column("target", table["target"]), "target")


def fitted(parts: Mapping[str, pa.Table], model: ModelSpec, tier: Tier) -> tuple[FittedModel, FittedModel]:
    """The model that is measured, and the one that a session would store."""
    engine = PythonEngine()
    sources = {name: source_of(parts[name]) for name in LABELLED if parts[name].num_rows}
    known_then = replace(model, unlabelled=sources["test"])
    evaluated = engine.fit(sources["train"], sources["validation"], known_then, tier)
    known_now = replace(model, unlabelled=source_of(parts["today"]))
    return evaluated, engine.refit(list(sources.values()), evaluated.recipe, known_now, tier)


def _spec() -> WorkflowSpec:
    return next(spec for spec in declared_workflows(load_settings()) if spec.name == WORKFLOW)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_curve_fit", description=__doc__)
    parser.add_argument("--rows", required=True, help="as split.max_rows")
    parser.add_argument("--way", choices=["memory", "disk"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    settings, spec = load_settings(), _spec()
    folder = str(spill_folder(settings))
    option = unrehearsed(spec.target_kind)
    model = replace(model_spec_of(spec), estimator=option.estimator, parameters=dict(option.parameters))
    with build_warehouse(settings).read() as database:
        parameters = read_parameters(database, WORKFLOW)
        is_whole = given.rows == "all"
        most = float("inf") if is_whole else int(given.rows)
        share = sample_share(database.count((WORKFLOW, "prepared")), most)
        parts = read_rows(database, parameters, share, folder if is_whole else None)
        parts["today"] = read_today(database, spec, parameters)
        everybody = parts if is_whole else read_rows(database, parameters, 1.0, folder)
    rows = {name: parts[name].num_rows for name in LABELLED}
    tier = tier_for(given.way, model, sum(rows.values()), len(parameters.feature_names))
    with tempfile.TemporaryDirectory(dir=folder) as pages:
        evaluated, final = fitted(parts, replace(model, spill_folder=pages if given.way == "disk" else ""), tier)
    found: dict[str, Any] = {"measures": {}}
    for split in ("test", "validation"):
        target = everybody[split]["target"].to_numpy().astype(np.float64)
        scored = score_table(evaluated, features_of(everybody[split]))
        others = given.out.parent / f"errors-{split}.npy"
        found["measures"][split] = measures(target, scored, others, is_whole=is_whole and given.way == "memory")
    content = b"".join(data for _, data in sorted(final.files().items()))
    found |= {
        "rows": rows,
        "features": len(parameters.feature_names),
        "rounds": dict(final.recipe.rounds),
        "memory_gb": tier.memory_gb,
        "model": hashlib.sha256(content).hexdigest(),
    }
    (given.out / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
