"""Guards: conditions under which nothing is sent, among them what the monitoring found of the session.

Elsewhere: the figures of a plan (``planning.py``), the limits (``declaration/destinations.py``).

A guard that cannot be judged refuses, unless it is off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from tdml_assets.declaration.destinations import Action, CountGuard, Guards
from tdml_assets.platform.monitoring import SESSIONS, TRIAGE
from tdml_assets.platform.outcome import outcomes_of
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Below this many rows a share says little.
SHARE_FROM_ROWS = 20

Status = Literal["passed", "warning", "refused"]


@dataclass(frozen=True)
class Figures:
    """What is judged.

    ``source_rows``, ``known_rows``: customers in the source, and those the destination is known to hold.
    ``added``, ``changed``, ``removed``: rows of the plan.
    ``duplicates``: rows of the source beyond one per customer.
    ``before_rows``: the source's rows in the sync before; None where there was none.
    ``has_synced``: whether there was a sync before, so that ``before_rows`` must be known.
    ``age_days``: age of the scores; None where it is not known.
    ``faults``: why the session behind the attributes must not be sent; empty where it may, None where it is not known.
    ``mapping_changed``: whether other columns were sent before.
    ``hashed_anew``: whether rows count as changed that another version of this program or of DuckDB hashed.
    ``hashed``: values per identifier that are hashed already and would be hashed again.
    ``consent``: what is wrong with the declared lists of consent and suppression; empty where they can be read.
    """

    source_rows: int
    known_rows: int
    added: int
    changed: int
    removed: int
    duplicates: int = 0
    before_rows: int | None = None
    has_synced: bool = False
    age_days: int | None = None
    faults: tuple[str, ...] | None = ()
    mapping_changed: bool = False
    hashed_anew: bool = False
    hashed: tuple[tuple[str, int], ...] = ()
    consent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What one guard says."""

    guard: str
    status: Status
    words: str

    def row(self) -> dict[str, str]:
        """As a row for people and for the plan."""
        return asdict(self)


def judge(figures: Figures, guards: Guards, *, full: bool = False) -> list[Verdict]:
    """Verdicts of all guards that are on, in a fixed order.

    ``full``: whether all rows are sent on purpose: a changed mapping and the number of updates are expected then.
    """
    return list(_verdicts(figures, guards, full=full))


def refusals(verdicts: Sequence[Verdict]) -> list[str]:
    """Words of the guards that forbid the sync."""
    return [f"{verdict.guard}: {verdict.words}" for verdict in verdicts if verdict.status == "refused"]


def _verdicts(figures: Figures, guards: Guards, *, full: bool) -> Iterator[Verdict]:
    yield from _unsound(figures, guards, full=full)
    yield from _counted("creates", guards.creates, figures.added, figures.source_rows, "the source's rows")
    if not full:
        yield from _counted("updates", guards.updates, figures.changed, figures.known_rows, "the rows there")
    yield from _counted("deletes", guards.deletes, figures.removed, figures.known_rows, "the rows there")
    yield from _drop(figures, guards)
    if guards.score_age.action != "off":
        yield _age(figures, guards)
    if guards.session.action != "off":
        if figures.faults is None:
            yield Verdict("session", "refused", "the session behind the attributes is not known: tdml-assets run")
        for words in figures.faults or ():
            yield _verdict("session", guards.session.action, words)


def _unsound(figures: Figures, guards: Guards, *, full: bool) -> Iterator[Verdict]:
    """What is never sent, whatever the settings: these guards cannot be switched off."""
    if figures.source_rows == 0:
        yield _verdict("empty_source", guards.empty_source.action, "the source has no rows: nothing is removed for it")
    if figures.duplicates:
        words = (
            f"{figures.duplicates:,} rows of the source are a second row of their customer: publish one per customer"
        )
        yield Verdict("unique_keys", "refused", words)
    for words in figures.consent:
        yield Verdict("consent", "refused", words)
    for name, count in figures.hashed:
        words = f"{count:,} values of {name} are hashed already: set hash: none, or map the readable column"
        yield Verdict("identifiers", "refused", words)
    if figures.mapping_changed and not full:
        words = "other columns were sent before: every row has to be sent again, tdml-assets sync NAME --full"
        yield Verdict("mapping", "refused", words)
    elif figures.hashed_anew and not full:
        words = f"{figures.changed:,} rows may be sent again unchanged: another version of this program or of DuckDB hashed them"
        yield Verdict("hashes", "warning", words)


