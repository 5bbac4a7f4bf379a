"""Rows that could not be read: how many, how much money, why, and what would read them. Judged in a first session too.

Elsewhere: rises since an earlier session (``arrival.py``), what mends a cell (``stages/raw/hints.py``).

Rows without a customer, out of declared bounds, or replaced by another of their key were read and are not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tdml_assets.declaration.sources import EventSource, OrdersSource, Source, Sources
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.contracts import LOADS, ORDERS, REJECTED_ROWS
from tdml_assets.stages.raw.dates import as_written
from tdml_assets.stages.raw.figures import number_marks
from tdml_assets.stages.raw.hints import UNREADABLE, masked, offending_cell, remedy_for
from tdml_assets.stages.raw.numbers import rough_size

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Rows looked at for examples and for their money; their share of all unreadable rows scales the money.
_SAMPLED_ROWS = 20_000
_SAMPLED_TIMES = 200
_EXAMPLES = 2
#: Rows of a file that could not be read, and their share of it, from where the file is written in another way than the others.
_FEWEST_ROWS, _MOSTLY = 5, 0.5


@dataclass(frozen=True)
class Unreadable:
    """Rows of one source that could not be read.

    ``source``: raw table.
    ``judged_rows``: rows read, but for those that another row of the same key replaced.
    ``rows``: of these, the unreadable ones.
    ``money``: about what their amounts come to in size, in the reporting currency; ``None`` where it cannot be said.
    ``accepted_money``: sum of the sizes of accepted amounts, in the reporting currency.
    ``because``: rows per reason with examples, in words.
    ``remedy``: what would read the most frequent kind.
    ``file``, ``file_rows``, ``file_unreadable``: among several files one most of whose rows could not be read; empty for none.
    """

    source: str
    judged_rows: int
    rows: int
    money: float | None = None
    accepted_money: float | None = None
    because: str = ""
    remedy: str = ""
    file: str = ""
    file_rows: int = 0
    file_unreadable: int = 0

    @property
    def share(self) -> float:
        """Share of the rows judged."""
        return self.rows / self.judged_rows if self.judged_rows else 0.0

    @property
    def money_share(self) -> float:
        """Share of the money; 0 where it cannot be said."""
        total = (self.money or 0.0) + (self.accepted_money or 0.0)
        return (self.money or 0.0) / total if total else 0.0


def explain_unreadable(
    table: str,
    declaration: Source,
    counts: Mapping[str, int],
    sampled: Sequence[tuple[str, Mapping[str, object]]],
    accepted_times: Sequence[str] = (),
) -> Unreadable:
    """Describe the unreadable rows of one source; ``judged_rows`` and ``accepted_money`` are left to the caller.

    ``counts``: rows per reason, unreadable ones alone. ``sampled``: reason and content of rows among them, in no order of time.
    ``accepted_times``: texts of timestamps that were read.
    """
    rows, parts, remedies = sum(counts.values()), [], []
    for reason in sorted(counts, key=lambda one: (-counts[one], one)):
        found = [offending_cell(declaration, reason, content) for code, content in sampled if code == reason]
        cells = [cell for cell in found if cell is not None]
        shown = f"{reason} {counts[reason]:,}"
        if cells:
            column = cells[0][0]
            texts = list(dict.fromkeys(text for name, text in cells if name == column))
            examples = ", ".join(masked(text) for text in texts[:_EXAMPLES])
            shown += f" (column {column!r}, for instance {examples})"
            remedies.append(remedy_for(table, declaration, reason, texts, accepted_times))
        else:
            remedies.append(remedy_for(table, declaration, reason, []))
        parts.append(shown)
    money = None
    if isinstance(declaration, OrdersSource) and sampled:
        sizes = (line_size(declaration, content) * currency_rate(declaration, content) for _, content in sampled)
        money = sum(sizes) * rows / len(sampled)
    return Unreadable(f"raw.{table}", rows, rows, money, None, ", ".join(parts), remedies[0] if remedies else "")


def line_size(declaration: OrdersSource, content: Mapping[str, object]) -> float:
    """About the size of a line's amount, in the source's currency."""
    marks, mapped = number_marks(declaration), declaration.mapped

    def size(name: str) -> float | None:
        text = str(content.get(mapped.get(name, "")) or "")
        if not text:
            return None
        read = marks.read(text)
        return abs(rough_size(text) if read is None else read)

    amount, quantity, price = size("amount"), size("quantity"), size("unit_price")
    if amount is not None:
        return amount
    return quantity * price if quantity is not None and price is not None else 0.0


def currency_rate(declaration: OrdersSource, content: Mapping[str, object]) -> float:
    """Reporting currency per unit of a row's currency; 1 where it is unknown."""
    code = declaration.currency or str(content.get(declaration.columns.currency or "") or "").strip().upper()
    return float(declaration.rates.get(code, 1))


