"""S3 as a resource that costs nothing until it is used.

Elsewhere: the client, which is that of dagster-aws (``S3Resource``), and requests (``objects.py``).

The fields are those of dagster-aws's ``ResourceWithS3Configuration``, without its attempts: boto3's own know no deadline and would
multiply ours (``retrying.py``). Importing that takes longer than importing Dagster, and most state folders are on one machine.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from tdml_assets.platform.extras import load_extra

#: Attempts of boto3 behind the first one.
_NO_RETRIES = 0


class S3(dg.ConfigurableResource[Any]):
    """How to reach S3; where nothing is set, boto3's credential chain applies."""

    use_unsigned_session: bool = Field(default=False, description="Whether requests are sent without a signature.")
    region_name: str | None = Field(default=None, description="Region of the buckets.")
    endpoint_url: str | None = Field(default=None, description="Of an S3-compatible store; AWS unless given.")
    profile_name: str | None = Field(default=None, description="Profile of the credentials file.")
    use_ssl: bool = Field(default=True, description="Whether the connection is encrypted.")
    verify: bool | None = Field(default=None, description="Whether certificates are verified; they are unless given.")
    aws_access_key_id: str | None = Field(default=None, description="Access key, where not from the environment.")
    aws_secret_access_key: str | None = Field(default=None, description="Secret key, where not from the environment.")
    aws_session_token: str | None = Field(default=None, description="Session token, where not from the environment.")

    def get_client(self) -> Any:
        """Make a boto3 client that asks once. Raises ``MissingExtraError`` if the extra ``s3`` is not installed."""
        resource = load_extra("dagster_aws.s3", "s3", "An s3:// address").S3Resource
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return resource(max_attempts=_NO_RETRIES, **fields).get_client()
