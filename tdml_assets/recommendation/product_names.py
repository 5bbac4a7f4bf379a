"""How a product is written for people.

Elsewhere: which of several names is a product's (``sql/recommendation/parts``).
"""

from __future__ import annotations

_LONGEST_NAME = 60


def product_label(product_id: str, name: str | None) -> str:
    """The name with the id behind it, since names need not differ; the id alone where there is no name.

    Examples
    --------
    >>> product_label("85123A", "White hanging heart")
    'White hanging heart (85123A)'
    """
    if name is None or name == product_id:
        return product_id
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1].rstrip()}…"
    return f"{shown} ({product_id})"
