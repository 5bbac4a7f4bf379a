"""The choice of ``estimator: auto``: the one-standard-error rule, stable from session to session, on who spends."""

import json

import numpy as np
import pytest

from tdml_assets.engines.learner_choice import OPTIONS, LearnerChoice, Tried, choose, option_named

SPEND = "net_spend"


def shop(customers: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    """Spend of customers, and the spend that can be expected of each."""
    random = np.random.default_rng(5)
    expected = random.gamma(1.0, 40.0, customers)
    bought = random.random(customers) < 0.4
    return np.where(bought, random.gamma(2.0, expected / 0.8), 0.0), expected


def test_of_two_options_that_say_the_same_the_simpler_is_chosen() -> None:
    target, expected = shop()
    predicted = {"lifetime_start": expected, "lifetime": expected}
    assert choose(SPEND, target, predicted, None)[:2] == ("lifetime", "simplest")


def test_an_option_that_is_better_by_more_than_its_standard_error_is_chosen() -> None:
    target, expected = shop()
    blind = np.full(len(target), expected.mean())
    name, why, tried = choose(SPEND, target, {"lifetime": blind, "constant_start": expected}, None)
    assert (name, why) == ("constant_start", "best")
    (worse,) = (one for one in tried if one.name == "lifetime")
    assert worse.difference is not None
    assert worse.standard_error is not None
    assert worse.difference > worse.standard_error > 0


def test_what_the_session_before_chose_is_kept_while_nothing_is_better_for_sure() -> None:
    target, expected = shop()
    predicted = {"lifetime": expected, "blend": expected}
    assert choose(SPEND, target, predicted, "blend")[:2] == ("blend", "kept")
    assert choose(SPEND, target, predicted, "constant_start")[0] == "lifetime"


def test_a_choice_repeated_after_it_went_live_says_the_same() -> None:
    target, expected = shop()
    predicted = {"lifetime": expected, "blend": expected}
    first = choose(SPEND, target, predicted, None)
    assert choose(SPEND, target, predicted, first[0]) == first
    kept = choose(SPEND, target, predicted, "blend")
    assert choose(SPEND, target, predicted, kept[0]) == kept


def test_what_the_session_before_chose_is_given_up_where_another_is_better_for_sure() -> None:
    target, expected = shop()
    blind = np.full(len(target), expected.mean())
    assert choose(SPEND, target, {"lifetime": blind, "constant_start": expected}, "lifetime")[0] == "constant_start"


def test_the_level_of_an_option_has_no_part_in_the_choice() -> None:
    target, expected = shop()
    predicted = {"lifetime": expected, "constant_start": expected * 1.7}
    losses = {one.name: one.loss for one in choose(SPEND, target, predicted, None)[2]}
    assert losses["constant_start"] == pytest.approx(losses["lifetime"], rel=1e-9)


def test_the_level_of_probabilities_has_no_part_in_the_choice() -> None:
    random = np.random.default_rng(8)
    log_odds = random.normal(-1.0, 1.5, 3_000)
    happened = (random.random(3_000) < 1 / (1 + np.exp(-log_odds))).astype(float)
    said = {"constant_start": 1 / (1 + np.exp(-log_odds)), "lifetime_start": 1 / (1 + np.exp(-log_odds - 0.8))}
    losses = {one.name: one.loss for one in choose("no_purchase", happened, said, None)[2]}
    assert losses["lifetime_start"] == pytest.approx(losses["constant_start"], rel=1e-6)


def test_nothing_is_chosen_where_no_option_could_be_fitted() -> None:
    with pytest.raises(ValueError, match="no option could be fitted"):
        choose(SPEND, np.ones(3), {}, None)


def test_every_kind_of_target_has_options_of_its_own_name() -> None:
    for kind, options in OPTIONS.items():
        assert [option_named(kind, one.name) for one in options] == list(options)
    with pytest.raises(LookupError, match="not an option of auto for net_spend"):
        option_named(SPEND, "forest")


def test_a_choice_read_back_names_its_option() -> None:
    choice = LearnerChoice("blend", "best", (Tried("blend", 1.0, 0.0, 0.0),), "measured on 10 customers")
    assert LearnerChoice.name_in(choice.to_json()) == "blend"
    assert LearnerChoice.name_in(json.dumps({"name": 3})) is None
