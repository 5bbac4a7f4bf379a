"""What an order is: statuses, columns that an order has once, refunds, and lines that are not products."""

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from tdml_assets.stages.raw.contracts import REASONS

BASE = {"path": "*.csv", "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "EUR"}
ORDER = {"customer_id": "who", "ordered_at": "when", "order_id": "order"}
STATUS = {**BASE, "columns": {**ORDER, "amount": "total", "order_status": "state"}}
TOTALS = {**BASE, "columns": {**ORDER, "amount": "total", "product_id": "sku"}, "amount_level": "order"}
CENT = Decimal("0.01")


def spend(shop):
    rows = shop.rows("select customer_id, sum(amount) as amount from raw.orders group by 1")
    return {row["customer_id"]: row["amount"] for row in rows}


def states(shop, *names, **changes):
    """Load one order of 10 per status; the meaning and the rule of each."""
    rows = "".join(f"o{place},{place},2024-03-01,10,{name}\n" for place, name in enumerate(names))
    shop.write("a.csv", "order,who,when,total,state\n" + rows)
    report = shop.load(declared=STATUS, **changes)
    assert report.rows_read == report.rows_accepted + report.rows_rejected == len(names)
    return {item.order_status: (item.meaning, item.meaning_from) for item in report.statuses}, report


# ---- statuses ----


@pytest.mark.parametrize(
    "name", ["wc-cancelled", "Refunded", "FAILED", "voided", "pending_payment", "Checkout-Draft", "returned"]
)
def test_an_order_that_came_to_nothing_counts_as_nothing_and_never_as_minus_its_price(shop, name):
    found, report = states(shop, "paid", name)
    assert found[name] == ("void", "common")
    assert report.reasons == {"void_status": 1}
    assert spend(shop) == {"0": 10}
    assert json.loads(shop.column("select content from raw.rejected_rows")[0])["state"] == name


def test_a_status_that_nothing_names_counts_as_a_sale_and_is_reported_with_its_rows_and_money(shop):
    found, report = states(shop, "paid", "im Versand", "im Versand")
    assert found == {"paid": ("sale", "common"), "im Versand": ("sale", "none")}
    assert [(item.order_status, item.row_count, item.amount) for item in report.statuses if item.is_unknown] == [
        ("im Versand", 2, Decimal(20))
    ]


def test_declared_statuses_come_before_common_ones_and_exact_values_before_patterns(shop):
    statuses = {"WC-completed": "sale", "wc-*": "void", "wc-on-*": "ignore", "Cancelled": "sale", "": "void"}
    found, report = states(shop, "wc-Completed", "wc-other", "wc-on-hold", "cancelled", "refund", "", statuses=statuses)
    assert found == {
        "wc-Completed": ("sale", "declared"),
        "wc-other": ("void", "declared"),
        "wc-on-hold": ("ignore", "declared"),
        "cancelled": ("sale", "declared"),
        "refund": ("return", "common"),
        None: ("void", "declared"),
    }
    assert report.reasons == {"ignored_status": 1, "void_status": 2}
    assert spend(shop) == {"0": 10, "3": 10, "4": -10}


def test_marks_of_patterns_stand_for_themselves(shop):
    found, _ = states(shop, "a_b", "axb", "100%", "1000", statuses={"a_*": "void", "*%": "ignore"})
    assert found["a_b"][0] == "void"
    assert found["100%"][0] == "ignore"
    assert {found["axb"], found["1000"]} == {("sale", "none")}


def test_two_statuses_that_differ_by_case_are_refused(shop):
    with pytest.raises(ValidationError, match="are one status"):
        states(shop, "paid", statuses={"Paid": "sale", "paid": "void"})


def test_return_statuses_is_refused_with_the_line_to_write(shop):
    with pytest.raises(ValidationError, match=r"write statuses: \{returned: return\}"):
        states(shop, "paid", return_statuses=["returned"])


# ---- columns that an order has once ----

FIRST_LINE = "order,who,when,total,back,state,sku,n,price\n"
LEVELS = {
    **BASE,
    "columns": {**ORDER, "amount": "total", "refunded_amount": "back", "order_status": "state", "product_id": "sku"},
    "amount_level": "order",
    "carry": ["customer_id", "ordered_at", "order_status"],
}
PRICES = {"quantity": "n", "unit_price": "price"}


def test_what_stands_on_the_first_line_reaches_the_others_and_totals_count_once(shop):
    shop.write(
        "a.csv",
        FIRST_LINE
        + "A,7,2024-03-01,35,5,paid,x,1,10\nA,,,,,,y,2,10\nB,8,2024-03-02,9,9,refunded,x,1,9\nB,,,,,,z,1,0\n"
        + "C,8,2024-03-02,9,,refunded,x,1,9\nE,8,2024-03-02,9,0,refunded,x,1,9\nD,9,2024-03-02,7,,cancelled,x,1,7\nD,,,,,,y,1,0\n",
    )
    report = shop.load(declared={**LEVELS, "columns": {**LEVELS["columns"], **PRICES}})
    assert (report.rows_read, report.reasons) == (8, {"void_status": 4})
    assert spend(shop) == {"7": 30, "8": 0}
    assert shop.column("select amount from raw.orders where order_id = 'A' order by product_id") == [10, 20]
    assert shop.column("select count(*) from raw.orders where order_status is null or product_id is null") == [0]


def test_rows_without_an_order_belong_to_that_of_the_row_above_them_in_their_file(shop):
    header = "order,who,when,sku,n,price\n"
    shop.write("a.csv", header + ",,,y,1,5\nA,7,2024-03-01,x,1,10\n,,,y,2,10\nB,8,2024-03-02,x,1,9\n")
    shop.write("b.csv", header + ",,,z,1,4\nC,9,2024-03-03,x,1,7\n,,,z,1,1\n,,,y,1,1\n")
    columns = {**ORDER, **PRICES, "product_id": "sku"}
    report = shop.load(declared={**BASE, "columns": columns, "carry": ["order_id", "customer_id", "ordered_at"]})
    assert (report.rows_read, report.reasons) == (8, {"missing_customer": 2}), "nothing is above a file's first row"
    assert spend(shop) == {"7": 30, "8": 9, "9": 9}
    assert shop.column("select count(distinct order_id) from raw.orders") == [3]
    assert shop.column("select count(*) from raw.orders where order_id is null") == [0]


def test_rows_below_an_order_were_recorded_with_it(shop):
    header = "order,who,when,sku,n,price,known\n"
    shop.write(
        "a.csv", header + "A,7,2024-03-01,x,1,10,2024-03-01\n,,,y,2,10,\nB,8,2024-03-02,x,1,9,2024-03-09\n,,,y,1,4,\n"
    )
    columns = {**ORDER, **PRICES, "product_id": "sku"}
    declared = {**BASE, "columns": columns, "carry": ["order_id", "customer_id", "ordered_at"], "recorded_at": "known"}
    assert shop.load(declared=declared).rows_accepted == 4
    recorded = (
        "select order_id, count(*) as lines, min(recorded_on)::varchar as first, max(recorded_on)::varchar as last"
    )
    assert shop.rows(f"{recorded} from raw.orders group by 1 order by 1") == [
        {"order_id": "A", "lines": 2, "first": "2024-03-01", "last": "2024-03-01"},
        {"order_id": "B", "lines": 2, "first": "2024-03-09", "last": "2024-03-09"},
    ]


@pytest.mark.parametrize("total", ["100", "0.01", "-30", "99.99"])
@pytest.mark.parametrize("lines", [1, 3, 7])
def test_an_orders_total_on_every_line_is_spread_to_the_last_digit(shop, total, lines):
    shop.write("a.csv", "order,who,when,total,sku\n" + "".join(f"A,7,2024-03-01,{total},p{n}\n" for n in range(lines)))
    assert shop.load(declared=TOTALS).rows_accepted == lines
    amounts = shop.column("select amount from raw.orders")
    assert sum(amounts) == Decimal(total)
    assert max(amounts) - min(amounts) < CENT


def test_returns_of_an_order_are_no_part_of_its_total_and_different_refunds_are_kept_apart(shop):
    rows = (
        ["A,7,2024-03-01,100,x"] * 2 + ["A,7,2024-04-01,-30,x"] * 2 + ["A,7,2024-05-01,-20,y", "A,7,2024-05-02,-20,y"]
    )
    shop.write("a.csv", "order,who,when,total,sku\n" + "\n".join(rows) + "\n")
    shop.load(declared=TOTALS)
    assert spend(shop) == {"7": 30}


def test_a_line_that_is_set_aside_takes_no_part_of_its_orders_total_with_it(shop):
    shop.write("a.csv", "order,who,when,total,sku\nA,7,2024-03-01,90,x\nA,7,2024-03-01,,y\nA,7,2024-13-01,,z\n")
    report = shop.load(declared=TOTALS)
    assert report.reasons == {"bad_timestamp": 1}
    assert shop.column("select amount from raw.orders order by product_id") == [45, 45]
    assert json.loads(shop.column("select content from raw.rejected_rows")[0])["sku"] == "z"


def test_later_exports_of_an_order_replace_its_lines_before_its_total_is_spread(shop):
    header = "order,who,when,total,sku\n"
    shop.write("a.csv", header + "A,7,2024-03-01,90,x\nA,7,2024-03-01,90,y\n")
    shop.write("b.csv", header + "A,7,2024-03-01,80,x\nA,7,2024-03-01,80,y\n")
    report = shop.load(declared={**TOTALS, "line_key": ["order_id", "product_id"]})
    assert report.reasons == {"superseded_line": 2}
    assert spend(shop) == {"7": 80}


def test_a_refund_of_the_whole_order_is_taken_off_amounts_of_lines_once(shop):
    shop.write("a.csv", "order,who,when,total,back\nA,7,2024-03-01,10,6\nA,7,2024-03-01,20,6\nB,7,2024-03-01,5,\n")
    columns = {**ORDER, "amount": "total", "refunded_amount": "back"}
    shop.load(declared={**BASE, "columns": columns, "refund_level": "order"})
    assert shop.column("select amount from raw.orders order by amount") == [5, 8, 16]
    shop.load(declared={**BASE, "columns": columns})
    assert spend(shop) == {"7": 23}, "without it each line has a refund of its own"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"carry": ["amount"]}, "write amount_level: order"),
        ({"carry": ["quantity"]}, "it takes order_id, customer_id"),
        ({"carry": ["order_status"]}, "columns.order_status is not mapped"),
        ({"refund_level": "order"}, "needs columns.refunded_amount"),
        (
            {"amount_level": "order", "columns": {"customer_id": "w", "ordered_at": "t", "amount": "a"}},
            "needs columns.order_id",
        ),
        ({"line_kinds": {"SHIP": "freight"}}, "'freight' is not a kind of line"),
    ],
)
def test_keys_that_do_not_go_together_are_refused_with_what_to_write(shop, keys, message):
    shop.write("a.csv", "order,who,when,total\nA,7,2024-03-01,1\n")
    with pytest.raises(ValidationError, match=message):
        shop.load(declared={**BASE, "columns": {**ORDER, "amount": "total"}, **keys})


