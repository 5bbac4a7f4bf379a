"""What a session report shows of the model and of what it predicts: its test, its features, its groups, distributions.

Elsewhere: reading them (``reading.py``, ``model.py``), drawing (``figures.py``, ``model_figures.py``), what is watched over
sessions (``sections.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from tdml_assets.models.reference import ColumnReference
from tdml_assets.platform.svg import Markup
from tdml_assets.stages.session_report import figures, model_figures
from tdml_assets.stages.session_report.facts import PredictionFact, ReportFacts
from tdml_assets.stages.session_report.model import cumulative_shares, feature_words
from tdml_assets.stages.triage.words import plain_words
from tdml_assets.tasks.presentation import presentation_of

_SHOWN_CATEGORIES = 10


@dataclass(frozen=True)
class Category:
    """Customers in one category of the predictions; ``before`` is its share in the session before."""

    name: str
    customers: int
    share: float
    before: float | None


def model_pictures(facts: ReportFacts) -> list[Markup]:
    """How the champion did in its test, and what its predictions rest on; what was not measured is left out."""
    model, drawn = facts.model, []
    pairs = [(one.mean_predicted, one.mean_actual) for one in model.deciles]
    known = [(predicted, actual) for predicted, actual in pairs if predicted is not None and actual is not None]
    if known and len(known) == len(pairs):
        title = "Predicted against what happened, in the test (calibration)"
        drawn.append(
            model_figures.predicted_and_actual("calibration", title, known, [str(one.decile) for one in model.deciles])
        )
    shares = cumulative_shares(model.deciles)
    if shares and shares[-1] > 0:
        title = "Share of all that happened, held by the highest predictions (gain)"
        drawn.append(model_figures.gain("gain", title, shares))
    if model.lists:
        rows = [(words, value, f"{value:.1%}") for words, value in model.lists]
        drawn.append(model_figures.bars("lists", "Found of what was bought later, with 10 products shown", rows))
    if model.importances:
        rows = [(feature_words(one.feature), one.share, f"{one.share:.1%}") for one in model.importances]
        drawn.append(model_figures.bars("importances", "What the predictions rest on (mean absolute SHAP)", rows))
    return drawn


def group_table(facts: ReportFacts) -> tuple[list[str], list[list[str]]] | None:
    """Heads and rows of the profile of groups; None where the task has no groups."""
    groups, word = facts.model.groups, presentation_of(facts.spec.task).group
    if not groups or word is None:
        return None
    means = list(groups[0]["means"])
    heads = [word, "customers", "share", "share of all spend", *(f"mean {feature_words(name)}" for name in means)]
    rows = [
        [
            str(group.get("name") or f"{word} {group['label']}"),
            f"{group['customers']:,}",
            f"{group['share']:.0%}",
            "-" if group["spend_share"] is None else f"{group['spend_share']:.0%}",
            *("-" if group["means"][name] is None else f"{group['means'][name]:,.4g}" for name in means),
        ]
        for group in groups
    ]
    return heads, rows


def distributions(facts: ReportFacts) -> list[Markup]:
    """One picture per prediction column."""
    return [
        _distribution(facts, f"distribution{index}", one)
        for index, one in enumerate(facts.predictions)
        if sum(one.counts)
    ]


def _column_words(facts: ReportFacts, name: str) -> str:
    words = presentation_of(facts.spec.task).columns.get(name, plain_words(name))
    return words[:1].upper() + words[1:]


def _distribution(facts: ReportFacts, name: str, fact: PredictionFact) -> Markup:
    rows, reference, presentation = sum(fact.counts), fact.reference, presentation_of(facts.spec.task)
    title = f"{_column_words(facts, fact.column_name)}, {rows:,} customers"
    compared = reference is not None and len(reference.counts) == len(fact.counts) and sum(reference.counts) > 0
    if reference is not None and compared and facts.has_nothing_earlier and reference.edges and not presentation.group:
        # The bins were made of these very rows and hold as many each: where they end is what there is to see.
        return _tenths(name, title, reference)
    if reference is not None and compared:
        names = facts.model.level_names
        labels = _group_labels(reference, presentation.group) if presentation.group else _bin_labels(reference, names)
        before = [count / sum(reference.counts) for count in reference.counts]
    else:
        labels = [*(f"bin {place}" for place in range(1, len(fact.counts))), "missing"]
        before = [0.0] * len(labels)
    bars = [
        figures.Bar(label, count / rows, share)
        for label, count, share in zip(labels, fact.counts, before, strict=True)
        if count or share
    ]
    return figures.distribution(name, title, bars, compared=compared and not facts.has_nothing_earlier)


def _tenths(name: str, title: str, reference: ColumnReference) -> Markup:
    """Where the bins of the reference end, and the share of customers up to there."""
    total, below, rows = sum(reference.counts), 0, []
    for edge, count in zip(reference.edges, reference.counts, strict=False):
        below += count
        rows.append((f"{below / total:.0%} of the customers have up to", max(edge, 0.0), f"{edge:,.4g}"))
    return model_figures.bars(name, title, rows)


def _group_labels(reference: ColumnReference, word: str) -> list[str]:
    """One label per bin of a column of whole numbers that name groups."""
    ends = [-math.inf, *reference.edges, math.inf]
    labels = []
    for after, upto in pairwise(ends):
        first = math.floor(after) + 1 if math.isfinite(after) else None
        last = math.floor(upto) if math.isfinite(upto) else None
        if first is None:
            labels.append(f"{word} {last}")
        elif last is None:
            labels.append(f"{word} {first} or higher")
        else:
            labels.append(f"{word} {first}" if first >= last else f"{word} {first} to {last}")
    return [*labels, "missing"]


def _bin_labels(reference: ColumnReference, names: Mapping[str, str]) -> list[str]:
    """One label per bin of the reference; bins are open on the left, and the last one counts missing values."""
    if not reference.numeric:
        return [*(names.get(level, level) for level in reference.levels), "every other", "missing"]
    edges = [f"{edge:,.4g}" for edge in reference.edges]
    if not edges:
        return ["any value", "missing"]
    return [f"up to {edges[0]}", *(f"{a} to {b}" for a, b in pairwise(edges)), f"above {edges[-1]}", "missing"]


def categories(facts: ReportFacts) -> list[Category]:
    """Customers per category of the predictions, the largest first, the small ones together."""
    now, before = (sum(count for _, count in labels) for labels in (facts.labels, facts.labels_before))
    earlier, words = dict(facts.labels_before), presentation_of(facts.spec.task).levels
    rows = [
        Category(words.get(name, name), count, count / now, earlier.get(name, 0) / before if before else None)
        for name, count in facts.labels[:_SHOWN_CATEGORIES]
    ]
    rest = facts.labels[_SHOWN_CATEGORIES:]
    if rest:
        customers = sum(count for _, count in rest)
        rows.append(Category(f"{len(rest)} more categories", customers, customers / now, None))
    return rows