def read_unreadable(reader: Reader, sources: Sources, judged_rows: Mapping[str, int]) -> Iterator[Unreadable]:
    """Read what could not be read of every declared source. ``judged_rows``: rows judged per raw table."""
    for table in Sources.model_fields:
        declaration = sources.declared(table)
        if declaration is None or not judged_rows.get(f"raw.{table}"):
            continue
        given = {"rejected": REJECTED_ROWS.path, "source": table, "reasons": list(UNREADABLE)}
        counts = {row["reason"]: row["row_count"] for row in reader.rows(render("data_quality/unreadable", **given))}
        sampled = []
        if counts:
            rows = reader.rows(render("data_quality/unreadable_sample", **given, most=_SAMPLED_ROWS))
            sampled = [(row["reason"], json.loads(row["content"])) for row in rows]
        times = _accepted_times(reader, table, declaration) if "bad_timestamp" in counts else ()
        found = explain_unreadable(table, declaration, counts, sampled, times)
        accepted = None
        if found.money is not None:
            accepted = reader.row(render("data_quality/accepted_money", orders=ORDERS.path))["money"]
        worst = reader.rows(
            render("data_quality/unreadable_file", **given, loads=LOADS.path, least=_FEWEST_ROWS, share=_MOSTLY)
        )
        found = replace(found, **worst[0]) if worst else found
        yield replace(found, judged_rows=judged_rows[f"raw.{table}"], accepted_money=accepted)


def _accepted_times(reader: Reader, table: str, declaration: Source) -> tuple[str, ...]:
    """Some timestamps that were read, as the files write them."""
    if not isinstance(declaration, EventSource) or declaration.moment is None or declaration.timestamp_format is None:
        return ()
    given = {"table": ("raw", table), "moment": declaration.moment, "most": _SAMPLED_TIMES}
    moments = [row["moment"] for row in reader.rows(render("data_quality/accepted_moments", **given))]
    formats = declaration.timestamp_format
    return as_written(moments, declaration.timezone, formats[0]) if len(formats) == 1 else ()


def unreadable(found: Unreadable, policy: QualityPolicy) -> Finding:
    """Whether too many rows, or too much money, could not be read."""
    money_bound = policy.unreadable_money_limit
    is_broken = found.share > policy.unreadable_limit or found.money_share > money_bound or bool(found.file)
    is_noted = max(found.share, found.money_share) > policy.unreadable_note
    text = f"{found.rows:,} of {found.judged_rows:,} rows ({found.share:.1%})"
    if found.money_share:
        text += f", about {found.money_share:.0%} of the money,"
    text += " could not be read"
    if found.file:
        text += f", most of {found.file} among them ({found.file_unreadable:,} of {found.file_rows:,} rows)"
    if is_broken:
        text += (
            f"; {policy.unreadable_limit:.0%} of rows (quality.unreadable_limit) or {money_bound:.0%} of money "
            "(quality.unreadable_money_limit) is the bound"
        )
    if found.because:
        text += f": {found.because}"
    by_money = found.money_share / money_bound > found.share / policy.unreadable_limit
    value, bound = (found.money_share, money_bound) if by_money else (found.share, policy.unreadable_limit)
    finding = judged("unreadable", found.source, text, found.remedy, is_broken=is_broken, value=value, bound=bound)
    if is_noted and not is_broken:
        return replace(finding, status="note", sentence=f"{finding.sentence} {found.remedy}")
    return finding
