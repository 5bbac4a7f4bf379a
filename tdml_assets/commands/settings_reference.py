"""The settings file's keys as a page for people and as a JSON schema for editors, both from the pydantic models.

Belongs here: words for types and defaults, one example per key of ``sources``, the order of the page. Does not: the keys
themselves (``declaration/sources.py``, ``settings.py``), writing files (``commands/reference.py``).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tdml_assets.commands.orders_reference import orders_section
from tdml_assets.commands.sources_notes import (
    CUSTOMERS_NOTE,
    IDENTITIES_NOTE,
    NUMBERS_NOTE,
    PERMISSION_NOTE,
    RECORDS_NOTE,
    TIMES_NOTE,
)
from tdml_assets.declaration import bounds, columns
from tdml_assets.declaration import sources as declared
from tdml_assets.declaration.customer_ids import CustomerId
from tdml_assets.declaration.destinations import destination_class, known_kinds
from tdml_assets.declaration.numbers import NumberFormat
from tdml_assets.declaration.quality import QualityPolicy

EXAMPLES: dict[str, Any] = {
    "path": ["data/2025/*.csv", "data/2026/*.csv"],
    "format": "csv",
    "url_env": "SHOP_DATABASE_URL",
    "table": "shop.order_lines",
    "query": "WITH paid AS (SELECT * FROM order_lines WHERE is_paid) SELECT * FROM paid",
    "query_file": "orders.sql",
    "csv": {"delimiter": ";", "encoding": "cp1252"},
    "recursive": True,
    "hive_keys": ["order_date"],
    "records": "orders",
    "skip_rows": 3,
    "member": "export/orders.csv",
    "sheet": "Orders",
    "options": {"starts": {"order_no": 0, "amount": 12}},
    "skip_footer_rows": 1,
    "escape": "\\",
    "short_rows": "fill",
    "max_file_gb": 5,
    "max_fetch_seconds": 600,
    "line_key": ["order_no", "line"],
    "updated_at": "last_modified",
    "updated_at_format": "%Y-%m-%d %H:%M:%S",
    "recorded_at": "loaded_at",
    "recorded_at_format": "iso8601",
    "timezone": "Europe/Paris",
    "days_in": "Europe/Paris",
    "timestamp_format": "%d/%m/%Y %H:%M",
    "ambiguous_time": "later",
    "earliest": "2015-01-01",
    "currency": "EUR",
    "reporting_currency": "EUR",
    "rates": {"USD": 0.92, "GBP": 1.17},
    "numbers": {"decimal": ",", "thousands": "."},
    "amount_unit": "minor",
    "preset": "shopify",
    "minor_digits": {"ISK": 2, "MGA": 0},
    "bounds": {"unit_price": {"above": 0}, "quantity": {"min": -500, "max": 500}},
    "statuses": {"wc-completed": "sale", "wc-*": "void", "return line": "return"},
    "amount_level": "order",
    "refund_level": "order",
    "carry": ["customer_id", "ordered_at", "order_status"],
    "line_kinds": {"SHIPPING": "shipping", "DISC*": "discount", "VAT": "tax"},
    "delimiter": ";",
    "quote": "'",
    "encoding": "cp1252",
    "header": False,
    "decimal": ",",
    "thousands": ".",
    "null_values": ["", "NULL", "n/a"],
    "min": -100,
    "max": 10_000,
    "above": 0,
    "below": 100_000,
    "quantity": "Qty",
    "unit_price": "Price",
    "amount": "Line Total",
    "customer_id": "Customer E-mail",
    "ordered_at": "Order Date",
    "order_id": "Order Number",
    "product_id": "SKU",
    "product_category": "Category",
    "product_name": "Description",
    "order_status": "Status",
    "order_type": "Channel",
    "coupon_used": "Coupon",
    "refunded_amount": "Refunded",
    "parent_order_id": "Parent Order",
    "viewed_at": "Time",
    "sent_at": "Time",
    "event_type": "Event",
    "email_name": "Subject",
    "campaign_name": "Campaign",
}
"""Value per key of ``sources``; where a key means something else in another place, the place is named before it."""
PLACED_EXAMPLES: dict[str, Any] = {
    "columns.currency": "Currency",
    "identities.columns": {"old_id": "old", "person": "person", "valid_from": "since"},
    "columns.old_id": "old",
    "columns.person": "person",
    "columns.valid_from": "since",
    "customer_id.column": "Email",
    "customer_id.normalise": ["trim", "casefold"],
    "customer_id.empty": ["0", "guest", "nan"],
    "columns.path": "URL",
    "permission.customer_id": "Customer",
    "permission.purpose": "Purpose",
    "permission.destination": "System",
    "permission.allowed": "Given",
    "consent.columns": {"customer_id": "Customer", "purpose": "Purpose", "allowed": "Given"},
    "consent.most_drop": 0.2,
    "bounds.quantity": {"min": -500, "max": 500},
    "bounds.unit_price": {"above": 0},
    "bounds.amount": {"max": 100_000},
    "customers.columns": {"customer_id": "Customer Number", "joined": "Since"},
    "orders.columns": {"customer_id": "Customer E-mail", "ordered_at": "Order Date", "amount": "Line Total"},
    "pageviews.columns": {"customer_id": "user", "viewed_at": "time", "path": "url"},
    "email_events.columns": {"customer_id": "user", "sent_at": "time", "event_type": "event"},
}
_HEAD = """# Sources, key by key

