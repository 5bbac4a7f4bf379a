"""``make bench-scale``: what a session costs at a million customers and more, stage by stage, next to a pandas script.

Belongs here: the steps, their order, the state that lets a killed benchmark go on, the page. Does not: the orders
(``scale_orders.py``), the samples and stages (``scale_watch.py``), the script (``baseline_session.py``).

    python -m benchmarks.scale --customers 1000000
    python -m benchmarks.scale --customers 100000000 --memory-limit-gb 5 --work /large/disk

Steps of a size: simulate the orders; a first session on an empty state; 1 % new orders and the daily job (score and publish);
the script on the orders of the first session, up to a million customers. A step that is done is not done again. A session that was
killed goes on: what it had finished is taken over by the session that follows, and each stage counts where it cost most. The page
shows every size that was measured in the folder ``--work``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import CommandFailedError, Row, markdown_table, measure, this_machine, write_results
from benchmarks.scale_orders import FIRST, NEXT, declaration_of, lines_of
from benchmarks.scale_watch import STAGES, Cost, Sampler, costs_of, of_attempts, read_samples, steps_of, total

NAME = "scale"
ROOT = Path(__file__).resolve().parent.parent
LINES_PER_CUSTOMER = 10
_RIVAL_CUSTOMERS = 1_000_000
SIMULATED, SESSION, SECOND, RIVAL = "simulation", "first session", "daily session after new orders", "pandas script"
_LEFT_OUT = ("TDML_", "DAGSTER_")
_DIGITS = {"seconds": 1, "cpu_seconds": 1, "peak_memory_gb": 2, "peak_disk_gb": 2}

_PAGE = """# Scale

Written by `make bench-scale`; nothing here is typed in. The same figures: [scale.json](results/scale.json).

{table}

{machine}. Ratio: ours / script; below 1, ours needs less. `cpu_seconds` adds up all cores: where other work shares the
machine it is the fairer figure. `peak_memory_gb` (10^9 bytes) is the most that all processes of a session owned together,
looked at every 0.2 s. `peak_disk_gb` is the state folder with the warehouse, spilled data, models, reports and exports; the
order files are extra: {files}.

## What is run

Orders of simulated customers in three years, {lines_per_customer} lines each, among them rows that must be rejected, in
Parquet files.

- **First session**: `python -m tdml_assets run` on an empty state, with the workflow `cltv` without reasons for each
  customer, which is what the script does: load, features, training, scoring of everybody, drift, attributes and exports.
- **Daily session after new orders**: {new_share:g} of the order lines arrive as new files, then the job
  `score_and_publish`.
- **Script**: `python -m benchmarks.baseline_session`, one process of pandas and XGBoost with the same products; what it
  leaves out is said in [session.md](session.md). It holds all in memory and is run up to {rival:,} customers.

## First session by stage

{stages}

A session that was killed goes on with what it had finished; each stage counts where it cost most. Attempts: {attempts}.

## Growth

{growth}

## Again

