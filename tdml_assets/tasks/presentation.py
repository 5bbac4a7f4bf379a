"""How the figures of a task are shown to a person: which measures, in which words, next to which naive forecast.

Elsewhere: which words a task uses (its module in ``tasks/``), layout (``commands/summary.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from tdml_assets.declaration.task_names import task_module
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.statistics import Reader

Form = Literal["money", "score", "share", "count"]
Better = Literal["higher", "lower", "nearer 0"]
_ORDER: dict[Better, Callable[[float], float]] = {
    "higher": lambda value: -value,
    "lower": lambda value: value,
    "nearer 0": abs,
}


@dataclass(frozen=True)
class Measure:
    """One measure of a model.

    ``metric``, ``naive``: names in ``monitoring.model_metrics``, of the model's value and of the naive one; no naive for none.
    ``words``: what people call it. ``better``: which way.
    """

    metric: str
    words: str
    form: Form
    better: Better
    naive: str | None


@dataclass(frozen=True)
class Comparison:
    """One measure of the model next to the naive forecast's. ``verdict`` is better, worse, equal or unknown."""

    metric: str
    model: float
    naive: float | None
    verdict: str


@dataclass(frozen=True)
class Presentation:
    """How a task is shown.

    ``measures``: the most important first. ``naive``: what the naive forecast is, for the footnote. ``highlights``: label and
    text per line, read from a predictions table and for one session; aggregates only. ``looks_ahead``: whether it is about days
    to come. ``columns``: words per watched column of the predictions; its name without underscores for the others.
    ``category``: what the categories of the predictions are called. ``levels``: words per category, for those that are not
    words themselves. ``level_names``: words per level of the predictions that is an id, read like ``highlights``; None where
    levels are words. ``alternatives``: words per measure of the test of lists that are compared, the model's first. ``group``:
    the word before a prediction that is the number of a group; None where predictions are amounts. ``profile``: one row per
    group of a session: name, customers, share, means in real units; aggregates only. ``total_bias``: how far the total of the
    test was off, as a share of what happened, from the measures; None where the task has no total.
    """

    measures: tuple[Measure, ...]
    naive: str
    highlights: Callable[[Reader, Sequence[str], str], list[tuple[str, str]]]
    looks_ahead: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    category: str = "category"
    levels: Mapping[str, str] = field(default_factory=dict)
    level_names: Callable[[Reader, Sequence[str], str], Mapping[str, str]] | None = None
    alternatives: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    profile: Callable[[Reader, WorkflowSpec, str], Sequence[Mapping[str, Any]]] | None = None
    total_bias: Callable[[Mapping[str, float]], float | None] | None = None


def presentation_of(task: str) -> Presentation:
    """How a task is shown."""
    found: Presentation = import_module(task_module(task)).PRESENTATION
    return found


def compare(metrics: Mapping[str, float], measures: Sequence[Measure]) -> list[Comparison]:
    """Put the model's measures next to the naive forecast's, leaving out what was not measured.

    Where the paired interval of the difference is known, ``better`` and ``worse`` are said only where it leaves 0 out; and only
    where the two are not written alike.
    """
    found = []
    for measure in measures:
        model = _finite(metrics.get(measure.metric))
        naive = _finite(metrics.get(measure.naive)) if measure.naive else None
        if model is None:
            continue
        verdict = "unknown"
        if naive is not None:
            ours, theirs = _ORDER[measure.better](model), _ORDER[measure.better](naive)
            alike = shown(model, measure.form) == shown(naive, measure.form)
            same = alike or math.isclose(ours, theirs, rel_tol=1e-3, abs_tol=1e-4)
            verdict = "equal" if same else "better" if ours < theirs else "worse"
            low, high = (_finite(metrics.get(name)) for name in gain_ends(measure.metric))
            if low is not None and high is not None and low <= 0 <= high:
                verdict = "equal"
        found.append(Comparison(measure.metric, model, naive, verdict))
    return found


def gain_ends(metric: str) -> tuple[str, str]:
    """Names of the measures that hold the paired interval of a measure's difference to the naive forecast's."""
    return f"{metric}_gain_low", f"{metric}_gain_high"


def shown(value: float, form: Form) -> str:
    """Write a measure."""
    if form == "share":
        return f"{value:+.0%}"
    if form == "count":
        return f"{value:,.0f}"
    return f"{value:,.2f}" if form == "money" else f"{value:.3f}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
