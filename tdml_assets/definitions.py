"""The whole platform on one page.

Reads the settings once, when Dagster asks for the definitions and not at import; then: raw tables, snapshots, dbt features,
every declared workflow, the audience, and what starts them by itself.
"""

from __future__ import annotations

import dagster as dg

from tdml_assets.assets.audience import build_audience
from tdml_assets.assets.data_quality import build_data_quality
from tdml_assets.assets.raw import build_raw_assets
from tdml_assets.assets.snapshots import build_snapshots
from tdml_assets.automation.jobs import build_jobs
from tdml_assets.automation.schedules import build_schedules
from tdml_assets.automation.sensors import build_sensors
from tdml_assets.component import component_tree, declared_workflows
from tdml_assets.dbt import build_dbt_assets, dbt_environment
from tdml_assets.resources.platform import build_resources
from tdml_assets.settings import load_settings


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions of the code location."""
    settings = load_settings()
    specs = declared_workflows(settings)
    jobs = build_jobs(specs)
    resources = build_resources(settings)
    dbt_assets, shift_check, dbt = build_dbt_assets(
        settings.home, dbt_environment(settings.home, resources["warehouse"])
    )
    platform = dg.Definitions(
        assets=[
            *build_raw_assets(
                settings.effective_sources, base_folder=settings.base_folder, cache_folder=settings.home / "cache"
            ),
            build_snapshots(specs, settings.as_of),
            dbt_assets,
            build_data_quality(settings),
            *build_audience(specs, settings),
        ],
        asset_checks=[shift_check],
        jobs=jobs,
        schedules=build_schedules(specs),
        sensors=build_sensors(specs, jobs),
        resources={**resources, "dbt": dbt},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(platform, component_tree().build_defs())
