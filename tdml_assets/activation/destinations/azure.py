"""Destination ``azure``: Parquet or CSV in a container of Azure Blob Storage or ADLS Gen2, and a pointer to the latest.

Elsewhere: names and manifest (``_parts.py``), what errors mean (``platform/remote_errors.py``).

Rows are written by the Blob interface, where an object is there as a whole or not at all, with and without a hierarchical
namespace. Nothing is renamed: without such a namespace there is no rename at once. The pointer is written last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field

from tdml_assets.activation.destinations._parts import PartsClient, PartsSettings
from tdml_assets.activation.http import secret
from tdml_assets.activation.protocol import DestinationError, Opening, TransientError
from tdml_assets.declaration.alerts import VariableName
from tdml_assets.platform.extras import require_extra
from tdml_assets.platform.remote_errors import azure_fault


class Azure(PartsSettings):
    """Files in a container."""

    address: ClassVar = (
        r"abfss?://[a-z0-9-]{3,63}/[^?#]*[^?#/]",
        "write abfs://container/prefix alone; the account belongs into the connection string",
    )

    kind: Literal["azure"] = "azure"
    url: str = Field(description="abfs://container/prefix.")
    connection_string_env: VariableName = Field(
        description="Environment variable that holds the connection string, with an account key or a shared access signature."
    )

    @contextmanager
    def open(self, opening: Opening) -> Iterator[AzureClient]:
        """Connect, and look whether the container is there."""
        try:
            require_extra("azure.storage", "azure", "A destination of kind azure")
        except RuntimeError as error:
            raise DestinationError(str(error)) from None
        client = AzureClient(self, opening)
        try:
            client.look()
        except TransientError as error:
            raise DestinationError(
                f"{error.reason}: try again later, or correct {self.connection_string_env}"
            ) from error
        yield client

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Look at the container; nothing is written."""
        with self.open(opening) as client:
            return client.look()


class AzureClient(PartsClient):
    """Writes parts."""

    def __init__(self, settings: Azure, opening: Opening) -> None:
        container, _, prefix = settings.url.partition("://")[2].partition("/")
        super().__init__(settings, opening, prefix, f"{settings.url.partition('://')[0]}://{container}/")
        self._settings, self._container = settings, container
        text = secret(opening.environment, settings.connection_string_env)
        self._check_transport(text)
        from azure.storage.blob import BlobServiceClient

        try:
            service = BlobServiceClient.from_connection_string(
                text,
                # The sync tries again itself, and counts it.
                retry_total=0,
                connection_timeout=settings.timeout_seconds,
                read_timeout=settings.timeout_seconds,
            )
        except ValueError:
            raise DestinationError(
                f"{settings.connection_string_env} holds no connection string: copy it from the access keys of the account"
            ) from None
        self._blobs = service.get_container_client(container)

    def _check_transport(self, text: str) -> None:
        parts = {name.strip().lower(): value for name, _, value in (part.partition("=") for part in text.split(";"))}
        endpoint = parts.get("blobendpoint", "")
        is_plain = endpoint.startswith("http://") or (not endpoint and parts.get("defaultendpointsprotocol") == "http")
        if is_plain and not re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])[:/]", endpoint):
            raise DestinationError(
                f"rows would be sent readable: put an https address into {self._settings.connection_string_env}"
            )

    def look(self) -> dict[str, Any]:
        """Whether the container is there, and what is below the prefix."""
        with self.explained():
            is_there = self._blobs.exists()
        if not is_there:
            raise DestinationError(f"there is no container {self._container}: create it, or correct url")
        with self.explained():
            return {"location": self._settings.url, "files_there": len(list(self.names(f"{self._prefix}/")))}

    def part_name(self, stem: str, rows: int) -> str:
        """Name of a part, with its rows."""
        return f"{stem}-{rows}.{self._settings.format}"

    def put(self, name: str, content: bytes, rows: int | None = None) -> None:  # noqa: ARG002
        """Write an object; its rows are in its name."""
        self._blobs.upload_blob(name, content, overwrite=True)

    def get(self, name: str) -> bytes:
        """Read an object."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            content: bytes = self._blobs.download_blob(name).readall()
        except ResourceNotFoundError as error:
            if azure_fault(error, setting="", credentials="").kind == "missing":
                raise FileNotFoundError(name) from None
            raise
        return content

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Names that begin so, with their bytes."""
        for found in self._blobs.list_blobs(name_starts_with=prefix, include=["metadata"]):
            # Of a hierarchical namespace, folders are listed too.
            if not (found.metadata or {}).get("hdi_isfolder"):
                yield found.name, found.size

    def rows_of(self, name: str) -> int:
        """Rows of a part that another attempt wrote."""
        return int(name.rpartition("-")[2].partition(".")[0])

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._blobs.delete_blob(name)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Give Azure's errors as the core's."""
        from azure.core.exceptions import AzureError

        with super().explained():
            try:
                yield
            except AzureError as error:
                fault = azure_fault(error, setting="url", credentials=self._settings.connection_string_env)
                raise fault.error from None


DESTINATION = Azure
