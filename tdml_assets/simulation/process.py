"""The purchase and dropout process: catalogue, customers, orders, order lines.

Elsewhere: Arrow tables (`simulator`), page views and e-mail (`events`), faults of the feed (`feed`).

Every purpose draws from its own stream, and always the same number of values whatever the switches say, so a switch
changes what it names and nothing else. Instants are int64 seconds since the start of `start_date`.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tdml_assets.simulation.season import DAYS_PER_YEAR, Floats, Season
from tdml_assets.simulation.settings import Category, SimulationSettings

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SECONDS_PER_DAY = 86_400

CATEGORIES: tuple[str, ...] = get_args(Category)
CATEGORY_POPULARITY = np.array([0.22, 0.14, 0.13, 0.14, 0.11, 0.10, 0.09, 0.07])
CATEGORY_PRICE = np.array([32.0, 58.0, 18.0, 40.0, 26.0, 21.0, 12.0, 30.0])
ORDER_TYPES = ("Website", "Mobile App", "In-Store")
ORDER_TYPE_POPULARITY = np.array([0.5, 0.3, 0.2])
QUANTITIES = np.array([1, 2, 3, 4, 6])
QUANTITY_SHARES = np.array([0.72, 0.17, 0.06, 0.03, 0.02])

FAVOURITE_PRODUCT_SHARE = 0.15
FAVOURITE_CATEGORY_SHARE = 0.50
FAVOURITE_ORDER_TYPE_SHARE = 0.75
COUPON_DISCOUNT = 0.10
RETURN_DELAY_DAYS = (3.0, 30.0)


class Stream(IntEnum):
    """One independent random stream per purpose; a new purpose takes a new number, never an old one."""

    CATALOGUE = 0
    ACQUISITION = 1
    RATES = 2
    SPEND = 3
    TASTE = 4
    POPULATION = 5
    ORDERS = 6
    LINES = 7
    RETURNS = 8
    PAGEVIEWS = 9
    EMAILS = 10
    FEED = 11
    PROFILE = 12
    DIRT = 13
    THINNING = 14


def stream(seed: int, purpose: Stream, block: int = 0) -> np.random.Generator:
    """Return the generator of one purpose in one block: `SeedSequence.spawn` with the child addressed by name."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(purpose), block)))


@dataclass(frozen=True)
class Catalogue:
    """Products, category by category: product `c * per_category + rank` is the rank-th most popular of category c."""

    per_category: int
    price: Floats  # (products,) list price in settlement currency
    expected_price: Floats  # (categories,) popularity-weighted mean of `price`
    _cumulative: Floats  # (per_category,) Zipf distribution over ranks

    @classmethod
    def draw(cls, settings: SimulationSettings) -> "Catalogue":
        """Draw list prices (lognormal around the category's level) and fix the Zipf popularity of ranks."""
        random = stream(settings.seed, Stream.CATALOGUE)
        per_category = settings.products_per_category
        spread = np.exp(0.45 * random.standard_normal((len(CATEGORIES), per_category)) - 0.45**2 / 2)
        price = np.round(CATEGORY_PRICE[:, None] * spread, 2).clip(min=0.5)
        weights = 1 / np.arange(1, per_category + 1)
        shares = weights / weights.sum()
        return cls(per_category, price.ravel(), price @ shares, _cumulative_of(shares))

    def product(self, category: Ints, uniform: Floats) -> Ints:
        """Product index at quantile `uniform` (in [0, 1)) of each category's popularity, shape kept."""
        return category * self.per_category + np.searchsorted(self._cumulative, uniform, side="right")


@dataclass(frozen=True)
class Customers:
    """Traits of one block of customers, each of shape (n,), after the switches."""

    is_base: Bools  # there, and alive, at the start
    is_changed: Bools  # from the different mix of population_change
    acquired: Ints  # seconds; negative for the base
    lapsed: Floats  # days since the start, unbounded
    purchase_rate: Floats  # orders per day of average season, before population_change thins them
    keep_share: Floats  # share of those orders that are placed
    dropout_rate: Floats  # per day
    price_level: Floats  # multiplier of list prices
    extra_lines: Floats  # mean lines of an order beyond the first
    coupon_share: Floats
    category: Ints  # favourite
    product: Ints  # favourite
    order_type: Ints  # favourite
    order_value: Floats  # expected gross value of an order before price_change
    observed_from: Floats  # days: acquisition, or 0 for the base


