"""The YAML form of a workflow: a Dagster component that becomes the workflow's assets, checks and jobs.

Belongs here: joining a workflow's own YAML with the overrides of the settings file, and listing its stages in order.
Does not: what the keys mean (``core/workflow.py``), what a stage does (``assets/``).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import BaseModel, ValidationError

from tdml_assets.assets.workflow import build_workflow_definitions
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.environment import project_root
from tdml_assets.settings import Settings, SettingsError, explain, load_settings


class WorkflowComponent(dg.Component):
    """One use case, declared: which target, which features, how prepared, which model, which attributes."""

    def __init__(self, spec: WorkflowSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The keys under ``attributes:``; Dagster reports a fault with its file and line."""
        return WorkflowSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> WorkflowComponent:
        """Made from the validated YAML."""
        if not isinstance(attributes, WorkflowSpec):
            raise TypeError(f"{context.path}: a workflow needs attributes, at least a name")
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """The workflow's definitions; none where the settings do not run it."""
        settings = load_settings()
        spec = effective_spec(self.spec, settings)
        return dg.Definitions() if spec is None else build_workflow_definitions(spec, settings)


def effective_spec(declared: WorkflowSpec, settings: Settings) -> WorkflowSpec | None:
    """The workflow with the settings' overrides applied; None where the settings leave it out.

    Raises
    ------
    SettingsError
        If an override names an unknown key or a wrong value.
    """
    if settings.workflows is None:
        return declared
    if declared.name not in settings.workflows:
        return None
    merged = _merge(declared.model_dump(), settings.workflows[declared.name])
    try:
        return WorkflowSpec.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(explain(error, WorkflowSpec, f"workflows.{declared.name}")) from None


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        merged[key] = _merge(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def check_known(settings: Settings, declared: Mapping[str, WorkflowSpec]) -> None:
    """Refuse settings that name a workflow nobody declared."""
    unknown = sorted(set(settings.workflows or ()) - set(declared))
    if unknown:
        raise SettingsError(f"workflows: {', '.join(unknown)} is not declared; known: {', '.join(sorted(declared))}")


def component_tree() -> dg.ComponentTree:
    """The YAML files under ``workflows/``."""
    # Dagster warns of the maturity of its own calls, dozens of times a load; nobody who runs this can act on it.
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)
    return dg.ComponentTree.for_project(project_root())


def declared_workflows(settings: Settings) -> list[WorkflowSpec]:
    """Every workflow that the settings run, in the order of their names."""
    declared = {found.spec.name: found.spec for found in component_tree().get_all_components(of_type=WorkflowComponent)}
    check_known(settings, declared)
    specs = (effective_spec(declared[name], settings) for name in sorted(declared))
    return [spec for spec in specs if spec is not None]
