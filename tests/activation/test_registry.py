"""Kinds of destinations are modules: those of this project by name, others by their import path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tdml_assets.declaration.destinations import destination_class, known_kinds
from tdml_assets.settings import SettingsError, load_settings
from tests.activation.conftest import Published, people

OWN = """
from contextlib import contextmanager
from typing import ClassVar
from tdml_assets.activation.protocol import Receipt
from tdml_assets.declaration.destinations import DestinationSettings

class Loyalty(DestinationSettings):
    shelf: str
    removes: ClassVar[bool] = False
    taken: ClassVar[list] = []

    @contextmanager
    def open(self, opening):
        yield self

    def send(self, batch):
        self.taken.extend(batch.rows.to_pylist())
        return Receipt()

    def finish(self):
        return {"shelf": self.shelf}

DESTINATION = Loyalty
"""


def settings_of(tmp_path: Path, text: str):
    (tmp_path / "tdml.yaml").write_text(text, encoding="utf-8")
    return load_settings({"TDML_CONFIG": str(tmp_path / "tdml.yaml"), "TDML_HOME": str(tmp_path / "home")})


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "shop_loyalty").mkdir()
    (tmp_path / "shop_loyalty" / "__init__.py").touch()
    (tmp_path / "shop_loyalty" / "points.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "shop_loyalty.points"


def test_a_kind_of_ones_own_is_a_module_outside_of_the_package(
    published: Published, own_module: str, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, f"destinations: {{points: {{kind: {own_module}, shelf: top, mode: mirror}}}}")
    declared = settings.destinations.others["points"]
    published.publish(people(3))
    result = published.sync(declared, name="points")
    assert (result.status, result.added, dict(result.details)) == ("succeeded", 3, {"shelf": "top"})
    assert [row["customer_id"] for row in type(declared).taken] == sorted(people(3))
    del sys.modules[own_module]


@pytest.mark.parametrize("kind", known_kinds())
def test_every_module_of_the_package_is_a_kind(kind: str) -> None:
    assert destination_class(kind).model_fields["kind"].default == kind


def test_without_a_destination_there_is_none_and_the_exports_stay(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "{}").destinations.others == {}
    both = settings_of(tmp_path, "destinations: {webhook: {url_env: HOOK_URL}}").destinations
    assert (list(both.others), both.files is not None, both.others["webhook"].kind) == (["webhook"], True, "webhook")
    assert settings_of(tmp_path, "destinations: {files: null}").destinations.files is None


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("webhoock: {url_env: A}", "destinations.webhoock: unknown key; did you mean 'webhook'?"),
        ("webhook: {}", "destinations.webhook.url_env: Field required"),
        ("webhook: {url_env: A, batch_rowz: 3}", "destinations.webhook.batch_rowz: unknown key; did you mean 'batch_rows'?"),
        ("webhook: {url_env: 'https://u:p4ss@h/x'}", "must be the name of an environment variable"),
        ("webhook: {url_env: A, mode: replace}", "mode replace is not one that webhook can do: upsert, "),
        ("webhook: {url_env: A, guards: {deletes: {most: -1}}}", "destinations.webhook.guards.deletes.most: Input should be"),
        ("webhook: {url_env: A, identifiers: {mail: {column: email, hash: sha256}}}", "form must be email or phone"),
        ("crm: {url_env: A}", "destinations.crm: unknown key; a destination with a name of its own needs kind: "),
        ("crm: {kind: webhoock}", "destinations.crm: 'webhoock' is not a kind of destination: "),
        ("Webhook: {url_env: A}", "small letters"),
        ("crm: {kind: no.such.module}", "module no.such.module cannot be imported"),
        ("crm: {kind: json.decoder}", "has no DESTINATION"),
        ("webhook: {url_env: A, attributes: {a: x, b: x}}", "two columns would be called x there"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_section_is_said_at_its_key(tmp_path: Path, section: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, f"destinations: {{{section}}}")
    assert words in str(caught.value)
    assert "p4ss" not in str(caught.value)


def test_a_key_can_be_set_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "tdml.yaml").write_text("destinations: {webhook: {url_env: A}}", encoding="utf-8")
    environment = {"TDML_CONFIG": str(tmp_path / "tdml.yaml"), "TDML_DESTINATIONS__WEBHOOK__MODE": "mirror"}
    assert load_settings(environment).destinations.others["webhook"].mode == "mirror"
