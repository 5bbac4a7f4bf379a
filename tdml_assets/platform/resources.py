"""The resources of a deployment, from its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tdml_assets.models.store import ModelStore
from tdml_assets.platform.machine import machine
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings


def spill_folder(settings: Settings) -> Path:
    """Folder of what memory does not hold: of statements, and of rows that a model learns from."""
    return settings.home / "spill"


def build_warehouse(settings: Settings) -> Warehouse:
    """The DuckDB file."""
    declared = settings.warehouse
    return Warehouse(
        database=str(settings.warehouse_path),
        temp_directory=str(spill_folder(settings)),
        memory_limit_gb=declared.memory_limit_gb,
        threads=declared.threads or machine()[0],
        max_temp_gb=declared.max_temp_gb,
        wait_seconds=declared.wait_seconds,
        session_wait_seconds=settings.session_wait_seconds,
    )


def build_s3(settings: Settings) -> S3:
    """S3 as the settings say where, and the environment with which credentials."""
    return S3(endpoint_url=settings.s3.endpoint_url, region_name=settings.s3.region_name)


def s3_client(settings: Settings) -> Any:
    """A boto3 client for S3."""
    return build_s3(settings).get_client()


def build_resources(settings: Settings) -> dict[str, Any]:
    """Every resource by its key."""
    return {"warehouse": build_warehouse(settings), "models": build_model_store(settings), "s3": build_s3(settings)}


def build_model_store(settings: Settings) -> ModelStore:
    """Where model bundles are kept."""
    return ModelStore(
        url=settings.effective_models_url,
        endpoint_url=settings.s3.endpoint_url,
        region_name=settings.s3.region_name,
        cache_folder=str(settings.home / "cache" / "models"),
    )
