"""Which column of a file plays which role, by its name and by its values.

Elsewhere: the words (``column_words.py``), how values are written (``guess.py``), what rows of an order have in common
(``guess_orders.py``, ``guess_lines.py``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, repeat
from typing import Literal

from tdml_assets.stages.raw.column_words import (
    LAST_NAMES,
    NAMES,
    NO_REFUNDS,
    NOT_IDS,
    NOT_MONEY,
    OTHER_MONEY,
    WHOLE_NAMES,
    WITH,
)
from tdml_assets.stages.raw.currencies import is_code
from tdml_assets.stages.raw.dates import formats_that_read, formats_with_ending, moments_of
from tdml_assets.stages.raw.guess_orders import is_status
from tdml_assets.stages.raw.numbers import NumberMarks
from tdml_assets.stages.raw.sample import FileSample

Table = Literal["orders", "pageviews", "email_events", "customers", "identities"]
ROLES: dict[str, tuple[str, ...]] = {
    "orders": (
        *(
            "customer_id",
            "moment",
            "refunded_amount",
            "amount",
            "quantity",
            "unit_price",
            "parent_order_id",
            "order_id",
        ),
        *("product_name", "product_id", "product_category", "order_status", "order_type", "currency", "coupon_used"),
    ),
    "pageviews": ("customer_id", "moment", "path"),
    "email_events": ("customer_id", "moment", "event_type", "email_name", "campaign_name"),
    "customers": ("customer_id",),
    "identities": ("old_id", "person", "valid_from"),
}
MOMENTS: dict[str, str] = {"orders": "ordered_at", "pageviews": "viewed_at", "email_events": "sent_at"}
NUMBERS = ("amount", "quantity", "unit_price", "refunded_amount")
_LOOKED_AT = 50
#: Words of dates that a customer has, and no order.
_OF_PERSONS = frozenset(
    ("birth", "birthday", "birthdate", "dob", "since", "joined", "registered", "signup", "geburtsdatum")
)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_WORD_OF_ORDER = re.compile(r"[#\w./-]{1,40}")
_MANY = 0.8
_LONG_WORD = 5
#: Customers from where it shows that each has one order; and persons over these customers where they come again.
_FEWEST_PERSONS, _ONE_EACH = 30, 0.98
_SEVERAL_EACH = (0.05, 0.9)


def plain_name(text: str) -> str:
    """A name without case, accents, blanks and marks."""
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    # Japanese writes the marks of sounds apart in that form, too.
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", bare)).casefold()


_OTHER_MONEY = frozenset(plain_name(word) for word in OTHER_MONEY)
_WITH = frozenset(plain_name(word) for word in WITH)
_MOMENT_WORDS = frozenset(plain_name(word) for word in NAMES["moment"])


@dataclass(frozen=True)
class Columns:
    """The column per role, and the roles that only the values speak for."""

    by_role: Mapping[str, str]
    by_content: frozenset[str] = frozenset()


def find_columns(table: str, sample: FileSample) -> Columns:
    """The columns of a table's roles in a file."""
    found: dict[str, str] = {}
    for role in ROLES[table]:
        column = find(role, sample, set(found.values()))
        if column is not None:
            found[MOMENTS.get(table, "valid_from") if role == "moment" else role] = column
    if table != "orders":
        return Columns(found)
    if "product_name" in found and "product_id" not in found:
        # Names are all that tells products apart.
        found["product_id"] = found.pop("product_name")
    by_content = _by_content(sample, found)
    found |= by_content
    person = _person(sample, found)
    found |= {"customer_id": person} if person is not None else {}
    if "parent_order_id" in found and not _names_orders(sample, found):
        del found["parent_order_id"]
        product = None if "product_id" in found else find("product_id", sample, set(found.values()))
        found |= {"product_id": product} if product is not None else {}
    return Columns(found, frozenset(by_content))


def find(role: str, sample: FileSample, taken: Collection[str]) -> str | None:
    """The column that plays a role: by its name, and where values must be dates or numbers, by them too.

    A moment may have any name where only one column holds dates, or one is never after the others.
    """
    by_name = _find_by_name(role, sample, taken)
    if by_name is None and role == "moment":
        dated = [name for name in sample.columns if name not in taken and _is_dated(name, sample)]
        # A time that no format reads is mapped by its name, and its format left open.
        named = [name for name in sample.columns if name not in taken and _is_named_moment(name, sample.columns[name])]
        if len(dated) > 1:
            return _earliest(dated, sample)
        return dated[0] if dated else named[0] if len(named) == 1 else None
    return by_name


