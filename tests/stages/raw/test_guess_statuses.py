"""What statuses in other languages than those that a declaration knows are guessed to be."""

from __future__ import annotations

import pytest

from tdml_assets.stages.raw.guess_orders import currency_in, meaning_of, types_of, unexplained
from tdml_assets.stages.raw.sample import FileSample


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("Anulowane", "void"),
        ("Stornováno", "void"),
        ("Devolvido", "void"),
        ("Payment error", "void"),
        ("Paiement refusé", "void"),
        ("Pagamento non riuscito", "void"),
        ("Zwrot", "return"),
        ("Zrealizowane", "sale"),
        ("Entregue", "sale"),
    ],
)
def test_a_status_of_another_language_is_guessed_by_its_word(status: str, meaning: str) -> None:
    assert meaning_of(status) == (meaning, False)


def test_a_status_of_few_rows_that_no_word_explains_is_asked_about() -> None:
    assert unexplained(["Fertig"] * 8 + ["Zurück"] * 2 + ["paid"]) == ("Zurück",)
    assert unexplained(["Fertig", "Zurück"]) == ("Fertig", "Zurück"), "neither is what happens to most orders"


@pytest.mark.parametrize(
    ("amounts", "currency"),
    [
        (["R$ 1.234,50", "R$ 8,90"], "BRL"),
        (["1 234,50 zł", "8,90 zł"], "PLN"),
        (["8,90 Kč"], "CZK"),
        (["$8.90"], None),
        (["8,90 kr"], None),
        (["8,90 zł", "8,90"], None),
    ],
)
def test_the_sign_of_one_currency_names_it(amounts: list[str], currency: str | None) -> None:
    assert currency_in(amounts) == currency


def test_types_beside_a_status_say_which_rows_are_no_sales() -> None:
    types = ["Express Checkout Payment"] * 8 + ["Payment Refund", "General Withdrawal"]
    cells = {"Type": types, "Payment Method": ["credit"] * 2 + ["cash"] * 8, "Status": ["Completed"] * 10}
    found = types_of(FileSample("a.csv", "csv", cells), ("Status",))
    assert found == {"Type": {"General Withdrawal": "ignore", "Payment Refund": "return"}}
