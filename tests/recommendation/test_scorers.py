"""Scorers of items: published forms, equal fits, safe files."""

import numpy as np
import pytest
from scipy import sparse

from tdml_assets.engines.recommender import ItemFactors, fit_scorer, load_scorer

PARAMETERS = {
    "item_knn": {"neighbours": 6},
    "ease": {"neighbours": 30, "penalty": 20.0},
    "als": {"factors": 5, "iterations": 8, "regularization": 0.1, "alpha": 2.0},
}


def baskets() -> sparse.csr_matrix:
    found = sparse.random(80, 30, 0.15, random_state=1, format="csr")
    found.data = np.round(0.05 + 0.95 * found.data, 3)
    return found


def test_ease_is_the_inverse_of_the_published_form() -> None:
    held = baskets().toarray()
    inverse = np.linalg.inv(held.T @ held + 20.0 * np.eye(30))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    scorer = fit_scorer("ease", baskets(), PARAMETERS["ease"], 0)
    assert np.allclose(scorer.score(baskets()), held @ expected, atol=1e-5)


def test_neighbours_are_those_with_the_highest_cosine() -> None:
    held = baskets().toarray()
    length = np.sqrt((held**2).sum(axis=0))
    cosine = held.T @ held / np.where(length, length, 1)[:, None] / np.where(length, length, 1)
    np.fill_diagonal(cosine, 0.0)
    expected = np.where(cosine >= -np.sort(-cosine, axis=0)[5], cosine, 0.0)
    assert np.allclose(
        fit_scorer("item_knn", baskets(), PARAMETERS["item_knn"], 0).score(baskets()), held @ expected, atol=1e-5
    )


def test_factors_of_a_customer_solve_the_weighted_least_squares() -> None:
    scorer = fit_scorer("als", baskets(), PARAMETERS["als"], 7)
    assert isinstance(scorer, ItemFactors)
    items, basket = scorer.factors.astype(float), baskets().toarray()[4]
    confidence = np.diag(1 + 2.0 * basket)
    user = np.linalg.solve(items.T @ confidence @ items + 0.1 * np.eye(5), items.T @ confidence @ (basket > 0))
    assert np.allclose(scorer.score(baskets()[4]), items @ user, atol=1e-5)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_equal_fits_are_equal_bytes_and_come_back_from_them(name: str) -> None:
    one, other = (fit_scorer(name, baskets(), PARAMETERS[name], 7) for _ in range(2))
    assert one.files() == other.files()
    back = load_scorer(name, 30, PARAMETERS[name], one.files())
    assert np.array_equal(back.score(baskets()), one.score(baskets()))


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_an_empty_basket_scores_nothing(name: str) -> None:
    scorer = fit_scorer(name, baskets(), PARAMETERS[name], 7)
    assert not scorer.score(sparse.csr_matrix((2, 30))).any()


def test_nothing_bought_and_unknown_learners_are_refused() -> None:
    with pytest.raises(ValueError, match="max_items"):
        fit_scorer("ease", sparse.csr_matrix((5, 30)), PARAMETERS["ease"], 0)
    with pytest.raises(ValueError, match="use item_knn, ease or als"):
        fit_scorer("svd", baskets(), {}, 0)
