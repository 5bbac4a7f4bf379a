"""Functions of features, text, distances and measures on inputs with nulls, empty items, NaN and other types."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, run
from tests.engines.hivemall.examples import (
    DOUBLE,
    DOUBLES,
    INT,
    INTS,
    LONG,
    LONGS,
    SINGLE,
    TEXT,
    TEXTS,
    doubles,
    ints,
    none,
    same,
    table,
    texts,
    value_of,
)


def of(value: Any, kind: pa.DataType | None = None) -> pa.Array:
    """One row with this value."""
    return pa.array([value], kind)


def f32(value: float) -> float:
    """The value rounded to float32."""
    return float(np.float32(value))


TWO, THREE = of(2, INT), of(3, INT)
INNER = of([-math.inf, 1.0, 2.0, math.inf], DOUBLES)
#: Function, its arguments, and what it gives.
VALUES: list[tuple[str, list[pa.Array], Any]] = [
    # names, values and items
    ("extract_feature", [of(":5")], ":5"),
    ("extract_weight", [of(":5")], 1.0),
    ("extract_weight", [of("a:NaN")], math.nan),
    ("extract_feature", [texts("a:1", None, "b")], ["a", None, "b"]),
    ("feature", [of("a"), of(0.1, SINGLE)], "a:0.1"),
    ("feature", [of(1, LONG), of(Decimal("2.50"))], "1:2.5"),
    ("feature", [of("a"), of(1e10, DOUBLE)], "a:1.0E10"),
    ("feature_index", [texts("7:1", None, "3")], [7, None, 3]),
    ("indexed_features", [of(0.1, SINGLE), of(""), of(None, TEXT), of(True)], ["1:0.1", "4:true"]),
    ("add_feature_index", [doubles(3.0, 1e-5)], ["1:3.0", "2:1.0E-5"]),
    ("polynomial_features", [texts("a:2", "b"), TWO], ["a:2", "a^a:4.0", "b"]),
    (
        "polynomial_features",
        [texts("a:2", "b"), TWO, of(False), of(False)],
        ["a:2", "a^a:4.0", "a^b:2.0", "b", "b^b:1.0"],
    ),
    ("polynomial_features", [texts("a:2", "a:3"), TWO, of(True)], ["a:2", "a^a:6.0", "a:3"]),
    ("powered_features", [texts("a:2", None, "b:1", "c:0"), THREE], ["a:2", "a^2:4.0", "a^3:8.0", "b:1", "c:0"]),
    ("powered_features", [texts("b:1"), TWO, of(False)], ["b:1", "b^2:1.0"]),
    ("to_dense_features", [texts("1:2.5", "2")], [None, 2.5, 1.0]),
    ("to_libsvm_format", [texts("3:2", "1:5", "3:1", None), of(0.5, DOUBLE)], "0.5 1:5.0 3:2.0 3:1.0"),
    ("to_libsvm_format", [texts("10:1", "9:1")], "9:1.0 10:1.0"),
    (
        "quantitative_features",
        [texts("a", "b"), of(Decimal("1.50")), of(0.1, SINGLE)],
        ["a:1.5", "b:0.10000000149011612"],
    ),
    ("categorical_features", [texts("a", "b"), of(0.1, SINGLE), of(Decimal("2.00"))], ["a#0.1", "b#2"]),
    ("vectorize_features", [texts("a", "b", "c"), of("NaN"), of("+1"), of("1e3")], ["a#NaN", "b#+1", "c:1000.0"]),
    ("vectorize_features", [texts("a", "b"), of("1,5"), of("-.5f")], ["a#1,5", "b:-0.5"]),
    # hashing
    ("feature_hashing", [texts("0:1", "0")], ["0:1", "0"]),
    ("feature_hashing", [of("0"), of("-libsvm")], "0"),
    ("feature_hashing", [texts("0"), of("-libsvm")], ["0"]),
    ("feature_hashing", [texts("1:bbb:2", "9:aaa:1"), of("-libsvm -features 10")], ["1:1:2", "9:7:1"]),
    ("prefixed_hash_values", [none(TEXTS), of("p")], None),
    # scaling
    ("rescale", [of("b:5:"), of(0.0), of(10.0)], "b:0.5"),
    ("rescale", [of(5, INT), of(0, INT), of(10, INT)], 0.5),
    ("rescale", [of(Decimal("2.5")), of(Decimal("0.0")), of(Decimal("10.0"))], 0.25),
    ("rescale", [of(math.inf), of(0.0), of(1.0)], 1.0),
    ("rescale", [of(None, DOUBLE), of(None, DOUBLE), of(1.0)], None),
    ("zscore", [of(None, DOUBLE), of(1.0), of(2.0)], None),
    ("l1_normalize", [texts("a:", "b")], ["a:0.5", "b:0.5"]),
    ("l1_normalize", [texts(":3", "b")], [":0.75", "b:0.25"]),
    ("l1_normalize", [texts("1:2:3", "b:-1")], ["1:2:0.75", "b:-0.25"]),
    ("l2_normalize", [texts("a:3", "b:4", "a:0")], ["a:0.6", "b:0.8", "a:0.0"]),
    # bins
    ("feature_binning", [of(-5.0), of([0.0, 1.0, 2.0], DOUBLES)], -1),
    ("feature_binning", [of(0.0), of([0.0, 1.0, 2.0], DOUBLES)], 0),
    ("feature_binning", [of(math.inf), INNER], 2),
    ("feature_binning", [of(1, INT), INNER], 0),
    ("build_bins", [pa.array([1.0, 2.0, 3.0, 4.0]), pa.array([2] * 4, INT)], [-math.inf, 2.0, math.inf]),
    # distances
    (
        "euclid_distance",
        [texts("a:0.1"), texts("a:0.3")],
        f32(math.sqrt(float((np.float32(0.1) - np.float32(0.3)) ** 2))),
    ),
    ("manhattan_distance", [texts("a:0.1", None), texts("b")], f32(float(np.float32(0.1)) + 1.0)),
    ("minkowski_distance", [texts("a:2"), texts("b:3"), of(2.0)], f32(math.sqrt(7.0))),
    ("jaccard_distance", [none(TEXTS), none(TEXTS)], 0.0),
    ("jaccard_similarity", [none(TEXTS), none(TEXTS)], 1.0),
    ("jaccard_similarity", [of("3"), of("5")], 0.96875),
    ("jaccard_similarity", [texts("a"), of([], TEXTS)], 0.0),
    ("hamming_distance", [of("-1"), of("0")], 0),
    ("hamming_distance", [of([], LONGS), of([7], LONGS)], 3),
    ("popcnt", [of("-1")], 0),
    ("popcnt", [of(-1, LONG)], 64),
    ("popcnt", [of([7, 8], LONGS), of([7], LONGS)], 3),
    ("distance2similarity", [of(math.inf)], 0.0),
    ("kld", [of(0.0, SINGLE), of(4.0, SINGLE), of(0.0, SINGLE), of(1.0, SINGLE)], f32(-1.0681471805599454)),
    ("kld", [of(1, INT), of(2, INT), of(3, INT), of(5, INT)], 1.6081453659370775),
    # text
    ("tokenize", [of("Hello, world! it's a \\ b`c")], ["Hello", "world", "it", "s", "a", "b`c"]),
    ("tokenize", [of("GROẞ"), of(True)], ["groß"]),
    ("tokenize", [none(TEXT)], None),
    ("split_words", [of(" a  b\u3000c\u00a0d ")], ["", "a", "b", "c\u00a0d", ""]),
    ("split_words", [of("a,b,,"), of(",")], ["a", "b", "", ""]),
    ("split_words", [of("abc"), of("")], ["a", "b", "c", ""]),
    ("split_words", [of("a1b2c"), of("([0-9])")], ["a", "b", "c"]),
    ("split_words", [of("")], [""]),
    ("normalize_unicode", [of("ﾊﾝｶｸ"), of("NFKC")], "ハンカク"),
    ("normalize_unicode", [of("㈱"), of("other")], "㈱"),
    ("normalize_unicode", [of("e\u0301"), of(None, TEXT)], "é"),
    ("word_ngrams", [of([None], TEXTS), TWO, TWO], []),
    ("deflate", [of("aaaaaaaa")], bytes(4) + b"aaaaaaaa"),
    ("deflate", [none(TEXT)], None),
    ("inflate", [of(bytes(4) + "ä".encode())], "ä"),
    ("tfidf", [of(Decimal("0.5")), of(1, INT), of(10, INT)], 1.0),
    # measures
    ("f1score", [of([1, 2], INTS), of([3], INTS)], -1.0),
    ("f1score", [of([1, 2], INTS), of([1, 1], INTS)], 1.0),
    ("ndcg", [of([1], INTS), of([1, 2, 3], INTS)], 1.0),
    ("ndcg", [pa.array([[1], [2]], INTS), pa.array([[1], None], INTS)], 1.0),
    ("recall_at", [of([1], INTS), of(None, INTS)], 0.0),
    ("mrr", [of([1, 2, 2], INTS), of([2], INTS)], 0.5),
    ("average_precision", [of([1, 1, 2], INTS), of([1, 2], INTS)], 1.0),
    # merging
    ("l2_norm", [none(DOUBLE)], None),
    ("convert_label", [of(-1.0, SINGLE)], 0),
    ("tf", [none(TEXT)], None),
    ("is_nan", [of(math.nan)], True),
    ("is_finite", [of(math.inf)], False),
    ("is_infinite", [none(DOUBLE)], None),
    # predictions
    ("sigmoid", [of(-30.0)], 1.0261879506283526e-10),
    ("sigmoid", [of(math.nan)], math.nan),
    ("zscore", [of(-3.7), of(1e-3), of(1.7)], -2.1770589351654053),
    ("zscore", [of(-3.7, SINGLE), of(1e-3, SINGLE), of(1.7, SINGLE)], -2.177058696746826),
    ("mf_predict", [doubles(1.0, 2.0), doubles(3.0, None), of(0.5), of(0.25), of(3.0)], 6.75),
    ("mf_predict", [doubles(1.0), none(DOUBLES), of(0.5), of(0.25), of(3.0)], 3.0),
    ("mf_predict", [doubles(1.0), doubles(), of(0.5), of(0.25), of(3.0)], 3.5),
    ("bprmf_predict", [none(DOUBLES), doubles(1.0), of(0.25)], 0.25),
    ("bprmf_predict", [doubles(1.0), doubles(), of(0.25)], 0.0),
    ("fm_predict", [of(0.5), doubles(), none(DOUBLE)], 0.5),
]
#: Function, its arguments, and words of the refusal.
REFUSED: list[tuple[str, list[pa.Array], str]] = [
    ("add_bias", [none(TEXTS)], "NullPointerException"),
    ("feature", [of(1.5), of(1.0)], "expects integer type or string for `feature`"),
    ("feature", [of("a"), of("1")], "expects a number type for `value`"),
    ("extract_weight", [of("a:x")], 'For input string: "x"'),
    ("to_dense_features", [texts("-1:1"), TWO], "IndexOutOfBounds"),
    ("to_libsvm_format", [texts("1:1"), none(INT)], "Detected NULL for the 2nd argument"),
    ("to_libsvm_format", [texts("99999999999:1")], "Invalid feature value: 99999999999:1"),
    ("quantitative_features", [texts("a:b"), of(1.0)], "featureName should not include colon: a:b"),
    ("quantitative_features", [texts("a", None), of(1.0), of(2.0)], "featureName should not be null"),
    ("categorical_features", [texts("a", "b"), of("x")], "#featureNames '2' != #features '1'"),
    ("ffm_features", [texts("a"), of("x:y")], "feature index SHOULD NOT include colon: x:y"),
    ("ffm_features", [texts("a"), of("x"), of("-feature_hashing 17")], "-feature_hashing MUST be in range [18,31]: 17"),
    ("ffm_features", [texts("a"), of("x"), of("-num_fields 1")], "-num_fields MUST be greater than 1: 1"),
    ("feature_hashing", [texts("0:x")], 'For input string: "x"'),
    ("rescale", [of("a"), of(0.0), of(1.0)], "Invalid feature value representation: a"),
    ("rescale", [of(1.0), of(0.0), of(None, DOUBLE)], "max should not be null"),
    ("rescale", [of(1.0), of(2.0), of(1.0)], "min value `2.0` SHOULD be less than max value `1.0`"),
    ("l2_normalize", [texts(":")], "Invalid feature value representation"),
    ("feature_binning", [of(1.0), of([0.0, 1.0], DOUBLES)], "greater than or equal to three but 2"),
    ("feature_binning", [of(1.0), none(DOUBLES)], "quantiles) MUST be non-null"),
    ("bbit_minhash", [ints(1), of(513, INT)], "must be in range (0,512]: 513"),
    ("minhashes", [none(INTS)], "NullPointerException"),
    ("hamming_distance", [of("x"), of("1")], 'For input string: "x"'),
    ("word_ngrams", [texts("a", None), of(1, INT), TWO], "must not contain NULL element"),
    ("word_ngrams", [texts("a"), of(0, INT), TWO], "`minSize` must be greater than zero: 0"),
    ("word_ngrams", [texts("a"), TWO, of(1, INT)], "`maxSize` must be greater than or equal to `minSize`: 1"),
    ("deflate", [of("a"), of(10, INT)], "Invalid compression level: 10"),
    ("split_words", [of("a"), of("(")], "is not valid"),
    ("auc", [pa.array([], DOUBLE), pa.array([], INT)], "there is only one class"),
    ("mrr", [ints(1), ints(1), of(-1, INT)], "greater than or equals to 0: -1"),
    ("fmeasure", [of(1, INT), of(1, INT), of("-average other")], "one of the {binary, micro, macro}: other"),
    ("snr", [doubles(1.0), ints(1, 1)], "Multiple hot elements"),
    ("snr", [doubles(1.0), ints(0, 0)], "Hot element not found"),
    ("convert_label", [of(2, INT)], "Unexpected label: 2"),
    ("fm_predict", [of(0.5), doubles(1.0), none(DOUBLE)], "The third argument Xj must not be null"),
    ("fm_predict", [of(0.5), doubles(1.0, None), of(1.0)], "Vj1 should not be null"),
    (
        "ffm_predict",
        [none(DOUBLE), doubles(1.0), doubles(1.0, 2.0), of(1.0), of(1.0)],
        "Mismatch in the number of factors",
    ),
    ("chi2", [of([[1.0], [2.0]], pa.list_(DOUBLES)), of([[1.0], [0.0]], pa.list_(DOUBLES))], "0.0 is smaller than, or"),
    (
        "chi2",
        [of([[-1.0], [2.0]], pa.list_(DOUBLES)), of([[1.0], [1.0]], pa.list_(DOUBLES))],
        "-1.0 is smaller than the",
    ),
    ("chi2", [of([[1.0]], pa.list_(DOUBLES)), of([[1.0]], pa.list_(DOUBLES))], "1 != 2"),
    ("chi2", [of([[1.0]], pa.list_(DOUBLES)), of([[1.0], [2.0]], pa.list_(DOUBLES))], "1 and 2"),
]


@pytest.mark.parametrize(("name", "columns", "wanted"), VALUES, ids=[f"{i:03d}-{v[0]}" for i, v in enumerate(VALUES)])
def test_gives(name: str, columns: list[pa.Array], wanted: Any) -> None:
    assert same(wanted, value_of(name, *columns)), value_of(name, *columns)


@pytest.mark.parametrize(("name", "columns", "words"), REFUSED, ids=[f"{i:02d}-{v[0]}" for i, v in enumerate(REFUSED)])
def test_refuses(name: str, columns: list[pa.Array], words: str) -> None:
    with pytest.raises(HivemallError) as raised:
        run(name, table(*columns))
    assert words in str(raised.value)


def test_deflated_text_is_that_of_the_documentation() -> None:
    packed = run("deflate", table(of("aaaaaaaaaaaaaaaabbbbccc")))
    assert value_of("base91", packed.column(0).combine_chunks()) == "AA+=kaIM|WTt!+wbGAA"
    assert run("unbase91", table(of("AA+=kaIM|WTt!+wbGAA"))).equals(packed)
    assert value_of("base91", of(bytes(4) + b"aaaaaaaa")) == "AAAAG!`uwPWi?DD"
    assert value_of("inflate", packed.column(0).combine_chunks()) == "aaaaaaaaaaaaaaaabbbbccc"


def test_chi2_is_null_where_a_matrix_is() -> None:
    found = run("chi2", table(none(pa.list_(DOUBLES)), of([[1.0]], pa.list_(DOUBLES))))
    assert found.to_pydict() == {"chi2": [None], "pvalue": [None]}


def test_signal_to_noise_leaves_out_single_rows_and_equal_values() -> None:
    rows = table(
        pa.array([[1.0, 5.0], [3.0, 5.0], [10.0, 5.0]], DOUBLES), pa.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], INTS)
    )
    assert run("snr", rows).to_pydict() == {"value": [[8.0, 0.0]]}
    apart = table(pa.array([[1.0], [3.0]], DOUBLES), pa.array([[1, 0], [0, 1]], INTS))
    assert run("snr", apart).to_pydict() == {"value": [[0.0]]}


def test_pairs_of_a_kernel_expansion_are_numbered_by_both_features() -> None:
    found = run("feature_pairs", table(texts("a:0.5", "b:2")), "-kpa").to_pydict()
    assert found["h"] == [0, 10526374, None, 11510904]
    assert found["hk"] == [None, None, 3207238, None]
    assert run("feature_pairs", table(pa.array([[], None], TEXTS)), "-ffm").num_rows == 0


def test_each_group_may_have_its_own_k() -> None:
    rows = table(
        pa.array([1, 1, -2, -2, 0], INT),
        pa.array(["a", "a", "b", "b", None]),
        pa.array([1, 5, 7, 3, 9], INT),
        pa.array(["p", "q", "r", "s", "t"]),
    )
    found = run("each_top_k", rows).to_pydict()
    assert (found["rank"], found["key"], found["c3"]) == ([1, 1, 2], [5.0, 3.0, 7.0], ["q", "s", "r"])


def test_quantify_numbers_what_is_no_number_by_its_text() -> None:
    rows = table(pa.array([True] * 3), pa.array([True, False, True]), pa.array([1.5, None, 2.5]))
    assert run("quantify", rows).to_pydict() == {"c1": [0, 1, 0], "c2": [1.5, None, 2.5]}


def test_a_series_ends_with_its_end() -> None:
    rows = table(pa.array([1, 10], INT), pa.array([10, 2], INT), pa.array([3, -3], INT))
    assert run("generate_series", rows).to_pydict() == {"value": [1, 4, 7, 10, 10, 7, 4]}
    with pytest.raises(HivemallError, match="Step MUST NOT be zero"):
        run("generate_series", table(of(1, INT), of(2, INT), of(0, INT)))


def test_constants_and_a_moving_mean() -> None:
    assert math.isnan(value_of("nan"))
    assert value_of("infinity") == math.inf
    with pytest.raises(HivemallError, match="a value of moving_avg is null"):
        run("moving_avg", table(none(DOUBLE), TWO))


def test_chi2_scales_what_is_expected_to_the_sum_of_what_is_observed() -> None:
    kind = pa.list_(DOUBLES)
    found = [
        run("chi2", table(of([[1.0], [3.0]], kind), of([[scale], [scale]], kind))).to_pylist()[0]
        for scale in (2.0, 8.0)
    ]
    assert found[0] == found[1] == {"chi2": [1.0], "pvalue": [pytest.approx(0.3173105, abs=1e-7)]}


def test_factors_of_other_numbers_do_not_add_up() -> None:
    rows = table(pa.array([0.5, 0.5]), pa.array([[1.0], [1.0, 2.0]], DOUBLES), pa.array([1.0, 1.0]))
    with pytest.raises(HivemallError, match="Mismatch in the number of factors"):
        run("fm_predict", rows)
