"""One protocol with everybody who took part: values, resamples, differences, and whether what is asked for is reached.

Belongs here: putting measures and methods together, verdicts. Does not: formulas (``accuracy_measures.py``), words of the page
(``accuracy_report.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import accuracy_measures as measures
from benchmarks.accuracy_measures import Difference, Floats
from benchmarks.accuracy_products import Shown, Task, means, per_customer, resampled_means
from benchmarks.accuracy_published import QUOTED, WANTED, Quoted, Wanted
from benchmarks.accuracy_segments import shares, variance_explained
from benchmarks.accuracy_truth import Truth

SEED = 20
Verdict = Literal["good", "must", "not met"]
#: One block of draws in, resamples of every measure out.
Resampler = Callable[[Floats], Mapping[str, Floats]]


@dataclass(frozen=True)
class Method:
    """One method on one protocol.

    Parameters
    ----------
    saw : what it was fitted on.
    measured : by measure.
    resampled : by measure, one value a resample; the same draws for all methods of a case.
    """

    name: str
    ours: bool
    saw: str
    measured: Mapping[str, float]
    resampled: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One protocol.

    Parameters
    ----------
    customers : how many are measured.
    judged : name of the method of ours that verdicts are about: the one our settings for this log name.
    """

    name: str
    customers: int
    judged: str
    methods: tuple[Method, ...]

    @property
    def ours(self) -> Method:
        """The judged method."""
        return next(one for one in self.methods if one.name == self.judged)

    @property
    def all_ours(self) -> list[Method]:
        """Every method of ours, the judged one first."""
        return sorted((one for one in self.methods if one.ours), key=lambda one: one.name != self.judged)

    @property
    def baselines(self) -> list[Method]:
        """Methods that are not ours."""
        return [one for one in self.methods if not one.ours]

    @property
    def quoted(self) -> list[Quoted]:
        """What others reached on it."""
        return [one for one in QUOTED if one.case == self.name]

    def differences(self, ours: Method, baseline: Method) -> dict[str, Difference]:
        """Ours minus a baseline by measure, where both are resampled."""
        both = [name for name in ours.resampled if name in baseline.resampled]
        compared = {name: measures.difference(name, ours.resampled[name], baseline.resampled[name]) for name in both}
        return {name: one for name, one in compared.items() if np.isfinite(one.mean)}


@dataclass(frozen=True)
class Judged:
    """A line of what is asked for, and what became of it.

    Parameters
    ----------
    value : ours.
    best_baseline : name and value of the measured baseline that comes nearest; None without one.
    interval : 95 % of our value over resamples; None where nothing is resampled.
    """

    wanted: Wanted
    value: float
    verdict: Verdict
    best_baseline: tuple[str, float] | None
    interval: tuple[float, float] | None

    @property
    def falls_short(self) -> bool:
        """Whether any of what is asked for is missed."""
        size = abs(self.value) if self.wanted.absolute else self.value
        return any(bound is not None and not bound.holds(size) for bound in (self.wanted.must, self.wanted.good))


def judge(cases: Sequence[Case], wanted: Sequence[Wanted] = WANTED) -> list[Judged]:
    """Hold every case against what is asked of it."""
    known = {case.name: case for case in cases}
    return [_judge(known[one.case], one) for one in wanted if one.case in known]


def _judge(case: Case, wanted: Wanted) -> Judged:
    ours = case.ours
    value = ours.measured[wanted.measure]
    size = abs(value) if wanted.absolute else value
    reached_must = wanted.must is None or wanted.must.holds(size)
    reached_good = wanted.good is not None and wanted.good.holds(size)
    verdict: Verdict = "not met"
    if reached_must and reached_good:
        verdict = "good"
    elif reached_must and wanted.must is not None:
        verdict = "must"
    resampled = ours.resampled.get(wanted.measure)
    interval = None if resampled is None else measures.interval(resampled)
    baselines = [(one.name, one.measured[wanted.measure]) for one in case.baselines if _known(one, wanted.measure)]
    direction = measures.DIRECTION.get(wanted.measure, 1)
    best = max(baselines, key=lambda one: -abs(one[1]) if direction == 0 else direction * one[1], default=None)
    return Judged(wanted, value, verdict, best, interval)


def _known(method: Method, measure: str) -> bool:
    return bool(np.isfinite(method.measured.get(measure, float("nan"))))


