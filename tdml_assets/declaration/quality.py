"""What the settings section ``quality`` may say: from where raw data counts as broken.

Elsewhere: the checks and the verdict (``stages/data_quality/``).
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: Whole windows of history below which nothing is said about the last one.
MIN_WINDOWS = 4
_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")

#: Checks with an absolute limit: they judge a first load too, and can be accepted by name.
FIRST_LOAD_CHECKS = (
    *("unreadable", "set_aside", "repeated", "overlap", "empty_ids", "one_customer", "after_file"),
    *("zero_amounts", "changed_ids", "changed_unit", "mixed_units", "renumbered", "rounded_ids"),
    "lacking_columns",
    *("order_totals", "unknown_statuses"),
)


class QualityPolicy(BaseModel):
    """From where raw data counts as broken. A stop costs a day, so the floors are far from what real logs do by themselves.

    Alarms of sessions without a session before, at these defaults, counted on whole logs that nobody broke. At month ends:
    UCI Online Retail, February to November 2011, 0 of 10; CDNOW, March 1997 to June 1998, 1 of 16; sample data 0 of 34. Every
    day: 2 of 312 (a holiday week), 15 of 487 and 2 of 1,034. Those of CDNOW are one event but for one day: the days after its
    last customer was acquired. Half a feed: seen within 14 days in all of 120 simulated shops, 60 of 3,000 and 60
    of 6,000 customers (about 170 and 340 lines a week). Where weeks differ by 15 % of themselves (Online Retail) and no year of
    history shows the season, a third of such losses stay within what the source does by itself; missing columns, units, copies and
    lost history do not depend on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_days: int = Field(default=7, ge=1, le=366, description="Length of the last window, in days up to as_of.")
    windows: int = Field(
        default=8, ge=MIN_WINDOWS, le=52, description="Windows before it, of the same length, that it is compared with."
    )
    min_rows: int = Field(
        default=100, ge=10, description="Rows a window must have to be judged; with few orders, lengthen the window."
    )
    z_limit: float = Field(
        default=3.5,
        gt=0,
        description="Standard errors from which a rise of a share is more than chance, besides large.",
    )
    volume_z: float = Field(
        default=2.0,
        gt=0,
        description="The same for the rows of a window, in standard errors of the windows' own spread.",
    )
    volume_floor: float = Field(
        default=0.6, gt=0, lt=1, description="Share of the expected rows below which the last window has too few."
    )
    lasting_volume_z: float = Field(
        default=2.5, gt=0, description="As volume_z, for the rows of the last two windows together."
    )
    lasting_volume_floor: float = Field(
        default=0.75, gt=0, lt=1, description="As volume_floor, for the rows of the last two windows together."
    )
    freshness_days: int = Field(
        default=7, ge=1, description="Days without a row up to as_of that are never an alarm, in any source."
    )
    freshness_factor: float = Field(
        default=3.0, ge=1, description="Days without a row, in longest pauses the source ever made, that are an alarm."
    )
    null_rise: float = Field(
        default=0.2, gt=0, lt=1, description="Rise of a column's share of missing values that is an alarm."
    )
    scale_limit: float = Field(
        default=8.0, gt=1, description="Ratio of geometric means of money, either way, that is a change of unit."
    )
    lost_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of earlier order lines that may vanish from the files; 1 where they only hold recent ones.",
    )
    duplicate_rise: float = Field(
        default=0.2, gt=0, lt=1, description="Rise of the share of order lines that equal another that is an alarm."
    )
    rejected_rise: float = Field(
        default=0.05, gt=0, lt=1, description="Rise of the share of rows refused at load that is an alarm."
    )
    unreadable_limit: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Share of a source's rows that could not be read (dates, numbers, currencies, ...) that is an alarm, in a "
        "first session too. Rows without a customer, or out of declared bounds, do not count.",
    )
    unreadable_money_limit: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="The same for the share of the orders' money, as far as the digits of unreadable rows tell.",
    )
    unreadable_note: float = Field(
        default=0.02, ge=0, le=1, description="Share of unreadable rows or money from which the summary notes it."
    )
    repeated_limit: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Share of all order lines that equal another one that is an alarm, in a first session too.",
    )
    order_totals_limit: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Share of the orders of several lines whose lines all have the same amount that is an alarm, in a first "
        "session too: the amounts look like totals of orders.",
    )
    unknown_status_limit: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the orders' money whose status nothing names that is an alarm, in a first session too; "
        "less is noted.",
    )
    repeated_note: float = Field(
        default=0.1, ge=0, le=1, description="Share of repeated order lines from which the summary notes it."
    )
    set_aside_limit: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Share of the orders' rows set aside that is an alarm, besides rows that could not be read. Rows of a void "
        "or ignored status, and rows that another one of the same key replaces, do not count.",
    )
    set_aside_money_limit: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="The same for the share of the orders' money, by the sizes of amounts.",
    )
    empty_id_limit: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="Share of order lines or money under ids that mean nobody (0, guest, nan, unknown, ...) that is an alarm.",
    )
    zero_amount_limit: float = Field(
        default=0.8, gt=0, le=1, description="Share of order lines with an amount of 0 that is an alarm."
    )
    one_customer_limit: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of all order lines or money of one customer that is an alarm, from 20 customers on.",
    )
    after_file_limit: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="Share of a file's order lines dated more than a day after the file was written that is an alarm, in a first "
        "session too. Judged for files of this machine with min_rows lines; a file that was copied or touched later shows nothing.",
    )
    twin_limit: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="Share of all order lines that another file holds too, with the same order, customer, day, product and amount, "
        "that is an alarm. Needs columns.order_id.",
    )
    renumbered_limit: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="Share of all order lines that are counted twice because whole days are there under other order ids too (same "
        "customer, day, product and amount), that is an alarm. Needs columns.order_id.",
    )
    mixed_units_limit: float = Field(
        default=0.005,
        gt=0,
        le=1,
        description="Share of the order lines that cost 100, 1,000, ... times as much or as little as their product usually does "
        "that is an alarm, in a first session too. Needs columns.product_id.",
    )
    overlap_limit: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of a file's order lines that equal a line of another file that is an alarm, in a first session too.",
    )
    overlap_note: float = Field(
        default=0.1, ge=0, le=1, description="Share of such lines of a file from which the summary notes it."
    )
    one_customer_note: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of all order lines or money of one customer from which the summary notes it.",
    )
    new_share: float = Field(
        default=0.5, gt=0, le=1, description="Share of rows with a category never seen before that is an alarm."
    )
    max_levels: int = Field(default=100, ge=1, description="Levels up to which a column counts as categories.")
    accepted: tuple[str, ...] = Field(
        default=(),
        description="What a person has looked at and found right, so that its alarm stops nothing: a check "
        f"by name ({', '.join(FIRST_LOAD_CHECKS)}), for good; or raw data by the first 12 digits of their fingerprint.",
    )

    @field_validator("accepted", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("accepted")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if text not in FIRST_LOAD_CHECKS and not _FINGERPRINT.fullmatch(text):
                raise ValueError(
                    f"{text!r} is not a fingerprint: give 12 to 64 of its hexadecimal digits, as the check shows them, "
                    f"in quotes; nor is it a check that can be accepted by name: {', '.join(FIRST_LOAD_CHECKS)}"
                )
        return value

    def accepts(self, check: str, fingerprint: str) -> bool:
        """Whether a person has accepted the check by name, or the raw data by their fingerprint."""
        return check in self.accepted or any(
            fingerprint.startswith(known) for known in self.accepted if known not in FIRST_LOAD_CHECKS
        )
