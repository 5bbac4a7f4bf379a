"""What a session report shows of the champion itself: its test by tenths of customers, its main features, its groups.

Elsewhere: monitoring over sessions (``reading.py``), drawing (``model_figures.py``). Aggregates only: a report is passed on,
so it names no customer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform import monitoring
from tdml_assets.stages.session_report.reader import ReportReader
from tdml_assets.tasks.presentation import presentation_of

#: Features that are shown, the most important first.
SHOWN_FEATURES = 12
_SPELT_OUT = {"avg": "average", "stddev": "spread of", "sd": "spread of"}
_WINDOW = re.compile(r"_(\d+)d$")


@dataclass(frozen=True)
class Decile:
    """A tenth of the tested customers, 1 with the lowest prediction. ``share_actual`` is of all that happened."""

    decile: int
    customers: int
    mean_predicted: float | None
    mean_actual: float | None
    share_actual: float | None


@dataclass(frozen=True)
class Importance:
    """A feature and its share of what moves the predictions, 0 to 1; the levels of a category are added up."""

    feature: str
    share: float


@dataclass(frozen=True)
class ModelFacts:
    """The champion.

    ``deciles``: of its test, the lowest predictions first; empty for tasks without one number a customer. ``importances``: the
    most important first. ``lists``: measure of the model's test and of simpler ones, in words, where the task compares such.
    ``groups``: one row per group of customers, as the task profiles them: a name, customers, share, means in real units.
    ``level_names``: words per level of the predictions that is an id, such as a product's.
    """

    deciles: tuple[Decile, ...] = ()
    importances: tuple[Importance, ...] = ()
    lists: tuple[tuple[str, float], ...] = ()
    groups: tuple[Mapping[str, Any], ...] = ()
    level_names: Mapping[str, str] = field(default_factory=dict)


def read_model_facts(reader: ReportReader, spec: WorkflowSpec, trained_in: str) -> ModelFacts:
    """Read what is shown of the champion.

    ``reader``: of the session reported on. ``trained_in``: session that trained the champion.
    """
    presentation, context = presentation_of(spec.task), {"session_id": trained_in}
    tested = {row["metric"]: row["value"] for row in reader.rows("tested", monitoring.MODEL_METRICS, **context)}
    profile = presentation.profile
    return ModelFacts(
        deciles=tuple(Decile(**row) for row in reader.rows("calibration", monitoring.CALIBRATION, **context)),
        importances=tuple(
            Importance(row["feature"], row["share"])
            for row in reader.rows("importances", monitoring.FEATURE_IMPORTANCES, limit=SHOWN_FEATURES, **context)
            if row["share"] is not None
        ),
        lists=tuple(
            (words, tested[name]) for name, words in presentation.alternatives.items() if tested.get(name) is not None
        ),
        groups=tuple(profile(reader.database, spec, reader.session_id)) if profile else (),
        level_names=_level_names(reader, spec),
    )


def _level_names(reader: ReportReader, spec: WorkflowSpec) -> Mapping[str, str]:
    names, table = presentation_of(spec.task).level_names, (spec.name, "predictions")
    if names is None or not reader.database.has_table(table):
        return {}
    return names(reader.database, table, reader.session_id)


def feature_words(name: str) -> str:
    """Name of a feature for people.

    >>> feature_words("total_spend_90d")
    'total spend, last 90 days'
    """
    window = _WINDOW.search(name)
    stem = " ".join(_SPELT_OUT.get(word, word) for word in _WINDOW.sub("", name).split("_"))
    return f"{stem}, last {window.group(1)} days" if window else stem


def cumulative_shares(deciles: Sequence[Decile]) -> list[float]:
    """Share of all that happened that the best tenth holds, the best two tenths, ...; empty where it is not known."""
    found: list[float] = []
    for one in sorted(deciles, key=lambda decile: -decile.decile):
        if one.share_actual is None:
            return []
        found.append((found[-1] if found else 0.0) + one.share_actual)
    return found
