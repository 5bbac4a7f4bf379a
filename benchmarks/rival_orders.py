"""The rival's first half: order lines as arrays, and features of them. See ``rival_session.py``.

Belongs here: reading and judging lines, sorting, features and spend at a day. Does not: learning, figures, files.

Written to be fast and small: columns are read one at a time, text becomes integer codes at once, lines are sorted once,
what returns do not change is computed once, and a snapshot is a pass over orders (not lines) with integer keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Array = NDArray[Any]

WINDOWS = (30, 90, 365)
MAX_UNIT_PRICE, EARLIEST = 1_000_000.0, date(1990, 1, 1)
RETURN_STATUSES = ("RETURN", "RETURNED", "CANCEL", "CANCELED", "CANCELLED", "REFUND", "REFUNDED")
ONLINE, OFFLINE = 1, 2
CHANNELS = {"website": ONLINE, "mobile app": ONLINE, "in-store": OFFLINE}
TEXT = ("most_ordered_category", "last_ordered_category")


def day_number(day: date) -> int:
    """Days since 1970, as the lines hold them."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def as_date(day: int) -> date:
    """Turn a :func:`day_number` back."""
    return date.fromordinal(int(day) + date(1970, 1, 1).toordinal())


def codes_of(path: Path, name: str) -> tuple[Array, pa.Array]:
    """Read one text column as integer codes, -1 where missing or blank, and the distinct texts."""
    column = pq.read_table(path, columns=[name], read_dictionary=[name])[name].unify_dictionaries().combine_chunks()
    codes: Array = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    blank = np.flatnonzero(pc.equal(pc.utf8_trim_whitespace(column.dictionary), "").to_numpy(zero_copy_only=False))
    if len(blank):
        codes = np.where(np.isin(codes, blank), np.int32(-1), codes)
    texts = column.dictionary
    del column
    pa.default_memory_pool().release_unused()
    return codes, texts


def numbers_of(path: Path, name: str) -> Array:
    """One column of numbers, flags or times."""
    values: Array = pq.read_table(path, columns=[name])[name].to_numpy()
    return values


def read_lines(path: Path, today: date) -> tuple[dict[str, Array], pa.Array, list[str], dict[str, int]]:
    """Read the valid lines in file order.

    Returns
    -------
    Columns by name, customer ids by code, categories by code, rows rejected by reason.
    """
    customer, ids = codes_of(path, "customer_id")
    price = numbers_of(path, "unit_price")
    at = numbers_of(path, "ordered_at").astype("datetime64[s]").astype(np.int64)
    units = numbers_of(path, "quantity")
    day = at // 86_400
    reasons = {
        "missing_customer": customer < 0,
        "bad_timestamp": (day > day_number(today) + 1) | (day < day_number(EARLIEST)),
        "out_of_bounds": ~((price >= 0) & (price <= MAX_UNIT_PRICE)) | ~np.isfinite(units),
    }
    keep = np.ones(len(day), dtype=bool)
    rejected = {}
    for reason, bad in reasons.items():
        rejected[reason] = int((keep & bad).sum())
        keep &= ~bad
    del reasons
    order = codes_of(path, "order_id")[0]
    key = (order.astype(np.int64) * (1 << 20) + numbers_of(path, "line_number"))[keep]
    # Sorting takes less memory than a hash table, and as a rule there is nothing to find.
    ordered = np.sort(key)
    rejected["duplicate"] = int((ordered[1:] == ordered[:-1]).sum())
    del ordered
    if rejected["duplicate"]:
        keep[np.flatnonzero(keep)[pd.Series(key).duplicated(keep="last").to_numpy()]] = False
    del key

    status, statuses = codes_of(path, "order_status")
    returned = np.isin(
        status, [place for place, text in enumerate(statuses.to_pylist()) if text.upper() in RETURN_STATUSES]
    ) | (units < 0)
    product = codes_of(path, "product_id")[0]
    category, categories = codes_of(path, "product_category")
    channel, kinds = codes_of(path, "order_type")
    # One more for lines without a channel: code -1.
    channel_of = np.array([*(CHANNELS.get(text.strip().lower(), 0) for text in kinds.to_pylist()), 0], dtype=np.int8)
    size = np.abs(units).astype(np.float32)
    lines = {
        "customer": customer,
        "at": at,
        "order": order,
        "product": product,
        "category": category.astype(np.int16),
        "units": np.where(returned, -size, size).astype(np.float32),
        "amount": np.where(returned, -size * price, size * price),
        "is_return": returned,
        "channel": channel_of[channel],
        "coupon": numbers_of(path, "coupon_used").astype(bool),
    }
    del customer, at, day, order, product, category, units, size, price, returned, channel, status
    for name in lines:
        lines[name] = lines[name][keep]
    return lines, ids, categories.to_pylist(), rejected


