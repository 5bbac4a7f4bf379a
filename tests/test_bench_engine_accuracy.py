"""The table of both engines takes its place in the page."""

from __future__ import annotations

import pytest

from benchmarks.engine_accuracy import BEGIN, END, in_page, table_of
from benchmarks.measure import Row


def test_the_table_replaces_the_one_before_and_nothing_else() -> None:
    table = table_of([Row("sample, churn", "log_loss", 0.39963, 0.4), Row("sample, cltv", "mae", 35.66, None)])
    assert "| sample, churn | log_loss | 0.3996 | 0.4000 |" in table
    assert "| sample, cltv | mae | 35.7 |  |" in table
    page = in_page(f"before\n{BEGIN}\nold\n{END}\nbehind\n", table)
    assert page.startswith(f"before\n{BEGIN}\nOther work ran on the machine (")
    assert "old" not in page
    assert page.endswith(f"{END}\nbehind\n")
    with pytest.raises(ValueError, match="has no place for the table"):
        in_page("a page", table)
