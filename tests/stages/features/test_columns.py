"""Which columns a workflow learns from."""

from __future__ import annotations

import pytest

from tdml_assets.declaration.workflow import Features
from tdml_assets.stages.features.columns import choose_features

COLUMNS = {"snapshot_date": "DATE", "customer_id": "VARCHAR", "spend": "DOUBLE", "orders": "BIGINT", "city": "VARCHAR"}


def test_patterns_choose_and_leave_out_columns_and_never_the_keys() -> None:
    assert choose_features(COLUMNS, Features()).all == ("spend", "orders", "city")
    assert choose_features(COLUMNS, Features(include=["*r*", "city"], exclude=["ord*"])).all == ("city",)


def test_a_pattern_that_matches_nothing_or_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pattern 'spent' matches no column .* it has spend, orders, city"):
        choose_features(COLUMNS, Features(exclude=["spent"]))
    with pytest.raises(ValueError, match=r"features: include \('spend',\) less exclude \('s\*',\) leaves no column"):
        choose_features(COLUMNS, Features(include=["spend"], exclude=["s*"]))
