"""The command ``hivemall-sql``: statements that train and score a workflow's linear model elsewhere.

Elsewhere: SQL (``sql/predictions/linear/``), dialects (``platform/dialects.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tdml_assets.commands.common import USAGE, EmptyStateError, UnknownNameError, expected_errors, fail, read_settings

if TYPE_CHECKING:
    from tdml_assets.declaration.workflow import WorkflowSpec
    from tdml_assets.engines.linear_model import LinearModel
    from tdml_assets.stages.preparation.parameters import Parameters


class Dialect(StrEnum):
    """Engines that statements are printed for."""

    hive = "hive"
    trino = "trino"
    spark = "spark"
    duckdb = "duckdb"


class Form(StrEnum):
    """How a score is computed."""

    auto = "auto"
    wide = "wide"
    joined = "joined"


@dataclass(frozen=True)
class Printed:
    """One statement, and what it does."""

    comment: str
    text: str


def hivemall_sql(
    workflow: Annotated[str, typer.Argument(help="Name of a workflow with engine: hivemall, such as churn.")],
    dialect: Annotated[Dialect, typer.Option(help="Engine that the statements are for.")] = Dialect.hive,
    form: Annotated[
        Form,
        typer.Option(
            help="wide: one expression; joined: items joined with the table of weights; auto: by the features."
        ),
    ] = Form.auto,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Snapshot to score; the champion's unless given.", show_default=False),
    ] = None,
) -> None:
    """Print the statements that train (Hive) and score the champion of a workflow in another engine.

    \b
    tdml-assets hivemall-sql churn --dialect trino
    tdml-assets hivemall-sql cltv --dialect hive > cltv.sql

    \b
    They read tables named as here: features.customer_features, and for training <workflow>.training_table.
    """
    from tdml_assets.component import declared_workflows
    from tdml_assets.engines.linear_model import LinearModel
    from tdml_assets.models.bundles import BundleDamagedError
    from tdml_assets.models.champions import load_champion
    from tdml_assets.platform.resources import build_model_store

    settings = read_settings()
    with expected_errors():
        specs = {spec.name: spec for spec in declared_workflows(settings)}
        if workflow not in specs:
            raise UnknownNameError(f"there is no workflow {workflow!r}: there are {', '.join(sorted(specs))}")
        try:
            champion = load_champion(build_model_store(settings), specs[workflow], settings)
        except BundleDamagedError as error:
            raise EmptyStateError(str(error)) from error
        except LookupError as error:
            raise EmptyStateError(f"{workflow} has no champion yet: tdml-assets run trains one") from error
    model = champion.model
    if not isinstance(model, LinearModel):
        fail(
            f"{workflow} is scored by {champion.manifest.version} of the {champion.manifest.engine} engine, which is not a table "
            "of weights: set engine: hivemall and run",
            USAGE,
        )
    day_scored = champion.manifest.as_of if day is None else day.date()
    for one in statements(specs[workflow], model, champion.parameters, dialect.value, day_scored, form.value):
        typer.echo("\n".join(f"-- {line}" for line in one.comment.splitlines()))
        typer.echo(f"{one.text};\n")


def statements(
    spec: WorkflowSpec, model: LinearModel, parameters: Parameters, dialect: str, day: date, form: str = "auto"
) -> Iterator[Printed]:
    """Every statement in its order: training where the engine has Hivemall's functions, then scoring.

    ``form``: ``wide``, ``joined`` or ``auto``.
    """
    from tdml_assets.platform.dialects import render_for
    from tdml_assets.stages.predictions.in_sql import form_of, scoring_context, weights_contract

    weights = weights_contract(spec.name).path
    scoring = scoring_context(model, spec.name, _read_for_scoring(spec, parameters, day))
    scoring.pop("dialect")
    if dialect == "hive":
        context = {**scoring, **_read_for_training(spec, parameters), **_learner(spec, model)}
        yield Printed(
            f"Train: Hivemall's functions must be defined. The table {'.'.join(weights)} must not exist.",
            render_for(dialect, "predictions/linear/train_hive", **context),
        )
        yield Printed(
            "Score with what was trained. Weights differ from the champion's, since rows come in another order and part.",
            render_for(dialect, "predictions/linear/joined", **scoring),
        )
    chosen = form_of(model, wide=None if form == "auto" else form == "wide")
    if chosen == "joined":
        rows = [{"feature": term.feature, "weight": term.weight} for term in model.terms]
        champion = (spec.name, "champion_weights")
        scoring["weights"] = champion
        yield Printed(
            "The champion's weights.", render_for(dialect, "predictions/linear/weights", weights=champion, rows=rows)
        )
    yield Printed(
        f"Score {day.isoformat()} with the champion's weights, trained by {model.function} {model.options}.\n"
        "Predictions are the model's own, before the correction of their level.",
        render_for(dialect, f"predictions/linear/{chosen}", **scoring),
    )


def _read_for_scoring(spec: WorkflowSpec, parameters: Parameters, day: date) -> dict[str, Any]:
    from tdml_assets.stages.features.columns import FEATURES_TABLE, features_table

    # Columns of the customers source are joined by the workflow's own view; eligibility alone is written out.
    shared = not spec.features.customers
    read = {
        "table": FEATURES_TABLE if shared else features_table(spec),
        "parameters": parameters,
        "keys": ["customer_id"],
        "carried": [],
        "snapshot_date": day,
        "drop_outliers": False,
        "ordered": False,
    }
    return {**read, "eligible": spec.eligible} if shared and spec.eligible.words else read


def _read_for_training(spec: WorkflowSpec, parameters: Parameters) -> dict[str, Any]:
    return {
        "table": (spec.name, "training_table"),
        "parameters": parameters,
        "keys": ["snapshot_date", "customer_id", "split", "target"],
        "carried": [],
        "snapshot_date": None,
        "drop_outliers": True,
        "ordered": False,
    }


def _learner(spec: WorkflowSpec, model: LinearModel) -> dict[str, Any]:
    shift, unit = model.label
    return {
        "function": model.function,
        "options": model.options,
        "covariance": "covar" in model.weights.column_names,
        "shift": shift,
        "unit": unit,
        "seed": spec.model.seed,
    }
