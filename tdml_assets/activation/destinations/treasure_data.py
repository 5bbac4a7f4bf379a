"""Destination ``treasure_data``: a table in Treasure Data, swapped as a whole, and the attributes of a parent segment over it.

Elsewhere: the table (``_td_table.py``), the parent segment (``_td_audience.py``), trying again (``activation/delivery.py``).

Rows go into a staging table by bulk import. Behind the last batch its rows, customers and columns are verified, and it is swapped
with the table, which readers see whole at every instant. Then the parent segment's attributes are completed, where ours are
missing, and it is run. A sync that ends before the swap leaves the table as it was, and the next one begins with an empty
staging table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from tdml_assets.activation.destinations._td_audience import Audience, OwnAttributes
from tdml_assets.activation.destinations._td_table import StagedTable, checked_columns, connected
from tdml_assets.activation.http import Http, checked_address, secret
from tdml_assets.activation.protocol import Batch, DestinationError, Opening, Receipt
from tdml_assets.declaration.addresses import has_credentials
from tdml_assets.declaration.alerts import VariableName
from tdml_assets.declaration.destinations import DestinationSettings, Mode, SyncRetries
from tdml_assets.platform.extras import require_extra


class TreasureData(DestinationSettings):
    """A table in Treasure Data, and a parent segment's attributes over it."""

    modes: ClassVar[tuple[Mode, ...]] = ("replace",)
    removes: ClassVar[bool] = False

    kind: Literal["treasure_data"] = "treasure_data"
    sync_retries: SyncRetries = Field(
        default=SyncRetries(first_pause_seconds=60), description="When a sync that failed is started again."
    )
    mode: Mode = Field(default="replace", description="replace: the table is swapped as a whole.")
    api_key_env: VariableName = Field(description="Environment variable that holds the API key, a master key.")
    endpoint: str = Field(
        default="https://api.treasuredata.com",
        description="Endpoint of the region, such as https://api.eu01.treasuredata.com.",
    )
    audience_endpoint: str | None = Field(
        default=None, description="Endpoint of the Audience API; that of the same region unless given."
    )
    database: str = Field(description="Database, which has to be there.")
    table: str = Field(description="Table; made if it is missing.")
    parent_segment: int | None = Field(
        default=None, ge=1, description="Id of the parent segment that gets the attributes; none unless given."
    )
    foreign_key: str | None = Field(
        default=None,
        min_length=1,
        description="The customer's id in the parent segment's master table; key unless given.",
    )
    grouping: str = Field(
        default="Predictions", min_length=1, description="Folder of new attributes in Audience Studio."
    )
    run: bool = Field(default=True, description="Whether the parent segment is run, and its end waited for.")
    batch_rows: int = Field(default=200_000, ge=1, le=1_000_000, description="Rows of one bulk import.")
    poll_seconds: float = Field(default=10.0, gt=0, le=600, description="Pause between two looks at a job or a run.")
    most_job_seconds: float = Field(
        default=3600.0, gt=0, le=86400, description="How long an import or a query may take."
    )
    most_run_seconds: float = Field(
        default=7200.0, gt=0, le=86400, description="How long a run of the parent segment may take."
    )

    @field_validator("database", "table")
    @classmethod
    def _name(cls, value: str) -> str:
        # Room for the name of the staging table.
        if not re.fullmatch(r"[a-z0-9_]{3,110}", value):
            raise ValueError("write 3 to 110 small letters, digits and underscores")
        return value

    @field_validator("endpoint", "audience_endpoint")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and (has_credentials(value) or not re.fullmatch(r"https?://[^/?#\s]+/?", value)):
            raise ValueError(
                "write https://host alone, such as https://api.treasuredata.com; keys belong into the environment"
            )
        return value if value is None else value.rstrip("/")

    @contextmanager
    def open(self, opening: Opening) -> Iterator[TreasureDataClient]:
        """Connect, and look whether the database and the parent segment fit."""
        try:
            require_extra("pytd", "treasure_data", "A destination of kind treasure_data")
        except RuntimeError as error:
            raise DestinationError(str(error)) from None
        columns = checked_columns(self.key, opening.columns)
        key = secret(opening.environment, self.api_key_env)
        checked_address(self.endpoint, "endpoint")
        with (
            connected(self.endpoint, key, self.database, self.timeout_seconds) as api,
            Http("audience_endpoint", self.timeout_seconds) as http,
        ):
            table = StagedTable(api, self, columns, opening)
            audience = None
            if self.parent_segment is not None:
                address = self.audience_endpoint or self.endpoint.replace("://api", "://api-cdp", 1)
                checked_address(address, "audience_endpoint")
                own = OwnAttributes(
                    self.database,
                    self.table,
                    self.key,
                    self.foreign_key or self.key,
                    self.grouping,
                    table.attribute_types,
                )
                audience = Audience(http, f"{address}/audiences/{self.parent_segment}", key, own)
            client = TreasureDataClient(self, table, audience)
            if opening.columns:
                client.look()
            yield client

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Look at database, table and parent segment; nothing is written."""
        with self.open(opening) as client:
            return client.look()


class TreasureDataClient:
    """Loads batches, swaps, and runs the parent segment. ``audience``: the parent segment; None where none is declared."""

    def __init__(self, settings: TreasureData, table: StagedTable, audience: Audience | None) -> None:
        self._settings, self._table, self._audience = settings, table, audience
        self._details: dict[str, Any] = {"table": f"{settings.database}.{settings.table}"}

    def look(self) -> Mapping[str, Any]:
        """Whether what the sync needs is there, before anything is written.

        Raises ``DestinationError`` if not, or if the parent segment reads columns of the table that would be gone.
        """
        found = self._table.look()
        if self._audience is None:
            return found
        return {**found, **self._audience.look()}

    def send(self, batch: Batch) -> Receipt:
        """Load one batch into the staging table."""
        self._table.load(batch)
        return Receipt()

    def finish(self) -> Mapping[str, Any]:
        """Verify, swap, complete the attributes, run the parent segment. Called again, it goes on where it ended."""
        if not self._table.has_rows:
            return self._details
        self._details["rows"] = self._table.put_in_place()
        if self._audience is not None:
            self._details["parent_segment"] = self._audience.address
            self._details["attributes_added"] = len(self._audience.complete())
            if self._settings.run:
                self._details["run"] = self._audience.run(
                    poll_seconds=self._settings.poll_seconds, most_seconds=self._settings.most_run_seconds
                )
        return self._details


DESTINATION = TreasureData
