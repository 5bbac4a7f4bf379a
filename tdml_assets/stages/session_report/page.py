"""The one-page report of a session: facts in, one HTML page out.

Elsewhere: reading the facts (``reading.py``), what sections show (``sections.py``), layout and wording
(``templates/session_report.html.j2``), files (``asset.py``).

The page has no script and loads nothing. Whatever is in a table of the warehouse is printed escaped. Like SQL, the template
is a file next to the code: it is all that is read here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tdml_assets.platform.svg import Markup, breakable
from tdml_assets.stages.session_report import predictions, sections
from tdml_assets.stages.session_report.drift_figures import sign_picture
from tdml_assets.stages.session_report.facts import SHOWN_COLUMNS, ReportFacts
from tdml_assets.stages.triage.words import CAUSES, CHECKS, STATUSES, decision_words, plain_words
from tdml_assets.tasks.presentation import presentation_of

if TYPE_CHECKING:
    import jinja2

#: States of a check of the raw data that nobody has to read.
_QUIET = ("ok", "too_little")


def render_report(facts: ReportFacts) -> str:
    """Write the report of one session, a whole HTML page; equal facts give equal text."""
    cause = facts.session.cause or "none"
    return (
        page_templates()
        .get_template("session_report.html.j2")
        .render(
            facts=facts,
            spec=facts.spec,
            session=facts.session,
            decision=decision_words(facts.session.decision, retrains_itself=facts.retrains_itself),
            # That data are broken is what the decision about them is called, too.
            cause=None if cause in {"none", "source", "data"} else CAUSES.get(cause, plain_words(cause)),
            tiles=sections.tiles_of(facts),
            presentation=presentation_of(facts.spec.task),
            panels=sections.metric_panels(facts),
            measures=sections.measure_rows(facts),
            heat_map=sections.heat_map(facts),
            shown_columns=SHOWN_COLUMNS,
            signs=_signs(),
            spikes=sections.spike_history(facts),
            farthest=sections.farthest(facts),
            model_pictures=predictions.model_pictures(facts),
            groups=predictions.group_table(facts),
            distributions=predictions.distributions(facts),
            categories=predictions.categories(facts),
            notable=[check for check in facts.quality if check.status not in _QUIET],
            quiet=[check for check in facts.quality if check.status in _QUIET],
            check_words=CHECKS,
            verdict=_verdict(facts),
            sentence=_sentence(facts),
        )
    )


def _sentence(facts: ReportFacts) -> str:
    """The decision in a sentence; a first session has been compared with itself, which says nothing."""
    session = facts.session
    if facts.has_nothing_earlier and facts.watched and session.decision == "nothing":
        if facts.repeats_first_day:
            return "The same day as in the first session: no later data to compare with yet."
        return "The first session: nothing to compare with yet. The next session is compared with this one."
    return session.sentence or "This session was not judged: no decision is recorded for it."


def _verdict(facts: ReportFacts) -> str:
    """Why the latest candidate was promoted or held, without the word before it."""
    reason = (facts.gate[0]["reason"] if facts.gate else None) or "no reason is recorded"
    for word in ("promoted: ", "held: "):
        reason = reason.removeprefix(word)
    return reason


def _signs() -> list[tuple[str, Markup]]:
    """Signs of the heat map and their words."""
    by_sign: dict[str, list[str]] = {}
    for words in STATUSES.values():
        if words.sign:
            by_sign.setdefault(words.sign, []).append(words.words)
    return [(", or ".join(words), sign_picture(sign, "sign on-heat0")) for sign, words in by_sign.items()]


def _figure(value: float | None) -> str:
    """A figure of a table: four digits, whatever its size."""
    if value is None:
        return "-"
    if value and (abs(value) < 1e-4 or abs(value) >= 1e9):
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.4g}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _words(text: str | None) -> Markup:
    """Text in which long names may break after ``_`` and ``.`` and nowhere else."""
    return breakable(text or "")


@cache
def page_templates() -> jinja2.Environment:
    """Templates of pages, with the filters they share."""
    # Imported by what renders: definitions load without a page.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["percent"] = _percent
    environment.filters["plain"] = plain_words
    environment.filters["names"] = _words
    return environment
