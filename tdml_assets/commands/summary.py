"""What a run found, for a person: small aggregates in, about twenty-five lines of plain text or a dictionary out.

Elsewhere: reading them (``summary_facts.py``), where the warehouse and the folders are (``app.py``).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.commands.summary_facts import DataFacts, WorkflowFacts, WorkflowInfo, read_data, read_workflow
from tdml_assets.platform.monitoring import DATA_QUALITY
from tdml_assets.platform.outcome import Outcome
from tdml_assets.platform.statements import render
from tdml_assets.stages.audience.attributes import CATALOG
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, FIRST
from tdml_assets.stages.predictions.level_words import level_sentence, reach_of
from tdml_assets.stages.realised.lift import lift_lines
from tdml_assets.stages.triage.words import decision_words
from tdml_assets.tasks.presentation import Comparison, compare, presentation_of, shown

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_BRIEF_MEASURES = 2
_WIDTH = 100
_SEASON_DAYS = 365
# From where on a total is called wrong and a calibration poor; both as shares.
_BIAS_LIMIT, _CALIBRATION_LIMIT = 0.2, 0.3
# A total whose bounds lie further away is not to be relied on, as a share of it.
_REACH_LIMIT = 0.3


@dataclass(frozen=True)
class Summary:
    """Everything :func:`render_text` prints."""

    data: DataFacts | None
    workflows: tuple[WorkflowFacts, ...]
    attributes: int
    places: Mapping[str, str]
    switched_off: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the same as values that JSON knows, with the verdicts and warnings."""
        found: dict[str, Any] = _plain(asdict(self))
        for facts, entry in zip(self.workflows, found["workflows"], strict=True):
            entry["comparisons"] = [asdict(comparison) for comparison in comparisons_of(facts)]
            entry["drift_verdict"] = drift_verdict(facts)
            entry["warnings"] = warnings_of(facts, self.data)
        return found


def comparisons_of(facts: WorkflowFacts) -> list[Comparison]:
    """The measures of a workflow's model next to those of the naive forecast."""
    return compare(facts.metrics, presentation_of(facts.info.task).measures)


def drift_verdict(facts: WorkflowFacts) -> str:
    """Say in one sentence what the drift check found."""
    total = sum(facts.drift.values())
    by_fallback = facts.outcome is not None and facts.outcome.by_fallback
    if by_fallback or facts.drift.get(FIRST, 0):
        return f"nothing to compare with yet: {'no model is trained' if by_fallback else 'first session of this model'}"
    if not total or facts.drift.get("too_few", 0) == total:
        return "not judged: too little to compare" if total else _why_no_drift(facts.outcome)
    moved, broken = (sum(facts.drift.get(status, 0) for status in kind) for kind in (DRIFTED, BROKEN))
    names = f": {', '.join(facts.drifted)}" if facts.drifted else ""
    if broken:
        return f"broken data: {broken} of {total} columns no longer change, are empty or in another unit{names}"
    if moved:
        return f"{moved} of {total} columns moved far since the model went live{names}"
    if facts.drift.get("watch", 0):
        return f"{facts.drift['watch']} of {total} columns changed a little{names}"
    looks = "look" if facts.moved else "are exactly"
    return f"none: {total} columns {looks} as on the day the model went live"


def _why_no_drift(outcome: Outcome | None) -> str:
    went_live = outcome is not None and outcome.method == "champion" and outcome.stopped_at is None
    return "nothing to compare with yet: another model went live" if went_live else "not measured in this session"


def total_verdict(facts: WorkflowFacts) -> str | None:
    """Say how far the total of the test was off, where nothing is known of the level of today's."""
    total_bias = presentation_of(facts.info.task).total_bias
    bias = total_bias(facts.metrics) if total_bias else None
    if bias is None or not math.isfinite(bias):
        return None
    size = f"{abs(bias):.0%} too {'high' if bias > 0 else 'low'}" if round(abs(bias), 2) else "right to the percent"
    return f"came out {size} {_in_the_test(facts)}"


