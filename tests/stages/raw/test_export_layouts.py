"""One shop in every layout of files and in the columns of every preset: read back to the cent."""

from __future__ import annotations

import os
import shutil
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tdml_assets.declaration.presets import PRESETS, preset_keys
from tests.stages.raw.conftest import Shop
from tests.stages.raw.export_layouts import LAYOUTS, PRESET_ROWS, SALES, Sale, preset_rows

#: Reasons that a declaration asks for.
MEANT = {"void_status", "excluded_kind", "ignored_status"}
NUMBERS = count()
#: Shops per preset; a study asks for more.
EXAMPLES = int(os.environ.get("TDML_LAYOUT_EXAMPLES", "3"))


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def read_back(shop: Shop, preset: str, layout: str, sales: list[Sale]) -> None:
    """Write the shop, load it, and compare what it earned by customer and month."""
    orders, truth = preset_rows(preset, sales)
    folder = shop.folder / f"files-{next(NUMBERS)}"
    folder.mkdir()
    found = LAYOUTS[layout](folder, orders, preset_keys(preset).get("csv", {}).get("delimiter", ","))
    place = folder.name if found["path"] == "." else f"{folder.name}/{found['path']}"
    # Types of Parquet and of sheets need no format; what is text there, as here, does.
    formats = {"timestamp_format": preset_keys(preset)["timestamp_format"]}
    report = shop.load(declared={"preset": preset, **PRESET_ROWS[preset][1], **found, **formats, "path": place})
    assert report.rows_read == report.rows_accepted + report.rows_rejected == sum(map(len, orders))
    assert set(report.reasons) <= MEANT
    rows = shop.rows(
        "select customer_id, strftime(ordered_on, '%Y-%m') as month, sum(amount) as amount from raw.orders group by 1, 2"
    )
    assert {(row["customer_id"], row["month"]): row["amount"] for row in rows if row["amount"]} == truth
    shutil.rmtree(folder)


@pytest.mark.parametrize("preset", PRESETS)
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(sales=SALES, layout=st.sampled_from(sorted(LAYOUTS)))
def test_a_shop_in_the_columns_of_a_preset_is_read_back_to_the_cent_from_every_layout(
    one_shop: Shop, preset: str, sales: list[Sale], layout: str
) -> None:
    assume(any(preset_rows(preset, sales)[0]))
    read_back(one_shop, preset, layout, sales)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_in_any_case(one_shop: Shop, layout: str) -> None:
    sales = [
        Sale(1, date(2024, 1, 5), ((123_456, 2), (50, 1)), 33, comes_to_nothing=False),
        Sale(2, date(2024, 1, 5), ((100, 1),), 100, comes_to_nothing=False),
        Sale(1, date(2024, 2, 6), ((999, 3),), 0, comes_to_nothing=True),
        Sale(1, date(2024, 2, 7), ((999, 3),), 0, comes_to_nothing=False),
    ]
    read_back(one_shop, "shopify", layout, sales)


def test_the_layouts_are_those_of_every_preset(tmp_path: Path) -> None:
    assert set(PRESET_ROWS) == set(PRESETS)
