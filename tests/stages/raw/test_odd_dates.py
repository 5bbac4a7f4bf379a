"""Times that no format reads are answered with what is in them, and with a line that reads them where there is one."""

import pytest

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.stages.raw.dates import formats_of_browsers, formats_with_ending, reads
from tdml_assets.stages.raw.hints import remedy_for

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
DECLARED = {"path": "a.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "EUR", "columns": COLUMNS}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            ["3. März 2024", "4. Oktober 2024"],
            "months are written in German, which is not read: export dates with numbers",
        ),
        (["3 févr. 2024"], "months are written in French"),
        (["2024-W10-2"], "They name weeks, which are not read"),
        (
            ["Mar 5, 2024 3:07 PM PST", "Jul 5, 2024 3:07 PM PDT"],
            "write timestamp_format: ['%b %d, %Y %I:%M %p PDT', '%b %d, %Y %I:%M %p PST'] and timezone: America/Los_Angeles",
        ),
        (["2024-03-05 10:00:00 CET"], "timestamp_format: '%Y-%m-%d %H:%M:%S CET' and timezone: Europe/Paris"),
        (["05.03.2024", "2024-03-25 10:00", "25.03.2024"], "timestamp_format: ['%d.%m.%Y', '%Y-%m-%d %H:%M']"),
        (["soon", "2024-03-25"], "No usual format reads them all"),
    ],
)
def test_the_remedy_names_what_is_in_the_cells(cells: list[str], said: str) -> None:
    assert said in remedy_for("orders", OrdersSource.model_validate(DECLARED), "bad_timestamp", cells)


def test_times_with_the_letters_of_a_zone_are_read_as_the_remedy_says(shop) -> None:
    shop.write("a.csv", 'who,when,total\n7,"Mar 5, 2024 3:07 PM PST",1\n7,"Jul 5, 2024 3:07 PM PDT",1\n')
    formats = ["%b %d, %Y %I:%M %p PST", "%b %d, %Y %I:%M %p PDT"]
    shop.load(declared={**DECLARED, "timestamp_format": formats, "timezone": "America/Los_Angeles"})
    assert [f"{moment:%m-%d %H:%M}" for moment in shop.column("select ordered_at from raw.orders order by 1")] == [
        "03-05 23:07",
        "07-05 22:07",
    ]


def test_a_currency_that_is_empty_is_answered_with_the_key_for_one_currency() -> None:
    columns = {**COLUMNS, "currency": "cur"}
    declared = OrdersSource.model_validate(
        {**DECLARED, "currency": None, "reporting_currency": "EUR", "columns": columns}
    )
    said = remedy_for("orders", declared, "unknown_currency", [])
    assert said.startswith(
        "Column 'cur' is empty in these rows: if all amounts are in one currency, write currency: with"
    )


def test_times_of_browsers_are_read_with_one_format_per_zone() -> None:
    winter = "Sun Jan 05 2025 11:22:33 GMT+0100 (Central European Standard Time)"
    summer = "Sat Jul 05 2025 11:22:33 GMT+0200 (Central European Summer Time)"
    found = formats_of_browsers([winter, summer])
    assert all(any(reads(text, one) for one in found) for text in (winter, summer))
    assert len(found) == 2
    assert formats_of_browsers([winter, "2025-01-05"]) == ()


def test_a_word_behind_every_time_is_a_part_of_its_format() -> None:
    assert formats_with_ending(["05/01/2024 20:26 hs.", "25/01/2024 08:05 hs."])[0] == "%d/%m/%Y %H:%M hs."
    assert formats_with_ending(["05.01.2024 20:26 Uhr", "25.01.2024 08:05 Uhr"])[0] == "%d.%m.%Y %H:%M Uhr"
    for other in ("05/01/2024 8:26 pm", "25/01/2024 20:26 PST", "25/01/2024 20:26", "soon"):
        assert formats_with_ending([other]) == ()
    assert formats_with_ending(["25/01/2024 20:26 Uhr", "25/01/2024 20:26 h"]) == ()
