"""What ``sources`` in the settings file may say: where raw files are and how they are to be read.

Elsewhere: contracts and decisions about files and rows (``stages/raw/rules.py``), touching files (``stages/raw/files.py``),
the types of single keys (``source_values.py``).

Nothing about a file is guessed: format, encoding, timestamp format, time zone and currency are declared. A sniffer
reads ``01/02/2024`` by what the other rows happen to contain.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.columns import (
    CustomerId,
    CustomerIdColumn,
    EmailEventColumns,
    IdentityColumns,
    OrderColumns,
    PageviewColumns,
    PermissionColumns,
    customer_rule,
)
from tdml_assets.declaration.databases import DatabaseSettings
from tdml_assets.declaration.formats import format_named, require_format
from tdml_assets.declaration.numbers import AmountUnits, NumberFormat, OrderBounds, refuse_old_place
from tdml_assets.declaration.order_rules import OrderRules
from tdml_assets.declaration.presets import Preset, with_preset
from tdml_assets.declaration.records import RecordedRows
from tdml_assets.declaration.source_values import (
    ColumnName,
    Currency,
    Delimiter,
    Encoding,
    Locations,
    Rate,
    TimestampFormats,
    Zone,
    refuse_literal_utc,
)


class CsvOptions(Declaration):
    """How a CSV file is written."""

    delimiter: Delimiter = Field(
        default=",",
        description='Character between fields; "\\t" or tab for a tab. " " takes several blanks as one.',
    )
    quote: str = Field(
        default='"', max_length=1, description="Character around fields, doubled to escape it; empty for none."
    )
    escape: str = Field(
        default="",
        max_length=1,
        description='Character before a quote inside of a quoted field, for instance "\\"; empty where quotes are doubled.',
    )
    short_rows: Literal["reject", "fill"] = Field(
        default="reject",
        description="What becomes of a row whose last cells are left out, where one of them is mapped: set aside as short_row, or "
        "filled with no value.",
    )
    encoding: Encoding = Field(default="utf-8", description="Text encoding of the file.")
    header: bool = Field(
        default=True, description="Whether the first line names the columns; if not they are column_1, ..."
    )
    null_values: tuple[str, ...] = Field(default=("",), description="Texts that mean 'no value', for instance NULL.")

    @property
    def is_aligned(self) -> bool:
        """Whether blanks separate the fields: then several are one, as they fill columns up to a width."""
        return self.delimiter == " "

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_elsewhere(cls, value: Any) -> Any:
        return refuse_old_place(value)

    @model_validator(mode="after")
    def _marks_differ(self) -> CsvOptions:
        if self.delimiter in (self.quote, "\n", "\r", "\x00"):
            raise ValueError(f"delimiter {self.delimiter!r} cannot be told from the quote or the line end")
        if not self.quote.isascii() or self.quote in ("\n", "\r", "\x00"):
            raise ValueError(f"quote {self.quote!r} is not read: write '\"' or \"'\", or '' where fields have none")
        marks = {self.delimiter, self.quote, "\x00", "\n", "\r"} - {""}
        unreadable = next((text for text in self.null_values if marks & set(text)), None)
        if unreadable is not None:
            raise ValueError(
                f"null_values: {unreadable!r} holds the delimiter, the quote or a line end: no field can be it"
            )
        return self


class Source(DatabaseSettings):
    """What every source declares."""

    moment: ClassVar[str | None] = None
    """Contract column of the timestamp, if the table has one."""

    path: Locations = Field(
        default=(),
        min_length=1,
        description="File, folder, pattern, file://, https:// or s3:// address, or a list; from the settings' folder. Required, "
        "except for format: database.",
    )
    format: Annotated[str, AfterValidator(require_format)] = Field(
        description="csv, parquet, json (one object per line), xlsx, delta, iceberg, database, or the import path of a module "
        "with a format of your own. Packed files (gzip, zip, bzip2, xz, zstd) are known by content."
    )
    csv: CsvOptions = Field(default=CsvOptions(), description="How CSV files are written.")
    max_file_gb: float = Field(default=20.0, gt=0, description="Largest file fetched from a remote address, in GB.")
    max_fetch_seconds: float = Field(
        default=3600.0, gt=0, description="Longest time that one file may take from a web address, in seconds."
    )
    line_key: tuple[ColumnName, ...] = Field(
        default=(),
        description="Columns (of the contract or the source) that identify a row; without them nothing is collapsed. "
        "Where different lines of one file share a key, that of the latest file is kept with all its lines.",
    )
    updated_at: ColumnName | None = Field(
        default=None,
        description="Column that tells which row of one key is the latest; else the timestamp, then file order.",
    )
    updated_at_format: TimestampFormats | None = Field(
        default=None, description="Format of updated_at where it is text; else timestamp_format."
    )

    _identities: IdentitiesSource | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _rows_are_somewhere(self) -> Self:
        self.check_database(self.format, self.path)
        return self

    @property
    def locations(self) -> tuple[str, ...]:
        """Where the rows are, for people: paths and addresses, or the database's table or query."""
        return (self.database_name,) if self.format == "database" else self.path

    @property
    def identities(self) -> IdentitiesSource | None:
        """Old ids of the customers, as ``sources.identities`` declares them."""
        return self._identities

    @property
    def mapped(self) -> dict[str, str]:
        """Source column per contract column that the declaration maps."""
        columns: Any = self.columns  # type: ignore[attr-defined]
        given = dict(columns)
        given["customer_id"] = self.customer.column[0]
        return {name: column for name, column in given.items() if column is not None}

    @property
    def customer(self) -> CustomerId:
        """How the id of a customer is read."""
        columns: Any = self.columns  # type: ignore[attr-defined]
        return customer_rule(columns["customer_id"] if isinstance(columns, dict) else columns.customer_id)

    def with_customer(self, rule: CustomerId) -> Self:
        """The same source with another rule for ids."""
        columns: Any = self.columns  # type: ignore[attr-defined]
        changed = {"customer_id": rule}
        given = {**columns, **changed} if isinstance(columns, dict) else columns.model_copy(update=changed)
        return self.model_copy(update={"columns": given})