# ---- refunds as rows ----

PARENTS = {
    **BASE,
    "columns": {**ORDER, "amount": "total", "parent_order_id": "parent", "order_status": "state"},
}
REFUNDS = "order,parent,who,when,total,state\n"


def test_a_refund_finds_the_customer_of_its_order_in_any_file_before_or_behind_it(shop):
    shop.write("a.csv", REFUNDS + "R1,A,,2024-04-01,-4,\n,B,,2024-04-02,5,\nR3,Z,,2024-04-02,-1,\n")
    shop.write("b.csv", REFUNDS + "A,,7,2024-03-01,10,\nB,,8,2024-03-01,20,\nC,,9,2024-03-01,30,cancelled\n")
    shop.write("c.csv", REFUNDS + "R4,C,,2024-04-01,-30,\n")
    report = shop.load(declared=PARENTS)
    assert report.reasons == {"unknown_parent_order": 1, "void_status": 2}
    assert "unknown_parent_order" in REASONS
    assert spend(shop) == {"7": 6, "8": 15}
    assert shop.column("select count(*) from raw.orders where is_return") == [2]
    contents = shop.rows("select reason, file, row_number, content from raw.rejected_rows where file = 'a.csv'")
    assert [(row["reason"], row["row_number"]) for row in contents] == [("unknown_parent_order", 3)]
    assert json.loads(contents[0]["content"])["parent"] == "Z"


