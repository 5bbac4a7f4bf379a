"""What each model version was when it was trained, as the warehouse remembers it.

Elsewhere: comparing (``bundles.py``), the store, which only knows its own files (``bundle_store.py``).
"""

from __future__ import annotations

from tdml_assets.models.bundles import Manifest
from tdml_assets.platform.monitoring import MODEL_VERSIONS
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database


def record_version(database: Database, session_id: str, manifest: Manifest) -> None:
    """Remember a version that this session trained."""
    key = {"session_id": session_id, "workflow": manifest.workflow}
    row = {**key, "model_version": manifest.version, "content_sha256": manifest.content_sha256}
    database.replace_slice(MODEL_VERSIONS, key, [row])


def recorded_versions(database: Database, workflow: str) -> dict[str, str]:
    """Hash of the content per version of a workflow; without those that were trained elsewhere."""
    statement = render("sessions/recorded_versions", table=MODEL_VERSIONS.path, workflow=workflow)
    rows = database.rows_if(MODEL_VERSIONS.path, statement)
    return {row["model_version"]: row["content_sha256"] for row in rows}
