"""Predictions kept until they can be compared with what happened. Elsewhere: the comparison (``stages/realised/``)."""

from datetime import date

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.sessions import as_of
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.training_table.table import target_key
from tdml_assets.tasks import realised_performance_of


def keep_predictions(
    database: Database, spec: WorkflowSpec, session_id: str, model_version: str, trained_on: date
) -> int:
    """Keep the predictions of some customers until what happened is known, inside the caller's transaction.

    A session at the same as_of takes the place of the one before. Predictions of a model that learnt from later days are not
    kept: what became of them would flatter it. ``model_version``, ``trained_on``: of the model or the rule that scored: its
    version, and the last day it learnt from. Returns rows kept.
    """
    day, performance = as_of(database), realised_performance_of(spec)
    if performance is None or not spec.monitor.kept_customers or trained_on > day:
        return 0
    statement = performance.kept(
        spec,
        predictions_table=(spec.name, "predictions"),
        session_id=session_id,
        as_of=day,
        model_version=model_version,
        target=target_key(spec),
    )
    return database.replace_slice(performance.history(spec), {"as_of": day}, statement)
