"""S3 as a resource that costs nothing until it is used.

Elsewhere: requests (``objects.py``).

The fields are those of dagster-aws's ``ResourceWithS3Configuration``, without its attempts: boto3's own know no deadline and would
multiply ours (``retrying.py``). Importing it takes half a second, where boto3 alone takes an eighth.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from tdml_assets.platform.extras import load_extra


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
    timeout_seconds: float = Field(default=60.0, gt=0, description="How long to wait for a connection or for bytes.")

    def get_client(self) -> Any:
        """Make a boto3 client that asks once. Raises ``MissingExtraError`` if the extra ``s3`` is not installed."""
        boto3 = load_extra("boto3", "s3", "An s3:// address")
        botocore = load_extra("botocore.config", "s3", "An s3:// address")
        signature = (
            {"signature_version": load_extra("botocore", "s3", "S3").UNSIGNED} if self.use_unsigned_session else {}
        )
        return boto3.session.Session(profile_name=self.profile_name).client(
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
