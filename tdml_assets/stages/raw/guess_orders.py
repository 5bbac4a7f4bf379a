"""What a file of orders probably means by its values: a known export, totals of whole orders, statuses, the currency sign.

Belongs here: these guesses. Does not: which column means what (``guess.py``), the settings file (``commands/settings_draft.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tdml_assets.declaration.presets import PRESETS, preset_keys
from tdml_assets.declaration.statuses import COMMON_STATUSES, Meaning, split_patterns
from tdml_assets.stages.raw.dates import reads

#: Signs that one currency has; a dollar sign has many.
_SIGNS = {"€": "EUR", "£": "GBP", "EUR": "EUR", "GBP": "GBP", "USD": "USD", "CHF": "CHF"}
_LOOKED_AT = 50
#: Orders of several lines, and the share of them with one amount, from where the amount is the order's.
_FEWEST_ORDERS = 20
_ALIKE = 0.95
#: Amounts of orders with several lines over those with one: a total grows with the lines, one price for everything does not.
_GROWS = 1.2
#: Among the orders of a shop with one price there are few different amounts.
_FEWEST_AMOUNTS = 10


def known_export(columns: Mapping[str, Sequence[str]]) -> str | None:
    """The preset whose every column is in the file, and whose format reads its times; ``None`` if there is none."""
    fitting = []
    for name in PRESETS:
        keys = preset_keys(name)
        mapped = set(keys["columns"].values())
        formats = keys["timestamp_format"]
        formats = [formats] if isinstance(formats, str) else formats
        times = columns.get(keys["columns"]["ordered_at"], ())[:_LOOKED_AT]
        if mapped <= set(columns) and all(any(reads(text, one) for one in formats) for text in times):
            fitting.append((len(mapped), name))
    return max(fitting)[1] if fitting else None


def is_total_of_order(orders: Sequence[str], amounts: Sequence[str], read: Callable[[str], float | None]) -> bool:
    """Whether an amount is the order's total, on each of its lines.

    Parameters
    ----------
    orders, amounts : texts by row; of different lengths where a column has gaps, which says nothing.
    read : reads a number.
    """
    if len(orders) != len(amounts):
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


def _mean(numbers: Sequence[float]) -> float:
    return sum(map(abs, numbers)) / len(numbers)


def meaning_of(status: str, declared: Mapping[str, Any] | None = None) -> tuple[Meaning, bool]:
    """What a status counts as, and whether that is known rather than assumed."""
    plain = status.strip().lower()
    exact, _ = split_patterns(declared or {})
    known = {key.lower(): value for key, value in exact.items()} | COMMON_STATUSES
    return known.get(plain, "sale"), plain in known


def currency_in(texts: Collection[str]) -> str | None:
    """The currency whose sign or code stands in every one of ``texts``."""
    codes = {code for sign, code in _SIGNS.items() if texts and all(sign in text for text in texts)}
    return codes.pop() if len(codes) == 1 else None
