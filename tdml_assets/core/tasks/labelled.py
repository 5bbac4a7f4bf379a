"""What tasks with a target share: their snapshots, and that a new model owes nothing to the one before."""

from __future__ import annotations

from datetime import date
from typing import Any

from tdml_assets.core.preparation import Parameters
from tdml_assets.core.snapshots import SnapshotPlan, SplitPlan, plan_split
from tdml_assets.core.tasks import Previous
from tdml_assets.core.training import Candidate
from tdml_assets.core.training_table import roles_of
from tdml_assets.core.workflow import WorkflowSpec


class Labelled:
    """Base of the tasks whose target is observed after a snapshot."""

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
