"""Every key of a workflow's YAML, wrong in turn: an error with file, line, key and what is allowed.

The keys come from the model itself, so that a new key is held to the same without a line here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import tdml_assets.component
from tdml_assets.component import Declaration, WorkflowComponent, component_tree, declared_workflows
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.settings import SettingsError, load_settings

HEAD = "type: tdml_assets.component.WorkflowComponent\n"
# Refused by one kind of key or another; which by which, the key's own type says.
CANDIDATES: list[Any] = [
    {"zz": [[]]},
    [[[]]],
    "no such thing, ever",
    "",
    -(10**9),
    10**9,
    0.123,
    {"x": "no"},
    [{"x": 1}],
]
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Key:
    """A key of the YAML: where it stands, what it is, and the model it belongs to."""

    path: Path_
    field: FieldInfo
    model: type[BaseModel]

    @property
    def adapter(self) -> TypeAdapter[Any]:
        annotation: Any = self.field.annotation
        for constraint in self.field.metadata:
            annotation = Annotated[annotation, constraint]
        return TypeAdapter(annotation)

    def wrong_values(self) -> list[Any]:
        return [value for value in CANDIDATES if not accepts(self.adapter, value)]

    def __str__(self) -> str:
        return ".".join(map(str, self.path))


def accepts(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def models_in(annotation: Any) -> list[tuple[type[BaseModel], bool]]:
    """Models a key may hold, and whether in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, False)]
    in_list = get_origin(annotation) in (list, tuple)
    return [(model, listed or in_list) for part in get_args(annotation) for model, listed in models_in(part)]


def keys_of(model: type[BaseModel], prefix: Path_ = ()) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = (*prefix, name)
        yield Key(path, field, model)
        for inner, listed in models_in(field.annotation):
            yield from keys_of(inner, (*path, 0) if listed else path)


KEYS = list(keys_of(WorkflowSpec))
REQUIRED = [key for key in KEYS if key.field.is_required()]


def yaml_with(path: Path_, value: Any, *, without: str | None = None) -> tuple[str, int]:
    """A workflow in which ``path`` holds ``value``, else only what must be given, and the line of its last key."""
    lines = [HEAD.rstrip(), "attributes:"]
    for depth, part in enumerate(path):
        if isinstance(part, str):
            parent = path[:depth]
            given = [key for key in REQUIRED if key.path[:-1] == parent and key.path[-1] not in (part, without)]
            started = bool(parent) and isinstance(parent[-1], int)
            indent = "  " * (depth + 1)
            for key in given:
                lines.append(f"{indent[:-2] + '- ' if started else indent}{key.path[-1]}: some_value")
                started = False
            last = depth == len(path) - 1
            written = f" {json.dumps(value)}" if last else ""
            lines.append(f"{indent[:-2] + '- ' if started else indent}{part}:{written}")
    return "\n".join(lines) + "\n", len(lines)


def make_project(root: Path, package: str) -> Path:
    """A project of its own; returns the folder of its declarations."""
    (root / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\ndefs_module = "{package}"\n',
        encoding="utf-8",
    )
    (root / package).mkdir()
    (root / package / "__init__.py").touch()
    return root / package


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of one declaration, in a project of its own."""
    root = tmp_path_factory.mktemp("declared")
    # A worker that comes back to this module sets it up anew, and would import the first folder's package again.
    folder = make_project(root, root.name) / "abc"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        yield folder


def load(folder: Path, text: str) -> WorkflowComponent:
    (folder / "defs.yaml").write_text(text, encoding="utf-8")
    (found,) = dg.ComponentTree.for_project(folder).get_all_components(of_type=WorkflowComponent)
    return found


def error_of(folder: Path, text: str) -> str:
    """What loading the declaration says; Dagster shows it below a tree of the project's files."""
    with pytest.raises(ComponentTreeException) as caught:
        load(folder, text)
    assert isinstance(caught.value.__cause__, SettingsError), caught.value.__cause__
    return str(caught.value.__cause__)


