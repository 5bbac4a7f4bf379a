"""Boundaries that must hold, checked on the code itself."""

import ast
import gc
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import tdml_assets.declaration
import tdml_assets.engines
import tdml_assets.recommendation
import tdml_assets.simulation
import tdml_assets.tasks
from tdml_assets.declaration.task_names import TASKS
from tdml_assets.declaration.workflow import ESTIMATORS
from tdml_assets.engines.python import LEARNERS

ROOT = Path(__file__).resolve().parent.parent
_LONGEST_FILE = 400


@pytest.fixture(autouse=True)
def _collect_nothing() -> Iterator[None]:
    """Dagster leaves a temporary folder to the collector, and what removes it while ``ast`` parses ends Python 3.11's parser."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_declarations_engines_and_tasks_import_without_dagster() -> None:
    names = [
        found.name
        for package in (
            tdml_assets.declaration,
            tdml_assets.engines,
            tdml_assets.recommendation,
            tdml_assets.simulation,
            tdml_assets.tasks,
        )
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    assert len(names) > 20
    blocked = "import sys; sys.modules.update(dict.fromkeys(['dagster', 'dagster_duckdb', 'dagster_dbt']))"
    code = f"{blocked}\nimport importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_importing_the_definitions_reads_no_settings_and_makes_no_state(tmp_path: Path) -> None:
    environment = {"TDML_CONFIG": "there is no such file", "TDML_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    code = "import tdml_assets.definitions, tdml_assets.commands.app"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_reading_the_settings_takes_no_library_for_numbers_or_tables(tmp_path: Path) -> None:
    (tmp_path / "tdml.yaml").write_text(
        "sources: {orders: {path: o.parquet, format: parquet, currency: EUR, timezone: UTC, "
        "columns: {customer_id: who, ordered_at: day, amount: sum}}}"
    )
    code = """
import sys
from tdml_assets.settings import load_settings
assert not load_settings().uses_sample
print(sorted({"numpy", "pyarrow", "duckdb", "jinja2", "dagster"} & set(sys.modules)))
"""
    environment = {
        "TDML_CONFIG": str(tmp_path / "tdml.yaml"),
        "TDML_HOME": str(tmp_path / "home"),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr[-2000:]


def test_files_stay_short_enough_to_hold_in_mind() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tdml_assets").rglob("*.py")
    }
    assert not {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > _LONGEST_FILE}


def test_no_statement_is_written_in_python() -> None:
    for path in (ROOT / "tdml_assets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.strip().lower().split()
                assert not (words[:1] == ["select"] and "from" in words), f"{path}: {node.value[:60]}"


def test_the_code_location_has_one_name() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    (location,) = workspace["load_from"]
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'code_location_name = "{location["python_module"]["location_name"]}"' in pyproject
    assert f'code_location_target_module = "{location["python_module"]["module_name"]}"' in pyproject


def test_the_locks_name_no_address_and_no_gpu_library() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "nvidia" not in text
        assert "--hash=sha256:" in text


def asks_for_the_task(node: ast.AST) -> bool:
    """Whether a comparison or a match looks at a task: by a variable or attribute of that name, or by the name of a task.

    Looking a task up in a table is none, nor is asking whether there is one.
    """
    if isinstance(node, ast.Match):
        return ast.unparse(node.subject).rsplit(".", 1)[-1] == "task"
    if not isinstance(node, ast.Compare) or isinstance(node.ops[0], ast.Is | ast.IsNot):
        return False
    sides = [node.left, *node.comparators]
    if isinstance(node.ops[0], ast.In | ast.NotIn) and not isinstance(sides[1], ast.Tuple | ast.List | ast.Set):
        return False
    names = {ast.unparse(side).rsplit(".", 1)[-1] for side in sides}
    values = {inner.value for side in sides for inner in ast.walk(side) if isinstance(inner, ast.Constant)}
    return "task" in names or bool(values & set(TASKS))


def test_what_differs_between_tasks_is_asked_of_the_task() -> None:
    """One module a task: a comparison elsewhere is a place that a new task would be forgotten at."""
    package = ROOT / "tdml_assets"
    asking = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(map(asks_for_the_task, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert not {path for path in asking if not path.startswith("tasks/")}


def test_a_comparison_of_tasks_is_recognised() -> None:
    texts = ("task == x", "spec.task != x", "x in ('clustering',)", "spec.task in (a, b)", "kind == 'regression'")
    for text in (*texts, "match spec.task:\n case 'clustering': pass"):
        assert any(map(asks_for_the_task, ast.walk(ast.parse(text)))), text
    assert not any(
        map(asks_for_the_task, ast.walk(ast.parse("kind == 'any' and spec.task in TASKS and task is not None")))
    )


def test_every_named_learner_is_there_under_its_name() -> None:
    for name, (module, attribute) in LEARNERS.items():
        learner = getattr(import_module(module), attribute)()
        assert learner.name == name
        assert learner.tasks <= set(TASKS)
    for task, name in ESTIMATORS.items():
        if name in LEARNERS:
            module, attribute = LEARNERS[name]
            assert task in getattr(import_module(module), attribute)().tasks
    assert {task for task, name in ESTIMATORS.items() if name not in LEARNERS} == {"recommendation"}
