"""The dashboard: one HTML page for people who plan campaigns, with everything in it and no server behind it.

Elsewhere: how a picture is laid out (``dashboard_figures.py``), what the pages for engineers show (``page.py``,
``overview.py``).

No customer is in it: figures and bands alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform import monitoring
from tdml_assets.platform.statements import render
from tdml_assets.platform.svg import Markup
from tdml_assets.stages.session_report import dashboard_figures as figures
from tdml_assets.stages.session_report.page import page_templates
from tdml_assets.stages.session_report.reader import ReportReader, monitoring_tables

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

DASHBOARD_FILE = "dashboard.html"
_MOST_DAYS = 26
_LIFT = ("monitoring", "lift")
#: Folder of the exports, and the files of each that are read (``stages/audience/exports.py``).
_DATASET, _PARQUET, _MANIFEST = "parent_segment_attributes", "attributes.parquet", "manifest.json"


@dataclass(frozen=True)
class Export:
    """One export of the published attributes on this machine."""

    file: Path
    as_of: str
    columns: frozenset[str]


def latest_exports(location: str) -> tuple[Export, Export] | None:
    """The latest export and the one of the day before it; None where there are no two days, or they are elsewhere.

    ``location``: where the exports are, as the settings say.
    """
    found: dict[str, Export] = {}
    folder = Path(location) / _DATASET
    manifests = folder.glob(f"*/{_MANIFEST}") if "://" not in location else ()
    for path in sorted(manifests, key=lambda one: one.stat().st_mtime):
        if not path.parent.is_symlink():
            content = json.loads(path.read_text(encoding="utf-8"))
            columns = frozenset(column["name"] for column in content["columns"])
            found[content["as_of"]] = Export(path.with_name(_PARQUET), content["as_of"], columns)
    days = sorted(found)
    return (found[days[-2]], found[days[-1]]) if len(days) > 1 else None


@dataclass(frozen=True)
class WorkflowFigures:
    """What the dashboard shows of one workflow; rows as the statements of ``sql/session_report/dashboard_*`` give them.

    ``bands``: customers per band over days.
    ``movement``: customers by band before and now; empty before the second day.
    ``deciles``: tenths by expected spend, of a regression.
    ``grades``: customers and mean probability per grade, of a classification.
    ``movement_days``: the two days, in words.
    ``drift``: distances from the champion's reference over days.
    ``lift``: treated against control; empty without control groups.
    """

    spec: WorkflowSpec
    bands: Sequence[Mapping[str, Any]] = ()
    movement: Sequence[Mapping[str, Any]] = ()
    movement_days: str = ""
    deciles: Sequence[Mapping[str, Any]] = ()
    grades: Sequence[Mapping[str, Any]] = ()
    drift: Sequence[Mapping[str, Any]] = ()
    lift: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Dashboard:
    """Everything the page shows.

    ``as_of``: last day that predictions are of; None before the first session. ``written_at``: UTC.
    """

    workflows: Sequence[WorkflowFigures]
    as_of: date | None
    written_at: datetime


@dataclass(frozen=True)
class Section:
    """One workflow on the page."""

    name: str
    title: str
    description: str
    pictures: Sequence[tuple[str, str, Markup]] = field(default_factory=list)


def read_dashboard(
    database: Database,
    specs: Sequence[WorkflowSpec],
    written_at: datetime,
    exports: tuple[Export, Export] | None = None,
) -> Dashboard:
    """Read what the dashboard shows; what is not there yet is left out. ``exports``: of two days, between which customers moved."""
    reader = ReportReader(database, "all", "", date.max, monitoring_tables(database))
    context = {"sessions": monitoring.SESSIONS.path, "most": _MOST_DAYS}
    bands = reader.rows("dashboard_bands", monitoring.LABEL_STATS, **context)
    drift = reader.rows("dashboard_drift", monitoring.DRIFT, **context)
    lift = database.rows(render("session_report/dashboard_lift", table=_LIFT)) if _has_lift(database) else []
    workflows = [_read_workflow(database, spec, bands, drift, lift, exports) for spec in specs]
    return Dashboard(workflows, max((row["as_of"] for row in bands), default=None), written_at)


def _has_lift(database: Database) -> bool:
    return "as_of" in database.columns(_LIFT)


def _read_workflow(
    database: Database,
    spec: WorkflowSpec,
    bands: Sequence[Mapping[str, Any]],
    drift: Sequence[Mapping[str, Any]],
    lift: Sequence[Mapping[str, Any]],
    exports: tuple[Export, Export] | None,
) -> WorkflowFigures:
    predictions = (spec.name, "predictions")
    there = database.columns(predictions)

    def rows(name: str, *needed: str, **more: Any) -> list[dict[str, Any]]:
        if not set(needed) <= set(there):
            return []
        return database.rows(render(f"session_report/{name}", predictions=predictions, **more))

    movement: list[dict[str, Any]] = []
    band, days = _band(spec), ""
    if exports is not None and band is not None and all(band in one.columns for one in exports):
        before, now = exports
        files = {"before": str(before.file), "now": str(now.file)}
        movement = database.rows(render("session_report/dashboard_movement", band=band, **files))
        days = f"{before.as_of} to {now.as_of}"
    return WorkflowFigures(
        spec,
        [row for row in bands if row["workflow"] == spec.name],
        movement,
        days,
        rows("dashboard_deciles", "predicted_target"),
        rows("dashboard_grades", "grade", "probability"),
        [row for row in drift if row["workflow"] == spec.name],
        [row for row in lift if row["workflow"] == spec.name],
    )


def _band(spec: WorkflowSpec) -> str | None:
    """Attribute that holds a customer's band: grade, RFM segment or decile; None where none is published."""
    for attribute in spec.attributes:
        if attribute.column in ("grade", "rfm_segment") or attribute.kind == "decile":
            return attribute.name
    return None