def test_the_keys_are_those_of_all_sections_at_any_depth() -> None:
    found = {str(key) for key in KEYS}
    assert {"name", "target.horizon_days", "prepare.outliers.rule", "attributes.0.name", "model.seed"} <= found
    assert len(KEYS) > 60
    assert all(len(key.wrong_values()) >= 2 for key in KEYS)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_right_value_is_taken(folder: Path, key: Key) -> None:
    """Else the other tests would pass for the wrong reason."""
    if key.field.is_required():
        value: Any = "some_value"
    elif models_in(key.field.annotation):
        value = [] if any(listed for _, listed in models_in(key.field.annotation)) else {}
    else:
        value = TypeAdapter(Any).dump_python(key.field.get_default(call_default_factory=True), mode="json")
    text, _ = yaml_with(key.path, value)
    try:
        assert load(folder, text).spec.name == "some_value"
    except ComponentTreeException as error:
        # Some keys demand others next to them: a rule in words of its own, which says nothing against this value.
        if re.search("must be|unknown key|missing", str(error.__cause__)):
            raise


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_wrong_value_names_file_line_key_and_what_is_allowed(folder: Path, key: Key) -> None:
    described = [complains_of(folder, key, value) for value in key.wrong_values()]
    assert any(described), "no wrong value of this key is answered with what is allowed"


def complains_of(folder: Path, key: Key, value: Any) -> bool:
    """Check the complaint about one wrong value; whether it tells what the key may be."""
    text, line = yaml_with(key.path, value)
    place = f"{folder / 'defs.yaml'}:{line}: attributes.{key}"
    fault = next(fault for fault in error_of(folder, text).splitlines() if fault.startswith(place))
    if not fault.startswith(f"{place} is "):
        # A rule of the key's own in its own words, or something inside the value.
        assert re.fullmatch(r"(\.\S+)?(:| is ).+", fault.removeprefix(place)), fault
        return False
    said = fault.split("it must be", 1)[1]
    for allowed in literals(key.field.annotation):
        assert repr(allowed) in said
    for constraint in key.field.metadata:
        for bound in ("ge", "gt", "le", "lt"):
            if getattr(constraint, bound, None) is not None:
                assert f"{getattr(constraint, bound):g}" in said
    for inner, listed in models_in(key.field.annotation):
        assert listed or all(name in said for name in inner.model_fields)
    assert key.field.description is None or key.field.description in said
    return True


def literals(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) if get_origin(annotation) is not dict for value in literals(part)]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_misspelt_key_names_the_right_one_and_all_others(folder: Path, key: Key) -> None:
    *parent, name = key.path
    text, line = yaml_with((*parent, f"{name}_"), 1, without=str(name) if key.field.is_required() and parent else None)
    (fault,) = [fault for fault in error_of(folder, text).splitlines() if "unknown key" in fault]
    where = ".".join(map(str, ("attributes", *parent, f"{name}_")))
    assert fault.startswith(
        f"{folder / 'defs.yaml'}:{line}: {where}: unknown key; did you mean {name!r}? allowed here: "
    )
    assert fault.split("allowed here: ")[1].split(", ") == sorted(key.model.model_fields)


@pytest.mark.parametrize("key", REQUIRED, ids=str)
def test_a_missing_key_names_itself_and_the_line_of_its_section(folder: Path, key: Key) -> None:
    *parent, name = key.path
    other = next(field for field in key.model.model_fields if field != name)
    text, _ = yaml_with((*parent, other), "some_value", without=str(name))
    if not parent:
        text = text.replace("  name: some_value\n", "")
    fault = next(line for line in error_of(folder, text).splitlines() if f"attributes.{key} is missing" in line)
    assert fault.startswith(f"{folder / 'defs.yaml'}:")
    assert "it must be text" in fault


