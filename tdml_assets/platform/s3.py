"""S3 as a resource that costs nothing until it is used.

Elsewhere: the client, which is dagster-aws's (``S3Resource``); what is stored there.

The fields are those of dagster-aws's ``ResourceWithS3Configuration``. Importing that takes longer than importing Dagster, and most
state folders are on one machine.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from tdml_assets.platform.extras import load_extra


class S3Configuration(dg.ConfigurableResource[Any]):
    """How to reach S3; where nothing is set, boto3's credential chain applies."""

    use_unsigned_session: bool = Field(default=False, description="Whether requests are sent without a signature.")
    region_name: str | None = Field(default=None, description="Region of the buckets.")
    endpoint_url: str | None = Field(default=None, description="Of an S3-compatible store; AWS unless given.")
    max_attempts: int = Field(default=5, description="Attempts of a request, the first among them.")
    profile_name: str | None = Field(default=None, description="Profile of the credentials file.")
    use_ssl: bool = Field(default=True, description="Whether the connection is encrypted.")
    verify: bool | None = Field(default=None, description="Whether certificates are verified; they are unless given.")
    aws_access_key_id: str | None = Field(default=None, description="Access key, where not from the environment.")
    aws_secret_access_key: str | None = Field(default=None, description="Secret key, where not from the environment.")
    aws_session_token: str | None = Field(default=None, description="Session token, where not from the environment.")


class S3(S3Configuration):
    """A boto3 client for S3, made when it is asked for."""

    def get_client(self) -> Any:
        """Make the client. Raises ``MissingExtraError`` if the extra ``s3`` is not installed."""
        resource = load_extra("dagster_aws.s3", "s3", "An s3:// address").S3Resource
        return resource(**{name: getattr(self, name) for name in S3Configuration.model_fields}).get_client()
