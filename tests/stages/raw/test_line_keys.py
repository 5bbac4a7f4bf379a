"""Line keys that do not tell lines apart: an order that has one product twice, in two exports that overlap."""

from __future__ import annotations

HEADER = "order,who,when,sku,price\n"
KEY = {
    "timestamp_format": "%Y-%m-%d",
    "columns": {
        "order_id": "order",
        "customer_id": "who",
        "ordered_at": "when",
        "product_id": "sku",
        "amount": "price",
    },
    "line_key": ["order_id", "product_id"],
}


def orders(first: int, last: int, extra: str = "") -> str:
    """Two different lines of one product per order, and one that equals another."""
    lines = [
        f"o{n},c{n % 7},2024-03-{n % 28 + 1:02},tea,{price}"
        for n in range(first, last)
        for price in (n + 1, n + 2, n + 2)
    ]
    return HEADER + "\n".join(lines) + "\n" + extra


def test_lines_of_an_order_that_share_a_key_are_kept_and_counted_once_over_files_that_overlap(shop):
    shop.write("a.csv", orders(0, 40, "o50,c1,2024-03-01,tea,9\n"))
    shop.write("b.csv", orders(20, 60))
    report = shop.load(**KEY)
    assert report.rows_read == 3 * 80 + 1
    assert report.rows_accepted == 3 * 60
    assert report.reasons == {"duplicate_line": 60, "superseded_line": 1}
    assert report.grouped_keys == 80
    assert shop.column("select sum(amount)::bigint from raw.orders") == [sum(3 * n + 5 for n in range(60))]


def test_a_key_that_few_lines_share_by_a_correction_still_names_one_line(shop):
    shop.write("a.csv", HEADER + "o1,c1,2024-03-01,tea,5\no1,c1,2024-03-01,tea,6\n")
    shop.write("b.csv", HEADER + "o2,c1,2024-03-01,tea,7\n")
    report = shop.load(**KEY)
    assert (report.rows_accepted, report.grouped_keys) == (2, 0)
    assert report.reasons == {"superseded_line": 1}
