"""Histories that were seen before: the same numbers to the bit, computed once."""

import pickle
import threading

import numpy as np
import pytest

from tdml_assets.engines import lifetime_outlook
from tdml_assets.engines.lifetime_outlook import SeenHistories
from tdml_assets.engines.lifetimes import BgNbd, ParetoNbd
from tdml_assets.engines.lifetimes.histories import Histories

PARETO = ParetoNbd(r=0.55, alpha=10.6, s=0.61, beta=11.7)
BG = BgNbd(r=0.24, alpha=4.4, a=0.79, b=2.4)


def customers(rows, seed):
    random = np.random.default_rng(seed)
    age = random.integers(1, 400, rows).astype(np.float64)
    repeats = random.poisson(1.5, rows).astype(np.float64)
    recency = np.where(repeats > 0, np.maximum(np.floor(age * random.random(rows)), 1.0), 0.0)
    return repeats, np.minimum(recency, age), age


class Asked:
    """Expects as a model does, and keeps how many histories it was asked about."""

    def __init__(self, model):
        self.model, self.histories = model, []

    def __call__(self, histories):
        self.histories.append(len(histories))
        return self.model.outlook(90, histories)


def directly(model, columns):
    histories = Histories.of(*columns)
    return np.stack(model.outlook(90, histories))[:, histories.place]


@pytest.mark.parametrize("model", [PARETO, BG])
def test_what_is_kept_says_what_the_model_says_to_the_bit(model):
    kept, asked = SeenHistories(), Asked(model)
    for seed, rows in enumerate([5_000, 3, 9_000, 1]):
        columns = customers(rows, seed)
        np.testing.assert_array_equal(kept.outlook(*columns, asked), directly(model, columns))


def test_a_history_is_computed_once():
    kept, asked, columns = SeenHistories(), Asked(PARETO), customers(5_000, 1)
    different = len(Histories.of(*columns))
    kept.outlook(*columns, asked)
    assert asked.histories == [different] == [len(kept)]
    kept.outlook(*(column[::-1] for column in columns), asked)
    assert asked.histories == [different]
    kept.outlook(np.array([0.0, 900.0]), np.array([0.0, 1_000.0]), np.array([columns[2][0], 1_001.0]), asked)
    assert asked.histories[1:] in ([1], [2])


def test_days_that_are_no_whole_numbers_are_computed_every_time():
    kept, asked = SeenHistories(), Asked(PARETO)
    weeks = [column / 7 if place else column for place, column in enumerate(customers(300, 2))]
    for _ in range(2):
        np.testing.assert_array_equal(kept.outlook(*weeks, asked), directly(PARETO, weeks))
    long = np.array([1.0]), np.array([1.0]), np.array([2.0**30])
    np.testing.assert_array_equal(kept.outlook(*long, asked), directly(PARETO, long))
    assert len(asked.histories) == 3
    assert len(kept) == 0


def test_no_more_are_kept_than_the_bound(monkeypatch):
    monkeypatch.setattr(lifetime_outlook, "_MOST_KEPT", 1_000)
    kept, asked = SeenHistories(), Asked(PARETO)
    for seed in (1, 2, 1):
        columns = customers(700, seed)
        np.testing.assert_array_equal(kept.outlook(*columns, asked), directly(PARETO, columns))
        assert 0 < len(kept) <= 1_000


def test_what_is_not_a_history_is_refused_before_anything_is_kept():
    kept = SeenHistories()
    with pytest.raises(ValueError, match="break 0 <= recency <= age"):
        kept.outlook(np.array([1.0]), np.array([5.0]), np.array([4.0]), Asked(PARETO))
    assert len(kept) == 0


def test_a_pickled_one_is_empty():
    kept = SeenHistories()
    kept.outlook(*customers(100, 1), Asked(PARETO))
    assert len(kept) > 0
    assert len(pickle.loads(pickle.dumps(kept))) == 0


def test_threads_that_share_one_get_what_each_would_alone():
    kept, found = SeenHistories(), {}

    def ask(seed):
        found[seed] = kept.outlook(*customers(3_000, seed), Asked(PARETO))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(6):
        np.testing.assert_array_equal(found[seed], directly(PARETO, customers(3_000, seed)))
