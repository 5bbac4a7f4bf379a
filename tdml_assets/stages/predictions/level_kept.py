"""What a champion says of the labelled rows of its training table, kept from one session to the next.

Belongs here: the table, and whether it still holds. Does not: the comparison (``stages/training/fit.py``), what is made of it
(``level.py``).

Scoring the labelled rows again is most of what scoring costs in a session that trains nothing, and gives the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

from tdml_assets.engines.level import Kind, Snapshot
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.environment import code_version, library_versions
from tdml_assets.platform.reuse import hash_of
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.models.bundles import Manifest
    from tdml_assets.platform.warehouse import Database


def kept_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.level_snapshots``."""
    return TableContract(
        workflow,
        "level_snapshots",
        "One row per labelled snapshot: what the champion says of its customers before the level is corrected, and what happened.",
        (
            Column(
                "identity", "VARCHAR", "SHA-256 over the model, code, libraries and rows that were compared.", False
            ),
            Column("day", "DATE", "Day of the snapshot.", False),
            Column("customers", "BIGINT", "Customers compared.", False),
            Column("predicted", "DOUBLE", "Total predicted: money, or customers to whom it happens.", False),
            Column("actual", "DOUBLE", "Total that happened.", False),
            Column(
                "gap", "DOUBLE", "What agrees when added to the logarithm of predictions, or to their log-odds.", False
            ),
            Column("variance", "DOUBLE", "Variance of the gap, if the customers were drawn again.", False),
            Column(
                "slope",
                "DOUBLE",
                "Rise of the log-odds of the mean per rise of every customer's; 1 for amounts.",
                False,
            ),
        ),
    )


def kept_snapshots(
    database: Database,
    manifest: Manifest,
    days: Sequence[date],
    kind: Kind,
    compare: Callable[[], list[Snapshot]],
) -> list[Snapshot]:
    """The snapshots as they were compared before; compared and kept where the model, the rows or the code are others.

    ``compare``: compares the model with the rows of ``days`` in the training table, of many with the same share every time.
    """
    contract = kept_contract(manifest.workflow)
    rows = database.content((manifest.workflow, "training_table"))
    files = [[file.name, file.sha256] for file in manifest.files]
    identity = hash_of([code_version(), library_versions(), files, rows, kind, sorted(map(str, days))])
    if database.has_table(contract.path):
        kept = database.rows(render("predictions/level_snapshots", table=contract.path, identity=identity))
        if kept:
            return [Snapshot(**row) for row in kept]
    found = compare()
    database.replace(contract, [{"identity": identity, **asdict(one)} for one in found])
    return found
