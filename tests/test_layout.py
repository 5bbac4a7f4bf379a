"""Where code lives: one name per stage in every folder, Dagster only where it is declared, and no import cycles.

The order of layers and stages is a contract of import-linter in ``pyproject.toml``, which ``make check`` proves.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tdml_assets"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
#: The stages, as the contract orders them.
STAGES = {
    stage
    for contract in CONTRACTS
    if contract.get("containers") == ["tdml_assets.stages"]
    for stage in contract["layers"]
    if stage not in ("workflow", "reuse")
}
#: Statements that no single stage owns: of the platform, of tasks, and of commands.
OTHER_STATEMENTS = {
    *("retention", "reuse", "sessions", "statistics", "warehouse"),
    *("activation", "clustering", "recommendation"),
    *("check", "explain", "forget", "export", "rejected", "replay", "status", "summary"),
}
#: Modules that may import Dagster besides the assets of the stages; a name with a dot at its end is a package.
WITH_DAGSTER = (
    "automation.",
    "platform.",
    "component",
    "definitions",
    "stages.workflow",
    "stages.reuse",
    "commands.status",
)
#: The alert channel of dagster-slack.
SLACK = "stages.triage.alerts.slack"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path, *, with_functions: bool) -> Iterator[str]:
    """Modules that a file imports, ours without ``tdml_assets.``; those within functions only if asked for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if with_functions else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("tdml_assets.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}".removeprefix("tdml_assets.")
                yield full if full in MODULES else node.module.removeprefix("tdml_assets.")


def is_asset(module: str) -> bool:
    return module.startswith("stages.") and module.rsplit(".", 1)[-1].endswith("asset")


def folders(path: Path) -> set[str]:
    return {found.name for found in path.iterdir() if found.is_dir() and found.name != "__pycache__"}


def test_every_stage_is_a_package_with_an_asset() -> None:
    assert folders(PACKAGE / "stages") == STAGES
    assert not {stage for stage in STAGES if not (PACKAGE / "stages" / stage / "asset.py").is_file()}


def test_statements_and_tests_are_named_after_their_stage() -> None:
    assert folders(ROOT / "sql") <= STAGES | OTHER_STATEMENTS
    assert folders(ROOT / "tests" / "stages") <= STAGES


def test_dagster_is_imported_only_where_it_may_be() -> None:
    importing = {
        name
        for name, path in MODULES.items()
        if any(found.split(".")[0].startswith("dagster") for found in imports_of(path, with_functions=True))
    }
    assert not {
        name for name in importing if not is_asset(name) and not name.startswith(WITH_DAGSTER) and name != SLACK
    }


def test_modules_import_each_other_in_one_direction() -> None:
    imported = {
        name: set(imports_of(path, with_functions=False)) & set(MODULES) - {name} for name, path in MODULES.items()
    }
    being_visited: dict[str, bool] = {}
    cycles: list[list[str]] = []

    def visit(name: str, path: list[str]) -> None:
        if name in being_visited:
            if being_visited[name]:
                cycles.append([*path[path.index(name) :], name])
            return
        being_visited[name] = True
        for found in sorted(imported[name]):
            visit(found, [*path, name])
        being_visited[name] = False

    for name in sorted(imported):
        visit(name, [])
    assert not cycles
