"""Failed sessions and workflows that are off: which causes raise an alert, once each until they recover.

Elsewhere: finding failures (``automation/failure_alerts.py``, ``commands/app.py``), recording what was sent
(``failure_alerts.py``), sending (``channels.py``).

An alert names the workflow, the stage and the class of the error, never its text: that may quote a customer's value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tdml_assets.platform.error_words import error_name
from tdml_assets.platform.outcome import Outcome
from tdml_assets.stages.triage.alerts.messages import Alert

Kind = Literal["session", "workflow", "sync"]
#: Workflow of a stage that all of them need.
EVERY_WORKFLOW = "all"
#: The episode of broken data raises an alert for these already.
_TOLD_AS_BROKEN_DATA = ("BrokenDataError", "may_be_published", "data_is_whole")
_STATES = {"failed": "failed", "off": "is off", "kept": "keeps the attributes of an earlier session"}

_SYNCS = {
    "failed": "failed",
    "refused": "was refused by a guard",
    "degraded": "ended with rows refused, or was too slow",
}

#: Names of the channels that took the alert, per key of a cause.
Ledger = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Failure:
    """One cause.

    ``workflow``: its name, or ``all`` for a stage that every workflow needs.
    ``stage``: asset, or stage of the workflow, that ended with the error.
    ``error``: class of the error, or name of the blocking check.
    ``session_id``: session in which it was seen.
    ``state``: what became of the workflow; ``failed`` for a whole run.
    ``log``: where the error can be read.
    ``kind``: ``session`` for a step of a run that failed, ``workflow`` for a workflow that ended early in one that succeeded,
      ``sync`` for a destination, whose name is the workflow's then.
    """

    workflow: str
    stage: str
    error: str
    session_id: str = ""
    state: str = "failed"
    log: str | None = None
    kind: Kind = "session"

    @property
    def key(self) -> str:
        """Equal for equal causes: workflow, stage and class of the error."""
        return f"{self.kind}:{self.workflow}:{self.stage}:{self.error}"


def failure_of_step(step: str, text: str, workflows: Collection[str], session_id: str, log: str | None) -> Failure:
    """The cause behind a failed step.

    ``step``: Dagster's name of it, such as ``churn__training_table``. ``text``: what is printed of the error.
    """
    name = step.replace("/", "__").partition("__")[0]
    workflow = name if name in workflows else EVERY_WORKFLOW
    return Failure(workflow, step.replace("__", "/"), error_name(text), session_id, log=log)


def failures_of_outcomes(outcomes: Iterable[Outcome]) -> list[Failure]:
    """Causes among what became of workflows: those without new attributes, or that need a person."""
    return [
        Failure(
            workflow=outcome.workflow,
            stage=outcome.stopped_at or "publication",
            error=outcome.error or "Held",
            session_id=outcome.session_id,
            state=outcome.state,
            kind="workflow",
        )
        for outcome in outcomes
        if outcome.state in _STATES or (outcome.state == "fallback" and outcome.needs_person)
    ]


def is_told_elsewhere(failure: Failure) -> bool:
    """Whether the alert about broken data covers it."""
    return failure.error in _TOLD_AS_BROKEN_DATA


def recovered(
    ledger: Ledger, workflows: Collection[str], failures: Sequence[Failure], kind: Kind
) -> dict[str, list[str]]:
    """The ledger without the causes of one kind that workflows, which ran to the end, no longer have.

    ``workflows``: that ran; with ``all`` for the stages every one needs. ``failures``: seen in the same run.
    """
    current = {failure.key for failure in failures}
    ended = {(kind, name) for name in workflows}
    return {key: list(sent) for key, sent in ledger.items() if key in current or tuple(key.split(":")[:2]) not in ended}


def same_causes(failures: Iterable[Failure]) -> list[list[Failure]]:
    """Failures, those together that differ in nothing but the workflow."""
    found: dict[Failure, list[Failure]] = {}
    for failure in dict.fromkeys(failures):
        found.setdefault(replace(failure, workflow=""), []).append(failure)
    return list(found.values())


def alert_of_failures(failures: Sequence[Failure]) -> Alert:
    """Write the alert about one cause that one workflow or several have."""
    failure = replace(failures[0], workflow=", ".join(one.workflow for one in failures))
    whose = "The session" if failure.workflow == EVERY_WORKFLOW else failure.workflow
    became = _STATES.get(failure.state, "is scored without a trained model")
    if failure.kind == "sync":
        whose, became = f"The sync to {failure.workflow}", _SYNCS.get(failure.state, "failed")
    text = (
        f"{whose} {became}: {failure.error} at {failure.stage}.\n"
        "Attributes published before stay as they are.\n"
        "What to do: read the reason in the run's log or in `tdml-assets status`, mend it, and run the session again. You are "
        "not told of this cause again until it has recovered."
    )
    if failure.kind == "sync":
        text = (
            f"{whose} {became}.\nWhat was acknowledged before is kept, and is not sent again.\n"
            "What to do: read the reason in activation.sync_runs, mend it, then `tdml-assets sync`; rows that were refused: "
            "`tdml-assets retry`. You are not told of this cause again until a sync succeeds."
        )
    fields = {
        "workflow": failure.workflow,
        "stage": failure.stage,
        "error": failure.error,
        "session": failure.session_id,
        "log": failure.log,
    }
    return Alert(
        key=failure.key,
        subject=f"{whose} {became} ({failure.error} at {failure.stage})",
        text=text,
        fields=tuple((name, value) for name, value in fields.items() if value),
    )
