"""The model store as a Dagster resource.

Elsewhere: the store itself (``bundle_store.py``), bytes (``blobs.py``, ``s3_blobs.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from tdml_assets.models.blobs import BlobStoreError, FolderStore, parse_url
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.platform.extras import load_extra
from tdml_assets.platform.s3 import S3Configuration


class ModelStore(S3Configuration):
    """Versioned models in a folder or in S3, under one layout.

    The S3 settings are those of dagster-aws's ``S3Resource``; where they are not set, boto3's credential chain applies.
    Retries are this store's own, because boto3's know no deadline; ``max_attempts`` is not used.
    """

    url: str = Field(description="Where models live: a folder, file:///folder or s3://bucket/prefix.")
    cache_folder: str | None = Field(
        default=None, description="Folder for verified copies of models from S3; without it they are read every time."
    )
    deadline_seconds: float = Field(default=60.0, gt=0, description="How long one S3 operation may be retried.")
    timeout_seconds: float = Field(default=10.0, gt=0, description="How long to wait for an S3 connection or answer.")

    def open(self) -> BundleStore:
        """Open the store. Raises ``ValueError`` if the URL is of another kind."""
        address = parse_url(self.url)
        if address.folder is not None:
            return BundleStore(FolderStore(address.folder))
        client = self._client()
        from tdml_assets.models.s3_blobs import S3Store

        store = S3Store(client, str(address.bucket), address.prefix, deadline_seconds=self.deadline_seconds)
        return BundleStore(store, Path(self.cache_folder).expanduser() if self.cache_folder else None)

    def has_champion(self, workflow: str) -> bool:
        """Whether a model of the workflow scores; False where the store cannot say so, which the stage that scores explains."""
        try:
            return self.open().champion(workflow) is not None
        except (BundleDamagedError, BlobStoreError):
            return False

    def _client(self) -> Any:
        boto3 = load_extra("boto3", "s3", "A model store at an s3:// address")
        botocore = load_extra("botocore.config", "s3", "A model store at an s3:// address")
        session = boto3.session.Session(profile_name=self.profile_name)
        signature = (
            {"signature_version": load_extra("botocore", "s3", "S3").UNSIGNED} if self.use_unsigned_session else {}
        )
        return session.client(
            "s3",
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            config=botocore.Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                connect_timeout=self.timeout_seconds,
                read_timeout=self.timeout_seconds,
                **signature,
            ),
        )
