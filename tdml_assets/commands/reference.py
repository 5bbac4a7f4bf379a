"""``make docs``: the settings file's keys as a page for people and as a JSON schema for editors, both from the pydantic models.

Elsewhere: prose and examples (``pages/``), the keys themselves (``declaration/sources.py``, ``settings.py``).
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tdml_assets.declaration import columns, numbers, sources
from tdml_assets.declaration.destinations import destination_class, known_kinds
from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.statuses import COMMON_PHRASES
from tdml_assets.settings import Settings

#: The page as a template, and the values it shows.
_PAGES = Path(__file__).with_name("pages")


def sources_page() -> str:
    """``docs/sources.md``."""
    import jinja2

    template = jinja2.Template(
        (_PAGES / "sources.md.j2").read_text(encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    modules = {
        "columns": columns,
        "numbers": numbers,
        "sources": sources,
    }
    quality = _table(
        ["key", "type", "default", "meaning"], (_row(QualityPolicy, name) for name in QualityPolicy.model_fields)
    )
    return template.render(keys=_keys, quality=quality, statuses=COMMON_PHRASES, **modules)


def documented_keys(place: str, model: type[BaseModel], without: type[BaseModel] | None = None) -> Iterator[str]:
    """Keys of a section: those of ``model`` that ``without`` has not, or declares differently."""
    known = without.model_fields if without is not None else {}
    for name, item in model.model_fields.items():
        is_other = name in known and (item.default, item.annotation) != (known[name].default, known[name].annotation)
        if name not in known or is_other:
            yield f"{place}.{name}" if place else name


@cache
def _examples() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((_PAGES / "examples.yaml").read_text(encoding="utf-8"))
    return found


def example_of(key: str) -> Any:
    """The example of a documented key."""
    return _examples()["placed"].get(key, _examples()["anywhere"].get(key.rpartition(".")[2]))


def _keys(place: str, model: type[BaseModel], without: type[BaseModel] | None = None) -> str:
    """What a section says of a model: its sentence, and a table of its keys."""
    rows = []
    for key in documented_keys(place, model, without):
        name = key.rpartition(".")[2]
        rows.append([*_row(model, name), _code(f"{name}: {_flow(example_of(key))}")])
    table = _table(["key", "type", "default", "meaning", "example"], rows)
    return f"{(model.__doc__ or '').strip()}\n\n{table}"


def _row(model: type[BaseModel], name: str) -> list[str]:
    item = model.model_fields[name]
    return [f"`{name}`", type_words(model, name), _default(item), _cell(item.description)]


def _table(names: list[str], rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in [names, *rows]]
    lines.insert(1, f"|{'---|' * len(names)}")
    return "\n".join(lines)


def type_words(model: type[BaseModel], name: str) -> str:
    """The type of a key, in words."""
    schema = _with_short_forms(model.model_json_schema())
    return _words(schema["properties"][name], schema.get("$defs", {}))


_NAMED = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number"}


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if choices := schema.get("anyOf", schema.get("oneOf")):
        kinds = dict.fromkeys(_words(one, definitions) for one in choices if one.get("type") != "null")
        # A decimal may also be written as text, for digits that floats do not hold.
        return " or ".join(kind for kind in kinds if not (kind == "text" and "number" in kinds))
    if "enum" in schema or "const" in schema:
        return ", ".join(_code(_flow(value)) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type"))
    if kind == "array":
        return f"list of {_words(schema.get('items', {}), definitions)}"
    if kind == "object":
        return "keys of its own" if "properties" in schema else "mapping"
    return "day" if schema.get("format") == "date" else _NAMED.get(kind, "any")


def _default(item: FieldInfo) -> str:
    if item.is_required():
        return "required"
    value = item.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own"
    return "none" if value is None else _code(_flow(list(value) if isinstance(value, tuple) else value))


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.strip().removesuffix("...").strip()


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("<", "&lt;")


#: Keys that take one value in place of a list, which the models' own schema cannot say.
_ONE_OR_MANY = ("path", "accepted", "timestamp_format", "updated_at_format", "recorded_at_format", "column")


def _with_short_forms(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow what validators turn into the full form: one value in place of a list."""
    found = copy.deepcopy(schema)
    for part in [found, *found.get("$defs", {}).values()]:
        for name in _ONE_OR_MANY:
            item = part.get("properties", {}).get(name, {})
            if lists := [one for one in item.get("anyOf", []) if one.get("type") == "array"]:
                item["anyOf"] = [*(one["items"] for one in lists), *item["anyOf"]]
            if item.get("type") == "array":
                kinds = {key: item.pop(key) for key in ("type", "items", "minItems") if key in item}
                item["anyOf"] = [kinds["items"], kinds]
    return found


def settings_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of ``tdml.yaml``. ``model``: ``Settings``; its folders are set by the environment and left out."""
    schema = _with_short_forms(model.model_json_schema())
    for name in ("home", "base_folder"):
        schema["properties"].pop(name)
    schema["required"] = [name for name in schema.get("required", []) if name in schema["properties"]]
    # A list of names, or a mapping to keys to override; a name with nothing behind it overrides nothing.
    schema["properties"]["workflows"]["anyOf"] = [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
        {"type": "null"},
    ]
    _add_destinations(schema)
    schema["title"] = "tdml.yaml"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _add_destinations(schema: dict[str, Any]) -> None:
    """A destination has a name of its own, and one of the kinds' sections; a kind of one's own has keys that nobody knows here."""
    one: list[dict[str, Any]] = []
    for kind in known_kinds():
        model = destination_class(kind)
        found = model.model_json_schema(ref_template="#/$defs/{model}")
        for name, definition in found.pop("$defs", {}).items():
            schema["$defs"].setdefault(name, definition)
        schema["$defs"][model.__name__] = found
        one.append({"$ref": f"#/$defs/{model.__name__}"})
        # Where the name is the kind, it need not be said.
        schema["$defs"]["Destinations"]["properties"][kind] = one[-1]
    own = {"type": "object", "properties": {"kind": {"type": "string", "pattern": "[.]"}}, "required": ["kind"]}
    schema["$defs"]["Destinations"]["additionalProperties"] = {"anyOf": [*one, own]}


def reference_files() -> dict[str, str]:
    """Content per file name."""
    schema = json.dumps(settings_schema(Settings), indent=1, default=str)
    return {"sources.md": sources_page(), "tdml.schema.json": f"{schema}\n"}


def main(folder: Path) -> None:
    """Write the files into ``folder``."""
    for name, content in reference_files().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
