"""Order of the suite."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: one worker takes them, with the state folders they share, while the other does the rest."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)
