"""The sample's files as a settings file would declare them.

Elsewhere: writing them (``sample.py``), which takes numpy and pyarrow, while every command reads the declaration.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tdml_assets.simulation.settings import SimulationSettings

FILES = {
    "orders": "orders.parquet",
    "pageviews": "pageviews.parquet",
    "email_events": "email_events.parquet",
    "customers": "customers.csv",
    "truth": "truth.parquet",
}
DEFAULT_CURRENCY: str = SimulationSettings.model_fields["currency"].default
# Above any price of the catalogue in pence, below ABSURD_PRICE: a change of unit is drift, not a wrong row.
MAX_UNIT_PRICE = 1_000_000
_ORDER_COLUMNS = (
    *("order_id", "customer_id", "ordered_at", "product_id", "product_category", "quantity", "unit_price"),
    *("order_status", "order_type", "coupon_used", "currency"),
)


def sources_of_sample(folder: Path, currency: str = DEFAULT_CURRENCY) -> dict[str, Any]:
    """Declare the sample in `folder` as the `sources` of a settings file; nothing is read.

    Timestamps are declared to be UTC: the simulated clock has no hour that daylight saving skips or repeats.
    """

    def declared(table: str, columns: Sequence[str], **more: object) -> dict[str, Any]:
        path = Path(folder, FILES[table])
        named = {column: column for column in columns}
        return {"path": str(path), "format": path.suffix.removeprefix("."), "columns": named, **more}

    return {
        "orders": declared(
            "orders",
            _ORDER_COLUMNS,
            timezone="UTC",
            line_key=["order_id", "line_number"],
            reporting_currency=currency,
            bounds={"unit_price": {"min": 0, "max": MAX_UNIT_PRICE}},
        ),
        "pageviews": declared("pageviews", ("customer_id", "viewed_at", "path"), timezone="UTC"),
        "email_events": declared(
            "email_events", ("customer_id", "sent_at", "event_type", "email_name", "campaign_name"), timezone="UTC"
        ),
        "customers": declared("customers", ("customer_id", "signup_date", "country", "email")),
    }
