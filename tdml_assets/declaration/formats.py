"""Source formats: what one is, and finding the one that ``format`` of a source names.

Elsewhere: the formats of this package (``stages/raw/formats.py``), reading files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from tdml_assets.declaration.base import object_of

#: Module whose ``FORMATS`` are those of this package; every other format is the import path of a module with a ``FORMAT``.
FORMATS_MODULE = "tdml_assets.stages.raw.formats"


@dataclass(frozen=True)
class SourceFormat:
    """One format of source files.

    ``name``: as ``format`` of a source gives it: of this package, or the import path of the module.
    ``layout``: from a ``FileToRead`` (``stages/raw/headers.py``) to a ``FileLayout``: the columns, where the warehouse reads
      the rows, and by which of ``sql/raw/lines/``. It raises ``SourceError`` for a file that is not what it should be.
    ``endings``: of the names of files that count in a folder, in small letters; packed forms are added.
    ``is_text``: whether values are text, so that ``timestamp_format`` must be declared.
    ``reads_gzip``: whether ``layout`` takes a file named ``.gz`` as it is; every other packed file is unpacked before.
    ``keys``: keys of a source that only some formats read, and this one does.
    ``options``: model that the key ``options`` is validated by; without one the key is refused.
    """

    name: str
    layout: Callable[[Any], Any]
    endings: tuple[str, ...] = ()
    is_text: bool = False
    reads_gzip: bool = False
    keys: frozenset[str] = frozenset()
    options: type[BaseModel] | None = None


def known_formats() -> dict[str, SourceFormat]:
    """The formats of this package, by name."""
    found: dict[str, SourceFormat] = import_module(FORMATS_MODULE).FORMATS
    return found


@cache
def format_named(name: str) -> SourceFormat:
    """Give a format.

    Raises ``ValueError`` if there is none of that name. ``name``: a key of :func:`known_formats`, or the import path of a
    module that has a :class:`SourceFormat` named ``FORMAT``.
    """
    known = known_formats()
    if name in known:
        return known[name]
    if "." not in name:
        raise ValueError(
            f"format {name!r} is not known: write one of {', '.join(known)}, or the import path of a module of your own"
        )
    return object_of(name, "FORMAT", SourceFormat, "format")


def require_format(name: str) -> str:
    """The name, if there is such a format; it raises ``ValueError`` otherwise."""
    format_named(name)
    return name
