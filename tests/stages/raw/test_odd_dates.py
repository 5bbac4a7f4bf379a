"""Times that no format reads are answered with what is in them, and with a line that reads them where there is one."""

import pytest

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.stages.raw.dates import (
    formats_of_browsers,
    formats_that_read,
    formats_with_ending,
    formats_with_joint,
    reads,
)
from tdml_assets.stages.raw.hints import remedy_for

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
DECLARED = {"path": "a.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "EUR", "columns": COLUMNS}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["3. März 2024", "4. Oktober 2024"], "Write timestamp_format: '%d. %b %Y'"),
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


#: The months of 2024 as shops of six languages write them, and the format that reads them.
MONTHS = {
    "%d %b %Y": "ene feb mar abr may jun jul ago sep oct nov dic",
    "%d de %B de %Y": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "%d %B %Y": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "%d. %B %Y": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "%d. %b %Y, %H:%M Uhr": "Jan. Feb. Mrz. Apr. Mai Jun. Jul. Aug. Sept. Okt. Nov. Dez.",
    "%d-%b-%Y": "gen feb mar apr mag giu lug ago set ott nov dic",
    "%d/%b/%Y": "jan fev mar abr mai jun jul ago set out nov dez",
    "%d %b %Y om %H:%M": "januari februari maart april mei juni juli augustus september oktober november december",
}


@pytest.mark.parametrize(("written", "months"), MONTHS.items())
def test_months_in_the_languages_of_shops_are_read(shop, written: str, months: str) -> None:
    texts = [
        written.replace("%d", "7")
        .replace("%b", month)
        .replace("%B", month)
        .replace("%Y", "2024")
        .replace("%H:%M", "14:05")
        for month in months.split()
    ]
    found = formats_that_read(texts) or formats_with_joint(texts) or formats_with_ending(texts)
    assert found
    rows = "\n".join(f'7,"{text}",1' for text in texts)
    for one in (written, found[0]):
        shop.write("a.csv", f"who,when,total\n{rows}\n")
        shop.load(declared={**DECLARED, "timestamp_format": one})
        days = shop.column("select ordered_on from raw.orders order by 1")
        assert [f"{day:%m-%d}" for day in days] == [f"{number:02}-07" for number in range(1, 13)]


def test_words_that_are_no_months_are_not_read_as_such() -> None:
    assert [formats_that_read([text]) for text in ("7 Marzipan 2024", "7 decal 2024", "7 genau 2024")] == [()] * 3
    assert formats_with_joint(["7 mei 2024 om 14:05", "8 mei 2024 um 14:05"]) == ()
