"""What the statuses of a source mean: sale, return, void or ignore.

Elsewhere: the other rules about orders (``order_rules.py``), matching rows (``sql/raw/parts/meanings.sql``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

Meaning = Literal["sale", "return", "void", "ignore"]

#: Meanings of common statuses. A state that an order came into (refunded, cancelled) voids it: its sale is this very row.
#: A status that names what a line is (return, refund) makes it a return: the sale is another row.
COMMON_PHRASES: dict[Meaning, tuple[str, ...]] = {
    "sale": (
        *("complete", "completed", "paid", "paid out", "sale", "sold", "ok", "success", "successful", "succeeded"),
        *("processing", "processed", "confirmed", "approved", "accepted", "captured", "settled", "invoiced", "billed"),
        *("shipped", "partially shipped", "dispatched", "in transit", "delivered", "fulfilled", "partially fulfilled"),
        *("closed", "done", "finished", "partially refunded", "partial refund"),
        *("invoice", "payment", "charge", "purchase", "order"),
    ),
    "return": ("return", "refund", "credit", "credit note", "credit memo"),
    "void": (
        *("cancel", "canceled", "cancelled", "cancellation", "void", "voided", "annulled"),
        *("refunded", "fully refunded", "returned", "reversed", "charged back", "chargeback"),
        *("failed", "failure", "declined", "denied", "rejected", "expired", "abandoned", "fraud"),
        *("pending", "pending payment", "payment pending", "awaiting payment", "unpaid", "draft", "checkout draft"),
        *("deleted", "trash"),
    ),
    "ignore": ("test",),
}
#: Statuses of an order that was given back as a whole.
REFUNDED = ("refunded", "fully refunded")


def _spellings(phrase: str) -> tuple[str, ...]:
    """A phrase with blanks, hyphens and underscores, each also as WooCommerce stores it."""
    joined = dict.fromkeys(phrase.replace(" ", mark) for mark in (" ", "-", "_", ""))
    return tuple(f"{prefix}{text}" for text in joined for prefix in ("", "wc-"))


COMMON_STATUSES: dict[str, Meaning] = {
    spelling: meaning
    for meaning, phrases in COMMON_PHRASES.items()
    for phrase in phrases
    for spelling in _spellings(phrase)
}
"""Meaning per common status, in lower case."""
REFUNDED_STATUSES = tuple(spelling for phrase in REFUNDED for spelling in _spellings(phrase))


def _as_statuses(value: Any) -> Any:
    """Keys as text: YAML reads 1, yes and an empty key as a number, a truth value and nothing."""
    if not isinstance(value, Mapping):
        return value
    statuses: dict[str, Any] = {}
    for key, meaning in value.items():
        text = "" if key is None else str(key).strip()
        known = next((given for given in statuses if given.lower() == text.lower()), None)
        if known is not None:
            raise ValueError(f"{known!r} and {text!r} are one status: case does not count; keep one of them")
        statuses[text] = meaning
    return statuses


def split_patterns(keys: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Exact values, and patterns as LIKE takes them with a backslash as escape; the most specific pattern first."""
    exact = {key: value for key, value in keys.items() if "*" not in key}
    patterns = sorted((key for key in keys if "*" in key), key=lambda key: -len(key.replace("*", "")))
    return exact, {_as_like(key): keys[key] for key in patterns}


def _as_like(pattern: str) -> str:
    for mark in ("\\", "%", "_"):
        pattern = pattern.replace(mark, f"\\{mark}")
    return pattern.replace("*", "%")


Statuses = Annotated[dict[str, Meaning], BeforeValidator(_as_statuses)]
