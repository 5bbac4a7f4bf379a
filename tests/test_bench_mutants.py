"""The mutation study: what it changes, and that a mutant lives or dies by the tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks.mutants import MODULES, ROOT, mutants_of, page, passes

SOURCE = """
def judge(x: int = 0, *, strict: bool = True) -> bool:
    return x + 1 > 2 and not (strict is None)
"""


def test_every_operator_number_and_condition_is_changed_once() -> None:
    changes = [mutant.change for mutant in mutants_of(SOURCE)]
    assert sorted(changes) == sorted(
        [
            "0 to 1",
            "True to False",
            "And to Or",
            "Gt to GtE",
            "without not",
            "Is to IsNot",
            "Add to Sub",
            "1 to 2",
            "2 to 3",
        ]
    )
    texts = {ast.unparse(mutant.tree) for mutant in mutants_of(SOURCE)}
    assert len(texts) == len(changes)
    assert ast.unparse(ast.parse(SOURCE)) not in texts


def test_modules_and_tests_of_the_study_are_there() -> None:
    for module, tests in MODULES.items():
        assert (ROOT / "tdml_assets" / f"{module}.py").is_file()
        assert all((ROOT / test).is_file() for test in tests)


@pytest.mark.parametrize(("limit", "expected"), [("2", True), ("3", False)])
def test_a_mutant_is_killed_if_a_test_fails(tmp_path: Path, limit: str, expected: bool) -> None:
    module = tmp_path / "judged_by_mutants.py"
    module.write_text("LIMIT = 2\n")
    test = tmp_path / "test_limit.py"
    test.write_text("from judged_by_mutants import LIMIT\n\ndef test_limit():\n    assert LIMIT == 2\n")
    changed = ast.parse(f"LIMIT = {limit}\n")
    assert passes("judged_by_mutants", module, changed, [str(test)], 120) is expected


def test_the_page_lists_what_was_not_killed() -> None:
    alive = [{"line": 3, "change": "Gt to GtE", "code": "  if x > 2:"}]
    text = page([{"module": "a/b", "possible": 9, "tried": 4, "killed": 3, "alive": alive}])
    assert "| `a/b.py` | 9 | 4 | 3 | 75% |" in text
    assert "- `a/b.py:3` Gt to GtE: `if x > 2:`" in text
