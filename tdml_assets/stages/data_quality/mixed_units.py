"""Rows whose amounts are in another unit than those of other rows: cents beside euros, 1.867 for a thousand and more.

Elsewhere: a month from which all amounts change (``history_breaks.changed_unit``), a change since the session before
(``content.scale``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import TYPE_CHECKING

from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.contracts import ORDERS

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Tenths of a power of ten: of a power, of the smallest one that is a unit, and how near to one a price must be.
_POWER, _LEAST, _NEAR = 10, 19, 1
#: Tenths from where a price is neither usual nor near a unit: where many are, a product has no usual price.
_BETWEEN = 5
#: Lines and products that must be in another unit, and these lines over those with a price in between.
_FEWEST_LINES, _FEWEST_PRODUCTS, _TIMES_BETWEEN = 3, 2, 3
#: Lines of a product that say what it usually costs.
_KNOWN = 3
#: Lines of a file of whole numbers; share of whole numbers of the others; how many times as large its amounts are, as a logarithm.
_FILE_LINES, _FEW_WHOLE, _LARGER = 20, 0.5, 1.3


@dataclass(frozen=True)
class MixedUnits:
    """Lines whose price is a power of ten away from the usual one of their product.

    ``lines``: all lines with a product. ``power``: the power that most of those lines are away by. ``odd_lines``, ``products``:
    the lines, and the products they are of. ``between_lines``: lines with a price that
    is neither. ``file``, ``file_lines``, ``first_on``: the file with most such lines, how many, and their first day.
    """

    lines: int = 0
    power: int = 0
    odd_lines: int = 0
    products: int = 0
    between_lines: int = 0
    file: str = ""
    file_lines: int = 0
    first_on: date | None = None


@dataclass(frozen=True)
class WholeFile:
    """Amounts of a file: lines with money, those without decimals, and the mean of the decimal logarithms."""

    file: str
    lines: int
    whole_lines: int
    level: float


def read_mixed_units(reader: Reader, day: date) -> MixedUnits:
    """Compare the prices of each product up to ``day``."""
    rows = reader.rows(render("data_quality/price_levels", orders=ORDERS.path, as_of=day))
    by_product: dict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        by_product[row["product_id"]][row["level"]] = row["lines"]
    between, odd = 0, []
    for product, levels in by_product.items():
        usual = _usual(levels)
        if usual is None:
            continue
        for level, lines in levels.items():
            away = level - usual
            power = round(away / _POWER)
            if abs(away) >= _LEAST and abs(away - power * _POWER) <= _NEAR:
                odd.append((product, level, power, lines))
            elif abs(away) > _BETWEEN:
                between += lines
    total = sum(row["lines"] for row in rows)
    if not odd:
        return MixedUnits(total, between_lines=between)
    powers: dict[int, int] = defaultdict(int)
    for _, _, power, lines in odd:
        powers[power] += lines
    found = MixedUnits(
        lines=total,
        power=max(powers, key=lambda power: powers[power]),
        odd_lines=sum(one[3] for one in odd),
        products=len({one[0] for one in odd}),
        between_lines=between,
    )
    if not _is_broken(found, 0.0):
        return found
    given = {"products": [one[0] for one in odd], "levels": [one[1] for one in odd]}
    files = reader.rows(render("data_quality/odd_price_files", orders=ORDERS.path, as_of=day, **given))
    worst = files[0]
    first_on = min(row["first_on"] for row in files)
    return replace(found, file=worst["file"], file_lines=worst["lines"], first_on=first_on)


def _usual(counts: Mapping[int, int]) -> int | None:
    """The level of most lines, those next to it among them; ``None`` where few lines say it. ``counts``: lines per level."""
    around = {level: sum(counts.get(level + step, 0) for step in (-_NEAR, 0, _NEAR)) for level in counts}
    best = max(counts, key=lambda level: (around[level], counts[level], -level))
    return best if around[best] >= _KNOWN else None


def _is_broken(found: MixedUnits, limit: float) -> bool:
    is_odd = found.odd_lines >= _FEWEST_LINES and found.products >= _FEWEST_PRODUCTS
    return is_odd and found.odd_lines >= _TIMES_BETWEEN * found.between_lines and found.odd_lines > limit * found.lines


def read_whole_files(reader: Reader, day: date) -> tuple[WholeFile, ...]:
    """Amounts of each file up to ``day``."""
    rows = reader.rows(render("data_quality/whole_files", orders=ORDERS.path, as_of=day))
    return tuple(WholeFile(**row) for row in rows)


def mixed_units(table: str, found: MixedUnits | None, files: Sequence[WholeFile], policy: QualityPolicy) -> Finding:
    """Lines that are a power of ten away from what their product costs, or a file of whole numbers among files with decimals."""
    source, bound = f"{table}.amount", policy.mixed_units_limit
    found = found or MixedUnits()
    if _is_broken(found, bound):
        value = found.odd_lines / found.lines
        times, way = f"{10 ** abs(found.power):,}", "much" if found.power > 0 else "little"
        where = f", most of them ({found.file_lines:,}) in {found.file}" if found.file else ""
        text = (
            f"{found.odd_lines:,} of {found.lines:,} lines ({value:.1%}), of {found.products:,} products, cost {times} times as "
            f"{way} as the product usually does, like another unit, since {found.first_on}{where}; {bound:.1%} of the lines is the "
            "bound"
        )
        remedy = (
            "If some rows are in cents or in another currency, write all in one unit, or map columns.currency to a column that "
            "says which. If thousands are written 1.867 or 1,867, declare sources.orders.numbers."
        )
        return judged("mixed_units", source, text, remedy, is_broken=True, value=value, bound=bound)
    whole = _whole_file(files)
    if whole is not None:
        one, larger = whole
        text = (
            f"all {one.lines:,} amounts of {one.file} are whole numbers and about {larger:,.0f} times as large as those of the "
            "other files, which have decimals, like cents"
        )
        remedy = "If the file is in cents, write all files in one unit."
        return judged("mixed_units", source, text, remedy, is_broken=True, value=1.0, bound=bound)
    value = found.odd_lines / found.lines if found.lines else 0.0
    text = f"{value:.1%} of the lines cost a power of ten more or less than their product usually does; {bound:.1%} is the bound"
    return judged("mixed_units", source, text, "", is_broken=False, value=value, bound=bound)


def _whole_file(files: Sequence[WholeFile]) -> tuple[WholeFile, float] | None:
    """The file that looks like cents, and how many times as large its amounts are."""
    enough = [file for file in files if file.lines >= _FILE_LINES]
    for one in enough:
        others = [file for file in enough if file is not one and file.whole_lines < _FEW_WHOLE * file.lines]
        if one.whole_lines == one.lines and len(others) * 2 > len(enough) - 1 > 0:
            larger = one.level - median(file.level for file in others)
            if larger >= _LARGER:
                return one, 10**larger
    return None