def _with_resamples(customers: int, methods: Sequence[tuple[Method, Resampler]]) -> tuple[Method, ...]:
    blocks: list[list[Mapping[str, Floats]]] = [[] for _ in methods]
    for drawn in measures.draws(customers, seed=SEED):
        for found, (_, resample) in zip(blocks, methods, strict=True):
            found.append(resample(drawn))
    return tuple(
        Method(one.name, one.ours, one.saw, one.measured, measures.joined(found))
        for found, (one, _) in zip(blocks, methods, strict=True)
    )


@dataclass(frozen=True)
class Prediction:
    """What a method says of every customer of a population.

    Parameters
    ----------
    said : spend, or a probability or score of buying.
    is_probability : whether a score is one.
    """

    name: str
    ours: bool
    saw: str
    said: Floats
    is_probability: bool = True


def spend_case(name: str, judged: str, truth: Truth, predictions: Sequence[Prediction]) -> Case:
    """Compare predictions of spend."""
    methods: list[tuple[Method, Resampler]] = []
    for one in predictions:
        method = Method(one.name, one.ours, one.saw, measures.spend_measures(truth.spend, one.said))
        methods.append((method, _spend_resampler(truth.spend, one.said)))
    return Case(name, len(truth.spend), judged, _with_resamples(len(truth.spend), methods))


def _spend_resampler(spend: Floats, predicted: Floats) -> Resampler:
    return lambda drawn: measures.resampled_spend(drawn, spend, predicted)


def buys_case(name: str, judged: str, truth: Truth, predictions: Sequence[Prediction]) -> Case:
    """Compare probabilities, or scores, of buying."""
    methods: list[tuple[Method, Resampler]] = []
    for one in predictions:
        found = measures.buys_measures(truth.buys, one.said, is_probability=one.is_probability)
        methods.append((Method(one.name, one.ours, one.saw, found), _buys_resampler(truth.buys, one)))
    return Case(name, len(truth.buys), judged, _with_resamples(len(truth.buys), methods))


def _buys_resampler(buys: NDArray[np.bool_], one: Prediction) -> Resampler:
    return lambda drawn: measures.resampled_buys(drawn, buys, one.said, is_probability=one.is_probability)


def products_case(name: str, task: Task, shown: Mapping[str, tuple[bool, str, Mapping[str, Shown]]]) -> Case:
    """Compare lists.

    Parameters
    ----------
    shown : by method: whether it is ours, what it saw, its lists.
    """
    methods: list[tuple[Method, Resampler]] = []
    for method, (ours, saw, lists) in shown.items():
        values = per_customer(task, lists)
        methods.append((Method(method, ours, saw, means(values)), _means_resampler(values)))
    judged = next(method for method, (ours, _, _) in shown.items() if ours)
    return Case(name, len(task.truth), judged, _with_resamples(len(task.truth), methods))


def _means_resampler(values: Mapping[str, Floats]) -> Resampler:
    return lambda drawn: resampled_means(drawn, values)


@dataclass(frozen=True)
class Grouping:
    """Segments of a population.

    Parameters
    ----------
    labels : one per customer.
    stability : adjusted Rand index per refit; None where nothing was fitted.
    """

    name: str
    ours: bool
    saw: str
    labels: NDArray[np.int64]
    stability: Floats | None = None


def segments_case(name: str, truth: Truth, groupings: Sequence[Grouping]) -> Case:
    """Compare segments."""
    buys = truth.buys.astype(np.float64)
    everybody = np.ones((1, len(buys)))
    methods: list[tuple[Method, Resampler]] = []
    for one in groupings:
        sizes = shares(one.labels)
        values = {
            "segments": float(len(sizes)),
            "smallest_share": float(sizes[0]),
            "largest_share": float(sizes[-1]),
            "buys_variance_explained": float(variance_explained(everybody, one.labels, buys)[0]),
            "spend_variance_explained": float(variance_explained(everybody, one.labels, np.log1p(truth.spend))[0]),
        }
        if one.stability is not None:
            values |= {"stability_ari": float(one.stability.mean()), "lowest_ari": float(one.stability.min())}
        methods.append((Method(one.name, one.ours, one.saw, values), _segments_resampler(one.labels, buys)))
    judged = next(one.name for one in groupings if one.ours)
    return Case(name, len(buys), judged, _with_resamples(len(buys), methods))


def _segments_resampler(labels: NDArray[np.int64], buys: Floats) -> Resampler:
    return lambda drawn: {"buys_variance_explained": variance_explained(drawn, labels, buys)}
