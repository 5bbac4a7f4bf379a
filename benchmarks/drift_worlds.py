"""Worlds whose truth is known: sessions drawn from distributions that move when they are asked to.

Belongs here: drawing customers, describing them as the product does, and playing sessions through the product's own decisions.
Does not: what is asked of the worlds (``drift.py``), real logs (``drift_logs.py``).

Counts and moments are taken by NumPy, a hundred times as fast as a warehouse; ``tests/test_bench_drift.py`` holds them against
the product's SQL on the same rows. Everything behind them is the product's code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import ColumnMeasure, ColumnReference, Reference
from tdml_assets.platform.divergences import bin_edges
from tdml_assets.platform.statistics import Shape
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, DriftReport, Earlier, judge
from tdml_assets.stages.triage.decision import Evidence, Finding, decide

Floats = NDArray[np.float64]
#: A customer base: values per column; text as NumPy strings, missing numbers as NaN.
Frame = dict[str, NDArray[np.generic]]
#: What happens to it.
Change = Callable[[Frame], Frame]

NUMBERS = 10
PREDICTION = "predicted_target"
LEVELS = ("grocery", "garden", "toys", "books", "music", "tools")
_SHARES = (0.3, 0.25, 0.2, 0.12, 0.08, 0.05)
_FIRST_DAY = date(2026, 1, 1)
_DECILES = [step / 10 for step in range(1, 10)]


def draw(world: str, rng: np.random.Generator, rows: int) -> Frame:
    """Draw a customer base.

    Parameters
    ----------
    world : ``normal``, or ``lognormal`` with a standard deviation of 1.5 of the logarithm; both have a count that is mostly 0
        and a category, and 5 % missing in two columns.
    """
    frame: Frame = {}
    for number in range(NUMBERS - 1):
        values = rng.normal(size=rows)
        frame[f"x{number}"] = np.exp(1.5 * values) if world == "lognormal" else values
    for name in ("x0", "x1"):
        frame[name] = np.where(rng.random(rows) < 0.05, np.nan, frame[name])
    frame["count"] = rng.poisson(0.5, rows).astype(np.float64)
    frame["category"] = rng.choice(LEVELS, rows, p=_SHARES)
    scores = rng.normal(size=rows)
    frame[PREDICTION] = np.exp(scores) if world == "lognormal" else scores
    return frame


def reference_of(frame: Frame) -> Reference:
    """Describe a base as :func:`~tdml_assets.models.reference.build_reference` does."""
    return Reference(tuple(_column_reference(name, values) for name, values in frame.items()))


def _column_reference(name: str, values: NDArray[np.generic]) -> ColumnReference:
    rows = len(values)
    if values.dtype.kind == "U":
        found, sizes = np.unique(values, return_counts=True)
        levels = tuple(str(found[place]) for place in np.lexsort((found, -sizes)) if sizes[place] >= 20)
        counts = _level_counts(values, levels)
        return ColumnReference(name, False, rows, rows, None, None, None, None, (), levels, counts)
    filled = _filled(values)
    low, high = float(filled.min()), float(filled.max())
    lowest, *deciles, highest = np.quantile(filled, [0.001, *_DECILES, 0.999], method="inverted_cdf").tolist()
    edges = bin_edges(deciles, low, high)
    shape = _shape(filled, lowest, highest)
    mean, sd = float(filled.mean()), float(filled.std())
    counts = _bin_counts(values, edges)
    return ColumnReference(name, True, rows, len(filled), mean, sd, low, high, edges, (), counts, shape)


def measure_of(frame: Frame, reference: Reference) -> list[ColumnMeasure]:
    """Measure a base in the reference's bins as :func:`~tdml_assets.models.reference.measure` does."""
    found = []
    for column in reference.columns:
        values = frame[column.name]
        if not column.numeric:
            counts = _level_counts(values, column.levels)
            found.append(ColumnMeasure(column.name, len(values), len(values), None, None, counts))
            continue
        filled = _filled(values)
        mean, sd = (float(filled.mean()), float(filled.std())) if len(filled) else (None, None)
        shape = _shape(filled, column.shape.low, column.shape.high) if column.shape and len(filled) else None
        counts = _bin_counts(values, column.edges)
        found.append(ColumnMeasure(column.name, len(values), len(filled), mean, sd, counts, shape))
    return found


def _filled(values: NDArray[np.generic]) -> Floats:
    numbers = values.astype(np.float64)
    return numbers[np.isfinite(numbers)]


