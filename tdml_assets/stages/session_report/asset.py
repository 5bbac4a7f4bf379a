"""<workflow>/session_report: one page per session, and whether what it predicted may be published.

Elsewhere: placing files (``pages.py``), what the page says (``page.py``), the decision (``stages/triage/decision.py``).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, glance
from tdml_assets.platform.report_paths import report_path
from tdml_assets.platform.sessions import as_of, retrains_itself, session_id_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.session_report.pages import OverviewPage, place
from tdml_assets.stages.triage.words import decision_words

if TYPE_CHECKING:
    from tdml_assets.stages.session_report.facts import ReportFacts, SessionFacts

#: Title, values in words, the first and the last day.
Trend = tuple[str, list[tuple[str, list[float]]], str, str]

_FORBIDS = "data_quality"


def build_session_report(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    key = dg.AssetKey([spec.name, "session_report"])

    @dg.asset(
        key=key,
        deps=[[spec.name, "triage"]],
        group_name=spec.name,
        kinds={"html"},
        owners=[OWNER],
        pool="warehouse",
        description="One page about this session: the decision and why, measures over sessions, drift, data checks, "
        "episodes. Nothing is published before it is written.",
        check_specs=[
            dg.AssetCheckSpec(
                "may_be_published", asset=key, blocking=True, description="The data behind the predictions is whole."
            )
        ],
    )
    @isolated(spec, "session_report", "may_be_published", of_champion=True)
    def session_report(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        models: ModelStore,
        overview: dg.ResourceParam[OverviewPage],
    ) -> dg.MaterializeResult:
        store = models.open()
        with warehouse.read() as database:
            facts, page, trend = _rendered(context, database, spec, store)
        session = facts.session
        path = report_path(settings, spec.name, session.as_of, session.session_id)
        place(page, path, is_latest=facts.is_latest)
        overview.write(warehouse)
        context.log.info(f"report: {decision_words(session.decision).headline}; {path}")
        return dg.MaterializeResult(
            metadata={**glance(*trend), **_links(settings, path, page), **_verdict(session)},
            check_results=[_may_be_published(session)],
        )

    return session_report


def _rendered(
    context: dg.AssetExecutionContext, database: Database, spec: WorkflowSpec, store: BundleStore
) -> tuple["ReportFacts", str, Trend]:
    """What the session was, its page, and the main measure over the sessions. What draws a page is imported when one is drawn."""
    from tdml_assets.stages.session_report.page import render_report
    from tdml_assets.stages.session_report.reading import prediction_references, read_facts
    from tdml_assets.stages.session_report.sections import trend_of

    champion = store.read_champion(spec.name) if store.champion(spec.name) else None
    facts = read_facts(
        database,
        spec,
        session_id_of(context),
        as_of(database),
        prediction_references(champion.files) if champion else (),
        champion.manifest.session_id if champion else None,
        retrains_itself=retrains_itself(context),
    )
    return facts, render_report(facts), trend_of(facts)


def _links(settings: Settings, path: Path, page: str) -> dict[str, Any]:
    return {
        "report": dg.MetadataValue.url(settings.report_url(path)),
        "file": dg.MetadataValue.path(path),
        "bytes": len(page.encode()),
    }


def _verdict(session: "SessionFacts") -> dict[str, str]:
    return {"decision": session.decision or "none", "sentence": session.sentence or "this session was not judged"}


def _may_be_published(session: "SessionFacts") -> dg.AssetCheckResult:
    verdict = _verdict(session)
    return dg.AssetCheckResult(
        check_name="may_be_published",
        passed=session.decision != _FORBIDS,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{verdict['sentence']} {decision_words(session.decision).next_step}",
        metadata=verdict,
    )
