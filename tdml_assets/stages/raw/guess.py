"""What a file of raw data probably is: which columns mean what, how its dates and numbers are written.

Belongs here: guesses from names and values, and where there is no safe guess, what a person must decide.
Does not: reading files (``beginning.py``), the settings file that is written (``commands/settings_draft.py``).

A guess is written into a file that a person reads, and never used by itself. What two readings would both explain, such as
01/02/2024, is left open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tdml_assets.declaration.presets import preset_keys
from tdml_assets.declaration.source_values import ISO_FORMAT
from tdml_assets.stages.raw.dates import formats_that_read
from tdml_assets.stages.raw.guess_orders import currency_in, is_total_of_order, known_export
from tdml_assets.stages.raw.numbers import NumberMarks, marks_that_read

Table = Literal["orders", "pageviews", "email_events", "customers"]
#: Words in a column's name, per column of the contract, the most telling first. Names are compared without case and marks.
_NAMES: dict[str, tuple[str, ...]] = {
    "customer_id": (
        *(
            "customerid",
            "customeremail",
            "customernumber",
            "customerno",
            "customerkey",
            "clientid",
            "userid",
            "memberid",
        ),
        *("accountid", "kundennummer", "kundennr", "kundenid", "idclient", "clienteid", "email", "customer", "client"),
        *("cliente", "kunde", "buyer", "member", "user", "who"),
    ),
    "moment": (
        *("orderedat", "orderdate", "ordertime", "invoicedate", "purchasedate", "purchasetime", "transactiondate"),
        *(
            "createdat",
            "created",
            "viewedat",
            "sentat",
            "eventtime",
            "timestamp",
            "bestelldatum",
            "datum",
            "fecha",
            "datetime",
        ),
        *("date", "time", "day", "when"),
    ),
    "amount": (
        *(
            "linetotal",
            "lineamount",
            "linenet",
            "amount",
            "netamount",
            "totalamount",
            "total",
            "subtotal",
            "sales",
            "revenue",
        ),
        *("umsatz", "betrag", "summe", "montant", "importe", "netto", "brutto"),
    ),
    "quantity": ("quantity", "qty", "lineitemquantity", "units", "anzahl", "menge", "quantite", "cantidad", "stueck"),
    "unit_price": (
        "unitprice",
        "lineitemprice",
        "itemprice",
        "einzelpreis",
        "prixunitaire",
        "precio",
        "price",
        "preis",
    ),
    "order_id": (
        *(
            "orderid",
            "ordernumber",
            "orderno",
            "invoiceno",
            "invoicenumber",
            "invoice",
            "transactionid",
            "bestellnummer",
        ),
        *("bestellnr", "auftrag", "ordername", "order", "receipt", "basketid", "oid", "id"),
    ),
    "product_id": (
        *(
            "productid",
            "sku",
            "lineitemsku",
            "stockcode",
            "itemid",
            "articleid",
            "artikelnummer",
            "artikelnr",
            "artikel",
        ),
        *("productcode", "ean", "product", "item", "article"),
    ),
    "product_name": (
        *("productname", "lineitemname", "itemdescription", "productdescription", "itemname", "producttitle"),
        *("artikelbezeichnung", "produktbezeichnung", "artikelname", "produktname", "bezeichnung", "designation"),
        "description",
    ),
    "product_category": (
        "productcategory",
        "category",
        "department",
        "warengruppe",
        "kategorie",
        "categorie",
        "producttype",
    ),
    "order_status": ("orderstatus", "financialstatus", "status", "state"),
    "parent_order_id": ("parentorderid", "parentorder", "parentid", "parent"),
    "refunded_amount": ("refundedamount", "amountrefunded", "totalrefunded", "refundtotal"),
    "order_type": ("ordertype", "channel", "saleschannel", "kanal"),
    "currency": ("currency", "currencycode", "waehrung", "wahrung", "devise", "moneda"),
    "path": ("path", "url", "page", "pageurl", "pagepath"),
    "event_type": ("eventtype", "event", "action", "activity"),
    "email_name": ("emailname", "mailing", "subject"),
    "campaign_name": ("campaignname", "campaign", "kampagne"),
}
_ROLES: dict[Table, tuple[str, ...]] = {
    "orders": (
        *("customer_id", "moment", "amount", "quantity", "unit_price", "order_id", "product_name", "product_id"),
        *("product_category", "order_status", "order_type", "currency", "parent_order_id"),
    ),
    "pageviews": ("customer_id", "moment", "path"),
    "email_events": ("customer_id", "moment", "event_type", "email_name", "campaign_name"),
    "customers": ("customer_id",),
}
_NUMBERS = ("amount", "quantity", "unit_price")
_MOMENTS: dict[str, str] = {"orders": "ordered_at", "pageviews": "viewed_at", "email_events": "sent_at"}
_CODE = re.compile(r"[A-Z]{3}")
_MOST_STATUSES = 12


@dataclass(frozen=True)
class FileSample:
    """The beginning of a file.

    Parameters
    ----------
    path : as the settings will name it.
    format : csv, parquet or json.
    columns : texts per column, empty ones left out, in the order of the file.
    delimiter, encoding, has_header : of a CSV file.
    typed_moments : columns that hold timestamps or dates by their type.
    typed_numbers : columns that hold numbers by their type.
    """

    path: str
    format: Literal["csv", "parquet", "json"]
    columns: Mapping[str, Sequence[str]]
    delimiter: str = ","
    encoding: str = "utf-8"
    has_header: bool = True
    typed_moments: frozenset[str] = frozenset()
    typed_numbers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Guess:
    """What was found out about the files of one table.

    Parameters
    ----------
    columns : source column per column of the contract.
    timestamp_format : None where the file carries a type, or where it is open.
    marks : how numbers are written; None where it is open or where the file carries types.
    currency : code of the sign that stands at every amount; None where there is none.
    statuses : values of the status column, where there are few.
    open : what a person must decide: the key, and why.
    preset : the known export that it is, whose keys say the rest.
    is_total : whether the amount is the order's total, on each of its lines.
    """

    table: Table
    samples: tuple[FileSample, ...]
    columns: Mapping[str, str]
    timestamp_format: str | None = None
    marks: NumberMarks | None = None
    statuses: tuple[str, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None
    is_total: bool = False
    currency: str | None = None

    @property
    def is_refund_known(self) -> bool:
        """Whether what was refunded is a column, so that a refunded order nets to nothing by itself."""
        return self.preset is not None and "refunded_amount" in preset_keys(self.preset)["columns"]


def guess_table(sample: FileSample) -> Table:
    """Which raw table a file is for."""
    roles = {role for table in _ROLES.values() for role in table if _find(role, sample, set())}
    if "moment" not in roles:
        return "customers"
    if "amount" in roles or {"quantity", "unit_price"} <= roles:
        return "orders"
    if "event_type" in roles:
        return "email_events"
    return "pageviews" if "path" in roles else "orders"


def guess(table: Table, samples: Sequence[FileSample]) -> Guess:
    """Columns, date format and number marks of files of one table, which have one header."""
    first, moment = samples[0], _MOMENTS.get(table)
    found = _columns_of(table, first)
    values = {role: [text for one in samples for text in one.columns.get(name, ())] for role, name in found.items()}
    still_open = _missing(table, first, found)
    currency = None
    stamp = None
    if moment in found and found[moment] not in first.typed_moments:
        stamp, why = _guess_format(values[moment])
        still_open |= {"timestamp_format": why} if why else {}
    texts = [text for role in _NUMBERS if _is_written(role, found, first) for text in values[role]]
    marks = marks_that_read(texts)
    if texts and marks is None:
        still_open["numbers.decimal"] = _why_unreadable(texts)
    if table == "orders":
        still_open |= _open_currency(found.get("currency"), values.get("currency", ()))
        if (currency := currency_in(values.get("amount", ()))) is not None and "currency" not in found:
            still_open.pop("currency", None)
    statuses = sorted({text.strip() for text in values.get("order_status", ())})
    known = tuple(statuses) if len(statuses) <= _MOST_STATUSES else ()
    if table != "orders":
        return Guess(table, tuple(samples), found, stamp, marks, known, still_open)
    read = (marks or NumberMarks()).read
    is_total = first.format == "csv" and is_total_of_order(
        first.columns.get(found.get("order_id", ""), ()), first.columns.get(found.get("amount", ""), ()), read
    )
    preset = known_export(first.columns) if first.format == "csv" else None
    return Guess(table, tuple(samples), found, stamp, marks, known, still_open, preset, is_total, currency)


def _is_written(role: str, found: Mapping[str, str], sample: FileSample) -> bool:
    """Whether a number is text, so that it has marks."""
    return role in found and found[role] not in sample.typed_numbers


def _columns_of(table: Table, sample: FileSample) -> dict[str, str]:
    found: dict[str, str] = {}
    for role in _ROLES[table]:
        column = _find(role, sample, set(found.values()))
        if column is not None:
            found[_MOMENTS[table] if role == "moment" else role] = column
    if "product_name" in found and "product_id" not in found:
        # Names are all that tells products apart.
        found["product_id"] = found.pop("product_name")
    if table != "orders" or "amount" not in found:
        return found
    # One way to the money is enough. A total beside quantity and price is often the order's, repeated on every line.
    is_of_line = re.search(r"line|amount|net", found["amount"], re.IGNORECASE) is not None
    has_parts = {"quantity", "unit_price"} <= set(found)
    dropped = "amount" if has_parts and not is_of_line else "unit_price"
    return {role: column for role, column in found.items() if role != dropped}


def _missing(table: Table, sample: FileSample, found: Mapping[str, str]) -> dict[str, str]:
    """Columns that a source must have and no column looks like."""
    there = f"no column looks like it; there are {', '.join(sample.columns)}"
    wanted = ["customer_id", *([_MOMENTS[table]] if table in _MOMENTS else [])]
    missing = {f"columns.{role}": there for role in wanted if role not in found}
    if table == "orders" and "amount" not in found and not {"quantity", "unit_price"} <= set(found):
        missing["columns.amount"] = there
    return missing


def _open_currency(column: str | None, texts: Sequence[str]) -> dict[str, str]:
    if column is None:
        return {"currency": "no column holds a currency: write its code, such as EUR"}
    codes = sorted({text.strip() for text in texts})
    if not codes or not all(_CODE.fullmatch(code) for code in codes):
        return {"currency": f"column {column!r} does not hold codes of three letters: write the code, such as EUR"}
    if len(codes) > 1:
        listed = ", ".join(codes[:9])
        return {"reporting_currency": f"found {listed}: write the one that amounts are converted to, and rates"}
    return {}


def _why_unreadable(texts: Sequence[str]) -> str:
    unread = next((text for text in texts if not any(NumberMarks(mark).read(text) is not None for mark in ".,")), None)
    if unread is not None and not re.fullmatch(r"[-+]?[\d.,'\s]+", unread):
        return f"{unread!r} is no number: map another column"
    return "the numbers can be read in two ways: is 1,234 a thousand or a little more than one?"


def currency_of(found: Guess) -> str | None:
    """The one code in the currency column; None where there are several or no such column."""
    column = found.columns.get("currency")
    codes = {text.strip() for sample in found.samples for text in sample.columns.get(column or "", ())}
    return next(iter(codes)) if len(codes) == 1 and _CODE.fullmatch(next(iter(codes))) else None


def _find(role: str, sample: FileSample, taken: set[str]) -> str | None:
    """The column that plays a role: by its name, and where values must be dates or numbers, by them too.

    A moment may have any name where only one column holds dates.
    """
    by_name = _find_by_name(role, sample, taken)
    if by_name is None and role == "moment":
        dated = [name for name in sample.columns if name not in taken and _is_dated(name, sample)]
        return dated[0] if len(dated) == 1 else None
    return by_name


def _find_by_name(role: str, sample: FileSample, taken: set[str]) -> str | None:
    plain = {name: re.sub(r"[\W_]+", "", name).casefold() for name in sample.columns if name not in taken}
    for exact in (True, False):
        for word in _NAMES[role]:
            for name, text in plain.items():
                fits = text == word if exact else (len(word) >= 4 and word in text)
                if fits and _values_fit(role, name, sample):
                    return name
    return None


def _is_dated(name: str, sample: FileSample) -> bool:
    """Whether a column holds dates by its values alone: a number of five digits is rarely a spreadsheet's day."""
    return name in sample.typed_moments or any(one != "excel" for one in formats_that_read(sample.columns[name][:50]))


def _values_fit(role: str, name: str, sample: FileSample) -> bool:
    texts = sample.columns[name]
    if role == "moment":
        return name in sample.typed_moments or bool(texts and formats_that_read(texts[:50]))
    if role in _NUMBERS:
        return name in sample.typed_numbers or bool(texts and all(re.search(r"\d", text) for text in texts[:50]))
    return True


def _guess_format(texts: Sequence[str]) -> tuple[str | None, str]:
    """The only format that reads every text, or why there is none."""
    different = list(dict.fromkeys(texts))
    fitting = formats_that_read(different)
    if not fitting:
        return (
            None,
            f"no usual format reads all of them, such as {different[0]!r}" if different else "the column is empty",
        )
    # Formats of equal meaning: an offset that may be missing, a fraction that is not there.
    meanings = {_order_of_parts(one) for one in fitting}
    if len(meanings) > 1:
        return None, f"{different[0]!r} can be read as {' or '.join(fitting[:2])}: no day in the sample is past 12"
    return fitting[0], ""


def _order_of_parts(format_text: str) -> str:
    if format_text == ISO_FORMAT:
        return "ymd"
    return re.sub(r"[^dmbBYy]", "", format_text).lower().replace("b", "m")