def draw_customers(
    settings: SimulationSettings, season: Season, catalogue: Catalogue, block: int, count: int
) -> Customers:
    """Draw the traits of one block of `count` customers.

    A new customer's dropout rate is Gamma(s, scale m / s). The base is drawn as it is found: someone of age `a` who is
    still alive has rate Gamma(s) / (s / m + a), the exact posterior, so nobody is drawn and thrown away.
    """
    random = stream(settings.seed, Stream.ACQUISITION, block)
    is_base = random.random(count) < settings.base_share
    age_days = random.random(count) * settings.base_age_days
    joined = season.calendar(random.random(count) * season.elapsed(np.array(float(settings.days))))
    acquired = np.floor(np.where(is_base, -age_days, joined) * SECONDS_PER_DAY).astype(np.int64)
    observed_from = np.maximum(acquired / SECONDS_PER_DAY, 0.0)

    random = stream(settings.seed, Stream.RATES, block)
    shape = settings.dropout_rate_shape
    inverse_scale = shape * DAYS_PER_YEAR / settings.dropouts_per_year
    dropout_rate = random.standard_gamma(shape, count) / (inverse_scale + np.where(is_base, age_days, 0.0))
    lapsed = observed_from + random.standard_exponential(count) / dropout_rate
    mean_rate = settings.orders_per_year / DAYS_PER_YEAR
    shape = settings.purchase_rate_shape
    purchase_rate = random.standard_gamma(shape, count) / shape * mean_rate

    random = stream(settings.seed, Stream.SPEND, block)
    price_level = np.exp(settings.spend_sigma * random.standard_normal(count) - settings.spend_sigma**2 / 2)
    extra_lines = random.standard_gamma(2.0, count) / 2.0 * (settings.lines_per_order - 1)
    coupon_share = random.beta(1.0, 5.0, count)

    random = stream(settings.seed, Stream.TASTE, block)
    category = _pick(CATEGORY_POPULARITY, random.random(count))
    product_quantile = random.random(count)
    order_type = _pick(ORDER_TYPE_POPULARITY, random.random(count))

    keep_share = np.ones(count)
    is_changed = np.zeros(count, dtype=bool)
    change = settings.population_change
    if change is not None:
        chosen = stream(settings.seed, Stream.POPULATION, block).random(count) < change.share
        is_changed = chosen & (acquired >= seconds_at(settings, change.from_date))
        keep_share[is_changed] = change.purchase_rate_factor
        price_level[is_changed] *= change.spend_factor
        category[is_changed] = CATEGORIES.index(change.category)
    product = catalogue.product(category, product_quantile)

    elsewhere = 1 - FAVOURITE_PRODUCT_SHARE - FAVOURITE_CATEGORY_SHARE
    list_price = (
        FAVOURITE_PRODUCT_SHARE * catalogue.price[product]
        + FAVOURITE_CATEGORY_SHARE * catalogue.expected_price[category]
        + elsewhere * (CATEGORY_POPULARITY @ catalogue.expected_price)
    )
    units = (1 + extra_lines) * (QUANTITIES @ QUANTITY_SHARES)
    order_value = list_price * price_level * units * (1 - COUPON_DISCOUNT * coupon_share)
    return Customers(
        is_base,
        is_changed,
        acquired,
        lapsed,
        purchase_rate,
        keep_share,
        dropout_rate,
        price_level,
        extra_lines,
        coupon_share,
        category,
        product,
        order_type,
        order_value,
        observed_from,
    )


@dataclass(frozen=True)
class Orders:
    """Orders of one block in order of time, each array of shape (orders,), before anyone is thinned away."""

    customer: Ints  # index in the block
    placed: Ints  # seconds
    is_kept: Bools  # False: not placed, because population_change made the customer less frequent


def draw_orders(settings: SimulationSettings, season: Season, customers: Customers, block: int) -> Orders:
    """Draw when everyone buys.

    A new customer is acquired by a purchase. Repeat purchases, and all purchases of the base, are a Poisson process of
    intensity `purchase_rate * season(t)` from then, or from the start, to the earlier of lapse and end.
    """
    random = stream(settings.seed, Stream.ORDERS, block)
    begin = season.elapsed(customers.observed_from)
    length = season.elapsed(np.minimum(customers.lapsed, settings.days)) - begin
    counts = random.poisson(customers.purchase_rate * length)
    repeat = np.repeat(np.arange(len(counts)), counts)
    when = season.calendar(begin[repeat] + random.random(len(repeat)) * length[repeat])
    is_kept = np.ones(len(repeat), dtype=bool)
    if settings.population_change is not None:
        is_kept = stream(settings.seed, Stream.THINNING, block).random(len(repeat)) < customers.keep_share[repeat]

    first = np.flatnonzero(~customers.is_base)
    customer = np.concatenate([first, repeat])
    placed = np.concatenate([customers.acquired[first], np.floor(when * SECONDS_PER_DAY).astype(np.int64)])
    is_kept = np.concatenate([np.ones(len(first), dtype=bool), is_kept])
    by_time = np.argsort(placed, kind="stable")
    return Orders(customer[by_time], placed[by_time], is_kept[by_time])


