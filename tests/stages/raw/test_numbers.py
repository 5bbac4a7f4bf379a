"""Numbers as people write them: which marks read them, and about how large an unreadable one is."""

import pytest

from tdml_assets.stages.raw.numbers import NumberMarks, marks_that_read, rough_size


@pytest.mark.parametrize(
    ("texts", "marks"),
    [
        (["12.50", "7"], NumberMarks(".", "")),
        (["12,50", "7"], NumberMarks(",", "")),
        (["1.338,98", "7,5"], NumberMarks(",", ".")),
        (["1,338.98", "7.5"], NumberMarks(".", ",")),
        (["1 338,98"], NumberMarks(",", " ")),
        (["1'338.98"], NumberMarks(".", "'")),
        (["1.234"], None),  # 1.234 or 1,234: nothing in the text says which
        (["1.234", "12,50"], NumberMarks(",", ".")),
        (["12 EUR", "(7.50)"], NumberMarks(".", "")),
        (["12,34,567.80"], NumberMarks(".", ",")),
        (["12 pieces"], None),
        ([], None),
    ],
)
def test_marks_are_named_only_where_the_texts_prove_them(texts, marks):
    assert marks_that_read(texts) == marks


@pytest.mark.parametrize(
    ("text", "size"), [("1.338,98", 1338.98), ("$1,338.98", 1338.98), ("(30.00)", 30), ("1.338", 1338), ("none", 0)]
)
def test_the_size_of_an_unreadable_number_is_about_that_of_its_digits(text, size):
    assert rough_size(text) == size
