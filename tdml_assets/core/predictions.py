"""What a scored customer looks like. Belongs here: the contracts of predictions, per task."""

from __future__ import annotations

from tdml_assets.core.contracts import Column, TableContract

ABOVE, BELOW = "Above AVG", "Below AVG"


def predictions_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.predictions`` of a regression: one row per customer known at ``as_of``."""
    return TableContract(
        workflow,
        "predictions",
        "One row per customer known at as_of: what the champion expects of each.",
        (
            Column("session_id", "VARCHAR", "Session that scored.", False),
            Column("as_of", "DATE", "Day at whose end the features were taken.", False),
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column("predicted_target", "DOUBLE", "Expected spend in the horizon, in currency.", False),
            Column(
                "prediction_category",
                "VARCHAR",
                f"{ABOVE} or {BELOW}: against the mean of all customers scored.",
                False,
            ),
        ),
    )


def scores_contract(workflow: str) -> TableContract:
    """Contract of the table that batches are written to before the mean of all is known."""
    return TableContract(
        workflow,
        "scores",
        "Predictions on their way.",
        (
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column("predicted_target", "DOUBLE", "Expected spend in the horizon, in currency.", False),
        ),
    )
