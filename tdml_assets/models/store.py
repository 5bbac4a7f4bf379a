"""The model store as a Dagster resource.

Elsewhere: the store itself (``bundle_store.py``), bytes (``blobs.py``, ``s3_blobs.py``), the S3 client (``platform/s3.py``).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tdml_assets.declaration.addresses import parse_place
from tdml_assets.models.blobs import BlobStoreError, FolderStore
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.platform.s3 import S3


class ModelStore(S3):
    """Versioned models in a folder or in S3, under one layout.

    Where no setting of S3 is set, boto3's credential chain applies.
    """

    url: str = Field(description="Where models live: a folder, file:///folder or s3://bucket/prefix.")
    cache_folder: str | None = Field(
        default=None, description="Folder for verified copies of models from S3; without it they are read every time."
    )
    deadline_seconds: float = Field(
        default=60.0, gt=0, le=86_400, description="How long one S3 operation may be retried."
    )
    timeout_seconds: float = Field(default=10.0, gt=0, description="How long to wait for a connection or for bytes.")

    def open(self) -> BundleStore:
        """Open the store. Raises ``ValueError`` if the URL is of another kind."""
        place = parse_place(self.url, "models_url")
        if place.folder is not None:
            return BundleStore(FolderStore(place.folder))
        from tdml_assets.models.s3_blobs import S3Store

        store = S3Store(self.get_client(), place.bucket, place.prefix, deadline_seconds=self.deadline_seconds)
        return BundleStore(store, Path(self.cache_folder).expanduser() if self.cache_folder else None)

    def has_champion(self, workflow: str) -> bool:
        """Whether a model of the workflow scores; False where the store cannot say so, which the stage that scores explains."""
        try:
            return self.open().champion(workflow) is not None
        except (BundleDamagedError, BlobStoreError):
            return False
