"""What of earlier sessions may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdml_assets.declaration.retention import Retention
from tdml_assets.platform.old_files import removable_files, removable_versions

STORED = [f"v{place}" for place in range(8)]


def test_files_written_first_go_first() -> None:
    assert removable_files({"a": 3.0, "b": 1.0, "c": 2.0}, keep=1) == ["b", "c"]
    assert removable_files({"a": 3.0}, keep=1) == []


def test_versions_that_scored_stay_before_those_that_never_did() -> None:
    # v1 and v2 scored lately, v6 and v7 are newer candidates that were held.
    assert removable_versions(STORED, ["v2", "v1"], {"v2"}, keep=3) == ["v0", "v3", "v4", "v5", "v6"]


@given(
    st.lists(st.sampled_from(STORED), unique=True),
    st.sets(st.sampled_from([*STORED, "elsewhere"])),
    st.integers(2, 10),
)
def test_a_protected_version_never_goes_and_no_more_than_needed_does(
    scored: list[str], protected: set[str], keep: int
) -> None:
    gone = removable_versions(STORED, scored, protected, keep)
    assert not protected & set(gone)
    left = len(STORED) - len(gone)
    assert left == min(max(keep, len(protected & set(STORED))), len(STORED))


def test_a_version_that_cannot_be_gone_back_to_is_not_a_setting() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        Retention(models=1)
