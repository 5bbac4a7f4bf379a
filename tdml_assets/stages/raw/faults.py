"""What a library raises while a raw file is read becomes a ``SourceError`` that names file, cause and remedy.

Elsewhere: what is wrong with the rows (``rules.py``, ``sql/raw``).

No message of a library is passed on: it may quote rows of the file.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from tdml_assets.stages.raw.rules import SourceError

_CAUSES = {
    "unterminated quote": "a quoted field does not end: correct the file, or csv.quote",
    "Expected Number of Columns": "the line has more or fewer fields than the header: correct it, or csv.delimiter",
    "Malformed JSON": "the line is not JSON: correct the file",
    "maximum_object_size": "an object is larger than 16 MB: split it, or correct the file",
    "state machine": "the text breaks the CSV rules, for instance by mixing line ends: correct the file",
    "line size": "a line is longer than 2 MB: a quote probably does not end",
    "full read on this file": "a line is longer than 32 MB: a quote probably does not end",
    "strptime": "timestamp_format cannot be used: correct it",
    "Out of Memory": "the memory limit is too small: raise warehouse.memory_limit_gb",
}


@contextmanager
def source_faults(name: str) -> Iterator[None]:
    """Name the file and the cause of what is raised inside.

    Raises ``SourceError``: in place of an error of the warehouse, of gzip or of the disk.
    """
    fault = ""
    try:
        yield
    except duckdb.Error as error:
        fault = _of_warehouse(str(error), type(error).__name__)
    except (zlib.error, EOFError) as error:
        fault = f" is not a complete gzip file ({type(error).__name__}): deliver it again"
    except OSError as error:
        # gzip's own error is one of these, without a number.
        fault = (
            f" cannot be read ({error.strerror}): correct the file or its permissions"
            if error.strerror
            else f" is not a complete gzip file ({type(error).__name__}): deliver it again"
        )
    if fault:
        raise SourceError(f"{name}{fault}") from None  # what the library said may quote the row


def _of_warehouse(message: str, kind: str) -> str:
    line = re.search(r"[Ll]ine:? (\d+)", message)
    known = (text for mark, text in _CAUSES.items() if mark.lower() in message.lower())
    cause = next(known, f"the warehouse refused it ({kind})")
    # The JSON reader counts a line too many.
    place = f", near line {line.group(1)}" if line else ""
    return f"{place}: {cause}. Nothing was loaded"
