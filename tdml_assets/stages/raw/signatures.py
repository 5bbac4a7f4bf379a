"""What a file is by its first bytes, where that is not what it is declared to be: named, with the remedy.

Elsewhere: reading files (``headers.py``).
"""

from __future__ import annotations

import re

#: Bytes of a file that are enough to know it.
FIRST_BYTES = 4096
_UNPACK = "is {what}, which is not read: unpack it, and name the file inside in path"
_ARCHIVES = {
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
}
_SPREADSHEET = (
    "is a spreadsheet ({what}), not text: save it as .xlsx and write format: xlsx, or save the sheet as CSV UTF-8"
)
_WORKBOOK = "is a spreadsheet (.xlsx): write format: xlsx, and sheet: with the name of the sheet"
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PDF = "is a PDF, not a table: export the orders as CSV"
_MARKUP = re.compile(rb"\s*<(!doctype html|html|\?xml)", re.IGNORECASE)
_JSON = re.compile(rb'\s*(\[\s*)?\{\s*"[^"]*"\s*:')
# A first line of names with delimiters between them.
_TABLE = re.compile(rb"[\w \"]+[,;\t|][^{}\[\]:]*[\r\n]")
#: Text of other kinds: what it begins with, the declared formats that it is not, and the remedy.
_OTHER_TEXT = (
    (_MARKUP, ("csv", "json"), "is a web page or XML, probably a page that asks to sign in: download the file again"),
    (re.compile(rb"%PDF"), ("csv", "json"), _PDF),
    (_JSON, ("csv",), "is JSON: write format: json"),
    (_TABLE, ("json",), "is not JSON but a table of text: write format: csv"),
)


def what_is_wrong(first: bytes, *, name: str, file_format: str, encoding: str) -> str | None:
    """What the file is, and the remedy, to be read behind its name; ``None`` if it may be what it is declared to be.

    ``first``: the first ``FIRST_BYTES`` of the file as it lies on disk. ``name``: its name, whose ending decides whether it is
    read as gzip. ``file_format``: ``csv``, ``json`` or ``parquet``. ``encoding``: declared encoding of its text.
    """
    packed = _packed(first, name, file_format)
    if packed is not None or first.startswith(b"\x1f\x8b"):
        return packed
    if file_format == "parquet":
        return None if first.startswith(b"PAR1") else _instead_of_parquet(first)
    if first.startswith(b"PAR1"):
        return "is a Parquet file: write format: parquet"
    if name.lower().endswith(".gz"):
        return "ends in .gz and is not a gzip file: rename it without .gz"
    return _of_text(first, file_format, encoding)


def _packed(first: bytes, name: str, file_format: str) -> str | None:
    if first.startswith(b"\x1f\x8b") and file_format == "parquet":
        return "is a gzip file: unpack it; Parquet is compressed inside"
    if first.startswith(b"\x1f\x8b") and not name.lower().endswith(".gz"):
        return "is a gzip file: rename it so that its name ends in .gz"
    if first.startswith(b"PK\x03\x04"):
        is_sheet = b"[Content_Types].xml" in first or b"xl/" in first or name.lower().endswith((".xlsx", ".xlsm"))
        return _WORKBOOK if is_sheet else _UNPACK.format(what="a zip archive")
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        return _SPREADSHEET.format(what=".xls")
    archive = next((what for mark, what in _ARCHIVES.items() if first.startswith(mark)), None)
    return _UNPACK.format(what=archive) if archive else None


def _instead_of_parquet(first: bytes) -> str:
    text = first.lstrip()
    kind = "json" if text.startswith((b"{", b"[")) else "csv"
    return (
        f"is not a Parquet file: write format: {kind}" if _is_text(first) else "is not a Parquet file: deliver it again"
    )


def _is_text(first: bytes) -> bool:
    return b"\x00" not in first


def _of_text(first: bytes, file_format: str, encoding: str) -> str | None:
    declared = encoding.replace("_", "-").lower()
    for mark, found in _MARKS:
        if first.startswith(mark) and not declared.startswith(found):
            return _encoding_remedy(found, file_format)
    wide = wide_without_mark(first)
    if wide is not None and not declared.startswith("utf-16"):
        return _encoding_remedy(wide, file_format)
    return next((remedy for pattern, of, remedy in _OTHER_TEXT if file_format in of and pattern.match(first)), None)


def not_a_workbook(first: bytes) -> str:
    """What to do with a file that is declared as .xlsx and has no sheet, by its first bytes."""
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        return (
            "it is an old .xls workbook or has a password: save it as .xlsx without one, or save the sheet as CSV UTF-8"
        )
    if _MARKUP.match(first):
        return "it is a web page or XML: open it in a spreadsheet and save it as .xlsx, or download the file again"
    if first.startswith(b"%PDF"):
        return f"it {_PDF}"
    if not _is_text(first):
        return "deliver it again"
    return f"write format: {'json' if first.lstrip().startswith((b'{', b'[')) else 'csv'}"


def _encoding_remedy(found: str, file_format: str) -> str:
    name = found.upper()
    if file_format == "json":
        return f"is {name} text: write it as UTF-8"
    return f"is {name} text: write csv: {{encoding: {found}}}"


def wide_without_mark(first: bytes) -> str | None:
    """UTF-16 without a byte order mark: nearly every other byte of western text is NUL."""
    pairs = len(first) // 2
    if pairs < 4:
        return None
    even, odd = (first[start : 2 * pairs : 2].count(0) / pairs for start in (0, 1))
    if odd > 0.8 and even < 0.2:
        return "utf-16-le"
    return "utf-16-be" if even > 0.8 and odd < 0.2 else None
