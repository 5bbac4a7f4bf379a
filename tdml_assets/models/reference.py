"""What a column looked like when its model went live, and what it looks like now: in bins frozen with the model.

Elsewhere: whether a difference means anything (``stages/drift/detection.py``), passes over tables
(``platform/statistics.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tdml_assets.models.bundles import Manifest, refusing_damage
from tdml_assets.platform import statistics
from tdml_assets.platform.divergences import bin_edges
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Shape

if TYPE_CHECKING:
    from tdml_assets.models.store import ModelStore

_DECILES = tuple(step / 10 for step in range(1, 10))
#: Quantiles that extreme values are clipped to before the moments of logarithms are taken.
_WINSOR = (0.001, 0.999)
#: Levels of a text column that are named, and the rows a named level must have.
_TOP_LEVELS = _MIN_LEVEL_ROWS = 20

_VERSION = 2


@dataclass(frozen=True)
class ColumnReference:
    """One column as the model learnt it.

    ``name``, ``numeric``: the column, and whether it holds numbers.
    ``rows``, ``n``: rows, and those with a value.
    ``mean``, ``sd``, ``minimum``, ``maximum``: of a numeric column; the population's standard deviation.
    ``edges``: increasing bin edges of a numeric column; the outer bins are open, so nothing falls outside of them.
    ``levels``: named levels of a text column.
    ``counts``: rows per bin; the last one counts missing values, for a text column the one before counts every other level.
    ``shape``: of a numeric column's logarithms, clipped to its own outer quantiles.
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
    shape: Shape | None = None

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
    @refusing_damage("a reference")
    def from_json(cls, text: str) -> Reference:
        """Read the reference in ``text``.

        Raises ``BundleDamagedError`` if it was written by another version of this format, or its bins and counts do not fit
        together.
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
    values["shape"] = Shape(**values["shape"]) if values["shape"] else None
    found = ColumnReference(**values)
    bins = len(found.edges) if found.numeric else len(found.levels)
    if len(found.counts) != bins + 2 or not all(type(count) is int and count >= 0 for count in found.counts):
        raise ValueError(f"{found.name} has {bins} edges or levels and {len(found.counts)} counts")
    if any(not low < high for low, high in pairwise(found.edges)):
        raise ValueError(f"the edges of {found.name} do not increase")
    return found


@dataclass(frozen=True)
class ColumnMeasure:
    """One column of today, in the reference's bins and clipped to its bounds."""

    name: str
    rows: int
    n: int
    mean: float | None
    sd: float | None
    counts: tuple[int, ...]
    shape: Shape | None = None


def build_reference(
    reader: statistics.Reader,
    table: Sequence[str],
    where: Mapping[str, Any],
    columns: Sequence[str],
) -> Reference:
    """Describe columns as they are now: what later sessions are compared with.

    Raises ``ValueError`` if a column is missing, or neither number nor text. ``where``: value per column that rows must have,
    for instance ``{"snapshot_date": date(2024, 3, 1)}``; empty for all rows. ``columns``: numeric and text columns; ids and
    free text do not belong here.
    """
    numeric, texts = statistics.split_by_kind(reader.columns(table), columns, table)
    moments = statistics.moments(reader, table, where, numeric)
    sizes = {column: moments[column].n for column in numeric if moments[column].n}
    found_quantiles = statistics.quantiles(reader, table, where, sizes, (_WINSOR[0], *_DECILES, _WINSOR[1]))
    edges: dict[str, tuple[float, ...]] = {}
    bounds: dict[str, tuple[float, float]] = {}
    for column in numeric:
        low, high = moments[column].minimum, moments[column].maximum
        if low is None or high is None:
            edges[column] = ()
            continue
        lowest, *deciles, highest = found_quantiles[column]
        edges[column], bounds[column] = bin_edges(deciles, low, high), (lowest, highest)
    shapes = statistics.shapes(reader, table, where, bounds)
    counts = statistics.bin_counts(reader, table, where, edges)
    found = {}
    for column in numeric:
        one = moments[column]
        found[column] = ColumnReference(
            column,
            True,
            one.rows,
            one.n,
            one.mean,
            one.sd,
            one.minimum,
            one.maximum,
            edges[column],
            (),
            counts[column],
            shapes.get(column),
        )
    levels = statistics.top_levels(reader, table, where, texts, top=_TOP_LEVELS, min_rows=_MIN_LEVEL_ROWS)
    for column, level_sizes in statistics.level_counts(reader, table, where, levels).items():
        rows, filled = sum(level_sizes), sum(level_sizes[:-1])
        found[column] = ColumnReference(
            column, False, rows, filled, None, None, None, None, (), levels[column], level_sizes
        )
    return Reference(tuple(found[column] for column in columns))


def measure(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], reference: Reference
) -> tuple[ColumnMeasure, ...]:
    """Measure the reference's columns in a table, in the reference's bins; four passes whatever the number of columns.

    Raises ``ValueError`` if a column is missing, or changed between number and text.
    """
    names = [column.name for column in reference.columns]
    numeric, _ = statistics.split_by_kind(reader.columns(table), names, table)
    changed = [column.name for column in reference.columns if column.numeric != (column.name in numeric)]
    if changed:
        raise ValueError(f"{'.'.join(table)}: columns {changed} were number or text when the model learnt: train anew")
    moments = statistics.moments(reader, table, where, numeric)
    edges = {column.name: column.edges for column in reference.columns if column.numeric}
    bounds = {column.name: (column.shape.low, column.shape.high) for column in reference.columns if column.shape}
    shapes = statistics.shapes(reader, table, where, bounds)
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
            shape=shapes.get(name),
        )
        for name in names
    )


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


@dataclass(frozen=True)
class GoneLive:
    """A champion's files, as drift sees them.

    ``manifest``: what it is. ``files``: verified bytes per name. ``scores``: whether the session's predictions are its own.
    ``is_first``: whether its references were taken in this session, so that there is nothing to compare with.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    scores: bool
    is_first: bool = False


def scored_until_now(models: ModelStore, workflow: str, session_id: str) -> GoneLive:
    """The champion before this session, or this session's where there was none.

    A session that trains and promotes, measured against its own champion, would compare its data with themselves. Raises
    ``LookupError`` if nothing was promoted yet.
    """
    store = models.open()
    current = store.champion(workflow)
    if current is None:
        raise LookupError(f"workflow {workflow} has no champion: train and promote a model first")
    champion = current.champion
    if champion.session_id == session_id and champion.previous in store.versions(workflow):
        bundle = store.read(workflow, champion.previous)
        return GoneLive(bundle.manifest, bundle.files, scores=False)
    bundle = store.read_champion(workflow)
    return GoneLive(bundle.manifest, bundle.files, scores=True, is_first=bundle.manifest.session_id == session_id)
