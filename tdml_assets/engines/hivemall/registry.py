"""How a Hivemall function is described here, and the wrappers that make tables of plain Python functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.options import Option, Options, declare

Types = Sequence[pa.DataType]
Returns = Any  # an Arrow type, or a function from the types of the arguments to one

FLOAT, DOUBLE, INT, BIGINT = pa.float32(), pa.float64(), pa.int32(), pa.int64()
STRING, BOOLEAN = pa.string(), pa.bool_()
TEXTS, NUMBERS, INTS, LONGS = pa.list_(STRING), pa.list_(DOUBLE), pa.list_(INT), pa.list_(BIGINT)


@dataclass(frozen=True)
class Function:
    """One function: its options, how many columns it takes (``most`` None: any number), and what it does with a table."""

    call: Callable[[pa.Table, Options], pa.Table]
    options: dict[str, Option] = field(default_factory=dict)
    least: int = 0
    most: int | None = None
    #: Where a constant option string may be among the columns: last, or at this place.
    options_at: int = -1
    #: Whether these columns are one more than the function's values, so that the last may be the option string.
    has_option_column: Callable[[pa.Table], bool] = lambda rows: True  # noqa: ARG005
    #: Whether it writes numbers as text, and so gets decimals and float32 as they are.
    texts: bool = False


def type_of(returns: Returns, types: Types) -> pa.DataType:
    """The type of a result, which may depend on the types of the arguments."""
    kind: pa.DataType = returns if isinstance(returns, pa.DataType) else returns(types)
    return kind


def first_type(types: Types) -> pa.DataType:
    """The result is of the type of the first argument."""
    return types[0]


def element_type(types: Types) -> pa.DataType:
    """The result is of the type of the items of the first argument, which is a list."""
    kind: pa.DataType = types[0].value_type
    return kind


def scalar(
    call: Callable[..., object],
    returns: Returns,
    arguments: tuple[int, int | None],
    options: str = "",
    *,
    types: bool = False,
    texts: bool = False,
    strict: bool = False,
) -> Function:
    """A function of one row: values in, one value out, in a column ``value`` or one column per field of a struct.

    With ``options`` the function also gets the parsed options, with ``types`` the Arrow types of its arguments, with ``texts``
    float32 and decimal numbers as such, so that it can write them as Java does. With ``strict`` a first argument that is null gives
    null, without a call.
    """
    known = declare(options)

    def over_rows(rows: pa.Table, given: Options) -> pa.Table:
        extra: dict[str, Any] = {"options": given} if known else {}
        if types:
            extra["types"] = list(rows.schema.types)
        values: list[Any] = [
            None if strict and row[0] is None else call(*row, **extra) for row in rows_of(rows, singles=texts)
        ]
        return one_column(values, type_of(returns, rows.schema.types))

    return Function(over_rows, known, *arguments, texts=texts)


def aggregate(
    call: Callable[..., object], returns: Returns, arguments: tuple[int, int | None], options: str = ""
) -> Function:
    """A function of all rows: lists of values in, one value out."""
    known = declare(options)

    def over_group(rows: pa.Table, given: Options) -> pa.Table:
        extra: dict[str, Any] = {"options": given} if known else {}
        value = call(*(column.to_pylist() for column in rows.columns), **extra)
        return one_column([value], type_of(returns, rows.schema.types))

    return Function(over_group, known, *arguments)


def rows_of(rows: pa.Table, *, singles: bool = False) -> Iterator[tuple[Any, ...]]:
    """The rows as tuples of Python values; with ``singles`` float32 numbers stay float32."""
    if rows.num_columns == 0:
        return iter([()] * max(rows.num_rows, 1))
    return zip(*(_values(column, singles=singles) for column in rows.columns), strict=True)


def _values(column: pa.ChunkedArray, *, singles: bool) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if singles and column.type == FLOAT:
        return [None if value is None else np.float32(value) for value in values]
    if singles and is_list(column.type) and column.type.value_type == FLOAT:
        return [row and [None if value is None else np.float32(value) for value in row] for row in values]
    return values


def is_list(kind: pa.DataType) -> bool:
    """Whether it is a list, of any of Arrow's sizes."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def plain_type(kind: pa.DataType, *, decimals: bool) -> pa.DataType:
    """The type as Hive knows it: no dictionary, no large or view types, and with ``decimals`` double in place of decimal."""
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type, decimals=decimals)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return STRING
    if is_list(kind):
        return pa.list_(plain_type(kind.value_type, decimals=decimals))
    if decimals and pa.types.is_decimal(kind):
        return DOUBLE
    return DOUBLE if pa.types.is_float16(kind) else kind


def one_column(values: Sequence[Any], kind: pa.DataType) -> pa.Table:
    """A table of one column ``value``; a struct becomes one column per field, named as the field."""
    if pa.types.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        return table_of(
            {item.name: [None if row is None else row[item.name] for row in values] for item in fields},
            {item.name: item.type for item in fields},
        )
    return table_of({"value": values}, {"value": kind})


def table_of(columns: dict[str, Any], kinds: dict[str, pa.DataType]) -> pa.Table:
    """A table of these columns, cast to these types."""
    return pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()})


def null_pointer(what: str) -> HivemallError:
    """The error where Hivemall stops with a NullPointerException."""
    return HivemallError(f"NullPointerException: {what} is null.")


def constant(rows: pa.Table, index: int) -> Any:
    """The value of a constant argument: that of the first row, None without rows."""
    return rows.column(index)[0].as_py() if rows.num_rows else None
