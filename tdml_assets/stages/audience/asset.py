"""audience/*: every attribute of every workflow in one row per customer, its catalogue, and the destinations.

Elsewhere: rules of attributes (``attributes.py``), what a destination does (``destinations/``).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.blobs import BlobStoreError
from tdml_assets.platform.housekeeping import prune, read_needed
from tdml_assets.platform.isolation import begin_outcome, keep_outcome
from tdml_assets.platform.metadata import OWNER, column_schema, table_metadata, table_preview
from tdml_assets.platform.outcome import Outcome, published_as
from tdml_assets.platform.resources import build_model_store
from tdml_assets.platform.sessions import as_of, record_session, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.audience.attributes import CATALOG, SanityLimits, WorkflowAttributes, parent_segment_contract
from tdml_assets.stages.audience.control import CONTROL_ATTRIBUTE, keep_bands
from tdml_assets.stages.audience.destinations_asset import build_destinations
from tdml_assets.stages.audience.files_asset import build_files
from tdml_assets.stages.audience.permission_asset import build_permission_lists, permission_keys
from tdml_assets.stages.audience.publication import Published, publish
from tdml_assets.stages.features.columns import FEATURES_TABLE, features_table
from tdml_assets.stages.session_report.pages import OverviewPage
from tdml_assets.stages.triage.alerting import alert_outcomes

_REVIEW = "look at the predictions of this session and at the session report"

#: Published scores that are older are shown as late; at ``max_age_days`` as expired, when attributes begin to be emptied.
_LATE_AFTER = timedelta(days=8)

_KEYS = [dg.AssetKey(["audience", "parent_segment_attributes"]), dg.AssetKey(["audience", "attribute_catalog"])]


def build_audience(specs: Sequence[WorkflowSpec], settings: Settings) -> list[dg.AssetsDefinition]:
    """The audience's tables and destinations; none where no workflow publishes an attribute."""
    publishing = [
        WorkflowAttributes(workflow=spec.name, attributes=spec.attributes, eligible=spec.eligible.words)
        for spec in specs
        if spec.attributes
    ]
    if not publishing:
        return []
    tables = {spec.name: features_table(spec) for spec in specs if spec.attributes}
    control = settings.audience.control

    def published(database: Database, **how: Any) -> Published:
        done = publish(database, publishing, control=control, **how)
        if control is not None:
            sessions = {score.workflow: score.session_id for score in done.scores}
            keep_bands(database, control, specs, sessions, how["as_of"])
        return done

    assets = [_build_publication(publishing, tables, settings, published)]
    upstream = [*_KEYS, *permission_keys(settings)]
    if settings.destinations.files is not None:
        assets.append(build_files(settings, upstream, settings.destinations.files.keep))
    return [*assets, *build_permission_lists(settings), *build_destinations(settings, upstream)]


def _freshness() -> dg.FreshnessPolicy:
    """How old the published attributes may be before the UI shows the asset as late."""
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=SanityLimits().max_age_days), warn_window=_LATE_AFTER
    )


def keep_house(context: dg.AssetExecutionContext, warehouse: Warehouse, settings: Settings) -> None:
    """Remove what the settings do not keep of earlier sessions. Attributes are published by now: a fault here is a warning."""
    try:
        with warehouse.read() as database:
            needed = read_needed(database)
        places = {"home": settings.home, "reports": settings.reports_folder}
        store = build_model_store(settings).open()
        removed = prune(settings.retention, needed, store=store, instance=context.instance, **places)
    except (OSError, BlobStoreError) as error:
        context.log.warning(f"nothing more of earlier sessions is removed: {error}")
        return
    if removed:
        context.log.info(f"removed of earlier sessions: {', '.join(f'{n} {what}' for what, n in removed.items())}")


