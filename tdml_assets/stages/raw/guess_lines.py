"""What the rows of a file of orders have in common: totals of whole orders, cells of first lines, lines that two files hold, ids.

Elsewhere: single columns (``guess_columns.py``), the settings file (``commands/settings_draft.py``).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import median

from tdml_assets.stages.raw.column_words import KINDS
from tdml_assets.stages.raw.guess_columns import find
from tdml_assets.stages.raw.sample import FileSample

#: Orders of several lines, and the share of them with one amount, from where the amount is the order's.
_FEWEST_ORDERS = 20
_ALIKE = 0.95
#: Amounts of orders with several lines over those with one: a total grows with the lines, one price for everything does not.
_GROWS = 1.2
#: Among the orders of a shop with one price there are few different amounts.
_FEWEST_AMOUNTS = 10
#: What a column is named that says what its rows are.
_OF_ROWS = re.compile(r"type|typ$|kind|status|state|event|record|metric", re.IGNORECASE)
#: Kinds of rows that may hold the same money, and how near two sums of it are.
_MOST_KINDS, _CENT = 12, 0.005
#: The same of a total with shipping and of its lines, and the share of orders that must be so.
_WITH_SHIPPING, _MOSTLY_ALIKE = 1.35, 0.75
_CARRIED = ("order_id", "customer_id", "ordered_at", "order_status", "order_type", "currency")
#: Share of an order's further lines without a cell that its first line has, from where the cell is meant for all of them.
_BLANK = 0.8
#: Share of rows without an order from where their orders may be on the rows above.
_BLANK_ROWS = 0.02
#: How near the amount of several pieces is to that of one, or to as many times it, and the share of rows that must be so.
_NEAR = 0.1
_CLEARLY = 0.7
_SHARED_ORDERS = 0.01
#: An amount over what pieces cost: less a discount, or with tax and shipping; and the share of lines that must be so.
_SHARE_OF_PIECES = (0.5, 1.5)
_MOST_LINES = 0.9
_NOBODY = ("0", "guest", "nan", "null", "none", "unknown", "n/a", "na", "-", "anonymous", "gast", "invité", "invitado")
_NOBODY_SHARE = 0.02


def is_total_of_order(orders: Sequence[str], amounts: Sequence[str], read: Callable[[str], float | None]) -> bool:
    """Whether an amount is the order's total, on each of its lines.

    ``orders``, ``amounts``: texts by row; a gap says nothing. ``read``: reads a number.
    """
    if len(orders) != len(amounts) or not all(orders) or not all(amounts):
        return False
    by_order: dict[str, list[float]] = defaultdict(list)
    for order, text in zip(orders, amounts, strict=True):
        by_order[order].append(read(text) or 0.0)
    several = [found for found in by_order.values() if len(found) > 1]
    alike = [found[0] for found in several if len(set(found)) == 1]
    if len(several) < _FEWEST_ORDERS or len(alike) < _ALIKE * len(several) or len(set(alike)) < _FEWEST_AMOUNTS:
        return False
    single = [found[0] for found in by_order.values() if len(found) == 1]
    return len(single) < _FEWEST_ORDERS or _mean(alike) > _GROWS * _mean(single)


def may_be_total_of_order(
    orders: Sequence[str],
    amounts: Sequence[str],
    products: Sequence[str],
    read: Callable[[str], float | None],
) -> int:
    """Orders of several lines, where each has one amount and amounts are few: totals of orders, or a price for all; else 0.

    A price goes with its product, so that products which have one amount each show that it is no total. ``products`` is empty
    where nothing is known of them; the others are as for ``is_total_of_order``.
    """
    if len(orders) != len(amounts) or not all(orders) or not all(amounts):
        return 0
    by_order: dict[str, list[float]] = defaultdict(list)
    for order, text in zip(orders, amounts, strict=True):
        by_order[order].append(read(text) or 0.0)
    several = [found for found in by_order.values() if len(found) > 1]
    alike = [found[0] for found in several if len(set(found)) == 1]
    if len(several) < _FEWEST_ORDERS or len(alike) < _ALIKE * len(several) or not 1 < len(set(alike)) < _FEWEST_AMOUNTS:
        return 0
    by_product: dict[str, list[float]] = defaultdict(list)
    for product, text in zip(products, amounts, strict=False):
        by_product[product].append(read(text) or 0.0)
    repeated = [found for product, found in by_product.items() if product and len(found) > 1]
    return 0 if repeated and sum(len(set(found)) > 1 for found in repeated) * 2 < len(repeated) else len(several)


def repeated_kinds(sample: FileSample, columns: Mapping[str, str], read: Callable[[str], float | None]) -> str | None:
    """A column whose values part the rows of an order into kinds that each come to its whole money; None without one.

    Such are the states of a payment, each a row, and a receipt with its lines and its payments: one kind is the sale.
    """
    orders, amounts = (sample.cells.get(columns.get(role, ""), ()) for role in ("order_id", "amount"))
    if not len(orders) == len(amounts) == sample.row_count:
        return None
    money = [read(text) or 0.0 for text in amounts]
    for name, kinds in sample.cells.items():
        is_taken = name in columns.values() and name != columns.get("order_status")
        if is_taken or not _OF_ROWS.search(name) or not 1 < len(set(kinds)) <= _MOST_KINDS:
            continue
        sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for order, kind, amount in zip(orders, kinds, money, strict=True):
            sums[order][kind] += amount
        parted = [found for order, found in sums.items() if order and sum(map(bool, found.values())) > 1]
        if len(parted) < _FEWEST_ORDERS or len(parted) * 2 <= len(sums):
            continue
        alike = sum(1 for found in parted if _are_near(found.values(), 1.0))
        about = sum(1 for found in parted if _are_near(found.values(), _WITH_SHIPPING))
        if alike >= _ALIKE * len(parted) or (alike and about >= _MOSTLY_ALIKE * len(parted)):
            return name
    return None


def kinds_without_money(
    sample: FileSample, columns: Mapping[str, str], read: Callable[[str], float | None]
) -> tuple[str, tuple[str, ...]] | None:
    """A column of events that says which rows have money, and its values without any; None where every kind of row has some.

    A log of what visitors do has a row per page that was seen, and few rows that are purchases.
    """
    roles = ("amount",) if "amount" in columns else ("quantity", "unit_price")
    texts = [sample.cells.get(columns.get(role, ""), ()) for role in roles]
    if not all(len(cells) == sample.row_count for cells in texts):
        return None
    has_money = [all(read(cell) is not None for cell in row) for row in zip(*texts, strict=True)]
    if sum(has_money) > (1 - _BLANK_ROWS) * len(has_money):
        return None
    for name, kinds in sample.cells.items():
        if name in columns.values() or not _OF_ROWS.search(name) or not 1 < len(set(kinds)) <= _MOST_KINDS:
            continue
        counts, paid = Counter(kinds), Counter(kind for kind, has in zip(kinds, has_money, strict=True) if has)
        empty = tuple(sorted(kind for kind in counts if kind and not paid[kind]))
        others = [kind for kind in counts if kind not in empty]
        if empty and others and all(paid[kind] >= _ALIKE * counts[kind] for kind in others):
            return name, empty
    return None


def _are_near(sums: Collection[float], times: float) -> bool:
    numbers = [abs(one) for one in sums if one]
    return max(numbers) < times * min(numbers) + _CENT


def _mean(numbers: Sequence[float]) -> float:
    return sum(map(abs, numbers)) / len(numbers)


def on_first_lines(sample: FileSample, columns: Mapping[str, str]) -> tuple[str, ...]:
    """Roles whose cell is on an order's first line and is blank on its others; the order itself among them."""
    orders = sample.cells.get(columns.get("order_id", ""))
    if orders is None:
        return ()
    if _are_blank_below(sample, columns, orders):
        orders = _filled_down(orders)
    later = [place for place in range(1, len(orders)) if orders[place] and orders[place] == orders[place - 1]]
    first = [
        place for place in range(len(orders)) if orders[place] and (not place or orders[place] != orders[place - 1])
    ]
    found = []
    for role in (*_CARRIED, "amount", "refunded_amount"):
        cells = sample.cells.get(columns.get(role, ""))
        if cells is None or not later:
            continue
        blank = sum(1 for place in later if not cells[place])
        filled = sum(1 for place in first if cells[place])
        if blank >= _BLANK * len(later) and filled * 2 > len(first):
            found.append(role)
    return tuple(found)


