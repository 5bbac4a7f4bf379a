"""Drift: how far columns of today lie from the columns a model learnt from, and whether that is more than chance.

Belongs here: the reference that is stored with a model, measuring against it, and the verdict of one session.
Does not: formulas (``divergences.py``), passes over tables (``statistics.py``), history over sessions and retraining,
figures.

The verdict rests on the population stability index (PSI) over bins frozen with the reference: it depends on ranks only,
so it holds for skewed money as for anything else. Means, standard deviations and the divergences made of them are
information.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from tdml_assets.core import statistics
from tdml_assets.core.divergences import bin_edges, gaussian_kld, hivemall_kld, psi, psi_p_value
from tdml_assets.core.statements import render

Kind = Literal["feature", "prediction", "target"]
Status = Literal["ok", "watch", "spike", "changed_constant", "all_null", "degenerate", "too_few"]

_DECILES = tuple(step / 10 for step in range(1, 10))

_VERSION = 1


class DriftPolicy(BaseModel):
    """What counts as drift. Both floors must be passed: more than chance, and enough to matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    psi_limit: float = Field(default=0.25, gt=0, description="PSI from which a significant change is a spike.")
    psi_watch: float = Field(default=0.02, ge=0, description="PSI from which a significant change is worth watching.")
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="Chance that sampling alone flags any column at all (Holm's rule)."
    )
    min_rows: int = Field(default=200, ge=2, description="Rows that each side must have.")
    kld_limit: float | None = Field(default=None, gt=0, description="Gaussian KL shown as a limit; decides nothing.")


@dataclass(frozen=True)
class ColumnReference:
    """One column as the model learnt it.

    Parameters
    ----------
    name, numeric : the column, and whether it holds numbers.
    rows, n : rows, and those with a value.
    mean, sd, minimum, maximum : of a numeric column; the population's standard deviation.
    edges : increasing bin edges of a numeric column; the outer bins are open, so nothing falls outside of them.
    levels : named levels of a text column.
    counts : rows per bin; the last one counts missing values, for a text column the one before counts every other
        level.
    """

    name: str
    numeric: bool
    rows: int
    n: int
    mean: float | None
    sd: float | None
    minimum: float | None
    maximum: float | None
    edges: tuple[float, ...]
    levels: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def is_constant(self) -> bool:
        """Whether every row fell into one bin: a constant, or nothing at all."""
        return sum(count > 0 for count in self.counts) == 1


@dataclass(frozen=True)
class Reference:
    """Every watched column as the model learnt it; stored with the model."""

    columns: tuple[ColumnReference, ...]

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads back exactly."""
        return json.dumps(
            {"version": _VERSION, "columns": [asdict(column) for column in self.columns]}, allow_nan=False
        )

    @classmethod
    def from_json(cls, text: str) -> Reference:
        """Read the reference in ``text``.

        Raises
        ------
        ValueError
            If it was written by another version of this format.
        """
        content = json.loads(text)
        if content.get("version") != _VERSION:
            raise ValueError(
                f"the reference has format {content.get('version')!r}, this code reads {_VERSION}: train the model anew"
            )
        return cls(tuple(_column_from(column) for column in content["columns"]))


def _column_from(content: Mapping[str, Any]) -> ColumnReference:
    lists = ("edges", "levels", "counts")
    values: dict[str, Any] = {key: tuple(value) if key in lists else value for key, value in content.items()}
    return ColumnReference(**values)


@dataclass(frozen=True)
class ColumnMeasure:
    """One column of today, in the reference's bins."""

    name: str
    rows: int
    n: int
    mean: float | None
    sd: float | None
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ColumnDrift:
    """One column of today against its reference: fields as in ``monitoring.drift``, and the chance of such a PSI."""

    kind: Kind
    column_name: str
    n: int
    avg_val: float | None
    avg_ref: float | None
    stdev_val: float | None
    stdev_ref: float | None
    kld: float | None
    kld_hivemall: float | None
    psi: float | None
    z: float | None
    status: Status
    p_value: float | None


