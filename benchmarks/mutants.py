"""Mutation study of the modules that decide: would a test notice a wrong operator or number? Run by ``make study-mutants``.

``python -m benchmarks.mutants [--most N] [--only NAME] [--seed N]``; ``--only`` measures one module again and keeps the others.

Belongs here: the changes that are made, running the tests of a module against each, ``docs/mutants.md``. Does not: the tests.

A mutant is the module with one change. Its tests run in a forked process in which the changed module is imported instead of the
file's; no file is touched. A mutant is killed if a test fails or the tests take ten times as long as without a change.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Modules that decide, and the tests that are run against their mutants.
MODULES = {
    "stages/drift/detection": ("tests/stages/drift/test_detection.py", "tests/stages/drift/test_words.py"),
    "stages/triage/decision": ("tests/stages/triage/test_decision.py",),
    "stages/triage/episodes": ("tests/stages/triage/test_episodes.py",),
    "stages/triage/retraining": ("tests/stages/triage/test_retraining.py",),
    "stages/evaluation/gate": ("tests/stages/evaluation/test_gate.py",),
    "activation/guards": ("tests/activation/test_guards.py",),
}
GOAL = 0.85
# Imported before the first fork, so that no mutant pays for them.
_LIBRARIES = (
    "dagster",
    "duckdb",
    "hypothesis",
    "jinja2",
    "numpy",
    "pyarrow.parquet",
    "pydantic",
    "scipy.stats",
    "yaml",
)
_SLOWER = 10
_LEAST_SECONDS = 20.0
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change: where, what it is, and the changed module."""

    line: int
    change: str
    tree: ast.Module


def changes_of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Every changed form of one node, with words for it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        other = _COMPARISONS[type(node.ops[0])]()
        yield (
            f"{type(node.ops[0]).__name__} to {type(other).__name__}",
            ast.Compare(node.left, [other, *node.ops[1:]], node.comparators),
        )
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        swapped = _ARITHMETIC[type(node.op)]()
        yield f"{type(node.op).__name__} to {type(swapped).__name__}", ast.BinOp(node.left, swapped, node.right)
    elif isinstance(node, ast.BoolOp):
        turned: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{type(node.op).__name__} to {type(turned).__name__}", ast.BoolOp(turned, node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "without not", node.operand
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield f"{node.value} to {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield f"{node.value!r} to {node.value + 1!r}", ast.Constant(node.value + 1)


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module; annotations, decorators and texts are left as they are."""
    found = []
    for place, node in enumerate(_nodes(ast.parse(source))):
        for number, (change, _) in enumerate(changes_of(node)):
            tree = ast.parse(source)
            target = _nodes(tree)[place]
            _, new = list(changes_of(target))[number]
            ast.copy_location(new, target)
            changed = ast.fix_missing_locations(_Replace(target, new).visit(tree))
            found.append(Mutant(getattr(node, "lineno", 0), change, changed))
    return found


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """The nodes that may be changed, in a fixed order."""
    left_out: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            parts = [*node.decorator_list, node.returns, *(one.annotation for one in node.args.args)]
        elif isinstance(node, ast.ClassDef):
            parts = [*node.decorator_list]
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.JoinedStr):
            parts = [node]
        left_out |= {id(inner) for part in parts if part is not None for inner in ast.walk(part)}
    return [node for node in ast.walk(tree) if id(node) not in left_out]


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:  # noqa: ARG002
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)


def passes(name: str, path: Path, tree: ast.Module, tests: Sequence[str], seconds: float) -> bool:
    """Whether the tests pass with a module changed, within some seconds; they run in a process of their own."""
    child = os.fork()
    if child == 0:
        sys.meta_path.insert(0, _Changed(name, path, tree))
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        code = 1
        with contextlib.suppress(BaseException):
            options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--import-mode=importlib"]
            code = int(pytest.main([*options, *tests]))
        os._exit(code)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def study(module: str, tests: Sequence[str], most: int, seed: int) -> dict[str, object]:
    """Run the tests of a module against at most ``most`` of its mutants, picked by a seed."""
    path = ROOT / "tdml_assets" / f"{module}.py"
    name = f"tdml_assets.{module.replace('/', '.')}"
    source = path.read_text(encoding="utf-8")
    started = time.monotonic()
    if not passes(name, path, ast.parse(source), tests, 600):
        raise RuntimeError(f"{', '.join(tests)} fail without a change: mend them first")
    seconds = max(_LEAST_SECONDS, _SLOWER * (time.monotonic() - started))
    every = mutants_of(source)
    chosen = random.Random(seed).sample(every, min(most, len(every)))
    alive = []
    for mutant in sorted(chosen, key=lambda one: one.line):
        if passes(name, path, mutant.tree, tests, seconds):
            alive.append({"line": mutant.line, "change": mutant.change, "code": source.splitlines()[mutant.line - 1]})
            print(f"  alive: {module}.py:{mutant.line} {mutant.change}", flush=True)
    killed = len(chosen) - len(alive)
    print(f"{module}: {killed} of {len(chosen)} killed ({len(every)} possible)", flush=True)
    share = round(killed / len(chosen), 3)
    compared = {"case": module, "metric": "killed_share", "ours": share, "rival": GOAL, "ratio": round(share / GOAL, 3)}
    counted = {"possible": len(every), "tried": len(chosen), "killed": killed, "alive": alive}
    return {**compared, "module": module, **counted}


def page(rows: Sequence[dict[str, object]]) -> str:
    """The document."""
    tried, killed = (sum(int(str(row[name])) for row in rows) for name in ("tried", "killed"))
    lines = [
        "# Mutation study",
        "",
        "`make study-mutants` changes one operator, number or condition of a module that decides, and runs the module's tests. A",
        f"mutant is killed if a test fails. The goal is {GOAL:.0%}; of each module a sample that a seed decides is tried.",
        "",
        "| module | possible | tried | killed | share |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| `{row['module']}.py` | {row['possible']} | {row['tried']} | {row['killed']} "
        f"| {int(str(row['killed'])) / int(str(row['tried'])):.0%} |"
        for row in rows
    ]
    lines += [f"| all | | {tried} | {killed} | {killed / tried:.0%} |", "", "Not killed:", ""]
    for row in rows:
        for one in row["alive"]:  # type: ignore[attr-defined]
            lines.append(f"- `{row['module']}.py:{one['line']}` {one['change']}: `{one['code'].strip()}`")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=30, help="mutants per module")
    parser.add_argument("--only", choices=sorted(MODULES), action="append", help="a module; all unless given")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    for library in _LIBRARIES:
        importlib.import_module(library)
    results = ROOT / "docs" / "results" / "mutants.json"
    kept = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
    rows = {row["module"]: row for row in kept if row["module"] in MODULES}
    for name in wanted.only or MODULES:
        rows[name] = study(name, MODULES[name], wanted.most, wanted.seed)
        # Kept module by module: a study that is ended loses nothing, and one module can be measured again.
        found = [rows[module] for module in MODULES if module in rows]
        results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (ROOT / "docs" / "mutants.md").write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
