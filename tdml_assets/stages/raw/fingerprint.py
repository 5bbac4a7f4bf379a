"""Which raw data are loaded, in one hash. Elsewhere: loading (``tables.py``), which takes every reader."""

from __future__ import annotations

from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.raw.contracts import LOADS
from tdml_assets.stages.raw.rules import raw_fingerprint


def fingerprint(database: Database) -> str:
    """Hash of the raw data as it is loaded, for the version of a model trained on it: equal data, equal hash."""
    rows = database.rows(render("raw/fingerprint_inputs", loads=LOADS.path))
    return raw_fingerprint((row["source"], row["content_sha256"], row["declaration_sha256"]) for row in rows)