@dataclass(frozen=True)
class DriftReport:
    """Verdict over all columns of one kind.

    Parameters
    ----------
    status : ``drift`` if a column spiked or a constant changed, ``broken`` if a column lost all its values, else
        ``watch``, ``ok`` or ``too_few``.
    sentence : the verdict in words.
    columns : the farthest first.
    """

    status: Literal["ok", "watch", "drift", "broken", "too_few"]
    sentence: str
    columns: tuple[ColumnDrift, ...]

    def named(self, *statuses: Status) -> tuple[str, ...]:
        """Names of the columns with one of the statuses."""
        return tuple(column.column_name for column in self.columns if column.status in statuses)

    @property
    def spiked_share(self) -> float:
        """Share of the columns that spiked or whose constant changed."""
        return len(self.named("spike", "changed_constant")) / len(self.columns) if self.columns else 0.0

    def rows(self, session_id: str, workflow: str) -> list[dict[str, Any]]:
        """Rows for ``monitoring.drift``."""
        found = [{"session_id": session_id, "workflow": workflow, **asdict(column)} for column in self.columns]
        for row in found:
            del row["p_value"]
        return found


def build_reference(
    reader: statistics.Reader,
    table: Sequence[str],
    where: Mapping[str, Any],
    columns: Sequence[str],
    *,
    top_levels: int = 20,
    min_level_rows: int = 20,
) -> Reference:
    """Describe columns as they are now: what later sessions are compared with.

    Parameters
    ----------
    where : value per column that rows must have, for instance ``{"snapshot_date": date(2024, 3, 1)}``; empty for all
        rows.
    columns : numeric and text columns; ids and free text do not belong here.
    top_levels, min_level_rows : levels of a text column that are named, and the rows a named level must have.

    Raises
    ------
    ValueError
        If a column is missing, or neither number nor text.
    """
    numeric, texts = statistics.split_by_kind(reader.columns(table), columns, table)
    moments = statistics.moments(reader, table, where, numeric)
    sizes = {column: moments[column].n for column in numeric if moments[column].n}
    deciles = statistics.quantiles(reader, table, where, sizes, _DECILES)
    edges: dict[str, tuple[float, ...]] = {}
    for column in numeric:
        low, high = moments[column].minimum, moments[column].maximum
        edges[column] = () if low is None or high is None else bin_edges(deciles[column], low, high)
    counts = statistics.bin_counts(reader, table, where, edges)
    found = {}
    for column in numeric:
        one = moments[column]
        found[column] = ColumnReference(
            column, True, one.rows, one.n, one.mean, one.sd, one.minimum, one.maximum, edges[column], (), counts[column]
        )
    levels = statistics.top_levels(reader, table, where, texts, top=top_levels, min_rows=min_level_rows)
    for column, level_sizes in statistics.level_counts(reader, table, where, levels).items():
        rows, filled = sum(level_sizes), sum(level_sizes[:-1])
        found[column] = ColumnReference(
            column, False, rows, filled, None, None, None, None, (), levels[column], level_sizes
        )
    return Reference(tuple(found[column] for column in columns))


def measure(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], reference: Reference
) -> tuple[ColumnMeasure, ...]:
    """Measure the reference's columns in a table, in the reference's bins; three passes whatever the number of columns.

    Raises
    ------
    ValueError
        If a column is missing, or changed between number and text.
    """
    names = [column.name for column in reference.columns]
    numeric, _ = statistics.split_by_kind(reader.columns(table), names, table)
    changed = [column.name for column in reference.columns if column.numeric != (column.name in numeric)]
    if changed:
        raise ValueError(f"{'.'.join(table)}: columns {changed} were number or text when the model learnt: train anew")
    moments = statistics.moments(reader, table, where, numeric)
    edges = {column.name: column.edges for column in reference.columns if column.numeric}
    levels = {column.name: column.levels for column in reference.columns if not column.numeric}
    counts = statistics.bin_counts(reader, table, where, edges) | statistics.level_counts(reader, table, where, levels)
    return tuple(
        ColumnMeasure(
            name=name,
            rows=sum(counts[name]),
            n=sum(counts[name][:-1]),
            mean=moments[name].mean if name in moments else None,
            sd=moments[name].sd if name in moments else None,
            counts=counts[name],
        )
        for name in names
    )


def judge(
    reference: Reference, measured: Sequence[ColumnMeasure], policy: DriftPolicy, *, kind: Kind = "feature"
) -> DriftReport:
    """Compare a measurement with its reference.

    Parameters
    ----------
    measured : as :func:`measure` returns them, in the reference's order.
    kind : what the columns are; it names them in the sentence.
    """
    compared = [_compare(ref, now, kind) for ref, now in zip(reference.columns, measured, strict=True)]
    enough = [min(ref.rows, now.rows) >= policy.min_rows for ref, now in zip(reference.columns, measured, strict=True)]
    tested = [index for index, column in enumerate(compared) if enough[index] and column.p_value is not None]
    rejected = statistics.holm([compared[index].p_value or 0.0 for index in tested], policy.alpha)
    beyond_chance = {index for index, out in zip(tested, rejected, strict=True) if out}
    judged = []
    for index, (ref, now) in enumerate(zip(reference.columns, measured, strict=True)):
        status = _status(ref, now, compared[index], policy, index in beyond_chance) if enough[index] else "too_few"
        judged.append(replace(compared[index], status=status))
    judged.sort(key=lambda column: (-(column.psi or 0.0), column.column_name))
    return _report(tuple(judged), kind, policy, max((now.rows for now in measured), default=0))


