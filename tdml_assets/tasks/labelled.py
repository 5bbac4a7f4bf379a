"""What tasks with a target share: their snapshots, that a new model owes nothing to the one before, next orders in a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.evaluation.measures import Metrics
from tdml_assets.stages.features.columns import FEATURES_TABLE
from tdml_assets.stages.features.snapshots import SnapshotPlan, SplitPlan, plan_split
from tdml_assets.stages.preparation.parameters import Parameters
from tdml_assets.stages.realised.performance import history_contract
from tdml_assets.stages.training.fit import Candidate
from tdml_assets.stages.training_table.table import observation, roles_of
from tdml_assets.tasks import Previous

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


class Labelled:
    """Base of the tasks whose target is observed after a snapshot."""

    prediction: str
    # A new model owes nothing to the one before.
    owes_to_champion = False

    def roles(self, plan: SnapshotPlan) -> tuple[dict[date, str], SplitPlan | None]:
        """Train on earlier snapshots, test on the latest that has its whole horizon behind it."""
        split = plan_split(plan)
        return roles_of(split), split

    def learner_parameters(self, spec: WorkflowSpec, previous: Previous) -> dict[str, Any]:  # noqa: ARG002
        """As declared under ``model.parameters``."""
        return dict(spec.model.parameters)

    def settle(
        self,
        candidate: Candidate,
        parameters: Parameters,  # noqa: ARG002
        previous: Previous,  # noqa: ARG002
    ) -> Candidate:
        """As it is: a new model owes nothing to the one before."""
        return candidate

    def identity(self, candidate: Candidate) -> dict[str, Any]:  # noqa: ARG002
        """Nothing: the champion before has no part in the fit."""
        return {}

    def suspicious(self, test: Metrics, spec: WorkflowSpec) -> bool:  # noqa: ARG002
        """Never: the tasks that can tell say so themselves."""
        return False

    def name_groups(self, database: Database, spec: WorkflowSpec, day: date, scores: Sequence[str]) -> None:
        """Amounts and probabilities have no groups."""

    def tables_of_scoring(self, spec: WorkflowSpec) -> Sequence[tuple[str, str]]:
        """The predictions before their level is corrected."""
        return ((spec.name, "uncorrected_predictions"),)

    def history(self, spec: WorkflowSpec) -> TableContract:
        """Contract of what is kept of predictions: one number a customer."""
        return history_contract(spec.name)

    def kept(self, spec: WorkflowSpec, **context: Any) -> Statement:
        """Rows to keep of the predictions of a day."""
        customers = spec.monitor.kept_customers
        names = {"features_table": FEATURES_TABLE, "prediction": self.prediction}
        return render("realised/keep", customers=customers, **names, **context)

    def happened(self, reader: Reader, spec: WorkflowSpec, day: date) -> pa.Table:
        """Kept predictions of a day next to what happened."""
        history = history_contract(spec.name).path
        return reader.arrow(render("realised/happened", history=history, as_of=day, **observation(spec)))


def next_order_highlights(reader: Reader, table: Sequence[str], session_id: str) -> list[tuple[str, str]]:
    """Label and text of orders expected and customers overdue; nothing where predictions do not say it."""
    if "expected_orders" not in reader.columns(table):
        return []
    found = reader.row(render("summary/next_orders", table=table, session_id=session_id))
    if not found["customers"]:
        return [("next orders", found["note"])] if found["note"] else []
    orders = f"{found['orders']:,.0f} expected, from {found['active']:,.0f} customers"
    if not found["with_rhythm"]:
        return [("next orders", orders)]
    return [
        (
            "next orders",
            f"{orders}; {found['overdue']:,} of {found['with_rhythm']:,} who ordered more than once are late by more than their "
            "usual gap",
        )
    ]
