"""The one error of this package.

Belongs here: the exception. Does not: messages, which are written where the input is refused.
"""

from __future__ import annotations


class HivemallError(ValueError):
    """An input, an option or a function name that Hivemall refuses; the message holds Hivemall's own text."""
