"""Drift: whether columns of today differ from the champion's reference, or jumped since the last stable session.

Elsewhere: describing columns (``models/reference.py``), formulas (``platform/divergences.py``), what a session does about it
(``stages/triage/decision.py``), figures.

A column is judged on counts in bins frozen with its reference, which depend on ranks only: that holds for skewed money as for
anything else. Three floors make a spike: it must be more than chance, unlike the sessions before, and enough to matter. Means,
standard deviations and the divergences made of them are information.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import ColumnMeasure, ColumnReference, Reference
from tdml_assets.platform import statistics
from tdml_assets.platform.divergences import (
    chance_z,
    homogeneity_p_value,
    psi,
    rank_p_value,
)
from tdml_assets.platform.drift_statistics import statistics_of

Kind = Literal["feature", "prediction", "target"]
Status = Literal[
    "first", "ok", "watch", "spike", "far", "changed", "stuck", "scale", "all_null", "degenerate", "too_few"
]
#: Of a champion's first session: its reference was taken from the same rows, so there is nothing to compare with.
FIRST: Status = "first"
#: What only broken data look like: no retraining helps.
BROKEN: tuple[Status, ...] = ("all_null", "scale", "stuck")
#: What a changed world looks like.
DRIFTED: tuple[Status, ...] = ("spike", "far", "changed")
#: Share of the declared false-alarm rate that each comparison may use: features and predictions, reference and last session.
_COMPARISONS = 4
#: A geometric mean that many times as large, or as small, is a change of unit and not of customers.
_UNIT_RATIO = 8.0
# What a factor leaves as it is: the share of zeros, and the spread of logarithms.
_SAME_SHARE, _SAME_SPREAD = 0.1, 1.5
#: PSI from which a difference beyond chance is worth showing.
_WORTH_SHOWING = 0.02


@dataclass(frozen=True)
class Earlier:
    """What earlier stable sessions of one champion left.

    ``counts``: rows per bin and column of the last one. ``steps``: ``psi_previous`` per column of them all.
    """

    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    steps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnDrift:
    """One column of today: fields as in ``monitoring.drift``, and what its status was decided on.

    ``severity``: against the limits; 1 and more is an alarm. 0 where nothing is beyond chance. ``counts``: rows per frozen bin.
    ``information``: what decides nothing, by statistic.
    """

    kind: Kind
    column_name: str
    n: int
    avg_val: float | None
    avg_ref: float | None
    stdev_val: float | None
    stdev_ref: float | None
    psi: float | None
    z: float | None
    status: Status
    psi_previous: float | None
    scale_ratio: float | None
    p_value: float | None
    severity: float
    p_previous: float | None = None
    counts: tuple[int, ...] = ()
    information: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class DriftReport:
    """Verdict over all columns of one kind.

    ``status``: ``first`` if there is nothing to compare with yet; else ``broken`` if a column looks like broken data; else
    ``drift`` if one drifted; else ``watch``, ``ok`` or ``too_few``. ``sentence``: the verdict in words. ``columns``: the
    farthest first.
    """

    status: Literal["first", "ok", "watch", "drift", "broken", "too_few"]
    sentence: str
    columns: tuple[ColumnDrift, ...]

    def named(self, *statuses: Status) -> tuple[str, ...]:
        """Names of the columns with one of the statuses."""
        return tuple(column.column_name for column in self.columns if column.status in statuses)

    def rows(self, session_id: str, workflow: str) -> list[dict[str, Any]]:
        """Rows for ``monitoring.drift``."""
        found = [{"session_id": session_id, "workflow": workflow, **asdict(column)} for column in self.columns]
        for row in found:
            del row["p_previous"], row["counts"]
            row.update(row.pop("information"))
        return found


def judge(
    reference: Reference,
    measured: Sequence[ColumnMeasure],
    policy: Monitor,
    *,
    kind: Kind = "feature",
    earlier: Earlier | None = None,
    is_first: bool = False,
) -> DriftReport:
    """Compare a measurement with its reference and with the sessions before it.

    ``measured``: as :func:`~tdml_assets.models.reference.measure` returns them, in the reference's order. ``kind``: what the
    columns are; it names them in the sentence. ``earlier``: stable sessions before this one, in the same bins; None for none.
    ``is_first``: whether the reference was taken in this session. Columns are then described and compared with nothing.
    """
    earlier = earlier or Earlier()
    pairs = list(zip(reference.columns, measured, strict=True))
    if is_first:
        return report_of([_described(now, kind, policy) for _, now in pairs], kind, policy)
    compared = [_compare(ref, now, kind, earlier, policy) for ref, now in pairs]
    enough = [min(ref.rows, now.rows) >= policy.min_rows for ref, now in pairs]
    alpha = policy.alpha / _COMPARISONS
    far = _beyond_chance([column.p_value if ok else None for column, ok in zip(compared, enough, strict=True)], alpha)
    jumped = _beyond_chance(
        [column.p_previous if ok else None for column, ok in zip(compared, enough, strict=True)], alpha
    )
    judged = []
    for index, (ref, now) in enumerate(pairs):
        column = compared[index]
        watched = any(fnmatchcase(column.column_name, pattern) for pattern in policy.watch_only)
        distance = (column.psi or 0.0) / policy.psi_limit if index in far and not watched else 0.0
        jump = _jump(column, policy) if index in jumped and not watched else 0.0
        status: Status = "too_few"
        if enough[index]:
            status = _status(ref, now, column, distance, jump)
        if status == "ok" and index in far and (column.psi or 0.0) >= _WORTH_SHOWING:
            status = "watch"
        judged.append(replace(column, status=status, severity=max(distance, jump)))
    judged.sort(key=lambda column: (-column.severity, -(column.psi or 0.0), column.column_name))
    return report_of(judged, kind, policy)


def _beyond_chance(p_values: Sequence[float | None], alpha: float) -> set[int]:
    tested = [(index, p_value) for index, p_value in enumerate(p_values) if p_value is not None]
    rejected = statistics.holm([p_value for _, p_value in tested], alpha)
    return {index for (index, _), out in zip(tested, rejected, strict=True) if out}


def _p_value(counts: Sequence[int], counts_ref: Sequence[int], *, ordered: bool) -> float:
    overall = homogeneity_p_value(counts, counts_ref)
    if not ordered:
        return overall
    # The better of two tests, paid for by Bonferroni's factor: any difference, and a shift.
    return min(1.0, 2 * min(overall, rank_p_value(counts[:-1], counts_ref[:-1])))


def _described(now: ColumnMeasure, kind: Kind, policy: Monitor) -> ColumnDrift:
    """A column as it is, without a comparison."""
    nothing = dict.fromkeys(("avg_ref", "stdev_ref", "psi", "z", "psi_previous"))
    alone = {one.name: None if one.compares else one.compute(now, None) for one in statistics_of(policy.statistics)}
    return ColumnDrift(
        kind=kind,
        column_name=now.name,
        n=now.rows,
        avg_val=now.mean,
        stdev_val=now.sd,
        status=FIRST,
        scale_ratio=None,
        p_value=None,
        severity=0.0,
        counts=now.counts,
        information={name: statistics.significant(value) for name, value in alone.items()},
        **nothing,
    )


def _compare(ref: ColumnReference, now: ColumnMeasure, kind: Kind, earlier: Earlier, policy: Monitor) -> ColumnDrift:
    has_rows = ref.rows > 0 and now.rows > 0
    index = psi(now.counts, ref.counts)[0] if has_rows else None
    # A champion goes live in a session too: until another one was stable, that is the last.
    before: Sequence[int] = earlier.counts.get(ref.name, ref.counts)
    step, z, p_previous = None, None, None
    if has_rows and len(before) == len(now.counts) and any(before):
        step, bins = psi(now.counts, before)
        steps = earlier.steps.get(ref.name, ())
        # A spread of a few sessions says little: below the minimum the other floors decide alone.
        z = chance_z(step, bins, now.rows, sum(before), steps) if len(steps) >= policy.min_history else None
        p_previous = _p_value(now.counts, before, ordered=ref.numeric)
    significant = statistics.significant
    return ColumnDrift(
        kind=kind,
        column_name=ref.name,
        n=now.rows,
        avg_val=now.mean,
        avg_ref=ref.mean,
        stdev_val=now.sd,
        stdev_ref=ref.sd,
        psi=significant(index),
        z=significant(z),
        status="degenerate",
        psi_previous=significant(step),
        scale_ratio=significant(_scale_ratio(ref, now)),
        p_value=_p_value(now.counts, ref.counts, ordered=ref.numeric) if has_rows else None,
        p_previous=p_previous,
        severity=0.0,
        counts=now.counts,
        information={one.name: significant(one.compute(now, ref)) for one in statistics_of(policy.statistics)},
    )


def _scale_ratio(ref: ColumnReference, now: ColumnMeasure) -> float | None:
    if ref.shape is None or now.shape is None or ref.shape.log_scale is None or now.shape.log_scale is None:
        return None
    return math.exp(max(-700.0, min(700.0, now.shape.log_scale - ref.shape.log_scale)))


def _jump(column: ColumnDrift, policy: Monitor) -> float:
    """How far a column jumped since the last stable session, against the nearer of its two limits."""
    jump = (column.psi_previous or 0.0) / policy.step_limit
    return jump if column.z is None else min(jump, max(0.0, column.z) / policy.z_limit)


def _status(ref: ColumnReference, now: ColumnMeasure, column: ColumnDrift, distance: float, jump: float) -> Status:
    if now.n == 0 or column.psi is None:
        return "all_null" if ref.n else "degenerate"
    if max(distance, jump) < 1:
        return "ok"
    if now.sd == 0 and not ref.is_constant:
        return "stuck"
    if ref.is_constant:
        return "changed"
    if _is_rescaled(ref, now, column.scale_ratio):
        return "scale"
    return "far" if distance >= 1 else "spike"


def _is_rescaled(ref: ColumnReference, now: ColumnMeasure, ratio: float | None) -> bool:
    """Whether every value looks multiplied by one factor: as many are 0 as before, and the others spread as before."""
    if ratio is None or ref.shape is None or now.shape is None or 1 / _UNIT_RATIO < ratio < _UNIT_RATIO:
        return False
    spread, spread_ref = now.shape.log_spread or 0.0, ref.shape.log_spread or 0.0
    moved = abs(now.shape.filled / now.rows - ref.shape.filled / ref.rows)
    return moved < _SAME_SHARE and spread < _SAME_SPREAD * spread_ref and spread_ref < _SAME_SPREAD * spread


def report_of(columns: Sequence[ColumnDrift], kind: Kind, policy: Monitor) -> DriftReport:
    """The verdict over judged columns of one kind, for instance as ``monitoring.drift`` kept them."""
    columns = tuple(columns)
    rows = max((column.n for column in columns), default=0)
    of = {status: [column for column in columns if column.status == status] for status in {c.status for c in columns}}
    everything = f"{len(columns):,} {kind}{'s' if len(columns) != 1 else ''}"
    if not columns:
        return DriftReport("ok", "", columns)
    if FIRST in of:
        return DriftReport("first", "First session of this model: nothing to compare with yet.", columns)
    if len(of.get("too_few", ())) == len(columns):
        text = f"Too little to judge: {rows:,} rows, at least {policy.min_rows:,} are needed on each side."
        return DriftReport("too_few", text, columns)
    return _verdict(columns, of, everything, rows)


def _verdict(
    columns: tuple[ColumnDrift, ...], of: Mapping[Status, Sequence[ColumnDrift]], everything: str, rows: int
) -> DriftReport:
    """The verdict over columns that were compared."""
    broken = [column for status in BROKEN for column in of.get(status, ())]
    drifted = [column for column in columns if column.status in DRIFTED]
    if broken:
        return DriftReport("broken", f"Broken data: {_broken_words(broken)}. Check the source first.", columns)
    if drifted:
        return DriftReport("drift", f"{len(drifted):,} of {everything} moved far: {_list(drifted)}.", columns)
    if watched := of.get("watch"):
        text = f"{len(watched):,} of {everything} changed a little, beyond chance: {_list(watched)}. Nothing to do yet."
        return DriftReport("watch", text, columns)
    unchanged = all(column.psi == 0 for column in columns if column.psi is not None)
    looks = "are exactly" if unchanged else "look"
    start = "Unchanged" if unchanged else "No drift"
    text = f"{start}: {everything} of {rows:,} rows {looks} as on the day the model went live."
    return DriftReport("ok", text, columns)


def _broken_words(columns: Sequence[ColumnDrift]) -> str:
    parts = []
    for column in columns[:3]:
        if column.status == "all_null":
            parts.append(f"no value at all any more in {column.column_name}")
        elif column.status == "stuck":
            parts.append(f"{column.column_name} stays at {column.avg_val:,.4g}")
        else:
            ratio = column.scale_ratio or 1.0
            times = (
                f"{ratio:,.3g} times as large as" if ratio > 1 else f"{1 / max(ratio, 1e-300):,.3g} times smaller than"
            )
            parts.append(f"{column.column_name} is {times} it was, like another unit")
    return "; ".join(parts) + (f"; and {len(columns) - 3} more" if len(columns) > 3 else "")


def _list(columns: Sequence[ColumnDrift], most: int = 3) -> str:
    more = len(columns) - most
    return ", ".join(map(words_of, columns[:most])) + (f" and {more} more" if more > 0 else "")


def words_of(column: ColumnDrift) -> str:
    """A column and how far it moved, in words: which comparison, and averages where it has any."""
    means = ""
    if column.avg_val is not None and column.avg_ref is not None:
        means = f"average {column.avg_ref:,.4g} -> {column.avg_val:,.4g}, "
    if column.status == "spike" and column.psi_previous is not None:
        z = "" if column.z is None else f", z {column.z:.1f}"
        return f"{column.column_name} ({means}PSI {column.psi_previous:.2f} since the last stable session{z})"
    return f"{column.column_name} ({means}PSI {column.psi or 0:.2f})"
