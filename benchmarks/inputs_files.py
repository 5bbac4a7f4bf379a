"""Deformed files of orders: text (CSV, JSON lines, packed or not), and any file with spoilt bytes.

Belongs here: what is done to a good file, and how the result is declared. Does not: Parquet and workbooks
(``inputs_tables.py``), counting rows (``inputs_readers.py``), loading (``inputs_loads.py``).
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

NAMES = ("order", "who", "when", "n", "price", "note")
_NOTES = ("", "gift", "näme", "a, b", 'say "hi"', "two\nlines", "=1+1", "'007", "x" * 300)
_FIRST = datetime(2024, 1, 1, 10)  # noqa: DTZ001 (files hold local times)
_PUT = (b"", b'"', b'""', b"\n", b"\r\n", b"\r", b"\x00", b",", b";", b"\\", b"\xff", b"\xef\xbb\xbf", b"{", b"\x1a")

#: What is done to a text, and the keys of the declaration that go with it; made only when it is chosen.
_Ways = dict[str, Callable[[], tuple[str, dict[str, Any]]]]


@dataclass(frozen=True)
class Variant:
    """One file to load.

    Parameters
    ----------
    what : what was done to it.
    name : its name, whose ending says how it is packed.
    content : its bytes.
    changes : keys of the declaration that differ from those of a good file.
    """

    what: str
    name: str
    content: bytes
    changes: dict[str, Any] = field(default_factory=dict)


def good_rows(dice: random.Random, count: int) -> list[dict[str, str]]:
    """Order lines as a shop writes them, all texts."""
    return [
        {
            "order": f"A{number}",
            "who": f"{dice.randrange(40):03d}",
            "when": f"{_FIRST + timedelta(hours=7 * number):%Y-%m-%d %H:%M:%S}",
            "n": str(dice.randint(1, 5)),
            "price": f"{dice.randint(100, 9_999) / 100:.2f}",
            "note": dice.choice(_NOTES),
        }
        for number in range(1, count + 1)
    ]


def spoilt_bytes(content: bytes, dice: random.Random) -> bytes:
    """``content`` with up to three places where bytes are replaced, put in, doubled, cut out, moved or flipped."""
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(content) + 1)
        until = min(len(content), place + dice.choice([1, 1, 2, 8, 64]))
        put = dice.choice(_PUT)
        flipped = bytes(byte ^ (1 << dice.randrange(8)) for byte in content[place:until])
        content = dice.choice(
            [
                content[:place] + put + content[until:],
                content[:place] + put + content[place:],
                content[:place] + content[place:until] * 2 + content[until:],
                content[:place] + flipped + content[until:],
                content[:place],
                content[place:] + content[:place],
                put * dice.randint(1, 3) + content,
            ]
        )
    return content


# ---- CSV ----


def _csv(rows: list[dict[str, str]], **form: Any) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, NAMES, lineterminator="\n", **form)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _lines_changed(text: str, dice: random.Random, change: Callable[[str], str], *, share: float = 0.1) -> str:
    head, *lines = text.splitlines(keepends=True)
    return head + "".join(change(line) if dice.random() < share else line for line in lines)


def _mixed_ends(text: str, dice: random.Random) -> str:
    return "".join(
        line.removesuffix("\n") + dice.choice(["\n", "\r\n", "\r"]) for line in text.splitlines(keepends=True)
    )


def _put_in(text: str, dice: random.Random, put: str) -> str:
    place = dice.randrange(len(text))
    return text[:place] + put + text[place:]


def _csv_deformed(text: str, rows: list[dict[str, str]], dice: random.Random) -> Variant:
    encodings = ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "latin-1"]
    written, read = dice.choice(encodings), dice.choice(["utf-8", "cp1252", "utf-16", "utf-8-sig"])
    footers = dice.choice(["Total,,,,99.00,\n", "\n\nTotal: 12\n", "(12 rows affected)\n", ",,,,,\n", "Total\n"])
    preamble = dice.choice(["Orders of 2024\n", "Report\n\nMade by shop,x\n", "sep=,\n", '"Title, of"\n', "#\n#\n"])
    skipped = dice.choice([0, preamble.count("\n")])
    renamed = text.split("\n", 1)[1]
    head = dice.choice(["order,who,when,n,price,price", "order,Who,when,n,price,note", "order,who,who,n,price,note"])
    short = {"csv": {"short_rows": dice.choice(["reject", "fill"])}}
    mark, ctrl_z = dice.choice([";", "\t", "|"]), dice.choice(["\x1a", "\x1a\n", "\n\x1a\n"])
    cut = dice.randrange(len(text))
    made: _Ways = {
        "delimiters doubled": lambda: (_lines_changed(text, dice, lambda line: line.replace(",", ",,", 1)), {}),
        "delimiters removed": lambda: (_lines_changed(text, dice, lambda line: line.replace(",", "", 1)), short),
        "last cells cut off": lambda: (_lines_changed(text, dice, lambda line: line.rpartition(",")[0] + "\n"), short),
        "quotes doubled": lambda: (_lines_changed(text, dice, lambda line: line.replace('"', '""', 1), share=0.3), {}),
        "quotes removed": lambda: (_lines_changed(text, dice, lambda line: line.replace('"', "", 1), share=0.3), {}),
        "a quote put in": lambda: (_put_in(text, dice, dice.choice(['"', '"x', ' "', '"\n'])), {}),
        "quotes by backslash": lambda: (
            _csv(rows, doublequote=False, escapechar="\\"),
            {"csv": dice.choice([{}, {"escape": "\\"}])},
        ),
        "no quote declared": lambda: (text, {"csv": {"quote": ""}}),
        "single quotes": lambda: (_csv(rows, quotechar="'"), {"csv": dice.choice([{}, {"quote": "'"}])}),
        "all quoted": lambda: (
            _csv(rows, quoting=csv.QUOTE_ALL).replace('"\n', dice.choice(['"\n', '" \n', '"\t\n'])),
            {},
        ),
        "NUL characters": lambda: (_lines_changed(text, dice, lambda line: "\x00" + line[:-1] + "\x00\n"), {}),
        "Ctrl-Z": lambda: (dice.choice([text + ctrl_z, _put_in(text, dice, "\x1a")]), {}),
        "mixed line ends": lambda: (_mixed_ends(text, dice), {}),
        "blank lines": lambda: (
            _lines_changed(text, dice, lambda line: dice.choice(["\n", "  \n", "\n\n"]) + line),
            {},
        ),
        "blank first lines": lambda: (dice.choice(["\n", " \n\t\n", "\n\n\n"]) + text, {}),
        "footer": lambda: (text + footers, {"skip_footer_rows": dice.choice([0, 1, 1, 2])}),
        "preamble": lambda: (preamble + text, {"skip_rows": skipped}),
        "names doubled or changed": lambda: (head + "\n" + renamed, {}),
        "an empty column": lambda: (_csv([{**row, "note": ""} for row in rows]), {}),
        "an empty name": lambda: (text.replace("note\n", "\n", 1), {}),
        "wide header": lambda: (text.replace("\n", ",\n", 1), {}),
        "wrong delimiter": lambda: (_csv(rows, delimiter=mark), {"csv": dice.choice([{}, {"delimiter": mark}])}),
        "no header declared": lambda: (text, {"csv": {"header": False}, "columns": _numbered()}),
        "cut off": lambda: (text[:cut], {}),
        "empty": lambda: (dice.choice(["", "\n", text.split("\n", maxsplit=1)[0], "\x00", "\ufeff", ",,,,,\n"]), {}),
        "a very long line": lambda: (_put_in(text, dice, "x" * dice.choice([70_000, 1_999_000, 2_500_000])), {}),
        "a header twice": lambda: (text + text, {}),
        "huge numbers": lambda: (_lines_changed(text, dice, lambda line: _huge(line, dice)), {}),
        "other types": lambda: (_lines_changed(text, dice, lambda line: _other_type(line, dice)), {}),
    }
    what = dice.choice([*made, "encodings", "byte order marks"])
    if what == "encodings":
        return Variant(what, "a.csv", text.encode(written, errors="replace"), {"csv": {"encoding": read}})
    if what == "byte order marks":
        return Variant(
            what, "a.csv", b"\xef\xbb\xbf" * dice.randint(1, 2) + text.encode() + dice.choice([b"", b"\xef\xbb\xbf"])
        )
    made_text, changes = made[what]()
    return Variant(what, "a.csv", made_text.encode(), changes)


def _numbered() -> dict[str, str]:
    columns = {"order_id": 1, "customer_id": 2, "ordered_at": 3, "quantity": 4, "unit_price": 5}
    return {name: f"column_{place}" for name, place in columns.items()}


def _huge(line: str, dice: random.Random) -> str:
    cells = line.split(",")
    if len(cells) >= len(NAMES):
        cells[3] = dice.choice(
            ["1e308", "9" * 40, "1e-400", "-1", "0", "1e999", "٣", "0x10", "1_000", "NaN", "Infinity"]
        )
        cells[4] = dice.choice(["9" * 30 + ".99", "1e20", "-0.005", "1.2.3", "1,5", "½", "inf", " 7 "])
    return ",".join(cells)


def _other_type(line: str, dice: random.Random) -> str:
    cells = line.split(",")
    place = dice.randrange(max(1, len(cells) - 1))
    cells[place] = dice.choice(
        ["true", "null", "[]", "{}", "2024-02-30 10:00:00", "9999-12-31 23:59:59", "1e5", "-", "\u200b"]
    )
    return ",".join(cells)


def csv_variant(dice: random.Random) -> Variant:
    """A CSV file deformed in one way, or in its bytes."""
    rows = good_rows(dice, dice.choice([12, 60]))
    text = _csv(rows)
    if dice.random() < 0.3:
        return Variant("spoilt bytes", "a.csv", spoilt_bytes(text.encode(), dice))
    return _csv_deformed(text, rows, dice)


# ---- JSON ----

_VALUES: tuple[Any, ...] = (
    None,
    True,
    1.5,
    12,
    "",
    "x",
    [],
    {},
    [1, 2],
    {"a": 1},
    [{"a": 1}],
    "\x00",
    "\ud83d",
    10**40,
)


def _json_lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=len(str(row)) % 2 == 0) + "\n" for row in rows)


def json_variant(dice: random.Random) -> Variant:
    """A file of JSON lines deformed in one way, or in its bytes."""
    good: list[dict[str, Any]] = [dict(row) for row in good_rows(dice, dice.choice([12, 60]))]
    text = _json_lines(good)
    if dice.random() < 0.3:
        return Variant("spoilt bytes", "a.json", spoilt_bytes(text.encode(), dice))
    some = [dict(row) for row in good]
    for row in dice.sample(some, 3):
        row[dice.choice(NAMES)] = dice.choice(_VALUES)
    late = [dict(row) for row in good_rows(dice, 1_050)]
    late[-1][dice.choice(NAMES[:5])] = dice.choice([{"a": 1}, [1], [{"a": 1}], {"id": "7"}])
    depth = dice.choice([10, 500, 5_000, 200_000])
    deep = '{"who": ' + "[" * depth + "]" * depth + "}\n"
    numbers = dice.choice(["1e400", "1" * 5_000, "-0", "01", "1.", "NaN", "Infinity", "0.1e-400", "9" * 30 + ".5"])
    twice = '{"order": "B1", "who": "1", "who": "2", "when": "2024-01-01 10:00:00", "n": 1, "price": 2}\n'
    renamed = [{dice.choice(["Who", "who ", "who.x", "", "a\x00b", "wh\u00f6"]): "7", **row} for row in good]
    nested = [
        {**row, "buyer": {"id": row["who"]}, "lines": [{"k": "a"}, {"k": "b"}][: dice.randint(0, 2)]} for row in good
    ]
    made: _Ways = {
        "other types": lambda: (_json_lines(some), {}),
        "an object behind many lines": lambda: (_json_lines(late), {}),
        "deep": lambda: (dice.choice([text + deep, deep + text, text + deep.replace("who", "extra")]), {}),
        "huge numbers": lambda: (
            text + f'{{"who": "7", "price": {numbers}, "n": {numbers}, "when": "2024-01-01 10:00:00"}}\n',
            {},
        ),
        "a key twice": lambda: (text + twice, {}),
        "other keys": lambda: (_json_lines(renamed), {}),
        "keys left out": lambda: (_json_lines([{key: row[key] for key in dice.sample(NAMES, 5)} for row in good]), {}),
        "a list": lambda: (json.dumps(good, indent=dice.choice([None, 1])), {}),
        "a list under a key": lambda: (
            json.dumps({"data": {"orders": good}}),
            {"records": dice.choice(["data.orders", "orders"])},
        ),
        "two objects on a line": lambda: (text.replace("}\n", "} ", 2), {}),
        "an object on several lines": lambda: (json.dumps(good[0], indent=1) + "\n" + text, {}),
        "commas behind objects": lambda: (text.replace("}\n", "},\n"), {}),
        "blank lines": lambda: (text.replace("}\n", "}\n\n \n", 3), {}),
        "mixed line ends": lambda: (_mixed_ends(text, dice), {}),
        "no object": lambda: (text + dice.choice(["[1]\n", "null\n", '"x"\n', "7\n", "Total: 12\n"]), {}),
        "paths": lambda: (_json_lines(nested), {"columns": _paths(dice)}),
        "cut off": lambda: (text[: dice.randrange(len(text))], {}),
        "a very long line": lambda: (text + json.dumps({"who": "x" * dice.choice([2_500_000, 17_000_000])}) + "\n", {}),
        "comments": lambda: ("// orders\n" + text, {}),
        "footers declared": lambda: (text, {dice.choice(["skip_rows", "skip_footer_rows"]): 1}),
    }
    what = dice.choice([*made, "encodings"])
    if what == "encodings":
        return Variant(what, "a.json", text.encode(dice.choice(["utf-16", "utf-8-sig", "cp1252"]), errors="replace"))
    made_text, changes = made[what]()
    return Variant(what, "a.json", made_text.encode("utf-8", errors="replace"), changes)


def _paths(dice: random.Random) -> dict[str, str]:
    columns = {"order_id": "order", "ordered_at": "when", "quantity": "n", "unit_price": "price"}
    return {
        **columns,
        "customer_id": dice.choice(["buyer.id", "buyer", "buyer.x"]),
        **dice.choice([{}, {"product_id": "lines[].k"}]),
    }


# ---- packed ----


def packed_variant(dice: random.Random) -> Variant:
    """A packed CSV or JSON file: what is in it is deformed, or the packing is."""
    inner = dice.choice([csv_variant, json_variant])(dice)
    pack = dice.choice([lambda data: gzip.compress(data, mtime=0), bz2.compress])
    name = inner.name + dice.choice([".gz", ""])
    content = pack(inner.content)
    packing = dice.choice(["", "", "cut off", "spoilt bytes", "twice", "packed twice", "bytes behind it", "not packed"])
    packed = {
        "": content,
        "cut off": content[: dice.randrange(len(content))],
        "spoilt bytes": spoilt_bytes(content, dice),
        "twice": content + content,
        "packed twice": pack(content),
        "bytes behind it": content + dice.choice([b"\x00" * 8, b"x", b"\x1f\x8b"]),
        "not packed": inner.content,
    }[packing]
    return Variant(f"{inner.what}; packing {packing or 'whole'}", name, packed, inner.changes)
