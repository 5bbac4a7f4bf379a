"""What ``run`` tells people of a session that failed, where no daemon does it: a run from cron, for instance.

Belongs here: from the steps that failed to their alerts. Does not: what a cause is (``stages/triage/alerts/failures.py``), sending
(``stages/triage/alerts/failure_alerts.py``).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tdml_assets.component import declared_workflows
from tdml_assets.settings import Settings
from tdml_assets.stages.triage.alerts.failure_alerts import tell_failures
from tdml_assets.stages.triage.alerts.failures import EVERY_WORKFLOW, failure_of_step


@dataclass(frozen=True)
class _RunLog:
    """Appends to the log of the run: the terminal shows the error already."""

    path: Path

    def warning(self, msg: str, /) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(msg + "\n")


def tell_of_run(
    settings: Settings, failed: Sequence[tuple[str, str]], log_path: Path, *, ran: Collection[str] | None
) -> list[str]:
    """Tell of the steps that failed, each cause once until it has recovered. Returns keys of the causes that some channel took.

    ``failed``: name and error of each. ``ran``: workflows that ran to the end, empty for all of them; None where the run failed.
    """
    workflows = {spec.name for spec in declared_workflows(settings)}
    failures = [failure_of_step(step, text, workflows, "", str(log_path)) for step, text in failed]
    if ran is None and not failures:
        failures = [failure_of_step("run", "", workflows, "", str(log_path))]
    whole = set() if ran is None else {*(ran or workflows), EVERY_WORKFLOW}
    return tell_failures(settings.home, settings.alerts, os.environ, failures, _RunLog(log_path), ran=whole)
