"""Statistics of a watched column that inform: one object each, with its formula, its column, its words and its colour.

Elsewhere: the formulas of divergences (``divergences.py``), what decides (``stages/drift/detection.py``).

A formula is given today's ``ColumnMeasure`` and the ``ColumnReference`` of ``models/reference.py``: rows, values (``n``), mean and
standard deviation, rows per frozen bin (the last one counts missing values), and the shape of a numeric column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tdml_assets.declaration.base import object_of
from tdml_assets.platform.contracts import Column


@dataclass(frozen=True)
class DriftStatistic:
    """One statistic.

    ``name``: its column in ``monitoring.drift``. ``words``: what it is, as the contract says it. ``compute``: from today's
    column and its reference to a number; None where it is not defined. ``colour``: of its points in the picture of the
    distances; None where it is not drawn. ``compares``: whether it needs a reference. Those that do are NULL in a champion's
    first session.
    """

    name: str
    words: str
    compute: Callable[[Any, Any], float | None]
    colour: str | None = None
    compares: bool = True

    @property
    def column(self) -> Column:
        """Its column."""
        return Column(self.name, "DOUBLE", self.words)


# Contracts are loaded where nothing is computed: formulas are imported by what calls them.
def _kld(now: Any, ref: Any) -> float | None:
    from tdml_assets.platform.divergences import gaussian_kld

    return gaussian_kld(now.mean, now.sd, ref.mean, ref.sd)


def _kld_hivemall(now: Any, ref: Any) -> float | None:
    from tdml_assets.platform.divergences import hivemall_kld

    return hivemall_kld(now.mean, now.sd, ref.mean, ref.sd)


def _kld_log(now: Any, ref: Any) -> float | None:
    from tdml_assets.platform.divergences import gaussian_kld

    if ref.shape is None or now.shape is None:
        return None
    return gaussian_kld(now.shape.log_mean, now.shape.log_sd, ref.shape.log_mean, ref.shape.log_sd)


def _null_share(column: Any) -> float | None:
    return column.counts[-1] / column.rows if column.rows else None


def _outside_share(now: Any, ref: Any) -> float | None:
    if not now.rows:
        return None
    if ref.numeric:
        return now.shape.outside / now.rows if now.shape else None
    return float(now.counts[-2] / now.rows)


#: Those of this package.
STATISTICS = (
    DriftStatistic(
        "kld",
        "Gaussian Kullback-Leibler divergence of now from the reference; NULL where degenerate.",
        _kld,
    ),
    DriftStatistic(
        "kld_hivemall",
        "Hivemall's kld on means and standard deviations, for comparison only.",
        _kld_hivemall,
    ),
    DriftStatistic(
        "kld_log",
        "Gaussian divergence of sign(x) ln(1 + |x|), clipped to the reference's range: for skewed columns.",
        _kld_log,
    ),
    DriftStatistic("null_share", "Share of rows without a value now.", lambda now, _: _null_share(now), compares=False),
    DriftStatistic("null_share_ref", "The same in the reference.", lambda _, ref: _null_share(ref)),
    DriftStatistic(
        "outside_share",
        "Share of rows outside the outer 0.1 % quantiles of the reference, or with a level it does not name.",
        _outside_share,
    ),
)


@cache
def statistic_named(path: str) -> DriftStatistic:
    """Give a statistic of a user's own.

    ``path``: import path of a module that has a :class:`DriftStatistic` named ``STATISTIC``. Raises ``ValueError`` if there is
    none.
    """
    return object_of(path, "STATISTIC", DriftStatistic, "monitor.statistics")


def statistics_of(paths: Sequence[str]) -> tuple[DriftStatistic, ...]:
    """The statistics of this package and those that ``monitor.statistics`` names."""
    return (*STATISTICS, *map(statistic_named, paths))