def _filled_down(cells: Sequence[str]) -> list[str]:
    above = ""
    return [above := cell or above for cell in cells]


def _are_blank_below(sample: FileSample, columns: Mapping[str, str], orders: Sequence[str]) -> bool:
    """Whether rows without an order are further lines of the one above: they have no customer and no time of their own."""
    below = [place for place in range(1, len(orders)) if not orders[place]]
    others = [sample.cells.get(columns.get(role, ""), ()) for role in ("customer_id", "ordered_at")]
    if len(below) < _BLANK_ROWS * len(orders) or not all(others):
        return False
    return all(sum(1 for place in below if not cells[place]) >= _BLANK * len(below) for cells in others)


def is_of_pieces(orders: Sequence[str], amounts: Sequence[float | None], pieces: Sequence[float | None]) -> bool:
    """Whether amounts are those of lines: about what their pieces cost, in orders of several lines, too.

    ``pieces``: price by quantity. Arguments are values by row; ``orders`` is empty where nothing says which lines are one order.
    """
    counts = Counter(orders)
    rows = [
        (amount / piece, bool(orders) and counts[orders[place]] > 1)
        for place, (amount, piece) in enumerate(zip(amounts, pieces, strict=True))
        if amount and piece
    ]
    groups = [rows, [row for row in rows if row[1]]]
    return bool(rows) and all(
        sum(1 for ratio, _ in group if _is_about(ratio)) >= _MOST_LINES * len(group) for group in groups
    )


