"""The YAML form of a workflow: a Dagster component that becomes the workflow's assets, checks and jobs.

Elsewhere: what the keys mean (``declaration/workflow.py``), what a stage does (``stages/``).
"""

from __future__ import annotations

import difflib
import importlib
import re
import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from dagster.components.core.component_tree import ComponentTreeException
from dagster.components.core.defs_module import ComponentFileModel
from pydantic import BaseModel, GetJsonSchemaHandler, RootModel, ValidationError

from tdml_assets.automation.workflow_assets import build_workflow_definitions
from tdml_assets.declaration.attributes import AttributeSpec, for_horizons
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.devices import NoDeviceError, device_of
from tdml_assets.engines.registry import require_declared
from tdml_assets.models.champions import model_spec_of
from tdml_assets.platform.environment import project_root
from tdml_assets.platform.extras import MissingExtraError
from tdml_assets.platform.monitoring import drift_table
from tdml_assets.settings import EVERY_OTHER, Settings, SettingsError, explain, load_settings
from tdml_assets.stages.audience.attributes import AttributeDeclarationError, WorkflowAttributes, check_declarations
from tdml_assets.stages.predictions.next_orders import without_next_orders
from tdml_assets.stages.predictions.reasons import reason_names
from tdml_assets.tasks import why_off

#: The keys that lead to what is wrong, below ``attributes:``, and what is wrong in words.
Fault = tuple[tuple[str | int, ...], str]
_LONGEST_VALUE = 80


class Declaration(RootModel[dict[Any, Any]]):
    """What is under ``attributes:``, unread, with the schema of what it must be.

    Dagster would report a fault by pydantic's words alone; read by :meth:`WorkflowComponent.load`, it is reported with
    everything that is allowed in its place.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Show editors and ``dg check yaml`` the keys of a workflow."""
        return handler.resolve_ref_schema(handler(WorkflowSpec.__pydantic_core_schema__))


class WorkflowComponent(dg.Component):
    """One use case, declared: which target, which features, how prepared, which model, which attributes."""

    def __init__(self, spec: WorkflowSpec, declared_at: str = "") -> None:
        self.spec = spec
        self.declared_at = declared_at

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The keys under ``attributes:``."""
        return Declaration

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> WorkflowComponent:
        """Made from the YAML. Raises ``SettingsError`` naming file, line, key, value and what is allowed, for every fault."""
        content = attributes.root if isinstance(attributes, Declaration) else {}
        positions = context.resolution_context.source_position_tree

        def position_of(keys: Sequence[Any]) -> str:
            return str(positions.lookup_closest_and_path(keys, None)[0] if positions else context.path)

        try:
            spec = WorkflowSpec.model_validate(content)
            faults = list(_faults_beyond_the_model(spec))
        except ValidationError as error:
            faults = list(_faults(error))
        if faults:
            lines = (f"{position_of(['attributes', *keys])}: {words}" for keys, words in dict.fromkeys(faults))
            raise SettingsError("\n".join(lines))
        return cls(spec, position_of(["attributes", "name"]))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """The workflow's definitions; none where the settings do not run it."""
        settings = load_settings()
        spec = effective_spec(self.spec, settings)
        if spec is None or reason_off(spec, settings) is not None:
            return dg.Definitions()
        return build_workflow_definitions(spec, settings)


def effective_spec(declared: WorkflowSpec, settings: Settings) -> WorkflowSpec | None:
    """The workflow with the settings' overrides applied; None where the settings leave it out.

    Raises ``SettingsError`` if an override names an unknown key or a wrong value.
    """
    if settings.workflows is None:
        return _publishable(declared, settings)
    if declared.name not in settings.workflows and EVERY_OTHER not in settings.workflows:
        return None
    # Unset keys stay unset: what they mean depends on the engine.
    merged = _merge(declared.model_dump(exclude_unset=True), settings.workflows.get(declared.name, {}))
    try:
        spec = WorkflowSpec.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(explain(error, WorkflowSpec, f"workflows.{declared.name}")) from None
    # Who asks for fewer reasons than the declaration publishes wants fewer attributes, not an error about them.
    without = _missing_reasons(spec)
    kept = tuple(one for one in spec.attributes if one not in without)
    return _publishable(spec.model_copy(update={"attributes": kept}), settings)


def _publishable(spec: WorkflowSpec, settings: Settings) -> WorkflowSpec:
    """The workflow with one attribute per horizon, without those that need a column which the orders or predictions do not have.

    Raises ``SettingsError`` where its engine does not know what is declared, or a statistic of its own is not there.
    """
    try:
        drift_table(spec.monitor.statistics)
        if spec.engine != "auto":
            require_declared(spec.engine_name, model_spec_of(spec))
    except (ValueError, MissingExtraError) as error:
        raise SettingsError(f"workflows.{spec.name}: {error}") from None
    orders = settings.effective_sources.orders
    there = set(orders.mapped) if orders is not None else set()
    wanted = without_next_orders(spec, tuple(for_horizons(spec.attributes, spec.horizons)))
    kept = tuple(one for one in wanted if one.needs is None or one.needs in there)
    return spec.model_copy(update={"attributes": kept})


