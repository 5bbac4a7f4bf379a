"""Types of the single keys of a source's declaration, each with what makes a value invalid.

Belongs here: encodings, zones, timestamp formats, currencies, paths.
Does not: how keys go together (``core/sources.py``).
"""

from __future__ import annotations

import re
import zoneinfo
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

UNIX_FORMATS = ("unix", "unix_ms")
_SPECIFIER = re.compile(r"%(-?[A-Za-z%])")
_SPECIFIERS = {
    *("a", "A", "w", "d", "-d", "b", "B", "m", "-m", "y", "-y", "Y", "H", "-H", "I", "-I", "p", "M", "-M", "S", "-S"),
    *("f", "g", "n", "z", "j", "-j", "%"),
}
_CURRENCY = re.compile(r"[A-Z]{3}")


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"{name!r} is not a text encoding: name one such as utf-8, latin-1 or cp1252") from None
    return name.lower()


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: use a name such as UTC or Europe/London") from None
    return name


def _readable_format(text: str) -> str:
    if text in UNIX_FORMATS:
        return text
    found = set(_SPECIFIER.findall(text))
    unknown = sorted(found - _SPECIFIERS)
    if unknown:
        raise ValueError(f"{text!r} uses %{unknown[0]}, which is not read: use %Y %m %d %H %M %S %f %z and their like")
    has_day = found & {"j", "-j"} or (found & {"m", "-m", "b", "B"} and found & {"d", "-d"})
    if not (found & {"Y", "y", "-y"} and has_day):
        raise ValueError(
            f"{text!r} names no calendar day: it needs a year, a month and a day, for instance %Y-%m-%d %H:%M:%S"
        )
    return text


def _currency_code(text: str) -> str:
    code = text.strip().upper()
    if not _CURRENCY.fullmatch(code):
        raise ValueError(f"{text!r} is not a currency code: use three letters, for instance GBP")
    return code


def _usable_location(text: str) -> str:
    """Refuse what can only fail later, and what would put a secret into lineage."""
    if not text.strip():
        raise ValueError("a path is empty: name a file, a folder, a pattern or a URL")
    if "://" not in text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"file", "http", "https", "s3"}:
        raise ValueError(f"{parts.scheme}:// is not read: use a local path, file://, https:// or s3://")
    if "@" in parts.netloc:
        raise ValueError(
            f"the {parts.scheme} address of {parts.hostname} carries a user name: credentials do not belong in a path"
        )
    if parts.scheme == "s3" and (not parts.netloc or set(parts.netloc) & set("*?[")):
        raise ValueError(f"{text!r} names no bucket: write s3://bucket/prefix")
    if parts.scheme in {"http", "https"} and not PurePosixPath(parts.path).name:
        raise ValueError(
            f"{parts.scheme}://{parts.hostname} names no file: an address cannot be listed, give each file"
        )
    return text


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Zone = Annotated[str, AfterValidator(_known_zone)]
Currency = Annotated[str, AfterValidator(_currency_code)]
TimestampFormat = Annotated[str, AfterValidator(_readable_format)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Locations = Annotated[tuple[Annotated[str, AfterValidator(_usable_location)], ...], BeforeValidator(_as_tuple)]
Rate = Annotated[Decimal, Field(ge=Decimal("1e-9"), lt=Decimal(1_000_000))]
ColumnName = Annotated[str, Field(min_length=1)]
