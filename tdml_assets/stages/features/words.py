"""Features in the words of marketers: what a value of each column says about a customer.

Elsewhere: which features matter for whom (``stages/predictions/reasons.py``).

A phrase states a fact of the customer and nothing else: it reads as well after "raises" as after "lowers". ``{}`` stands
for the number or the text; the phrases for none, one and missing replace it where grammar or meaning changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["count", "money", "percent", "ratio", "text"]
_WINDOWS = (30, 90, 365)
_WINDOW_SUFFIX = re.compile(r"_(\d+)d$")


@dataclass(frozen=True)
class Words:
    """How the values of one column are said.

    ``theme``: features of one theme say the same thing to a reader: a customer is given one reason per theme. ``many``: the
    phrase; ``{}`` is the value. ``none``, ``one``, ``missing``: phrases for a value that is shown as 0, as 1, and for no value;
    ``many`` unless given, and for missing "... not known". ``unit``: decides how the value is written: ``percent`` is a share
    from 0 to 1, ``text`` a category.
    """

    theme: str
    many: str
    none: str | None = None
    one: str | None = None
    missing: str | None = None
    unit: Unit = "count"

    def phrase(self, shown: str | None, typical: str | None = None) -> str:
        """Say one value.

        ``shown``: the value as it is written; None for missing. ``typical``: the value of a typical customer as it is written,
        added unless it is the same or there is no value.
        """
        if shown is None:
            return self.missing or self.many.format("not known")
        special = {"0": self.none, "1": self.one}.get(shown) if self.unit != "text" else None
        said = special if special is not None else self.many.format(shown)
        return said if typical is None or typical == shown else f"{said} (typical: {typical})"


def words_of(name: str, own: Mapping[str, Words] | None = None) -> Words:
    """Find the words of a column; a readable form of its name where there are none.

    ``own``: words per column that come before those of this module.

    >>> words_of("loyalty_points_30d").phrase("12")
    'loyalty points in the last 30 days: 12'
    """
    found = (own or {}).get(name) or FEATURE_WORDS.get(name)
    if found is not None:
        return found
    window = _WINDOW_SUFFIX.search(name)
    theme = " ".join(_WINDOW_SUFFIX.sub("", name).replace("_", " ").split()) or name
    spoken = f"{theme} in the last {window.group(1)} days" if window else theme
    return Words(theme, spoken.replace("{", "{{").replace("}", "}}") + ": {}")


def _over_time(stem: str, ever: Words, recent: Words) -> dict[str, Words]:
    """Words of a column and of its trailing windows; ``recent`` ends where "in the last N days" follows."""

    def of(days: int) -> Words:
        tail = f" in the last {days} days"
        none, one = (None if phrase is None else phrase + tail for phrase in (recent.none, recent.one))
        return replace(recent, many=recent.many + tail, none=none, one=one)

    return {stem: ever, **{f"{stem}_{days}d": of(days) for days in _WINDOWS}}


_ONE_DAY = "only one purchase day so far"
_NO_REPEAT = "no repeat purchase yet"
_NO_VIEWS = "never viewed a page"
_NO_EMAIL = "no e-mail ever"
_SAME_DAY = "first and latest order on the same day"

#: Words of every column of ``features.customer_features`` but its keys.
FEATURE_WORDS: dict[str, Words] = {
    # How often.
    **_over_time(
        "total_orders",
        Words("orders", "ordered {} times in all", "no order", "ordered once in all"),
        Words("orders", "ordered {} times", "no order", "ordered once"),
    ),
    "repeat_purchase_days": Words("orders", "came back to buy on {} days", _NO_REPEAT, "came back to buy once"),
    # How recently.
    "days_since_last_order": Words(
        "last order", "last order {} days ago", "last order on the latest day", "last order 1 day ago"
    ),
    "recency_ratio": Words(
        "last order",
        "last order {} times the usual gap ago",
        "last order on the latest day",
        "last order one usual gap ago",
        _ONE_DAY,
        unit="ratio",
    ),
    # How regularly.
    "mean_days_between_orders": Words(
        "rhythm", "{} days between purchases on average", None, "1 day between purchases on average", _ONE_DAY
    ),
    "stddev_days_between_orders": Words(
        "rhythm",
        "days between purchases vary by {}",
        "purchases at even intervals",
        None,
        "too few purchases to see a rhythm",
    ),
    # For how long.
    "tenure_days": Words(
        "first order", "first order {} days ago", "first order on the latest day", "first order 1 day ago"
    ),
    "recency_days": Words(
        "first order", "{} days from first to latest order", _SAME_DAY, "1 day from first to latest order"
    ),
    "order_history_length": Words(
        "first order", "{} days from first to latest order", _SAME_DAY, "1 day from first to latest order"
    ),
    # How much in all.
    **_over_time(
        "total_spend",
        Words("spend", "spent {} in all, after returns", "spent nothing in all, after returns", unit="money"),
        Words("spend", "spent {}", "spent nothing", unit="money"),
    ),
    "gross_spend": Words("spend", "spent {} in all, before returns", "spent nothing in all", unit="money"),
    # How much at a time.
    "avg_order_value": Words(
        "order value", "orders worth {} on average", "orders worth nothing on average", unit="money"
    ),
    "first_order_value": Words("order value", "first order worth {}", "first order worth nothing", unit="money"),
    "last_order_value": Words("order value", "last order worth {}", "last order worth nothing", unit="money"),
    "max_order_value": Words("order value", "largest order worth {}", "largest order worth nothing", unit="money"),
    "avg_repeat_day_value": Words(
        "order value",
        "spends {} on a repeat purchase",
        "spends nothing on a repeat purchase",
        None,
        _NO_REPEAT,
        "money",
    ),
    # How many units.
    **_over_time(
        "total_items",
        Words("units", "bought {} units in all", "no unit kept", "bought 1 unit in all"),
        Words("units", "bought {} units", "bought no unit", "bought 1 unit"),
    ),
    "avg_order_size": Words(
        "units", "{} units per order on average", "no unit kept per order", "1 unit per order on average"
    ),
    # What, and how widely.
    "distinct_items_ordered": Words(
        "variety", "bought {} different products", "no product known", "bought 1 product only"
    ),
    "distinct_categories_ordered": Words(
        "variety", "bought from {} categories", "no product category known", "bought from 1 category only"
    ),
    "most_ordered_category": Words(
        "category", "most ordered category is {}", missing="no product category known", unit="text"
    ),
    "last_ordered_category": Words(
        "category", "last ordered category is {}", missing="no product category known", unit="text"
    ),
    # Returns.
    **_over_time(
        "returned_amount",
        Words("returns", "got {} back for returns in all", "nothing returned so far", unit="money"),
        Words("returns", "got {} back for returns", "nothing returned", unit="money"),
    ),
    "return_rate": Words("returns", "{} of spend returned", unit="percent"),
    "canceled_orders": Words(
        "returns",
        "{} orders with a return or cancellation",
        "no order returned or cancelled",
        "1 order with a return or cancellation",
    ),
    # How they buy.
    "coupons_used": Words("coupons", "used a coupon on {} orders", "never used a coupon", "used a coupon once"),
    "online_orders": Words("channel", "{} orders online", "no order online", "1 order online"),
    "offline_orders": Words("channel", "{} orders in a store", "no order in a store", "1 order in a store"),
    # Browsing.
    **_over_time(
        "total_pageviews",
        Words("browsing", "viewed {} pages in all", _NO_VIEWS, "viewed 1 page in all"),
        Words("browsing", "viewed {} pages", "viewed no page", "viewed 1 page"),
    ),
    "days_since_last_pageview": Words(
        "browsing",
        "last page view {} days ago",
        "viewed a page on the latest day",
        "last page view 1 day ago",
        _NO_VIEWS,
    ),
    "browsing_history_length": Words(
        "browsing",
        "{} days from first to latest page view",
        "browsed on one day or never",
        "1 day from first to latest page view",
    ),
    "distinct_paths_visited": Words("browsing", "viewed {} different pages", _NO_VIEWS, "viewed 1 page only"),
    "most_visited_path": Words("page", "most visited page is {}", missing=_NO_VIEWS, unit="text"),
    "last_visited_path": Words("page", "last visited page is {}", missing=_NO_VIEWS, unit="text"),
    # E-mail sent.
    "email_sends": Words("e-mail sent", "got {} e-mails", _NO_EMAIL, "got 1 e-mail"),
    "distinct_emails_sent": Words("e-mail sent", "got {} different e-mails", _NO_EMAIL, "got 1 e-mail"),
    "email_history_length": Words(
        "e-mail sent",
        "{} days from first to latest e-mail event",
        "e-mail events on one day or never",
        "1 day from first to latest e-mail event",
    ),
    "days_since_last_email_event": Words(
        "e-mail sent",
        "last e-mail event {} days ago",
        "last e-mail event on the latest day",
        "last e-mail event 1 day ago",
        _NO_EMAIL,
    ),
    # E-mail answered.
    "email_opens": Words("e-mail answered", "opened e-mails {} times", "never opened an e-mail", "opened 1 e-mail"),
    **_over_time(
        "email_clicks",
        Words(
            "e-mail answered",
            "clicked in e-mails {} times in all",
            "never clicked in an e-mail",
            "clicked once in an e-mail",
        ),
        Words("e-mail answered", "clicked in e-mails {} times", "no click in an e-mail", "clicked once in an e-mail"),
    ),
    # E-mail lost.
    "email_unsubscribes": Words(
        "e-mail lost",
        "unsubscribed from e-mail {} times",
        "never unsubscribed from e-mail",
        "unsubscribed from e-mail once",
    ),
    "email_bounces": Words("e-mail lost", "{} e-mails bounced", "no e-mail bounced", "1 e-mail bounced"),
    # Campaigns.
    "most_emailed_campaign": Words(
        "campaign", "most e-mails from campaign {}", missing="no e-mail from a known campaign", unit="text"
    ),
    "last_email_campaign_opened": Words(
        "campaign", "last opened campaign is {}", missing="opened no known campaign", unit="text"
    ),
}
