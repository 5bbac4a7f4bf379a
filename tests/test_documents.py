"""Commands that the documents name are there after the step that the documents name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
import yaml

from tdml_assets.commands.app import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
#: Installed by make run; dg by make test, which the documents say where they name it.
PROGRAMS = {"python", "tdml-assets", "dagster", "dg"}


def commands_in(text: str) -> list[str]:
    """Lines of fenced blocks without a language, and code within sentences."""
    fenced = re.findall(r"^```(?:sh|bash)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line.strip() for block in fenced for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", prose)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_the_program_that_is_named_exists(path: Path) -> None:
    registered = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    named = re.findall(
        r"(?:tdml-assets|-m tdml_assets) ([a-z]+(?:-[a-z]+)*)\b", "\n".join(commands_in(path.read_text("utf-8")))
    )
    assert set(named) <= registered


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_programs_are_named_where_they_are_installed(path: Path) -> None:
    commands = commands_in(path.read_text(encoding="utf-8"))
    assert {name for text in commands for name in re.findall(r"\.venv/bin/([\w-]+)", text)} <= PROGRAMS
    bare = [text for text in commands if re.match(r"(dg|duckdb|python -m tdml_assets) ", text)]
    assert [text for text in bare if not text.startswith("python -m tdml_assets run")] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_linked_are_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_decision_records_are_numbered_dated_and_listed() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))
    texts = {path: path.read_text(encoding="utf-8") for path in RECORDS}
    heads = {path: rf"# {int(path.name[:4])}\. (.+)\n\nDate: \d{{4}}-\d\d-\d\d\. Status: " for path in RECORDS}
    titles = {path: re.match(heads[path], text) for path, text in texts.items()}
    assert [path.name for path, title in titles.items() if title is None] == []
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = {f"[{title[1]}](docs/decisions/{path.name})" for path, title in titles.items() if title is not None}
    assert {link for link in listed if link not in architecture} == set()


def pages_of(navigation: object) -> set[str]:
    """The files that a navigation of mkdocs.yml names."""
    if isinstance(navigation, str):
        return {navigation}
    inner = navigation.values() if isinstance(navigation, dict) else navigation
    return set().union(*map(pages_of, inner))  # type: ignore[call-overload]


def test_the_site_leads_to_every_page() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    folder = ROOT / "docs"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}
    assert pages_of(navigation) == found
