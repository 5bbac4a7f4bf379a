"""Whether the orders allow recommendations. Elsewhere: its settings (``declaration/recommendation.py``)."""

from __future__ import annotations

from collections.abc import Collection

from tdml_assets.platform.refusals import RefusedError


class NoProductsError(RefusedError):
    """No order line names a product, so there is nothing to recommend."""


def why_off(mapped: Collection[str]) -> str | None:
    """Why recommendations cannot be made of these orders; None where they can.

    ``mapped``: columns of ``raw.orders`` that the source is mapped onto.
    """
    if "product_id" in mapped:
        return None
    return "the orders name no product: map product_id under sources.orders.columns to switch recommendations on"
