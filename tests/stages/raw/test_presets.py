"""Each preset on a small file in the layout of its export, with the sums it must come to."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tdml_assets.commands.preflight import Trial
from tdml_assets.commands.trial_load import try_sources
from tdml_assets.declaration.presets import PRESETS
from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.settings import load_settings

#: Own keys, the file, net revenue, customers, and rows set aside by reason.
EXPORTS: dict[str, tuple[dict[str, Any], str, str, int, dict[str, int]]] = {
    "shopify": (
        {"reporting_currency": "EUR"},
        "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,"
        "Refunded Amount\n"
        "#1,a@x.example,paid,EUR,30.00,2024-01-01 09:48:27 +0100,1,Tea,10.00,T1,0.00\n"
        "#1,a@x.example,,,,2024-01-01 09:48:27 +0100,2,Cup,10.00,C1,\n"
        "#2,b@x.example,partially_refunded,EUR,20.00,2024-01-02 09:48:27 +0100,1,Tea,20.00,T1,5.00\n"
        "#3,b@x.example,refunded,EUR,40.00,2024-01-03 09:48:27 +0100,4,Tea,10.00,T1,40.00\n"
        "#4,b@x.example,voided,EUR,40.00,2024-01-03 09:48:27 +0100,4,Tea,10.00,T1,0.00\n",
        "45.00",
        2,
        {"void_status": 1},
    ),
    "woocommerce": (
        {"currency": "USD"},
        "Order ID,Order Status,Order Date,Billing Email,Order Total\n"
        "1,wc-completed,01/05/2024 10:29 AM,a@x.example,161.78\n"
        "2,wc-cancelled,01/06/2024 03:09 PM,a@x.example,24.55\n"
        "3,wc-on-hold,01/06/2024 03:09 PM,a@x.example,24.55\n"
        "4,processing,2024-01-07 15:00:00,b@x.example,10.00\n",
        "171.78",
        2,
        {"void_status": 2},
    ),
    "magento": (
        {"currency": "USD"},
        "ID,Purchase Point,Purchase Date,Grand Total (Base),Grand Total (Purchased),Status,Customer Email,Total Refunded\n"
        '000000001,Main Website,"Jan 5, 2024 10:15:00 AM","$1,200.00","$1,200.00",Complete,a@x.example,\n'
        '000000002,Main Website,"Jan 6, 2024 10:15:00 AM",$50.00,$50.00,Closed,a@x.example,$50.00\n'
        '000000003,Main Website,"Jan 7, 2024 10:15:00 AM",$10.00,$10.00,Canceled,b@x.example,\n',
        "1200.00",
        1,
        {"void_status": 1},
    ),
    "stripe": (
        {"reporting_currency": "EUR", "rates": {"USD": 0.5}},
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Customer Email,Status\n"
        "ch_1,2024-01-05 10:15:00,12.00,0.00,eur,a@x.example,Paid\n"
        "ch_2,2024-01-05 10:15,20.00,4.00,usd,b@x.example,Partially Refunded\n"
        "ch_3,2024-01-05 10:15,9.00,9.00,eur,b@x.example,Refunded\n"
        "ch_4,2024-01-05 10:15,9.00,0.00,eur,b@x.example,Failed\n",
        "20.00",
        2,
        {"void_status": 1},
    ),
    "square": (
        {"currency": "USD"},
        "Date,Time,Category,Item,Qty,SKU,Gross Sales,Net Sales,Transaction ID,Event Type,Customer ID\n"
        '2024-01-05,10:15:00,Tea,Assam,1,T1,"$1,004.50","$1,004.50",t1,Payment,C1\n'
        "2024-01-06,10:15:00,Tea,Assam,-1,T1,($4.50),($4.50),t2,Refund,C1\n"
        "2024-01-06,10:15:00,Tea,Assam,1,T1,$4.50,$4.50,t3,Payment,\n",
        "1000.00",
        1,
        {"missing_customer": 1},
    ),
    "amazon_settlement": (
        {"reporting_currency": "USD"},
        "settlement-id\tcurrency\ttransaction-type\torder-id\tamount-type\tamount-description\tamount\tposted-date-time\tsku\t"
        "quantity-purchased\n"
        "9\tUSD\t\t\t\t\t\t\t\t\n"
        "9\tUSD\tOrder\t111-1\tItemPrice\tPrincipal\t20.00\t2024-01-05 10:15:00 UTC\tT1\t1\n"
        "9\tUSD\tOrder\t111-1\tItemPrice\tTax\t2.00\t2024-01-05 10:15:00 UTC\tT1\t\n"
        "9\tUSD\tOrder\t111-1\tItemFees\tCommission\t-3.00\t2024-01-05 10:15:00 UTC\tT1\t\n"
        "9\tUSD\tRefund\t111-1\tItemPrice\tPrincipal\t-5.00\t2024-01-09 10:15:00 UTC\tT1\t\n"
        "9\tUSD\tServiceFee\t\tother\tSubscription Fee\t-39.99\t2024-01-09 10:15:00 UTC\t\t\n",
        "15.00",
        1,
        {"excluded_kind": 2, "ignored_status": 1, "missing_customer": 1},
    ),
    "online_retail": (
        {},
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom\n"
        "C536379,D,Discount,-1,12/1/2010 9:41,27.50,14527,United Kingdom\n"
        "536414,22139,,56,12/1/2010 11:52,0.00,,United Kingdom\n",
        "-12.20",
        2,
        {"missing_customer": 1},
    ),
}


def loaded(folder: Path, declared: dict[str, Any], text: str) -> Trial:
    (folder / "export.csv").write_text(text, encoding="utf-8")
    content = {"sources": {"orders": {"path": "export.csv", **declared}}}
    (folder / "tdml.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = load_settings({"TDML_HOME": str(folder / "home")}, working_folder=folder)
    return try_sources(settings, whole=True)


@pytest.mark.parametrize("name", PRESETS)
def test_an_export_is_read_by_its_preset_with_the_keys_that_no_preset_can_know(tmp_path: Path, name: str) -> None:
    own, text, revenue, customers, reasons = EXPORTS[name]
    trial = loaded(tmp_path, {"preset": name, **own}, text)
    assert trial.orders.net_revenue == Decimal(revenue)
    assert trial.orders.customers == customers
    assert trial.sources[0].reasons == reasons
    assert trial.sources[0].rows_read == len(text.splitlines()) - 1


def test_minor_units_of_a_payment_system_that_differ_from_iso_are_its_own(tmp_path: Path) -> None:
    header = "id,Created date (UTC),Amount,Amount Refunded,Currency,Customer Email,Status\n"
    rows = [
        f"ch_{code},2024-01-05 10:15,50000,0,{code},a@x.example,Paid\n" for code in ("isk", "ugx", "mga", "jpy", "usd")
    ]
    rates = dict.fromkeys(("ISK", "UGX", "MGA", "JPY"), 1)
    own = {"preset": "stripe", "reporting_currency": "USD", "rates": rates, "amount_unit": "minor"}
    trial = loaded(tmp_path, own, header + "".join(rows))
    assert trial.orders.net_revenue == 500 + 500 + 50000 + 50000 + 500


SETTLEMENT = (
    "settlement-id\tcurrency\ttransaction-type\torder-id\tamount-type\tamount-description\tamount\tposted-date-time\tsku\t"
    "quantity-purchased\n"
    "9\tEUR\t\t\t\t\t\t\t\t\n"
    "9\t\tOrder\t111-1\tItemPrice\tPrincipal\t1.020,50\t23.07.2026 18:21:50 UTC\tT1\t1\n"
    "9\t\tOrder\t111-1\tPromotion\tPrincipal\t-0,50\t23.07.2026 18:21:50 UTC\tT1\t\n"
    "9\t\tA-to-z Guarantee Refund\t111-1\tItemPrice\tPrincipal\t-20,00\t24.07.2026 18:21:50 UTC\tT1\t\n"
)


def test_a_settlement_names_its_currency_once_and_is_declared_so(tmp_path: Path) -> None:
    numbers = {"decimal": ",", "thousands": "."}
    trial = loaded(tmp_path, {"preset": "amazon_settlement", "currency": "EUR", "numbers": numbers}, SETTLEMENT)
    assert trial.orders.net_revenue == Decimal("1000.00")
    assert trial.sources[0].reasons == {"missing_customer": 1}


def test_own_keys_come_before_those_of_the_preset() -> None:
    declared = {
        "preset": "shopify",
        "path": "x.csv",
        "currency": "EUR",
        "statuses": {"Paid": "ignore"},
        "columns": {"customer_id": "Id", "refunded_amount": None},
    }
    found = OrdersSource.model_validate(declared)
    assert (found.columns.customer_id, found.columns.order_id) == ("Id", "Name")
    assert found.columns.refunded_amount is None
    assert (found.columns.currency, found.currency) == (None, "EUR")
    assert (found.statuses["Paid"], found.statuses.get("paid")) == ("ignore", None)
    assert found.statuses["voided"] == "void"
    assert "currency" not in found.carry


def test_a_preset_that_is_not_known_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'shopify', 'woocommerce'"):
        OrdersSource.model_validate({"preset": "shopware", "path": "x.csv"})
