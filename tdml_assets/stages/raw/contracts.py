"""The raw tables: their contracts, and the reasons for which a row is kept out of them.

Elsewhere: how rows are read and judged (``rules.py``, ``sql/raw``).
"""

from __future__ import annotations

from collections.abc import Sequence

from tdml_assets.platform.contracts import Column, TableContract

LINEAGE = (
    Column("source", "VARCHAR", "Key of the source in the settings.", False),
    Column("file", "VARCHAR", "File the row came from: a path relative to the settings file, or an address.", False),
    Column("row_number", "BIGINT", "Data row in the file, counted from 1; unique within the file.", False),
)
_CUSTOMER = Column("customer_id", "VARCHAR", "Who, as text: leading zeros are kept.", False)

ORDERS = TableContract(
    "raw",
    "orders",
    "One row per order line.",
    (
        Column("order_id", "VARCHAR", "Order or invoice."),
        _CUSTOMER,
        Column("ordered_at", "TIMESTAMP", "When, in UTC.", False),
        Column("product_id", "VARCHAR", "What."),
        Column("product_category", "VARCHAR", "Category of the product."),
        Column("product_name", "VARCHAR", "Name of the product."),
        Column("quantity", "DECIMAL(18, 4)", "Units; negative for a return."),
        Column("unit_price", "DECIMAL(18, 6)", "Price of one unit, in the reporting currency."),
        Column("amount", "DECIMAL(18, 4)", "Signed total of the line less refunds, in the reporting currency.", False),
        Column(
            "is_return",
            "BOOLEAN",
            "Whether the line takes a product back: negative quantity, a status, a refund.",
            False,
        ),
        Column("is_product", "BOOLEAN", "Whether the line is of a product: not of shipping, a discount, ...", False),
        Column("order_status", "VARCHAR", "Status, as the source writes it."),
        Column("order_type", "VARCHAR", "Channel."),
        Column("coupon_used", "BOOLEAN", "Whether a coupon was used."),
        Column("currency", "VARCHAR", "The reporting currency: that of amount and unit_price."),
        Column("ordered_on", "DATE", "Calendar day in the source's time zone.", False),
        *LINEAGE,
    ),
)
PAGEVIEWS = TableContract(
    "raw",
    "pageviews",
    "One row per page view.",
    (
        _CUSTOMER,
        Column("viewed_at", "TIMESTAMP", "When, in UTC.", False),
        Column("path", "VARCHAR", "Path of the page."),
        Column("viewed_on", "DATE", "Calendar day in the source's time zone.", False),
        *LINEAGE,
    ),
)
EMAIL_EVENTS = TableContract(
    "raw",
    "email_events",
    "One row per e-mail event.",
    (
        _CUSTOMER,
        Column("sent_at", "TIMESTAMP", "When, in UTC.", False),
        Column("event_type", "VARCHAR", "send, open, click, bounce, unsubscribe, ..., as the source writes it."),
        Column("email_name", "VARCHAR", "Which e-mail."),
        Column("campaign_name", "VARCHAR", "Which campaign."),
        Column("sent_on", "DATE", "Calendar day in the source's time zone.", False),
        *LINEAGE,
    ),
)
CUSTOMERS = TableContract(
    "raw", "customers", "One row per customer: what the source has, as text.", (_CUSTOMER, *LINEAGE)
)
_RECORDED = (
    Column("recorded_at", "TIMESTAMP", "When the source recorded the row as it is, in UTC.", False),
    Column("recorded_on", "DATE", "Calendar day of recorded_at in the source's time zone.", False),
)


def recorded_contract(contract: TableContract) -> TableContract:
    """Contract of a raw table whose source tells when its rows were recorded."""
    return TableContract(contract.schema, contract.name, contract.description, (*contract.columns, *_RECORDED))


def replaced_contract(contract: TableContract) -> TableContract:
    """Contract of the earlier states of a raw table's rows."""
    last_day = Column("replaced_on", "DATE", "Day on which the next state of the row was recorded.", False)
    return TableContract(
        contract.schema,
        f"replaced_{contract.name}",
        f"One row per earlier state of a row of {contract.schema}.{contract.name} that counted at the end of a day.",
        (*contract.columns, *_RECORDED, last_day),
    )


TABLES = {contract.name: contract for contract in (ORDERS, PAGEVIEWS, EMAIL_EVENTS, CUSTOMERS)}
"""Contract per raw table that has a source, by the source's key in the settings."""

_PERMISSION = (
    _CUSTOMER,
    Column("purpose", "VARCHAR", "What for; NULL for every purpose."),
    Column("destination", "VARCHAR", "Where to; NULL for every destination."),
    Column("allowed", "VARCHAR", "Whether consent was given, as the source writes it; NULL where it does not say."),
    *LINEAGE,
)
PERMISSION_LISTS = {
    "consent": TableContract("raw", "consent", "One row per consent that was given or refused.", _PERMISSION),
    "suppression": TableContract("raw", "suppression", "One row per customer who is not sent anything.", _PERMISSION),
}
"""Lists that destinations ask: loaded by each sync, and no part of what is learnt from."""
LOADED = {**TABLES, **PERMISSION_LISTS}

