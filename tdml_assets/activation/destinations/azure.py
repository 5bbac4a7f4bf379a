"""Destination ``azure``: Parquet or CSV in a container of Azure Blob Storage or ADLS Gen2, and a pointer to the latest.

Elsewhere: names and manifest (``_parts.py``).

adlfs writes by the Blob interface, where an object is there as a whole or not at all, with and without a hierarchical namespace.
Nothing is renamed: without such a namespace there is no rename at once. The pointer is written last.
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
from tdml_assets.platform.remote_errors import retry_after


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
            require_extra("adlfs", "azure", "A destination of kind azure")
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
        import adlfs

        try:
            self._files = adlfs.AzureBlobFileSystem(
                connection_string=text,
                # A listing that is kept would not show what another attempt wrote.
                use_listings_cache=False,
                skip_instance_cache=True,
                connection_timeout=settings.timeout_seconds,
                read_timeout=settings.timeout_seconds,
            )
        except ValueError:
            raise DestinationError(
                f"{settings.connection_string_env} holds no connection string: copy it from the access keys of the account"
            ) from None

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
            is_there = self._files.exists(self._container)
        if not is_there:
            raise DestinationError(f"there is no container {self._container}: create it, or correct url")
        with self.explained():
            found = self._files.find(f"{self._container}/{self._prefix}/", withdirs=False)
        return {"location": self._settings.url, "files_there": len(found)}

    def part_name(self, stem: str, rows: int) -> str:
        """Name of a part, with its rows."""
        return f"{stem}-{rows}.{self._settings.format}"

    def put(self, name: str, content: bytes, rows: int | None = None) -> None:  # noqa: ARG002
        """Write an object; its rows are in its name."""
        # The sync tries again itself, and counts it.
        self._files.pipe_file(f"{self._container}/{name}", content, overwrite=True, retry_total=0)

    def get(self, name: str) -> bytes:
        """Read an object."""
        content: bytes = self._files.cat_file(f"{self._container}/{name}")
        return content

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Names that begin so, with their bytes."""
        folder = prefix.rpartition("/")[0]
        found = self._files.find(f"{self._container}/{folder}", withdirs=False, detail=True)
        cut = len(self._container) + 1
        return ((name[cut:], info["size"]) for name, info in found.items() if name[cut:].startswith(prefix))

    def rows_of(self, name: str) -> int:
        """Rows of a part that another attempt wrote."""
        return int(name.rpartition("-")[2].partition(".")[0])

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._files.rm_file(f"{self._container}/{name}")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Give Azure's errors as the core's."""
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            HttpResponseError,
            ResourceNotFoundError,
        )

        where = self._settings.url
        try:
            yield
        except (ResourceNotFoundError, FileNotFoundError):
            raise DestinationError(f"there is no container for {where}: create it, or correct url") from None
        except (ClientAuthenticationError, PermissionError):
            raise DestinationError(
                f"the credentials for {where} are refused: correct {self._settings.connection_string_env}"
            ) from None
        except HttpResponseError as error:
            status = error.status_code or 0
            if status == 403:
                raise DestinationError(
                    f"the credentials for {where} may not do this: correct {self._settings.connection_string_env}"
                ) from None
            if status in (0, 408, 429) or status >= 500:
                headers = getattr(error.response, "headers", None) or {}
                wait = retry_after(headers.get("Retry-After"))
                raise TransientError(f"the container {self._container} answers {status}", wait) from None
            raise DestinationError(f"cannot write to {where} (answer {status})") from None
        except (AzureError, OSError, RuntimeError) as error:
            raise TransientError(f"no answer from the container {self._container} ({type(error).__name__})") from None


DESTINATION = Azure
