"""Rehearsals: our estimators on the last window that ends at a protocol's cut, so that they can be compared before it.

Belongs here: those runs, and what they would have chosen. Does not: the scored windows (``accuracy.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.accuracy_measures import DIRECTION, spend_measures
from benchmarks.accuracy_runs import CLTV_VARIANTS, Home, Log, judged_estimator
from benchmarks.accuracy_truth import Truth, Window, truth_of

MEASURES = ("mae", "spearman", "normalised_gini", "total_bias", "decile_mape")


@dataclass(frozen=True)
class Rehearsal:
    """One window before a cut, with every estimator of ours on it.

    Parameters
    ----------
    judged : the estimator that the log's example names.
    measured : by estimator, by measure.
    """

    case: str
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
        chosen = ", ".join(f"{label} {self.best(name)}" for name, label in _LABELS.items())
        return (
            f"{self.case}, rehearsed at {self.window.cut} for the {self.window.days} days up to {self.window.until}: "
            f"{chosen}; the example names {self.judged}."
        )


_LABELS = {"mae": "lowest MAE", "normalised_gini": "highest nGini", "total_bias": "smallest bias"}


def rehearse(
    case: str, example: str, horizon_days: int, lines: pd.DataFrame, log: Log, window: Window, folder: Path
) -> tuple[Rehearsal, Home]:
    """Run every estimator at the window's cut."""
    truth: Truth = truth_of(lines, window)
    home = Home.new(folder, log, window.cut)
    measured: dict[str, dict[str, float]] = {}
    for name, over in CLTV_VARIANTS.items():
        workflows: dict[str, dict[str, Any]] = {"cltv": {"target": {"horizon_days": window.days}, **over}}
        home.run(name, workflows, again=bool(measured))
        found = spend_measures(truth.spend, home.predicted("cltv", "predicted_target", truth.customers))
        measured[name] = {measure: found[measure] for measure in MEASURES}
    return Rehearsal(case, window, judged_estimator(example, horizon_days), measured), home


#: Windows that end where the scored ones begin.
CDNOW_WINDOW = Window(date(1997, 10, 1), 91, 23_570)
RETAIL_WINDOW = Window(date(2011, 6, 10), 91, 2_806)


def table(rehearsals: Sequence[Rehearsal], figure: Callable[[str, float], str], name: Callable[[str], str]) -> str:
    """Every estimator on every rehearsal."""
    lines = [f"| rehearsal | estimator | {' | '.join(map(name, MEASURES))} |", f"|---|---|{'---:|' * len(MEASURES)}"]
    for one in rehearsals:
        for estimator, values in one.measured.items():
            cells = " | ".join(figure(measure, values[measure]) for measure in MEASURES)
            lines.append(f"| {one.case} before {one.window.until} | {estimator} | {cells} |")
    return "\n".join(lines)
