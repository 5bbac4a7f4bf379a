"""The strongest reasons for every customer's prediction, as phrases a marketer reads.

Elsewhere: the attributions (a model's ``reasons``), the words of a column (``stages/features/words.py``), tables.

A reason is ``raises: ordered 3 times in the last 90 days (typical: 1)`` or ``lowers: last order 210 days ago``: which way,
the customer's own raw value, the typical customer's. The way comes first as a word and not as a sign, because a cell that
starts with + or - is a formula to a spreadsheet. Numbers have a point and no separators, in every country.

Features of one theme are added up and give one reason, that of the feature that pushes most in the direction of the sum:
the prepared columns of a text column, an outlier flag, and columns that say the same thing (total_orders and
total_orders_365d), which would else share the reason between them. So the reasons are different things.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.stages.features.words import Words, words_of

Floats = NDArray[np.float64]
RAISES, LOWERS = "raises", "lowers"
_LONGEST_TEXT = 40
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]+")


def reason_names(count: int) -> tuple[str, ...]:
    """Name the columns of :func:`top_reasons`: ``reason_1`` is the strongest."""
    return tuple(f"reason_{number}" for number in range(1, count + 1))


def top_reasons(
    attributions: Floats,
    values: pa.Table,
    names: Sequence[str],
    words: Mapping[str, Words] | None = None,
    references: Mapping[str, float] | None = None,
    count: int = 3,
    directions: tuple[str, str] = (RAISES, LOWERS),
) -> pa.Table:
    """Say what moves each row's prediction most, strongest first.

    Returns text columns ``reason_1`` to ``reason_<count>``, one row per row; NULL where nothing else moves the prediction. Raises
    ``ValueError`` if shapes do not agree, an attribution is not finite, or a feature comes from none of the raw columns.

    ``attributions``: shape (rows, features): what each prepared feature adds to the row's prediction.
    ``values``: the raw columns of the same rows, in the same order; more columns than needed do no harm.
    ``names``: of the prepared features, in the order of ``attributions``: ``column`` or ``column__level``.
    ``words``: words per raw column that come before the usual ones.
    ``references``: value of a typical customer per raw column, for instance the median in training; said next to the customer's
      own. Nothing is said for a column without one.
    ``count``: most reasons per row.
    ``directions``: the words for a positive and a negative attribution.
    """
    import pyarrow.compute as pc

    if attributions.shape != (values.num_rows, len(names)):
        raise ValueError(
            f"attributions have the shape {attributions.shape}, the values {values.num_rows} rows and the names "
            f"{len(names)} features: give the attributions of these rows and features"
        )
    if count < 1:
        raise ValueError(f"count is {count}: at least one reason is given")
    sources = [_source_of(name, values.column_names) for name in names]
    columns = list(dict.fromkeys(sources))
    spoken = {column: words_of(column, words) for column in columns}
    chosen, raised = _choose(attributions, sources, columns, spoken, count)

    # Cells of one column together, each column's values put into words once, then back into the order of the rows.
    flat, ways = chosen.ravel(), raised.ravel()
    order = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[order], np.arange(len(columns) + 1))
    parts = [pa.nulls(int(bounds[0]), pa.string())]
    for place, column in enumerate(columns):
        cells = order[bounds[place] : bounds[place + 1]]
        said = _said(values.column(column), cells // count, spoken[column], (references or {}).get(column))
        way = pa.array(directions).take(pa.array(np.where(ways[cells], 0, 1)))
        parts.append(pc.binary_join_element_wise(way, said, ": "))
    sentences = pa.concat_arrays(parts)
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    return pa.table(
        {name: sentences.take(pa.array(position[rank::count])) for rank, name in enumerate(reason_names(count))}
    )


def phrase_of(column: str, value: Any) -> str:
    """One value of a raw column as a reason would say it.

    >>> phrase_of("days_since_last_order", 71)
    'last order 71 days ago'
    """
    words = words_of(column)
    said: str = _said(pa.chunked_array([pa.array([value])]), np.array([0]), words, None)[0].as_py()
    return said


def source_column(name: str, columns: Sequence[str]) -> str:
    """Raw column that a prepared feature was made of. Raises ``ValueError`` if it comes from none of these columns."""
    return _source_of(name, columns)


def _source_of(name: str, columns: Sequence[str]) -> str:
    """Find the raw column a prepared feature was made of: itself, or the longest beginning before a double underscore."""
    if name in columns:
        return name
    stem = name
    while "__" in stem:
        stem = stem[: stem.rindex("__")]
        if stem in columns:
            return stem
    raise ValueError(
        f"feature {name!r} comes from no column of the values, which have {', '.join(columns)}: add its own"
    )


def _choose(
    attributions: Floats, sources: Sequence[str], columns: Sequence[str], spoken: Mapping[str, Words], count: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Choose, per row and rank, the column that is named (-1: none) and whether its theme raises the prediction."""
    themes: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        themes.setdefault(spoken[column].theme, []).append(place)
    features = [[i for i, source in enumerate(sources) if source == column] for column in columns]
    rows = len(attributions)
    sums = np.empty((rows, len(themes)))
    speaker = np.empty((rows, len(themes)), dtype=np.int32)
    for number, places in enumerate(themes.values()):
        pushes = np.stack([attributions[:, features[place]].sum(axis=1) for place in places], axis=1)
        total = pushes.sum(axis=1)
        sums[:, number] = total
        speaker[:, number] = np.asarray(places)[np.argmax(pushes * np.sign(total)[:, None], axis=1)]
    if not np.isfinite(sums).all():
        raise ValueError("attributions hold NaN or infinities: explain the rows again with finite features")
    chosen = np.full((rows, count), -1, dtype=np.int32)
    raised = np.zeros((rows, count), dtype=bool)
    strength, every = np.abs(sums), np.arange(rows)
    for rank in range(min(count, len(themes))):
        # Of equals the first theme in the order of the features, so that a row always gets the same reasons.
        best = strength.argmax(axis=1)
        explains = strength[every, best] > 0
        chosen[:, rank] = np.where(explains, speaker[every, best], -1)
        raised[:, rank] = sums[every, best] > 0
        strength[every, best] = -1.0
    return chosen, raised