def _in_the_test(facts: WorkflowFacts) -> str:
    return f"in the test of {facts.tested_on}" if facts.tested_on else "in the test"


def warnings_of(facts: WorkflowFacts, data: DataFacts | None) -> list[str]:
    """List what a reader of the figures should know before acting on them."""
    name = facts.info.name
    found = []
    if facts.session_id is None:
        return [f"{name}: has not run yet"]
    if facts.outcome is None and facts.status not in ("scored", "published"):
        found.append(f"{name}: this session ended at '{facts.status}' and scored nobody")
    if _ended_early(facts):
        return [*found, facts.outcome.sentence] if facts.outcome is not None else found
    if facts.note:
        found.append(f"{name}: {facts.note}")
    ahead = presentation_of(facts.info.task).looks_ahead
    if data is not None and ahead and data.days < _SEASON_DAYS + facts.info.horizon_days:
        found.append(f"{name}: {data.days} days of orders show no season twice; a seasonal peak will be missed")
    doubt, error = _doubt_of_total(facts), facts.calibration_error
    if doubt is not None:
        found.append(f"{name}: the total {doubt}: use the order of customers, not the sums")
    elif error is not None and error > _CALIBRATION_LIMIT:
        found.append(
            f"{name}: {_in_the_test(facts)} the tenths of customers were {error:.0%} off; use the order of customers, not the sums"
        )
    comparisons = [comparison for comparison in comparisons_of(facts) if comparison.verdict != "unknown"]
    if comparisons and not any(comparison.verdict == "better" for comparison in comparisons):
        found.append(f"{name}: no better than the naive forecast in any measure: do not act on it")
    return found


def _doubt_of_total(facts: WorkflowFacts) -> str | None:
    """Why the sum of the predictions should not be relied on; None where it may."""
    level, bias = facts.level, facts.metrics.get("total_bias")
    if level is None:
        return total_verdict(facts) if bias is not None and abs(bias) > _BIAS_LIMIT else None
    if not level["corrected"] and not level["low_total"] <= level["total"] <= level["high_total"]:
        return f"is {level_sentence(level)}"
    reach = reach_of(level)
    if reach <= _REACH_LIMIT:
        return None
    return f"may be off by {reach:.0%} ({'no season' if level['basis'] != 'season' else 'little'} is known of earlier years)"


def _ended_early(facts: WorkflowFacts) -> bool:
    return facts.outcome is not None and facts.outcome.reason is not None


def _notes_once(summary: Summary) -> list[str]:
    """What the run warned of, each cause once: of a workflow that ended early, the outcome says why it did not pass its gate."""
    ended = tuple(
        f"{facts.info.name}/evaluation: check fit_to_score " for facts in summary.workflows if _ended_early(facts)
    )
    return [note for note in dict.fromkeys(summary.notes) if not note.startswith(ended)]


def _warnings_once(summary: Summary) -> list[str]:
    """Warnings of all workflows; several with the same share one line."""
    sharing: dict[str, list[str]] = {}
    for facts in summary.workflows:
        for warning in warnings_of(facts, summary.data):
            sharing.setdefault(warning.removeprefix(f"{facts.info.name}: "), []).append(facts.info.name)
    return [f"{', '.join(names)}: {warning}" for warning, names in sharing.items()]


def render_text(summary: Summary) -> str:
    """Write the summary for a terminal: plain text, aligned, no line longer than 100 characters."""
    lines = ["", *_data_lines(summary.data)]
    brief = len(summary.workflows) > 1
    for facts in summary.workflows:
        lines += ["", *(_brief_lines if brief else _full_lines)(facts, summary.data)]
    warnings = [*_notes_once(summary), *_warnings_once(summary)]
    warnings += [f"{name}: off, because {reason}" for name, reason in summary.switched_off.items()]
    if warnings:
        lines += ["", "Please note", *(line for warning in warnings for line in _wrapped(warning))]
    lines += ["", f"Where to look next ({summary.attributes} attributes per customer are published)"]
    lines += [f"  {name:<16}{place}" for name, place in summary.places.items()]
    return "\n".join(lines)