def _build_publication(
    publishing: Sequence[WorkflowAttributes],
    tables: Mapping[str, tuple[str, str]],
    settings: Settings,
    published: Callable[..., Published],
) -> dg.AssetsDefinition:
    contract = parent_segment_contract(publishing, [CONTROL_ATTRIBUTE] if settings.audience.control else [])

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                key,
                deps=[[wf.workflow, stage] for wf in publishing for stage in ("predictions", "session_report")],
                group_name="audience",
                kinds={"duckdb", "sql"},
                owners=[OWNER],
                description=table.description,
                metadata=table_metadata(table),
                freshness_policy=_freshness(),
            )
            for key, table in zip(_KEYS, (contract, CATALOG), strict=True)
        ],
        name="publish_attributes",
        pool="warehouse",
    )
    def publish_attributes(
        context: dg.AssetExecutionContext, warehouse: Warehouse, overview: dg.ResourceParam[OverviewPage]
    ) -> tuple[dg.MaterializeResult, dg.MaterializeResult]:
        with warehouse.write() as database:
            day = as_of(database)
            eligible = _eligible(database, tables, day)
            outcomes = {wf.workflow: begin_outcome(database, context, wf.workflow) for wf in publishing}
            done = published(
                database,
                session_id=session_id_of(context),
                as_of=day,
                expected_customers=lambda workflows: _expected(database, tables, workflows, day),
                eligible=eligible,
                outcomes={name: outcome for name, outcome in outcomes.items() if outcome.ran},
            )
            _close_outcomes(database, context, outcomes, done)
        keep_house(context, warehouse, settings)
        alert_outcomes(warehouse, settings, session_id_of(context), context.log)
        overview.write(warehouse)
        without = f"; without new scores: {', '.join(done.withheld)}" if done.withheld else ""
        context.log.info(f"report: {done.rows} customers x {done.attributes} attributes{without}")
        evidence = {name: value for name, value in done.evidence.items() if isinstance(value, (int, float, str))}
        return (
            dg.MaterializeResult(
                asset_key=_KEYS[0],
                metadata={"dagster/row_count": done.rows, "dagster/column_schema": column_schema(contract), **evidence},
            ),
            dg.MaterializeResult(
                asset_key=_KEYS[1],
                metadata={"dagster/row_count": done.attributes, "catalogue": table_preview(done.catalogue)},
            ),
        )

    return publish_attributes


def _eligible(database: Database, tables: Mapping[str, tuple[str, str]], day: date) -> dict[str, int]:
    """Customers whom each workflow scores on a day."""
    rows = _count_eligible(database, tables, day)
    counts = {row["workflow"]: row["customers"] for row in rows if row["workflow"] is not None}
    return {name: counts.get(name, 0) for name in tables}


def _expected(database: Database, tables: Mapping[str, tuple[str, str]], workflows: Collection[str], day: date) -> int:
    """Customers whom any of some workflows scores on a day."""
    rows = _count_eligible(database, {name: tables[name] for name in workflows}, day)
    (found,) = [int(row["customers"]) for row in rows if row["workflow"] is None]
    return found


def _count_eligible(database: Database, tables: Mapping[str, tuple[str, str]], day: date) -> list[dict[str, Any]]:
    # A workflow that was never scored has no view yet: it takes every customer.
    there = {name: table if database.columns(table) else FEATURES_TABLE for name, table in tables.items()}
    return database.rows(render("audience/eligible", tables=there, day=day))


def _close_outcomes(
    database: Database, context: dg.AssetExecutionContext, outcomes: Mapping[str, Outcome], done: Published
) -> None:
    """Keep what became of every workflow."""
    for name, before in outcomes.items():
        fresh, why = name not in done.withheld, done.withheld.get(name)
        outcome = before
        if why is not None and not before.withholds:
            # Scored and watched, and not sane: only the publication could see it.
            outcome = replace(before, stopped_at="publication", reason=why, remedy=_REVIEW, needs_person=True)
        closed = published_as(outcome, fresh=fresh, carried=name in done.carried)
        keep_outcome(database, closed)
        record_session(database, context, name, status="published" if fresh else closed.state)
