"""Rehearsals: our estimators on the last window that ends at a protocol's cut, so that they can be compared before it.

Belongs here: those runs, and what they would have chosen. Does not: the scored windows (``accuracy.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from benchmarks.accuracy_measures import DIRECTION, buys_measures, spend_measures
from benchmarks.accuracy_runs import Home, Log, every_estimator, judged_estimator
from benchmarks.accuracy_truth import Truth, Window, truth_of

MEASURES = {
    "cltv": ("mae", "spearman", "normalised_gini", "total_bias", "decile_mape"),
    "churn": ("auc", "log_loss", "brier"),
}


@dataclass(frozen=True)
class Rehearsal:
    """One workflow on one window before a cut, with every estimator of ours.

    Parameters
    ----------
    judged : the estimator that the log's example names.
    measured : by estimator, by measure.
    """

    case: str
    workflow: str
    window: Window
    judged: str
    measured: Mapping[str, Mapping[str, float]]

    def best(self, measure: str) -> str:
        """Which estimator is best: nearest to 0 for a bias, highest for a ranking, lowest for an error."""
        direction = DIRECTION[measure]

        def worth(name: str) -> float:
            value = self.measured[name][measure]
            return -abs(value) if direction == 0 else direction * value

        return max(self.measured, key=worth)

    def sentence(self) -> str:
        """What would have been chosen."""
        chosen = ", ".join(f"{_LABELS[name]} {self.best(name)}" for name in MEASURES[self.workflow] if name in _LABELS)
        return (
            f"{self.case}, {self.workflow}, rehearsed at {self.window.cut} for the {self.window.days} days up to "
            f"{self.window.until}: {chosen}; judged is {self.judged}."
        )


_LABELS = {
    "mae": "lowest MAE",
    "normalised_gini": "highest nGini",
    "total_bias": "smallest bias",
    "auc": "highest AUC",
    "log_loss": "lowest log loss",
}


def rehearse(
    case: str,
    example: str | None,
    horizon_days: int,
    lines: pd.DataFrame,
    log: Log,
    window: Window,
    folder: Path,
    workflows: Collection[str] = tuple(MEASURES),
) -> tuple[list[Rehearsal], Home]:
    """Run every estimator of some workflows at the window's cut."""
    truth: Truth = truth_of(lines, window)
    home = Home.new(folder, log, window.cut)
    said = every_estimator(home, window.days, truth.customers, workflows)
    measured = {
        "cltv": {one.estimator: spend_measures(truth.spend, one.score) for one in said.get("cltv", ())},
        "churn": {one.estimator: buys_measures(truth.buys, 1.0 - one.score) for one in said.get("churn", ())},
    }
    found = [
        Rehearsal(
            case,
            workflow,
            window,
            judged_estimator(example, workflow, horizon_days),
            {name: {measure: values[measure] for measure in MEASURES[workflow]} for name, values in by_name.items()},
        )
        for workflow, by_name in measured.items()
        if workflow in workflows
    ]
    return found, home


#: Windows that end where the scored ones begin.
CDNOW_WINDOW = Window(date(1997, 10, 1), 91, 23_570)
RETAIL_WINDOW = Window(date(2011, 6, 10), 91, 2_806)


def table(rehearsals: Sequence[Rehearsal], figure: Callable[[str, float], str], name: Callable[[str], str]) -> str:
    """Every estimator on every rehearsal, a table a workflow."""
    return "\n\n".join(_table(workflow, rehearsals, figure, name) for workflow in MEASURES)


def _table(
    workflow: str, rehearsals: Sequence[Rehearsal], figure: Callable[[str, float], str], name: Callable[[str], str]
) -> str:
    measures = MEASURES[workflow]
    lines = [
        f"| {workflow}, rehearsal | estimator | {' | '.join(map(name, measures))} |",
        f"|---|---|{'---:|' * len(measures)}",
    ]
    for one in rehearsals:
        for estimator, values in one.measured.items() if one.workflow == workflow else ():
            cells = " | ".join(figure(measure, values[measure]) for measure in measures)
            lines.append(f"| {one.case} before {one.window.until} | {estimator} | {cells} |")
    return "\n".join(lines)
