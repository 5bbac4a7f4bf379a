"""What a lifetime model expects of histories it was asked about before.

Belongs here: outlooks of different histories, each computed once. Does not: formulas (``pareto_nbd.py``, ``bg_nbd.py``).

The rows of a fit are asked about when they are learnt from, when levels are carried to them and when they are scored, and most of
many customers share their history with one of another batch. Days are whole numbers, so that a history is one number of 64 bits,
by which it is found again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tdml_assets.engines.lifetimes.histories import Floats, Histories, checked_columns

# Bits of the days of recency and of age, 5,700 years, and of the number of days with a purchase, two million.
_BITS = 21
# Histories kept, of 32 bytes each.
_MOST_KEPT = 500_000

Keys = NDArray[np.int64]
#: Expected purchases, probabilities to be alive and to be active, of every different history.
Expect = Callable[[Histories], tuple[Floats, Floats, Floats]]


class SeenHistories:
    """Outlooks of a model by history. Threads may share it; a pickled one is empty."""

    def __init__(self) -> None:
        # Replaced as a whole: another thread sees what was there before or what is there now.
        self._kept: tuple[Keys, Floats] = np.empty(0, dtype=np.int64), np.empty((3, 0))

    def __reduce__(self) -> tuple[type[SeenHistories], tuple[()]]:
        return SeenHistories, ()

    def __len__(self) -> int:
        return len(self._kept[0])

    def outlook(self, frequency: Floats, recency: Floats, age: Floats, expect: Expect) -> Floats:
        """Expected purchases, and the probabilities to be alive and to be active, of each row: shape (3, rows).

        ``expect``: asked about histories that were not seen before. Raises ``ValueError`` as :meth:`Histories.of`.
        """
        columns = checked_columns(frequency, recency, age)
        if any((column != np.floor(column)).any() or column.max() >= 2**_BITS for column in columns):
            histories = Histories.of(*columns)
            return np.stack(expect(histories))[:, histories.place]
        x, t_x, t = (column.astype(np.int64) for column in columns)
        given: Keys = (x << 2 * _BITS) | (t_x << _BITS) | t
        different, place = np.unique(given, return_inverse=True)
        keys, values = self._kept
        at: NDArray[np.intp] = np.searchsorted(keys, different)
        known = np.zeros(len(different), dtype=bool)
        inside = at < len(keys)
        known[inside] = keys[at[inside]] == different[inside]
        found = np.empty((3, len(different)))
        found[:, known] = values[:, at[known]]
        if not known.all():
            new = different[~known]
            found[:, ~known] = expect(_histories(new))
            if len(keys) + len(new) <= _MOST_KEPT:
                order = np.argsort(np.concatenate([keys, new]), kind="stable")
                self._kept = (
                    np.concatenate([keys, new])[order],
                    np.concatenate([values, found[:, ~known]], axis=1)[:, order],
                )
        return found[:, place]


def _histories(keys: Keys) -> Histories:
    part = (1 << _BITS) - 1
    columns = (keys >> 2 * _BITS, (keys >> _BITS) & part, keys & part)
    x, t_x, t = (column.astype(np.float64) for column in columns)
    return Histories(x, t_x, t, np.ones(len(keys)), np.arange(len(keys)))
