"""Where code lives: one name per stage in every folder, Dagster only where it is declared, and no import cycles.

The order of layers and stages is a contract of import-linter in ``pyproject.toml``, which ``make check`` proves.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tools import layout

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tdml_assets"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
#: The stages, as the contract orders them.
STAGES = {
    stage
    for contract in CONTRACTS
    if contract.get("containers") == ["tdml_assets.stages"]
    for stage in contract["layers"]
    if stage != "reuse"
}
#: Statements that no single stage owns: of the platform, of tasks, and of commands.
OTHER_STATEMENTS = {
    *("retention", "reuse", "sessions", "statistics", "warehouse"),
    *("activation", "clustering", "recommendation"),
    *("check", "explain", "forget", "export", "rejected", "replay", "status", "summary"),
}
#: Modules that may import Dagster besides the assets of the stages; a name with a dot at its end is a package.
WITH_DAGSTER = ("automation.", "platform.", "component", "definitions")


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
    assert not {name for name in importing if not is_asset(name) and not name.startswith(WITH_DAGSTER)}


def test_the_layout_keeps_its_goals() -> None:
    found = layout.measure()
    assert found.cycles == []
    assert found.largest_share <= layout.LARGEST_SHARE
    assert found.median_body <= layout.MEDIAN_BODY
    assert {name: lines for name, lines in found.bodies.items() if lines > layout.LONGEST_BODY} == {}


def test_the_layout_sees_cycles_folders_and_bodies(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    (package / "stages" / "raw").mkdir(parents=True)
    (package / "a.py").write_text("from shop import b\n")
    (package / "b.py").write_text("import shop.c\n")
    (package / "c.py").write_text("from shop.a import x\n")
    (package / "d.py").write_text("from shop.a import x\n\ndef late():\n    from shop import e\n")
    (package / "e.py").write_text("import shop.d\n")
    body = '"""What it is."""\n    x = (\n        1\n    )\n    return x\n'
    (package / "stages" / "raw" / "asset.py").write_text(f"@dg.asset(key='a')\ndef one():\n    {body}")
    found = layout.measure(package)
    assert found.cycles == [["shop.a", "shop.b", "shop.c"]]
    assert found.folders == {".": (5, 8), "stages/raw": (1, 7)}
    assert found.bodies == {"stages/raw/asset.py:one": 4}
    assert "largest folder: 53.3%" in layout.report(found)
