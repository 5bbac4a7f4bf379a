"""What a file of orders probably means by its values: a known export, statuses, the currency.

Elsewhere: which column means what (``guess_columns.py``), what the lines of an order have in common (``guess_lines.py``), the
settings file (``commands/settings_draft.py``).
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import median
from typing import Any

from tdml_assets.declaration.presets import PRESETS, preset_keys, preset_layouts
from tdml_assets.declaration.statuses import COMMON_STATUSES, Meaning
from tdml_assets.stages.raw.column_words import probable_meaning
from tdml_assets.stages.raw.currencies import currencies_of, exponent_of, is_code
from tdml_assets.stages.raw.dates import formats_that_read, reads
from tdml_assets.stages.raw.numbers import currency_mark
from tdml_assets.stages.raw.sample import FileSample

#: Signs that one currency has; a dollar sign has many.
_SIGNS = {"€": "EUR", "£": "GBP", "EUR": "EUR", "GBP": "GBP", "USD": "USD", "CHF": "CHF", "円": "JPY"}
_LOOKED_AT = 50
_MOST_STATUSES = 30
# Amounts that say whether they are cents: so many, and half of them at least so large.
_LEAST_AMOUNTS, _CENTS = 10, 100
_YES, _NO = {"true", "yes", "y", "t", "1"}, {"false", "no", "n", "f", "0"}
_AROUND_A_FLAG = {"", "is", "was", "at", "on", "date", "order", "flag"}
_DEBIT = re.compile(r"\b(debits?|soll|debe|débit|débito|dare)\b", re.IGNORECASE)
_CREDIT = re.compile(r"\b(credits?|haben|haber|crédit|crédito|avere)\b", re.IGNORECASE)
_TYPE = re.compile(
    r"(transaction|record|row|entry|document|doc|order|event|invoice|voucher|beleg|vorgangs?|buchungs?)?(type|kind|art|typ)",
    re.IGNORECASE,
)
#: Kinds of documents as codes, such as INV and CRN; a channel of sales is no such code.
_CODE, _MOST_CODES = re.compile(r"[A-Z][A-Z0-9]{0,3}"), 8
_CHANNELS = frozenset(("WEB", "POS", "APP", "B2B", "B2C", "D2C", "IOS", "SHOP", "EBAY", "TEL", "FAX", "MAIL"))
_PRESET_FORMATS = ("csv", "parquet", "xlsx")
_DISCOUNT = re.compile(r"(discount|rabatt|nachlass|remise|descuento|desconto|sconto|korting)(?!ed)", re.IGNORECASE)
_CODE_IN_NAME = re.compile(r"(?:^|[\W_])([A-Za-z]{3})(?:$|[\W_])")


def known_export(sample: FileSample) -> tuple[str, dict[str, str]] | None:
    """The preset whose every column is in the file and whose format reads its times, and these columns; ``None`` for none."""
    fitting: list[tuple[int, str, dict[str, str]]] = []
    for name in PRESETS if sample.format in _PRESET_FORMATS and sample.has_header else ():
        keys = preset_keys(name)
        formats = keys["timestamp_format"]
        formats = [formats] if isinstance(formats, str) else formats
        for columns in preset_layouts(name):
            moment = columns["ordered_at"]
            times = sample.columns.get(moment, ())[:_LOOKED_AT] if moment not in sample.typed_moments else ()
            is_read = all(any(reads(text, one) for one in formats) for text in times)
            if set(columns.values()) <= set(sample.cells) and is_read:
                fitting.append((len(columns), name, columns))
    if not fitting:
        return None
    _, name, columns = max(fitting, key=lambda found: found[0])
    product, title = columns.get("product_id", ""), columns.get("product_name", "")
    if sample.columns.get(title) and not sample.columns.get(product):
        # A shop without product codes: names are all that tells products apart.
        columns = {**columns, "product_id": title}
    return name, columns


def statuses_of(texts: Collection[str]) -> tuple[str, ...]:
    """The different statuses, where they are few."""
    found = sorted({text.strip() for text in texts})
    return tuple(found) if len(found) <= _MOST_STATUSES else ()


def is_status(texts: Collection[str]) -> bool:
    """Whether the values of a column are statuses: few, of which most are known."""
    found = statuses_of(texts)
    known = [one for one in found if _plain(one) in COMMON_STATUSES or is_guessed_word(one)]
    return len(found) > 0 and len(known) * 2 > len(found) and not any(one.isdigit() for one in found)


def sides_of(sample: FileSample) -> tuple[str, str] | None:
    """The columns of debit and of credit, where amounts are in two columns; None where they are not."""
    found = []
    for words in (_DEBIT, _CREDIT):
        named = [name for name, texts in sample.columns.items() if words.search(name) and _are_figures(texts)]
        found.append(next((name for name in named if not (_DEBIT.search(name) and _CREDIT.search(name))), ""))
    return (found[0], found[1]) if all(found) else None


def _are_figures(texts: Collection[str]) -> bool:
    return bool(texts) and all(re.search(r"\d", text) for text in texts)


def flags_of(sample: FileSample, taken: Collection[str]) -> dict[str, dict[str, Meaning]]:
    """Columns such as ``is_test`` or ``cancelled_at`` that say of some rows what they are, and what their values mean."""
    found: dict[str, dict[str, Meaning]] = {}
    for name, texts in sample.columns.items():
        words = [word for word in re.split(r"[\W_]+", name.lower()) if word not in _AROUND_A_FLAG]
        meaning = COMMON_STATUSES.get(" ".join(words), "sale")
        if name in taken or meaning not in ("void", "ignore") or not texts:
            continue
        values = set(texts)
        if {one.lower() for one in values} <= _YES | _NO:
            found[name] = {one: meaning if one.lower() in _YES else "sale" for one in sorted(values)}
            continue
        is_dated = name in sample.typed_moments or bool(formats_that_read(texts[:_LOOKED_AT]))
        if is_dated and len(texts) < sample.row_count:
            found[name] = {"*": meaning}
    return found


def types_of(sample: FileSample, taken: Collection[str]) -> dict[str, dict[str, Meaning]]:
    """Columns such as ``Transaction Type`` whose words say of some rows that they are no sales: withdrawals, refunds."""
    found: dict[str, dict[str, Meaning]] = {}
    for name, texts in sample.columns.items():
        counts = Counter(text.strip() for text in texts)
        if name in taken or not _TYPE.fullmatch(re.sub(r"[\W_]+", "", name)) or len(counts) > _MOST_STATUSES:
            continue
        said = {one: meaning_of(one)[0] for one in sorted(counts)}
        others: dict[str, Meaning] = {one: meaning for one, meaning in said.items() if meaning != "sale"}
        if others and sum(counts[one] for one in others) * 2 < counts.total():
            found[name] = others
    return found


def codes_of(sample: FileSample, found: Mapping[str, str], read: Callable[[str], float | None]) -> str | None:
    """A column of kinds of documents whose codes no word explains, where the signs of amounts do not say what is taken back."""
    money = sample.cells.get(found.get("amount", found.get("unit_price", "")), ())
    for name, texts in sample.cells.items():
        codes = {text.strip() for text in texts}
        is_taken = name in found.values() or not _TYPE.fullmatch(re.sub(r"[\W_]+", "", name))
        if is_taken or not 1 < len(codes) <= _MOST_CODES or not all(map(_CODE.fullmatch, codes)) or codes & _CHANNELS:
            continue
        signs = dict.fromkeys(codes, False)
        for code, text in zip(texts, money, strict=False):
            signs[code.strip()] |= (read(text) or 0.0) < 0
        if not any(signs.values()) and not all(meaning_of(code)[1] for code in codes):
            return name
    return None


def meaning_of(status: str, declared: Mapping[str, Any] | None = None) -> tuple[Meaning, bool]:
    """What a status counts as, and whether a run knows that without a declaration."""
    plain = _plain(status)
    keys = {key.lower(): value for key, value in (declared or {}).items()}
    patterns = sorted((key for key in keys if "*" in key), key=lambda key: -len(key))
    pattern = next((key for key in patterns if fnmatch.fnmatchcase(plain, key)), None)
    declared_meaning = keys.get(plain, keys.get(pattern) if pattern is not None else None)
    if declared_meaning is not None or plain in COMMON_STATUSES:
        return declared_meaning or COMMON_STATUSES[plain], True
    return probable_meaning(status) or "sale", False


def unexplained(texts: Sequence[str], *, is_refund_known: bool = True) -> tuple[str, ...]:
    """Statuses whose words say nothing, but for the one of most rows: what happens to most orders is that they are sold."""
    counts = Counter(text.strip() for text in texts)
    unknown = [one for one in counts if not meaning_of(one)[1] and not is_guessed_word(one)]
    plain = {_plain(one): one for one in counts}
    if {"complete", "closed"} <= set(plain) and not is_refund_known:
        # Magento closes an order that was given back; a till closes every sale.
        unknown.append(plain["closed"])
    return tuple(sorted(one for one in unknown if counts[one] * 2 <= counts.total()))


def is_guessed_word(status: str) -> bool:
    """Whether a status is a word that means something, in another language or of a payment system."""
    return probable_meaning(status) is not None


def _plain(status: str) -> str:
    return status.strip().lower()


def currency_in(texts: Collection[str]) -> str | None:
    """The currency whose sign or code is in every one of ``texts``."""
    codes = {code for sign, code in _SIGNS.items() if texts and all(sign in text for text in texts)}
    if not codes and texts:
        # A sign of several currencies, such as $, says nothing.
        marks = {currency_mark(text) for text in texts}
        codes = set(currencies_of(marks.pop())) if len(marks) == 1 else set()
    return codes.pop() if len(codes) == 1 else None


def currency_of_name(columns: Sequence[str]) -> str | None:
    """The currency whose code is part of a column's name, such as ``Total (EUR)``."""
    found = {match.upper() for name in columns for match in _CODE_IN_NAME.findall(name) if is_code(match)}
    return found.pop() if len(found) == 1 else None


def may_be_minor(amounts: Sequence[str], codes: Sequence[str]) -> bool:
    """Whether amounts may be cents: whole numbers of hundreds, next to codes such as ``eur``, as payment systems write both."""
    numbers = [int(text) for text in amounts if text.isdigit()]
    is_whole = len(numbers) == len(amounts) >= _LEAST_AMOUNTS and median(numbers) >= _CENTS
    kinds = set(codes)
    return (
        is_whole
        and bool(kinds)
        and all(is_code(code) and code.islower() and exponent_of(code.upper()) for code in kinds)
    )


def discount_of(sample: FileSample, used: Collection[str], read: Callable[[str], object]) -> str | None:
    """A column of discounts that some lines have, which a price by a quantity leaves out; None without one."""
    for name, texts in sample.cells.items():
        if name not in used and _DISCOUNT.search(name) and any(read(text.strip(" %")) for text in texts):
            return name
    return None
