"""Kinds of destinations are modules: those of this project by name, others by their import path."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tdml_assets.declaration.destinations import destination_class, known_kinds
from tdml_assets.settings import SettingsError, load_settings
from tests.activation.conftest import Published, people

PAGE = Path(__file__).resolve().parents[2] / "docs" / "destinations.md"


def settings_of(tmp_path: Path, text: str):
    (tmp_path / "tdml.yaml").write_text(text, encoding="utf-8")
    return load_settings({"TDML_CONFIG": str(tmp_path / "tdml.yaml"), "TDML_HOME": str(tmp_path / "home")})


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The module that the documents show, outside of the package."""
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "loyalty.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "shop.loyalty"
    for name in ("shop.loyalty", "shop"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("own_module")
def test_the_module_that_the_documents_show_is_a_destination(published: Published, tmp_path: Path) -> None:
    section = next(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if "kind: shop.loyalty, folder" in line
    )
    folder = tmp_path / "mounted"
    settings = settings_of(tmp_path, f"destinations:\n{section.replace('/mnt/loyalty', str(folder))}")
    declared = settings.destinations.others["loyalty"]
    assert declared.purpose == "loyalty"
    declared = declared.model_copy(update={"purpose": None, "batch_rows": 2, "failed_share": 0.5})
    published.publish({**people(3), "7": (0.5, "A")})
    refused = published.sync(declared, name="loyalty")
    assert (refused.status, "is not a folder: mount it" in (refused.reason or "")) == ("failed", True)
    folder.mkdir()
    result = published.sync(declared, name="loyalty")
    assert (result.status, result.added, result.failed, result.details["files"]) == ("succeeded", 3, 1, 2)
    assert published.rows("select customer_id, code from activation.dead_letters") == [
        {"customer_id": "7", "code": "no_card"}
    ]
    again = published.sync(declared, name="loyalty")
    assert (again.taken, again.unchanged) == (0, 3)
    lines = [json.loads(line) for path in folder.iterdir() for line in path.read_text().splitlines()]
    assert sorted(line["customer_id"] for line in lines) == sorted(people(3))


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


def test_the_table_of_failures_names_every_kind_and_tests_that_are_there() -> None:
    here = Path(__file__).parent
    text = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^\| `(\w+)` \|(.*`test_.*)$", text, flags=re.MULTILINE)
    assert sorted(kind for kind, _ in lines) == known_kinds()
    for kind, cells in lines:
        tests = (here / f"test_{'failures' if kind == 'webhook' else kind}.py").read_text(encoding="utf-8")
        assert [name for name in re.findall(r"`(test_\w+)`", cells) if f"def {name}(" not in tests] == []
