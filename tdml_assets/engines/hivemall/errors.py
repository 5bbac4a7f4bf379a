"""The one error of this package."""

from __future__ import annotations


class HivemallError(ValueError):
    """An input, an option or a function name that Hivemall refuses; the message holds Hivemall's own text."""