def _verdict(guard: str, action: Action, words: str) -> Verdict:
    return Verdict(guard, "refused" if action == "refuse" else "warning", words)


def _counted(name: str, guard: CountGuard, count: int, of: int, whole: str) -> Iterator[Verdict]:
    if guard.action == "off":
        return
    share = count / of if of else 0.0
    if guard.most is not None and count > guard.most:
        yield _verdict(name, guard.action, f"{count:,} rows, at most {guard.most:,} are allowed")
    elif guard.most_share is not None and of >= SHARE_FROM_ROWS and share > guard.most_share:
        words = f"{count:,} rows are {share:.1%} of {whole}, at most {guard.most_share:.1%} are allowed"
        yield _verdict(name, guard.action, words)
    else:
        yield Verdict(name, "passed", f"{count:,} rows")


def _drop(figures: Figures, guards: Guards) -> Iterator[Verdict]:
    guard = guards.source_drop
    if guard.action == "off" or not figures.has_synced:
        return
    before = figures.before_rows
    if before is None:
        yield Verdict(
            "source_drop", "refused", "how many rows the source had before is not known: set action: off once"
        )
        return
    share = 1 - figures.source_rows / before if before else 0.0
    if before >= SHARE_FROM_ROWS and share > guard.most_share:
        words = f"{figures.source_rows:,} rows, {before:,} before: {share:.1%} fewer, at most {guard.most_share:.1%} are allowed"
        yield _verdict("source_drop", guard.action, words)
    else:
        yield Verdict("source_drop", "passed", f"{figures.source_rows:,} rows, {before:,} before")


def _age(figures: Figures, guards: Guards) -> Verdict:
    guard = guards.score_age
    if figures.age_days is None:
        return Verdict(
            "score_age", "refused", "the day of the scores is not known: tdml-assets run, or set action: off"
        )
    if figures.age_days > guard.most_days:
        words = (
            f"the scores are {figures.age_days:,} days old, at most {guard.most_days:,} are allowed: tdml-assets run"
        )
        return _verdict("score_age", guard.action, words)
    return Verdict("score_age", "passed", f"{figures.age_days:,} days")


@dataclass(frozen=True)
class PublishedSession:
    """The session whose attributes are in the warehouse. ``faults``: why it must not be sent; empty where it may."""

    session_id: str
    as_of: date | None
    faults: tuple[str, ...] = ()


def read_published(database: Database, workflows: Collection[str]) -> PublishedSession | None:
    """The session that published last, and what is wrong with it or was found wrong after it.

    ``workflows``: whose attributes are sent. None where no session is known.
    """
    found = database.rows_if(SESSIONS.path, render("activation/published_session", sessions=SESSIONS.path))
    if not found:
        return None
    session_id, day = found[0]["session_id"], found[0]["as_of"]
    faults = []
    for outcome in outcomes_of(database, session_id):
        if outcome.needs_person and (outcome.workflow in workflows or not workflows):
            # The words of an error may quote a value; a hold's own do not.
            why = outcome.reason if outcome.error is None else f"{outcome.error} at {outcome.stopped_at}"
            faults.append(f"{outcome.workflow} needs a person ({why}): see tdml-assets status")
    statement = render(
        "activation/broken_sessions",
        triage=TRIAGE.path,
        sessions=SESSIONS.path,
        session_id=session_id,
        updated_at=found[0]["updated_at"],
        workflows=sorted({*workflows, "all"}),
    )
    faults += [
        f"the data of session {row['session_id'][:8]} ({row['as_of']}) are broken: see tdml-assets status"
        for row in database.rows_if(TRIAGE.path, statement)
    ]
    return PublishedSession(session_id, day, tuple(dict.fromkeys(faults)))
