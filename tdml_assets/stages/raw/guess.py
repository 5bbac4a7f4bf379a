"""What a file of raw data probably is: its table, which columns mean what, how its dates and numbers are written.

Elsewhere: reading files (``beginning.py``), columns (``guess_columns.py``), orders (``guess_orders.py``, ``guess_lines.py``),
the settings file that is written (``commands/settings_draft.py``).

A guess is written into a file that a person reads, and never used by itself. What two readings would both explain, such as
01/02/2024, is left open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tdml_assets.declaration.presets import preset_keys
from tdml_assets.declaration.statuses import Meaning
from tdml_assets.stages.raw.currencies import is_code
from tdml_assets.stages.raw.guess_columns import (
    MOMENTS,
    NUMBERS,
    ROLES,
    Columns,
    Table,
    find,
    find_columns,
    renamed_columns,
)
from tdml_assets.stages.raw.guess_gaps import missing_columns, open_currency, two_sides, unread, why_unreadable
from tdml_assets.stages.raw.guess_kinds import guess_kinds
from tdml_assets.stages.raw.guess_lines import (
    grows_with_quantity,
    is_of_orders_pieces,
    is_of_pieces,
    is_same_on_lines,
    is_total_of_order,
    line_key_of,
    may_be_total_of_order,
    on_first_lines,
)
from tdml_assets.stages.raw.guess_orders import (
    currency_in,
    currency_of_name,
    discount_of,
    known_export,
    may_be_minor,
    sides_of,
)
from tdml_assets.stages.raw.guess_times import guess_formats, recorded_column
from tdml_assets.stages.raw.numbers import NumberMarks, marks_of_thousands, marks_that_read
from tdml_assets.stages.raw.sample import FileSample

#: What the name of a total says it is of.
_ORDERS = r"order|bestell|commande|pedido|ordine|zam.wieni|objedn.vk|invoice|basket|cart|grand"
_MINOR = re.compile(r"cents?\b|minor|pence|rappen|centimes|_cts\b", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """What was found out about the files of one table.

    ``columns``: source column per column of the contract.
    ``by_content``: columns of the contract that were found by values, not by names.
    ``timestamp_formats``: empty where the file carries a type, or where it is open.
    ``marks``: how numbers are written; None where it is open or where the file carries types.
    ``currency``: the currency of every row, and what says so; None where nothing does.
    ``statuses``: values of the status column, where there are few.
    ``are_repeated``: whether rows of each status come to the same money, so that one of them counts.
    ``flag``: what the values of a column such as ``cancelled_at`` mean, where it stands in for a status.
    ``other_statuses``: such columns next to a status, with what their values mean but for sales.
    ``open``: what a person must decide: the key, and why.
    ``preset``: the known export that it is, whose keys say the rest.
    ``amount_level``, ``refund_level``: "order" where an amount is an order's, and what says so.
    ``carry``: columns that stand on first lines only.
    ``line_key``: columns that identify a line, and what says that there must be a key.
    ``is_minor``: whether amounts are cents and the like.
    ``recorded``: column that may tell when rows were recorded.
    ``other_names``: what columns are called in other files.
    """

    table: Table
    samples: tuple[FileSample, ...]
    columns: Mapping[str, str]
    by_content: frozenset[str] = frozenset()
    timestamp_formats: tuple[str, ...] = ()
    marks: NumberMarks | None = None
    statuses: tuple[str, ...] = ()
    are_repeated: bool = False
    flag: Mapping[str, Meaning] = field(default_factory=dict)
    other_statuses: Mapping[str, Mapping[str, Meaning]] = field(default_factory=dict)
    open: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None
    amount_level: str = ""
    refund_level: str = ""
    carry: tuple[str, ...] = ()
    line_key: tuple[tuple[str, ...], str] = ((), "")
    currency: tuple[str, str] | None = None
    is_minor: bool = False
    recorded: str | None = None
    other_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_refund_known(self) -> bool:
        """Whether what was refunded is a column, so that a refunded order nets to nothing by itself."""
        declared = preset_keys(self.preset)["columns"] if self.preset is not None else {}
        return "refunded_amount" in {**declared, **self.columns}

    def texts(self, role: str) -> list[str]:
        """The values of a role in every sample, empty ones left out."""
        name = self.columns.get(role)
        return [text for sample in self.samples for text in sample.columns.get(name or "", ())]


def guess_table(sample: FileSample) -> Table | None:
    """Which raw table a file is for; ``None`` if it is for none, such as a list of products."""
    if known_export(sample) is not None:
        return "orders"
    links = find_columns("identities", sample).by_role
    if {"old_id", "person"} <= set(links) and len(sample.cells) <= 6:
        return "identities"
    roles = {role for table in ROLES.values() for role in table if find(role, sample, set())}
    if "moment" not in roles:
        is_of_products = bool(roles & {"product_id", "product_name"}) and "customer_id" not in roles
        return None if is_of_products else "customers"
    if "amount" in roles or {"quantity", "unit_price"} <= roles:
        return "orders"
    if "event_type" in roles:
        return "email_events"
    return "pageviews" if "path" in roles else "orders"


def best_of(samples: Sequence[FileSample]) -> FileSample:
    """The sample that most looks like orders: the sheet of a workbook, or the file of an archive."""

    def score(sample: FileSample) -> tuple[int, int]:
        found = find_columns("orders", sample).by_role
        wanted = {"customer_id", "ordered_at", "amount", "order_id", "quantity"}
        return len(wanted & set(found)), sample.row_count

    best = max(samples, key=score)
    alike = sum(1 for one in samples if set(one.cells) == set(best.cells))
    return replace(best, alike=alike)


def guess(table: Table, samples: Sequence[FileSample]) -> Guess:
    """Columns, date format and number marks of files of one table, the first of which has the usual header."""
    first = samples[0]
    columns = find_columns(table, first)
    found = columns.by_role
    values = {role: [text for one in samples for text in one.columns.get(name, ())] for role, name in found.items()}
    still_open = missing_columns(table, first, found) | unread(samples)
    formats: tuple[str, ...] = ()
    moment = MOMENTS.get(table, "valid_from")
    if moment in found and found[moment] not in first.typed_moments:
        by_file = [[text for text in cells if text] for one in samples for cells in one.by_file(found[moment])]
        formats, why = guess_formats(values[moment], by_file)
        still_open |= {"timestamp_format": why} if why else {}
    texts = [text for role in NUMBERS if _is_written(role, found, first) for text in values[role]]
    sides = sides_of(first) if table == "orders" and "amount" not in found else None
    texts += [text for side in sides or () if side not in first.typed_numbers for text in first.columns[side]]
    marks = marks_that_read(texts)
    if texts and marks is None:
        money = [values[role] for role in NUMBERS if role != "quantity" and _is_written(role, found, first)]
        grouped = marks_of_thousands(money)
        marks = grouped if grouped is not None and all(grouped.read(text) is not None for text in texts) else None
    if texts and marks is None:
        still_open["numbers.decimal"] = why_unreadable(texts)
    if table != "orders":
        recorded = recorded_column(first, found.get(moment), found.values()) if table in MOMENTS else None
        return Guess(
            table, tuple(samples), found, columns.by_content, formats, marks, open=still_open, recorded=recorded
        )
    return _of_orders(samples, columns, formats, marks, still_open)


def _of_orders(
    samples: Sequence[FileSample],
    columns: Columns,
    formats: tuple[str, ...],
    marks: NumberMarks | None,
    still_open: dict[str, str],
) -> Guess:
    first, known = samples[0], known_export(samples[0])
    preset = known[0] if known is not None else None
    found = {**columns.by_role, **(known[1] if known is not None else {})}
    values = {role: [text for one in samples for text in one.columns.get(name, ())] for role, name in found.items()}
    if preset is None:
        gaps = two_sides(first, found, marks or NumberMarks())
        still_open = {
            key: why for key, why in still_open.items() if key != "columns.amount" or "amount" not in found
        } | gaps
    currency = _currency(found, values)
    if currency is None:
        still_open |= open_currency(
            found.get("currency"), values.get("currency", ()), values.get("amount", values.get("unit_price", ()))
        )
    # Kinds of rows are told apart by the money that is read.
    read = _money_columns(first, found, marks)[0] if preset is None else found
    kinds = guess_kinds(first, read, values, marks or NumberMarks(), is_known=preset is not None)
    found |= {"order_status": kinds.column} if kinds.column is not None else {}
    still_open |= {"statuses": kinds.why_open} if kinds.why_open else {}
    money = found.get("amount", found.get("unit_price", ""))
    is_minor = _MINOR.search(money) is not None
    texts = values.get("amount", values.get("unit_price", []))
    if not is_minor and may_be_minor(texts, values.get("currency", ())):
        still_open["amount_unit"] = (
            f"{money!r} holds whole numbers that may be cents: write minor if they are, else major"
        )
    if preset is not None:
        # What the preset says is not open.
        kept = {"currency", "reporting_currency", "member", "sheet"} - set(preset_keys(preset))
        still_open = {key: why for key, why in still_open.items() if key in kept}
    else:
        found, gaps = _money_columns(first, found, marks)
        still_open = {
            key: why for key, why in still_open.items() if key != "columns.amount" or "amount" not in found
        } | gaps
    partial = on_first_lines(first, found)
    amount_level = _amount_level(first, found, partial, marks)
    if preset is None and not amount_level and (count := _may_be_total(first, found, marks)):
        still_open["amount_level"] = (
            f"{found['amount']!r} is the same on all lines of {count:,} orders: write order if it is the order's total, line if "
            "each line costs that"
        )
    return Guess(
        table="orders",
        samples=tuple(samples),
        columns=found,
        by_content=columns.by_content,
        timestamp_formats=formats,
        marks=marks,
        statuses=kinds.statuses,
        are_repeated=kinds.are_repeated,
        flag=kinds.flag,
        other_statuses=kinds.others,
        open=still_open,
        preset=preset,
        amount_level=amount_level,
        refund_level=_refund_level(first, found, partial),
        carry=tuple(role for role in partial if role not in ("amount", "refunded_amount")),
        line_key=line_key_of(samples, found),
        currency=currency,
        recorded=recorded_column(first, found.get("ordered_at"), found.values()),
        is_minor=is_minor,
        other_names=renamed_columns(first, found) if first.format != "json" else {},
    )


def _money_columns(
    first: FileSample, found: Mapping[str, str], marks: NumberMarks | None
) -> tuple[dict[str, str], dict[str, str]]:
    """The columns with one way to the money of a line, and what is open about it."""
    columns = dict(found)
    if {"unit_price"} == {"unit_price", "quantity", "amount"} & set(columns):
        # No column says how many: each row is one piece.
        columns["amount"] = columns.pop("unit_price")
    columns = _by_quantity(first, _one_way_to_the_money(first, columns, marks), marks)
    discount = discount_of(first, columns.values(), (marks or NumberMarks()).read)
    if discount is None or "unit_price" not in columns or "amount" in columns:
        return columns, {}
    price = columns.pop("unit_price")
    why = (
        f"{discount!r} is not taken off a price by a quantity: name the column of what was paid, or write unit_price: "
        f"{price!r} in place of this line if it may stay in"
    )
    return columns, {"columns.amount": why}


def _one_way_to_the_money(sample: FileSample, found: Mapping[str, str], marks: NumberMarks | None) -> dict[str, str]:
    """An order's total beside quantity and price, which spread it over the lines; of lines one way to their amount is enough.

    An amount holds discounts, which a price by a quantity does not.
    """
    if not {"amount", "quantity", "unit_price"} <= set(found):
        return dict(found)
    read = (marks or NumberMarks()).read
    amounts, quantities, prices = (
        [read(text) for text in sample.cells[found[role]]] for role in ("amount", "quantity", "unit_price")
    )
    pieces = [
        quantity * price if quantity and price else None for quantity, price in zip(quantities, prices, strict=True)
    ]
    orders = sample.cells.get(found.get("order_id", ""), ())
    if _amount_level(sample, found, on_first_lines(sample, found), marks):
        dropped = None if is_of_orders_pieces(orders, amounts, pieces) else "amount"
    else:
        # A row that is a whole order has in its amount all that was paid.
        is_order = bool(orders) and len(set(orders)) == len(orders)
        is_of_line = is_of_pieces(orders, amounts, pieces) or re.search(r"line|net", found["amount"], re.IGNORECASE)
        dropped = "unit_price" if is_of_line or is_order else "amount"
    return {role: column for role, column in found.items() if role != dropped}


def _by_quantity(sample: FileSample, found: Mapping[str, str], marks: NumberMarks | None) -> dict[str, str]:
    """The columns, with the price of one piece and the amount of a line told apart by how they go with the quantity.

    Exports name either of them "price", and a line's amount taken for a price would be multiplied by the quantity once more.
    """
    money = next((role for role in ("unit_price", "amount") if role in found), None)
    if money is None or not {"quantity", "product_id"} <= set(found) or {"amount", "unit_price"} <= set(found):
        return dict(found)
    read = (marks or NumberMarks()).read
    products, *numbers = (sample.cells.get(found[role], ()) for role in ("product_id", "quantity", money))
    is_of_line = grows_with_quantity(products, *([read(text) for text in texts] for texts in numbers))
    right = money if is_of_line is None else "amount" if is_of_line else "unit_price"
    return {right if role == money else role: column for role, column in found.items()}


def _amount_level(
    sample: FileSample, found: Mapping[str, str], partial: Sequence[str], marks: NumberMarks | None
) -> str:
    """What says that the amount is an order's; empty where it is a line's."""
    if "amount_reversed" in found:
        return ""
    if "amount" in partial:
        return "only the first line of an order has the amount"
    if "order_id" not in found or "amount" not in found:
        return ""
    if "[]" in found.get("product_id", "") and "[]" not in found["amount"]:
        return "the amount is one of the order, its products are in a list"
    cells = [sample.cells.get(found[role], ()) for role in ("order_id", "amount")]
    read = (marks or NumberMarks()).read
    is_total = is_total_of_order(cells[0], cells[1], read) or (
        re.search(_ORDERS, found["amount"], re.IGNORECASE) and _may_be_total(sample, found, marks)
    )
    return "the amount is the same on all lines of an order, so it is counted once" if is_total else ""


def _may_be_total(sample: FileSample, found: Mapping[str, str], marks: NumberMarks | None) -> int:
    """Orders of several lines with one amount each, where that may be a total or one price for everything; else 0."""
    if not {"order_id", "amount"} <= set(found):
        return 0
    orders, amounts, products = (
        sample.cells.get(found.get(role, ""), ()) for role in ("order_id", "amount", "product_id")
    )
    return may_be_total_of_order(orders, amounts, products, (marks or NumberMarks()).read)


def _refund_level(sample: FileSample, found: Mapping[str, str], partial: Sequence[str]) -> str:
    if "refunded_amount" not in found or "order_id" not in found:
        return ""
    if "refunded_amount" in partial:
        return "only the first line of an order has it"
    return "it is the same on all lines of an order" if is_same_on_lines(sample, found, "refunded_amount") else ""


def _currency(found: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    if "currency" in found:
        codes = {text.strip().upper() for text in values["currency"]}
        is_one = len(codes) == 1 and is_code(next(iter(codes)))
        return (codes.pop(), f"the one code in column {found['currency']!r}") if is_one else None
    code = currency_in(values.get("amount", ()) or values.get("unit_price", ()))
    if code is not None:
        return code, "every amount has its sign"
    code = currency_of_name([found[role] for role in ("amount", "unit_price") if role in found])
    return (code, "guessed: its code is in the name of the column") if code is not None else None


def _is_written(role: str, found: Mapping[str, str], sample: FileSample) -> bool:
    """Whether a number is text, so that it has marks."""
    return role in found and found[role] not in sample.typed_numbers