```
{again}
```
"""


@dataclass(frozen=True)
class Size:
    """One number of customers, and the folder in which it is measured."""

    customers: int
    folder: Path
    memory_limit_gb: float | None = None
    new_share: float = 0.01
    seed: int = 7

    @property
    def state(self) -> dict[str, Any]:
        """What is done, by step."""
        path = self.folder / "state.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def done(self, step: str, **found: Any) -> None:
        """Keep what a step found."""
        path = self.folder / "state.json"
        text = json.dumps({**self.state, step: found}, indent=1)
        partial = path.with_suffix(".partial")
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)


def simulate(size: Size) -> None:
    """Write the order files."""
    lines = LINES_PER_CUSTOMER * size.customers
    arguments = ["--customers", size.customers, "--lines", lines, "--seed", size.seed, "--new-share", size.new_share]
    command = [sys.executable, "-m", "benchmarks.scale_orders", *map(str, arguments), "--out", str(size.folder)]
    costs = _watched(size, "simulation", command, [size.folder / FIRST, size.folder / NEXT])
    taken = sum(path.stat().st_size for name in (FIRST, NEXT) for path in (size.folder / name).glob("*.parquet"))
    lines_by_file = {name: lines_of(size.folder, name) for name in (FIRST, NEXT)}
    size.done(SIMULATED, costs=_as_dicts(costs), lines=lines_by_file, file_bytes=taken)


def first_session(size: Size) -> None:
    """Load, train, score and publish on an empty state, or go on where it was killed."""
    _run_session(size, "first", [sys.executable, "-m", "tdml_assets", "run"], SESSION)


def daily_session(size: Size) -> None:
    """Put the new files next to the others, and run the daily job."""
    for path in sorted((size.folder / NEXT).glob("*.parquet")):
        target = size.folder / FIRST / path.name
        if not target.exists():
            shutil.copy2(path, target)
    job = ["job", "execute", "-j", "score_and_publish", "-m", "tdml_assets.definitions", "-d", str(ROOT)]
    _run_session(size, "daily", [sys.executable, "-m", "dagster", *job], SECOND)


def script(size: Size) -> None:
    """Run the script on the orders of the first session."""
    orders, out = size.folder / "script-orders", size.folder / "script"
    shutil.rmtree(out, ignore_errors=True)
    orders.mkdir(exist_ok=True)
    for path in sorted((size.folder / FIRST).glob(f"{FIRST}-*.parquet")):
        target = orders / path.name
        if not target.exists():
            os.link(path, target)
    command = [sys.executable, "-m", "benchmarks.baseline_session", "--orders", str(orders), "--out", str(out)]
    size.done(RIVAL, costs=_as_dicts(_watched(size, "script", command, [out], {"OMP_WAIT_POLICY": "PASSIVE"})))
    shutil.rmtree(out, ignore_errors=True)


STEPS: Mapping[str, Callable[[Size], None]] = {
    SIMULATED: simulate,
    SESSION: first_session,
    # Before the new files arrive: both read the same.
    RIVAL: script,
    SECOND: daily_session,
}


def _run_session(size: Size, name: str, command: Sequence[str], step: str) -> None:
    home = size.folder / "home"
    settings: dict[str, Any] = {
        "sources": {"orders": declaration_of(size.folder)},
        "workflows": {"cltv": {"model": {"reasons": 0}}},
    }
    if size.memory_limit_gb is not None:
        settings["warehouse"] = {"memory_limit_gb": size.memory_limit_gb}
    config = size.folder / "tdml.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    named = {
        "TDML_HOME": str(home),
        "TDML_CONFIG": str(config),
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    costs = _watched(size, name, command, [home], named, home)
    attempts = len(list(size.folder.glob(f"{name}-*.csv")))
    size.done(step, costs=_as_dicts(costs), attempts=attempts)


def _watched(
    size: Size,
    name: str,
    command: Sequence[str],
    folders: Sequence[Path],
    named: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> dict[str, Cost]:
    """Run a command and sample it; cost per stage over all attempts so far."""
    attempt = 1 + len(list(size.folder.glob(f"{name}-*.csv")))
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith(_LEFT_OUT)}
    sampler = Sampler(size.folder / f"{name}-{attempt}.csv", folders)
    log = size.folder / f"{name}-{attempt}.log"
    try:
        measure(
            command,
            log=log,
            folder=ROOT,
            environment={**kept, "PYTHONPATH": str(ROOT), **(named or {})},
            interval_seconds=0.2,
            look=sampler,
        )
    finally:
        sampler.close()
    attempts = []
    for path in sorted(size.folder.glob(f"{name}-*.csv")):
        samples = read_samples(path)
        steps = steps_of(home, samples[0].at) if home is not None and samples else []
        attempts.append(costs_of(samples, [step for step in steps if step.start <= samples[-1].at]))
    return of_attempts(attempts)


def _as_dicts(costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    return {stage: cost.as_dict() for stage, cost in costs.items()}


def costs_in(state: Mapping[str, Any], step: str) -> dict[str, Cost]:
    """Cost per stage of a step as the state holds it; empty where it was not run."""
    return {stage: Cost(**cost) for stage, cost in state.get(step, {}).get("costs", {}).items()}


def rows_of_size(customers: int, state: Mapping[str, Any]) -> tuple[list[Row], list[Row]]:
    """Rows of the whole, and of the stages of the first session."""
    ours, daily, rival = (costs_in(state, step) for step in (SESSION, SECOND, RIVAL))
    case = f"{customers:,} customers"
    rows = []
    for name, costs, other in ((SESSION, ours, rival), (SECOND, daily, {})):
        if not costs:
            continue
        left, right = total(costs).as_dict(), total(other).as_dict() if other else {}
        rows += [
            Row(f"{case}, {name}", metric, round(left[metric], digits), _rounded(right.get(metric), digits))
            for metric, digits in _DIGITS.items()
        ]
    stages = [
        Row(f"{case}: {stage}", metric, round(ours[stage].as_dict()[metric], digits), None)
        for stage in STAGES
        if stage in ours
        for metric, digits in _DIGITS.items()
    ]
    return rows, stages


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def growth_of(states: Mapping[int, Mapping[str, Any]]) -> list[Row]:
    """CPU and wall-clock time per million customers, and the daily session as a share of the first one."""
    rows = []
    for customers, state in states.items():
        ours, daily = costs_in(state, SESSION), costs_in(state, SECOND)
        if ours:
            whole, size = total(ours), f"{customers:,} customers"
            for metric, value in (("seconds", whole.seconds), ("cpu_seconds", whole.cpu_seconds)):
                rows.append(Row(size, f"{metric}_per_million_customers", round(value * 1e6 / customers, 1), None))
        if ours and daily:
            for metric in ("seconds", "cpu_seconds"):
                share = getattr(total(daily), metric) / getattr(total(ours), metric)
                rows.append(Row(size, f"daily_session_share_of_{metric}", round(share, 3), None))
    return rows


def write_page(work: Path, docs: Path, new_share: float, again: str) -> str:
    """Write the page of every size in the folder; returns it."""
    found = {int(path.parent.name): json.loads(path.read_text(encoding="utf-8")) for path in work.glob("*/state.json")}
    states = dict(sorted(found.items()))
    pairs = [rows_of_size(customers, state) for customers, state in states.items()]
    rows, stages = [row for pair in pairs for row in pair[0]], [row for pair in pairs for row in pair[1]]
    growth = growth_of(states)
    files = ", ".join(
        f"{state[SIMULATED]['file_bytes'] / 1e9:.2f} GB at {customers:,} customers"
        for customers, state in states.items()
    )
    attempts = ", ".join(f"{state.get(SESSION, {}).get('attempts', 0)} at {size:,}" for size, state in states.items())
    page = _PAGE.format(
        table=markdown_table(rows).replace("| baseline |", "| script |"),
        machine=this_machine().caption(),
        files=files,
        lines_per_customer=LINES_PER_CUSTOMER,
        new_share=new_share,
        rival=_RIVAL_CUSTOMERS,
        stages=_stage_table(states),
        attempts=attempts,
        growth=markdown_table(growth, first="size"),
        again=again,
    )
    write_results(NAME, page, [*rows, *stages, *growth], docs)
    return page


def _stage_table(states: Mapping[int, Mapping[str, Any]]) -> str:
    head = "| customers | stage | " + " | ".join(_DIGITS) + " |\n|---:|---|" + "---:|" * len(_DIGITS)
    lines = [
        f"| {customers:,} | {stage} | "
        + " | ".join(f"{costs[stage].as_dict()[name]:,.{digits}f}" for name, digits in _DIGITS.items())
        + " |"
        for customers, costs in ((customers, costs_in(state, SESSION)) for customers, state in states.items())
        for stage in STAGES
        if stage in costs
    ]
    return "\n".join([head, *lines])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--customers", type=int, nargs="*", default=[1_000_000], help="sizes, in turn (default 1000000)"
    )
    parser.add_argument(
        "--steps", nargs="*", choices=list(STEPS), default=list(STEPS), help="steps to run; all unless given"
    )
    parser.add_argument(
        "--new-share", type=float, default=0.01, help="share of the lines that arrive later (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default %(default)s)")
    parser.add_argument("--memory-limit-gb", type=float, help="the warehouse's limit; its default unless given")
    work = Path(tempfile.gettempdir()) / "tdml-bench-scale"
    parser.add_argument("--work", type=Path, default=work, help="orders, state and samples; kept (default %(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    given = parser.parse_args(arguments)
    if any(customers < 1 for customers in given.customers) or not 0 < given.new_share < 1:
        parser.error("--customers must be at least 1, --new-share between 0 and 1")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not done yet, size by size, and write the page behind each step."""
    given = parse(arguments)
    again = " ".join(["python -m benchmarks.scale", *(sys.argv[1:] if arguments is None else arguments)])
    for customers in given.customers:
        folder = given.work.resolve() / str(customers)
        folder.mkdir(parents=True, exist_ok=True)
        size = Size(customers, folder, given.memory_limit_gb, given.new_share, given.seed)
        for step, do in STEPS.items():
            if step not in given.steps or step in size.state or (step == RIVAL and customers > _RIVAL_CUSTOMERS):
                continue
            print(f"{time.strftime('%H:%M:%S')} {customers:,} customers: {step}", flush=True)
            try:
                do(size)
            except CommandFailedError as error:
                print(error, file=sys.stderr)
                return 1
            print(f"{time.strftime('%H:%M:%S')} {total(costs_in(size.state, step)).as_dict()}", flush=True)
            write_page(given.work.resolve(), given.docs, given.new_share, again)
    print(write_page(given.work.resolve(), given.docs, given.new_share, again))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