Made from the code by `make docs`; a test compares. The keys stand under `sources` in `tdml.yaml`, one block per table:
`orders`, `pageviews`, `email_events`, `customers`, `identities`. `tdml-assets init FILE...` drafts them: it looks at the first
rows of text files, .xlsx sheets, archives, nested JSON, Parquet, folders, Delta and Iceberg tables, or of a database
(`--database`), and marks in comments what it guessed. `tdml-assets check` reads the files as they are declared and says
what they come to, without storing anything. Files with a header and no row are days without orders where other files have
rows. An editor with YAML support completes and checks the keys with this first line:

```yaml
# yaml-language-server: $schema=docs/tdml.schema.json
```

A whole declaration, of a file with semicolons, days first, decimal commas and thousands points:

```yaml
"""
_SHOP: dict[str, Any] = {
    "sources": {
        "orders": {
            "path": "data/orders-*.csv",
            "format": "csv",
            "csv": {"delimiter": ";", "encoding": "cp1252"},
            "numbers": {"decimal": ",", "thousands": "."},
            "timestamp_format": "%d/%m/%Y %H:%M",
            "timezone": "Europe/Paris",
            "currency": "EUR",
            "columns": {
                "customer_id": "Customer E-mail",
                "ordered_at": "Order Date",
                "amount": "Line Total",
                "order_id": "Order Number",
                "product_id": "SKU",
                "order_status": "Status",
            },
            "statuses": {"awaiting pickup": "sale", "return line": "return", "test*": "ignore"},
        }
    }
}


_FILES = """
## Files, folders and bad rows

- A folder gives the files in it; `recursive: true` those below it too. Hidden files, README and the like, and folders
  that begin with `_` are left out. Names are sorted with 2 before 10; of several states of one `line_key` the last
  file's counts, unless `updated_at` or `recorded_at` says otherwise.
- Of files with equal bytes in one folder the first is read. Equal files in different folders are all read: a folder
  may stand for a day or a shop.
- The key of a folder such as `order_date=2024-01-31` can be mapped like a column. A column of the file itself always
  comes first; with `hive_keys` every file must have the key, and a column of the same name is refused.
- An optional column may be missing in some files, or hold no value in one; it must be in at least one file. The
  asset's metadata lists where.
- Rows that cannot be cut into fields are in `raw.rejected_rows`, with the row as it is written: `short_row`,
  `long_row`, `broken_row`, `footer_row`; so are rows with an object or a list in a mapped column, `nested_value`. A row
  whose last cells are left out is read if no mapped column is among them. More than `quality.unreadable_limit` of such
  rows, ten or more of them or most of the file, refuse the load. Rows of `identities` that cannot be used are set aside
  the same way, and counted under `identities`.
- A column of a JSON file may be a path: `customer.id`, or `items[].sku` for one row per item. A file may hold
  one list of objects, and `records` names the key of such a list.
- gzip, zip, bzip2, xz and zstd files are known by their first bytes. A sheet of a .xlsx file (extra `xlsx`) needs no
  `timestamp_format` where its cells are dates; one of more than 500 MB unpacked is refused,
  since it is held in memory. A Delta table (extra `delta`) is read by `format: delta` with its folder
  as `path`, an Iceberg table (extra `iceberg`) by `format: iceberg`: the rows of the current version, without deleted
  rows and removed files. Their files are refused as Parquet.
- The latest metadata file of an Iceberg table is the one of the highest number, or what `version-hint.text` names; no catalog is
  asked. Where a catalog says otherwise, name the metadata file: `path: orders/metadata/00007-....metadata.json`. A copied table is
  read from its new folder. Rows deleted by equality, and files in other places than the folder and this machine, are refused.
"""
_DATABASES = """
## Rows of a database

`format: database` reads a table or a query in place of files; `path` is left out:

```yaml
sources:
  orders:
    format: database
    url_env: SHOP_DATABASE_URL      # the variable's name; the URL itself is never in the settings
    query_file: orders.sql          # or table: shop.order_lines, or query: SELECT ...
    currency: EUR
    columns: {customer_id: email, ordered_at: created_at, amount: total}
