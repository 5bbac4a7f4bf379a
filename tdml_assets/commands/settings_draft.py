"""A settings file as a draft: what was guessed of the files, with comments, and gaps where a person must decide.

Elsewhere: the guesses (``stages/raw/guess.py``), what is said of orders (``settings_draft_orders.py``), writing it
(``commands/init.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tdml_assets.commands.settings_draft_orders import (
    carry_lines,
    key_line,
    key_lines,
    kind_lines,
    level_lines,
    status_lines,
    text,
)
from tdml_assets.declaration.presets import preset_keys
from tdml_assets.stages.raw.guess import Guess
from tdml_assets.stages.raw.guess_lines import folded_ids, nobodies
from tdml_assets.stages.raw.sample import FileSample

#: Order in which columns are written.
_ORDER = (
    *("order_id", "parent_order_id", "customer_id", "ordered_at", "viewed_at", "sent_at", "product_id", "product_name"),
    *(
        "product_category",
        "quantity",
        "unit_price",
        "amount",
        "refunded_amount",
        "order_status",
        "order_type",
        "currency",
    ),
)
#: Share of ids that must be e-mail addresses for all of them to be taken for such.
_MOSTLY = 0.95
#: Share of rows with a value from where a column counts as filled.
_ALL = 0.98
_HEAD = """\
# Written by tdml-assets init from the first rows of your files. Lines with "guessed" are less sure than the others, and a key
# without a value is yours to write: read it, correct it, then
#   tdml-assets check    what the files hold as declared here
#   tdml-assets run      everything
# All keys: docs/sources.md
"""
_FOLDED = "[trim, casefold]"
_PRICE = re.compile(r"price|preis|prix|precio|prezzo|prijs", re.IGNORECASE)
_PLACES = {"database": ("url_env", "table", "query", "query_file")}


def draft(guesses: Sequence[Guess], unused: Sequence[str] = ()) -> str:
    """The text of a settings file for these sources. ``unused``: files that no source reads, and why."""
    lines = [_HEAD, "as_of: latest    # or a date: nothing later is read", "sources:"]
    for found in guesses:
        lines += [f"  {found.table}:", *(f"    {line}" for line in _source(found))]
    return "\n".join([*lines, *(f"# not used: {one}" for one in unused)]) + "\n"


def _source(found: Guess) -> list[str]:
    first = found.samples[0]
    lines = _place(found)
    if found.preset is not None:
        return [*lines, *_of_preset(found)]
    lines.append(f"format: {first.format}")
    if found.other_names:
        listed = ", ".join(
            f"{text(name)}: [{', '.join(map(text, names))}]" for name, names in found.other_names.items()
        )
        lines.append(f"other_names: {{{listed}}}    # what they are called in other files")
    lines += [*_file_keys(found), *_csv(first), *_numbers(found)]
    if found.table != "customers":
        lines += [*_times(found), *_records(found)]
    if found.table == "orders":
        lines += [*_money(found), *level_lines(found), *carry_lines(found)]
    lines += ["columns:    # our name: yours", *(line for item in _columns(found) for line in _column(found, *item))]
    lines += [
        f"  {key.removeprefix('columns.')}:    # {why}" for key, why in found.open.items() if key.startswith("columns.")
    ]
    if found.table == "orders":
        lines += [*key_lines(found), *kind_lines(found), *status_lines(found)]
    return lines


def _place(found: Guess) -> list[str]:
    """Where the rows are: paths, or a table or query of a database."""
    first = found.samples[0]
    if first.format == "database":
        return []
    paths = list(dict.fromkeys(sample.path for sample in found.samples))
    lines = [f"path: {text(paths[0]) if len(paths) == 1 else '[' + ', '.join(map(text, paths)) + ']'}"]
    return [*(f"# {note}" for sample in found.samples for note in sample.notes), *lines]


def _of_preset(found: Guess) -> list[str]:
    """A known export: what its preset cannot know is left."""
    first, name = found.samples[0], str(found.preset)
    keys = preset_keys(name)
    lines = [f"preset: {name}    # recognised by its columns; keys written here come before those of the preset"]
    if first.format != keys["format"]:
        lines.append(f"format: {first.format}")
    lines += [*_file_keys(found), *_csv(first, keys.get("csv", {}))]
    known = {"decimal": ".", "thousands": "", **keys.get("numbers", {})}
    if found.marks is not None and found.marks.decimal != known["decimal"]:
        lines += _numbers(found)
    if "currency" not in keys:
        lines += _money(found) or ["currency:    # write its code, such as EUR"]
    lines.append("# days_in: Europe/Paris    # time zone in which days are counted; that of the times unless given")
    if "amount_level" not in keys:
        lines += level_lines(found)
    lacking = ("refunded_amount", "product_id", "product_name", "quantity", "unit_price")
    others = {
        role: name
        for role, name in found.columns.items()
        if keys["columns"].get(role, name) != name or (role in lacking and role not in keys["columns"])
    }
    if others:
        lines += [
            "columns:    # in place of those of the preset",
            *(f"  {role}: {text(name)}" for role, name in others.items()),
        ]
    return [*lines, *key_lines(found), *status_lines(found)]


def _file_keys(found: Guess) -> list[str]:
    return [
        f"{name}:    # {found.open[name]}" if name in found.open else key_line(name, key.value, key.why)
        for name, key in found.samples[0].keys.items()
    ]


def _csv(first: FileSample, known: dict[str, str] | None = None) -> list[str]:
    """Keys of delimited text that are neither the usual ones nor those of a preset."""
    if first.format != "csv":
        return []
    usual = {"delimiter": ",", "encoding": "utf-8", **(known or {})}
    found = {"delimiter": first.delimiter, "encoding": first.encoding}
    lines = [f"  {key}: {text(value)}" for key, value in found.items() if value != usual[key]]
    if not first.has_header:
        lines.append("  header: false    # columns are column_1, column_2, ...")
    if first.nulls:
        lines.append(f'  null_values: ["", {", ".join(map(text, first.nulls))}]')
    return ["csv:", *lines] if lines else []


def _numbers(found: Guess) -> list[str]:
    if "numbers.decimal" in found.open:
        return ["numbers:", f"  decimal:    # . or , : {found.open['numbers.decimal']}"]
    if found.marks is None or found.marks.is_plain:
        return []
    thousands = [f"  thousands: {text(found.marks.thousands)}"] if found.marks.thousands else []
    return ["numbers:", f"  decimal: {text(found.marks.decimal)}", *thousands]


def _times(found: Guess) -> list[str]:
    formats = found.timestamp_formats
    if "timestamp_format" in found.open:
        lines = [f"timestamp_format:    # {found.open['timestamp_format']}"]
    elif len(formats) > 1:
        lines = [f"timestamp_format: [{', '.join(map(text, formats))}]    # found written in these ways"]
    else:
        lines = [f"timestamp_format: {text(formats[0])}"] if formats else []
    if found.table == "identities":
        return lines
    has_zone = bool(formats) and all(
        one.endswith("%z") or one == "iso8601" or one.startswith("unix") for one in formats
    )
    if has_zone:
        return [*lines, "# days_in: Europe/Paris    # zone in which days are counted; UTC unless given"]
    return [*lines, "# timezone: Europe/Paris    # of timestamps without an offset; UTC unless given"]


def _records(found: Guess) -> list[str]:
    """A column that may tell when rows were recorded: a proposal, since nothing but a person knows whether it does."""
    if found.recorded is None:
        return []
    why = "if it tells when rows were loaded or changed: past days then see only what was known"
    return [f"# recorded_at: {text(found.recorded)}    # {why}"]


def _money(found: Guess) -> list[str]:
    lines = []
    if found.currency is not None:
        lines = [f"currency: {found.currency[0]}    # {found.currency[1]}"]
    elif "reporting_currency" in found.open:
        lines = [
            f"reporting_currency:    # {found.open['reporting_currency']}",
            "# rates: {USD: 0.92}    # units of the reporting currency per unit of another",
        ]
    elif "currency" in found.open:
        lines = [f"currency:    # {found.open['currency']}"]
    if found.is_minor:
        lines.append("amount_unit: minor    # guessed: the name of the column speaks of cents")
    elif "amount_unit" in found.open:
        lines.append(f"amount_unit:    # {found.open['amount_unit']}")
    return lines


def _columns(found: Guess) -> list[tuple[str, str]]:
    """Columns in the order of the draft: names of products behind their ids, which are looked for later."""
    # A column without codes gives way to the one code that is asked for.
    has_one_currency = found.currency is not None or "currency" in found.open
    items = [(role, name) for role, name in found.columns.items() if role != "currency" or not has_one_currency]
    return sorted(items, key=lambda item: _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER))


def _column(found: Guess, role: str, column: str) -> list[str]:
    """A line of the mapping, with what there is to look at."""
    doubt = "    # guessed by its values" if role in found.by_content else _doubt(found, role, column)
    line = f"  {role}: {text(column)}{doubt}"
    if role != "customer_id":
        return [line]
    rule, mail = "", _mail_of_guests(found, column)
    if _are_addresses(found.texts(role)):
        line = f"  {_folded(found, column, 'written so because they are e-mail addresses')}"
        rule = f", normalise: {_FOLDED}"
    if mail is not None:
        why = "without the first a guest is known by the second; to set guests aside, name the first alone"
        words = nobodies(found.texts(role))
        empty = f", empty: [{', '.join(json.dumps(one) for one in words)}]" if words else ""
        line = f"  customer_id: {{column: [{text(column)}, {text(mail)}]{rule}{empty}}}    # {why}"
    elif not rule and (padded := _padded(found.samples, column)):
        line = f"  customer_id: {{column: {text(column)}, normalise: [integer]}}    # {padded}"
        rule = ", normalise: [integer]"
    return [line, *_ids(found, column, rule)]


def _mail_of_guests(found: Guess, column: str) -> str | None:
    """The column of e-mail addresses that every row has, where ids of customers are missing in some."""
    if "customer_id" in found.carry:
        return None
    parents = found.columns.get("parent_order_id", "")
    for sample in found.samples:
        # A row of a refund is its order's.
        linked = sample.cells.get(parents, [""] * sample.row_count)
        rows = [place for place, parent in enumerate(linked) if parent in ("", "0")]
        words = nobodies(sample.columns.get(column, ()))
        known = [place for place in rows if sample.cells[column][place].strip().lower() not in ("", *words)]
        if column not in sample.cells or len(known) >= _ALL * len(rows):
            return None
        for name, texts in sample.cells.items():
            filled = sum(1 for place in rows if texts[place])
            if name != column and "mail" in name.lower() and filled >= _ALL * len(rows):
                return name
    return None


def _padded(samples: Sequence[FileSample], column: str) -> str:
    """Why ids are numbers, where some files write them with zeros in front and others without; empty where they are not."""
    files = [[cell for cell in cells if cell] for sample in samples for cells in sample.by_file(column)]
    if not all(re.fullmatch(r"\d+", one) for ids in files for one in ids):
        return ""
    padded = [ids for ids in files if any(one.startswith("0") and len(one) > 1 for one in ids)]
    bare = {one for ids in files if ids not in padded for one in ids}
    shared = {one.lstrip("0") for ids in padded for one in ids} & bare
    if not padded or not bare or len(shared) * 2 < len(bare):
        return ""
    return f"written so because {len(padded):,} of {len(files):,} files have zeros in front, and the ids are the same without"


def _ids(found: Guess, column: str, rule: str = "") -> list[str]:
    """What ids of customers could be declared to be: people who differ by case, and ids that mean nobody.

    ``rule``: what the line above declares of ids, which what replaces it keeps.
    """
    ids = found.texts("customer_id")
    lines = []
    different, folded = folded_ids(ids)
    if folded < different and not rule:
        lines.append(
            "  # " + _folded(found, column, "in place of the line above, if they are the same people").lstrip()
        )
    if any(re.fullmatch(r"\d+\.0+", one) for one in ids):
        lines.append(
            f"  # customer_id: {{column: {text(column)}, normalise: [integer]}}    # in place of the line above, if 123.0 is 123"
        )
    nobody = nobodies(ids)
    is_written = _mail_of_guests(found, column) is not None
    if nobody and not is_written:
        listed = ", ".join(f'"{one}"' for one in nobody)
        why = "in place of the line above, if these ids are guests: their rows are then set aside"
        lines.append(f"  # customer_id: {{column: {text(column)}{rule}, empty: [{listed}]}}    # {why}")
    rows = sum(sample.row_count for sample in found.samples)
    mail = next((name for name in found.samples[0].cells if "mail" in name.lower() and name != column), None)
    if mail is not None and not is_written and "customer_id" not in found.carry and len(ids) < _ALL * rows:
        both = f"[{text(column)}, {text(mail)}]{rule}"
        lines.append(f"  # customer_id: {{column: {both}}}    # in place of the line above, to know guests by e-mail")
    return lines


def _are_addresses(ids: Sequence[str]) -> bool:
    """Whether ids that differ by case or blanks are e-mail addresses, whose case tells no people apart."""
    different, folded = folded_ids(ids)
    return folded < different and sum("@" in one for one in ids) >= _MOSTLY * len(ids)


def _folded(found: Guess, column: str, why: str) -> str:
    """The column of ids that are the same without case and blanks."""
    different, folded = folded_ids(found.texts("customer_id"))
    return (
        f"customer_id: {{column: {text(column)}, normalise: {_FOLDED}}}    # {why}: {different:,} ids are {folded:,} "
        "without case and blanks"
    )


def _doubt(found: Guess, role: str, column: str) -> str:
    """What to look at where a name sounds like another figure than the one wanted."""
    if role == "amount_reversed":
        return "    # guessed: of the two sides of an amount the one with less money; it is taken off amount"
    if role == "customer_id" and re.search(r"name|nom\b|nombre", column, re.IGNORECASE):
        return "    # people of one name would be one customer: a number or an e-mail address is better"
    if (
        role == "amount"
        and "quantity" not in found.columns
        and re.search(r"price|preis|prix|precio|prezzo|prijs", column, re.IGNORECASE)
    ):
        return "    # no column says how many, so that each row is taken for one piece"
    if (
        role == "amount"
        and not found.amount_level
        and not re.search(r"line|item", column, re.IGNORECASE)
        and re.search(r"tot|order", column, re.IGNORECASE)
    ):
        return "    # of the line? an order's total that is on each of its lines would be counted several times"
    return ""
