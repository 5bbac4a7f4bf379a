"""Blocks of customers put together: from settings to Arrow tables.

Elsewhere: the draws themselves (`process`, `events`) and files (`tdml_assets.simulation.sample`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.simulation import events, process
from tdml_assets.simulation.feed import break_feed
from tdml_assets.simulation.process import CATEGORIES, SECONDS_PER_DAY, Ints, Stream
from tdml_assets.simulation.season import Season
from tdml_assets.simulation.settings import SimulationSettings

BLOCK_CUSTOMERS = 100_000

_TIMESTAMP = pa.timestamp("us")
ORDERS_SCHEMA = pa.schema(
    [
        ("order_id", pa.string()),
        ("customer_id", pa.string()),
        ("ordered_at", _TIMESTAMP),
        ("product_id", pa.string()),
        ("product_category", pa.string()),
        ("quantity", pa.int32()),
        ("unit_price", pa.float64()),
        ("order_status", pa.string()),
        ("order_type", pa.string()),
        ("coupon_used", pa.bool_()),
        ("currency", pa.string()),
        ("line_number", pa.int32()),
    ]
)
PAGEVIEWS_SCHEMA = pa.schema([("customer_id", pa.string()), ("viewed_at", _TIMESTAMP), ("path", pa.string())])
EMAIL_EVENTS_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("sent_at", _TIMESTAMP),
        ("event_type", pa.string()),
        ("email_name", pa.string()),
        ("campaign_name", pa.string()),
    ]
)
CUSTOMERS_SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("signup_date", pa.date32()), ("country", pa.string()), ("email", pa.string())]
)
TRUTH_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("purchase_rate_per_day", pa.float64()),
        ("dropout_rate_per_day", pa.float64()),
        ("mean_order_value", pa.float64()),
        ("acquired_at", _TIMESTAMP),
        ("lapsed_at", _TIMESTAMP),
        ("favourite_category", pa.string()),
        ("favourite_product_id", pa.string()),
        ("is_changed_population", pa.bool_()),
    ]
)

_COUNTRIES = ("GB", "IE", "FR", "DE", "US")
_COUNTRY_SHARES = np.array([0.82, 0.06, 0.05, 0.04, 0.03])
_CUSTOMER_DIGITS = 10
_ORDER_DIGITS = 11
# Orders of block b are numbered from b * this; no machine holds a block of that many.
_ORDERS_PER_BLOCK = 10**8


@dataclass(frozen=True)
class Simulation:
    """What one simulation produced; rows of the event tables are in order of time within a block of customers.

    ``orders``: one row per order line, unique by (order_id, line_number). A return is a RETURN line of its own order_id (R for
    O) with the product, price and line_number of the line it takes back and a negative quantity. ``pageviews``: one row per
    page view. ``email_events``: one row per event; sent_at is the instant of that event, also for an open or a click.
    ``customers``: one row per customer; ids have leading zeros. ``truth``: one row per customer, in the order of `customers`:
    purchase_rate_per_day (orders while alive, at average season), dropout_rate_per_day, mean_order_value (expected quantity *
    unit_price of an order, before returns and before `price_change`), acquired_at, lapsed_at (null: alive at the end),
    favourite_category, favourite_product_id, is_changed_population.
    """

    orders: pa.Table
    pageviews: pa.Table
    email_events: pa.Table
    customers: pa.Table
    truth: pa.Table


def simulate(settings: SimulationSettings) -> Simulation:
    """Simulate everyone; the tables are those of `simulate_blocks` one after the other."""
    blocks = list(simulate_blocks(settings))
    return Simulation(**{f.name: pa.concat_tables([getattr(b, f.name) for b in blocks]) for f in fields(Simulation)})


def simulate_blocks(
    settings: SimulationSettings, block_customers: int = BLOCK_CUSTOMERS, first_block: int = 0
) -> Iterator[Simulation]:
    """Simulate block after block of customers, so that memory does not grow with their number.

    ``block_customers``: part of the definition of the result, like the seed: another value gives another world of the same kind.
    ``first_block``: blocks before it are not simulated: whoever wrote them goes on from there.
    """
    season = Season(settings)
    catalogue = process.Catalogue.draw(settings)
    for block, first in enumerate(range(0, settings.customers, block_customers)):
        if block < first_block:
            continue
        count = min(block_customers, settings.customers - first)
        yield _simulate_block(settings, season, catalogue, block, first, count)


def _simulate_block(
    settings: SimulationSettings,
    season: Season,
    catalogue: process.Catalogue,
    block: int,
    first: int,
    count: int,
) -> Simulation:
    import pyarrow.compute as pc

    customers = process.draw_customers(settings, season, catalogue, block, count)
    orders = process.draw_orders(settings, season, customers, block)
    lines = process.draw_order_lines(settings, catalogue, customers, orders, block)
    customer_ids = _digits(np.arange(first + 1, first + count + 1), _CUSTOMER_DIGITS)
    product_ids = [f"P{number:05d}" for number in range(1, len(catalogue.price) + 1)]

    order_table = _orders_table(settings, catalogue, orders, lines, customer_ids, product_ids, block)
    if settings.broken_feed is not None:
        random = process.stream(settings.seed, Stream.FEED, block)
        order_table = break_feed(order_table, settings.broken_feed, random)

    pageview_table = PAGEVIEWS_SCHEMA.empty_table()
    if settings.pageviews_per_order > 0:
        views = events.draw_pageviews(settings, season, catalogue, customers, orders, lines, block)
        pageview_table = pa.table(
            [
                _strings(customer_ids[views.customer]),
                _instants(settings, views.at),
                _chosen(events.page_paths(product_ids), views.path),
            ],
            schema=PAGEVIEWS_SCHEMA,
        )

    email_table = EMAIL_EVENTS_SCHEMA.empty_table()
    if settings.emails_per_month > 0:
        mail = events.draw_email_events(settings, customers, block)
        names, campaigns = events.email_names(settings)
        email_table = pa.table(
            [
                _strings(customer_ids[mail.customer]),
                _instants(settings, mail.at),
                _chosen(events.EVENT_TYPES, mail.event),
                _chosen(names, mail.email),
                _chosen(campaigns, mail.email),
            ],
            schema=EMAIL_EVENTS_SCHEMA,
        )

    ids = _strings(customer_ids)
    country = process.stream(settings.seed, Stream.PROFILE, block).choice(len(_COUNTRIES), count, p=_COUNTRY_SHARES)
    acquired_at = _instants(settings, customers.acquired)
    customer_table = pa.table(
        [
            ids,
            acquired_at.cast(pa.date32(), safe=False),
            _chosen(_COUNTRIES, country),
            pc.binary_join_element_wise("customer-", ids, "@example.com", ""),
        ],
        schema=CUSTOMERS_SCHEMA,
    )
    # Beyond the end the lapse is neither visible nor always a representable date: lifetimes have a heavy tail.
    is_alive = customers.lapsed >= settings.days
    lapsed = np.ceil(np.where(is_alive, 0, customers.lapsed) * SECONDS_PER_DAY).astype(np.int64)
    truth = pa.table(
        [
            ids,
            customers.purchase_rate * customers.keep_share,
            customers.dropout_rate,
            customers.order_value,
            acquired_at,
            _instants(settings, lapsed, is_null=is_alive),
            _chosen(CATEGORIES, customers.category),
            _chosen(product_ids, customers.product),
            customers.is_changed,
        ],
        schema=TRUTH_SCHEMA,
    )
    return Simulation(order_table, pageview_table, email_table, customer_table, truth)


def _orders_table(
    settings: SimulationSettings,
    catalogue: process.Catalogue,
    orders: process.Orders,
    lines: process.OrderLines,
    customer_ids: NDArray[np.uint8],
    product_ids: list[str],
    block: int,
) -> pa.Table:
    numbers = _digits(block * _ORDERS_PER_BLOCK + np.arange(1, len(orders.placed) + 1), _ORDER_DIGITS)[lines.order]
    letter = np.where(lines.is_return, ord("R"), ord("O")).astype(np.uint8)
    return pa.table(
        [
            _strings(np.column_stack([letter, numbers])),
            _strings(customer_ids[orders.customer[lines.order]]),
            _instants(settings, lines.at),
            _chosen(product_ids, lines.product),
            _chosen(CATEGORIES, lines.product // catalogue.per_category),
            lines.quantity,
            lines.unit_price,
            _chosen(("COMPLETE", "RETURN"), lines.is_return.astype(np.int64)),
            _chosen(process.ORDER_TYPES, lines.order_type),
            lines.coupon_used,
            _chosen((settings.currency,), np.zeros(len(lines.order), dtype=np.int64)),
            lines.number,
        ],
        schema=ORDERS_SCHEMA,
    )


def _digits(numbers: Ints, width: int) -> NDArray[np.uint8]:
    """ASCII digits of `numbers`, zero-padded, shape (n, width): a million ids a second are too few for str.zfill."""
    digits = np.empty((len(numbers), width), dtype=np.uint8)
    left = numbers
    for position in range(width - 1, -1, -1):
        left, digits[:, position] = left // 10, left % 10 + ord("0")
    return digits


def _strings(characters: NDArray[np.uint8]) -> pa.Array:
    """Arrow strings, shape (n,), of ASCII `characters`, shape (n, width)."""
    count, width = characters.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    buffers = pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))
    return pa.StringArray.from_buffers(count, *buffers)


def _chosen(values: list[str] | tuple[str, ...], codes: Ints) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(codes))


def _instants(settings: SimulationSettings, seconds: Ints, is_null: NDArray[np.bool_] | None = None) -> pa.Array:
    start = np.datetime64(settings.start_date, "us")
    return pa.array(start + seconds.astype("timedelta64[s]"), _TIMESTAMP, mask=is_null)
