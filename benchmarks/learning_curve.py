"""``make bench-learning-curve``: what a sample of the customers costs in accuracy, and all of them in time and memory.

Elsewhere: one training (``learning_curve_fit.py``), the orders (``scale_orders.py``).

    python -m benchmarks.learning_curve
    python -m benchmarks.learning_curve --customers 1000000 --rows 200000 500000 1000000 2000000

One simulated shop is prepared once, with ``split.max_rows: all``. Each training takes of its rows those of as many customers as a
workflow with that ``split.max_rows`` would, drawn by the same hash, and every one is measured on the same rows: those of all
customers at the test snapshot.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import Measurement, Row, measure, this_machine, write_results
from benchmarks.scale import LINES_PER_CUSTOMER, ROOT
from benchmarks.scale_orders import declaration_of

NAME = "learning_curve"
WORKFLOW = "cltv"
ALL = "all"
MEMORY, DISK = "memory", "disk"
_SIZES = (50_000, 100_000, 200_000, 500_000)
_CUSTOMERS = 300_000
_ACCURACY = ("mae", "rmse", "normalised_gini", "log_loss")
_COSTS = {"cpu_seconds": 1, "seconds": 1, "peak_memory_gb": 2}
_PAGE = """# Learning from a sample

Written by `make bench-learning-curve`; nothing here is typed in. The same figures:
[learning_curve.json](results/learning_curve.json).

