"""The one entry: a function of Hivemall by its name, on an Arrow table.

Belongs here: finding the function and its options. Does not: what functions do.
"""

from __future__ import annotations

import difflib

import pyarrow as pa
import pyarrow.compute as pc

from tdml_assets.engines.hivemall.arguments import checked
from tdml_assets.engines.hivemall.catalogue import functions
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.options import parse
from tdml_assets.engines.hivemall.registry import Function, plain_type


def run(function: str, rows: pa.Table, options: str = "") -> pa.Table:
    """Call a Hivemall function. Raises ``HivemallError``: unknown function or option, and whatever the function refuses.

    ``function``: its name in Hivemall, e.g. ``train_arow``; upper and lower case are equal. ``rows``: its arguments, one column
    per argument in Hivemall's order; a constant argument is a column too. Rows are taken in order, as by one task. ``options``:
    the option string, e.g. ``-loss logloss -iters 1``; "" is as if the argument were not given. A constant text column that
    starts with ``-`` in the place of the option string counts as one.

    Learners and table functions return Hivemall's columns and types; functions of a row and aggregates a column ``value``, or the
    fields of the struct that Hivemall returns.
    """
    name = function.lower()
    known = functions()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise HivemallError(f"There is no function {function}. The nearest name is {near[0]}.")
    described = known[name]
    for place, column in enumerate(rows.columns):
        plain = plain_type(column.type, decimals=not described.texts)
        if plain != column.type:
            rows = rows.set_column(place, rows.column_names[place], column.cast(plain))
    if not options:
        rows, options = _split_options(rows, described)
    parsed = parse(options, described.options, name)
    count = rows.num_columns
    if count < described.least or (described.most is not None and count > described.most):
        most = "any number of" if described.most is None else described.most
        raise HivemallError(f"{name} takes {described.least} to {most} arguments (columns of rows), {count} given.")
    return described.call(checked(name, rows), parsed)


def _split_options(rows: pa.Table, described: Function) -> tuple[pa.Table, str]:
    """Take a constant option string out of the columns."""
    place = described.options_at if described.options_at >= 0 else rows.num_columns - 1
    fixed = described.options_at >= 0
    if (
        not described.options
        or not rows.num_rows
        or not (fixed or described.least <= place)
        or place >= rows.num_columns
        or not described.has_option_column(rows)
    ):
        return rows, ""
    column = rows.column(place)
    if not pa.types.is_string(column.type):
        return rows, ""
    first = column[0].as_py()
    if first is None or not first.startswith("-") or pc.count_distinct(column, mode="all").as_py() != 1:
        return rows, ""
    return rows.remove_column(place), first
