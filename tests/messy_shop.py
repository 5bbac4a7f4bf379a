"""Orders as a shop on the continent exports them: semicolons, dd/mm/yyyy, decimal commas with thousands points, guests without
an e-mail address, refunds, e-mail addresses as customer ids. Generated, with the sums it must come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

HEADER = ("Order Number", "Customer E-mail", "Order Date", "SKU", "Qty", "Line Total")
SETTINGS: dict[str, Any] = {
    "sources": {
        "orders": {
            "path": "orders.csv",
            "format": "csv",
            "csv": {"delimiter": ";"},
            "numbers": {"decimal": ",", "thousands": "."},
            "timestamp_format": "%d/%m/%Y %H:%M",
            "timezone": "Europe/Paris",
            "currency": "EUR",
            "columns": {
                "order_id": "Order Number",
                "customer_id": "Customer E-mail",
                "ordered_at": "Order Date",
                "product_id": "SKU",
                "quantity": "Qty",
                "amount": "Line Total",
            },
        }
    }
}


@dataclass(frozen=True)
class MessyShop:
    """What the file must come to: lines of known customers, lines of guests, and net revenue of the former."""

    lines: int
    guest_lines: int
    customers: int
    net_revenue: Decimal
    last_on: date


def written(amount: Decimal) -> str:
    """1234.5 as 1.234,50."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def write_messy_shop(
    path: Path,
    *,
    customers: int = 300,
    days: int = 500,
    last_on: date = date(2026, 6, 30),
    seed: int = 7,
    delimiter: str = ";",
    day_format: str = "%d/%m/%Y",
    encoding: str = "utf-8",
) -> MessyShop:
    """Write the file, about four orders a customer. Every fiftieth line is a large one, of 1,000 EUR and more."""
    random = np.random.default_rng(seed)
    lines, known, guests, revenue = [], set(), 0, Decimal(0)
    # Some buy often and some spend much, as people do: there is something to learn.
    often = random.gamma(0.8, size=customers)
    often /= often.sum()
    spends = random.lognormal(0, 0.7, size=customers)
    for number in range(customers * 4):
        day = last_on - timedelta(days=int(random.integers(days)) if number else 0)
        is_guest = random.random() < 0.08
        customer = int(random.choice(customers, p=often))
        who = "" if is_guest else f"Zoë.{customer}@shop.example"
        when = f"{day:{day_format}} {random.integers(8, 20):02}:{random.integers(60):02}"
        for _ in range(int(random.integers(1, 3))):
            amount = Decimal(int(random.gamma(2, 2000 * spends[customer]))) / 100
            if number % 50 == 0:
                amount += 1000
            quantity = 1 if random.random() > 0.05 else -1
            amount *= quantity
            lines.append((f"{number:06}", who, when, f"P{random.integers(40)}", str(quantity), written(amount)))
            if is_guest:
                guests += 1
            else:
                known.add(who)
                revenue += amount
    text = "\n".join(delimiter.join(line) for line in [HEADER, *lines]) + "\n"
    path.write_bytes(text.encode(encoding))
    return MessyShop(len(lines) - guests, guests, len(known), revenue, last_on)
