"""Checks of what the rows hold: missing values, units of money, copies, new categories, ids of customers.

Elsewhere: how many rows came (``arrival.py``), policy (``declaration/quality.py``), reading (``measures.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from tdml_assets.stages.data_quality.findings import (
    Finding,
    Share,
    judged,
    risen,
    spans,
    unjudged,
    window_words,
)
from tdml_assets.stages.data_quality.measures import CustomerIds, Days, Earlier, Levels, Overlap, Repeated, Repeats

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy


#: Lines of a file that others hold too, below which nothing is said: a few corrected lines may be sent again.
_FEWEST_OVERLAPPING = 20


def null_share(days: Days, as_of: date, policy: QualityPolicy) -> Iterator[Finding]:
    """Share of rows without a value, per column that ever had one."""
    last, before = spans(days, as_of, policy)
    words = (
        f"of the rows of {window_words(as_of, policy)} have no value",
        "Ask the source what became of the column, load it again and run again.",
    )
    for column, filled in days.filled.items():
        if any(filled):
            now, then = (
                Share(sum(days.rows[span]) - sum(filled[span]), sum(days.rows[span])) for span in (last, before)
            )
            yield risen("null_share", f"{days.table}.{column}", now, then, policy.null_rise, words, policy)


def scale(days: Days, as_of: date, earlier: Earlier | None, policy: QualityPolicy) -> Iterator[Finding]:
    """Geometric mean of the sizes of money that is not 0: a change of unit multiplies it, a change of prices hardly moves it.

    The last window against those before it; and all history against the session before, since a file that was exported anew
    in other units agrees with itself.
    """
    for column, logs in days.logs.items():
        if any(logs.counts):
            yield _scale_of_window(days, column, as_of, policy)
            yield _scale_of_history(days, column, as_of, earlier, policy)


def _scale_of_window(days: Days, column: str, as_of: date, policy: QualityPolicy) -> Finding:
    source = f"{days.table}.{column}"
    last, before = spans(days, as_of, policy)
    fewest = days.latest_days(column, last, policy.min_rows)
    count, expected = days.geometric_mean(column, before)
    if fewest is None or expected is None or count < policy.min_rows:
        return unjudged("scale", source, f"fewer than {policy.min_rows:,} values to compare")
    # A unit that changed yesterday is still outweighed by the window's other days.
    latest = slice(last.stop - fewest, last.stop)
    means = [mean for span in (last, latest) if (mean := days.geometric_mean(column, span)[1]) is not None]
    value = max(means, key=lambda mean: abs(math.log(mean / expected)))
    start = days.days[latest.start] if value != means[0] else None
    when = f"since {start}" if start else f"in {window_words(as_of, policy)}"
    return _compared(source, value, expected, (when, "in the windows before"), policy)


def _scale_of_history(days: Days, column: str, as_of: date, earlier: Earlier | None, policy: QualityPolicy) -> Finding:
    source = f"{days.table}.{column} (all history)"
    count, value = days.geometric_mean(column, days.span(date.min, as_of))
    if value is None or count < policy.min_rows:
        return unjudged("scale", source, f"fewer than {policy.min_rows:,} values to compare")
    expected = None if earlier is None else earlier.value("scale", source)
    if earlier is None or expected is None:
        return unjudged("scale", source, "no earlier session to compare with", value)
    return _compared(source, value, expected, (f"up to {as_of}", f"in the session of {earlier.as_of}"), policy)


def _compared(source: str, value: float, expected: float, words: tuple[str, str], policy: QualityPolicy) -> Finding:
    ratio = value / expected
    bound = expected * policy.scale_limit if ratio >= 1 else expected / policy.scale_limit
    return judged(
        "scale",
        source,
        f"geometric mean {value:,.4g} {words[0]}, {expected:,.4g} {words[1]}; {bound:,.4g} is the bound",
        "A unit has probably changed, such as pence for pounds: correct the source and run again.",
        is_broken=max(ratio, 1 / ratio) >= policy.scale_limit,
        value=value,
        expected=expected,
        bound=bound,
    )


def duplicates(
    orders: str, found: Repeats, as_of: date, earlier: Earlier | None, policy: QualityPolicy
) -> Iterator[Finding]:
    """Share of order lines that equal another in customer, instant, product, quantity and amount.

    The last window against those before it, and all of these windows against the session before: a file that came twice
    doubles them all.
    """
    remedy = "A file has probably come twice: remove one, or declare line_key, and run again."
    words = (f"of the rows of {window_words(as_of, policy)} equal another", remedy)
    now, before = Share(found.last_repeats, found.last_rows), Share(found.earlier_repeats, found.earlier_rows)
    yield risen("duplicates", orders, now, before, policy.duplicate_rise, words, policy)
    source, rows = f"{orders} (all windows)", now.rows + before.rows
    if rows < policy.min_rows:
        yield unjudged("duplicates", source, f"fewer than {policy.min_rows:,} rows to compare")
        return
    value = (now.found + before.found) / rows
    expected = None if earlier is None else earlier.value("duplicates", source)
    if expected is None:
        yield unjudged("duplicates", source, "no earlier session to compare with", value)
        return
    bound = expected + policy.duplicate_rise
    text = (
        f"{value:.1%} of the rows equal another; it was {expected:.1%} in the session before, {bound:.1%} is the bound"
    )
    yield judged(
        "duplicates", source, text, remedy, is_broken=value > bound, value=value, expected=expected, bound=bound
    )


def repeated(orders: str, found: Repeated, policy: QualityPolicy, surplus_lines: int = 0) -> Finding:
    """Share of all order lines that equal another one, judged without an earlier session.

    ``surplus_lines`` stand in several files, which ``overlap`` says: neither they nor what they repeat are counted.
    """
    count = max(0, found.found - 2 * surplus_lines)
    value = count / found.rows if found.rows else 0.0
    text = (
        f"{count:,} of {found.rows:,} order lines ({value:.1%}) equal another one in every column that counts; "
        f"{policy.repeated_limit:.0%} is the bound (quality.repeated_limit)"
    )
    remedy = (
        "Rows that came twice count orders twice: declare sources.orders.line_key, the columns that identify a line, or write the "
        "file again without the copies."
    )
    is_broken = value > policy.repeated_limit
    finding = judged("repeated", orders, text, remedy, is_broken=is_broken, value=value, bound=policy.repeated_limit)
    if value > policy.repeated_note and not is_broken:
        return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}")
    return finding


def overlap(orders: Days, found: Sequence[Overlap], policy: QualityPolicy) -> Finding | None:
    """Lines that several files hold: the same orders exported twice, judged without an earlier session.

    With an order id no line is in two files by chance; without one, of files that share nothing but their customers some lines
    equal each other, so that only files most of whose lines others hold are an alarm. ``None`` where no file has enough.
    """
    enough = [item for item in found if item.found >= _FEWEST_OVERLAPPING]
    if not enough:
        return None
    worst, total = enough[0], sum(orders.rows)
    of_file, of_all = worst.found / worst.lines, worst.surplus_order_lines / total if total else 0.0
    by_order = of_all / policy.twin_limit > of_file / policy.overlap_limit
    value, bound = (of_all, policy.twin_limit) if by_order else (of_file, policy.overlap_limit)
    has_orders = worst.surplus_order_lines > 0
    same = "same order, customer, day, product, amount" if has_orders else "same customer, day, product, amount"
    text = (
        f"{worst.surplus_lines:,} lines are in {_files(enough)} ({same}) and double {worst.surplus_money:,.2f} of revenue; "
        f"{worst.found:,} of {worst.lines:,} order lines of {worst.file} equal a line of another file, such as {worst.other_file}; "
        f"{bound:.0%} of {'all lines' if by_order else 'the lines of a file'} is the bound"
    )
    remedy = f"The same orders were probably exported twice: {_key_to_declare(orders)}"
    is_broken = value > bound
    finding = judged("overlap", orders.table, text, remedy, is_broken=is_broken, value=value, bound=bound)
    if (of_file > policy.overlap_note or has_orders) and not is_broken:
        return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}")
    return finding


def _files(found: Sequence[Overlap]) -> str:
    return "both files" if len(found) <= 2 else f"several of {len(found)} files"


def _key_to_declare(orders: Days) -> str:
    """The line key that the columns allow, as it is written."""
    names = [name for name in ("order_id", "product_id") if any(orders.filled.get(name, ()))]
    if "order_id" not in names:
        return (
            "take a file out of sources.orders.path, or map columns.order_id and declare line_key, the columns that identify "
            "a line."
        )
    return f"declare line_key: [{', '.join(names)}] under sources.orders, or take a file out of sources.orders.path."


def new_categories(levels: Levels, as_of: date, policy: QualityPolicy, *, has_history: bool) -> Iterator[Finding]:
    """Share of the last window's rows whose category was never seen before it; only of columns with few levels."""
    if not levels.known_levels or levels.known_levels > policy.max_levels:
        return
    if not has_history or levels.last_rows < policy.min_rows:
        yield unjudged("new_categories", levels.source, "too little to compare with")
        return
    share = levels.new_rows / levels.last_rows
    yield judged(
        "new_categories",
        levels.source,
        f"{share:.1%} of the rows of {window_words(as_of, policy)} have a category never seen before; "
        f"{policy.new_share:.1%} is the bound",
        "If the source renamed its categories, map them to the old names and run again.",
        is_broken=share > policy.new_share,
        value=share,
        expected=0.0,
        bound=policy.new_share,
    )


