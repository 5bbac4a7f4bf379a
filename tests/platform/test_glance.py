"""Small pictures fit into what the Dagster UI shows in place, whatever is drawn."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from tdml_assets.platform.charts import MOST_CHARACTERS, glance_bars


def picture(markdown: str) -> ElementTree.Element:
    found = re.match(r"!\[[^\]]*\]\(data:image/svg\+xml,([^() ]*)\)", markdown)
    assert found, markdown
    return ElementTree.fromstring(unquote(found[1]))


def heights(drawing: ElementTree.Element) -> list[list[int]]:
    return [
        [int(one) for one in re.findall(r"v-(\d+)", path.get("d", ""))] for path in drawing if path.tag.endswith("path")
    ]


def test_bars_are_as_high_as_their_values_and_named():
    text = glance_bars("t", [("predicted", [1.0, 5.0]), ("happened", [10.0, 0.0])], "lowest tenth", "highest tenth")
    assert heights(picture(text)) == [[5, 25], [50, 1]]
    assert "predicted: blue. happened: orange." in text
    assert [one.text for one in picture(text).iter() if one.tag.endswith("text")] == ["lowest tenth", "highest tenth"]


@pytest.mark.parametrize("places", [1, 10, 16, 24, 60])
def test_it_is_short_enough_to_be_shown_in_place(places):
    text = glance_bars(
        "distance of the farthest columns", [("a", [123456.7] * places), ("b", [0.25] * places)], "x" * 40, "y"
    )
    assert len(text) < MOST_CHARACTERS


def test_ten_tenths_and_twenty_columns_are_drawn():
    for places in (10, 12):
        assert picture(
            glance_bars("t", [("a", [50.0] * places), ("b", [7.0] * places)], "a_rather_long_column_name_90d", "")
        )


def test_names_cannot_break_out():
    drawing = picture(glance_bars("t", [("a", [1.0])], "<script>'&()", ""))
    assert not [one for one in drawing.iter() if "script" in one.tag]


def test_nothing_is_said_to_be_nothing():
    assert glance_bars("t", [("a", [0.0])], "", "") == "t. Nothing to draw."
