"""Addresses that settings and sources name: what of them may be shown, requested and followed.

Elsewhere: which schemes a key accepts (``source_values.py``, ``settings.py``), requests (``stages/raw/transport.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]+:/"
#: A scheme and at least one slash, then everything up to a blank or a quote.
_ADDRESS_IN_TEXT = re.compile(_SCHEME + r"[^\s'\"<>]*")
_USER = re.compile(rf"(?s)^(\s*{_SCHEME}/*)?(.*)@")
_MARKS = re.compile(r"[?#;&]")
_PARAMETERS = re.compile(r"[?#&;][^/]*=")
_WEB = re.compile(r"\s*https?:", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PORTS = {"http": 80, "https": 443}


def redacted(value: Any) -> Any:
    """Hide what may be a secret in a value of the settings: names, passwords, queries and fragments of addresses.

    ``value``: text, taken as one address whatever it holds; or a mapping or sequence of such, in which keys are looked at too.
    """
    if isinstance(value, str):
        return _redacted_address(value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redacted(item) for item in value]
    return value


def redacted_text(text: str) -> str:
    """Hide the same in every address in a message."""
    return _ADDRESS_IN_TEXT.sub(lambda found: _redacted_address(found.group()), text)


def _redacted_address(text: str) -> str:
    user = _USER.match(text)
    if user and (user.group(1) or ":" in user.group(2)):
        scheme, name = user.group(1) or "", user.group(2)
        # An @ behind a question mark may end a password or lie in a query: then nothing behind the scheme is safe.
        text = f"{scheme}{HIDDEN}" if _MARKS.search(name) else f"{scheme}{HIDDEN}@{text[user.end() :]}"
    parameters = (_MARKS if _WEB.match(text) else _PARAMETERS).search(text)
    return text[: parameters.start() + 1] + HIDDEN if parameters else text


def has_credentials(address: str) -> bool:
    """Whether an address names a user: before ``@``, or by a colon where no port can be.

    A password may hold a slash, a question mark or a hash, behind which it would count as path, query or fragment.
    """
    parts = urlsplit(address)
    if "@" in parts.netloc or (parts.scheme in _PORTS and "@" in parts.path):
        return True
    host, colon, port = parts.netloc.rpartition(":")
    return bool(colon) and "]" not in port and (parts.scheme not in _PORTS or not host or not port.isdecimal())


def is_printable(text: str) -> bool:
    """Whether text holds no control character and can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not _CONTROL.search(text)


def without_query(address: str) -> str:
    """The address without query and fragment, where a presigned address carries its signature."""
    return urlsplit(address)._replace(query="", fragment="").geturl()


def as_request(address: str) -> str:
    """The address as a server takes it: blanks and letters beyond ASCII as percent codes, without its fragment.

    Raises ``UnicodeError`` if the host's name cannot be written in ASCII.
    """
    parts = urlsplit(address)
    host = parts.netloc
    if not host.isascii():
        name, colon, port = host.rpartition(":")
        host = f"{name.encode('idna').decode()}:{port}" if colon else host.encode("idna").decode()
    marks = "/%:@!$&'()*+,;=~"
    path, query = quote(parts.path, safe=marks), quote(parts.query, safe=marks + "?")
    return parts._replace(netloc=host, path=path, query=query, fragment="").geturl()


def may_redirect(address: str, target: str) -> bool:
    """Whether a redirect is followed: to the same host and port, or there from http to https; and never to credentials.

    Any other target was not declared by the person who wrote the settings: a server that is not theirs any more could point
    into their own network, or at a file of another owner.
    """
    try:
        here, there = urlsplit(address), urlsplit(target)
        ports = here.port or _PORTS[here.scheme], there.port or _PORTS[there.scheme]
    except (ValueError, KeyError):
        return False
    if here.hostname != there.hostname or has_credentials(target) or not is_printable(target):
        return False
    if here.scheme == there.scheme:
        return ports[0] == ports[1]
    return (here.scheme, there.scheme) == ("http", "https")


@dataclass(frozen=True)
class Place:
    """A folder of this machine; or, where that is None, a bucket with a prefix, which has no slash at either end."""

    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""


def parse_place(url: str, key: str) -> Place:
    """Read a path, ``file:///path`` or ``s3://bucket/prefix``.

    Raises ``ValueError`` if it is of another kind or carries credentials. ``key``: of the settings, for errors.
    """
    if "://" not in url and url.strip():
        return Place(Path(url).expanduser())
    parts = urlsplit(url)
    if not (has_credentials(url) or parts.query or parts.fragment):
        if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.strip("/"):
            return Place(Path(unquote(parts.path)))
        if parts.scheme == "s3" and parts.netloc:
            return Place(bucket=parts.netloc, prefix=parts.path.strip("/"))
    raise ValueError(
        f"{key} {redacted(url)!r} names no place: give a folder, file:///folder or s3://bucket/prefix, without credentials, ? or #"
    )