def reason_off(spec: WorkflowSpec, settings: Settings) -> str | None:
    """Why these orders do not allow a workflow; None where they do."""
    orders = settings.effective_sources.orders
    return None if orders is None else why_off(spec, orders.mapped)


def switched_off(settings: Settings, tree: dg.ComponentTree | None = None) -> dict[str, str]:
    """Reason per workflow that the settings would run and the sources do not allow."""
    specs = (effective_spec(found.spec, settings) for found in _components(tree))
    reasons = {spec.name: reason_off(spec, settings) for spec in specs if spec is not None}
    return {name: reason for name, reason in sorted(reasons.items()) if reason is not None}


def _missing_reasons(spec: WorkflowSpec) -> list[AttributeSpec]:
    """Attributes made of a reason that the model is not asked for."""
    given = reason_names(spec.reasons)
    return [one for one in spec.attributes if re.fullmatch(r"reason_\d+", one.column) and one.column not in given]


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        merged[key] = _merge(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def check_known(settings: Settings, declared: Mapping[str, WorkflowSpec]) -> None:
    """Refuse settings that name a workflow nobody declared."""
    unknown = sorted(set(settings.workflows or ()) - set(declared) - {EVERY_OTHER})
    if unknown:
        close = difflib.get_close_matches(unknown[0], sorted(declared), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise SettingsError(
            f"workflows: {', '.join(unknown)} is not declared; {hint}known: {', '.join(sorted(declared))}"
        )


def component_tree() -> dg.ComponentTree:
    """The YAML files under ``workflows/``."""
    # Dagster warns of the maturity of its own calls, dozens of times a load; nobody who runs this can act on it.
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)
    root = project_root()
    project = _declared_project(root)
    return dg.ComponentTree(
        defs_module=importlib.import_module(project["defs_module"]),
        project_root=root,
        code_location_name=project["code_location_name"],
    )


def workflow_definitions(tree: dg.ComponentTree) -> dg.Definitions:
    """What the YAML files become.

    ``ComponentTree.build_defs`` without a place would do the same and import every package that offers components, dagster-dbt
    and dagster-aws among them, to list their component types: twice the time of all the rest.
    """
    return dg.Definitions.merge(tree.build_defs(tree.defs_module_path), dg.Definitions(component_tree=tree))


def declarations() -> dict[Path, bytes]:
    """Every YAML file that workflows are declared in, as it is now."""
    folder = component_tree().defs_module_path
    return {path: path.read_bytes() for path in sorted(folder.rglob("*.y*ml"))}


@cache
def _declared_project(root: Path) -> dict[str, str]:
    # ComponentTree.for_project would read it twice, with a parser that is many times slower.
    read = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(read["tool"]["dg"]["project"])


def declared_workflows(settings: Settings, tree: dg.ComponentTree | None = None) -> list[WorkflowSpec]:
    """Every workflow that the settings run, in the order of their names.

    ``tree``: the declarations, where they were read already. Raises ``SettingsError`` if a declaration is wrong, or two have one
    name.
    """
    declared: dict[str, WorkflowSpec] = {}
    places: dict[str, str] = {}
    for found in _components(tree):
        name = found.spec.name
        if name in declared:
            raise SettingsError(
                f"{found.declared_at}: attributes.name is {name!r}, as in {places[name]}: choose another"
            )
        declared[name], places[name] = found.spec, found.declared_at
    check_known(settings, declared)
    try:
        device_of(settings.device)
    except NoDeviceError as error:
        raise SettingsError(str(error)) from None
    specs = (effective_spec(declared[name], settings) for name in sorted(declared))
    wanted = [spec for spec in specs if spec is not None]
    reasons = {spec.name: reason_off(spec, settings) for spec in wanted}
    if wanted and all(reasons.values()):
        lines = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise SettingsError(f"workflows: none can run on these orders. {lines}")
    return [spec for spec in wanted if reasons[spec.name] is None]


def _components(tree: dg.ComponentTree | None) -> list[WorkflowComponent]:
    try:
        return (tree or component_tree()).get_all_components(of_type=WorkflowComponent)
    except ComponentTreeException as error:
        if isinstance(error.__cause__, SettingsError):
            raise error.__cause__ from None
        raise
    except ValidationError as error:
        # What is next to ``attributes:``; Dagster has put its file and line where the key stands.
        allowed = {"extra_forbidden": f"unknown key; allowed here: {', '.join(ComponentFileModel.model_fields)}"}
        found = [(*str(fault["loc"][0]).partition(" at ")[::2], fault) for fault in error.errors()]
        lines = (f"{place}: {key}: {allowed.get(fault['type'], fault['msg'])}" for key, place, fault in found)
        raise SettingsError("\n".join(lines)) from None


def _faults(error: ValidationError) -> Iterator[Fault]:
    for fault in error.errors():
        nodes, keys = _schema_at(fault["loc"])
        name = ".".join(["attributes", *map(str, keys)])
        about = next((f" ({node['description']})" for node in nodes if node.get("description")), "")
        if fault["type"] == "extra_forbidden":
            key, known = str(fault["loc"][-1]), sorted(key for node in nodes for key in node.get("properties", ()))
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            yield (*keys, key), f"{name}.{key}: unknown key; {hint}allowed here: {', '.join(known)}"
        elif fault["type"] == "missing":
            yield keys, f"{name} is missing: it must be {_allowed(nodes)}{about}"
        elif fault["type"] in ("value_error", "assertion_error"):
            words = str(fault["ctx"]["error"])
            # A rule over several keys is broken at their section; its message begins with the key to correct.
            below = tuple(words.partition(": ")[0].split("."))
            if _schema_at((*keys, *below))[1] == (*keys, *below):
                keys, words = (*keys, *below), words.partition(": ")[2]
            yield keys, f"{'.'.join(['attributes', *map(str, keys)])}: {words}"
        else:
            text = repr(fault["input"])
            shown = text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
            yield keys, f"{name} is {shown}: it must be {_allowed(nodes)}{about}"


def _faults_beyond_the_model(spec: WorkflowSpec) -> Iterator[Fault]:
    """What a model of keys and types cannot know: names of attributes among each other, and what a cron line is."""
    for number in range(len(spec.attributes)):
        attributes = tuple(for_horizons(spec.attributes[: number + 1], spec.horizons))
        try:
            check_declarations([WorkflowAttributes(workflow=spec.name, attributes=attributes)])
        except AttributeDeclarationError as error:
            yield ("attributes", number, "name"), f"attributes.attributes.{number}.name: {error}"
            break
    for one in _missing_reasons(spec):
        place = spec.attributes.index(one)
        yield (
            ("attributes", place, "column"),
            f"attributes.attributes.{place}.column is {one.column!r}: model.reasons is {spec.reasons}; ask for more reasons, "
            "or take the attribute away",
        )
    if spec.schedule is not None:
        try:
            dg.ScheduleDefinition(name="_", job_name="_", cron_schedule=spec.schedule)
        except dg.DagsterInvalidDefinitionError:
            words = "it must be a cron line, such as '0 5 * * 1' for Mondays at five"
            yield ("schedule",), f"attributes.schedule is {spec.schedule!r}: {words}"


@cache
def _schema() -> dict[str, Any]:
    return WorkflowSpec.model_json_schema()


def _schema_at(location: Sequence[str | int]) -> tuple[list[dict[str, Any]], tuple[str | int, ...]]:
    """Schemas allowed at a place, and the keys that lead there; what else pydantic names on the way is left out."""
    nodes = _alternatives(_schema())
    keys: list[str | int] = []
    for part in location:
        if isinstance(part, int):
            below = [node["items"] for node in nodes if "items" in node]
        else:
            below = [node["properties"][part] for node in nodes if part in node.get("properties", ())] or [
                node["additionalProperties"] for node in nodes if isinstance(node.get("additionalProperties"), dict)
            ]
        if below:
            nodes, keys = [found for node in below for found in _alternatives(node)], [*keys, part]
    return nodes, tuple(keys)


def _alternatives(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        node = {
            **_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]],
            **{k: node[k] for k in ("description",) if k in node},
        }
    options = [found for option in node.get("anyOf", ()) for found in _alternatives(option)]
    about = {"description": node["description"]} if "description" in node else {}
    return [{**option, **about} for option in options] or [dict(node)]


_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


def _allowed(nodes: Sequence[Mapping[str, Any]]) -> str:
    """What a value may be, in words."""
    said: dict[str, None] = {}
    for node in nodes:
        kind = node.get("type")
        if values := node.get("enum", [node["const"]] if "const" in node else []):
            words = ("one of " if len(values) > 1 else "") + ", ".join(map(repr, values))
        elif kind in ("integer", "number"):
            bounds = [f"{word} {node[bound]:g}" for bound, word in _BOUNDS.items() if bound in node]
            words = " ".join(["a whole number" if kind == "integer" else "a number", *bounds])
        elif kind == "string":
            words = f"text that matches {node['pattern']}" if "pattern" in node else "text"
            words += ", not empty" if node.get("minLength") else ""
        elif kind == "array":
            words = f"a list, each {_allowed(_alternatives(node.get('items', {})))}"
        elif kind == "object":
            known = ", ".join(sorted(node.get("properties", ())))
            words = f"a section with the keys {known}" if known else "a section of keys and values"
        else:
            words = {"boolean": "true or false", "null": "nothing"}.get(str(kind), "any value")
        said[words] = None
    return " or ".join(said)