def test_all_faults_are_named_at_once(folder: Path) -> None:
    text = HEAD + "attributes:\n  name: Bad Name\n  tasks: regression\n  target: {horizon_days: 0}\n  prepare: 3\n"
    faults = error_of(folder, text).splitlines()
    assert sorted(fault.split("defs.yaml:")[1].split(" ")[0] for fault in faults) == ["3:", "4:", "5:", "6:"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  name: raw", r":3: attributes\.name: 'raw' is the name of a schema this project uses: choose another"),
        ("", r":2: attributes\.name is missing: it must be text that matches"),
        ("  name: a b", r":3: attributes\.name is 'a b': it must be text that matches \^\[a-z\]"),
        (
            "  name: abc\n  schedule: every monday",
            r":4: attributes\.schedule is 'every monday': it must be a cron line, such as '0 5 \* \* 1'",
        ),
        (
            "  name: abc\n  attributes:\n    - {name: abc_x, column: x, description: d}\n"
            "    - {name: Bad Name, column: x, description: d}",
            r":6: attributes\.attributes\.1\.name: workflow abc, attribute 'Bad Name': a name has lower case letters",
        ),
        (
            "  name: abc\n  attributes:\n    - {name: abc_x, column: x, description: d}\n"
            "    - {name: abc_x, column: y, description: d}",
            r":6: attributes\.attributes\.1\.name: .* a name is unique over all workflows",
        ),
        (
            "  name: abc\n  attributes:\n    - name: abc_x\n      column: x\n      description: d\n      kind: decile\n"
            "      type: string",
            r":5: attributes\.attributes\.0: attribute abc_x: a decile is a number, not a string: leave its type out",
        ),
        (
            "  name: abc\n  task: classification\n  target:\n    horizon_days: 30\n    kind: net_spend",
            r":7: attributes\.target\.kind: 'net_spend' is not a target of a classification; allowed: no_purchase",
        ),
        (
            "  name: abc\n  target:\n    kind: any\n    where:\n      colour: red",
            r":6: attributes\.target\.where: orders has no column 'colour'; allowed: is_return",
        ),
        (
            "  name: abc\n  target:\n    kind: any\n    where: {is_return: {a: 1}}",
            r":6: attributes\.target\.where\.is_return is \{'a': 1\}: it must be text or true or false or a whole number",
        ),
        (
            "  name: abc\n  model: {reasons: 1}\n  attributes:\n    - {name: abc_x, column: reason_2, description: d}",
            r":6: attributes\.attributes\.0\.column is 'reason_2': model\.reasons is 1; ask for more reasons",
        ),
        (
            "  name: abc\n  snapshots:\n    seasons: [1, two]",
            r":5: attributes\.snapshots\.seasons\.1 is 'two': it must be a whole",
        ),
    ],
)
def test_faults_that_need_more_than_one_key_or_dagster_to_be_seen(folder: Path, text: str, message: str) -> None:
    found = error_of(folder, f"{HEAD}attributes:{' {}' if not text else ''}\n{text}\n")
    assert re.search(message, found), found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the place of ours, with a folder for declarations."""
    package = f"declared_in_{re.sub('[^a-z0-9]', '_', tmp_path.name.lower())}"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tdml_assets.component, "component_tree", lambda: dg.ComponentTree.for_project(tmp_path))
    return make_project(tmp_path, package)


def declare(project: Path, folder: str, text: str) -> Path:
    (project / folder).mkdir()
    (project / folder / "defs.yaml").write_text(text, encoding="utf-8")
    return project / folder / "defs.yaml"


def test_the_platform_reports_a_wrong_declaration_without_dagsters_tree_around_it(project: Path) -> None:
    path = declare(project, "one", HEAD + "attributes:\n  name: one\n  tsk: regression\n")
    with pytest.raises(SettingsError) as caught:
        declared_workflows(load_settings({}, working_folder=project))
    assert str(caught.value).startswith(
        f"{path}:4: attributes.tsk: unknown key; did you mean 'task'? allowed here: attributes, "
    )


def test_two_workflows_of_one_name_are_refused_and_both_places_named(project: Path) -> None:
    first = declare(project, "one", HEAD + "attributes:\n  name: same\n")
    second = declare(project, "two", "# a comment\n" + HEAD + "attributes:\n  name: same\n")
    with pytest.raises(SettingsError) as caught:
        declared_workflows(load_settings({}, working_folder=project))
    assert str(caught.value) == f"{second}:4: attributes.name is 'same', as in {first}:3: choose another"


def test_a_misspelt_key_beside_the_attributes_names_file_line_and_those_allowed(project: Path) -> None:
    path = declare(project, "one", HEAD + "atributes:\n  name: one\n")
    with pytest.raises(SettingsError) as caught:
        declared_workflows(load_settings({}, working_folder=project))
    assert str(caught.value).startswith(f"{path}:2: atributes: ")
    assert "type, attributes" in str(caught.value)


def test_the_declared_workflows_of_the_project_load_and_keep_the_order_of_names(tmp_path: Path) -> None:
    specs = declared_workflows(load_settings({}, working_folder=tmp_path))
    assert [spec.name for spec in specs] == sorted(spec.name for spec in specs)
    assert "cltv" in [spec.name for spec in specs]


def test_attributes_of_reasons_go_with_the_reasons_that_the_settings_switch_off(tmp_path: Path) -> None:
    (tmp_path / "tdml.yaml").write_text("workflows: {cltv: {model: {reasons: 1}}}")
    (spec,) = declared_workflows(load_settings({}, working_folder=tmp_path))
    assert [one.column for one in spec.attributes if one.column.startswith("reason")] == ["reason_1"]


def test_editors_and_dg_are_given_the_schema_of_a_workflow() -> None:
    schema = Declaration.model_json_schema()
    assert set(schema["properties"]) == set(WorkflowSpec.model_fields)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"name": "abc", "target": {"horizon_days": 30}})
    assert not validator.is_valid({"name": "abc", "target": {"horizon_day": 30}})
    assert not validator.is_valid({"name": "abc", "snapshots": {"count": 0}})
    for component in component_tree().get_all_components(of_type=WorkflowComponent):
        assert validator.is_valid(component.spec.model_dump(mode="json", exclude_unset=True))


def test_a_linear_engine_brings_its_own_preparation_and_options_are_refused_by_name(tmp_path: Path) -> None:
    settings = tmp_path / "tdml.yaml"
    settings.write_text("workflows: {cltv: {engine: hivemall, prepare: {scaling: robust}}, churn: {engine: hivemall}}")
    churn, cltv = declared_workflows(load_settings({}, working_folder=tmp_path))
    assert (churn.estimator, cltv.estimator) == ("train_classifier", "train_regressor")
    assert (cltv.prepare.nulls, cltv.prepare.transform, cltv.prepare.scaling) == ("median", "log1p", "robust")
    assert cltv.prepare.outliers.rule == "none", "what the workflow declares is kept"
    for wrong, words in {
        "{engine: hivemall, model: {options: '-los logloss'}}": "model.options: Unrecognized option: -los",
        "{engine: hivemall, model: {estimator: xgboost_classifier}}": "has no xgboost_classifier for classification",
        "{engine: hivemall, prepare: {nulls: keep}}": "takes? no missing values",
        "{model: {options: '-loss logloss'}}": "only engine: hivemall takes an option string",
    }.items():
        settings.write_text(f"workflows: {{churn: {wrong}}}")
        with pytest.raises(SettingsError, match=words):
            declared_workflows(load_settings({}, working_folder=tmp_path))
    settings.write_text("workflows: {segments: {engine: hivemall}}")
    with pytest.raises(SettingsError, match="serves regression and classification, the task is clustering"):
        declared_workflows(load_settings({}, working_folder=tmp_path))
