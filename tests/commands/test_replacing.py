"""A champion that learnt from a customer who was forgotten gives way to a version that did not, unless it is held."""

from __future__ import annotations

from datetime import datetime

import pytest

from tdml_assets.commands.forget import replace_champions
from tdml_assets.models.bundle_store import BundleStore
from tests.commands.test_models import FILES, NEW, manifest, store

__all__ = ["store"]
# ruff: noqa: DTZ001 (the store keeps naive UTC)
FORGOTTEN_AT, LATER, NOW = datetime(2024, 6, 10), datetime(2024, 6, 20), datetime(2024, 7, 1)
WITHOUT = manifest(16, 35.0)


@pytest.mark.parametrize(
    ("since", "held", "is_done"),
    [(FORGOTTEN_AT, False, True), (LATER, False, False), (FORGOTTEN_AT, True, False)],
    ids=["trained since", "not trained since", "held"],
)
def test_only_a_version_trained_since_takes_the_place(
    store: BundleStore,
    since: datetime,
    held: bool,
    is_done: bool,
) -> None:
    store.write(WITHOUT, FILES)
    if held:
        store.hold("cltv", "prices are wrong", NOW)
    [found] = replace_champions(store, [f"cltv/{NEW.version}"], since, NOW, {})
    assert found.is_done == is_done
    champion = store.champion("cltv")
    assert champion is not None
    assert champion.champion.version == (WITHOUT.version if is_done else NEW.version)


def test_a_champion_that_was_replaced_already_is_left_alone(store: BundleStore) -> None:
    [found] = replace_champions(store, ["cltv/2020-01-01-0123456789ab"], FORGOTTEN_AT, NOW, {})
    assert (found.is_done, NEW.version in found.words) == (True, True)