def read_summary(
    database: Database,
    workflows: Sequence[WorkflowInfo],
    places: Mapping[str, str],
    switched_off: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Summary:
    """Read the figures of the latest sessions. Tables that are not there yet are left out.

    ``places``: where to look next, in the order it is printed: a name and a path, an address or a command each.
    ``switched_off``: reason per workflow that these orders do not allow. ``notes``: what the run warned of, in words.
    """
    return Summary(
        data=read_data(database),
        workflows=tuple(read_workflow(database, info) for info in workflows),
        attributes=database.count(CATALOG.path) if database.has_table(CATALOG.path) else 0,
        places=dict(places),
        switched_off=dict(switched_off or {}),
        notes=(*_read_notes(database), *notes),
    )


def _read_notes(database: Database) -> tuple[str, ...]:
    """What the checks of the raw data only note, in the latest session, and what activation does."""
    lift = tuple(f"{row['workflow']}, published on {row['as_of']}: {row['sentence']}" for row in lift_lines(database))
    if not database.has_table(DATA_QUALITY.path):
        return lift
    return tuple(row["sentence"] for row in database.rows(render("summary/notes", table=DATA_QUALITY.path))) + lift


def _data_lines(data: DataFacts | None) -> list[str]:
    if data is None:
        return ["Data", "  no orders are loaded yet"]
    rejected = f"{data.rows_rejected:,} of {data.rows_read:,} rows"
    if data.reasons:
        rejected += f": {', '.join(f'{reason} {count:,}' for reason, count in data.reasons)}"
    returns = f" ({data.return_lines:,} of them returns)" if data.return_lines else ""
    lines = f"{data.order_lines:,} lines{returns}, {data.first_on} to {data.last_on}"
    later = f"  not read        {data.later_lines:,} lines after {data.as_of}"
    return [
        "Data",
        f"  customers       {data.customers:>12,}{_unsold_words(data)}",
        f"  orders          {data.orders:>12,}   {lines}",
        *([later] if data.later_lines else []),
        f"  set aside       {rejected}",
    ]


def _unsold_words(data: DataFacts) -> str:
    """Why fewer customers are known than have lines."""
    unsold = data.customers - data.known_customers if data.known_customers is not None else 0
    if unsold <= 0:
        return ""
    return f"   {unsold:,} of them have no purchase left after returns: not scored"


def _headline(facts: WorkflowFacts) -> str:
    when = "not run yet"
    if facts.as_of:
        ahead = presentation_of(facts.info.task).looks_ahead
        when = f"the {facts.info.horizon_days} days after {facts.as_of}" if ahead else f"on {facts.as_of}"
    return f"{facts.info.title} ({facts.info.name}), {when}"


def _full_lines(facts: WorkflowFacts, data: DataFacts | None) -> list[str]:
    lines = [_headline(facts), f"  customers scored{facts.customers:>12,}", *_eligible_lines(facts, data)]
    if facts.expected_spend is not None:
        share = f"   {facts.top_tenth_share:.0%} of it from the top tenth" if facts.top_tenth_share is not None else ""
        lines.append(f"  expected spend  {facts.expected_spend:>12,.0f} {_currency(data)}{share}")
    lines += [line for label, text in facts.highlights for line in _wrapped(text, f"  {label:<18}", 20)]
    lines += [*_total_lines(facts), *_learner_lines(facts)]
    comparisons, presentation = comparisons_of(facts), presentation_of(facts.info.task)
    if comparisons:
        lines.append(f"  {'tested on what the model had not seen':<40}{'model':>10}{'naive *':>10}")
        measures = {measure.metric: measure for measure in presentation.measures}
        for found in comparisons:
            text, form = measures[found.metric].words, measures[found.metric].form
            naive = "-" if found.naive is None else shown(found.naive, form)
            verdict = "" if found.verdict == "unknown" else f"   {found.verdict}"
            lines.append(f"    {text:<38}{shown(found.model, form):>10}{naive:>10}{verdict}".rstrip())
        lines.append(f"    * naive: {presentation.naive}")
    return [*lines, *_closing_lines(facts)]


def _brief_lines(facts: WorkflowFacts, data: DataFacts | None) -> list[str]:
    scored = f"  customers scored  {facts.customers:,}"
    if facts.expected_spend is not None:
        scored += f"; expected spend {facts.expected_spend:,.0f} {_currency(data)}".rstrip()
    if facts.top_tenth_share is not None:
        scored += f", {facts.top_tenth_share:.0%} from the top tenth"
    lines = [_headline(facts), scored, *_eligible_lines(facts, data)]
    lines += [line for label, text in facts.highlights for line in _wrapped(text, f"  {label:<18}", 20)]
    return [*lines, *_total_lines(facts), *_learner_lines(facts), *_brief_comparison(facts), *_closing_lines(facts)]


def _eligible_lines(facts: WorkflowFacts, data: DataFacts | None) -> list[str]:
    """Whom the workflow scores, where it is not everybody, and how many are left out."""
    if facts.info.eligible is None or not facts.customers:
        return []
    text = f"those who {facts.info.eligible}"
    if data is not None and data.known_customers is not None and data.as_of == facts.as_of:
        text += f"; {data.known_customers - facts.customers:,} others have no score"
    return _wrapped(text, f"  {'eligible':<18}", 20)


def _learner_lines(facts: WorkflowFacts) -> list[str]:
    return _wrapped(facts.learner, f"  {'learner':<18}", 20) if facts.learner else []


def _total_lines(facts: WorkflowFacts) -> list[str]:
    if facts.customers and facts.level is not None:
        return _wrapped(level_sentence(facts.level), f"  {'total':<18}", 20)
    verdict = total_verdict(facts) if facts.customers else None
    return [] if verdict is None else _wrapped(verdict, f"  {'total tested':<18}", 20)


def _brief_comparison(facts: WorkflowFacts) -> list[str]:
    comparisons = comparisons_of(facts)
    if not comparisons:
        return []
    presentation = presentation_of(facts.info.task)
    measures = {measure.metric: measure for measure in presentation.measures}
    judged = [found for found in comparisons if found.verdict != "unknown"]
    said = []
    for found in (judged or comparisons)[:_BRIEF_MEASURES]:
        measure = measures[found.metric]
        beside = "" if found.naive is None else f" (naive {shown(found.naive, measure.form)})"
        said.append(f"{measure.words} {shown(found.model, measure.form)}{beside}")
    if not judged:
        return _wrapped("; ".join(said), f"  {'tested':<18}", 20)
    better = sum(found.verdict == "better" for found in judged)
    return _wrapped(f"better in {better} of {len(judged)} measures: {'; '.join(said)}", f"  {'against naive':<18}", 20)


def _closing_lines(facts: WorkflowFacts) -> list[str]:
    if facts.session_id is None:
        return []
    lines = _wrapped(drift_verdict(facts), f"  {'drift':<18}", 20)
    if facts.decision not in (None, "nothing"):
        words = f"{decision_words(facts.decision).headline}. {facts.sentence}"
        lines += _wrapped(words, f"  {'what to do':<18}", 20)
    if facts.model_version:
        lines.append(f"  model             {facts.model_version}" + (f" ({facts.engine})" if facts.engine else ""))
    return lines


def _wrapped(text: str, first: str = "  - ", width: int = 4) -> list[str]:
    return textwrap.wrap(f"{first}{text}", _WIDTH, subsequent_indent=" " * width, break_long_words=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, date):
        return value.isoformat()
    # JSON has no NaN.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _currency(data: DataFacts | None) -> str:
    return (data.currency or "") if data is not None else ""
