"""The reference of the settings is what the models say, and every example in it is a declaration that is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from tdml_assets.commands.reference import documented_keys, example_of, reference_files, settings_schema
from tdml_assets.declaration import columns, numbers
from tdml_assets.declaration import sources as declared
from tdml_assets.settings import Settings
from tests.messy_shop import SETTINGS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["sources.md", "tdml.schema.json"])
def test_the_reference_in_docs_is_the_one_that_make_docs_writes(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == reference_files()[name], "run make docs"


SECTIONS = [
    ("csv", declared.CsvOptions),
    ("bounds", numbers.OrderBounds),
    ("columns", columns.OrderColumns),
    ("columns", columns.PageviewColumns),
    ("columns", columns.EmailEventColumns),
    ("columns", columns.IdentityColumns),
    ("", numbers.Bounds),
    ("orders", declared.OrdersSource),
    ("pageviews", declared.PageviewsSource),
    ("email_events", declared.EmailEventsSource),
    ("customers", declared.CustomersSource),
    ("consent", declared.PermissionSource),
    ("permission", columns.PermissionColumns),
]


@pytest.mark.parametrize(
    ("model", "key"), [(model, key) for place, model in SECTIONS for key in documented_keys(place, model)]
)
def test_every_key_has_an_example_that_is_valid(model: Any, key: str) -> None:
    item = model.model_fields[key.rpartition(".")[2]]
    assert item.description
    assert example_of(key) is not None
    TypeAdapter(Annotated[item.annotation, item]).validate_python(example_of(key))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_takes_the_examples(path: Path) -> None:
    jsonschema.validate(_as_json(yaml.safe_load(path.read_text(encoding="utf-8"))), settings_schema(Settings))


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def test_the_schema_takes_short_forms_and_refuses_a_typo() -> None:
    schema = settings_schema(Settings)
    jsonschema.validate(SETTINGS | {"workflows": ["cltv"], "quality": {"accepted": "0123456789ab"}}, schema)
    with pytest.raises(jsonschema.ValidationError, match="timestampformat"):
        jsonschema.validate({"sources": {"orders": SETTINGS["sources"]["orders"] | {"timestampformat": "x"}}}, schema)
