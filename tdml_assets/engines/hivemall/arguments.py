"""Which arguments must be integers or numbers, by function, and the refusal of others.

Belongs here: types of arguments that the functions themselves do not look at. Does not: values, which the functions check.
"""

from __future__ import annotations

import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import parse_float
from tdml_assets.engines.hivemall.registry import DOUBLE, is_list, null_pointer

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
