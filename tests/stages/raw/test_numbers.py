"""Numbers as people write them: which marks read them, and about how large an unreadable one is."""

from decimal import ROUND_HALF_UP, Decimal

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


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        ("3", "0.333333"),
        ("-7", "1234.567891"),
        ("9999998", "99.99"),
        ("1000000000", "0.0049"),
        ("0.333333", "0.000151"),
        ("2.5", "0.00002"),
        ("0.0000006", "600000"),
        ("12345.678901", "9876.54321"),
    ],
)
def test_a_quantity_times_a_price_is_rounded_once_whatever_their_sizes(shop, quantity, price):
    shop.write("a.csv", f"order,who,when,n,price\n1,7,2026-01-05 10:00:00,{quantity},{price}\n")
    shop.load()
    read = [Decimal(text).quantize(Decimal("0.000001"), ROUND_HALF_UP) for text in (quantity, price)]
    exact = (read[0] * read[1]).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert shop.column("select amount from raw.orders") == [exact]


def test_no_break_blanks_and_nul_characters_are_found_in_a_file_where_few_rows_have_them(shop):
    lines = [f"{place},{place},2026-01-05 10:00:00,1,2.50" for place in range(3000)]
    lines[2500] = "\u00a02500\u00a0,2500,2026-01-05 10:00:00,1,\u00a02.50\u00a0"
    lines[2900] = "29\x0000,2900,2026-01-05 10:00:00,1,2.50"
    shop.write("a.csv", "order,who,when,n,price\n" + "\n".join(lines) + "\n")
    report = shop.load()
    assert report.reasons == {"nul_character": 1}
    assert shop.column("select amount from raw.orders where order_id = '2500'") == [Decimal("2.5000")]
