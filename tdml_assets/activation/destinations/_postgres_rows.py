"""Rows as PostgreSQL's COPY reads them: in binary where the table has exactly our types, else as CSV, which it converts itself.

Elsewhere: the connection and the statements (``postgres.py``).

Binary, as "File Formats" of COPY in PostgreSQL's manual says: a header, per row the number of fields, per field its bytes behind
their number, -1 for NULL, all in network order, and a trailer. It spares the server to read numbers from text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: Rows that are written while those before them are on their way.
_PIECE_ROWS = 20_000
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_TEXT = ("text", "character varying")
#: Type there, by DuckDB's, that a value's bytes in binary are of.
_TYPES: Mapping[str, tuple[str, ...]] = {
    "VARCHAR": _TEXT,
    "DOUBLE": ("double precision",),
    "FLOAT": ("real",),
    "BIGINT": ("bigint",),
    "INTEGER": ("integer",),
    "SMALLINT": ("smallint",),
    "BOOLEAN": ("boolean",),
    "DATE": ("date",),
}
#: Days from 1970 to 2000, where PostgreSQL begins to count.
_EPOCH_DAYS = 10_957


def fits_binary(ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """Whether every column has the type there whose bytes we write.

    ``ours``: DuckDB's type per column that is sent. ``theirs``: type per column of the table, as ``format_type`` names it.
    """
    return all(theirs.get(name) in _TYPES.get(kind, ()) for name, kind in ours.items())


def pieces(rows: pa.Table, *, binary: bool) -> Iterator[bytes]:
    """The rows in pieces, of which the first has the header and the last the trailer."""
    encode: Callable[[pa.Table], bytes] = _binary if binary else _csv
    if binary:
        yield _HEADER
    for start in range(0, rows.num_rows, _PIECE_ROWS):
        yield encode(rows.slice(start, _PIECE_ROWS))
    if binary:
        yield _TRAILER


def _csv(rows: pa.Table) -> bytes:
    """Text in quotes where it needs them, nothing at all for NULL."""
    import pyarrow.csv as pa_csv

    target = io.BytesIO()
    pa_csv.write_csv(rows, target, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))
    return target.getvalue()


def _binary(rows: pa.Table) -> bytes:
    import numpy as np
    import pyarrow.compute as pc

    count = rows.num_columns.to_bytes(2, "big")
    joined = pc.binary_join_element_wise(_constant(count), *_fields(rows), _constant(b""))
    _, offsets, content = joined.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[joined.offset : joined.offset + len(joined) + 1]
    return bytes(memoryview(content)[ends[0] : ends[-1]])


def _fields(rows: pa.Table) -> Iterator[Any]:
    """Number of bytes and bytes per value, as arrays of binaries.

    Neighbours of fixed sizes are one array, since each array costs a pass over the rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fixed: list[Any] = []
    for column in rows.columns:
        values = column.combine_chunks()
        has_null = values.null_count > 0
        if not pa.types.is_primitive(values.type):
            texts = values.cast(pa.string()).cast(pa.binary())
            yield _records([*fixed, _sizes(texts)])
            yield pc.if_else(texts.is_valid(), texts, _constant(b"")) if has_null else texts
            fixed = []
        elif has_null:
            if fixed:
                yield _records(fixed)
            fixed = []
            yield pc.if_else(values.is_valid(), _records(_with_size(values)), _constant(_NULL))
        else:
            fixed += _with_size(values)
    if fixed:
        yield _records(fixed)


def _sizes(texts: Any) -> np.ndarray[Any, Any]:
    """Number of bytes per text, -1 for NULL."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = _numbers(pc.binary_length(texts))
    return np.where(_numbers(texts.is_valid().cast(pa.int8())), sizes, np.int32(-1)) if texts.null_count else sizes


def _with_size(values: Any) -> list[Any]:
    """Number of bytes of a type of fixed size, and the values as PostgreSQL has them."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_date32(values.type):
        numbers = _numbers(values.cast(pa.int32())) - np.int32(_EPOCH_DAYS)
    else:
        numbers = _numbers(values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values)
    return [np.full(len(numbers), numbers.dtype.itemsize, dtype=np.int32), numbers]


def _records(columns: Sequence[np.ndarray[Any, Any]]) -> Any:
    """Numbers of the same rows next to each other in network order, as one array of binaries."""
    import numpy as np

    record = np.empty(len(columns[0]), dtype=[(f"f{n}", c.dtype.newbyteorder(">")) for n, c in enumerate(columns)])
    for place, numbers in enumerate(columns):
        record[f"f{place}"] = numbers
    return _packed(record)


def _numbers(values: Any) -> np.ndarray[Any, Any]:
    """Numbers of an array as they lie in memory, any where it has NULL; ``to_numpy`` and ``fill_null`` would import pandas."""
    import numpy as np

    found = np.frombuffer(values.buffers()[1], dtype=values.type.to_pandas_dtype())
    return found[values.offset : values.offset + len(values)]


def _packed(records: np.ndarray[Any, Any]) -> Any:
    """Fixed-size records as an array of binaries."""
    import pyarrow as pa

    kind = pa.binary(records.dtype.itemsize)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(records), [None, pa.py_buffer(records)]).cast(pa.binary())


def _constant(content: bytes) -> Any:
    """A scalar of these bytes; ``pa.scalar`` would import pandas, .3 seconds of a sync."""
    import numpy as np
    import pyarrow as pa

    ends = np.array([0, len(content)], dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(ends), pa.py_buffer(content)])[0]
