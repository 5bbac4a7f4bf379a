"""What a simulation is asked for: size, period, rates and the switches that disturb it.

Elsewhere: any drawing of numbers (`process`, `events`, `feed`).
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Category = Literal["Apparel", "Shoes", "Beauty", "Home", "Kitchen", "Toys", "Books", "Garden"]
FeedFault = Literal["half_volume", "null_column", "unit_change_x100"]
NullableColumn = Literal[
    "product_id", "product_category", "quantity", "unit_price", "order_status", "order_type", "coupon_used", "currency"
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceChange(_Frozen):
    """Every unit price of a purchase on or after a date is multiplied; a refund repays what was paid."""

    factor: float = Field(default=1.15, gt=0, le=100, description="Multiplier of the unit price (1.15 = 15 % dearer).")
    from_date: date = Field(description="First day at the new prices.")


class PopulationChange(_Frozen):
    """From a date on, a share of the newly acquired customers comes from a different mix."""

    share: float = Field(default=0.6, gt=0, le=1, description="Share of customers acquired since who are different.")
    from_date: date = Field(description="First day of acquisition from the different mix.")
    purchase_rate_factor: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Multiplier of their purchase and browsing rates. At most 1: their orders are a thinning of the "
        "ones they would have placed, which leaves every other customer's draws untouched.",
    )
    spend_factor: float = Field(default=0.6, gt=0, le=10, description="Multiplier of the unit prices they choose.")
    category: Category = Field(default="Toys", description="The favourite category of all of them.")


class BrokenFeed(_Frozen):
    """From a date on, the order feed delivers the same world wrongly. Customers and truth do not change."""

    kind: FeedFault = Field(
        description="half_volume: each order is lost with probability 1/2 (one of two shards missing); "
        "null_column: one column is null; unit_change_x100: unit_price arrives in hundredths (pence for pounds)."
    )
    from_date: date = Field(description="First day delivered wrongly, by ordered_at.")
    column: NullableColumn = Field(default="product_category", description="The column that null_column empties.")


class SimulationSettings(_Frozen):
    """Size, period, process and switches of one simulation; equal settings give byte-identical tables.

    Rates are averages over customers; customers differ around them as gamma distributions (Pareto/NBD). The defaults
    give about 53,000 order lines.
    """

    customers: int = Field(
        default=5_000, ge=1, le=10_000_000, description="Customers present at the start or acquired before the end."
    )
    start_date: date = Field(default=date(2023, 7, 1), description="First day, inclusive.")
    end_date: date = Field(
        default=date(2026, 6, 30),
        description="Last day, inclusive. The default three years leave room for two years of features and for the "
        "same season a year earlier.",
    )
    seed: int = Field(default=7, ge=0, description="The only source of randomness.")
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(
        default="GBP", description="ISO 4217 code on every order line."
    )

    base_share: float = Field(
        default=0.35, ge=0, le=1, description="Share of customers who are already there, and alive, at the start."
    )
    base_age_days: float = Field(
        default=730,
        ge=0,
        le=36_500,
        description="Days since acquisition of that base at the start: uniform up to this.",
    )
    orders_per_year: float = Field(
        default=3.2, gt=0, le=1_000, description="Mean over customers of the purchase rate while alive, orders a year."
    )
    purchase_rate_shape: float = Field(
        default=0.9, ge=0.2, le=1_000, description="Gamma shape of the purchase rate; small = customers differ much."
    )
    dropouts_per_year: float = Field(
        default=1.0, gt=0, le=1_000, description="Mean over new customers of the dropout rate, per year alive."
    )
    dropout_rate_shape: float = Field(default=0.8, ge=0.2, le=1_000, description="Gamma shape of the dropout rate.")
    seasonality: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Strength of the yearly (autumn and Christmas) and weekly pattern: 0 flat, 1 about 2.3 times the "
        "average in early December.",
    )
    lines_per_order: float = Field(default=2.2, ge=1, le=50, description="Mean lines of an order.")
    spend_sigma: float = Field(
        default=0.45, ge=0, le=2, description="Standard deviation of the log price level customers choose; 0: equal."
    )
    products_per_category: int = Field(
        default=40, ge=2, le=10_000, description="Products in each of the eight categories, with Zipf popularity."
    )
    return_share: float = Field(
        default=0.04, ge=0, le=1, description="Probability that a line comes back, in whole or part, in 3 to 30 days."
    )

    pageviews_per_order: float = Field(
        default=4.0, ge=0, le=1_000, description="Mean page views of an identified customer per order; 0 makes none."
    )
    emails_per_month: float = Field(
        default=0.6, ge=0, le=1_000, description="E-mails sent to each subscribed customer a month; 0 sends none."
    )

    price_change: PriceChange | None = Field(default=None, description="Switch: prices change on a date.")
    population_change: PopulationChange | None = Field(
        default=None, description="Switch: new customers differ from a date."
    )
    broken_feed: BrokenFeed | None = Field(default=None, description="Switch: the order feed breaks on a date.")
    dirty_share: float = Field(
        default=0.001,
        ge=0,
        le=0.5,
        description="Rows that a loader must reject, as a share of the order lines, added where a sample is written: a "
        "third each without customer, with an absurd price and dated a century late. `simulate` itself adds none.",
    )

    @property
    def days(self) -> int:
        """Length of the period in days, both ends included."""
        return (self.end_date - self.start_date).days + 1

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Self:
        if self.end_date < self.start_date:
            raise ValueError(f"end_date {self.end_date} is before start_date {self.start_date}; give a later end_date")
        for name in ("price_change", "population_change", "broken_feed"):
            switch = getattr(self, name)
            # A switch outside the period would do nothing and say nothing.
            if switch is not None and not self.start_date <= switch.from_date <= self.end_date:
                raise ValueError(
                    f"{name}.from_date {switch.from_date} is outside {self.start_date}..{self.end_date}; "
                    "move it into the simulated period"
                )
        return self
