"""A difference that is shown is one: intervals hold on spend with many zeros and a long tail. The study has more (docs/lift.md)."""

from __future__ import annotations

import numpy as np
import pytest

from tdml_assets.stages.realised import lift_interval
from tdml_assets.stages.realised.lift import lift_sentence
from tdml_assets.stages.realised.lift_statistics import Comparison, Stratum, compare, compare_table

TABLES = 40


@pytest.fixture(autouse=True)
def few_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the usual number: as right, and less even."""
    monkeypatch.setattr(lift_interval, "_EXCHANGES", 399)


def spend(generator: np.random.Generator, customers: int, factor: float = 1.0) -> np.ndarray:
    """Zero for 70 %, log-normal for the others; the mean is 10 times the factor."""
    amounts = generator.lognormal(-0.5, 1.0, customers) * 10 / 0.3
    return np.where(generator.random(customers) < 0.3, amounts, 0.0) * factor


def test_without_an_effect_hardly_any_table_shows_one() -> None:
    generator = np.random.default_rng(5)
    shown = 0
    for number in range(TABLES):
        bands = [[Stratum(spend(generator, 180), spend(generator, 20))] for _ in range(3)]
        whole = [Stratum(np.concatenate([b[0].treated for b in bands]), np.concatenate([b[0].control for b in bands]))]
        table = compare_table(whole, bands, detect=0.05, seed=number)
        shown += any(one.is_shown for one in (table[0], *table[1]))
    # 5 % of 40 are 2; 7 and more have a chance of .3 %.
    assert shown <= 6


@pytest.mark.parametrize("factor", [1.2, 2.0])
def test_an_interval_holds_the_effect(factor: float) -> None:
    generator = np.random.default_rng(6)
    held = 0
    for _ in range(TABLES):
        found = compare([Stratum(spend(generator, 450, factor), spend(generator, 50))], 0.05, 0.05, generator)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 10 * (factor - 1) <= found.high
    assert held >= TABLES - 6


def test_newcomers_of_another_share_are_not_taken_for_an_effect() -> None:
    generator = np.random.default_rng(7)
    # Newcomers spend ten times as much, and half of them are kept out, where 5 % of the others are.
    old = Stratum(spend(generator, 1_900), spend(generator, 100))
    new = Stratum(spend(generator, 500, 10.0), spend(generator, 500, 10.0))
    together = Stratum(np.concatenate([old.treated, new.treated]), np.concatenate([old.control, new.control]))
    assert compare([together], 0.05, 0.05, generator).is_shown
    assert not compare([old, new], 0.05, 0.05, generator).is_shown


def test_few_customers_tell_nothing_and_say_how_many_it_takes() -> None:
    generator = np.random.default_rng(8)
    few = compare([Stratum(spend(generator, 500), spend(generator, 15), share=0.03)], 0.05, 0.05, generator)
    assert (few.low, few.high, few.is_shown) == (None, None, False)
    # Fewer than these, and there would be no comparison again.
    assert few.needed is not None
    assert few.needed >= 20 / 0.03
    sentence = lift_sentence(few, "spend", 30, 0.05)
    assert "too few customers to tell" in sentence
    assert f"it takes about {few.needed:,} customers" in sentence
    nobody = compare([Stratum(spend(generator, 50), np.zeros(0), share=0.1)], 0.05, 0.05, generator)
    assert (nobody.treated, nobody.control, nobody.difference) == (50, 0, None)
    assert nobody.needed is not None
    assert compare([Stratum(np.zeros(50), np.zeros(5))], 0.05, 0.05, generator).needed is None


def test_many_customers_are_asked_for_where_a_small_difference_is_to_be_shown() -> None:
    generator = np.random.default_rng(8)

    def needed(customers: int, detect: float) -> int:
        found: Comparison = compare(
            [Stratum(spend(generator, customers), spend(generator, customers // 10))], 0.05, detect, generator
        )
        assert found.needed is not None
        return found.needed

    # Half the difference takes four times the customers, whatever number they are computed from.
    assert needed(5_000, 0.05) == pytest.approx(4 * needed(5_000, 0.1), rel=0.5)
    assert needed(40_000, 0.1) == pytest.approx(needed(5_000, 0.1), rel=0.5)


def test_what_was_predicted_narrows_the_interval_and_takes_off_what_chance_gave_one_group() -> None:
    generator = np.random.default_rng(9)
    expected = generator.lognormal(0.0, 1.0, 1_000)
    outcome = expected * generator.gamma(4.0, 0.25, 1_000)
    # Chance kept out more of those who were expected to spend much.
    control = generator.random(1_000) < np.where(expected > 2.0, 0.3, 0.08)
    groups = (outcome[~control], outcome[control])
    plain = compare([Stratum(*groups)], 0.05, 0.05, generator)
    level = compare([Stratum(*groups, expected[~control], expected[control])], 0.05, 0.05, generator)
    for one in (plain, level):
        assert one.low is not None
        assert one.high is not None
    assert level.high - level.low < 0.7 * (plain.high - plain.low)  # type: ignore[operator]
    assert abs(level.difference or 9) < abs(plain.difference or 0)
    assert level.low <= 0 <= level.high  # type: ignore[operator]
    # Days that an older version kept have no prediction.
    unknown = [np.full(len(group), np.nan) for group in groups]
    without = compare([Stratum(*groups, *unknown)], 0.05, 0.05, np.random.default_rng(1))
    assert without == compare([Stratum(*groups)], 0.05, 0.05, np.random.default_rng(1))


def test_many_customers_are_exchanged_several_at_a_time_and_give_the_interval_of_a_normal_mean() -> None:
    generator = np.random.default_rng(10)
    treated, control = generator.normal(11.0, 2.0, 9_000), generator.normal(10.0, 2.0, 3_000)
    found = compare([Stratum(treated, control)], 0.05, 0.05, generator)
    reach = 1.96 * 2.0 * (1 / 9_000 + 1 / 3_000) ** 0.5
    middle = treated.mean() - control.mean()
    assert found.low == pytest.approx(middle - reach, abs=0.25 * reach)
    assert found.high == pytest.approx(middle + reach, abs=0.25 * reach)


def test_groups_that_all_spend_the_same_differ_by_nothing_and_a_difference_that_chance_explains_is_called_so() -> None:
    generator = np.random.default_rng(11)
    same = compare([Stratum(np.full(300, 7.0), np.full(100, 7.0))], 0.05, 0.05, generator)
    assert (same.difference, same.is_shown, same.needed) == (0.0, False, None)
    chance = compare([Stratum(spend(generator, 300), spend(generator, 100))], 0.05, 0.05, generator)
    assert not chance.is_shown
    sentence = lift_sentence(chance, "spend", 30, 0.05)
    assert "which chance alone explains: 300 customers" in sentence
    assert f"it takes about {chance.needed:,} customers" in sentence
    alone = compare([Stratum(np.ones(1), np.zeros(0), share=0.5)], 0.05, 0.05, generator)
    assert (alone.difference, alone.needed) == (None, None)
