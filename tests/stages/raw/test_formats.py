"""How files are written: what is read as declared, and what is refused by name while the table stays."""

import gzip
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.stages.raw.rules import SourceError

HEADER = "order,who,when,n,price\n"
GOOD = HEADER + "A1,007,2024-03-01 10:00:00,2,1.25\nA2,8,2024-03-02 10:00:00,1,3\n"


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), {}),
        (GOOD.replace("\n", "\r\n").encode(), {}),
        (GOOD.replace("\n", "\r").encode(), {}),
        (GOOD.replace(",", ";").encode(), {"delimiter": ";"}),
        (GOOD.replace(",", "\t").encode(), {"delimiter": "\t"}),
        (GOOD.encode("utf-16"), {"encoding": "utf-16"}),
        (GOOD.encode("cp1252"), {"encoding": "cp1252"}),
        (GOOD.replace("A1", "'A,1'").encode(), {"quote": "'"}),
        (GOOD.replace("\n", "\n\n").encode(), {}),
    ],
)
def test_files_are_read_as_they_are_declared_to_be_written(shop, content, options):
    shop.write("a.csv", content)
    report = shop.load(csv=options)
    assert (report.rows_read, report.reasons) == (2, {})
    assert shop.column("select amount from raw.orders order by row_number") == [Decimal("2.5"), Decimal("3")]
    assert shop.column("select customer_id from raw.orders order by row_number") == ["007", "8"]


def test_embedded_line_ends_quotes_and_delimiters_stay_in_their_field(shop):
    shop.write(
        "a.csv",
        HEADER + '"A\n1, ""x""",7,2024-03-01 10:00:00,1,1\r\n'.replace("\r\n", "\n") + "B,8,2024-03-01 10:00:00,1,1\n",
    )
    shop.load()
    assert shop.column("select order_id from raw.orders order by row_number") == ['A\n1, "x"', "B"]


def test_a_file_without_header_is_mapped_by_position_and_null_texts_are_declared(shop):
    shop.write("a.csv", "NULL,7,2024-03-01 10:00:00,1,1\n")
    columns = {"order_id": "column_1", "customer_id": "column_2", "ordered_at": "column_3", "amount": "column_5"}
    shop.load(columns=columns, csv={"header": False, "null_values": ["", "NULL"]})
    assert shop.rows("select order_id, customer_id from raw.orders") == [{"order_id": None, "customer_id": "7"}]


def test_accents_survive_every_encoding(shop):
    for encoding in ("utf-8", "cp1252", "utf-16"):
        shop.write("a.csv", GOOD.replace("A1", "Ä€é").encode(encoding))
        shop.load(csv={"encoding": encoding})
        assert shop.column("select order_id from raw.orders order by row_number") == ["Ä€é", "A2"]


def test_a_gzip_file_and_a_name_full_of_pattern_characters_are_read(shop):
    shop.write("a[1]*?.csv.gz", gzip.compress(GOOD.encode(), mtime=0))
    shop.write("a1x.csv.gz", gzip.compress(GOOD.replace("A1", "Z9").encode()))
    shop.load(path="a[1]*?.csv.gz")
    assert shop.column("select order_id from raw.orders order by row_number") == ["A1", "A2"]