def _bin_counts(values: NDArray[np.generic], edges: Sequence[float]) -> tuple[int, ...]:
    filled = _filled(values)
    places = np.searchsorted(np.asarray(edges), filled, side="left")
    return (*map(int, np.bincount(places, minlength=len(edges) + 1)), len(values) - len(filled))


def _level_counts(values: NDArray[np.generic], levels: Sequence[str]) -> tuple[int, ...]:
    counts = [int((values == level).sum()) for level in levels]
    return (*counts, len(values) - sum(counts), 0)


def _shape(filled: Floats, low: float, high: float) -> Shape:
    clipped = np.clip(filled, low, high)
    logs = np.sign(clipped) * np.log1p(np.abs(clipped))
    units = np.log(np.abs(filled[filled != 0]))
    scale, spread = (float(units.mean()), float(units.std())) if len(units) else (None, None)
    outside = int((clipped != filled).sum())
    return Shape(low, high, float(logs.mean()), float(logs.std()), scale, spread, len(units), outside)


@dataclass
class Play:
    """Sessions of one champion, one after the other, each as the product would keep it.

    Parameters
    ----------
    frame : the base the champion went live with.
    """

    frame: Frame
    policy: Monitor
    findings: list[Finding] = field(default_factory=list)
    _stable: list[dict[str, dict[str, tuple[tuple[int, ...], float | None]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._features = reference_of({name: v for name, v in self.frame.items() if name != PREDICTION})
        self._predictions = reference_of({PREDICTION: self.frame[PREDICTION]})

    def session(self, frame: Frame) -> tuple[Finding, tuple[DriftReport, DriftReport]]:
        """Measure, judge and decide on a base; what is stable becomes history."""
        earlier = self._earlier()
        reports = (
            judge(self._features, measure_of(frame, self._features), self.policy, earlier=earlier.get("feature")),
            judge(
                self._predictions,
                measure_of(frame, self._predictions),
                self.policy,
                kind="prediction",
                earlier=earlier.get("prediction"),
            ),
        )
        day = _FIRST_DAY + timedelta(days=len(self.findings) + 1)
        moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - naive UTC, as everywhere
        evidence = Evidence(day, moment, "v1", reports, (), None, _FIRST_DAY, {})
        finding = decide(evidence, self.findings, self.policy)
        self.findings.append(finding)
        if finding.decision in ("nothing", "report"):
            self._stable.append(
                {
                    report.columns[0].kind: {
                        column.column_name: (column.counts, column.psi_previous) for column in report.columns
                    }
                    for report in reports
                }
            )
        return finding, reports

    def _earlier(self) -> Mapping[str, Earlier]:
        stable = self._stable[-self.policy.history :]
        if not stable:
            return {}
        return {
            kind: Earlier(
                counts={name: counts for name, (counts, _) in last.items()},
                steps={
                    name: tuple(step for one in stable if (step := one[kind][name][1]) is not None) for name in last
                },
            )
            for kind, last in stable[-1].items()
        }


def is_alarm(reports: Sequence[DriftReport]) -> bool:
    """Whether any column of a session is called drifted or broken."""
    return any(column.status in (*DRIFTED, *BROKEN) for report in reports for column in report.columns)


def shifted(name: str, sigmas: float, world: str) -> Change:
    """Move one column by so many standard deviations; of its logarithm, where the world is lognormal."""

    def change(frame: Frame) -> Frame:
        values = frame[name].astype(np.float64)
        moved = values * math.exp(1.5 * sigmas) if world == "lognormal" else values + sigmas
        return {**frame, name: moved}

    return change


def widened(name: str, factor: float, world: str) -> Change:
    """Multiply the standard deviation of one column, of its logarithm where the world is lognormal."""

    def change(frame: Frame) -> Frame:
        values = frame[name].astype(np.float64)
        moved = np.exp(np.log(values) * factor) if world == "lognormal" else values * factor
        return {**frame, name: moved}

    return change


def dearer(names: Sequence[str], factor: float) -> Change:
    """Multiply columns, as a change of prices does."""
    return lambda frame: {**frame, **{name: frame[name].astype(np.float64) * factor for name in names}}


def swapped(rng: np.random.Generator, share: float) -> Change:
    """Turn so large a share of the most frequent category into the rarest: a change inside the known levels."""

    def change(frame: Frame) -> Frame:
        values = frame["category"].copy()
        moved = (values == LEVELS[0]) & (rng.random(len(values)) < share)
        values[moved] = LEVELS[-1]
        return {**frame, "category": values}

    return change


def emptied(name: str) -> Change:
    """Lose every value of a column."""
    return lambda frame: {**frame, name: np.full(len(frame[name]), np.nan)}
