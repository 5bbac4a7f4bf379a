"""What the world looks like on the day a candidate would go live: stored with it, and what drift is measured against.

Not the rows it learnt from: those lie a horizon back at least, so that distance would be there from the first day on and no
retraining could close it.
"""

from __future__ import annotations

from dataclasses import replace

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.protocol import FittedModel
from tdml_assets.engines.row_samples import MANY_ROWS
from tdml_assets.models.champions import TARGET_FILE, reference_files
from tdml_assets.models.reference import ColumnReference, Reference, build_reference, report_sample
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.sessions import as_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.columns import choose_features, features_table
from tdml_assets.stages.predictions.in_sql import insert_scores
from tdml_assets.stages.preparation.parameters import Parameters
from tdml_assets.stages.training.fit import PREDICTION, holdout_contract
from tdml_assets.stages.training_table.table import sample_share
from tdml_assets.tasks import realised_performance_of, task_of


def describe_today(
    database: Database, spec: WorkflowSpec, model: FittedModel, parameters: Parameters
) -> dict[str, bytes]:
    """Reference files of a candidate: features of the scoring snapshot, and what it would predict for it."""
    table, where = features_table(spec), {"snapshot_date": as_of(database)}
    columns = choose_features(database.columns(table), spec.features).all
    return reference_files(
        features=build_reference(database, table, where, columns),
        predictions=Reference((_predictions(database, spec, model, parameters),)),
        sample=report_sample(database, table, where, columns),
    )


def _predictions(database: Database, spec: WorkflowSpec, model: FittedModel, parameters: Parameters) -> ColumnReference:
    """The distribution of the candidate's predictions, batch by batch: of many customers that of a share."""
    contract = TableContract(
        spec.name,
        "go_live_predictions",
        "What a candidate would predict today; of use while its reference is made.",
        (Column(PREDICTION, "DOUBLE", "Prediction."),),
    )
    database.replace(contract, [])
    prepared = {
        "table": features_table(spec),
        "parameters": parameters,
        "keys": ["customer_id"],
        "carried": [],
        "snapshot_date": as_of(database),
        "drop_outliers": False,
        "ordered": False,
        "sample_share": _share(database, spec),
    }
    insert_scores(database, contract, model, prepared, spec.batch_rows)
    (found,) = build_reference(database, contract.path, {}, [PREDICTION]).columns
    database.execute(render("warehouse/drop_table", table=contract.path))
    return replace(found, name=task_of(spec).prediction)


def _share(database: Database, spec: WorkflowSpec) -> float:
    counted = render("training_table/labelled_rows", features_table=features_table(spec), dates=[as_of(database)])
    return sample_share(int(database.row(counted)["row_count"]), MANY_ROWS)


def describe_target(database: Database, spec: WorkflowSpec) -> dict[str, bytes]:
    """The tested target as a reference file; nothing for a task that foretells nothing."""
    if realised_performance_of(spec) is None:
        return {}
    found = build_reference(database, holdout_contract(spec.name).path, {"split": "test"}, ["target"])
    return {TARGET_FILE: found.to_json().encode()}
