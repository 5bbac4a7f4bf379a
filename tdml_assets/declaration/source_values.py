"""Types of the single keys of a source's declaration, each with what makes a value invalid.

Elsewhere: how keys go together (``sources.py``).
"""

from __future__ import annotations

import codecs
import re
import zoneinfo
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from tdml_assets.declaration.addresses import as_request, has_credentials, is_printable, redacted

UNIX_FORMATS = ("unix", "unix_ms", "unix_us")
#: Times that are numbers: seconds, milliseconds or microseconds since 1970, or a spreadsheet's days since 1899-12-30.
NUMERIC_FORMATS = (*UNIX_FORMATS, "excel")
ISO_FORMAT = "iso8601"
#: What a format ends in that means UTC, as a literal text.
_UTC_ENDING = re.compile(r"(?<!%)\s?(Z|UTC|GMT)$")
_UTC_ZONES = ("UTC", "UCT", "GMT", "Zulu", "Universal", "Etc/UTC", "Etc/UCT", "Etc/GMT", "Etc/Zulu", "Etc/Universal")
_SPECIFIER = re.compile(r"%(-?[A-Za-z%])")
_SPECIFIERS = {
    *("a", "A", "w", "d", "-d", "b", "B", "m", "-m", "y", "-y", "Y", "H", "-H", "I", "-I", "p", "M", "-M", "S", "-S"),
    *("f", "g", "n", "z", "j", "-j", "%"),
}
_CURRENCY = re.compile(r"[A-Z]{3}")
#: A scheme of two letters or more, so that it is not a drive, and a single slash.
_ONE_SLASH = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/(?!/)")
_WEB_CREDENTIALS = (
    "the address holds a user name or password, which would be stored and logged: take it out, and use an address that needs "
    "none, a signed one, or s3:// with its keys in the environment (an @ that belongs to the path is written %40)"
)
_CREDENTIALS = {
    "file": "a file:// address has no user name: write file:///folder/file",
    "http": _WEB_CREDENTIALS,
    "https": _WEB_CREDENTIALS,
    "s3": "the address holds a key, which would be stored and logged: take it out, and set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment",
}


def _known_encoding(name: str) -> str:
    letters = bytes(range(32, 127)).decode()
    try:
        width, rest = divmod(len(letters.encode(name)) - len("".encode(name)), len(letters))
        decoded = codecs.getincrementaldecoder(name)("strict").decode(letters.encode(name), final=True)
    except (LookupError, ValueError):
        width, rest, decoded = 0, 0, ""
    # Some codecs that Python lists are not encodings of files: punycode, idna, undefined, unicode_escape.
    if not width or rest or decoded.removeprefix("\ufeff") != letters:
        raise ValueError(f"{name!r} is not a text encoding: name one such as utf-8, latin-1 or cp1252")
    return name.lower()


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: use a name such as UTC or Europe/London") from None
    return name


def _readable_format(text: str) -> str:
    if text in NUMERIC_FORMATS or text == ISO_FORMAT:
        return text
    found = set(_SPECIFIER.findall(text))
    unknown = sorted(found - _SPECIFIERS)
    if unknown:
        raise ValueError(
            f"{text!r} uses %{unknown[0]}, which is not read: use %Y %m %d %H %M %S %f %z and their like, or one of "
            f"{ISO_FORMAT}, {', '.join(NUMERIC_FORMATS)}"
        )
    has_day = found & {"j", "-j"} or (found & {"m", "-m", "b", "B"} and found & {"d", "-d"})
    if not (found & {"Y", "y", "-y"} and has_day):
        raise ValueError(
            f"{text!r} names no calendar day: it needs a year, a month and a day, for instance %Y-%m-%d %H:%M:%S"
        )
    return text


def refuse_literal_utc(formats: tuple[str, ...], key: str, zone: str) -> None:
    """Refuse a literal Z, UTC or GMT where times are read in another zone: each would be hours off.

    Raises ``ValueError`` that names the format, the zone and the line to write.
    """
    for written in formats:
        ending = _UTC_ENDING.search(written)
        if ending is None or zone in _UTC_ZONES:
            continue
        remedy = f"{key}: {_UTC_ENDING.sub('%z', written)!r}" if ending.group(1) == "Z" else "timezone: UTC"
        if written.startswith("%Y-%m-%d"):
            remedy = f"{key}: {ISO_FORMAT}"
        days = f"; days are counted in {zone}" if remedy != "timezone: UTC" else f" and days_in: {zone}"
        raise ValueError(
            f"{key} {written!r} ends in {ending.group(1)}, which means UTC, and timezone is {zone}: write {remedy}{days}"
        )


def _currency_code(text: str) -> str:
    code = text.strip().upper()
    if not _CURRENCY.fullmatch(code):
        raise ValueError(f"{text!r} is not a currency code: use three letters, for instance GBP")
    return code


def _usable_location(text: str) -> str:
    """Refuse what can only fail later, and what would put a secret into lineage."""
    if not text.strip():
        raise ValueError("a path is empty: name a file, a folder, a pattern or a URL")
    if not is_printable(text):
        raise ValueError("the path holds a control character, or one that no file name can have: type it anew")
    if "://" not in text:
        if _ONE_SLASH.match(text):
            raise ValueError("the address has one slash behind its scheme: write two, as in https:// or s3://")
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"file", "http", "https", "s3"}:
        raise ValueError(f"{parts.scheme}:// is not read: use a local path, file://, https:// or s3://")
    if has_credentials(text):
        raise ValueError(_CREDENTIALS[parts.scheme])
    if parts.scheme == "s3" and (not parts.netloc or set(parts.netloc) & set("*?[")):
        raise ValueError(f"{redacted(text)!r} names no bucket: write s3://bucket/prefix")
    if parts.scheme in {"http", "https"}:
        _check_names_file(text)
    return text


def _check_names_file(address: str) -> None:
    parts = urlsplit(address)
    try:
        host, _ = parts.hostname, as_request(address)
    except UnicodeError:
        host = None
    if not host:
        raise ValueError("the address names no host that can exist: write https://host/file")
    if not PurePosixPath(parts.path).name:
        raise ValueError(f"{parts.scheme}://{host} names no file: an address cannot be listed, give each file")


def _one_character(value: Any) -> Any:
    """A delimiter; YAML reads a tab's escape as two characters unless it is in double quotes."""
    if isinstance(value, str):
        value = {"\\t": "\t", "tab": "\t"}.get(value.lower(), value)
        if len(value) == 1:
            return value
    raise ValueError(
        'a delimiter is one character: write it in double quotes, for instance ";", "|", or "\\t" for a tab'
    )


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Delimiter = Annotated[str, BeforeValidator(_one_character)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Currency = Annotated[str, AfterValidator(_currency_code)]
TimestampFormats = Annotated[
    tuple[Annotated[str, AfterValidator(_readable_format)], ...], Field(min_length=1), BeforeValidator(_as_tuple)
]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Locations = Annotated[tuple[Annotated[str, AfterValidator(_usable_location)], ...], BeforeValidator(_as_tuple)]
Rate = Annotated[Decimal, Field(ge=Decimal("1e-9"), lt=Decimal(1_000_000))]
ColumnName = Annotated[str, Field(min_length=1)]