def test_a_later_order_that_names_another_and_its_customer_is_a_sale(shop):
    shop.write("a.csv", REFUNDS + "A,,7,2024-03-01,10,\nRENEWAL,A,7,2024-04-01,10,\n")
    shop.load(declared=PARENTS)
    assert spend(shop) == {"7": 20}


def test_a_refund_that_has_a_row_of_its_own_is_not_taken_off_a_second_time(shop):
    shop.write(
        "a.csv", "order,parent,who,when,total,back\nA,,7,2024-03-01,10,4\nR,A,,2024-04-01,-4,\nB,,7,2024-03-01,10,3\n"
    )
    columns = {**ORDER, "amount": "total", "parent_order_id": "parent", "refunded_amount": "back"}
    shop.load(declared={**BASE, "columns": columns})
    assert spend(shop) == {"7": 13}


# ---- kinds of lines ----

KINDS = {
    **BASE,
    "columns": {**ORDER, "quantity": "n", "unit_price": "price", "product_id": "sku", "product_category": "kind"},
}
LINES = (
    "order,who,when,n,price,sku,kind\nA,7,2024-03-01,2,10,tea,goods\nA,7,2024-03-01,1,4,SHIP-DHL,post\n"
    "A,7,2024-03-01,1,-5,DISC10,off\nA,7,2024-03-01,-1,3,disc5,off\nA,7,2024-03-01,1,2,VAT,tax\n"
)


