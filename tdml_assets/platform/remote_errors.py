"""What the answers of servers mean: which ones waiting may mend, how long they ask to wait, and errors with their remedies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from tdml_assets.platform.retrying import TransientError

Kind = Literal["missing", "changed", "transient", "refused"]
#: HTTP answers that waiting may mend.
TRANSIENT_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))
#: Those about the address or the credentials, which waiting does not mend.
HTTP_CAUSES = {
    401: "it asks for a login, or the credentials are not accepted",
    403: "access is refused: the credentials or a signed address have expired, or may not do this",
    404: "there is nothing at the address",
    405: "the address takes no such request",
    410: "the address was switched off",
}
_TRANSIENT_CODES = frozenset(
    (
        "RequestTimeout",
        "SlowDown",
        "InternalError",
        "ServiceUnavailable",
        "ThrottlingException",
        "ConditionalRequestConflict",
    )
)
#: Codes of the answer to HEAD, which has no body, next to those that say the same.
_KINDS: dict[str, Kind] = {
    "NoSuchKey": "missing",
    "404": "missing",
    "PreconditionFailed": "changed",
    "412": "changed",
}
_NO_BUCKET = "there is no such bucket: create it, or correct {setting}"
_DENIED = "access is denied: allow {rights}"
NOT_CONDITIONAL = "the store has no conditional writes, which keep versions immutable: use one that has"
_ELSEWHERE = "the bucket is in another region: correct region_name and endpoint_url in s3"
_REMEDIES = {
    "NoSuchBucket": _NO_BUCKET,
    "404": _NO_BUCKET,
    "NoSuchKey": "there is no such object: correct {setting}, or upload the file",
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "InvalidAccessKeyId": "the access key is not known there: correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: correct AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the credentials have expired: renew them",
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "NotImplemented": NOT_CONDITIONAL,
}


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, a number or a date; None where there is none that can be read."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            asked = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
        seconds = (asked - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


@dataclass(frozen=True)
class Fault:
    """What the error of a store means.

    ``kind``: ``missing`` for no such object, ``changed`` where a condition did not hold, ``transient`` where another attempt may
    mend it. ``code``: the store's, or the class of the error. ``words``: cause and remedy; nothing of the client's own message,
    which may quote signed headers. ``wait_seconds``: what the store asked to wait; None if it said nothing.
    """

    kind: Kind
    code: str
    words: str
    wait_seconds: float | None = None

    @property
    def error(self) -> TransientError | StoreError:
        """What is raised for it."""
        if self.kind == "transient":
            return TransientError(self.words, self.wait_seconds, self.code)
        return StoreError(self)


class StoreError(RuntimeError):
    """A store refused, and waiting does not mend it: ``kind``, ``code`` and ``words`` of the :class:`Fault`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.words)
        self.kind, self.code, self.words = fault.kind, fault.code, fault.words


def s3_errors() -> tuple[type[Exception], ...]:
    """What boto3 raises. A function, because importing it takes longer than a run without S3 should wait."""
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    return (ClientError, BotoCoreError, S3UploadFailedError)


def s3_fault(error: BaseException, *, setting: str, rights: str = "the requests on the prefix") -> Fault:
    """Explain one of :func:`s3_errors`. ``setting``: key that names the address. ``rights``: that the credentials need."""
    import botocore.exceptions as boto
    from boto3.exceptions import S3UploadFailedError

    if isinstance(error, S3UploadFailedError) and error.__context__ is not None:
        error = error.__context__
    name = type(error).__name__
    if isinstance(error, boto.ClientError):
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        answer = error.response.get("ResponseMetadata", {})
        status, headers = answer.get("HTTPStatusCode"), answer.get("HTTPHeaders", {})
        words = _REMEDIES.get(code, f"the store answered {code}").format(setting=setting, rights=rights)
        if code in _KINDS:
            return Fault(_KINDS[code], code, words)
        is_transient = code in _TRANSIENT_CODES or (status in TRANSIENT_STATUS and code not in _REMEDIES)
        wait = retry_after(headers.get("retry-after"))
        return Fault("transient" if is_transient else "refused", code, words, wait)
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound):
        words = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        return Fault("refused", name, words)
    if isinstance(error, boto.EndpointConnectionError):
        return Fault("transient", name, "the endpoint cannot be reached: correct endpoint_url in s3, or wait")
    broken = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.ResponseStreamingError)
    if isinstance(error, broken):
        return Fault("transient", name, f"no answer ({name})")
    return Fault("refused", name, f"the S3 client refused ({name}): correct region_name and endpoint_url in s3")


def azure_fault(error: BaseException, *, setting: str, credentials: str) -> Fault:
    """Explain an error of Azure's client. ``setting``: key that names the address. ``credentials``: variable that holds them."""
    from azure.core.exceptions import HttpResponseError

    name = type(error).__name__
    if not isinstance(error, HttpResponseError) or not error.status_code:
        return Fault("transient", name, f"no answer ({name})")
    status, code = error.status_code, str(getattr(error, "error_code", None) or error.status_code)
    if code == "BlobNotFound":
        return Fault("missing", code, f"there is no such object: correct {setting}")
    if status == 404:
        return Fault("refused", code, f"there is no such container: create it, or correct {setting}")
    if status in (401, 403):
        return Fault("refused", code, f"{HTTP_CAUSES[status]}: correct {credentials}")
    if status in TRANSIENT_STATUS or status >= 500:
        headers = getattr(error.response, "headers", None) or {}
        return Fault("transient", code, f"the store answered {status}", retry_after(headers.get("Retry-After")))
    return Fault("refused", code, f"the store answered {code}")
