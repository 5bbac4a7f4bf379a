"""Orders that were exported again under other numbers, as after a move to another shop system: every amount of theirs counts twice.

Elsewhere: lines that several files hold under one order (``content.overlap``), lines that equal another one of their order
(``content.repeated``).

A customer may buy the same thing twice a day. On days that were exported again most lines have such a twin, and so have those of
the days next to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.contracts import ORDERS

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Share of a day's lines that must have a twin for the day to count as doubled.
_MOSTLY = 0.5
#: Doubled days in a row from where no chance explains them; a day with so many lines too much needs no others.
_DAYS_IN_A_ROW = 3
_FEWEST_LINES = 20
#: Share of lines with a twin on the other days from where customers of the shop do order alike.
_USUAL_SHARE = 0.1


@dataclass(frozen=True)
class TwinDay:
    """Lines of a day, those with an equal under another order, and those counted once too often.

    ``instant_lines``: of the latter, those whose orders were made at the same time of the day.
    """

    day: date
    lines: int
    twin_lines: int
    surplus_lines: int
    surplus_money: float
    instant_lines: int

    @property
    def is_doubled(self) -> bool:
        """Whether most lines have a twin."""
        return self.twin_lines >= _MOSTLY * self.lines


def read_twin_days(reader: Reader, day: date) -> tuple[TwinDay, ...]:
    """Days of orders up to ``day``, in order."""
    rows = reader.rows(render("data_quality/renumbered", orders=ORDERS.path, as_of=day))
    return tuple(TwinDay(**row) for row in rows)


def renumbered(table: str, found: Sequence[TwinDay], policy: QualityPolicy) -> Finding:
    """Share of all lines that are counted once too often on days that were exported again."""
    source, bound = f"{table}.order_id", policy.renumbered_limit
    total = sum(day.lines for day in found)
    doubled = _doubled(found)
    lines = sum(day.surplus_lines for day in doubled)
    others = [day for day in found if day not in set(doubled)]
    usual = sum(day.twin_lines for day in others) / max(sum(day.lines for day in others), 1)
    value = lines / total if total else 0.0
    is_broken = lines >= _FEWEST_LINES and value > bound and usual < _USUAL_SHARE
    if is_broken:
        money = sum(day.surplus_money for day in doubled)
        text = (
            f"{lines:,} of {total:,} lines on {len(doubled):,} days from {doubled[0].day} to {doubled[-1].day} are under two order "
            f"ids (same customer, day, product, amount) and double {money:,.2f} of revenue; {bound:.0%} of all lines is the bound"
        )
        remedy = (
            "These days were probably exported twice, once under other order numbers: take one of the files, or its rows of these "
            "days, out of sources.orders.path."
        )
        return judged("renumbered", source, text, remedy, is_broken=True, value=value, bound=bound)
    instant = sum(day.instant_lines for day in found)
    text = f"lines of whole days under two order ids: {value:.1%}; {bound:.0%} is the bound"
    finding = judged("renumbered", source, text, "", is_broken=False, value=value, bound=bound)
    if instant >= _FEWEST_LINES and instant > bound * total:
        sentence = (
            f"{source}: {instant:,} of {total:,} lines are under two order ids at the same instant (same customer, product, "
            "amount). If orders were exported twice under other numbers, take one of the exports out of sources.orders.path; if "
            "orders are split, there is nothing to do."
        )
        return replace(finding, status="note", sentence=sentence)
    return finding


def _doubled(found: Sequence[TwinDay]) -> list[TwinDay]:
    """Days of which most lines have a twin, in rows of several or with many such lines."""
    kept: list[TwinDay] = []
    for is_doubled, run in groupby(found, key=lambda day: day.is_doubled):
        days = list(run)
        if is_doubled:
            is_row = len(days) >= _DAYS_IN_A_ROW
            kept += [day for day in days if is_row or day.surplus_lines >= _FEWEST_LINES]
    return kept
