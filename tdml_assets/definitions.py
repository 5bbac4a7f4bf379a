"""The whole platform on one page.

Reads the settings once, when Dagster asks for the definitions and not at import; then: raw tables, snapshots, dbt features,
every declared workflow, the audience, and what starts them by itself.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from tdml_assets.platform.collector import collect_rarely, loading_what_stays

if TYPE_CHECKING:
    from tdml_assets.settings import Settings

#: What the latest definitions were made from, and they: one run asks Dagster for them half a dozen times.
_latest: list[tuple[object, dg.Definitions]] = []


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions of the code location; made anew when the settings, a declaration or the dbt project changed since."""
    if not _latest:
        collect_rarely()
        with loading_what_stays():
            return _made()
    return _made()


def _made() -> dg.Definitions:
    # Imported within functions, so that the collector rests while the settings and the modules of all stages load.
    from tdml_assets.component import declarations
    from tdml_assets.settings import load_settings
    from tdml_assets.stages.features.dbt_manifest import manifest_of

    settings = load_settings()
    made_from = (settings, declarations(), manifest_of(settings))
    if not _latest or _latest[0][0] != made_from:
        _latest[:] = [(made_from, _build(settings))]
    return _latest[0][1]


def _build(settings: Settings) -> dg.Definitions:
    from tdml_assets.automation.failure_alerts import build_failure_alerts
    from tdml_assets.automation.jobs import build_jobs, build_schedules
    from tdml_assets.automation.sensors import build_sensors
    from tdml_assets.component import component_tree, declared_workflows, switched_off, workflow_definitions
    from tdml_assets.platform.resources import build_resources
    from tdml_assets.stages.audience.asset import build_audience
    from tdml_assets.stages.data_quality.asset import build_data_quality
    from tdml_assets.stages.features.asset import build_dbt_assets, dbt_environment
    from tdml_assets.stages.features.snapshots_asset import build_snapshots
    from tdml_assets.stages.raw.asset import build_raw_assets
    from tdml_assets.stages.raw.state_folder import state_folder
    from tdml_assets.stages.session_report.pages import OverviewPage

    tree = component_tree()
    specs = declared_workflows(settings, tree)
    state = state_folder(settings)
    jobs = build_jobs(specs)
    resources = build_resources(settings)
    dbt_assets, shift_check, dbt = build_dbt_assets(
        settings.home,
        dbt_environment(settings.home, resources["warehouse"], settings.effective_sources.recorded),
        settings.dbt_runner,
    )
    platform = dg.Definitions(
        assets=[
            *build_raw_assets(
                settings.effective_sources,
                base_folder=settings.base_folder,
                cache_folder=settings.home / "cache",
                state=state,
                bad_row_limit=settings.quality.unreadable_limit,
                as_of=settings.as_of if isinstance(settings.as_of, date) else None,
            ),
            build_snapshots(specs, settings.as_of, state, resources["models"].has_champion),
            dbt_assets,
            build_data_quality(settings),
            *build_audience(specs, settings),
        ],
        asset_checks=[shift_check],
        jobs=jobs,
        schedules=build_schedules(specs),
        sensors=[*build_sensors(specs, jobs), *build_failure_alerts(specs, settings)],
        resources={
            **resources,
            **dbt,
            "overview": OverviewPage(settings, specs, switched_off(settings, tree)),
        },
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(platform, workflow_definitions(tree))
