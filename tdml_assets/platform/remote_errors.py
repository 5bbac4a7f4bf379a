"""What the answers of servers mean: which ones waiting may mend, how long they ask to wait, and S3's errors with their remedies."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

Kind = Literal["missing", "changed", "transient", "refused"]
#: HTTP answers that waiting may mend.
TRANSIENT_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))
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
class S3Fault:
    """What an error of boto3 means.

    ``kind``: ``missing`` for no such object, ``changed`` where a condition did not hold, ``transient`` where another attempt may
    mend it. ``code``: S3's, or the class of the error. ``words``: cause and remedy; nothing of the client's own message, which may
    quote signed headers.
    """

    kind: Kind
    code: str
    words: str


def s3_errors() -> tuple[type[Exception], ...]:
    """What boto3 raises. A function, because importing it takes longer than a run without S3 should wait."""
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    return (ClientError, BotoCoreError, S3UploadFailedError)


def s3_fault(error: BaseException, *, setting: str, rights: str = "the requests on the prefix") -> S3Fault:
    """Explain one of :func:`s3_errors`. ``setting``: key that names the address. ``rights``: that the credentials need."""
    import botocore.exceptions as boto
    from boto3.exceptions import S3UploadFailedError

    if isinstance(error, S3UploadFailedError) and error.__context__ is not None:
        error = error.__context__
    name = type(error).__name__
    if isinstance(error, boto.ClientError):
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        words = _REMEDIES.get(code, f"the store answered {code}").format(setting=setting, rights=rights)
        if code in _KINDS:
            return S3Fault(_KINDS[code], code, words)
        is_transient = code in _TRANSIENT_CODES or (status in TRANSIENT_STATUS and code not in _REMEDIES)
        return S3Fault("transient" if is_transient else "refused", code, words)
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound):
        words = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        return S3Fault("refused", name, words)
    if isinstance(error, boto.EndpointConnectionError):
        return S3Fault("transient", name, "the endpoint cannot be reached: correct endpoint_url in s3, or wait")
    broken = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.ResponseStreamingError)
    if isinstance(error, broken):
        return S3Fault("transient", name, f"no answer ({name})")
    return S3Fault("refused", name, f"the S3 client refused ({name}): correct region_name and endpoint_url in s3")