A workflow learns from `split.max_rows` rows at most, 1,000,000 unless it says otherwise, and from all with
[`split.max_rows: all`](workflows.md#learning-from-every-customer). This page says what a sample costs.

## On the test rows

{test}

All trainings are measured on the same {test_rows:,} rows, one per customer at the test snapshot, later than all they learnt from.
Predictions are brought to the total that came, as the correction of the level does. `of all` is the error over that of the training
on all rows: 1.01 is one per cent more. `difference` is the mean of the paired differences of absolute errors to that training,
customer by customer, and `error` its standard error. Log loss is that of the probability of a purchase as
the model gives it: the season of a window moves it more than the rows do.

## On the validation rows

{validation}

The {validation_rows:,} customers of the validation snapshot. The round at which trees stop is chosen on a part of them.

## Time and memory

{costs}

{machine}. One process each: read the rows, fit, fit again on all labelled rows, measure. Where other work
shares the machine CPU seconds, which add up all cores, are the fairer figure. Memory is what the process owns, with its
libraries and without mapped files. `disk` learns from pages on the disk, as a training does whose tier
has {tight:.1f} GB; its model is {same}.

## What is run

Orders of {customers:,} simulated customers in three years, {lines} lines each, prepared by one session of `cltv` up to
`cltv/prepared` with `split.max_rows: all`: {labelled:,} labelled rows of {features} features. `training rows` are those that the
evaluated model learns from, `labelled rows` also those of validation and test, which `split.max_rows` counts too.

## Again

```
{again}
```
"""


def simulate(folder: Path, customers: int, seed: int) -> None:
    """Write the order files, unless they are there."""
    settings = [
        "--customers",
        customers,
        "--lines",
        LINES_PER_CUSTOMER * customers,
        "--seed",
        seed,
        "--new-share",
        0.001,
    ]
    command = [sys.executable, "-m", "benchmarks.scale_orders", *map(str, settings), "--out", str(folder)]
    measure(command, log=folder / "simulation.log", folder=ROOT, environment=_environment(folder))


def prepare(folder: Path) -> None:
    """Prepare the rows of all customers, unless a run before did."""
    if (folder / "prepared").exists():
        return
    declared = {
        "sources": {"orders": declaration_of(folder)},
        "workflows": {WORKFLOW: {"split": {"max_rows": ALL}, "model": {"reasons": 0}}},
    }
    (folder / "tdml.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    command = [sys.executable, "-m", "tdml_assets", "run", "--select", f'+key:"{WORKFLOW}/prepared"']
    measure(command, log=folder / "prepare.log", folder=ROOT, environment=_environment(folder))
    (folder / "prepared").touch()


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TDML_", "DAGSTER_"))}
    own = {"TDML_HOME": str(folder / "home"), "TDML_CONFIG": str(folder / "tdml.yaml"), "OMP_WAIT_POLICY": "PASSIVE"}
    return {**kept, **own, "PYTHONPATH": str(ROOT), "DAGSTER_DISABLE_TELEMETRY": "true"}


def train(folder: Path, size: int | str, way: str = MEMORY) -> dict[str, Any]:
    """One training, in a process of its own; what it found and what it cost."""
    out = folder / f"{size}-{way}"
    command = [
        sys.executable,
        "-m",
        "benchmarks.learning_curve_fit",
        "--rows",
        str(size),
        "--way",
        way,
        "--out",
        str(out),
    ]
    costs = measure(command, log=folder / f"{size}-{way}.log", folder=ROOT, environment=_environment(folder))
    found: dict[str, Any] = json.loads((out / "found.json").read_text(encoding="utf-8"))
    print(f"{size} rows, {way}: {costs.cpu_seconds:.0f} CPU s, test {found['measures']['test']}", flush=True)
    return {**found, "size": size, "way": way, "costs": _rounded(costs)}


def _rounded(costs: Measurement) -> dict[str, float]:
    return {name: round(getattr(costs, name), digits) for name, digits in _COSTS.items()}


def label(found: Mapping[str, Any]) -> str:
    """The case of a training."""
    size = found["size"]
    return f"{ALL} rows, {found['way']}" if size == ALL else f"{size:,} rows"


def rows_of(trainings: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Figures of every training next to those of the training on all rows in memory."""
    (whole,) = [found for found in trainings if (found["size"], found["way"]) == (ALL, MEMORY)]
    rows = []
    for found in trainings:
        for split in ("test", "validation"):
            one, other = found["measures"][split], whole["measures"][split]
            rows += [Row(f"{label(found)}, {split}", name, one[name], other[name]) for name in _ACCURACY]
            rows += [Row(f"{label(found)}, {split}", name, one[name], None) for name in ("difference", "error")]
        rows += [Row(label(found), name, found["costs"][name], whole["costs"][name]) for name in _COSTS]
        rows.append(Row(label(found), "training_rows", found["rows"]["train"], whole["rows"]["train"]))
    return rows


def accuracy_table(trainings: Sequence[Mapping[str, Any]], split: str) -> str:
    """Measures on the rows of a split, one line a training."""
    (whole,) = [found for found in trainings if (found["size"], found["way"]) == (ALL, MEMORY)]
    lines = [
        "| `split.max_rows` | training rows | MAE | of all | difference | error | RMSE | of all | normalised Gini | log loss |",
        "|---|" + "---:|" * 9,
    ]
    for found in trainings:
        if found["way"] != MEMORY:
            continue
        one, other = found["measures"][split], whole["measures"][split]
        cells = [
            f"{found['rows']['train']:,}",
            f"{one['mae']:.3f}",
            f"{one['mae'] / other['mae']:.4f}",
            f"{one['difference']:+.4f}",
            f"{one['error']:.4f}",
            f"{one['rmse']:.3f}",
            f"{one['rmse'] / other['rmse']:.4f}",
            f"{one['normalised_gini']:.5f}",
            f"{one['log_loss']:.5f}",
        ]
        lines.append(f"| {_size(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cost_table(trainings: Sequence[Mapping[str, Any]]) -> str:
    """What each training took."""
    lines = [
        "| `split.max_rows` | bins | labelled rows | rounds (buys, amount) | CPU s | s | memory, GB |",
        "|---|---|" + "---:|" * 5,
    ]
    for found in trainings:
        rounds, costs = found["rounds"], found["costs"]
        labelled = f"{sum(found['rows'].values()):,} | {rounds['buys']}, {rounds['amount']}"
        taken = f"{costs['cpu_seconds']:,.0f} | {costs['seconds']:,.0f} | {costs['peak_memory_gb']:.2f}"
        lines.append(f"| {_size(found)} | {found['way']} | {labelled} | {taken} |")
    return "\n".join(lines)


def _size(found: Mapping[str, Any]) -> str:
    return f"`{found['size']}`" if found["size"] == ALL else f"{found['size']:,}"


def page_of(trainings: Sequence[Mapping[str, Any]], customers: int, again: str) -> str:
    """The page."""
    whole, paged = ({found["way"]: found for found in trainings if found["size"] == ALL}[way] for way in (MEMORY, DISK))
    return _PAGE.format(
        test=accuracy_table(trainings, "test"),
        validation=accuracy_table(trainings, "validation"),
        costs=cost_table(trainings),
        machine=this_machine().caption(),
        test_rows=whole["rows"]["test"],
        validation_rows=whole["rows"]["validation"],
        labelled=sum(whole["rows"].values()),
        features=whole["features"],
        tight=paged["memory_gb"],
        same="the same to the byte" if whole["model"] == paged["model"] else "another one",
        customers=customers,
        lines=LINES_PER_CUSTOMER,
        again=again,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the shop, train at every size, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=_CUSTOMERS, help="of the shop (default %(default)s)")
    parser.add_argument("--rows", type=int, nargs="*", default=list(_SIZES), help="values of split.max_rows")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default %(default)s)")
    work = Path(tempfile.gettempdir()) / "tdml-bench-learning-curve"
    parser.add_argument("--work", type=Path, default=work, help="orders and state; kept (default %(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    given = parser.parse_args(arguments)
    folder = given.work / f"{given.customers}-{given.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    simulate(folder, given.customers, given.seed)
    prepare(folder)
    # The training that the others are compared with is the first.
    every = [train(folder, ALL), train(folder, ALL, DISK)]
    trainings = [*(train(folder, size) for size in given.rows), *every]
    sizes = " ".join(map(str, given.rows))
    again = f"python -m benchmarks.learning_curve --customers {given.customers} --seed {given.seed} --rows {sizes}"
    page = page_of(trainings, given.customers, again)
    write_results(NAME, page, rows_of(trainings), given.docs)
    print(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
