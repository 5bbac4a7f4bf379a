"""Measures of the code's layout: ``python tools/layout.py [--json]``, or ``make layout``.

Belongs here: files and lines per folder, the largest folder, import cycles, the length of asset bodies, and the goals for them.
Does not: import contracts (import-linter, ``make check``).

Lines are all lines of ``*.py`` files, with comments and docstrings. Every folder counts for itself, without those
below it. An asset body is counted without its docstring.
"""

from __future__ import annotations

import ast
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tdml_assets"

#: Upper bounds, which ``tests/test_layout.py`` holds.
LARGEST_SHARE = 0.20
MEDIAN_BODY = 15
LONGEST_BODY = 30


@dataclass(frozen=True)
class Layout:
    """What was measured.

    Parameters
    ----------
    folders : files and lines by folder.
    largest_share : lines of the largest folder, as a share of all.
    cycles : groups of modules that import each other when they are imported.
    bodies : lines of every asset's body, by ``<file>:<function>``.
    """

    folders: dict[str, tuple[int, int]]
    largest_share: float
    cycles: list[list[str]]
    bodies: dict[str, int]

    @property
    def lines(self) -> int:
        """Lines of all folders."""
        return sum(lines for _, lines in self.folders.values())

    @property
    def median_body(self) -> float:
        """Lines of the median asset body."""
        return statistics.median(self.bodies.values())

    @property
    def longest_body(self) -> int:
        """Lines of the longest asset body."""
        return max(self.bodies.values())


def measure(package: Path = PACKAGE) -> Layout:
    """Measure a package and everything below it."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    folders: dict[str, tuple[int, int]] = {}
    for path in trees:
        folder = path.parent.relative_to(package).as_posix()
        files, lines = folders.get(folder, (0, 0))
        folders[folder] = files + 1, lines + len(path.read_text(encoding="utf-8").splitlines())
    total = sum(lines for _, lines in folders.values())
    return Layout(
        folders,
        max(lines for _, lines in folders.values()) / total,
        cycles(imports_of(trees, package)),
        dict(asset_bodies(trees, package)),
    )


def imports_of(trees: dict[Path, ast.Module], package: Path) -> dict[str, set[str]]:
    """The modules of the package that each of its modules imports at its top level."""
    names = {module_name(path, package): tree for path, tree in trees.items()}
    found: dict[str, set[str]] = {}
    for name, tree in names.items():
        wanted: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= (full & set(names)) or {node.module}
        found[name] = (wanted & set(names)) - {name}
    return found


def module_name(path: Path, package: Path) -> str:
    """The name a file is imported by."""
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one module from each of which every other is reached (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(imports[name]):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                groups.append(sorted(group))

    for name in sorted(imports):
        if name not in order:
            visit(name)
    return groups


def asset_bodies(trees: dict[Path, ast.Module], package: Path) -> Iterator[tuple[str, int]]:
    """Lines of the body of every function that a Dagster decorator turns into an asset."""
    for path, tree in trees.items():
        if not path.name.endswith("asset.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any("asset" in ast.unparse(one) for one in node.decorator_list):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                name = f"{path.relative_to(package).as_posix()}:{node.name}"
                yield name, (node.end_lineno or 0) - body[0].lineno + 1


def report(found: Layout) -> str:
    """The measures as a table, with the goals."""
    rows = sorted(found.folders.items(), key=lambda one: -one[1][1])
    lines = [f"{'folder':<28}{'files':>6}{'lines':>8}{'share':>8}"]
    lines += [f"{name:<28}{files:>6}{count:>8}{count / found.lines:>8.1%}" for name, (files, count) in rows]
    lines.append(f"{'all':<28}{sum(files for files, _ in found.folders.values()):>6}{found.lines:>8}")
    longest = max(found.bodies, key=lambda name: found.bodies[name])
    lines += [
        "",
        f"largest folder: {found.largest_share:.1%} (goal: {LARGEST_SHARE:.0%} at most)",
        f"import cycles: {len(found.cycles)} (goal: 0)" + "".join(f"\n  {', '.join(group)}" for group in found.cycles),
        f"asset bodies: {len(found.bodies)}, median {found.median_body:g} lines (goal: {MEDIAN_BODY}), longest "
        f"{found.longest_body} (goal: {LONGEST_BODY}; {longest})",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    measured = measure()
    if "--json" in sys.argv:
        facts = {"lines": measured.lines, "median_body": measured.median_body, "longest_body": measured.longest_body}
        print(json.dumps({**asdict(measured), **facts}, indent=1))
    else:
        print(report(measured))
