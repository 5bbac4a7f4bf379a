"""Reasons are facts of the customer, in words, strongest first, and never three times the same."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from tdml_assets.stages.audience.exports import _FORMULA
from tdml_assets.stages.features.columns import KEYS
from tdml_assets.stages.features.dbt_manifest import dbt_project_directory
from tdml_assets.stages.features.words import FEATURE_WORDS, Words, words_of
from tdml_assets.stages.predictions.reasons import top_reasons

RAW = {
    "total_orders": [3, 1, 12],
    "total_orders_90d": [3, 0, 1],
    "days_since_last_order": [12, 210, 1],
    "total_spend": [120.6, 9.99, -3.0],
    "most_ordered_category": ["Tea", None, "Hats"],
    "days_since_last_email_event": [None, 4, 0],
    "return_rate": [0.0, 0.254, 1.2],
}
NAMES = (
    *(name for name in RAW if name != "most_ordered_category"),
    "most_ordered_category__tea",
    "most_ordered_category__other",
)


def explain(pushes, raw=RAW, names=NAMES, **more):
    """Reasons per row; ``pushes`` holds one mapping of prepared feature to attribution per row."""
    attributions = np.zeros((len(pushes), len(names)))
    for row, found in enumerate(pushes):
        for name, value in found.items():
            attributions[row, names.index(name)] = value
    table = pa.table({name: values[: len(pushes)] for name, values in raw.items()})
    found = top_reasons(attributions, table, names, **more)
    return [[text for text in row.values() if text is not None] for row in found.to_pylist()]


def columns_of_the_feature_table():
    path = dbt_project_directory() / "models" / "features" / "customer_features.yml"
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return {column["name"]: column["data_type"] for column in model["columns"] if column["name"] not in KEYS}


def test_every_column_of_the_feature_table_has_words_and_no_words_are_left_over():
    assert sorted(FEATURE_WORDS) == sorted(columns_of_the_feature_table())


def test_text_columns_and_only_they_are_said_as_text():
    kinds = columns_of_the_feature_table()
    assert {name for name, words in FEATURE_WORDS.items() if words.unit == "text"} == {
        name for name, kind in kinds.items() if kind == "varchar"
    }


@pytest.mark.parametrize("name", sorted(FEATURE_WORDS))
def test_every_phrase_is_complete_and_speaks_no_column_names(name):
    words = FEATURE_WORDS[name]
    for shown in (None, "0", "1", "17"):
        said = words.phrase(shown, typical="5")
        assert "_" not in said
        assert "{" not in said
        assert "None" not in said
        assert len(said) < 80
    assert words.many.count("{}") == 1
    assert "17" in words.phrase("17")


def test_columns_that_can_be_missing_say_so_in_words_of_their_own():
    path = dbt_project_directory() / "models" / "features" / "customer_features.yml"
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    nullable = [column["name"] for column in model["columns"] if "NULL" in column["description"]]
    assert len(nullable) >= 10
    assert {name: FEATURE_WORDS[name].missing for name in nullable if FEATURE_WORDS[name].missing is None} == {}


def test_the_strongest_comes_first_with_its_direction_and_real_numbers():
    assert explain(
        [
            {"total_orders_90d": 0.5, "days_since_last_order": -0.2, "total_spend": 0.3},
            {"days_since_last_order": -0.9, "total_spend": -0.1, "total_orders_90d": -0.2},
        ]
    ) == [
        [
            "raises: ordered 3 times in the last 90 days",
            "raises: spent 121 in all, after returns",
            "lowers: last order 12 days ago",
        ],
        [
            "lowers: last order 210 days ago",
            "lowers: no order in the last 90 days",
            "lowers: spent 9.99 in all, after returns",
        ],
    ]


def test_features_that_say_the_same_share_one_reason_told_by_the_strongest_in_its_direction():
    # Neither of the two alone is stronger than recency; together they are.
    found = explain([{"total_orders": 0.3, "total_orders_90d": 0.35, "days_since_last_order": 0.5}])
    assert found == [["raises: ordered 3 times in the last 90 days", "raises: last order 12 days ago"]]
    # One feature pushes most, but against the sum: it does not speak.
    raw = {"total_orders": [7], "total_orders_30d": [1], "total_orders_90d": [2]}
    found = explain([{"total_orders": 0.5, "total_orders_30d": -0.4, "total_orders_90d": -0.3}], raw, tuple(raw))
    assert found == [["lowers: ordered once in the last 30 days"]]


def test_the_levels_of_a_text_column_are_one_reason_and_say_the_customers_own_level():
    levels = {"most_ordered_category__tea": 0.2, "most_ordered_category__other": 0.3, "total_spend": 0.4}
    assert [row[0] for row in explain([levels, levels, levels])] == [
        "raises: most ordered category is Tea",
        "raises: no product category known",
        "raises: most ordered category is Hats",
    ]


def test_an_outlier_flag_counts_towards_its_column():
    raw = {"total_spend": [900.0], "total_orders": [4]}
    names = ("total_spend", "total_orders", "total_spend__outlier")
    pushes = [{"total_spend": 0.2, "total_spend__outlier": 0.2, "total_orders": 0.3}]
    assert explain(pushes, raw, names)[0] == [
        "raises: spent 900 in all, after returns",
        "raises: ordered 4 times in all",
    ]


def test_a_missing_value_is_said_as_what_it_means():
    found = explain([{"days_since_last_email_event": 1.0}] * 3, references={"days_since_last_email_event": 4.0})
    assert found == [
        ["raises: no e-mail ever"],
        ["raises: last e-mail event 4 days ago"],
        ["raises: last e-mail event on the latest day (typical: 4)"],
    ]
    not_a_number = {"days_since_last_email_event": np.array([np.nan])}
    assert explain([{"days_since_last_email_event": 1.0}], not_a_number, tuple(not_a_number)) == [
        ["raises: no e-mail ever"]
    ]


def test_the_typical_customer_is_named_beside_the_value_where_known_and_different():
    references = {"total_orders": 2.4, "total_spend": 120.6, "return_rate": 0.25, "days_since_last_order": float("nan")}
    pushes = {"total_orders": -0.4, "total_spend": -0.3, "return_rate": 0.2, "days_since_last_order": 0.1}
    assert explain([pushes, pushes], references=references, count=4) == [
        [
            "lowers: ordered 3 times in all (typical: 2.4)",
            "lowers: spent 121 in all, after returns",
            "raises: 0 % of spend returned (typical: 25 %)",
            "raises: last order 12 days ago",
        ],
        [
            "lowers: ordered once in all (typical: 2.4)",
            "lowers: spent 9.99 in all, after returns (typical: 121)",
            "raises: 25 % of spend returned",
            "raises: last order 210 days ago",
        ],
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567.8, "1234568"),
        (9.994, "9.99"),
        (9.996, "10"),
        (5.5, "5.5"),
        (0.004, None),
        (-0.001, None),
        (-20.4, "-20"),
    ],
)
def test_numbers_have_a_point_no_separators_and_no_minus_zero(value, shown):
    raw = {"total_spend": [value]}
    expected = "spent nothing in all, after returns" if shown is None else f"spent {shown} in all, after returns"
    assert explain([{"total_spend": 1.0}], raw, ("total_spend",)) == [[f"raises: {expected}"]]


def test_every_kind_of_raw_column_can_be_said():
    raw = pa.table(
        {
            "loyalty_points_30d": pa.array([12], pa.int32()),
            "is_member": pa.array([True]),
            "city": pa.array(["Sapporo"]).dictionary_encode(),
            "credit": pa.array([Decimal("1.5")], pa.decimal128(18, 4)),
            "note": pa.array(["  a\tlong\nstory " * 9]),
            "blank": pa.array([""]),
            "nothing": pa.array([None], pa.string()),
        }
    )
    found = top_reasons(np.arange(7.0, 0.0, -1.0)[None, :], raw, raw.column_names, count=7).to_pylist()[0]
    assert list(found.values()) == [
        "raises: loyalty points in the last 30 days: 12",
        "raises: is member: yes",
        "raises: city: Sapporo",
        "raises: credit: 1.5",
        "raises: note: a long story a long story a long stor...",
        "raises: blank: blank",
        "raises: nothing: not known",
    ]


def test_a_name_with_a_double_underscore_of_its_own_is_found_and_an_unknown_one_is_refused():
    raw = {"my__column": ["a", "b"], "my": ["x", "y"]}
    names = ("my__column__a", "my__x")
    assert explain([{"my__column__a": 0.5, "my__x": -0.1}], raw, names) == [["raises: my column: a", "lowers: my: x"]]
    with pytest.raises(ValueError, match=r"feature 'total__x' comes from no column .* my__column, my: add its own"):
        explain([{}], raw, ("total__x",))


def test_words_of_ones_own_come_before_the_usual_ones():
    own = {"total_orders": Words("visits", "{} visits"), "total_spend": Words("visits", "paid {}")}
    assert explain([{"total_orders": 0.1, "total_spend": 0.2}], words=own) == [["raises: paid 121"]]
    assert words_of("total_orders").many == FEATURE_WORDS["total_orders"].many


def test_what_moves_nothing_is_not_a_reason_and_equal_reasons_keep_the_order_of_the_features():
    assert explain([{}, {"total_spend": 0.1}]) == [[], ["raises: spent 9.99 in all, after returns"]]
    assert explain([{"return_rate": 0.1, "total_spend": -0.1, "total_orders": 0.1}])[0] == [
        "raises: ordered 3 times in all",
        "lowers: spent 121 in all, after returns",
        "raises: 0 % of spend returned",
    ]
    assert explain([]) == []


def test_the_directions_can_be_named_for_the_task():
    found = explain([{"total_spend": 0.1, "return_rate": -0.1}], directions=("raises the risk", "lowers the risk"))
    assert [text.split(":")[0] for text in found[0]] == ["raises the risk", "lowers the risk"]


def test_a_reason_is_never_taken_for_a_formula_by_a_spreadsheet():
    raw = {"city": ["=cmd|' /C calc'!A0"]}
    found = top_reasons(np.ones((1, 1)), pa.table(raw), ("city",))
    assert not pc.match_substring_regex(found["reason_1"], _FORMULA)[0].as_py()


def test_shapes_counts_and_numbers_that_are_wrong_are_refused():
    table = pa.table({"total_spend": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"shape \(1, 1\), the values 2 rows and the names 1 features"):
        top_reasons(np.ones((1, 1)), table, ("total_spend",))
    with pytest.raises(ValueError, match="count is 0"):
        top_reasons(np.ones((2, 1)), table, ("total_spend",), count=0)
    with pytest.raises(ValueError, match="NaN or infinities"):
        top_reasons(np.array([[1.0], [np.nan]]), table, ("total_spend",))


def test_reasons_of_a_row_do_not_depend_on_the_other_rows():
    rng = np.random.default_rng(5)
    rows, names = 400, [*FEATURE_WORDS]
    columns = {
        name: rng.choice(["Tea", "Hats", None], rows) if words.unit == "text" else rng.poisson(3, rows).astype(float)
        for name, words in FEATURE_WORDS.items()
    }
    table, attributions = pa.table(columns), rng.normal(size=(rows, len(names)))
    whole = top_reasons(attributions, table, names)
    shuffled = rng.permutation(rows)
    again = top_reasons(attributions[shuffled], table.take(pa.array(shuffled)), names)
    assert again.equals(whole.take(pa.array(shuffled)).combine_chunks())
    single = [top_reasons(attributions[i : i + 1], table.slice(i, 1), names).to_pylist()[0] for i in range(25)]
    assert single == whole.slice(0, 25).to_pylist()


def test_chosen_themes_are_the_largest_sums_of_their_features():
    rng = np.random.default_rng(6)
    names = [*FEATURE_WORDS]
    columns = {n: ["Tea"] * 200 if w.unit == "text" else rng.poisson(3, 200) for n, w in FEATURE_WORDS.items()}
    attributions = rng.normal(size=(200, len(names)))
    found = top_reasons(attributions, pa.table(columns), names, count=3).to_pylist()
    themes = [FEATURE_WORDS[name].theme for name in names]
    for row, said in enumerate(found):
        sums = {theme: attributions[row, [t == theme for t in themes]].sum() for theme in dict.fromkeys(themes)}
        strongest = sorted(sums, key=lambda theme: -abs(sums[theme]))[:3]
        assert [text.startswith("raises") for text in said.values()] == [sums[theme] > 0 for theme in strongest]
        assert all(abs(sums[a]) >= abs(sums[b]) for a, b in pairwise(strongest))