def is_of_orders_pieces(orders: Sequence[str], amounts: Sequence[float | None], pieces: Sequence[float | None]) -> bool:
    """Whether totals of orders, on each of their lines or on one, are about what all their pieces cost."""
    totals: dict[str, float] = {}
    sums: dict[str, float] = defaultdict(float)
    for order, amount, piece in zip(orders, amounts, pieces, strict=True):
        totals[order] = totals.get(order) or amount or 0.0
        sums[order] += piece or 0.0
    ratios = [totals[order] / found for order, found in sums.items() if order and found and totals[order]]
    return bool(ratios) and _is_about(median(ratios))


def _is_about(ratio: float) -> bool:
    return _SHARE_OF_PIECES[0] <= ratio <= _SHARE_OF_PIECES[1]


def grows_with_quantity(
    products: Sequence[str], quantities: Sequence[float | None], prices: Sequence[float | None]
) -> bool | None:
    """Whether an amount is the line's, which grows with the quantity; False for a piece's price, None where rows do not tell.

    Compares rows of one product: the usual amount of one piece, and the amounts of several. Arguments are values by row.
    """
    of_one: dict[str, list[float]] = defaultdict(list)
    rows = [
        (product, quantity, abs(price))
        for product, quantity, price in zip(products, quantities, prices, strict=False)
        if product and quantity and price
    ]
    for product, quantity, price in rows:
        if quantity == 1:
            of_one[product].append(price)
    usual = {product: median(found) for product, found in of_one.items()}
    ratios = [
        (price / usual[product], quantity) for product, quantity, price in rows if quantity > 1 and product in usual
    ]
    totals = sum(1 for ratio, quantity in ratios if abs(ratio / quantity - 1) <= _NEAR)
    singles = sum(1 for ratio, _ in ratios if abs(ratio - 1) <= _NEAR)
    if totals + singles < _FEWEST_ORDERS or max(totals, singles) < _CLEARLY * len(ratios):
        return None
    return totals > singles


def is_same_on_lines(sample: FileSample, columns: Mapping[str, str], role: str) -> bool:
    """Whether an order's lines all have the same cell of a role, and it is not zero everywhere."""
    orders, cells = (sample.cells.get(columns.get(name, ""), ()) for name in ("order_id", role))
    by_order: dict[str, list[str]] = defaultdict(list)
    for order, cell in zip(orders, cells, strict=False):
        by_order[order].append(cell)
    several = [found for found in by_order.values() if len(found) > 1 and any(re.search("[1-9]", one) for one in found)]
    return bool(several) and all(len(set(found)) == 1 for found in several)


def line_key_of(samples: Sequence[FileSample], columns: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """A key of lines that several files hold, or that one file holds in several states, and why; empty where none is needed."""
    if "order_id" not in columns:
        return (), ""
    orders = columns["order_id"]
    by_file = [set(cells) - {""} for sample in samples for cells in sample.by_file(orders)]
    counts = Counter(order for found in by_file for order in found)
    shared = sum(1 for count in counts.values() if count > 1)
    number = find("line_number", samples[0], set(columns.values()))
    keys = [
        *([("order_id", number)] if number else []),
        *([("order_id", "product_id")] if "product_id" in columns else []),
        *([("order_id",)] if "product_id" not in columns else []),
    ]
    unique = next((key for key in keys if all(_is_unique(sample, columns, key) for sample in samples)), None)
    if shared > _SHARED_ORDERS * len(counts) and shared:
        key = unique or (("order_id", "product_id") if "product_id" in columns else None)
        return (key, f"guessed: orders that are in several files: {shared:,}") if key else ((), "")
    if number and "quantity" not in columns and unique == ("order_id", number) and len(samples) == 1:
        cells = [samples[0].cells[columns[role]] for role in ("order_id", "product_id") if role in columns]
        if len(set(zip(*cells, strict=True))) < (1 - _BLANK_ROWS) * samples[0].row_count:
            return unique, "guessed: a row is one piece, so that rows of an order equal each other but for it"
    return (), ""


def _is_unique(sample: FileSample, columns: Mapping[str, str], key: Sequence[str]) -> bool:
    files = zip(*(sample.by_file(columns.get(name, name)) for name in key), strict=True)
    return all(len(set(zip(*cells, strict=True))) == len(cells[0]) for cells in files)


def kinds_of(products: Sequence[str]) -> dict[str, str]:
    """Product codes that name a shipping cost, a discount and the like, and the kind of each."""
    by_word = {word: kind for kind, words in KINDS.items() for word in words}
    return {code: by_word[code.strip().lower()] for code in sorted(set(products)) if code.strip().lower() in by_word}


def folded_ids(ids: Sequence[str]) -> tuple[int, int]:
    """Different ids, and how many they are without case and blanks."""
    return len(set(ids)), len({one.strip().casefold() for one in ids})


def nobodies(ids: Sequence[str]) -> tuple[str, ...]:
    """Ids that mean nobody, where they are a good share of the rows."""
    counts = Counter(one.strip().lower() for one in ids)
    found = [one for one in _NOBODY if counts[one]]
    return tuple(found) if sum(counts[one] for one in found) > _NOBODY_SHARE * max(len(ids), 1) else ()