@pytest.mark.parametrize(
    ("name", "content", "changes", "said"),
    [
        ("b.csv", b"", {}, "b.csv: empty input: the file has 0 bytes"),
        ("b.csv", HEADER.encode(), {"path": "b.csv"}, "b.csv: empty input: the file has only a header"),
        ("b.csv", HEADER.replace("who", "whom").encode(), {}, "b.csv has no column 'who'"),
        ("b.csv", b"%PDF-1.4\n", {}, "b.csv is a PDF, not a table"),
        ("b.csv", b'[{"who": "1"}]\n', {}, "b.csv is JSON: write format: json"),
        ("b.csv", b"\n\n", {}, "b.csv: empty input: the file has no line"),
        ("b.csv", (GOOD + "caf\xe9,7,2024-03-01 10:00:00,1,1\n").encode("latin-1"), {}, "b.csv is not utf-8"),
        (
            "b.csv",
            (HEADER + "A,SECRET,2024-03-01 10:00:00,1\n").encode(),
            {},
            "b.csv, near line 2: the line has fewer fields than the header",
        ),
        (
            "b.csv",
            (HEADER + 'A,"SECRET,2024-03-01 10:00:00,1,1\n').encode(),
            {},
            "b.csv, near line 2: a quoted field does not end",
        ),
        ("b.csv", (HEADER.replace("who", "id") + "A,7,x,1,1\n").encode(), {}, "has no column 'who'"),
        (
            "b.csv",
            (",".join(f"c{i}" for i in range(10_000)) + "\n" + "," * 9_999 + "\n").encode(),
            {},
            "10,000 columns",
        ),
        (
            "b.csv.gz",
            gzip.compress(GOOD.encode(), mtime=0)[:-9],
            {"path": ["a.csv", "b.csv.gz"]},
            "not a complete gzip file",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name_and_the_table_stays(shop, name, content, changes, said):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write(name, content)
    with pytest.raises(SourceError) as caught:
        shop.load(session_id="s2", **changes)
    assert said in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert len(shop.column("select 1 from raw.orders")) == 2
    assert shop.column("select session_id from raw.loads") == ["s1"]


def test_a_file_with_only_a_header_among_others_is_a_day_without_orders(shop):
    shop.write("a.csv", GOOD)
    shop.write("b.csv", HEADER)
    shop.write("c.csv", HEADER.strip())
    report = shop.load()
    assert (report.rows_read, report.rows_accepted, report.files_without_rows) == (2, 2, ("b.csv", "c.csv"))
    assert shop.load().is_unchanged
    shop.write("a.csv", HEADER + "\n")
    with pytest.raises(SourceError, match=r"a\.csv: empty input: the file has only a header, as have the 2 others"):
        shop.load()


def test_a_part_of_a_split_file_without_a_header_is_named(shop):
    header, *rows = GOOD.splitlines()
    shop.write("a.csv", f"{header}\n{rows[0]}\n")
    shop.write("b.csv", f"{rows[1]}\n{rows[1]}\n")
    with pytest.raises(SourceError, match=r"b\.csv has no header: none of the columns that a\.csv has"):
        shop.load()


def test_parquet_without_rows_among_others_is_a_day_without_orders(shop):
    table = pa.table({"who": ["7"], "when": ["2024-03-01 10:00:00"], "total": [2.5]})
    pq.write_table(table, shop.folder / "a.parquet")
    pq.write_table(table.slice(0, 0), shop.folder / "b.parquet")
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    report = shop.load(path="*.parquet", format="parquet", columns=columns)
    assert (report.rows_accepted, report.files_without_rows) == (1, ("b.parquet",))


def test_parquet_with_instants_in_nanoseconds_is_read_as_pandas_writes_it(shop):
    when = pa.array([1_767_225_600_000_000_001, 1_767_229_200_000_000_000], pa.timestamp("ns", tz="Europe/Paris"))
    table = pa.table({"who": ["7", "8"], "when": when, "total": [1.5, 2.5], "changed": when, "order": ["1", "1"]})
    pq.write_table(table, shop.folder / "a.parquet")
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total", "order_id": "order"}
    shop.load(path="a.parquet", format="parquet", columns=columns, line_key=["order_id"], updated_at="changed")
    assert [str(moment) for moment in shop.column("select ordered_at from raw.orders")] == ["2026-01-01 01:00:00"]


def test_columns_of_one_name_that_are_not_read_are_told_apart_and_those_that_are_read_are_refused(shop):
    header, *rows = GOOD.splitlines()
    lines = [f"{header},note,Note,note_2", *(f"{row},x,y,z" for row in rows)]
    shop.write("a.csv", "\n".join([*lines, "A3,,2024-03-01 10:00:00,1,1,x,y,z"]) + "\n")
    assert shop.load().rows_accepted == len(rows)
    content = json.loads(shop.column("select content from raw.rejected_rows")[0])
    assert (content["note"], content["Note_3"], content["note_2"]) == ("x", "y", "z")
    shop.write("a.csv", "\n".join([f"{header},WHO", *(f"{row},x" for row in rows)]) + "\n")
    with pytest.raises(SourceError, match="which are one name"):
        shop.load()


def test_parquet_that_is_empty_or_broken_is_refused(shop):
    pq.write_table(pa.table({"who": pa.array([], pa.string())}), shop.folder / "a.parquet")
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    with pytest.raises(SourceError, match="empty input: the file has no row"):
        shop.load(path="a.parquet", format="parquet", columns=columns)
    shop.write("a.parquet", b"PAR1 and then nothing of the kind")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        shop.load(path="a.parquet", format="parquet", columns=columns)


def test_json_that_is_not_an_object_per_line_is_refused_without_its_content(shop):
    contents = {
        '["SECRET"]\n': "item 1: not a JSON object",
        '"SECRET"\n': "line 1: ",
        '{"who": "1"}\n' * 1_200 + '{"who": SECRET}\n': "line 120",
    }
    for content, said in contents.items():
        shop.write("a.json", content)
        with pytest.raises(SourceError, match=said) as caught:
            shop.load(
                path="a.json", format="json", columns={"customer_id": "who", "ordered_at": "who", "amount": "who"}
            )
        assert "SECRET" not in str(caught.value)


def test_columns_may_be_reordered_and_new_ones_are_recorded_and_ignored(shop):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write("b.csv", "colour,price,n,when,who,order\nred,4,1,2024-03-03 10:00:00,9,B1\n")
    report = shop.load()
    assert report.new_columns == ("colour",)
    assert shop.rows("select customer_id, amount from raw.orders where file = 'b.csv'") == [
        {"customer_id": "9", "amount": Decimal("4")}
    ]
    assert sorted(len(json.loads(header)) for header in shop.column("select header from raw.loads")) == [5, 6]


def test_hostile_column_names_are_only_names(shop):
    hostile = 'x"; drop table raw.orders; --'
    header = f'"{hostile.replace(chr(34), chr(34) * 2)}",when,"a/b~c.$",field_0\n'
    shop.write("a.csv", header + "7,2024-03-01,3,z\n,2024-03-01,3,z\n")
    columns = {"customer_id": hostile, "ordered_at": "when", "amount": "a/b~c.$"}
    shop.load(columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select customer_id from raw.orders") == ["7"]
    assert json.loads(shop.column("select content from raw.rejected_rows")[0])[hostile] is None
    shop.write("a.json", json.dumps({hostile: "8", "when": "2024-03-01", "a/b~c.$": 3}) + "\n")
    shop.load(path="a.json", format="json", columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select customer_id from raw.orders") == ["8"]


def test_an_optional_key_that_comes_late_in_a_json_file_is_found(shop):
    early = json.dumps({"who": "7", "when": "2024-03-01", "total": 3}) + "\n"
    late = json.dumps({"who": "8", "when": "2024-03-01", "total": 3, "sku": "late"}) + "\n"
    shop.write("a.json", early * 1_500 + late)
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total", "product_id": "sku"}
    shop.load(path="a.json", format="json", columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select count(*) from raw.orders") == [1_501]
    assert shop.column("select distinct product_id from raw.orders where product_id is not null") == ["late"]


def test_a_file_may_have_no_text_that_means_no_value(shop):
    shop.write("a.csv", GOOD.replace("A1", ""))
    shop.load(csv={"null_values": []})
    assert shop.column("select order_id from raw.orders order by row_number") == [None, "A2"]
