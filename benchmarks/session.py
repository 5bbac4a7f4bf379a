"""``make bench-session``: one whole session, ours next to a script that does the same by hand.

Belongs here: the input, the two commands, the table in ``docs/session.md``. Does not: the baseline (``baseline_session.py``),
measuring (``measure.py``).

Both sides read the same Parquet file of simulated order lines and end with scored customers in Parquet and CSV.

    python -m benchmarks.session --customers 1000000 --orders 10000000
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from benchmarks import baseline_session
from benchmarks.measure import Machine, Measurement, Row, markdown_table, measure, rows_of, this_machine, write_results
from tdml_assets.simulation import SimulationSettings, simulate
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.sample_sources import sources_of_sample

NAME = "session"
ROOT = Path(__file__).resolve().parent.parent
_PILOT_CUSTOMERS = 5_000
#: Stage by step: of ours by the beginning of its name, of the baseline by the whole.
_STAGES = {
    "read and validate": (("raw__",), ("read and validate",)),
    "features and targets": (
        ("features__", "dbt_", "cltv__training_table"),
        ("features and targets", "features to score"),
    ),
    "explore": (("cltv__exploration",), ("explore",)),
    "prepare": (("cltv__prep",), ("prepare",)),
    "train, evaluate, refit, explain": (
        ("cltv__candidate_model", "cltv__evaluation", "cltv__champion_model"),
        ("train", "evaluate", "refit", "explain"),
    ),
    "score": (("cltv__predictions",), ("score",)),
    "measure drift": (("cltv__drift",), ("drift",)),
    "draw the drift report": (("cltv__drift_report",), ("report",)),
    "publish": (("publish_", "audience__"), ("publish",)),
}
_REST = "start, stop and all else"
_FINISHED = re.compile(
    r'STEP_SUCCESS - Finished execution of step "(?P<step>[^"]+)" in (?P<duration>[0-9a-z.]+?)\.\s*$'
)
_PART = re.compile(r"(?P<value>[0-9.]+)(?P<unit>ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class Side:
    """One side of the comparison.

    Parameters
    ----------
    measured : one measurement per repetition.
    steps : seconds per step of the last repetition.
    """

    measured: tuple[Measurement, ...] = ()
    steps: Mapping[str, float] | None = None


def simulation_of(customers: int, orders: int, seed: int) -> SimulationSettings:
    """Settings of ``customers`` customers with about ``orders`` order lines, and nothing but orders.

    The simulation is asked for orders per year, not for a number of lines, so a small pilot tells how many to ask for.
    """
    silent = {"pageviews_per_order": 0.0, "emails_per_month": 0.0, "seed": seed}
    pilot = SimulationSettings.model_validate({"customers": min(customers, _PILOT_CUSTOMERS), **silent})
    lines_per_customer = simulate(pilot).orders.num_rows / pilot.customers
    rate = pilot.orders_per_year * orders / customers / lines_per_customer
    return SimulationSettings.model_validate({"customers": customers, "orders_per_year": round(rate, 3), **silent})


def make_orders(folder: Path, customers: int, orders: int, seed: int) -> Path:
    """Simulate the orders, unless the folder holds just them."""
    write_sample(folder, simulation_of(customers, orders, seed))
    return folder / "orders.parquet"


def run_ours(
    orders: Path, scratch: Path, *, memory_limit_gb: float | None, repetition: int
) -> tuple[Measurement, Path]:
    """Run one session of ours on a new state folder. Returns its cost and Dagster's log."""
    home = scratch / "ours"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    # The steps the baseline takes too: one workflow, and no reasons per customer.
    settings: dict[str, Any] = {
        "sources": {"orders": sources_of_sample(orders.parent)["orders"]},
        "workflows": {"cltv": {"model": {"reasons": 0}}},
    }
    if memory_limit_gb is not None:
        settings["warehouse"] = {"memory_limit_gb": memory_limit_gb}
    config = home / "tdml.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    named = {"TDML_HOME": str(home / "state"), "TDML_CONFIG": str(config)}
    # Settings of the person who starts this must not reach the run.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TDML_", "DAGSTER_HOME"))}
    cost = measure(
        [sys.executable, "-m", "tdml_assets", "run"],
        log=scratch / f"ours-{repetition}.log",
        folder=ROOT,
        environment={**inherited, **named},
    )
    return cost, max((home / "state" / "logs").glob("run-*.log"))


