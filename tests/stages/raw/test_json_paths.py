"""JSON whose rows lie inside other objects and lists."""

import json
from decimal import Decimal

import pytest

from tdml_assets.stages.raw.rules import SourceError

ORDERS = [
    {
        "id": 1,
        "customer": {"id": "007"},
        "at": "2024-03-01",
        "items": [{"sku": "a", "total": 1.1}, {"sku": "b", "total": 2}],
    },
    {"id": 2, "customer": {"id": "8"}, "at": "2024-03-02", "items": [{"sku": "c", "total": "4.40"}]},
    {"id": 3, "customer": {"id": "9"}, "at": "2024-03-03", "items": []},
]
COLUMNS = {
    "order_id": "id",
    "customer_id": "customer.id",
    "ordered_at": "at",
    "product_id": "items[].sku",
    "amount": "items[].total",
}


def load(shop, content, **changes):
    shop.write("a.json", content)
    declared = {"path": "a.json", "format": "json", "columns": COLUMNS, "timestamp_format": "%Y-%m-%d", **changes}
    return shop.load(**declared)


def lines(objects):
    return "".join(json.dumps(row) + "\n" for row in objects)


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (lines(ORDERS), {}),
        (json.dumps(ORDERS), {}),
        (json.dumps(ORDERS, indent=1), {}),
        (json.dumps({"orders": ORDERS, "next": None}), {"records": "orders"}),
        (json.dumps({"data": {"orders": ORDERS}}, indent=1), {"records": "data.orders"}),
        (b"\xef\xbb\xbf" + json.dumps(ORDERS).encode(), {}),
    ],
)
def test_every_item_of_an_order_is_a_row_and_an_order_without_items_is_one_too(shop, content, changes):
    report = load(shop, content, **changes)
    assert (report.rows_read, report.reasons) == (4, {"missing_amount": 1})
    assert shop.rows("select order_id, customer_id, product_id, amount from raw.orders order by row_number") == [
        {"order_id": "1", "customer_id": "007", "product_id": "a", "amount": Decimal("1.1")},
        {"order_id": "1", "customer_id": "007", "product_id": "b", "amount": Decimal("2")},
        {"order_id": "2", "customer_id": "8", "product_id": "c", "amount": Decimal("4.4")},
    ]


def test_a_list_of_plain_objects_needs_no_declaration(shop):
    columns = {"customer_id": "who", "ordered_at": "at", "amount": "total"}
    rows = [{"who": "7", "at": "2024-03-01", "total": 1}, {"who": "8", "at": "2024-03-01", "total": 2}]
    assert load(shop, json.dumps(rows), columns=columns).rows_accepted == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"customer_id": "customer"}, "'customer' holds an object with the keys 'id': .*customer.id"),
        ({"product_id": "items"}, r"'items' holds a list: .*items\[\]\.sku"),
        ({"product_id": "others[].sku"}, "go through different lists"),
    ],
)
def test_an_object_where_a_value_is_wanted_is_refused_with_a_path(shop, changed, said):
    with pytest.raises(SourceError, match=said):
        load(shop, lines(ORDERS), columns={**COLUMNS, **changed})


def test_a_list_that_is_not_there_is_refused_with_the_keys_that_are(shop):
    with pytest.raises(SourceError, match="not JSON with a list of rows; found the keys 'orders': correct records"):
        load(shop, json.dumps({"orders": ORDERS}), records="rows")
    with pytest.raises(SourceError, match="not JSON with a list of rows"):
        load(shop, "[{", records=None)
