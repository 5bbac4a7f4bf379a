"""What can go wrong between a true world and the order file that describes it.

Elsewhere: changes of the world itself, such as prices or population (`process`).
"""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from tdml_assets.simulation.settings import BrokenFeed

ABSURD_PRICE = 9_999_999_999.0
FUTURE_YEARS = 100


def break_feed(orders: pa.Table, fault: BrokenFeed, random: np.random.Generator) -> pa.Table:
    """Deliver `orders` as a broken feed would; rows before `fault.from_date` are untouched, order is kept.

    ``orders``: order lines with ordered_at and, depending on the fault, order_id, unit_price or `fault.column`. ``random``: of
    the coins of half_volume, one for each distinct order_id, in order of appearance.
    """
    import pyarrow.compute as pc

    midnight = datetime.combine(fault.from_date, datetime.min.time())
    is_broken = pc.greater_equal(orders["ordered_at"], pa.scalar(midnight, pa.timestamp("us")))
    if fault.kind == "half_volume":
        encoded = orders["order_id"].combine_chunks().dictionary_encode()
        is_lost = random.random(len(encoded.dictionary)) < 0.5
        return orders.filter(pc.invert(pc.and_(is_broken, pa.array(is_lost[encoded.indices.to_numpy()]))))
    name = fault.column if fault.kind == "null_column" else "unit_price"
    column = orders[name]
    value = pa.scalar(None, column.type) if fault.kind == "null_column" else pc.round(pc.multiply(column, 100.0), 2)
    index = orders.column_names.index(name)
    return orders.set_column(index, orders.field(index), pc.if_else(is_broken, value, column))


def draw_dirty_rows(orders: pa.Table, share: float, random: np.random.Generator) -> tuple[pa.Table, dict[str, int]]:
    """Make rows that a loader must reject, to be added to `orders` so that what is left afterwards is the truth.

    ``orders``: lines to imitate; unchanged. ``share``: dirty rows as a share of them, rounded up to the same number of each
    reason. Gives the rows, whose order_id begins with X, so that no line key is repeated, and rows by reason: missing_customer
    (null and empty in turn), absurd_price (`ABSURD_PRICE`), future_date (`FUTURE_YEARS` years late).
    """
    import pyarrow.compute as pc

    each = int(np.ceil(share * orders.num_rows / 3))
    names = orders.column_names
    picked = np.sort(random.choice(orders.num_rows, size=3 * each, replace=3 * each > orders.num_rows))
    rows = orders.take(pa.array(picked))
    reason = np.arange(3 * each) % 3

    def put(table: pa.Table, name: str, value: pa.Array | pa.ChunkedArray) -> pa.Table:
        index = names.index(name)
        return table.set_column(index, table.field(index), value)

    marked = [f"X{i:06d}{old}" for i, old in enumerate(rows["order_id"].to_pylist())]
    rows = put(rows, "order_id", pa.array(marked, pa.string()))
    blank = pa.array([None if i % 2 else "" for i in range(3 * each)], pa.string())
    rows = put(rows, "customer_id", pc.if_else(pa.array(reason == 0), blank, rows["customer_id"]))
    rows = put(rows, "unit_price", pc.if_else(pa.array(reason == 1), ABSURD_PRICE, rows["unit_price"]))
    later = pc.add(rows["ordered_at"], pa.scalar(timedelta(days=FUTURE_YEARS * 365.25)))
    rows = put(rows, "ordered_at", pc.if_else(pa.array(reason == 2), later, rows["ordered_at"]))
    return rows, {"missing_customer": each, "absurd_price": each, "future_date": each}