@dataclass
class Log:
    """Order lines in order of customer and time, and what can be told of them before any snapshot is taken.

    ``order_*`` are per order, in the same order of customer and time; ``line_*`` per line; ``pair_*`` per customer and
    product; ``return_*`` per returned line that met a sale, with the place of that sale's line, and ``sale_*`` what
    that sale was; ``again_*`` per sale of a customer and product of which something came back.
    """

    ids: pa.Array
    categories: list[str]
    order_customer: Array
    order_day: Array
    order_net: Array
    order_returned: Array
    order_units: Array
    order_sale_amount: Array
    order_sale_lines: Array
    order_coupon: Array
    order_channel: Array
    line_order: Array
    line_day: Array
    line_cell: Array
    pair_customer: Array
    pair_first_day: Array
    return_sale: Array
    return_day: Array
    return_units: Array
    sale_units: Array
    sale_amount: Array
    again_line: Array
    again_pair: Array


def arrange(lines: dict[str, Array], ids: pa.Array, categories: list[str]) -> Log:
    """Sort once, and sum what no return changes. ``lines`` is emptied on the way."""
    at = lines.pop("at")
    by_time = np.argsort(lines["customer"].astype(np.int64) * (int(at.max()) + 1) + at, kind="stable")
    day = (at[by_time] // 86_400).astype(np.int32)
    del at
    for name in list(lines):
        lines[name] = lines[name][by_time]
    del by_time
    customer, order, is_return = lines.pop("customer"), lines.pop("order"), lines.pop("is_return")
    units, amount = lines.pop("units"), lines.pop("amount")
    is_sale = ~is_return

    starts_order = np.ones(len(day), dtype=bool)
    starts_order[1:] = (customer[1:] != customer[:-1]) | (order[1:] != order[:-1]) | (order[1:] < 0)
    start = np.flatnonzero(starts_order)
    line_order = (np.cumsum(starts_order) - 1).astype(np.int32)
    del order, starts_order

    def per_order(values: Array, kind: Any = np.float64) -> Array:
        return np.add.reduceat(values, start, dtype=np.float64).astype(kind)

    orders = {
        "order_customer": customer[start],
        "order_day": day[start],
        "order_net": per_order(amount),
        "order_returned": per_order(np.where(is_return, -amount, 0.0)),
        "order_units": per_order(units, np.float32),
        "order_sale_amount": per_order(np.where(is_sale, amount, 0.0)),
        "order_sale_lines": per_order(is_sale, np.int16),
        "order_coupon": per_order(lines.pop("coupon") & is_sale, np.int16) > 0,
        "order_channel": lines.pop("channel")[start],
    }

    product, category = lines.pop("product"), lines.pop("category")
    cell = np.where(is_sale & (category >= 0), customer * np.int32(len(categories)) + category, -1).astype(np.int32)
    del category
    pair = customer.astype(np.int64) * (int(product.max()) + 1) + product
    by_product = np.argsort(pair, kind="stable").astype(np.int32)
    by_product = by_product[product[by_product] >= 0]
    pair = pair[by_product]
    new_pair = np.ones(len(pair), dtype=bool)
    new_pair[1:] = pair[1:] != pair[:-1]
    pair = (np.cumsum(new_pair) - 1).astype(np.int32)
    sold = is_sale[by_product]
    first_day = np.full(int(pair[-1]) + 1, np.iinfo(np.int32).max, dtype=np.int32)
    first_sale = np.flatnonzero(sold)[::-1]
    # The last value written stays, so written backwards the first sale does.
    first_day[pair[first_sale]] = day[by_product[first_sale]]
    pair_customer = customer[by_product[new_pair]]
    del new_pair, first_sale, product, customer

    # Where something came back: lines in order of time, each return with the last sale before it.
    came_back = np.zeros(len(first_day), dtype=bool)
    came_back[pair[~sold]] = True
    again = np.flatnonzero(came_back[pair])
    by_product, pair, sold = by_product[again], pair[again], sold[again]
    place = np.maximum.accumulate(np.where(sold, np.arange(len(sold)), 0))
    met = ~sold & sold[place] & (pair[place] == pair)
    sale = by_product[place[met]]
    return Log(
        ids=ids,
        categories=categories,
        **orders,
        line_order=line_order,
        line_day=day,
        line_cell=cell,
        pair_customer=pair_customer,
        pair_first_day=first_day,
        return_sale=sale,
        return_day=day[by_product[met]],
        return_units=-units[by_product[met]],
        sale_units=units[sale],
        sale_amount=amount[sale],
        again_line=by_product[sold],
        again_pair=pair[sold],
    )


def orders_left(log: Log, day: int) -> tuple[Array, Array, Array]:
    """Take returns up to ``day`` off: sale lines and sale amount left per order, and lines of which nothing is left."""
    seen = np.flatnonzero(log.return_day <= day)
    line, first, inverse = np.unique(log.return_sale[seen], return_index=True, return_inverse=True)
    units, amount = log.sale_units[seen][first], log.sale_amount[seen][first]
    taken = np.minimum(np.bincount(inverse, weights=log.return_units[seen], minlength=len(line)), units)
    emptied = line[taken >= units]
    orders = len(log.order_day)
    lines = log.order_sale_lines - np.bincount(log.line_order[emptied], minlength=orders)
    amounts = log.order_sale_amount - np.bincount(
        log.line_order[line], weights=amount * taken / units, minlength=orders
    )
    return lines, amounts, emptied


def population(log: Log, day: int) -> Array:
    """Find the customers with a sale left at the end of ``day``, as codes."""
    lines, _, _ = orders_left(log, day)
    customers = log.order_customer[(log.order_day <= day) & (lines > 0)]
    found: Array = customers[np.append(True, customers[1:] != customers[:-1])]
    return found


def features_at(log: Log, day: int) -> pd.DataFrame:
    """Features of everybody in the population at the end of ``day``, indexed by customer code."""
    lines_left, amount_left, emptied = orders_left(log, day)
    seen = np.flatnonzero(log.order_day <= day)
    kept = seen[lines_left[seen] > 0]
    customer = log.order_customer[kept]
    start = np.flatnonzero(np.append(True, customer[1:] != customer[:-1]))
    who = customer[start]
    found = money_at(log, day, seen, kept, who)
    found |= rhythm_at(log, day, kept, start, amount_left[kept])
    found |= assortment_at(log, day, emptied, who)
    found["return_rate"] = found["returned_amount"] / np.where(found["gross_spend"] > 0, found["gross_spend"], np.inf)
    found["avg_order_value"] = found["total_spend"] / found["total_orders"]
    found["avg_order_size"] = found["total_items"] / found["total_orders"]
    numbers = {name: found.pop(name).astype(np.float32) for name in list(found) if name not in TEXT}
    frame = pd.DataFrame(numbers, index=who, copy=False)
    categories = pd.CategoricalDtype(log.categories)
    for name in TEXT:
        frame[name] = pd.Categorical.from_codes(found[name], dtype=categories)  # type: ignore[arg-type]
    return frame


def money_at(log: Log, day: int, seen: Array, kept: Array, who: Array) -> dict[str, Array]:
    """Sum orders, over the whole life and the last days.

    Parameters
    ----------
    seen, kept : orders up to ``day``, and those of which a sale is left.
    who : customers asked for.
    """

    def total(orders: Array, values: Array | None = None) -> Array:
        weights = None if values is None else values[orders]
        return np.bincount(log.order_customer[orders], weights=weights, minlength=len(log.ids))[who]

    found = {
        "total_spend": total(seen, log.order_net),
        "returned_amount": total(seen, log.order_returned),
        "total_orders": total(kept),
        "total_items": total(seen, log.order_units),
        "coupons_used": total(kept[log.order_coupon[kept]]),
        "online_orders": total(kept[log.order_channel[kept] == ONLINE]),
        "offline_orders": total(kept[log.order_channel[kept] == OFFLINE]),
        "canceled_orders": total(seen[log.order_returned[seen] > 0]),
    }
    found["gross_spend"] = found["total_spend"] + found["returned_amount"]
    for days in sorted(WINDOWS, reverse=True):
        seen, kept = (orders[log.order_day[orders] > day - days] for orders in (seen, kept))
        found[f"total_spend_{days}d"] = total(seen, log.order_net)
        found[f"total_orders_{days}d"] = total(kept)
        found[f"total_items_{days}d"] = total(seen, log.order_units)
        found[f"returned_amount_{days}d"] = total(seen, log.order_returned)
    return found


def rhythm_at(log: Log, day: int, kept: Array, start: Array, amount: Array) -> dict[str, Array]:
    """When customers bought, and first, last and largest orders.

    Parameters
    ----------
    kept, amount : orders of which a sale is left, in order of customer and time, and what is left of them.
    start : place in ``kept`` of every customer's first order.
    """

    def over(values: Array) -> Array:
        return np.add.reduceat(values, start, dtype=np.float64)

    on, last = log.order_day[kept], np.append(start[1:], len(kept)) - 1
    first_on, last_on = on[start], on[last]
    gap = np.diff(on, prepend=0).astype(np.float64)
    gap[start] = 0.0
    repeats = over(gap > 0)
    is_first_day = on == np.repeat(first_on, last - start + 1)
    recency = (last_on - first_on).astype(np.float64)
    once, twice = np.where(repeats > 0, repeats, np.nan), np.where(repeats > 1, repeats, np.nan)
    return {
        "first_order_value": amount[start],
        "last_order_value": amount[last],
        "max_order_value": np.maximum.reduceat(amount, start),
        "days_since_last_order": day - last_on,
        "order_history_length": recency,
        "repeat_purchase_days": repeats,
        "recency_days": recency,
        "tenure_days": day - first_on,
        "avg_repeat_day_value": over(np.where(is_first_day, 0.0, amount)) / once,
        "mean_days_between_orders": recency / once,
        "stddev_days_between_orders": np.sqrt((repeats * over(gap * gap) - recency * recency) / (twice * (twice - 1))),
        "recency_ratio": (day - last_on) * once / np.where(recency > 0, recency, np.nan),
    }


def assortment_at(log: Log, day: int, emptied: Array, who: Array) -> dict[str, Array]:
    """Products and categories of which a sale is left."""
    customers, levels = len(log.ids), len(log.categories)
    is_empty = np.zeros(len(log.line_day), dtype=bool)
    is_empty[emptied] = True
    met = np.bincount(log.pair_customer[log.pair_first_day <= day], minlength=customers)
    bought = log.line_day[log.again_line] <= day
    pairs, inverse = np.unique(log.again_pair[bought], return_inverse=True)
    left = np.bincount(inverse, weights=~is_empty[log.again_line[bought]], minlength=len(pairs))
    met -= np.bincount(log.pair_customer[pairs[left == 0]], minlength=customers)

    line = np.flatnonzero((log.line_cell >= 0) & (log.line_day <= day) & ~is_empty).astype(np.int32)
    cell = log.line_cell[line]
    counts = np.bincount(cell, minlength=customers * levels).reshape(customers, levels)[who]
    # Lines are in order of time and the last one written stays: the latest line of each customer and category.
    latest = np.full(customers * levels, -1, dtype=np.int64)
    latest[cell] = line
    latest = latest.reshape(customers, levels)[who]
    known = latest.max(axis=1) >= 0
    most = (counts * np.int64(len(log.line_day)) + latest).argmax(axis=1)
    return {
        "distinct_items_ordered": met[who],
        "distinct_categories_ordered": (counts > 0).sum(axis=1),
        "most_ordered_category": np.where(known, most, -1),
        "last_ordered_category": np.where(known, latest.argmax(axis=1), -1),
    }


def net_spend(log: Log, after: int, until: int) -> Array:
    """Net spend of every customer in ``(after, until]``, floored at zero."""
    rows = np.flatnonzero((log.order_day > after) & (log.order_day <= until))
    return np.maximum(np.bincount(log.order_customer[rows], weights=log.order_net[rows], minlength=len(log.ids)), 0.0)
