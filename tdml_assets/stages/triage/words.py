"""Decisions, statuses and checks of monitoring in words and signs, alike in reports and alerts.

Elsewhere: who decides (``decision.py``, ``stages/drift/detection.py``), layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class DecisionWords:
    """How a decision is said.

    ``headline``: a few words. ``tone``: good, look, act or stop: how a page marks it, in addition to its words. ``sign``: shape
    of its mark. ``next_step``: what a person does now.
    """

    headline: str
    tone: str
    sign: str
    next_step: str


DECISIONS = {
    "nothing": DecisionWords("Nothing to do", "good", "circle", "Nothing. The attributes may be used as they are."),
    "report": DecisionWords(
        "Worth a look",
        "look",
        "diamond",
        "Look at the columns that moved: a campaign, a price list or a new source usually explains them.",
    ),
    "confirm": DecisionWords(
        "Drift seen once, to be confirmed",
        "look",
        "diamond",
        "Nothing yet: the next session confirms it or closes it. Until then check whether a source changed.",
    ),
    "retrain": DecisionWords(
        "Retraining called for",
        "act",
        "triangle",
        "Start a retraining: run the session again with `make run`, or the job train_<workflow>. The sensor retrain_on_drift, "
        "switched on in the UI, starts it by itself. The gate then compares the new model with this one. Read its reason before "
        "you act on changed figures.",
    ),
    "data_quality": DecisionWords(
        "Broken data: nothing is published",
        "stop",
        "square",
        "Correct or reload the source named above, then run the session again. Until then the attributes published before "
        "stay, and no model is retrained on this data.",
    ),
}
#: What a person does where the sensor is on.
_BY_ITSELF = (
    "The sensor retrain_on_drift is on: the retraining starts by itself while the Dagster daemon runs, unless it is on hold, "
    "cooling down or over the monthly cap. The gate then compares the new model with this one. Read its reason before you act on "
    "changed figures."
)
UNDECIDED = DecisionWords(
    "No decision", "look", "diamond", "Materialise triage in the same run: this session was not judged."
)


@dataclass(frozen=True)
class StatusWords:
    """How the status of a column is said; no sign where there is nothing to mark, a square where only broken data look so."""

    words: str
    sign: str | None
    alarm: bool = False


STATUSES = {
    "first": StatusWords("first session", None),
    "ok": StatusWords("stable", None),
    "watch": StatusWords("changed a little", "circle"),
    "far": StatusWords("moved far", "triangle", alarm=True),
    "spike": StatusWords("jumped in one session", "triangle", alarm=True),
    "changed": StatusWords("was a constant", "triangle", alarm=True),
    "stuck": StatusWords("no longer changes", "square", alarm=True),
    "scale": StatusWords("like another unit", "square", alarm=True),
    "all_null": StatusWords("lost all values", "square", alarm=True),
    "degenerate": StatusWords("nothing to measure", None),
    "too_few": StatusWords("too few rows", None),
}
CHECKS = {
    "volume": "rows per day",
    "freshness": "how recent the data is",
    "latest_day": "whether the orders support the last day",
    "age": "how old the last order is",
    "null_share": "share without a value",
    "scale": "size of the values",
    "duplicates": "duplicated rows",
    "rejected": "rows set aside",
    "unreadable": "rows that could not be read",
    "recorded_at": "when rows were recorded",
    "set_aside": "orders set aside for any reason",
    "zero_amounts": "lines without money",
    "changed_ids": "ids of customers that change on a day",
    "changed_unit": "amounts that change their unit",
    "mixed_units": "lines in another unit than their product",
    "renumbered": "days that are there under other order ids",
    "lacking_columns": "files without a status that others have",
    "rounded_ids": "ids that a spreadsheet has rounded",
    "empty_ids": "ids that mean nobody",
    "test_orders": "ids of tests",
    "thin_months": "months with few orders",
    "repeated": "lines equal to another, in all",
    "overlap": "lines equal to those of another file",
    "new_categories": "categories never seen",
    "alike_customers": "ids of customers written differently",
    "one_customer": "share of the largest customer",
    "lost_rows": "rows that vanished",
}
CAUSES = {
    "source": "broken raw data",
    "data": "features that only broken data make",
    "features": "features moved",
    "predictions": "the predictions moved",
    "target": "what happens moved",
    "realised": "the predictions came out worse than tested",
    "age": "the model is old",
    "none": "nothing",
}


def decision_words(decision: str | None, *, retrains_itself: bool = False) -> DecisionWords:
    """Words of a decision; of none at all, that there is none.

    ``retrains_itself``: whether the sensor that starts retrainings is on.
    """
    if decision is None:
        return UNDECIDED
    if decision == "retrain" and retrains_itself:
        return replace(DECISIONS[decision], next_step=_BY_ITSELF)
    return DECISIONS.get(decision, DecisionWords(plain_words(decision), "look", "diamond", UNDECIDED.next_step))


def status_words(status: str | None) -> StatusWords:
    """Words of a status; of one that is not known here, its own name and a mark, so that it is not overlooked."""
    if status is None:
        return STATUSES["degenerate"]
    return STATUSES.get(status, StatusWords(plain_words(status), "diamond"))


def plain_words(name: str) -> str:
    """A name without underscores."""
    return name.replace("_", " ")
