"""Tables of the schema ``activation``: what each destination was sent, and what became of it.

Elsewhere: reading and writing them (``planning.py``, ``trail.py``).
"""

from __future__ import annotations

from dataclasses import replace

from tdml_assets.platform.contracts import Column, TableContract

_DESTINATION = Column("destination", "VARCHAR", "Name of the destination in the settings.", False)
_CUSTOMER = Column("customer_id", "VARCHAR", "Customer, as in audience.parent_segment_attributes.", False)
#: Once per destination.
_UNIQUE_CUSTOMER = replace(_CUSTOMER, compressed=False)
_SESSION = Column("session_id", "VARCHAR", "Session that published the attributes.", False)
_HASH = Column(
    "row_hash",
    "HUGEINT",
    "Hash of the columns whose change sends the row again; NULL in rows of an older version.",
)

SYNC_RUNS = TableContract(
    "activation",
    "sync_runs",
    "One row per sync.",
    (
        _SESSION,
        _DESTINATION,
        Column(
            "status",
            "VARCHAR",
            "running, succeeded, degraded (rows failed, or slower than allowed), refused (by a guard: nothing was sent), "
            "failed, or interrupted (the process ended).",
            False,
        ),
        Column("added", "BIGINT", "Rows that were new there and were taken."),
        Column("changed", "BIGINT", "Rows that had changed and were taken."),
        Column("unchanged", "BIGINT", "Rows that had not changed and were not sent."),
        Column("removed", "BIGINT", "Rows that were removed there."),
        Column("failed", "BIGINT", "Rows that were refused there: see activation.dead_letters."),
        Column("seconds", "DOUBLE", "Duration."),
        Column("sync_id", "VARCHAR", "Id of the sync.", False),
        Column("mode", "VARCHAR", "As of the destination's settings."),
        Column("source_rows", "BIGINT", "Customers in the source."),
        Column("excluded", "BIGINT", "Of these, not sent for want of consent or by suppression."),
        Column("skipped", "BIGINT", "Rows that the mode left alone there."),
        Column("waiting", "BIGINT", "Rows not sent because they failed before: tdml-assets retry."),
        Column("attempts", "BIGINT", "Requests, attempts that were repeated among them."),
        Column("started_at", "TIMESTAMP", "When, in UTC."),
        Column("reason", "VARCHAR", "Why it is not succeeded; no customer's value."),
    ),
    ("destination", "sync_id"),
)
SYNC_CHANGELOG = TableContract(
    "activation",
    "sync_changelog",
    "One row per change that a destination acknowledged.",
    (
        _DESTINATION,
        _CUSTOMER,
        Column("action", "VARCHAR", "added, changed or removed.", False),
        _SESSION,
        Column("at", "TIMESTAMP", "When it was acknowledged, in UTC.", False),
    ),
)
SYNC_STATE = TableContract(
    "activation",
    "sync_state",
    "One row per destination and customer it holds, as last acknowledged.",
    (
        _DESTINATION,
        _UNIQUE_CUSTOMER,
        _HASH,
        _SESSION,
        Column("at", "TIMESTAMP", "When it was acknowledged, in UTC.", False),
    ),
)
DEAD_LETTERS = TableContract(
    "activation",
    "dead_letters",
    "One row per destination and customer whose row was refused there. It is not sent again until it changes, or by retry.",
    (
        _DESTINATION,
        _CUSTOMER,
        Column("action", "VARCHAR", "added, changed or removed.", False),
        Column("code", "VARCHAR", "Short and stable.", False),
        Column("reason", "VARCHAR", "Why, in words; no customer's value.", False),
        Column("attempts", "BIGINT", "Syncs in which it was refused.", False),
        _HASH,
        _SESSION,
        Column("first_at", "TIMESTAMP", "When it was refused first, in UTC.", False),
        Column("at", "TIMESTAMP", "When it was refused last, in UTC.", False),
    ),
)
SYNC_MAPPINGS = TableContract(
    "activation",
    "sync_mappings",
    "One row per destination: which columns it was last sent, and since when what it holds is mirrored.",
    (
        _DESTINATION,
        Column("mapping_sha256", "VARCHAR", "Hash of columns, names, types and mode of comparison.", False),
        Column("mirrored_since", "TIMESTAMP", "End of the first sync in mode mirror; NULL before."),
        Column("hash_form", "VARCHAR", "What made the hashes of rows; NULL for an older version of this program."),
    ),
    ("destination",),
)
PLANNED = TableContract(
    "activation",
    "planned_changes",
    "One row per change of the sync that is running: those of it that are not in sync_state yet.",
    (
        _DESTINATION,
        Column("batch", "BIGINT", "Number of its batch, from 1.", False),
        _UNIQUE_CUSTOMER,
        Column("action", "VARCHAR", "added, changed or removed.", False),
        _HASH,
    ),
    ("destination",),
)
ACKNOWLEDGED = TableContract(
    "activation",
    "acknowledged_batches",
    "One row per batch of planned_changes that was acknowledged, until the end of the sync writes its rows to sync_state.",
    (
        _DESTINATION,
        Column("batch", "BIGINT", "Number of the batch.", False),
        _SESSION,
        Column("at", "TIMESTAMP", "When it was acknowledged, in UTC.", False),
    ),
    ("destination",),
)
TABLES = (SYNC_RUNS, SYNC_CHANGELOG, SYNC_STATE, DEAD_LETTERS, SYNC_MAPPINGS, PLANNED, ACKNOWLEDGED)
