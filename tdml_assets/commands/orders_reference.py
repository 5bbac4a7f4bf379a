"""The section of the reference of settings that shows how each kind of export says what an order is.

Belongs here: one short declaration per kind of export, and the statuses that need none. Does not: the tables of keys
(``settings_reference.py``), the keys themselves (``declaration/order_rules.py``).
"""

from __future__ import annotations

from typing import Any

import yaml

from tdml_assets.declaration.statuses import COMMON_PHRASES

#: Title, what the export looks like, and the keys of ``sources.orders`` that read it.
EXPORTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "One row per order, with a status",
        "The status is that of the order itself: one that was refunded, cancelled or has failed counts as nothing (`void`), and "
        "its rows go to `raw.rejected_rows` with the reason `void_status`. Common statuses are known; name those that mean "
        "something else.",
        {
            "columns": {"order_id": "Order ID", "amount": "Order Total", "order_status": "Order Status"},
            "statuses": {"wc-completed": "sale", "wc-processing": "sale", "wc-*": "void"},
        },
    ),
    (
        "One row per line, with returns as lines of their own",
        "A line of negative quantity is a return. So is a line whose status says what it is (`return`): its quantity and amount "
        "become negative. A negative price or amount alone lowers spend and is not a return.",
        {
            "columns": {"order_id": "Order", "quantity": "Qty", "unit_price": "Price", "order_status": "Line Status"},
            "statuses": {"RETURN": "return", "COMPLETE": "sale"},
        },
    ),
    (
        "Customer, date, status and total on an order's first line only",
        "`carry` gives the other lines of an `order_id` the value of the first one. The total is counted once, and every line "
        "keeps its product. `refunded_amount` is taken off once: a refunded order with its amount there is a sale that nets to "
        "nothing. With none or 0 there, it is `void`.",
        {
            "columns": {
                "customer_id": "Email",
                "ordered_at": "Created at",
                "order_id": "Name",
                "amount": "Total",
                "refunded_amount": "Refunded Amount",
                "order_status": "Financial Status",
                "product_id": "Lineitem sku",
                "quantity": "Lineitem quantity",
                "unit_price": "Lineitem price",
            },
            "amount_level": "order",
            "carry": ["customer_id", "ordered_at", "order_status"],
        },
    ),
    (
        "The order's total on every line",
        "Summed line by line, such totals count several times; a check looks for them.",
        {"columns": {"order_id": "order_id", "amount": "order_total", "product_id": "sku"}, "amount_level": "order"},
    ),
    (
        "Amounts of lines, but a refund of the whole order",
        "The refund is taken off once, in proportion to the amounts of the lines.",
        {
            "columns": {"order_id": "order", "amount": "line_total", "refunded_amount": "refunded"},
            "refund_level": "order",
        },
    ),
    (
        "Refunds as rows that name an order and no customer",
        "Each is booked on the customer of that order, whichever file it is in, and lowers their spend. Without that order its "
        "reason is `unknown_parent_order`. A refund of an order that counts as nothing counts as nothing too.",
        {"columns": {"order_id": "id", "amount": "total", "parent_order_id": "parent"}},
    ),
    (
        "Discounts, shipping, tax and gift cards as lines",
        "By product code, or by another column. Such a line is never a product and never a return. Tax, tips and gift cards are "
        "left out of spend unless `spend: true` says otherwise, with the reason `excluded_kind`.",
        {
            "line_kinds": {
                "column": "line_type",
                "values": {"shipping": "shipping", "coupon": "discount", "sales_tax": {"kind": "tax", "spend": True}},
            }
        },
    ),
)


def orders_section() -> str:
    """Markdown of the section."""
    parts = [
        "\n## What an order is\n\nKeys of `sources.orders`, by kind of export; what every source needs is left out. "
        "The table `raw.order_statuses` lists the statuses that were found, with rows and money, and what each counts as.\n"
    ]
    for title, text, keys in EXPORTS:
        block = yaml.safe_dump(keys, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
        parts.append(f"\n### {title}\n\n{text}\n\n```yaml\n{block}```\n")
    parts.append(
        "\n### Statuses that need no declaration\n\nIn any case, with blanks, hyphens or underscores, also behind `wc-`. A "
        "declared status or pattern comes first, an exact value before a pattern. Any other status counts as a sale, and the "
        "summary notes it with its rows and money. A row of negative quantity or amount with one of the void ones is a return: "
        "its sale is another row.\n\n| counts as | statuses |\n|---|---|\n"
    )
    parts += [f"| `{meaning}` | {', '.join(phrases)} |\n" for meaning, phrases in COMMON_PHRASES.items()]
    return "".join(parts)
