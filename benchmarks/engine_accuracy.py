"""``make bench-engine-accuracy``: ``cltv`` and ``churn`` by both engines on the sample and on public logs, side by side.

Belongs here: which runs, and the table in ``docs/hivemall.md``. Does not: running (``accuracy_runs.py``), what happened
(``accuracy_truth.py``).

    python -m benchmarks.engine_accuracy --data ../shared/data
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy import DATA, WINDOW_52, WINDOW_RETAIL
from benchmarks.accuracy_measures import buys_measures, spend_measures
from benchmarks.accuracy_runs import ROOT, Home, cdnow, retail
from benchmarks.accuracy_truth import Truth, read_cdnow, read_retail, truth_of
from benchmarks.measure import Row, this_machine, write_results

ENGINES = ("hivemall", "python")
#: Where the table stands in the page.
BEGIN, END = "<!-- accuracy: begin -->", "<!-- accuracy: end -->"
_ON_TEST = {
    "cltv": ("mae", "normalised_gini", "spearman", "total_bias"),
    "churn": ("roc_auc", "log_loss", "brier"),
}
_LATER = {"cltv": ("mae", "normalised_gini", "spearman", "total_bias"), "churn": ("auc", "log_loss", "brier")}
_COLUMNS = {"cltv": "predicted_target", "churn": "probability"}


def run_engines(home: Home, name: str, horizon_days: int, truth: Truth | None) -> list[Row]:
    """Run both engines in one state folder and measure them: on the test of their sessions and, with ``truth``, on what came."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for place, engine in enumerate(ENGINES):
        over: dict[str, Any] = {"engine": engine, "model": {"reasons": 0}, "target": {"horizon_days": horizon_days}}
        home.run(f"{name} by {engine}", dict.fromkeys(_ON_TEST, over), again=place > 0)
        for workflow, metrics in _ON_TEST.items():
            tested = _tested(home, workflow)
            _keep(found, f"{name}, {workflow}, test of the session", {one: tested[one] for one in metrics}, engine)
            if truth is None:
                continue
            predicted = home.predicted(workflow, _COLUMNS[workflow], truth.customers)
            measured: Mapping[str, float] = (
                spend_measures(truth.spend, predicted)
                if workflow == "cltv"
                else buys_measures(truth.buys, 1.0 - predicted)
            )
            came = {one: measured[one] for one in _LATER[workflow]}
            _keep(found, f"{name}, {workflow}, what happened after as_of", came, engine)
        print(f"{name} by {engine}: {home.seconds[f'{name} by {engine}']:.0f} s", flush=True)
    return [Row(case, metric, values["hivemall"], values["python"]) for (case, metric), values in found.items()]


def _keep(
    found: dict[tuple[str, str], dict[str, float]], case: str, measured: Mapping[str, float], engine: str
) -> None:
    for metric, value in measured.items():
        found.setdefault((case, metric), {})[engine] = value


def _tested(home: Home, workflow: str) -> dict[str, float]:
    session = f"(select arg_max(session_id, updated_at) from monitoring.sessions where workflow = '{workflow}')"
    rows = home.table(
        f"select metric, value from monitoring.model_metrics where workflow = '{workflow}' and session_id = {session} "
        "and evaluation_table = 'test'"
    )
    return dict(zip(rows["metric"], rows["value"], strict=True))


def table_of(rows: list[Row]) -> str:
    """The table of the page, with what it was measured on."""
    lines = [
        f"Other work ran on the machine ({this_machine().caption()}). Both engines learn from the same training table; `python` is",
        'the shipped estimator. "What happened after as_of" is the public log behind the day that was scored.',
        "",
        "| log, workflow, measured on | measure | hivemall | python |",
        "|---|---|---:|---:|",
    ]
    lines += [f"| {row.case} | {row.metric} | {_number(row.ours)} | {_number(row.baseline)} |" for row in rows]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4f}"


def in_page(page: str, table: str) -> str:
    """The page with the table in its place. Raises ``ValueError`` where the page has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the table: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{behind}"


def main(arguments: list[str]) -> int:
    """Run all, print the table, and write it into the page and ``docs/results/hivemall.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_accuracy")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the logs (default %(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sample = Home.new(folder / "sample", None, None)
        rows = run_engines(sample, "sample", 90, None)
        at = Home.new(folder / "retail", retail(given.data), WINDOW_RETAIL.cut)
        rows += run_engines(at, "Online Retail", WINDOW_RETAIL.days, truth_of(read_retail(given.data), WINDOW_RETAIL))
        at = Home.new(folder / "cdnow", cdnow(given.data), WINDOW_52.cut)
        rows += run_engines(at, "CDNOW", WINDOW_52.days, truth_of(read_cdnow(given.data), WINDOW_52))
    page = (given.docs / "hivemall.md").read_text(encoding="utf-8")
    table = table_of(rows)
    print(table)
    write_results("hivemall", in_page(page, table), rows, given.docs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
