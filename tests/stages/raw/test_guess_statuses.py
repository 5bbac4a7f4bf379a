"""What statuses in other languages than those that a declaration knows are guessed to be."""

from __future__ import annotations

import pytest

from tdml_assets.stages.raw.guess_orders import meaning_of


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
