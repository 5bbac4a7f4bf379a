"""``make study-robustness``: deformed models, killed sessions and full disks, counted.

Belongs here: the parts, their figures, and the page ``docs/robustness.md``. Does not: the parts themselves
(``robustness_models.py``, ``robustness_kills.py``, ``robustness_disk.py``).

    python -m benchmarks.robustness --parts models disk kills replay --variants 1000 --kills 200 --replay-kills 20

A part that is not run keeps its figures of the last time.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xgboost as xgb

from benchmarks import robustness_disk, robustness_kills, robustness_models
from benchmarks.measure import Row, markdown_table, this_machine, write_results
from tdml_assets.engines.booster_check import checked_booster

NAME = "robustness"
ROOT = Path(__file__).resolve().parent.parent
PARTS = ("models", "disk", "kills", "replay")
_TREES, _REPEATS = 300, 5

_PAGE = """# Robustness

`make study-robustness` deforms stored models, fills disks and kills sessions, and counts what happened. Nothing here has a baseline
but the cost of the check, whose baseline is XGBoost's own parser alone.

## Deformed models and bundles

Small versions of sixteen estimators are stored, one file of each is spoilt (values, lengths, positions, names, types, bytes),
and the manifest and the champion's pointer are written anew, so that every hash fits: the worst a store can hold. Then the version
is loaded and scores 500 rows, in a process that may die of it.

- *refused*: with the file and the remedy, before anything is scored.
- *scored right*: as before it was spoilt; for instance a spoilt note, or a number no model reads.
- *another model*: the file describes another possible model or reference. The store cannot know; the warehouse does, which
  remembers what was trained, and refuses it (*of these refused with the record*).
- *other error*, *process ended*: must be 0.

{models}

## Full disks

A first session on a file system with a share of the room it needs, then another with enough. *tables that differ* compares every
table with that of a session that was never short of room, without the columns that compare with an earlier session.

{disk}

## Killed sessions

Whole sessions are killed by SIGKILL at random instants, with everything they started; then one is left alone. Every table must
equal that of a state that was never disturbed, and no row may exist twice.

{kills}

{machine}
"""


def cost_of_check() -> list[Row]:
    """Seconds to check and parse a booster, and to parse it alone."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3_000, 40)).astype(np.float32)
    target = (rows[:, 0] + rows[:, 2] * rows[:, 3] > 0).astype(float)
    booster = xgb.train(
        {"objective": "binary:logistic", "max_depth": 6, "nthread": 1}, xgb.DMatrix(rows, target), _TREES
    )
    data = bytes(booster.save_raw("json"))
    ours = _fastest(lambda: xgb.Booster().load_model(checked_booster(data, "model.json")))
    baseline = _fastest(lambda: xgb.Booster().load_model(bytearray(data)))
    return [Row(f"load a model of {_TREES} trees", "seconds", round(ours, 3), round(baseline, 3))]


def models(folder: Path, variants: int, seed: int) -> list[Row]:
    """Rows of the part on deformed bundles."""
    started = time.monotonic()
    found = robustness_models.study(folder, variants, seed)
    counted = robustness_models.counts(found)
    remembered = sum(one.detail == robustness_models.WITH_RECORD for one in found)
    for one in found:
        if one.verdict in ("failed", "died"):
            sys.stderr.write(f"{one.verdict}: {one.what}: {one.detail}\n")
    figures = {
        "variants": len(found),
        "refused": counted["refused"],
        "scored right": counted["right"],
        "another model": counted["changed"],
        "of these refused with the record": remembered,
        "other error": counted["failed"],
        "process ended": counted["died"],
        "seconds": round(time.monotonic() - started),
    }
    return [Row("deformed bundles", name, value, None) for name, value in figures.items()] + cost_of_check()


def disk(folder: Path, shares: Sequence[float]) -> list[Row]:
    """Rows of the part on full disks."""
    kind = "file system" if robustness_disk.may_mount(folder) else "largest file"
    rows = []
    for one in robustness_disk.study(folder, shares):
        case = f"{kind} of {one.megabytes:g} MB"
        figures = {
            "exit code": one.code,
            "tracebacks printed": one.tracebacks,
            "said that no space is left": int(one.named),
            "warehouse readable": int(one.readable),
            "exit code of the next session": one.next_code,
            "tables that differ": len(one.different),
        }
        rows += [Row(case, name, value, None) for name, value in figures.items()]
    return rows


def storm(found: robustness_kills.Storm) -> list[Row]:
    """Rows of one storm."""
    if found.different:
        sys.stderr.write(f"{found.what}: different {', '.join(found.different)}\n")
    figures = {
        "kills": found.kills,
        "ended before their instant": found.ended,
        "of these failed": found.failed,
        "exit code of the last": found.last_code,
        "tables that differ": len(found.different),
        "doubled rows": found.doubled,
        "files left over": found.litter,
        "seconds": round(found.seconds),
    }
    return [Row(f"killed {found.what}", name, value, None) for name, value in figures.items()]


def write_page(rows: Sequence[Row]) -> None:
    """The page and its figures."""
    by_part = {part: [row for row in rows if part_of(row) == part] for part in ("models", "disk", "kills")}
    tables = {part: markdown_table(found) if found else "Not measured yet." for part, found in by_part.items()}
    write_results(NAME, _PAGE.format(**tables, machine=this_machine().caption()), rows, ROOT / "docs")


def part_of(row: Row) -> str:
    """The section of a row."""
    if row.case.startswith("killed"):
        return "kills"
    return "disk" if " MB" in row.case else "models"


def earlier_rows() -> list[Row]:
    """What the last study found."""
    path = ROOT / "docs" / "results" / f"{NAME}.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    return [Row(row["case"], row["metric"], row["ours"], row["rival"]) for row in found]


def _fastest(call: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--variants", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--replay-kills", type=int, default=20)
    parser.add_argument(
        "--shares", nargs="+", type=float, default=list(robustness_disk.SHARES), help="of the room needed"
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="of one storm; it ends with fewer kills then")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Run the parts asked for; each is written when it is done."""
    asked = _arguments()
    most = asked.minutes * 60
    run: dict[str, Callable[[Path], list[Row]]] = {
        "models": lambda folder: models(folder, asked.variants, asked.seed),
        "disk": lambda folder: disk(folder, asked.shares),
        "kills": lambda folder: storm(robustness_kills.session_storm(folder, asked.kills, asked.seed, most)),
        "replay": lambda folder: storm(robustness_kills.replay_storm(folder, asked.replay_kills, asked.seed, most)),
    }
    for part in asked.parts:
        with tempfile.TemporaryDirectory(prefix=f"robustness-{part}-") as scratch:
            new = run[part](Path(scratch))
        section, cases = part_of(new[0]), {row.case for row in new}
        # Sizes of an earlier study of disks would be mixed with those of this one.
        kept = [row for row in earlier_rows() if row.case not in cases and not (section == part_of(row) == "disk")]
        write_page([*kept, *new])


if __name__ == "__main__":
    main()