def run_baseline(orders: Path, scratch: Path, *, repetition: int) -> tuple[Measurement, Path]:
    """Run the script once. Returns its cost and what it found."""
    out = scratch / "baseline"
    shutil.rmtree(out, ignore_errors=True)
    cost = measure(
        [sys.executable, "-m", "benchmarks.baseline_session", "--orders", str(orders), "--out", str(out)],
        log=scratch / f"baseline-{repetition}.log",
        folder=ROOT,
        # As ours: threads that wait for others sleep, which on a busy machine saves most of a fit.
        environment={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )
    return cost, out / "session.json"


def seconds_of(duration: str) -> float:
    """Turn Dagster's durations (``735ms``, ``5.14s``, ``1m52s``) into seconds."""
    return sum(float(part["value"]) * _SECONDS[part["unit"]] for part in _PART.finditer(duration))


def steps_of_log(text: str) -> dict[str, float]:
    """Seconds per step in Dagster's console log."""
    found = (_FINISHED.search(line) for line in text.splitlines())
    return {one["step"]: seconds_of(one["duration"]) for one in found if one}


def stage_seconds(steps: Mapping[str, float], whole: float, place: int) -> dict[str, float]:
    """Sum steps to the stages both sides have; what no step accounts for is the rest.

    Parameters
    ----------
    place : 0 for our names, whose longest known beginning counts, 1 for the baseline's.
    """
    known = {name: stage for stage, names in _STAGES.items() for name in names[place]}
    found = dict.fromkeys((*_STAGES, _REST), 0.0)
    for step, seconds in steps.items():
        fitting = [name for name in known if (step.startswith(name) if place == 0 else step == name)]
        found[known[max(fitting, key=len)] if fitting else _REST] += seconds
    found[_REST] += whole - sum(steps.values())
    return found


def rows_of_stages(ours: Side, baseline: Side) -> list[Row]:
    """Rows of where the seconds of the last repetition went."""
    sides = [
        stage_seconds(side.steps, side.measured[-1].seconds, place) if side.steps is not None else {}
        for place, side in enumerate((ours, baseline))
    ]
    return [
        Row(f"stage: {stage}", "seconds", *(round(side[stage], 1) if side else None for side in sides))
        for stage in (*_STAGES, _REST)
    ]


def render(rows: Sequence[Row], stages: Sequence[Row], facts: Mapping[str, Any], machine: Machine) -> str:
    """Write the page."""
    simpler = baseline_session.__doc__.split("Simpler than ours, in its own favour:")[1].split("    python")[0].strip()
    labelled = len(baseline_session.plan(SimulationSettings().end_date, SimulationSettings().start_date))
    again = f"python -m benchmarks.session --customers {facts['customers']} --orders {facts['orders']}"
    return f"""# One session, next to the same steps written by hand

Written by `make bench-session`; nothing here is typed in. The same figures: [session.json](results/session.json).

{markdown_table(rows)}

{machine.caption()}. Repetitions per side: {facts["repetitions"]}, in turns; medians. Ratio: ours / baseline; below 1, ours
needs less. `seconds` is the wall clock from the start of the command to its end. `peak_memory_gb` (10^9 bytes) is the
most that the command and every process it started held together, looked at every 0.1 s: memory that is their own,
without pages of mapped files, counted alike for both sides. `cpu_seconds` adds up all cores. Idle threads of either
side sleep (`OMP_WAIT_POLICY=PASSIVE`), so that other work on the machine costs both alike.

## What is run

Input: one Parquet file of {facts["lines"]:,} order lines of {facts["customers"]:,} simulated customers in three years,
among them rows that must be rejected. {labelled + 1} snapshots of features, {labelled} of them labelled; at most
{baseline_session.MAX_TRAINING_ROWS:,} rows to learn from; every customer scored.

- **Ours**: `python -m tdml_assets run` on an empty state folder{facts["limit"]}: everything from raw tables to exports,
  with its checks, lineage and the session's history.
- **Baseline**: `python -m benchmarks.baseline_session`, one process of pandas, scikit-learn and XGBoost, as one would write it
  by hand for a table that fits in memory, with the same snapshots, features, sample size and model parameters, and rounds
  found the same way.

The baseline is simpler than ours, in its own favour:

{simpler}

## Where the seconds go

{markdown_table(stages, first="stage (last repetition)").replace("stage: ", "")}

Ours judges as it goes: the shift test of the features, the checks and writing to the warehouse are inside its stages.
Starting Dagster and building the dbt manifest are in the last line.

## Again

```
{again}
```
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.session", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--customers", type=int, default=1_000_000, help="simulated customers (default %(default)s)")
    parser.add_argument("--orders", type=int, default=10_000_000, help="order lines, about (default %(default)s)")
    parser.add_argument("--repetitions", type=int, default=1, help="runs per side; medians count (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default %(default)s)")
    parser.add_argument("--work", type=Path, help="scratch folder that is kept; a temporary one unless given")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the table (default %(default)s)")
    parser.add_argument("--memory-limit-gb", type=float, help="our warehouse's memory limit; its default unless given")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--skip-baseline", action="store_true", help="measure ours alone")
    one.add_argument("--skip-ours", action="store_true", help="measure the baseline alone")
    given = parser.parse_args(arguments)
    if min(given.customers, given.orders, given.repetitions) < 1:
        parser.error("--customers, --orders and --repetitions must be at least 1")
    return given


def compare(given: argparse.Namespace, scratch: Path) -> tuple[list[Row], str]:
    """Measure both sides. Returns the rows and the page."""
    orders = make_orders(scratch / "sample", given.customers, given.orders, given.seed)
    lines = pq.ParquetFile(orders).metadata.num_rows
    print(f"{lines:,} order lines of {given.customers:,} customers in {orders}", flush=True)
    ours, baseline = Side(), Side()
    # In turns, so that a machine that slows down does so for both.
    for repetition in range(1, given.repetitions + 1):
        if not given.skip_ours:
            cost, log = run_ours(orders, scratch, memory_limit_gb=given.memory_limit_gb, repetition=repetition)
            ours = Side((*ours.measured, cost), steps_of_log(log.read_text(encoding="utf-8", errors="replace")))
            print(f"ours {repetition}: {cost.seconds:.1f} s, {cost.peak_memory_gb:.2f} GB", flush=True)
        if not given.skip_baseline:
            cost, results = run_baseline(orders, scratch, repetition=repetition)
            baseline = Side((*baseline.measured, cost), json.loads(results.read_text(encoding="utf-8"))["seconds"])
            print(f"baseline {repetition}: {cost.seconds:.1f} s, {cost.peak_memory_gb:.2f} GB", flush=True)
    case = f"whole session, {given.customers:,} customers, {lines:,} order lines"
    rows, stages = rows_of(case, ours.measured, baseline.measured), rows_of_stages(ours, baseline)
    limit = f" with warehouse.memory_limit_gb {given.memory_limit_gb:g}" if given.memory_limit_gb else ""
    facts = {**vars(given), "lines": lines, "limit": limit}
    return [*rows, *stages], render(rows, stages, facts, this_machine())


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: measure, write the table, print it."""
    given = parse(arguments)
    if given.work is not None:
        given.work.mkdir(parents=True, exist_ok=True)
        rows, page = compare(given, given.work.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="bench-session-") as scratch:
            rows, page = compare(given, Path(scratch))
    write_results(NAME, page, rows, given.docs)
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
