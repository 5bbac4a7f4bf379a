"""What a scored customer looks like."""

from __future__ import annotations

from tdml_assets.declaration.targets import words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.stages.predictions.next_orders import next_order_columns
from tdml_assets.stages.predictions.reasons import reason_names

ABOVE, BELOW = "Above AVG", "Below AVG"

_KEY = (
    Column("session_id", "VARCHAR", "Session that scored.", False),
    Column("as_of", "DATE", "Day at whose end the features were taken.", False),
    Column("customer_id", "VARCHAR", "Customer.", False),
)

_SAID = "of the {level} % interval of what happens, by the errors of like predictions in the test"
#: Bounds of an amount; NULL where a fallback scored or the test has fewer than 100 rows.
BOUND_COLUMNS = tuple(
    Column(f"{side}_{level}", "DOUBLE", f"{side.title()} bound {_SAID.format(level=level)}.")
    for level in (80, 95)
    for side in ("lower", "upper")
)


def reason_columns(spec: WorkflowSpec) -> tuple[Column, ...]:
    """Columns of the reasons a workflow publishes, strongest first."""
    return tuple(
        Column(name, "VARCHAR", f"What moved the prediction most, number {place}: 'raises' or 'lowers', and the value.")
        for place, name in enumerate(reason_names(spec.reasons), 1)
    )


def contract_with(
    spec: WorkflowSpec, description: str, *columns: Column, bounds: tuple[Column, ...] = ()
) -> TableContract:
    """Contract of ``<workflow>.predictions``: the key, the task's ``columns``, the reasons, bounds, what the customer does next."""
    beside = (*bounds, *next_order_columns(spec))
    return TableContract(spec.name, "predictions", description, (*_KEY, *columns, *reason_columns(spec), *beside))


def predictions_contract(spec: WorkflowSpec) -> TableContract:
    """Contract of the predictions of a regression: one row per customer known at ``as_of``."""
    what = words_of(spec.target_kind, spec.target)
    return contract_with(
        spec,
        "One row per customer known at as_of: what the champion expects of each.",
        Column("predicted_target", "DOUBLE", f"Expected {what} in the horizon.", False),
        Column(
            "prediction_category", "VARCHAR", f"{ABOVE} or {BELOW}: against the mean of all customers scored.", False
        ),
        bounds=BOUND_COLUMNS,
    )


def scores_contract(spec: WorkflowSpec) -> TableContract:
    """Contract of the table that batches are written to before the mean of all is known."""
    return TableContract(
        spec.name,
        "scores",
        "Predictions on their way.",
        (
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column("predicted_target", "DOUBLE", "What the model gives.", False),
            *reason_columns(spec),
        ),
    )