class EventSource(Source):
    """A source whose rows happen at a moment."""

    timezone: Zone = Field(
        default="UTC",
        description="Zone of timestamps that carry no offset; days are counted in it unless days_in is given.",
    )
    days_in: Zone | None = Field(
        default=None,
        description="Zone that days are counted in; timezone unless given. For times in UTC of a shop that is elsewhere.",
    )
    timestamp_format: TimestampFormats | None = Field(
        default=None,
        description="How timestamps are written that carry no type: a strptime format, iso8601, unix, unix_ms, unix_us, excel, or "
        "a list of them, of which the first that reads a time counts. Required for csv and json.",
    )
    ambiguous_time: Literal["earlier", "later", "reject"] = Field(
        default="earlier", description="Which of the two instants a local time means in the hour that clocks repeat."
    )
    # Features count instants from 1970, and time zones are off from it by less than a day.
    earliest: date = Field(
        default=date(1990, 1, 1),
        ge=date(1970, 1, 2),
        description="Rows of an earlier day are quarantined (1970, 0001).",
    )

    @property
    def has_written_times(self) -> bool:
        """Whether times are texts or numbers, which a format must explain."""
        return format_named(self.format).is_text

    @model_validator(mode="after")
    def _timestamps_are_declared(self) -> EventSource:
        if self.has_written_times and self.timestamp_format is None:
            raise ValueError(
                f"timestamp_format is missing: {self.format} timestamps are text and are never guessed; "
                "write for instance timestamp_format: '%Y-%m-%d %H:%M:%S'"
            )
        refuse_literal_utc(self.timestamp_format or (), "timestamp_format", self.timezone)
        refuse_literal_utc(self.updated_at_format or (), "updated_at_format", self.timezone)
        return self


class OrdersSource(OrderRules, AmountUnits, RecordedRows, EventSource):
    """Order lines."""

    moment: ClassVar[str | None] = "ordered_at"
    preset: Preset | None = Field(
        default=None,
        description="A well-known export, whose keys are read from tdml_assets/declaration/presets; keys written here come first.",
    )
    columns: OrderColumns = Field(description="Source column per contract column.")
    currency: Currency | None = Field(
        default=None, description="Currency of every row, where no currency column is mapped."
    )
    reporting_currency: Currency | None = Field(
        default=None,
        description="Currency that amounts are converted to; required with a currency column, else that of the rows.",
    )
    rates: dict[Currency, Rate] = Field(
        default={},
        description="Units of the reporting currency per unit of another. A currency without a rate is quarantined.",
    )
    numbers: NumberFormat = Field(default=NumberFormat(), description="How numbers are written where they are text.")
    bounds: OrderBounds = Field(default=OrderBounds(), description="Values that numbers may take.")

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, data: Any) -> Any:
        return with_preset(data)

    @model_validator(mode="after")
    def _currency_is_declared(self) -> OrdersSource:
        if (self.currency is None) == (self.columns.currency is None):
            raise ValueError(
                "declare the currency once: either currency: GBP for every row, or columns.currency for a column that "
                "holds it; an amount without a currency is never taken for the reporting currency"
            )
        if self.reporting_currency is None and self.currency is None:
            raise ValueError("reporting_currency is missing: with a currency column, say what amounts are converted to")
        if self.currency is not None and self.currency != self.reporting and self.currency not in self.rates:
            raise ValueError(
                f"rates names no rate from {self.currency} to {self.reporting}: every row would be quarantined"
            )
        if self.rates.get(self.reporting, Decimal(1)) != 1:
            raise ValueError(f"rates.{self.reporting} must be 1: it is the reporting currency")
        return self

    @property
    def reporting(self) -> str:
        """Currency of every amount in ``raw.orders``."""
        return self.reporting_currency or self.currency or ""


class PageviewsSource(RecordedRows, EventSource):
    """Page views."""

    moment: ClassVar[str | None] = "viewed_at"
    columns: PageviewColumns = Field(description="Source column per contract column.")


