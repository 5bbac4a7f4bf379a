"""The one entry: a function of Hivemall by its name, on an Arrow table.

Types that the functions themselves do not look at are checked here; values are checked by the functions.
"""

from __future__ import annotations

import difflib

import pyarrow as pa
import pyarrow.compute as pc

from tdml_assets.engines.hivemall.catalogue import functions
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import parse_float
from tdml_assets.engines.hivemall.options import parse
from tdml_assets.engines.hivemall.registry import DOUBLE, Function, is_list, null_pointer, plain_type


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


#: Places of integers, of which none may be null.
_INTEGERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("amplify", "rand_amplify", "each_top_k", "float_array"), (0,)),
    **dict.fromkeys(("polynomial_features", "powered_features", "build_bins", "moving_avg", "map_tail_n"), (1,)),
    **dict.fromkeys(("mhash", "sha1", "to_dense", "to_dense_features", "bbit_minhash"), (1,)),
    **dict.fromkeys(("populate_not_in", "item_pairs_sampling"), (1,)),
    "word_ngrams": (1, 2),
    "minhashes": (1, 2),
    "tfidf": (1, 2),
    "bm25": (1, 3, 4),
    "binarize_label": (0, 1),
    "select_k_best": (2,),
    "deflate": (1,),
    "generate_series": (0, 1, 2),
}
#: Places of integers where null has a meaning or words of its own.
_INTEGERS_OR_NULL: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("array_slice", "subarray"), (1, 2)),
    **dict.fromkeys(("precision_at", "recall_at", "hitrate", "mrr", "average_precision", "ndcg"), (2,)),
    "arange": (0, 1, 2),
    "element_at": (1,),
    "bits_collect": (0,),
    "bpr_sampling": (0,),
}
#: Places of lists of integers.
_INTEGER_LISTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("to_bits", "unbits", "populate_not_in", "item_pairs_sampling"), (0,)),
    "bits_or": tuple(range(99)),
    "bpr_sampling": (1,),
}
#: Places of lists of numbers.
_NUMBER_LISTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("vector_add", "mf_predict", "bprmf_predict", "select_k_best"), (0, 1)),
    **dict.fromkeys(("array_avg", "array_sum", "add_feature_index", "to_sparse", "to_sparse_features"), (0,)),
    "vector_dot": (0,),
    "fm_predict": (1,),
    "ffm_predict": (1, 2),
    "snr": (0, 1),
}
#: Places of numbers; text there is read as a number.
_NUMBERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("changefinder", "sst", "moving_avg", "max_label", "voted_avg", "weight_voted_avg", "tfidf"), (0,)),
    **dict.fromkeys(("is_nan", "is_finite", "is_infinite", "sigmoid", "distance2similarity", "l2_norm", "auc"), (0,)),
    **dict.fromkeys(("logloss", "mae", "mse", "rmse", "r2", "argmin_kld"), (0, 1)),
    "fm_predict": (0, 2),
    "ffm_predict": (0, 3, 4),
    "minkowski_distance": (2,),
    "bm25": (0, 2),
    "kld": (0, 1, 2, 3),
    "rescale": (1, 2),
    "zscore": (0, 1, 2),
    "each_top_k": (2,),
    "build_bins": (0,),
    "mf_predict": (2, 3, 4),
}


def checked(name: str, rows: pa.Table) -> pa.Table:
    """The columns with numbers where the function takes numbers. Raises ``HivemallError``: an argument of another type."""
    for place in (*_INTEGERS.get(name, ()), *_INTEGERS_OR_NULL.get(name, ())):
        if place < rows.num_columns and not _integer(rows.schema.types[place]):
            raise _other(name, place, "an integer", rows)
    for place in _INTEGERS.get(name, ()):
        if place < rows.num_columns and rows.column(place).null_count:
            raise null_pointer(f"argument {place + 1} of {name}")
    for kinds, wanted in ((_INTEGER_LISTS, "integers"), (_NUMBER_LISTS, "numbers")):
        for place in kinds.get(name, ()):
            kind = rows.schema.types[place] if place < rows.num_columns else pa.null()
            inside = kind.value_type if is_list(kind) else kind
            fits = _integer(inside) or (wanted == "numbers" and pa.types.is_floating(inside))
            if not fits or not (is_list(kind) or pa.types.is_null(kind)):
                raise _other(name, place, f"a list of {wanted}", rows)
    for place in _NUMBERS.get(name, ()):
        if place < rows.num_columns:
            rows = rows.set_column(place, rows.column_names[place], _numbers(name, place, rows))
    return rows


def _integer(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_null(kind) or pa.types.is_boolean(kind))


def _numbers(name: str, place: int, rows: pa.Table) -> pa.ChunkedArray:
    column = rows.column(place)
    kind = column.type
    if pa.types.is_string(kind):
        values = [None if value is None else parse_float(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(values, DOUBLE)])
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind) or is_list(kind)):
        raise _other(name, place, "a number", rows)
    return column


def _other(name: str, place: int, wanted: str, rows: pa.Table) -> HivemallError:
    return HivemallError(f"{name} takes {wanted} as argument {place + 1}, not {rows.schema.types[place]}.")
