"""The command ``explain``. Elsewhere: reading and words (``explanation.py``)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import (
    AsJson,
    EmptyStateError,
    UnknownNameError,
    expected_errors,
    print_json,
    read_settings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tdml_assets.commands.explanation import Explanation, WorkflowExplanation
    from tdml_assets.platform.warehouse import Database
    from tdml_assets.settings import Settings


def explain(
    customer: Annotated[str, typer.Argument(help="Id of a customer, as in your files.", show_default=False)],
    workflow: Annotated[
        list[str] | None, typer.Option(help="Workflow to explain; all unless given.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain one customer: scores of every workflow with their reasons, raw figures, history, and what moved.

    \b
    tdml-assets explain 0000000042
    tdml-assets explain anna@shop.example --workflow churn --json
    """
    settings = read_settings()
    with expected_errors():
        found = read_explanation(settings, customer, workflow or ())
        from tdml_assets.commands.explanation import render_explanation

        if as_json:
            print_json(found.to_dict())
        else:
            typer.echo(render_explanation(found))


def read_explanation(settings: Settings, customer: str, names: tuple[str, ...] | list[str]) -> Explanation:
    """Everything that the tables tell of a customer.

    Raises ``UnknownNameError`` if nobody of that id has ordered, or a workflow is unknown. Raises ``EmptyStateError`` if no orders
    are loaded.
    """
    from tdml_assets.commands.explanation import Explanation, read_figures, read_workflow, similar_ids
    from tdml_assets.component import declared_workflows
    from tdml_assets.platform.resources import build_warehouse
    from tdml_assets.stages.features.dbt_manifest import manifest_of
    from tdml_assets.stages.raw.contracts import ORDERS

    specs = {spec.name: spec for spec in declared_workflows(settings)}
    unknown = sorted(set(names) - set(specs))
    if unknown:
        raise UnknownNameError(f"--workflow {', '.join(unknown)} does not run; known: {', '.join(sorted(specs))}")
    chosen = [spec for name, spec in sorted(specs.items()) if not names or name in names]
    manifest = manifest_of(settings) if settings.warehouse_path.exists() else None
    with build_warehouse(settings).read() as database:
        if manifest is None or not database.has_table(ORDERS.path):
            raise EmptyStateError(f"no orders are loaded in {settings.home}: tdml-assets run")
        explained = [read_workflow(database, spec.name, spec.title, customer) for spec in chosen]
        as_of = max((one.as_of for one in explained if one.as_of is not None), default=None)
        figures, recent = read_figures(database, customer, as_of)
        if not figures["orders"]:
            close = similar_ids(database, customer)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ": ids are written as in your files"
            raise UnknownNameError(f"no order of customer {customer!r} is loaded{hint}")
        workflows = tuple(_with_moves(database, manifest, one, customer) for one in explained)
    return Explanation(customer, as_of, figures, recent, workflows)


def _with_moves(database: Database, manifest: Path, found: WorkflowExplanation, customer: str) -> WorkflowExplanation:
    """Add the features that differ from those of the session before."""
    from tdml_assets.commands.explanation import moves_between, read_importances
    from tdml_assets.stages.features.past_features import features_of

    if found.as_of is None or found.before is None:
        return found
    before = features_of(database, manifest, customer, found.before)
    now = features_of(database, manifest, customer, found.as_of)
    if before is None or now is None:
        return found
    importances = read_importances(database, found.workflow, found.model_version, list(now))
    return replace(found, moves=moves_between(before, now, importances))
