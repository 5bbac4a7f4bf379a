"""Commands that the documents name are there after the step that the documents name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from tdml_assets.commands.app import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
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
