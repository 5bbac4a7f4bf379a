"""What differs between tasks: one module a task, behind one protocol.

Elsewhere: what all tasks share (the stages), learners (``engines/``). Recommendation has no row per customer to learn from:
each stage asks it by a class of its own (``platform/per_task.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from tdml_assets.declaration.task_names import task_module
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.level import Kind
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.evaluation.measures import Evaluation, Metrics
from tdml_assets.stages.evaluation.paired import Loss
from tdml_assets.stages.features.snapshots import SnapshotPlan, SplitPlan
from tdml_assets.stages.preparation.parameters import Parameters
from tdml_assets.stages.realised.performance import MainError
from tdml_assets.stages.training.fit import Candidate

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Reads the champion's files; empty where there is none.
Previous = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True)
class Measured:
    """What an evaluation looks at.

    ``holdout``: rows of ``sql/evaluation/holdout.sql``. ``splits``: reads the prepared rows, by split; called only where they
    are needed. ``chosen``: what the fit decided, from the candidate's recipe.
    """

    holdout: pa.Table
    splits: Callable[[], Mapping[str, pa.Table]]
    chosen: Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """Tables of aggregates and plots (SVG), by title."""

    tables: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    plots: Mapping[str, bytes] = field(default_factory=dict)


class Task(Protocol):
    """One task, as the stages ask it."""

    @property
    def name(self) -> str:
        """As in a workflow's YAML."""

    @property
    def prediction(self) -> str:
        """Number in the predictions table that is watched for drift."""

    @property
    def highest(self) -> float | None:
        """Largest possible value of it; None for no bound. None is below 0."""

    @property
    def category(self) -> str:
        """Column of the predictions whose levels are counted."""

    @property
    def level_kind(self) -> Kind | None:
        """How predictions are moved to another level; None where they have none."""

    @property
    def owes_to_champion(self) -> bool:
        """Whether the champion before has a part in a candidate."""

    def describe(self, spec: WorkflowSpec) -> str:
        """What a prediction is, in a sentence."""

    def total_words(self, spec: WorkflowSpec) -> str | None:
        """What the sum of all predictions is; None where it means nothing."""

    def roles(self, plan: SnapshotPlan) -> tuple[dict[Any, str], SplitPlan | None]:
        """Part per snapshot that is learnt from, as ``sql/training_table/build.sql`` knows them, and the plan behind it."""

    def check_rows(self, sizes: Sequence[Mapping[str, Any]], spec: WorkflowSpec) -> None:
        """Refuse splits that cannot be learnt from, with the counts."""

    def learner_parameters(self, spec: WorkflowSpec, previous: Previous) -> dict[str, Any]:
        """Parameters of the learner, from all sections of the YAML that it reads, and from the champion before."""

    def settle(self, candidate: Candidate, parameters: Parameters, previous: Previous) -> Candidate:
        """Bring a candidate into line with the champion before it."""

    def identity(self, candidate: Candidate) -> dict[str, Any]:
        """What a candidate owes to the champion before it, as values that JSON knows: part of its version's name.

        Data, specification, code and libraries determine the rest. Empty where the champion has no part in the fit.
        """

    def evaluate(self, measured: Measured, spec: WorkflowSpec) -> Evaluation:
        """Measure a candidate on what it has not seen, next to what no model would have said."""

    def judge(self, test: Metrics, spec: WorkflowSpec) -> tuple[bool, str]:
        """Whether a candidate is fit to score, and why."""

    def suspicious(self, test: Metrics, spec: WorkflowSpec) -> bool:
        """Whether a candidate is too good to be believed, so that a person has to look at it."""

    @property
    def loss(self) -> Loss | None:
        """What a candidate and the champion are compared by; None where the task's judge alone decides."""

    def draw(self, measured: Measured, found: Evaluation, spec: WorkflowSpec) -> dict[str, bytes]:
        """Plots of an evaluation, SVG by title."""

    def predictions_contract(self, spec: WorkflowSpec) -> TableContract:
        """Contract of ``<workflow>.predictions``."""

    def name_groups(self, database: Database, spec: WorkflowSpec, day: date, scores: Sequence[str]) -> None:
        """Give the groups of the scores table their names, before they are published; nothing where there are no groups."""

    def tables_of_scoring(self, spec: WorkflowSpec) -> Sequence[tuple[str, str]]:
        """Tables next to the predictions that scoring writes."""

    def publish(self, spec: WorkflowSpec, **context: Any) -> Statement:
        """From the scores table to the rows of the predictions."""

    def look(self, reader: Reader, spec: WorkflowSpec) -> Shown:
        """What a person should see of the predictions in the warehouse: aggregates only."""


def task_of(spec: WorkflowSpec) -> Task:
    """The task of a workflow that learns from one row per snapshot and customer."""
    found: Task = import_module(task_module(spec.task)).TASK
    return found


class RealisedPerformance(Protocol):
    """How the predictions of a task are kept and measured once their horizon has passed. Not every task has it."""

    @property
    def error(self) -> MainError:
        """The error that is compared with the one of the model's own test."""

    def history(self, spec: WorkflowSpec) -> TableContract:
        """Contract of ``<workflow>.prediction_history``, one slice per as_of."""

    def kept(self, spec: WorkflowSpec, **context: Any) -> Statement:
        """Rows of it, from the predictions of a session."""

    def measure(self, reader: Reader, spec: WorkflowSpec, day: date, train: Metrics) -> Metrics:
        """Measure the predictions kept of a day against what happened.

        ``train``: what was measured on the train split when the model was trained; may be empty.
        """


def realised_performance_of(spec: WorkflowSpec) -> RealisedPerformance | None:
    """How the predictions of a workflow are measured later; None if its task predicts nothing of the future."""
    found: RealisedPerformance | None = getattr(import_module(task_module(spec.task)), "REALISED_PERFORMANCE", None)
    return found


def why_off(spec: WorkflowSpec, mapped: Collection[str]) -> str | None:
    """Why a workflow cannot run on these orders; None where it can.

    ``mapped``: columns of ``raw.orders`` that the source is mapped onto.
    """
    judge: Callable[[Collection[str]], str | None] | None
    judge = getattr(import_module(task_module(spec.task)), "why_off", None)
    return None if judge is None else judge(mapped)


def sample_of(reader: Reader, spec: WorkflowSpec, column: str) -> Any:
    """Values of one column of the predictions, of at most 50,000 customers picked by a hash."""
    table = (spec.name, "predictions")
    return reader.arrow(render("predictions/sample", table=table, column=column, rows=50_000))[column].to_numpy()