def renamed_columns(sample: FileSample, found: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What the columns of roles are called in files that do not have them; empty where every file has them."""
    ends = list(accumulate(sample.file_rows))
    others: dict[str, tuple[str, ...]] = {}
    if len(ends) < 2:
        return others
    for role, column in found.items():
        lacking = [place for place, cells in enumerate(sample.by_file(column)) if cells and not any(cells)]
        if not lacking or len(lacking) == len(ends):
            continue
        rows = [row for place in lacking for row in range(ends[place] - sample.file_rows[place], ends[place])]
        kept = set(range(sample.row_count)) - set(rows)
        cells = {
            name: [texts[row] for row in rows]
            for name, texts in sample.cells.items()
            # A column of both kinds of files is no other name of one that only some have.
            if name not in found.values() and not any(texts[row] for row in kept)
        }
        there = {name: texts for name, texts in cells.items() if any(texts)}
        other = find("moment" if role in MOMENTS.values() else role, replace(sample, cells=there, file_rows=()), set())
        if other is not None:
            others[column] = (other,)
    return others


def _is_named_moment(name: str, texts: Sequence[str]) -> bool:
    """Whether a column has the name of a time, or one of several words with such a word and figures in every value."""
    plain = plain_name(name)
    is_part = any(len(word) >= _LONG_WORD and word in plain for word in _MOMENT_WORDS)
    return plain in _MOMENT_WORDS or (is_part and bool(texts) and all(re.search(r"\d", text) for text in texts))


def _earliest(dated: Sequence[str], sample: FileSample) -> str | None:
    """The column of dates that is never after another one: an order is made before it is paid, sent and loaded."""
    kept = [name for name in dated if _OF_PERSONS.isdisjoint(_words_in(name)) and "" not in sample.cells[name]]
    moments = {name: moments_of(sample.cells[name]) for name in kept}
    if not kept or not all(moments.values()):
        return None
    found = [name for name in kept if all(map(_is_before, repeat(moments[name]), moments.values()))]
    return found[0] if found else None


def _is_before(one: Sequence[datetime], other: Sequence[datetime]) -> bool:
    return all(before <= after for before, after in zip(one, other, strict=True))


def _names_of(column: str) -> tuple[str, ...]:
    """Plain forms of a column's name; of a path in JSON the last key, too, with what it is a part of."""
    if "." not in column:
        return (plain_name(column),)
    above, _, last = column.rpartition(".")
    is_item = above.endswith("[]")
    # The id of an object is its own, and not that of the row.
    forms = (
        plain_name(column),
        f"item{plain_name(last)}" if is_item else "",
        "" if last.lower() == "id" else plain_name(last),
    )
    return tuple(form for form in forms if form)


def _find_by_name(role: str, sample: FileSample, taken: Collection[str]) -> str | None:
    names = {name: _names_of(name) for name in sample.columns if name not in taken}
    tiers = [(NAMES, True), (NAMES, False), (LAST_NAMES, True), (LAST_NAMES, False), (WHOLE_NAMES, True)]
    for given, exact in tiers:
        for word in map(plain_name, given.get(role, ())):
            for name, forms in names.items():
                fits = word in forms if exact else (len(word) >= 4 and any(word in form for form in forms))
                if fits and not _names_another(role, name, exact=exact) and _values_fit(role, name, sample):
                    return name
    return None


def _names_another(role: str, name: str, *, exact: bool) -> bool:
    """Whether a column that is named after a role is another thing: the currency of an order, the number of a sales document."""
    if role in ("amount", "unit_price"):
        return names_other_money(name) or not NOT_MONEY.isdisjoint(_words_in(name))
    if role == "refunded_amount":
        return not NO_REFUNDS.isdisjoint(_words_in(name))
    is_id = role in ("customer_id", "order_id", "product_id")
    return is_id and not exact and not NOT_IDS.isdisjoint(_words_in(name))


def _is_dated(name: str, sample: FileSample) -> bool:
    """Whether a column holds dates by its values alone: a number of five digits is rarely a spreadsheet's day."""
    return name in sample.typed_moments or any(
        one != "excel" for one in formats_that_read(sample.columns[name][:_LOOKED_AT])
    )


def _values_fit(role: str, name: str, sample: FileSample) -> bool:
    texts = sample.columns[name][:_LOOKED_AT]
    if role in ("moment", "valid_from", "updated_at", "recorded_at"):
        return name in sample.typed_moments or bool(texts and _is_mostly_dated(texts))
    if role in NUMBERS:
        return name in sample.typed_numbers or bool(texts and all(re.search(r"\d", text) for text in texts))
    if role == "currency":
        return all(len(text.strip()) == 3 for text in texts)
    if role == "coupon_used":
        return {text.lower() for text in texts} <= {"true", "false", "yes", "no", "1", "0", "y", "n", "t", "f"}
    if role == "order_id" and is_status(texts):
        return False
    return name not in sample.typed_moments


def _is_mostly_dated(texts: Sequence[str]) -> bool:
    return bool(formats_that_read(texts) or formats_with_ending(texts)) or sum(
        1 for text in texts if formats_that_read([text])
    ) > _MANY * len(texts)


def _by_content(sample: FileSample, found: Mapping[str, str]) -> dict[str, str]:
    """Columns of orders whose names say nothing and whose values do."""
    added: dict[str, str] = {}

    def free() -> dict[str, list[str]]:
        taken = {*found.values(), *added.values()}
        return {name: texts[:2_000] for name, texts in sample.columns.items() if name not in taken and texts}

    if "customer_id" not in found:
        mails = [name for name, texts in free().items() if _share(texts, _MAIL.fullmatch) > _MANY]
        added |= {"customer_id": mails[0]} if len(mails) == 1 else {}
    if "currency" not in found:
        codes = [name for name, texts in free().items() if all(is_code(text.strip()) for text in texts)]
        added |= {"currency": codes[0]} if len(codes) == 1 else {}
    if "order_status" not in found:
        states = [name for name, texts in free().items() if is_status(texts)]
        added |= {"order_status": states[0]} if len(states) == 1 else {}
    if "amount" not in found and not {"quantity", "unit_price"} <= set(found):
        money = [name for name, texts in free().items() if _is_money(name, texts)]
        added |= {"amount": money[0]} if len(money) == 1 else {}
    if "order_id" not in found and "product_id" not in added:
        orders = [name for name in free() if _tells_orders(name, sample, {**found, **added})]
        added |= {"order_id": orders[0]} if len(orders) == 1 else {}
    return added


def names_other_money(name: str) -> bool:
    """Whether a column is named after a tax, a discount, a shipping cost and the like; not after an amount with or without it."""
    words = _words_in(name)
    kept = [word for place, word in enumerate(words) if not _is_with(words, place)]
    return any(map(_is_other_money, kept))


def _words_in(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [plain_name(word) for word in re.split(r"[\W_]+", spaced)]


def _is_other_money(word: str) -> bool:
    # A discounted price is a price.
    is_part = not word.endswith("ed") and any(long in word for long in _OTHER_MONEY if len(long) > 5)
    return is_part or bool({word, word.removesuffix("s"), word.removesuffix("es")} & _OTHER_MONEY)


def _is_with(words: Sequence[str], place: int) -> bool:
    """Whether a word says what is in an amount or left out of it, as in ``total incl. tax``."""
    return any(word in _WITH for word in (*words[max(0, place - 2) : place], *words[place + 1 : place + 2]))


def _share(texts: Sequence[str], fits: Callable[[str], object]) -> float:
    return sum(1 for text in texts if fits(text)) / len(texts)


def _is_money(name: str, texts: Sequence[str]) -> bool:
    """Whether a column holds numbers with one or two decimals, and has no name of another thing."""
    if names_other_money(name):
        return False
    marks = (NumberMarks("."), NumberMarks(",", "."), NumberMarks(".", ","), NumberMarks(",", " "))
    is_read = any(all(one.read(text) is not None for text in texts) for one in marks)
    return is_read and _share(texts, lambda text: re.search(r"\d[.,]\d{1,2}\D*$", text)) > 0.3


def _tells_orders(name: str, sample: FileSample, found: Mapping[str, str]) -> bool:
    """Whether each value goes with one customer and one moment, and values are as many as these pairs or more."""
    who, when = (sample.cells.get(found.get(role, "")) for role in ("customer_id", "ordered_at"))
    if who is None or when is None or not _values_of_ids(sample.columns[name]):
        return False
    pairs: dict[str, tuple[str, str]] = {}
    for value, customer, moment in zip(sample.cells[name], who, when, strict=True):
        if not value or pairs.setdefault(value, (customer, moment)) != (customer, moment):
            return False
    return len(pairs) >= len(set(pairs.values())) > 0 and len(pairs) > 1


def _person(sample: FileSample, found: Mapping[str, str]) -> str | None:
    """The column of a customer who comes again, where the column of customers has a new one for nearly every order.

    Some systems give a guest, and others every order, an id of its own, and keep the person in a column next to it.
    """
    customers, orders = (sample.columns.get(found.get(role, ""), []) for role in ("customer_id", "order_id"))
    different = len(set(customers))
    if different < _FEWEST_PERSONS or different < _ONE_EACH * len(set(orders)) or not orders:
        return None
    for name, texts in sample.columns.items():
        is_named = any(
            word in plain_name(name) for word in ("customer", "client", "person", "unique", "member", "buyer")
        )
        is_id = is_named and NOT_IDS.isdisjoint(_words_in(name)) and "name" not in _words_in(name)
        is_mail = bool(texts) and _share(texts[:_LOOKED_AT], _MAIL.fullmatch) > _MANY
        several = _SEVERAL_EACH[0] * different <= len(set(texts)) <= _SEVERAL_EACH[1] * different
        if name not in found.values() and (is_id or is_mail) and several and len(texts) == len(customers):
            return name
    return None


def _values_of_ids(texts: Sequence[str]) -> bool:
    looked_at = texts[:_LOOKED_AT]
    is_word = all(_WORD_OF_ORDER.fullmatch(text) and re.search(r"\d", text) for text in looked_at)
    return is_word and not any(re.fullmatch(r"-?\d+[.,]\d+", text) for text in looked_at)


def _names_orders(sample: FileSample, found: Mapping[str, str]) -> bool:
    """Whether a column of parents names orders of the file, where it names anything."""
    texts = sample.columns.get(found["parent_order_id"], [])
    orders = set(sample.columns.get(found.get("order_id", ""), ()))
    return "order_id" in found and (not texts or bool(orders & set(texts)))
