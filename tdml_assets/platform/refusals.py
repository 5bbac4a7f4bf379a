"""The error of a workflow that the orders at hand do not allow.

Elsewhere: bounds (each is checked where it is declared), what becomes of the workflow (``outcome.py``).
"""

from __future__ import annotations


class RefusedError(ValueError):
    """The orders do not allow what a workflow asks for: nothing is wrong with the code or the machine.

    ``reason``: the thing, the value found and the bound. ``remedy``: what a person can change.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}")
        self.reason = reason
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[RefusedError], tuple[str, str], dict[str, object]]:
        # Pickled as it is made: the base class would give the message alone.
        return type(self), (self.reason, self.remedy), self.__dict__