@dataclass(frozen=True)
class OrderLines:
    """Order lines of one block in order of time, each array of shape (lines,)."""

    order: Ints  # index into Orders
    number: NDArray[np.int32]  # 1, 2, ... within the order; a returned line keeps its number
    at: Ints  # seconds
    product: Ints
    quantity: NDArray[np.int32]  # negative: returned
    unit_price: Floats
    order_type: Ints
    coupon_used: Bools

    @property
    def is_return(self) -> Bools:
        """Whether the line takes back (part of) an earlier line, shape (lines,)."""
        return self.quantity < 0


def draw_order_lines(
    settings: SimulationSettings, catalogue: Catalogue, customers: Customers, orders: Orders, block: int
) -> OrderLines:
    """Draw what is in every order, then what comes back."""
    random = stream(settings.seed, Stream.LINES, block)
    per_order = 1 + random.poisson(customers.extra_lines[orders.customer])
    coupon_used = random.random(len(per_order)) < customers.coupon_share[orders.customer]
    order_type = _prefer(
        customers.order_type[orders.customer],
        FAVOURITE_ORDER_TYPE_SHARE,
        ORDER_TYPE_POPULARITY,
        random.random(len(per_order)),
    )
    order = np.repeat(np.arange(len(per_order)), per_order)
    number = np.arange(1, len(order) + 1) - np.repeat(np.cumsum(per_order) - per_order, per_order)
    who = orders.customer[order]

    # One uniform decides between the favourite product, the favourite category and the market, and is then reused.
    taste = random.random(len(order))
    is_favourite = taste < FAVOURITE_PRODUCT_SHARE
    rest = (taste - FAVOURITE_PRODUCT_SHARE) / (1 - FAVOURITE_PRODUCT_SHARE)
    share = FAVOURITE_CATEGORY_SHARE / (1 - FAVOURITE_PRODUCT_SHARE)
    category = _prefer(customers.category[who], share, CATEGORY_POPULARITY, rest)
    product = np.where(is_favourite, customers.product[who], catalogue.product(category, random.random(len(order))))
    quantity = QUANTITIES[_pick(QUANTITY_SHARES, random.random(len(order)))]
    discount = 1 - COUPON_DISCOUNT * coupon_used
    unit_price = np.round(catalogue.price[product] * customers.price_level[who] * discount[order], 2)
    if settings.price_change is not None:
        is_new = orders.placed[order] >= seconds_at(settings, settings.price_change.from_date)
        unit_price = np.where(is_new, np.round(unit_price * settings.price_change.factor, 2), unit_price)

    random = stream(settings.seed, Stream.RETURNS, block)
    low, high = RETURN_DELAY_DAYS
    delay = np.floor((low + (high - low) * random.random(len(per_order))) * SECONDS_PER_DAY).astype(np.int64)
    is_returned = random.random(len(order)) < settings.return_share
    share_returned = random.random(len(order))
    back = np.flatnonzero(is_returned & (orders.placed[order] + delay[order] < settings.days * SECONDS_PER_DAY))
    # Never more than was bought: each line comes back at most once, and by 1 up to its own quantity.
    units_back = 1 + np.floor(share_returned[back] * quantity[back]).astype(np.int64)

    source = np.concatenate([np.arange(len(order)), back])
    at = np.concatenate([orders.placed[order], orders.placed[order[back]] + delay[order[back]]])
    signed = np.concatenate([quantity, -units_back])
    is_back = np.arange(len(source)) >= len(order)
    by_time = np.argsort(at, kind="stable")
    by_time = by_time[orders.is_kept[order[source[by_time]]]]
    source = source[by_time]
    return OrderLines(
        order=order[source],
        number=number[source].astype(np.int32),
        at=at[by_time],
        product=product[source],
        quantity=signed[by_time].astype(np.int32),
        unit_price=unit_price[source],
        order_type=order_type[order[source]],
        coupon_used=coupon_used[order[source]] & ~is_back[by_time],
    )


def returned_value_share(settings: SimulationSettings) -> float:
    """Return the expected share of gross spend that comes back: (q + 1) / 2 of the q units of a returned line."""
    mean_quantity = float(QUANTITIES @ QUANTITY_SHARES)
    return settings.return_share * (mean_quantity + 1) / (2 * mean_quantity)


def seconds_at(settings: SimulationSettings, day: date) -> int:
    """Return the instant at which `day` begins, in seconds since the start."""
    return (day - settings.start_date).days * SECONDS_PER_DAY


def _cumulative_of(shares: Floats) -> Floats:
    # Without the last element a quantile just below 1 can never fall past the end through rounding of the sum.
    return np.cumsum(shares)[:-1]


def _pick(shares: Floats, uniform: Floats) -> Ints:
    return np.searchsorted(_cumulative_of(shares), uniform, side="right")


def _prefer(favourite: Ints, share: float, market: Floats, uniform: Floats) -> Ints:
    """`favourite` where `uniform` is below `share`, elsewhere a draw from `market` with what is left of `uniform`."""
    return np.where(uniform < share, favourite, _pick(market, (uniform - share) / (1 - share)))
