"""Who may be sent where: lists of consent and suppression, customers who asked to be forgotten.

Elsewhere: the statement (``sql/activation/plan.sql``), how the lists are loaded (``stages/raw/``).

A list that is declared and cannot be read forbids the sync: a customer whose consent nobody can look up is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.destinations import AsksPermission
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

Path = tuple[str, str]
FORGOTTEN_TABLE = ("raw", "forgotten_customers")
REJECTED_TABLE = ("raw", "rejected_rows")
_SALT = "salt"
_NEEDED = ("customer_id", "purpose", "destination", "allowed")
#: Reasons of lines that are set aside without anybody's wish being lost.
_HARMLESS = ("forgotten_customer", "footer_row", "duplicate_line", "superseded_line")
#: What a consent that was given is written as, in small letters.
GRANTED = ("true", "t", "yes", "y", "1", "granted", "opt_in", "opt-in", "subscribed")


def permission_context(database: Database, settings: AsksPermission, lists: Mapping[str, Path]) -> dict[str, Any]:
    """What the statement of a plan asks. ``lists``: table per declared list, ``consent`` and ``suppression``."""
    readable = {name: path for name, path in lists.items() if not _missing(database, path)}
    return {
        "forgotten_table": FORGOTTEN_TABLE if _SALT in database.columns(FORGOTTEN_TABLE) else None,
        "suppression_table": readable.get("suppression"),
        "consent_table": readable.get("consent"),
        "purpose": settings.purpose,
        "allow_unknown": settings.unknown_consent == "allow",
        "granted": list(GRANTED),
    }


def permission_faults(database: Database, settings: AsksPermission, lists: Mapping[str, Path]) -> tuple[str, ...]:
    """Why the lists cannot be asked; empty where they can."""
    faults = [
        f"sources.{name} is declared, and {'.'.join(path)} is not loaded: tdml-assets run"
        for name, path in lists.items()
        if _missing(database, path)
    ]
    faults += [fault for name in lists if (fault := unreadable_fault(name, unreadable_lines(database, name)))]
    if database.has_table(FORGOTTEN_TABLE) and _SALT not in database.columns(FORGOTTEN_TABLE):
        faults.append("raw.forgotten_customers is of an older version: tdml-assets run")
    if settings.purpose is not None and "consent" not in lists:
        faults.append(f"purpose {settings.purpose} needs a list of consents: declare sources.consent")
    if settings.needs_purpose and settings.purpose is None and "consent" in lists:
        faults.append("sources.consent is declared, and the destination names no purpose: set purpose, such as email")
    return tuple(faults)


def unreadable_lines(database: Database, name: str) -> dict[str, int]:
    """Lines of a list that were set aside for what is in them, by reason: whose they are is not known."""
    if not database.has_table(REJECTED_TABLE):
        return {}
    statement = render("activation/unreadable_lines", rejected=REJECTED_TABLE, source=name, harmless=list(_HARMLESS))
    return {row["reason"]: row["row_count"] for row in database.rows(statement)}


def unreadable_fault(name: str, reasons: Mapping[str, int]) -> str | None:
    """Why a list with such lines forbids a sync; None without any."""
    if not reasons:
        return None
    found = ", ".join(f"{code} {count:,}" for code, count in reasons.items())
    return (
        f"sources.{name} has {sum(reasons.values()):,} lines that cannot be read ({found}), and whom they are about is not known: "
        f"correct them, tdml-assets rejected shows them"
    )


def _missing(database: Database, path: Path) -> bool:
    columns = database.columns(path)
    return not all(column in columns for column in _NEEDED)
