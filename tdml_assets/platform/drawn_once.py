"""Pictures that were drawn before are not drawn again: equal input gives equal bytes.

Belongs here: when two pictures are the same. Does not: drawing (``figures*.py``), where pictures are kept
(``picture_folder.py``).
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, Protocol

import numpy as np

__all__ = ["Pictures", "drawn_once", "keeping", "picture_key"]

P = ParamSpec("P")


class Pictures(Protocol):
    """Where pictures are kept by their key."""

    def get(self, key: str) -> bytes | None:
        """The picture; None where there is none."""

    def put(self, key: str, picture: bytes) -> None:
        """Keep a picture."""


_kept: ContextVar[Pictures | None] = ContextVar("pictures that are kept", default=None)


@contextmanager
def keeping(pictures: Pictures) -> Iterator[None]:
    """Use and fill ``pictures`` for the block; without it everything is drawn."""
    before = _kept.get()
    _kept.set(pictures)
    try:
        yield
    finally:
        # Not by token: a generator that Dagster ends from elsewhere has another context.
        _kept.set(before)


def drawn_once(draw: Callable[P, bytes]) -> Callable[P, bytes]:
    """Let a pure drawing function look first whether a picture of the same input is kept."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> bytes:
        pictures = _kept.get()
        key = None if pictures is None else picture_key(f"{draw.__module__}.{draw.__qualname__}", args, kwargs)
        if pictures is None or key is None:
            return draw(*args, **kwargs)
        found = pictures.get(key)
        if found is None:
            found = draw(*args, **kwargs)
            pictures.put(key, found)
        return found

    return drawn


def picture_key(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """A hash that is equal for equal input alone; None where an argument is of a kind not known here.

    ``name``: of the drawing function. ``args``, ``kwargs``: numbers, text, days, arrays, dataclasses, and lists and mappings of
    them.
    """
    try:
        text = json.dumps([name, args, kwargs], default=_plain)
    except TypeError:
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return [value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    if isinstance(value, np.generic):
        return [value.dtype.str, value.item()]
    if isinstance(value, (date, Decimal)):
        return [type(value).__name__, str(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Not asdict, which copies arrays.
        return [type(value).__name__, {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}]
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no plain form")
