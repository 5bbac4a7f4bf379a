"""The share of branches of ``tdml_assets/stages/`` that tests run, per stage; run by ``make coverage``.

``python tools/coverage_floor.py [--floor SHARE]``. Exit code 1 below the floor.

A branch is one way out of a condition or loop: a line can be run with half of its branches never taken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coverage import Coverage

#: 94.4 % of all branches were measured when it was set, and no stage below 91 %.
FLOOR = 0.93


def by_stage(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Branches run and branches there, per folder of ``stages/``."""
    run, there = Counter[str](), Counter[str]()
    for path, found in report["files"].items():
        parts = Path(path).parts
        stage = parts[parts.index("stages") + 1]
        run[stage] += found["summary"]["covered_branches"]
        there[stage] += found["summary"]["num_branches"]
    return {stage: (run[stage], there[stage]) for stage in sorted(there) if there[stage]}


def main() -> int:
    """Print the table; the exit code says whether the floor is held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--floor", type=float, default=FLOOR, help="least share of branches")
    floor = parser.parse_args().floor
    measured = Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "coverage.json")
        measured.json_report(outfile=str(path))
        stages = by_stage(json.loads(path.read_text(encoding="utf-8")))
    for stage, (run, there) in stages.items():
        print(f"{stage:<16} {run:>6,} of {there:>6,} branches  {run / there:6.1%}")
    run, there = (sum(pair[place] for pair in stages.values()) for place in (0, 1))
    print(f"{'all':<16} {run:>6,} of {there:>6,} branches  {run / there:6.1%}; at least {floor:.0%} are wanted")
    return 0 if run / there >= floor else 1


if __name__ == "__main__":
    sys.exit(main())