def render_dashboard(facts: Dashboard) -> str:
    """Write the page."""
    sections = [section for section in map(_section, facts.workflows) if section.pictures]
    return page_templates().get_template("dashboard.html.j2").render(facts=facts, sections=sections)


def _section(found: WorkflowFigures) -> Section:
    spec, pictures = found.spec, []

    def add(title: str, words: str, picture: Markup | None) -> None:
        if picture is not None:
            pictures.append((title, words, picture))

    add(
        "Customers per band",
        "How the customers are shared among the bands, on the day of every session.",
        figures.shares(f"bands-{spec.name}", f"{spec.title}: customers per band", found.bands),
    )
    add(
        "Movement",
        "Where the customers of a row went, from one published day to the next: the share of the row, and how many they are.",
        figures.movement(
            f"movement-{spec.name}", f"{spec.title}: movement between bands", found.movement, found.movement_days
        ),
    )
    add(
        "Value deciles",
        "Tenths of the customers by expected spend: what each is expected to spend in all, and on average.",
        figures.deciles(f"deciles-{spec.name}", f"{spec.title}: expected spend by decile", found.deciles),
    )
    add(
        "Grades",
        "Customers per grade, with the mean probability.",
        figures.grades(f"grades-{spec.name}", f"{spec.title}: customers per grade", found.grades),
    )
    add(
        "Drift",
        "Distance of the data from those that the model went live with (population stability index): the farthest feature, and the "
        "prediction. Days with an alarm are marked.",
        figures.drift(f"drift-{spec.name}", f"{spec.title}: drift", found.drift),
    )
    add(
        "Lift",
        "Difference between customers who were sent to campaigns and those kept out, with an interval (95 % for all bands "
        "together). One that covers the line of 0 shows no effect yet." + _left_out(found.lift),
        figures.lift(f"lift-{spec.name}", f"{spec.title}: treated against control", found.lift),
    )
    add(
        "Lift over time",
        "The same difference at every day it was measured.",
        figures.lift_over_time(f"lift-time-{spec.name}", f"{spec.title}: lift over time", found.lift),
    )
    return Section(spec.name, spec.title, spec.description, pictures)


def _left_out(lift: Sequence[Mapping[str, Any]]) -> str:
    """Bands without an interval, by name."""
    names = [str(row["band"]) for row in lift if row["age"] == 1 and row["low"] is None]
    return f" Too few customers to tell: {', '.join(names)}." if names else ""