```

- The variable holds a SQLAlchemy URL, such as `postgresql+psycopg://user:password@host/database`. PostgreSQL needs
  `pip install 'psycopg[binary]'`, another database the driver of its dialect; a missing one is named. Neither the URL
  nor a message of the driver is stored or shown.
- An ADBC URL is read as Arrow batches: `adbc+postgresql://user:password@host/database` (extra `adbc-postgresql`) or
  `adbc+sqlite:////folder/shop.db` (extra `adbc-sqlite`); any other driver as `adbc:<driver>:<address as the driver takes it>`, for
  instance `adbc:snowflake:user:password@account/database`, with its package `adbc-driver-<driver>`. Columns of PostgreSQL's `money`
  are refused: their driver gives whole cents; cast them to `numeric`.
- Rows come in batches of 50,000 through a cursor of the server, and are written to a Parquet file in the state folder's
  cache. Nothing is committed to the database.
- Decimals stay exact, times with a zone are instants, times without one are read in `timezone`, and text needs
  `timestamp_format`. A column that mixes kinds becomes text; one of bytes, lists or objects is refused by name: name
  the other columns in a query, or cast it to text.
- In lineage the rows are `database:SHOP_DATABASE_URL/orders.sql` (the table, the query's file, or a hash of the query).
  Equal rows are not loaded again, in whatever order the database gives them. Rows of one `line_key` need `updated_at`:
  without it and at one time, the order in which they come decides.
"""


def sources_page() -> str:
    """``docs/sources.md``."""
    parts = [_HEAD, yaml.safe_dump(_SHOP, sort_keys=False, allow_unicode=True), "```\n"]
    parts.append(orders_section())
    parts += [_FILES, _DATABASES]
    parts += _section("Every source", "", declared.Source)
    parts += _section("Sources with a time: orders, pageviews, email_events", "", declared.EventSource, declared.Source)
    parts.append(TIMES_NOTE)
    parts += _section("`orders`", "orders", declared.OrdersSource, declared.EventSource)
    parts += _section("`orders.columns`", "columns", columns.OrderColumns)
    parts += _section("`columns.customer_id` in its long form", "customer_id", CustomerId)
    parts.append(CUSTOMERS_NOTE)
    parts += _section("`orders.bounds`", "bounds", bounds.OrderBounds)
    parts += _section("`orders.numbers`", "numbers", NumberFormat)
    parts.append(NUMBERS_NOTE)
    parts += _section("Keys of one bound", "", bounds.Bounds)
    parts += _section("`csv`", "csv", declared.CsvOptions)
    parts += _section("`pageviews`", "pageviews", declared.PageviewsSource, declared.EventSource)
    parts += _section("`pageviews.columns`", "columns", columns.PageviewColumns)
    parts += _section("`email_events`", "email_events", declared.EmailEventsSource, declared.EventSource)
    parts += _section("`email_events.columns`", "columns", columns.EmailEventColumns)
    parts.append(RECORDS_NOTE)
    parts += _section("`customers`", "customers", declared.CustomersSource, declared.Source)
    parts += _section("`identities`", "identities", declared.IdentitiesSource, declared.EventSource)
    parts += _section("`identities.columns`", "columns", columns.IdentityColumns)
    parts.append(IDENTITIES_NOTE)
    parts += _section("`consent` and `suppression`", "consent", declared.PermissionSource, declared.Source)
    parts += _section("`consent.columns`, `suppression.columns`", "permission", columns.PermissionColumns)
    parts.append(PERMISSION_NOTE)
    parts += [
        "\n## `quality`\n\nFrom where raw data count as broken: a block of its own in `tdml.yaml`, next to `sources`. What is done "
        "about it: [monitoring.md](monitoring.md).\n",
        "\n| key | type | default | meaning |\n|---|---|---|---|\n",
    ]
    for name, item in QualityPolicy.model_fields.items():
        kind = type_words(QualityPolicy, name)
        parts.append(f"| `{name}` | {kind} | {_default(item)} | {_cell(item.description)} |\n")
    return "".join(parts)


def documented_keys(place: str, model: type[BaseModel], without: type[BaseModel] | None = None) -> Iterator[str]:
    """Keys of a section: those of ``model`` that ``without`` has not, or declares differently."""
    known = without.model_fields if without is not None else {}
    for name, item in model.model_fields.items():
        is_other = name in known and (item.default, item.annotation) != (known[name].default, known[name].annotation)
        if name not in known or is_other:
            yield f"{place}.{name}" if place else name


def example_of(key: str) -> Any:
    """The example of a documented key."""
    return PLACED_EXAMPLES.get(key, EXAMPLES.get(key.rpartition(".")[2]))


def _section(title: str, place: str, model: type[BaseModel], without: type[BaseModel] | None = None) -> Iterator[str]:
    yield f"\n## {title}\n\n{(model.__doc__ or '').strip()}\n\n"
    yield "| key | type | default | meaning | example |\n|---|---|---|---|---|\n"
    for key in documented_keys(place, model, without):
        name = key.rpartition(".")[2]
        item = model.model_fields[name]
        example = _code(f"{name}: {_flow(example_of(key))}")
        yield f"| `{name}` | {type_words(model, name)} | {_default(item)} | {_cell(item.description)} | {example} |\n"


def type_words(model: type[BaseModel], name: str) -> str:
    """The type of a key, in words."""
    schema = _with_short_forms(model.model_json_schema())
    return _words(schema["properties"][name], schema.get("$defs", {}))


_NAMED = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number"}


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if choices := schema.get("anyOf", schema.get("oneOf")):
        kinds = dict.fromkeys(_words(one, definitions) for one in choices if one.get("type") != "null")
        # A decimal may also be written as text, for digits that floats do not hold.
        return " or ".join(kind for kind in kinds if not (kind == "text" and "number" in kinds))
    if "enum" in schema or "const" in schema:
        return ", ".join(_code(_flow(value)) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type"))
    if kind == "array":
        return f"list of {_words(schema.get('items', {}), definitions)}"
    if kind == "object":
        return "keys of its own" if "properties" in schema else "mapping"
    return "day" if schema.get("format") == "date" else _NAMED.get(kind, "any")


def _default(item: FieldInfo) -> str:
    if item.is_required():
        return "required"
    value = item.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own"
    return "none" if value is None else _code(_flow(list(value) if isinstance(value, tuple) else value))


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.strip().removesuffix("...").strip()


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("<", "&lt;")


#: Keys that take one value in place of a list, which the models' own schema cannot say.
_ONE_OR_MANY = ("path", "accepted", "timestamp_format", "updated_at_format", "recorded_at_format", "column")


def _with_short_forms(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow what validators turn into the full form: one value in place of a list."""
    found = copy.deepcopy(schema)
    for part in [found, *found.get("$defs", {}).values()]:
        for name in _ONE_OR_MANY:
            item = part.get("properties", {}).get(name, {})
            if lists := [one for one in item.get("anyOf", []) if one.get("type") == "array"]:
                item["anyOf"] = [*(one["items"] for one in lists), *item["anyOf"]]
            if item.get("type") == "array":
                kinds = {key: item.pop(key) for key in ("type", "items", "minItems") if key in item}
                item["anyOf"] = [kinds["items"], kinds]
    return found


def settings_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of ``tdml.yaml``.

    Parameters
    ----------
    model : ``Settings``; its folders are set by the environment and left out.
    """
    schema = _with_short_forms(model.model_json_schema())
    for name in ("home", "base_folder"):
        schema["properties"].pop(name)
    schema["required"] = [name for name in schema.get("required", []) if name in schema["properties"]]
    # A list of names, or a mapping to keys to override; a name with nothing behind it overrides nothing.
    schema["properties"]["workflows"]["anyOf"] = [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
        {"type": "null"},
    ]
    _add_destinations(schema)
    schema["title"] = "tdml.yaml"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _add_destinations(schema: dict[str, Any]) -> None:
    """A destination has a name of its own, and one of the kinds' sections; a kind of one's own has keys that nobody knows here."""
    one: list[dict[str, Any]] = []
    for kind in known_kinds():
        model = destination_class(kind)
        found = model.model_json_schema(ref_template="#/$defs/{model}")
        for name, definition in found.pop("$defs", {}).items():
            schema["$defs"].setdefault(name, definition)
        schema["$defs"][model.__name__] = found
        one.append({"$ref": f"#/$defs/{model.__name__}"})
        # Where the name is the kind, it need not be said.
        schema["$defs"]["Destinations"]["properties"][kind] = one[-1]
    own = {"type": "object", "properties": {"kind": {"type": "string", "pattern": "[.]"}}, "required": ["kind"]}
    schema["$defs"]["Destinations"]["additionalProperties"] = {"anyOf": [*one, own]}
