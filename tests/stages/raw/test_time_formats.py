"""Times in every format that a declaration may name: the instant, and the day of the shop's own calendar."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tdml_assets.stages.raw.dates import reads
from tests.stages.raw.conftest import Shop

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
PARIS = {"columns": COLUMNS, "timezone": "Europe/Paris"}


def write(shop: Shop, *times: str) -> None:
    shop.write("a.csv", "who;when;total\n" + "".join(f"7;{time};1\n" for time in times))


def load(shop: Shop, **changes):
    return shop.load(**{"csv": {"delimiter": ";"}, **PARIS, **changes})


def moments(shop: Shop) -> list[tuple[datetime, date]]:
    rows = shop.rows("select ordered_at, ordered_on from raw.orders order by row_number")
    return [(row["ordered_at"], row["ordered_on"]) for row in rows]


SUMMER = (datetime(2025, 7, 7, 22, 30), date(2025, 7, 8))


@pytest.mark.parametrize(
    "time",
    [
        "2025-07-07T22:30:00Z",
        "2025-07-07T22:30Z",
        "2025-07-07t22:30:00z",
        "2025-07-07 22:30:00 UTC",
        "2025-07-07T22:30:00,000Z",
        "2025-07-07T22:30:00.000000000Z",
        "20250707T223000Z",
        "20250708T0030+0200",
        "2025-07-08T00:30:00+02:00",
        "2025-07-08T00:30:00+0200",
        "2025-07-08 00:30:00 +02",
        "2025-07-07T17:00:00\u221205:30",
        "2025-07-08T00:30:00",
        "2025-07-08 00:30",
    ],
)
def test_iso_times_name_an_instant_or_a_local_time_and_the_day_is_the_shops(shop, time):
    write(shop, time)
    assert load(shop, timestamp_format="iso8601").reasons == {}
    assert moments(shop) == [SUMMER]
    assert reads(time, "iso8601")


def test_fractions_may_be_there_in_some_rows_and_a_day_alone_is_that_day(shop):
    write(shop, "2025-07-07T22:30:00Z", "2025-07-07T22:30:00.123Z", "2025-12-07T23:30:00Z", "2025-07-08")
    assert load(shop, timestamp_format="iso8601").reasons == {}
    assert moments(shop) == [
        SUMMER,
        (datetime(2025, 7, 7, 22, 30, 0, 123000), date(2025, 7, 8)),
        (datetime(2025, 12, 7, 23, 30), date(2025, 12, 8)),
        (datetime(2025, 7, 7, 22), date(2025, 7, 8)),
    ]


@pytest.mark.parametrize(
    "time",
    [
        "2025-07-07T22",
        "2025-13-07T22:30:00Z",
        "2025-07-07T25:00:00Z",
        "07/07/2025",
        "2025-0707",
        "x",
        "2025-07-07T22:30:61Z",
    ],
)
def test_what_is_not_iso_is_not_guessed(shop, time):
    write(shop, time)
    assert load(shop, timestamp_format="iso8601").reasons == {"bad_timestamp": 1}


@pytest.mark.parametrize("time", ["2025-07-07 22:30:00Z", "2025-07-08 00:30:00+0200", "2025-07-08 00:30:00+02:00"])
def test_an_offset_in_a_format_may_be_a_z(shop, time):
    write(shop, time)
    load(shop, timestamp_format="%Y-%m-%d %H:%M:%S%z")
    assert moments(shop) == [SUMMER]
    write(shop, time, "2025-07-08T00:30:00")
    load(shop, timestamp_format=["%Y-%m-%d %H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"])
    assert moments(shop) == [SUMMER, SUMMER]


def test_the_first_format_that_reads_a_time_counts(shop):
    write(shop, "08.07.2025 00:30", "07/08/2025", "08.07.2025", "20250708")
    formats = ["%d.%m.%Y %H:%M", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "unix"]
    load(shop, timestamp_format=formats)
    assert [day for _, day in moments(shop)] == [date(2025, 7, 8), date(2025, 8, 7), date(2025, 7, 8), date(2025, 7, 8)]
    report = load(shop, timestamp_format=["unix", *formats[:5]])
    assert report.reasons == {"too_old": 1}, "20250708 seconds after 1970"


@pytest.mark.parametrize(
    ("written", "text"), [("unix", "1751927400"), ("unix_ms", "1751927400000"), ("unix_us", "1751927400000000")]
)
def test_numbers_since_1970_are_instants(shop, written, text):
    write(shop, text)
    load(shop, timestamp_format=written)
    assert moments(shop) == [SUMMER]
    pq.write_table(pa.table({"who": [7], "when": [int(text)], "total": [1.0]}), shop.folder / "a.parquet")
    shop.load(**PARIS, path="a.parquet", format="parquet", timestamp_format=[written, "%Y-%m-%d"])
    assert moments(shop) == [SUMMER]


def test_a_spreadsheets_serials_are_local_times_to_the_second(shop):
    write(shop, "45846.0208333333", "45846.02083", "45846,0208333333", "45846")
    load(shop, timestamp_format="excel")
    assert moments(shop) == [SUMMER, SUMMER, SUMMER, (datetime(2025, 7, 7, 22), date(2025, 7, 8))]
    shop.write("a.json", json.dumps({"who": 7, "when": 45846.020833333336, "total": 1}) + "\n")
    shop.load(**PARIS, path="a.json", format="json", timestamp_format="excel")
    assert moments(shop) == [SUMMER]
    pq.write_table(pa.table({"who": [7], "when": [45846.020833333336], "total": [1.0]}), shop.folder / "a.parquet")
    shop.load(**PARIS, path="a.parquet", format="parquet", timestamp_format="excel")
    assert moments(shop) == [SUMMER]


@pytest.mark.parametrize("written", ["%Y-%m-%d %H:%M:%S", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]])
def test_times_in_utc_have_the_days_of_the_shops_own_calendar(shop, written):
    write(shop, "2025-07-07 22:30:00")
    load(shop, timestamp_format=written, timezone="UTC", days_in="Europe/Paris")
    assert moments(shop) == [SUMMER]
    write(shop, "2025-07-08")
    load(shop, timestamp_format=["%Y-%m-%d", "unix"], timezone="UTC", days_in="America/New_York")
    assert moments(shop) == [(datetime(2025, 7, 8), date(2025, 7, 8))], "a day without a time stays that day"
    table = pa.table({"who": [7], "when": [datetime(2025, 7, 7, 22, 30)], "total": [1.0]})
    pq.write_table(table, shop.folder / "a.parquet")
    shop.load(columns=COLUMNS, path="a.parquet", format="parquet", timestamp_format=None, days_in="Europe/Paris")
    assert moments(shop) == [SUMMER]


@pytest.mark.parametrize(("policy", "utc"), [("earlier", 0), ("later", 1)])
def test_hours_that_clocks_repeat_and_skip_are_judged_in_every_format(shop, policy, utc):
    write(shop, "2024-10-27T02:30:00", "2024-10-27T02:30:00+01:00", "2024-03-31T02:30:00")
    report = load(shop, timestamp_format="iso8601", ambiguous_time=policy)
    assert report.reasons == {"nonexistent_local_time": 1}
    assert [when for when, _ in moments(shop)] == [datetime(2024, 10, 27, utc, 30), datetime(2024, 10, 27, 1, 30)]
    assert load(shop, timestamp_format="iso8601", ambiguous_time="reject").reasons == {
        "nonexistent_local_time": 1,
        "ambiguous_local_time": 1,
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "write timestamp_format: iso8601; days are counted in Europe/Paris"),
        ("%d.%m.%Y %H:%MZ", "write timestamp_format: '%d.%m.%Y %H:%M%z'"),
        ("%d.%m.%Y %H:%M UTC", "write timezone: UTC and days_in: Europe/Paris"),
    ],
)
def test_a_literal_z_in_another_zone_is_refused_with_the_line_to_write(shop, written, said):
    with pytest.raises(ValidationError) as caught:
        load(shop, timestamp_format=written)
    assert said in str(caught.value)


def test_updated_at_is_read_in_the_same_formats(shop):
    rows = "A;7;2025-07-07T22:30:00Z;1;2025-07-08T00:00:00Z\nA;7;2025-07-07T22:30:00Z;2;2025-07-08T01:00:00.5+02:00\n"
    shop.write("a.csv", "line;who;when;total;changed\n" + rows)
    load(shop, timestamp_format="iso8601", line_key=["line"], updated_at="changed")
    assert shop.column("select amount from raw.orders") == [1], "midnight in UTC is later than one o'clock in Paris"
    load(
        shop,
        timestamp_format="iso8601",
        line_key=["line"],
        updated_at="changed",
        updated_at_format=["%d.%m.%Y", "iso8601"],
    )
    assert shop.column("select amount from raw.orders") == [1]


WRITERS = {
    "iso8601": lambda utc, _: utc.isoformat(timespec="milliseconds") + "Z",
    "unix": lambda utc, _: str(int(utc.replace(tzinfo=UTC).timestamp())),
    "unix_ms": lambda utc, _: str(round(utc.replace(tzinfo=UTC).timestamp() * 1000)),
    "unix_us": lambda utc, _: str(round(utc.replace(tzinfo=UTC).timestamp() * 1000) * 1000),
    "excel": lambda _, local: repr((local - datetime(1899, 12, 30)) / timedelta(days=1)),
    "%Y-%m-%d %H:%M:%S.%f": lambda _, local: local.strftime("%Y-%m-%d %H:%M:%S.%f"),
    "%d/%m/%Y %I:%M:%S %p": lambda _, local: local.strftime("%d/%m/%Y %I:%M:%S %p"),
}
INSTANTS = st.lists(st.integers(631_238_400_000, 1_790_000_000_000), min_size=40, max_size=80)


@settings(max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(instants=INSTANTS, zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]))
def test_every_instant_comes_back_from_every_format_with_its_local_day(instants, zone):
    expected, cells = [], []
    for place, milliseconds in enumerate(instants):
        written = list(WRITERS)[place % len(WRITERS)]
        utc = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
        if written in ("unix", "excel", "%d/%m/%Y %I:%M:%S %p"):
            utc = utc.replace(microsecond=0)
        local = utc.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
        if local.replace(fold=1).utcoffset() != local.replace(fold=0).utcoffset():
            continue  # in the hour that clocks repeat a local time is two instants
        cells.append((written, WRITERS[written](utc, local.replace(tzinfo=None))))
        expected.append((utc, local.date()))
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        found: list[tuple[datetime, date]] = []
        for written in WRITERS:
            mine = [text for one, text in cells if one == written]
            if mine:
                write(shop, *mine)
                assert load(shop, timestamp_format=written, timezone=zone).reasons == {}
                found += moments(shop)
        assert sorted(found) == sorted(expected)