class EmailEventsSource(RecordedRows, EventSource):
    """E-mail events."""

    moment: ClassVar[str | None] = "sent_at"
    columns: EmailEventColumns = Field(description="Source column per contract column.")


class CustomersSource(Source):
    """Customer master data: every column of the files is kept, as text, under its own name or the one mapped to it."""

    columns: dict[str, CustomerIdColumn] = Field(description="Source column per column name; customer_id is required.")
    # One row per customer, so that a join to it cannot multiply rows.
    line_key: tuple[ColumnName, ...] = Field(
        default=("customer_id",), description="Columns that identify a row; the last one stays."
    )

    @model_validator(mode="after")
    def _columns_are_usable(self) -> CustomersSource:
        if "customer_id" not in self.columns:
            raise ValueError("columns.customer_id is missing: name the column that identifies a customer")
        wrong = next((name for name, column in self.columns.items() if isinstance(column, CustomerId)), "customer_id")
        if wrong != "customer_id":
            raise ValueError(f"columns.{wrong} takes the name of a column: normalise and empty are for customer_id")
        taken = sorted({"source", "file", "row_number"} & {name.lower() for name in self.columns})
        if taken:
            raise ValueError(f"columns.{taken[0]} is the name of a lineage column: choose another name")
        if self.updated_at is not None and self.updated_at_format is None and format_named(self.format).is_text:
            raise ValueError(f"updated_at_format is missing: {self.format} timestamps are text and are never guessed")
        return self


class IdentitiesSource(EventSource):
    """Old ids and the persons they belong to: accounts that were merged, or a table of ids. Applied to every other source."""

    moment: ClassVar[str | None] = "valid_from"
    columns: IdentityColumns = Field(description="Source column per part of an identity.")

    @property
    def has_written_times(self) -> bool:
        """Whether times are texts or numbers, which a format must explain."""
        return format_named(self.format).is_text and self.columns.valid_from is not None

    @property
    def mapped(self) -> dict[str, str]:
        """Source column per column that the declaration maps."""
        return {name: column for name, column in dict(self.columns).items() if column is not None}

    @property
    def customer(self) -> CustomerId:
        """The person; normalised as ids are in the source that identities are applied to."""
        return CustomerId(column=(self.columns.person,))


class PermissionSource(Source):
    """Who may be sent what: a list of consents, or of customers who are not sent anything."""

    columns: PermissionColumns = Field(description="Source column per part of a line.")
    most_drop: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Largest share of customers that a newer list may have lost; one that lost more is refused: nobody is sent.",
    )


def is_recorded(source: Source | None) -> bool:
    """Whether a source tells when its rows were recorded."""
    return isinstance(source, RecordedRows) and source.recorded_at is not None


class Sources(Declaration):
    """The raw tables' sources. One that is not declared is an empty table with its contract's columns."""

    orders: OrdersSource | None = Field(default=None, description="Order lines; the only source that training needs.")
    pageviews: PageviewsSource | None = Field(default=None, description="Page views.")
    email_events: EmailEventsSource | None = Field(default=None, description="E-mail events.")
    customers: CustomersSource | None = Field(default=None, description="Customer master data.")
    identities: IdentitiesSource | None = Field(
        default=None, description="Old ids and whom they belong to, for every other source."
    )

    consent: PermissionSource | None = Field(default=None, description="Who consented to what; see destinations.")
    suppression: PermissionSource | None = Field(default=None, description="Who is not sent to destinations.")

    @model_validator(mode="after")
    def _one_rule_for_ids(self) -> Sources:
        """What one source declares to be the same id holds for all: else their customers would not join."""
        names = [name for name in type(self).model_fields if name != "identities"]
        sources = {name: source for name in names if (source := getattr(self, name)) is not None}
        rules = {name: tuple(sorted(set(source.customer.normalise))) for name, source in sources.items()}
        declared = {name: rule for name, rule in rules.items() if rule}
        if not declared:
            return self
        first, rule = next(iter(declared.items()))
        other = next((name for name, found in declared.items() if found != rule), None)
        if other is not None:
            raise ValueError(
                f"{first} and {other} normalise customer_id differently, so that their customers would not join: write normalise: "
                f"[{', '.join(rule)}] under both, or under {first} alone, from where it holds for every source"
            )
        changed = {
            name: source.with_customer(source.customer.model_copy(update={"normalise": rule}))
            for name, source in sources.items()
            if not rules[name]
        }
        return self.model_copy(update=changed)

    @model_validator(mode="after")
    def _identities_are_of_all(self) -> Sources:
        for name in type(self).model_fields:
            source = getattr(self, name)
            if source is not None and name != "identities":
                source._identities = self.identities
        return self

    def declared(self, table: str) -> Source | None:
        """Give the declaration of the raw table ``table``, if there is one."""
        declaration: Source | None = getattr(self, table)
        return declaration

    @property
    def recorded(self) -> tuple[str, ...]:
        """Tables whose sources tell when their rows were recorded."""
        return tuple(name for name in ("orders", "pageviews", "email_events") if is_recorded(self.declared(name)))
