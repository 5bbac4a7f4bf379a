"""The training of a recommendation: choose, measure, fit on everything.

Elsewhere: choosing and measuring (``recommendation/selection.py``), learners (``engines/recommender.py``), the asset and the
stored version (``asset.py``, ``learnt.py``).
"""

from collections.abc import Mapping
from datetime import date
from importlib.metadata import version as library_version
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.protocol import Tier
from tdml_assets.models.bundles import ModelFeature, as_evaluated
from tdml_assets.models.champions import tier_of
from tdml_assets.models.golden import GOLDEN_FILE, golden_predictions
from tdml_assets.models.scope import SCOPE_FILE, Scope
from tdml_assets.platform.metadata import table_metadata, table_preview
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.recommendation.model import History, golden_batch, history_from, score_golden
from tdml_assets.recommendation.selection import MODEL, Observed, Trained, observed_from, spread, train
from tdml_assets.recommendation.tables import holdout_contract, holdout_rows, stored_rows, training_contract
from tdml_assets.recommendation.watch import describe
from tdml_assets.settings import Settings
from tdml_assets.stages.evaluation.recommendation import PARTS, days_of, read_interactions, read_metrics
from tdml_assets.stages.raw.fingerprint import fingerprint as raw_fingerprint
from tdml_assets.stages.training.learnt import Learning, Learnt

_INPUTS = (("product_id", "VARCHAR"), ("purchases", "BIGINT"), ("last_on", "DATE"))
_LIBRARIES = ("scipy", "implicit")


def _keep_holdout(
    database: Database, spec: WorkflowSpec, trained: Trained, observed: Mapping[str, Observed], everything: History
) -> dict[str, bytes]:
    """Write the lists of both windows and those of as_of; describe the latter as drift's reference files."""
    contract = holdout_contract(spec.name)
    database.replace(contract, [])
    *days, today = days_of(database, spec.name)
    for (split, measured), day in zip(trained.measured.items(), days, strict=True):
        history = observed[split].history
        rows = holdout_rows(measured, history.customers, history.products, day=day, split=split)
        database.insert(contract, rows)
    chosen = spread(np.arange(len(everything.baskets)), spec.recommendation.measured_customers)
    lists = trained.final.recommend(everything.baskets.taken(chosen))
    customers = everything.customers.take(pa.array(chosen))
    database.insert(contract, stored_rows(lists, customers, everything.products, day=today, name=MODEL))
    watched = describe(database, contract.path, {"split": "stored"}, spec.recommendation)
    return {name: reference.to_json().encode() for name, reference in watched.items()}


def _model_files(trained: Trained, tested_from: date) -> dict[str, bytes]:
    """The model that scores with its golden predictions, and next to it the one that was measured."""
    model = trained.final
    golden = golden_batch(model.columns)
    files = {**model.files(), GOLDEN_FILE: golden_predictions(golden, score_golden(model, golden))}
    return files | as_evaluated({**trained.evaluated.files(), SCOPE_FILE: Scope(tested_from).to_json()})


def _read_observed(database: Database, spec: WorkflowSpec) -> tuple[dict[str, Observed], History]:
    """What both windows looked like, and what is known at as_of."""
    *days, today = days_of(database, spec.name)
    observed = {
        split: observed_from(*(read_interactions(database, spec.name, day, part) for part in PARTS))
        for split, day in zip(("train", "test"), days, strict=True)
    }
    return observed, history_from(read_interactions(database, spec.name, today, "history"))


def fit_baskets(spec: WorkflowSpec, settings: Settings) -> Learning:
    """A candidate is a function of the baskets."""
    contract = holdout_contract(spec.name)
    return Learning(
        description="Chooses on the validation window between popularity, item neighbours, EASE and factors for what a customer "
        "never bought, and how to order what they did; lists what it would have shown before the test window; then learns "
        "once more from everything and stores that as an immutable version.",
        kinds={"python", "scipy"},
        metadata=table_metadata(contract),
        deps=[[spec.name, "training_table"]],
        reads=[training_contract(spec.name).path, SNAPSHOTS_TABLE],
        tables=[contract.path],
        learn=lambda warehouse, _: _learn(warehouse, spec, tier_of(spec, settings.tier)),
    )


def _learn(warehouse: Warehouse, spec: WorkflowSpec, tier: Tier) -> Learnt:
    with warehouse.read() as database:
        observed, everything = _read_observed(database, spec)
        tested_from = days_of(database, spec.name)[1]
        day, fingerprint = as_of(database), raw_fingerprint(database)
    # The warehouse is free while the model trains.
    trained = train(observed, everything, spec.recommendation, spec.model.seed, tier)
    files = _model_files(trained, tested_from)
    with warehouse.write() as database:
        files |= _keep_holdout(database, spec, trained, observed, everything)
        metrics = read_metrics(database, spec)["test"]
        count = database.count(holdout_contract(spec.name).path)
    return Learnt(
        spec,
        day,
        fingerprint,
        features=[ModelFeature(name, kind) for name, kind in _INPUTS],
        target="product_id",
        files=files,
        metrics=metrics,
        parameters=model_parameters(spec, trained, everything),
        rows=count,
        sentence=f"{trained.choice.learner} for what was never bought",
        shown=lambda facts: {"parameters": table_preview(facts), "tried": table_preview(trained.trials)},
        libraries={name: library_version(name) for name in _LIBRARIES if find_spec(name)},
    )


def model_parameters(spec: WorkflowSpec, trained: Trained, everything: History) -> dict[str, Any]:
    """What is kept of a candidate in ``monitoring.model_params``, but its version."""
    choice, wanted = trained.choice, spec.recommendation
    return {
        "learner": choice.learner,
        "half_life_days": choice.half_life_days,
        "popularity_half_life_days": choice.fallback_half_life_days,
        **{f"parameter_{name}": value for name, value in choice.parameters.items()},
        **{f"blend_{name}": value for name, value in choice.blend.to_dict().items()},
        "seed": spec.model.seed,
        "horizon_days": spec.target.horizon_days,
        "count": wanted.count,
        "discover_count": wanted.discover_count,
        "products": len(everything.products),
        # The rest is only recommended to those who bought it.
        "products_scored": trained.final.columns,
        "customers": len(everything.baskets),
        "interactions": len(everything.baskets.codes),
    }
