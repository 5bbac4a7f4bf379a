"""docs/hivemall.md says what there is, and every function there names a test that calls it."""

from __future__ import annotations

import json
from pathlib import Path

from tdml_assets.engines.hivemall.catalogue import functions
from tests.engines.hivemall.page import DIFFERENCES, NOT_OFFERED, table

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "hivemall.md"


FILES = ("test_more", "test_lists", "test_maps", "test_functions", "test_sampling")


def holders() -> dict[str, str]:
    """The file that holds each function: the vectors, or the first one whose text names it."""
    vectors = {case["function"] for case in json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))}
    files = {name: (HERE / f"{name}.py").read_text(encoding="utf-8") for name in FILES}
    found = {}
    for name in functions():
        if name in vectors:
            found[name] = "vectors"
            continue
        for file, text in files.items():
            if f'"{name}"' in text or (file == "test_more" and f'"{name.removeprefix("train_multiclass_")}"' in text):
                found.setdefault(name, file)
    return found


def test_every_function_is_held_by_a_test() -> None:
    assert set(functions()) - set(holders()) == set()


def test_nothing_is_both_offered_and_not_offered() -> None:
    names = [name for some in NOT_OFFERED.values() for name in some]
    assert len(names) == len(set(names))
    assert not set(names) & set(functions())
    assert set(DIFFERENCES) <= set(functions())


def test_the_page_holds_the_table_of_the_code() -> None:
    assert table(holders()) in PAGE.read_text(encoding="utf-8")
