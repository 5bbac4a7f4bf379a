"""Checks of what arrived: is it fresh, is there enough of it, is history still there, how much was refused.

Elsewhere: what the rows hold (``content.py``), policy (``declaration/quality.py``), reading (``measures.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from tdml_assets.declaration.quality import MIN_WINDOWS
from tdml_assets.stages.data_quality.findings import Finding, judged, spans, unjudged, window_words
from tdml_assets.stages.data_quality.measures import Days, Earlier, Intake, longest_gap

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy
    from tdml_assets.stages.raw.latest_day import LatestDay

#: Latest windows that show the level of a source while it grows or shrinks.
_RECENT = 3
#: Whole weeks, so that weekends meet weekends; the same season a week off either way allows for moving holidays.
_YEAR_DAYS = 364
_SEASON_SHIFTS = (-7, 0, 7)
#: A rise a year ago raises expectations this far at most.
_HIGHEST_SEASON = 2.0
#: Windows that show how far counts spread: eight alone would now and then show twice too much or half of it.
_SPREAD_WINDOWS = 52
#: Of the square root of a Poisson count, whatever its mean.
_POISSON_SPREAD = 0.5
#: From a median absolute deviation to a standard deviation, for normal values.
_MAD_SCALE = 1.4826
#: Of the last window and the level it is held against, in squared spreads of one window: 1 and, of a median of three, 1/2.
_VARIANCE = 1.5
#: Of the last two windows together and twice that level: square roots of a sum spread as those of its parts; 1 and 1.
_VARIANCE_OF_TWO = 2.0
#: The stored number keeps twelve decimal digits.
_HASH_DIGITS = 8


def freshness(days: Days, as_of: date, earlier: Earlier | None, policy: QualityPolicy) -> Iterator[Finding]:
    """Days since the last row, against the longest pause the source ever made. A source that never had a row is not a finding."""
    if not days.days:
        if earlier is not None and earlier.value("freshness", days.table) is not None:
            text = f"no row up to {as_of}, where the session of {earlier.as_of} had some"
            remedy = "Put its files back where sources in the settings looks for them and run again."
            yield judged("freshness", days.table, text, remedy, is_broken=True, value=None)
        return
    pause, longest = (as_of - days.days[-1]).days, longest_gap(days.days)
    bound = max(float(policy.freshness_days), policy.freshness_factor * longest)
    yield judged(
        "freshness",
        days.table,
        f"the last row is of {days.days[-1]}, {pause:,} days before {as_of}; {bound:,.0f} days are the bound (longest pause "
        f"so far: {longest:,} days)",
        "Ask why the source stopped, load what is missing and run again.",
        is_broken=pause > bound,
        value=pause,
        expected=longest,
        bound=bound,
    )


def latest(orders: str, found: LatestDay) -> Finding:
    """Late days that ``as_of: latest`` does not follow, for a person to look at."""
    finding = judged("latest_day", orders, found.sentence, "", is_broken=False, value=len(found.set_aside))
    return replace(finding, status="note") if found.set_aside else finding


def age(orders: Days, today: date | None, policy: QualityPolicy) -> Iterator[Finding]:
    """Days from the last order to today, by the bound of ``freshness``: where as_of follows the orders, only the clock tells.

    Old orders may be meant, so that this stops nothing.
    """
    if today is None or not orders.days:
        return
    last, longest = orders.days[-1], longest_gap(orders.days)
    bound = max(float(policy.freshness_days), policy.freshness_factor * longest)
    pause = (today - last).days
    text = f"the last order is of {last}, {pause:,} days before today; {bound:,.0f} days are the bound"
    remedy = "Everything is as of that day: load newer orders, or set as_of in the settings if the day is meant."
    finding = judged(
        "age", orders.table, text, remedy, is_broken=pause > bound, value=pause, expected=longest, bound=bound
    )
    yield replace(finding, status="note") if pause > bound else finding


def level(windows: Sequence[int]) -> float:
    """Rows a window should have, from those before it, latest first: their median, or that of the latest where it is less.

    A source that shrinks (a cohort nobody joins any more) sinks from window to window; half a feed is gone at once.
    """
    return min(float(median(windows)), recent(windows))


def recent(windows: Sequence[int]) -> float:
    """Median rows of the latest windows, latest first."""
    return float(median(windows[:_RECENT]))


def season(
    days: Days, as_of: date, policy: QualityPolicy, before: Callable[[Sequence[int]], float] = level
) -> float | None:
    """What the last window was to the level before it a year earlier, over neighbouring weeks; ``None`` if unknown.

    Their mean; but where one of them fell so far that it would have been an alarm, such as a Christmas closing, that one: the
    same fall may come again. ``before``: gives the level of the windows before it.
    """
    ratios = []
    for shift in _SEASON_SHIFTS:
        end = as_of - timedelta(days=_YEAR_DAYS + shift)
        counts = days.windows(end, policy.window_days, policy.windows)
        if len(counts) <= MIN_WINDOWS or level(counts[1:]) < policy.min_rows:
            return None
        ratios.append(counts[0] / before(counts[1:]))
    return min(ratios) if min(ratios) < policy.volume_floor else min(sum(ratios) / len(ratios), _HIGHEST_SEASON)


def in_season(days: Days, as_of: date, policy: QualityPolicy, before: Sequence[int]) -> tuple[float, float | None]:
    """Rows that the last window should have, and what the season makes of their level; None if unknown.

    A rise of a year ago is expected again as far as the latest windows rise as those did then: a shop in its first months grew
    from week to week, which is not a season.
    """
    usual, factor = level(before), season(days, as_of, policy)
    if factor is None:
        return usual, None
    found = usual * factor
    if factor > 1:
        found = min(found, recent(before) * (season(days, as_of, policy, recent) or 1.0))
    return found, found / usual


def opening(days: Days, as_of: date, policy: QualityPolicy) -> float:
    """Share of the usual days on which the source was open in the last window; 1 unless it was closed.

    Days without any row are a closing (Easter, say) where they make a pause longer than those of the windows before, yet no
    longer than one the source made earlier. Any other pause is a hole in the data.
    """
    last, before = spans(days, as_of, policy)
    touching = [*days.days[max(0, last.start - 1) : last.stop], as_of + timedelta(days=1)]
    if not longest_gap(days.days[before]) < longest_gap(touching) <= longest_gap(days.days[: last.start]):
        return 1.0
    usual = (last.start - before.start) / policy.windows
    share: float = (last.stop - last.start) / usual
    return min(1.0, share)


def spread(windows: Sequence[int]) -> float:
    """Standard deviation of the square root of a window's count.

    Square roots spread alike whatever their mean: 1/2 for a Poisson count. Rows come in orders and campaigns and spread
    wider, so the larger of 1/2 and the windows' own spread is taken: from the median distance of neighbouring windows, which
    neither a trend nor one odd window widens.
    """
    roots = [math.sqrt(count) for count in windows]
    distance = median(abs(later - former) for later, former in pairwise(roots))
    return max(_POISSON_SPREAD, _MAD_SCALE * distance / math.sqrt(2))


def trend(windows: Sequence[int]) -> float:
    """What a window usually is to the one before it, in a source that shrinks; 1 in any other."""
    return min(1.0, median(later / former for former, later in pairwise(windows[::-1]) if former))


def _beyond_chance(
    expected: float, days: Days, as_of: date, policy: QualityPolicy, *, z: float, variance: float
) -> float:
    """Rows below which a count is beyond chance, by the spread of the windows before the one that ends at ``as_of``."""
    longer = days.windows(as_of, policy.window_days, max(policy.windows, _SPREAD_WINDOWS))
    error = spread(longer[1:]) * math.sqrt(variance)
    return max(0.0, math.sqrt(expected) - z * error) ** 2


def volume(days: Days, as_of: date, policy: QualityPolicy) -> Iterator[Finding]:
    """Rows of the last window against the level of those before it, times what the season did to it a year earlier."""
    if not days.days:
        return
    counts = days.windows(as_of, policy.window_days, policy.windows)
    if len(counts) <= MIN_WINDOWS:
        needed = (MIN_WINDOWS + 1) * policy.window_days
        yield unjudged("volume", days.table, f"less than {needed} days of history")
        return
    last, before, when = counts[0], counts[1:], window_words(as_of, policy)
    if last == 0:
        yield unjudged("volume", days.table, f"no row in {when}: see freshness", 0)
        return
    if level(before) < policy.min_rows:
        why = f"{level(before):,.0f} rows expected in {when}, fewer than {policy.min_rows:,}"
        yield unjudged("volume", days.table, why, last)
        return
    expected, factor = in_season(days, as_of, policy, before)
    expected *= opening(days, as_of, policy)
    chance = _beyond_chance(expected, days, as_of, policy, z=policy.volume_z, variance=_VARIANCE)
    bound = min(policy.volume_floor * expected, chance)
    seasonal = "" if factor is None else f", the season included ({factor:.2f} times a year ago)"
    yield judged(
        "volume",
        days.table,
        f"{last:,} rows in {when}; {expected:,.0f} were expected{seasonal}, {bound:,.0f} is the least",
        "Look for a file, shard or day that is missing, load it and run again.",
        is_broken=last < bound,
        value=last,
        expected=expected,
        bound=bound,
    )


def lasting_volume(days: Days, as_of: date, policy: QualityPolicy) -> Iterator[Finding]:
    """Rows of the last two windows together against the level of those before them, where a year shows what the season does.

    A lasting loss differs from a quiet week by its length: two windows in a row are rarely both low by themselves, so that less of
    a loss may count. Without a year of history the weeks behind a holiday would be taken for one.
    """
    ends = (as_of - timedelta(days=policy.window_days), as_of)
    counts = days.windows(as_of, policy.window_days, policy.windows + 1)
    # A rise a year ago may have been one odd week: it raises no expectation here, where less of a loss counts.
    seasons = [min(1.0, factor) for end in ends if (factor := season(days, end, policy)) is not None]
    if len(seasons) < len(ends) or 0 in counts[:2] or level(counts[2:]) < policy.min_rows:
        return
    last, usual, falls = sum(counts[:2]), level(counts[2:]), trend(counts[2:])
    # A median of the latest three is that of the second of them: two windows before the first of these, three before the last.
    expected = sum(
        usual * falls**since * factor * opening(days, end, policy)
        for end, factor, since in zip(ends, seasons, (2, 3), strict=True)
    )
    spared = _beyond_chance(expected, days, ends[0], policy, z=policy.lasting_volume_z, variance=_VARIANCE_OF_TWO)
    bound = min(policy.lasting_volume_floor * expected, spared)
    yield judged(
        "volume",
        f"{days.table} (two windows)",
        f"{last:,} rows in the {2 * policy.window_days} days to {as_of}; {expected:,.0f} were expected, the season included, "
        f"{bound:,.0f} is the least",
        "Look for a file, shard or day that is missing, load it and run again.",
        is_broken=last < bound,
        value=last,
        expected=expected,
        bound=bound,
    )


def kept_history(table: str) -> str:
    """What the source of a finding is called that says how many rows later sessions must find again."""
    return f"{table} (to as_of)"


def lost_rows(
    orders: Days, as_of: date, earlier: Earlier | None, policy: QualityPolicy, void_rows: int = 0
) -> Iterator[Finding]:
    """Order lines up to the day of the session before, now against then; and what the next session has to find again.

    An order that was cancelled or refunded since then is in the files, and counts as nothing: ``void_rows`` are those lines.
    """
    kept, void = kept_history(orders.table), f"{orders.table} (void)"
    yield judged("lost_rows", void, f"{void_rows:,} rows count as nothing", "", is_broken=False, value=void_rows)
    then = None if earlier is None else earlier.value("lost_rows", kept)
    if earlier is None or not then:
        yield unjudged("lost_rows", orders.table, "no earlier session to compare with")
    else:
        now = orders.row_count(date.min, earlier.as_of)
        before = earlier.value("lost_rows", void)
        turned = max(0, void_rows - int(before)) if before is not None else 0
        bound = (1 - policy.lost_share) * then
        yield judged(
            "lost_rows",
            orders.table,
            f"{now:,} rows up to {earlier.as_of}, {then:,.0f} in that session; {bound:,.0f} is the least"
            + (f", less {turned:,} that count as nothing by their status since then" if turned else ""),
            "History has gone from the files: put the missing ones back and run again; if the source leaves out orders that were "
            "cancelled later, raise quality.lost_share.",
            is_broken=now + turned < bound,
            value=now,
            expected=then,
            bound=bound,
        )
    total = orders.row_count(date.min, as_of)
    text = f"{total:,} rows up to {as_of}, which later sessions must find again"
    yield judged("lost_rows", kept, text, "", is_broken=False, value=total)


def declaration(intake: Intake, earlier: Earlier | None) -> tuple[Finding, bool]:
    """The declaration a source was read by (the first digits of its hash as a number), and whether it is the one before."""
    number = float(int(intake.declaration[:_HASH_DIGITS], 16))
    then = None if earlier is None else earlier.value("declaration", intake.source)
    text = f"read by declaration {intake.declaration[:_HASH_DIGITS]}"
    if then is not None and then != number:
        text += "; it was another one before, so nothing is compared with the session before"
    finding = judged("declaration", intake.source, text, "", is_broken=False, value=number, expected=then)
    return finding, then == number


def rejected(intake: Intake, earlier: Earlier | None, policy: QualityPolicy) -> Iterator[Finding]:
    """Share of rows refused for a fault, against the session before: of all rows, and of those that came since.

    Those that came since are few among years of history, and refused rows leave ``as_of: latest`` where it was: nothing else
    would notice them.
    """
    kept = f"{intake.source} (rows judged)"
    share = intake.refused_rows / intake.judged_rows if intake.judged_rows else 0.0
    then = None if earlier is None else earlier.value("rejected", intake.source)
    judged_then = None if earlier is None else earlier.value("rejected", kept)
    yield _refused(intake.source, share, then, "of all rows", policy)
    text = f"{intake.judged_rows:,} rows were judged"
    yield judged("rejected", kept, text, "", is_broken=False, value=intake.judged_rows)
    if then is None or judged_then is None or intake.judged_rows - judged_then < policy.min_rows:
        return
    refused = max(0.0, intake.refused_rows - round(then * judged_then)) / (intake.judged_rows - judged_then)
    words = "of the rows added since the session before"
    yield _refused(f"{intake.source} (rows added)", min(1.0, refused), then, words, policy)


def _refused(source: str, share: float, then: float | None, words: str, policy: QualityPolicy) -> Finding:
    if then is None:
        why = f"{share:.1%} {words} were refused; no earlier session to compare with"
        return unjudged("rejected", source, why, share)
    bound = then + policy.rejected_rise
    return judged(
        "rejected",
        source,
        f"{share:.1%} {words} were refused; it was {then:.1%}, and {bound:.1%} is the bound",
        "raw.rejected_rows holds every one with its reason: correct the source or its declaration and run again.",
        is_broken=share > bound,
        value=share,
        expected=then,
        bound=bound,
    )
