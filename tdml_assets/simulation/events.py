"""What customers do besides buying: look at pages, receive and answer e-mail.

Elsewhere: purchases (`process`) and Arrow tables (`simulator`).

Both follow the same hidden truth as the purchases: people look before they buy, look less and answer less once lapsed.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tdml_assets.simulation.process import (
    CATEGORIES,
    SECONDS_PER_DAY,
    Catalogue,
    Customers,
    Ints,
    OrderLines,
    Orders,
    Stream,
    stream,
)
from tdml_assets.simulation.season import DAYS_PER_YEAR, Season
from tdml_assets.simulation.settings import SimulationSettings

BEFORE_ORDER_SHARE = 0.6
BROWSING_LEAD_DAYS = 2.0
LAPSED_BROWSING = 0.10

EVENT_TYPES = ("send", "open", "click", "unsubscribe", "bounce")
# Probability of each answer while the customer is alive and once lapsed. A click is given an open.
OPEN_RATE = (0.34, 0.10)
CLICK_RATE = (0.22, 0.05)
UNSUBSCRIBE_RATE = (0.003, 0.020)
BOUNCE_RATE = (0.002, 0.010)
OPEN_DELAY_DAYS = 0.25

GENERAL_PATHS = ("/home", "/search", "/basket", "/offers", "/account")
_BASKET = GENERAL_PATHS.index("/basket")
_CAMPAIGNS = ("Winter Sale", "Spring Collection", "Summer Collection", "Autumn Collection", "Christmas Gifts")
_CAMPAIGN_OF_MONTH = (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4)
_SEND, _OPEN, _CLICK, _UNSUBSCRIBE, _BOUNCE = range(5)


@dataclass(frozen=True)
class Pageviews:
    """Page views of one block in order of time, each array of shape (views,)."""

    customer: Ints
    at: Ints  # seconds
    path: Ints  # index into `page_paths`


def page_paths(product_ids: list[str]) -> list[str]:
    """List every path of the shop: general pages, then categories, then products, in catalogue order."""
    categories = [f"/category/{name.lower()}" for name in CATEGORIES]
    return [*GENERAL_PATHS, *categories, *(f"/product/{product_id}" for product_id in product_ids)]


def draw_pageviews(
    settings: SimulationSettings,
    season: Season,
    catalogue: Catalogue,
    customers: Customers,
    orders: Orders,
    lines: OrderLines,
    block: int,
) -> Pageviews:
    """Draw page views of identified customers, `pageviews_per_order` for each order on average.

    Six in ten lead up to an order, exponentially distributed over the days before it and mostly about its first
    product. The others come at a rate proportional to the customer's purchase rate times a noise of their own while
    alive, and a tenth of that once lapsed. Views before acquisition are dropped: nobody could have identified them.
    """
    random = stream(settings.seed, Stream.PAGEVIEWS, block)
    first_path, first_product = len(GENERAL_PATHS), len(GENERAL_PATHS) + len(CATEGORIES)

    views = random.poisson(BEFORE_ORDER_SHARE * settings.pageviews_per_order, len(orders.customer))
    order = np.repeat(np.arange(len(views)), views)
    lead = np.ceil(random.standard_exponential(len(order)) * BROWSING_LEAD_DAYS * SECONDS_PER_DAY).astype(np.int64)
    kind = random.random(len(order))
    product_of = np.zeros(len(views), dtype=np.int64)
    is_first = (lines.number == 1) & ~lines.is_return
    product_of[lines.order[is_first]] = lines.product[is_first]
    product = product_of[order]
    path = np.where(kind < 0.5, first_product + product, first_path + product // catalogue.per_category)
    path[kind > 0.8] = _BASKET
    who, at = orders.customer[order], orders.placed[order] - lead
    is_seen = orders.is_kept[order] & (at >= customers.observed_from[who] * SECONDS_PER_DAY)

    noise = random.standard_gamma(1.5, len(customers.acquired)) / 1.5
    begin = season.elapsed(customers.observed_from)
    length = season.elapsed(np.array(float(settings.days))) - begin
    rate = (1 - BEFORE_ORDER_SHARE) * settings.pageviews_per_order * customers.purchase_rate * noise
    counts = random.poisson(rate * length)
    idle = np.repeat(np.arange(len(counts)), counts)
    when = season.calendar(begin[idle] + random.random(len(idle)) * length[idle])
    share = customers.keep_share[idle] * np.where(when < customers.lapsed[idle], 1.0, LAPSED_BROWSING)
    is_made = random.random(len(idle)) < share
    kind = random.random(len(idle))
    looked_at = first_product + catalogue.product(customers.category[idle], random.random(len(idle)))
    idle_path = np.where(kind < 0.4, np.floor(kind / 0.4 * len(GENERAL_PATHS)).astype(np.int64), looked_at)
    idle_path = np.where(kind > 0.75, first_path + customers.category[idle], idle_path)

    customer = np.concatenate([who[is_seen], idle[is_made]])
    instant = np.concatenate([at[is_seen], np.floor(when[is_made] * SECONDS_PER_DAY).astype(np.int64)])
    visited = np.concatenate([path[is_seen], idle_path[is_made]])
    by_time = np.argsort(instant, kind="stable")
    return Pageviews(customer[by_time], instant[by_time], visited[by_time])


@dataclass(frozen=True)
class EmailEvents:
    """E-mail events of one block in order of time, each array of shape (events,)."""

    customer: Ints
    at: Ints  # seconds; the instant of this event, not of the send it answers
    event: Ints  # index into EVENT_TYPES
    email: Ints  # index into `email_names`


def email_names(settings: SimulationSettings) -> tuple[list[str], list[str]]:
    """List the e-mails, two a calendar month of the period, and the campaign of each."""
    names, campaigns = [], []
    for index in range(_month(settings, settings.days - 1) + 1):
        year, month = divmod(settings.start_date.month - 1 + index, 12)
        year += settings.start_date.year
        for kind in ("newsletter", "offer"):
            names.append(f"{year}-{month + 1:02d} {kind}")
            campaigns.append(f"{_CAMPAIGNS[_CAMPAIGN_OF_MONTH[month]]} {year}")
    return names, campaigns


def _month(settings: SimulationSettings, day: int) -> int:
    start, then = settings.start_date, settings.start_date + timedelta(days=day)
    return (then.year - start.year) * 12 + then.month - start.month


def draw_email_events(settings: SimulationSettings, customers: Customers, block: int) -> EmailEvents:
    """Draw regular sends to every known customer and the answers to them.

    Sends come every `30.4 / emails_per_month` days, mid-morning, from a random phase after acquisition, whether or not
    the customer has lapsed: the shop cannot know. A bounce or an unsubscribe ends them.
    """
    random = stream(settings.seed, Stream.EMAILS, block)
    period = DAYS_PER_YEAR / 12 / settings.emails_per_month
    begin = np.floor(customers.observed_from) + 1 + random.random(len(customers.acquired)) * period
    counts = np.floor(np.maximum((settings.days - begin) / period + 1, 0)).astype(np.int64)
    who = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
    day = np.floor(begin[who] + turn * period).astype(np.int64)
    who, day = who[day < settings.days], day[day < settings.days]
    sent = day * SECONDS_PER_DAY + np.floor((9.5 + random.random(len(who))) * 3600).astype(np.int64)

    lapsed = (sent >= customers.lapsed[who] * SECONDS_PER_DAY).astype(np.int64)
    fate = random.random(len(who))
    bounced = fate < np.array(BOUNCE_RATE)[lapsed]
    left = ~bounced & (fate < (np.array(BOUNCE_RATE) + np.array(UNSUBSCRIBE_RATE))[lapsed])
    interest = 2 * random.beta(2.0, 2.0, len(counts))[who]
    opened = ~bounced & (left | (random.random(len(who)) < np.array(OPEN_RATE)[lapsed] * interest))
    clicked = opened & (random.random(len(who)) < np.array(CLICK_RATE)[lapsed])
    delay_days = random.standard_exponential(len(who)) * OPEN_DELAY_DAYS
    opened_at = sent + np.ceil(delay_days * SECONDS_PER_DAY).astype(np.int64)
    answered_at = opened_at + np.floor(5 + 115 * random.random(len(who))).astype(np.int64)
    # Newsletters on even days, offers on odd ones: everyone mailed on a day gets the same mail.
    month_of_day = np.array([_month(settings, i) for i in range(settings.days)])
    email = month_of_day[day] * 2 + day % 2

    ended = np.cumsum(bounced | left) - (bounced | left)
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    is_sent = ended == np.repeat(ended[starts], np.diff(np.append(starts, len(who))))
    events = [
        (_SEND, sent, is_sent),
        (_OPEN, opened_at, is_sent & opened),
        (_CLICK, answered_at, is_sent & clicked),
        (_UNSUBSCRIBE, answered_at, is_sent & left),
        (_BOUNCE, sent + 60, is_sent & bounced),
    ]
    at = np.concatenate([instant[happened] for _, instant, happened in events])
    kept = np.concatenate([np.flatnonzero(happened) for _, _, happened in events])
    event = np.repeat(np.arange(len(events)), [np.count_nonzero(happened) for _, _, happened in events])
    by_time = np.argsort(at, kind="stable")
    by_time = by_time[at[by_time] < settings.days * SECONDS_PER_DAY]
    return EmailEvents(who[kept][by_time], at[by_time], event[by_time], email[kept][by_time])