def test_a_negative_price_lowers_spend_and_is_not_a_return(shop):
    shop.write("a.csv", LINES)
    shop.load(declared=KINDS)
    rows = shop.rows("select product_id, quantity, amount, is_return from raw.orders where product_id = 'DISC10'")
    assert rows == [{"product_id": "DISC10", "quantity": 1, "amount": -5, "is_return": False}]


def test_kinds_of_lines_are_no_products_and_no_returns_and_are_part_of_spend_as_declared(shop):
    shop.write("a.csv", LINES)
    report = shop.load(declared={**KINDS, "line_kinds": {"SHIP*": "shipping", "disc*": "discount", "vat": "tax"}})
    assert report.reasons == {"excluded_kind": 1}
    assert spend(shop) == {"7": 20 + 4 - 5 - 3}
    assert shop.column("select product_id from raw.orders where is_product") == ["tea"]
    assert shop.column(
        "select count(*) from raw.orders where is_return or not is_product and product_category is not null"
    ) == [0]
    free = {"SHIP*": {"kind": "shipping", "spend": False}, "VAT": {"kind": "tax", "spend": True}}
    assert shop.load(declared={**KINDS, "line_kinds": free}).reasons == {"excluded_kind": 1}
    assert spend(shop) == {"7": 20 - 5 - 3 + 2}


def test_kinds_of_lines_may_stand_in_another_column(shop):
    shop.write("a.csv", LINES)
    by_column = {"column": "kind", "values": {"off": "discount", "post": "shipping", "tax": "tip"}}
    assert shop.load(declared={**KINDS, "line_kinds": by_column}).reasons == {"excluded_kind": 1}
    assert spend(shop) == {"7": 16}


@pytest.mark.parametrize(("day", "total"), [("2024-01-01", 30), ("2024-01-02", 20)])
def test_stores_that_number_their_orders_alike_keep_their_totals(shop, day, total):
    rows = ["A,1,ann,2024-01-01,20", "A,1,ann,2024-01-01,20", f"B,1,bob,{day},{total}", f"B,1,bob,{day},{total}"]
    shop.write("a.csv", "\n".join(["store,order,who,when,total", *rows, ""]))
    shop.load(
        timestamp_format="%Y-%m-%d",
        amount_level="order",
        columns={"order_id": "order", "customer_id": "who", "ordered_at": "when", "amount": "total"},
    )
    assert shop.rows("select customer_id, sum(amount) as amount from raw.orders group by 1 order by 1") == [
        {"customer_id": "ann", "amount": 20},
        {"customer_id": "bob", "amount": total},
    ]
