"""Kernels: plain Python loops over numpy arrays that numba compiles when it is installed.

A kernel names its precision at every step (``f32(...)``, ``f64(...)``), because numba and numpy promote mixed numbers differently.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

f32 = np.float32
f64 = np.float64


class Kernel:
    """A function that is compiled at its first call, or runs as it is where numba is missing."""

    def __init__(self, function: FunctionType) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self._ready: Callable[..., Any] | None = None

    def dispatcher(self) -> Callable[..., Any]:
        """The compiled function; kernels that it calls are compiled with it. The machine code is cached on disk."""
        if self._ready is None:
            import numba

            used = self.function.__code__.co_names
            scope = {
                name: value.dispatcher() if name in used and isinstance(value, Kernel) else value
                for name, value in self.function.__globals__.items()
            }
            bound = FunctionType(self.function.__code__, scope, self.function.__name__, self.function.__defaults__)
            bound.__module__, bound.__qualname__ = self.function.__module__, self.function.__qualname__
            settings: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
            try:
                self._ready = numba.njit(cache=True, **settings)(bound)
            except RuntimeError:  # no folder that the cache may be written to
                self._ready = numba.njit(**settings)(bound)
        return self._ready

    def __call__(self, *arguments: Any) -> Any:
        """Call it; division by zero and overflow give infinity and NaN, as in Java."""
        if has_numba():
            return self.dispatcher()(*arguments)
        with np.errstate(all="ignore"):
            return self.function(*arguments)


def kernel(function: Any) -> Kernel:
    """Mark a function as a kernel."""
    return Kernel(function)


def has_numba() -> bool:
    """Whether numba is installed (the extra ``hivemall``)."""
    global _HAS_NUMBA  # noqa: PLW0603
    if _HAS_NUMBA is None:
        _HAS_NUMBA = importlib.util.find_spec("numba") is not None
    return _HAS_NUMBA


_HAS_NUMBA: bool | None = None