#: Average customers that one must exceed: of thirty customers each has 3 % of everything.
_TIMES_AVERAGE = 20


def customer_ids(orders: str, found: CustomerIds, policy: QualityPolicy) -> Iterator[Finding]:
    """Notes about ids, which may be meant so; one customer with most of everything is an alarm."""
    source = f"{orders}.customer_id"
    text, kinds = f"{found.customers:,} ids are {found.folded:,} without case and blanks", []
    if found.folded < found.customers or not found.alike:
        kinds += ["trim", "casefold"]
    if found.plain < found.folded:
        text += f" and {found.plain:,} without zeros in front or a trailing .0" if kinds else ""
        text = text if kinds else f"{found.customers:,} ids are {found.plain:,} without zeros in front or a trailing .0"
        kinds += ["integer"]
    remedy = (
        f"Each counts as a customer of its own. If they are the same people, write normalise: [{', '.join(kinds)}] under "
        "sources.orders.columns.customer_id, key column for its column."
    )
    yield _noted("alike_customers", source, text, remedy, is_noted=found.alike > 0, value=float(found.alike), bound=0.0)
    shares = {
        "order lines": found.most_lines / found.lines if found.lines else 0.0,
        "money": found.most_money / found.money if found.money else 0.0,
    }
    what, share = max(shares.items(), key=lambda one: one[1])
    bound = max(policy.one_customer_note, _TIMES_AVERAGE / found.customers if found.customers else 1.0)
    is_broken = found.customers >= _TIMES_AVERAGE and share > policy.one_customer_limit
    bound = policy.one_customer_limit if is_broken else bound
    text = f"one of {found.customers:,} customers has {share:.1%} of all {what}; {bound:.1%} is the bound"
    by_line = found.largest_line / found.money if what == "money" else 0.0
    # An amount that was mistyped, not an account.
    is_line = by_line > max(bound, share / 2)
    of_line = "If its amount is wrong, correct it at the source, or give the largest right one as max under sources.orders.bounds."
    text += f", and one order line alone makes {by_line:.1%}" if is_line else ""
    if is_broken:
        of_account = (
            "It is probably an account that many people share, such as guests: name its id under "
            "sources.orders.columns.customer_id, key empty, or map another column."
        )
        remedy = of_line if is_line else of_account
        yield judged("one_customer", source, text, remedy, is_broken=True, value=share, bound=bound)
        return
    remedy = "If it is an account that many people share, such as guests, take it out at the source; else there is nothing to do."
    remedy = of_line if is_line else remedy
    yield _noted("one_customer", source, text, remedy, is_noted=share > bound, value=share, bound=bound)


def _noted(check: str, source: str, text: str, remedy: str, *, is_noted: bool, value: float, bound: float) -> Finding:
    finding = judged(check, source, text, remedy, is_broken=False, value=value, bound=bound)
    return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}") if is_noted else finding
