"""How lists are put together."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdml_assets.engines.recommender import fit_scorer
from tdml_assets.recommendation.baskets import Baskets, to_baskets, whole_customers
from tdml_assets.recommendation.ranking import (
    Blend,
    Discoveries,
    Lists,
    compose,
    discover,
    popular_lists,
    repeat_scores,
    top_columns,
)

PRODUCTS = 12


def baskets_of(rows: list[dict[int, int]], products: int = PRODUCTS) -> Baskets:
    """Baskets from purchases per code; an age of a day for each."""
    starts = np.cumsum([0, *(len(row) for row in rows)])
    codes = [code for row in rows for code in sorted(row)]
    purchases = [float(row[code]) for row in rows for code in sorted(row)]
    return Baskets(
        starts.astype(np.int64), np.array(codes, np.int32), np.array(purchases), np.arange(len(codes)) * 1.0, products
    )


def popularity() -> np.ndarray:
    return np.linspace(1.0, 0.1, PRODUCTS)


def lists_of(baskets: Baskets, blend: Blend | None = None, count: int = 3, more: int = 3) -> Lists:
    scorer = fit_scorer("ease", fitting().weights(0, PRODUCTS, relative=False), {"penalty": 1.0, "neighbours": 5}, 0)
    found = discover(baskets, scorer, 30.0, popularity(), count + more)
    repeats = repeat_scores(baskets, blend or Blend(), popularity(), found.of_bought)
    return compose(baskets, repeats, found, count=count, discover_count=more)


def fitting() -> Baskets:
    rng = np.random.default_rng(3)
    return baskets_of([{int(code): 1 for code in rng.choice(PRODUCTS, 4, replace=False)} for _ in range(40)])


purchases = st.lists(
    st.dictionaries(st.integers(0, PRODUCTS - 1), st.integers(1, 4), max_size=PRODUCTS), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=60)
@given(purchases)
def test_every_list_is_full_without_duplicates_and_led_by_repeats(rows: list[dict[int, int]]) -> None:
    lists = lists_of(baskets_of(rows))
    for row, codes, is_new in zip(rows, lists.codes, lists.is_new, strict=True):
        assert len(set(codes.tolist())) == 6
        assert -1 not in codes
        assert [code not in row for code in codes.tolist()] == is_new.tolist()
        led = min(3, len(row))
        assert not is_new[:led].any()
        assert is_new[led : led + PRODUCTS - len(row)].all()


@settings(deadline=None, max_examples=30)
@given(purchases, st.randoms())
def test_permuting_customers_permutes_their_lists(rows: list[dict[int, int]], random: object) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    held = baskets_of(rows)
    found, moved = lists_of(held), lists_of(held.taken(np.array(order)))
    assert np.array_equal(found.codes[order], moved.codes)
    assert np.allclose(found.scores[order], moved.scores)


def test_a_customer_without_history_gets_the_popular_products_in_order() -> None:
    lists = lists_of(baskets_of([{}, {4: 2}]))
    assert lists.codes[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert lists.is_new[0].all()


def test_personal_frequency_comes_first_and_ties_go_to_the_popular() -> None:
    held = baskets_of([{9: 1, 5: 1, 7: 3, 2: 1}])
    assert lists_of(held).codes[0, :3].tolist() == [7, 2, 5]


def test_an_old_habit_fades_with_a_half_life() -> None:
    # Ages are 0, 1, ...: code 2 was bought last, code 9 three times nine half-lives earlier.
    held = Baskets(np.array([0, 2]), np.array([2, 9], np.int32), np.array([1.0, 3.0]), np.array([0.0, 90.0]), PRODUCTS)
    assert lists_of(held).codes[0, 0] == 9
    assert lists_of(held, Blend(half_life_days=10.0)).codes[0, 0] == 2


def test_whoever_bought_nearly_everything_gets_more_of_it() -> None:
    lists = lists_of(baskets_of([dict.fromkeys(range(PRODUCTS - 1), 1)]))
    assert lists.codes[0].tolist() == [0, 1, 2, 11, 3, 4]
    assert lists.is_new[0].tolist() == [False, False, False, True, False, False]


def test_a_catalogue_shorter_than_the_list_leaves_ranks_empty() -> None:
    held = baskets_of([{1: 1}, {}], products=3)
    found = discover(held, None, 0.0, np.array([1.0, 0.5, 0.2]), 5)
    lists = compose(held, held.purchases, found, count=4, discover_count=1)
    assert lists.codes.tolist() == [[1, 0, 2, -1, -1], [0, 1, 2, -1, -1]]
    assert np.isnan(lists.scores[0, 3])


def test_popular_lists_show_what_was_bought_too_and_then_what_was_not() -> None:
    lists = popular_lists(baskets_of([{0: 1, 4: 1}, {}]), popularity(), count=3, discover_count=2)
    assert lists.codes.tolist() == [[0, 1, 2, 3, 5], [0, 1, 2, 3, 4]]
    assert lists.is_new.tolist() == [[False, True, True, True, True], [True] * 5]


@pytest.mark.parametrize("width", [1, 4, 30, 40])
def test_the_best_columns_are_those_of_a_stable_sort_even_with_ties(width: int) -> None:
    scores = np.random.default_rng(0).integers(0, 4, (50, 30)).astype(np.float32)
    scores[3] = -np.inf
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    assert np.array_equal(top_columns(scores, width), expected)


def test_scoring_in_small_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lists_of(fitting())
    monkeypatch.setattr("tdml_assets.recommendation.ranking._BATCH_BYTES", 24 * PRODUCTS * 7)
    parts = lists_of(fitting())
    assert np.array_equal(whole.codes, parts.codes)
    assert np.array_equal(whole.scores, parts.scores)


def rows_table() -> pa.Table:
    return pa.table(
        {
            "customer_id": ["a", "a", "b", "c", "c", "c"],
            "product_id": ["x", "y", None, "z", "unknown", "x"],
            "purchases": [1, 2, None, 3, 1, 1],
            "age_days": [5, 9, None, 1, 2, 4],
        }
    )


def test_rows_become_baskets_and_unknown_products_are_left_out() -> None:
    customers, held = to_baskets(rows_table(), pa.array(["x", "y", "z"]))
    assert customers.to_pylist() == ["a", "b", "c"]
    assert held.starts.tolist() == [0, 2, 2, 4]
    assert held.codes.tolist() == [0, 1, 0, 2]
    assert held.purchases.tolist() == [1, 2, 1, 3]
    assert held.relative_ages().tolist() == [0, 4, 3, 0]
    assert held.holds(np.array([0, 1, 2, 2]), np.array([1, 1, 2, -1], np.int32)).tolist() == [True, False, True, False]


@pytest.mark.parametrize("rows", [1, 2, 4, 100])
@pytest.mark.parametrize("customers", [1, 2, 5])
def test_a_stream_is_cut_at_customers_only(rows: int, customers: int) -> None:
    table = rows_table()
    parts = list(whole_customers(table.to_batches(max_chunksize=rows), customers))
    assert pa.concat_tables(parts).to_pylist() == table.to_pylist()
    held = [set(part["customer_id"].to_pylist()) for part in parts]
    assert all(len(part) <= customers for part in held)
    assert sum(len(part) for part in held) == 3


def test_baskets_can_be_aligned_with_other_customers() -> None:
    held = baskets_of([{1: 1}, {2: 1, 3: 1}]).aligned(pa.array([None, 1, None, 0]))
    assert held.starts.tolist() == [0, 0, 2, 2, 3]
    assert held.codes.tolist() == [2, 3, 1]


def test_discoveries_never_hold_what_was_bought() -> None:
    found: Discoveries = discover(baskets_of([{0: 1, 1: 1}]), None, 0.0, popularity(), PRODUCTS)
    assert found.codes[0].tolist() == [*range(2, PRODUCTS), -1, -1]