REJECTED_ROWS = TableContract(
    "raw",
    "rejected_rows",
    "One row per row that was read and not accepted. Accepted and rejected rows together are the rows of the files.",
    (
        *LINEAGE,
        Column("reason", "VARCHAR", "Why: a code of the list below, the first that applies.", False),
        Column("content", "VARCHAR", "The whole row as a JSON object, by the source's column names.", False),
        Column("session_id", "VARCHAR", "Session that read it.", False),
    ),
    ("source",),
)
LOADS = TableContract(
    "raw",
    "loads",
    "One row per file that a raw table mirrors, written in the transaction of its rows.",
    (
        Column("source", "VARCHAR", "Key of the source in the settings.", False),
        Column("file", "VARCHAR", "The file, as in the rows' lineage.", False),
        Column("content_sha256", "VARCHAR", "Hash of the file's bytes.", False),
        Column("declaration_sha256", "VARCHAR", "Hash of the declaration and of the loader's rules.", False),
        Column("rows_read", "BIGINT", "Rows in the file.", False),
        Column("rows_accepted", "BIGINT", "Of these, in the raw table.", False),
        Column("rows_rejected", "BIGINT", "Of these, in raw.rejected_rows.", False),
        Column("header", "VARCHAR", "The file's column names, as a JSON list.", False),
        Column("waits_until", "TIMESTAMP", "Earliest time of its rows rejected as future_timestamp, in UTC."),
        Column("written_at", "TIMESTAMP", "When the file was last written, in UTC; NULL where that is not known."),
        Column("session_id", "VARCHAR", "Session that loaded it.", False),
        Column("committed_at", "TIMESTAMP", "When, in UTC.", False),
    ),
    ("source",),
)

IDENTITY_LINKS = TableContract(
    "raw",
    "identity_links",
    "One row per old id and time from which it belongs to a person, as sources.identities says.",
    (
        Column("old_id", "VARCHAR", "Id of an account or of another system.", False),
        Column("customer_id", "VARCHAR", "The person, who may be another's old id again.", False),
        Column("valid_from", "TIMESTAMP", "From when, in UTC; NULL from the beginning."),
        Column("valid_to", "TIMESTAMP", "Until when, in UTC; NULL until today."),
    ),
)
ORDER_STATUSES = TableContract(
    "raw",
    "order_statuses",
    "One row per status of the orders' source and what it counts as, written in the transaction of its rows.",
    (
        Column("order_status", "VARCHAR", "Status, as the source writes it; NULL for rows without one."),
        Column("meaning", "VARCHAR", "sale, return, void or ignore.", False),
        Column(
            "meaning_from",
            "VARCHAR",
            "declared in statuses, one of the common ones, or none: counted as a sale.",
            False,
        ),
        Column("row_count", "BIGINT", "Rows, accepted or not.", False),
        Column("amount", "DECIMAL(38, 4)", "Their money, in the reporting currency, whatever they count as.", False),
    ),
)

REASONS = {
    "forgotten_customer": "the customer asked to be forgotten: tdml-assets forget",
    "footer_row": "the row is one of the last that skip_footer_rows declares to be no data",
    "short_row": "the row has fewer fields than the header, and a mapped column is among those that are missing",
    "long_row": "the row has more fields than the header",
    "broken_row": "the quotes of the row break the rules of CSV",
    "nested_value": "a mapped column holds an object or a list where a value is wanted",
    "recorded_later": "the row was recorded after as_of: recorded_at",
    "bad_recorded_at": "recorded_at is empty or not in the declared format, so that no day is known from which the row counts",
    "void_status": "the status says that the order came to nothing: cancelled, refunded, failed, ...; see statuses",
    "ignored_status": "the status is one to ignore; see statuses",
    "excluded_kind": "the line is of a kind that is not part of spend; see line_kinds",
    "unknown_parent_order": "a refund without a customer names an order that is in no file",
    "missing_customer": "customer_id is empty",
    "rounded_customer": "customer_id has lost digits, as 1.23457E+15 has, and would make several customers one",
    "nul_character": "a mapped text holds a NUL character",
    "bad_timestamp": "the timestamp, or updated_at, is empty or not in the declared format",
    "nonexistent_local_time": "the local time was skipped when clocks went forward",
    "ambiguous_local_time": "the local time happened twice when clocks went back, and ambiguous_time is reject",
    "future_timestamp": "the timestamp, or recorded_at, is more than a day after the load",
    "too_old": "the day is before the declared earliest one",
    "bad_number": "a quantity, price or amount is not a number",
    "not_finite": "a quantity, price or amount is NaN or infinite",
    "other_currency": "an amount has the sign or code of another currency than its row",
    "bad_flag": "coupon_used is neither yes nor no",
    "missing_amount": "the line has neither an amount nor both a quantity and a unit price",
    "out_of_bounds": "a quantity, price or amount lies outside the declared bounds, or beyond what its column holds",
    "unknown_currency": "the currency is empty or has no declared rate",
    "duplicate_line": "equal in every mapped column to the accepted row of the same line key",
    "superseded_line": "an earlier state of a line: another row of the same line key is later",
}
"""What each reason code means, in the order in which they are tried: a row has the first that applies."""

DECLARED_OUT = ("forgotten_customer", "recorded_later", "void_status", "ignored_status", "excluded_kind")
"""Reasons of rows that are read and left out as declared: no fault of the rows."""


def customers_contract(columns: Sequence[str]) -> TableContract:
    """Contract of ``raw.customers`` for a source with these columns besides ``customer_id``."""
    kept = tuple(Column(name, "VARCHAR", "As the source has it.") for name in columns)
    return TableContract(CUSTOMERS.schema, CUSTOMERS.name, CUSTOMERS.description, (_CUSTOMER, *kept, *LINEAGE))