def _said(column: pa.ChunkedArray, rows: NDArray[np.int64], words: Words, reference: float | None) -> pa.Array:
    """Say the values of some rows of a column: every different value is put into words once."""
    import pyarrow.compute as pc

    taken = column.take(pa.array(rows))
    if pa.types.is_dictionary(taken.type):
        taken = taken.cast(taken.type.value_type)
    if pa.types.is_boolean(taken.type):
        taken = pc.if_else(taken, "yes", "no")
    if words.unit == "text" or not _is_number(taken.type):
        encoded = pc.dictionary_encode(pc.cast(taken, pa.string()).combine_chunks())
        texts = [words.phrase(_shortened(text)) for text in encoded.dictionary.to_pylist()]
        return pa.array([*texts, words.phrase(None)]).take(encoded.indices.fill_null(len(texts)))
    numbers = pc.cast(taken, pa.float64()).to_numpy()
    different, place = np.unique(_rounded(numbers, words.unit), return_inverse=True)
    typical = None
    if reference is not None and math.isfinite(reference):
        typical = _text_of(float(_rounded(np.array([float(reference)]), words.unit)[0]), words.unit)
    shown = (None if math.isnan(value) else _text_of(value, words.unit) for value in different)
    phrases = [words.phrase(text, typical) for text in shown]
    return pa.array(phrases, pa.string()).take(pa.array(place))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _rounded(numbers: Floats, unit: str) -> Floats:
    """Round to what is shown: whole from 10 on, money to hundredths below, everything else to tenths."""
    scaled = numbers * 100.0 if unit == "percent" else numbers
    scaled = np.where(np.isfinite(scaled), scaled, np.nan)
    fine = np.round(scaled, 0 if unit == "percent" else 2 if unit == "money" else 1)
    # Adding 0 turns -0 into 0.
    shown: Floats = np.where(np.abs(fine) >= 10, np.rint(scaled), fine) + 0.0
    return shown


def _text_of(rounded: float, unit: str) -> str:
    text = f"{rounded:.2f}".rstrip("0").rstrip(".")
    return f"{text} %" if unit == "percent" else text


def _shortened(text: str) -> str:
    clean = _CONTROL.sub(" ", text).strip() or "blank"
    return clean if len(clean) <= _LONGEST_TEXT else clean[: _LONGEST_TEXT - 3].rstrip() + "..."