def _compare(ref: ColumnReference, now: ColumnMeasure, kind: Kind) -> ColumnDrift:
    has_rows = ref.rows > 0 and now.rows > 0
    index, bins = psi(now.counts, ref.counts) if has_rows else (None, 0)
    divergence = statistics.significant(gaussian_kld(now.mean, now.sd, ref.mean, ref.sd))
    return ColumnDrift(
        kind=kind,
        column_name=ref.name,
        n=now.rows,
        avg_val=now.mean,
        avg_ref=ref.mean,
        stdev_val=now.sd,
        stdev_ref=ref.sd,
        kld=divergence,
        kld_hivemall=statistics.significant(hivemall_kld(now.mean, now.sd, ref.mean, ref.sd)),
        psi=statistics.significant(index),
        z=None,
        status="degenerate",
        p_value=None if index is None else psi_p_value(index, bins, now.rows, ref.rows),
    )


def _status(
    ref: ColumnReference, now: ColumnMeasure, found: ColumnDrift, policy: DriftPolicy, beyond_chance: bool
) -> Status:
    if now.n == 0:
        return "degenerate" if ref.n == 0 else "all_null"
    if found.psi is None:
        return "degenerate"
    if not beyond_chance or found.psi < policy.psi_watch:
        return "ok"
    if found.psi < policy.psi_limit:
        return "watch"
    # A number that stands still where it used to vary is a stuck feed.
    return "changed_constant" if ref.is_constant or now.sd == 0 else "spike"


def _report(columns: tuple[ColumnDrift, ...], kind: Kind, policy: DriftPolicy, rows: int) -> DriftReport:
    by_status: dict[str, list[ColumnDrift]] = {}
    for column in columns:
        by_status.setdefault(column.status, []).append(column)
    empty, watched = by_status.get("all_null", []), by_status.get("watch", [])
    far = [column for column in columns if column.status in ("spike", "changed_constant")]
    everything = f"{len(columns):,} {kind}{'s' if len(columns) != 1 else ''}"
    if not columns or len(by_status.get("too_few", [])) == len(columns):
        return DriftReport(
            "too_few",
            f"Too little to judge: {rows:,} rows, at least {policy.min_rows:,} are needed on each side.",
            columns,
        )
    if empty:
        text = f"Broken data: no value at all any more in {_list(empty)}. Check the source first."
        return DriftReport("broken", text, columns)
    if far:
        text = f"{len(far):,} of {everything} moved far since training: {_list(far)}. Check the source, then retrain."
        return DriftReport("drift", text, columns)
    if watched:
        text = f"{len(watched):,} of {everything} changed a little, beyond chance: {_list(watched)}. Nothing to do yet."
        return DriftReport("watch", text, columns)
    return DriftReport("ok", f"No drift: {everything} of {rows:,} rows look like what the model learnt.", columns)


def _list(columns: Sequence[ColumnDrift], most: int = 3) -> str:
    parts = []
    for column in columns[:most]:
        means = ""
        if column.avg_val is not None and column.avg_ref is not None:
            means = f"average {column.avg_ref:,.4g} -> {column.avg_val:,.4g}, "
        parts.append(
            f"{column.column_name} ({means}PSI {column.psi:.2f})" if column.psi is not None else column.column_name
        )
    more = len(columns) - most
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def report_sample(
    reader: statistics.Reader,
    table: Sequence[str],
    where: Mapping[str, Any],
    columns: Sequence[str],
    *,
    rows: int = 5_000,
) -> pa.Table:
    """Take at most ``rows`` customers, the same every time: numbers as DOUBLE, text as it is, no customer id."""
    numeric, _ = statistics.split_by_kind(reader.columns(table), columns, table)
    types = {column: "DOUBLE" if column in numeric else "VARCHAR" for column in columns}
    return reader.arrow(render("drift/sample", table=list(table), where=where, columns=types, rows=int(rows)))
