"""What a stage is taken over for: only for the same code, libraries, specification, settings, rows and champion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.reuse import identity_of, is_versioned, may_be_taken_over, results_contract

KNOWN: dict[str, Any] = {
    "code": "a" * 64,
    "libraries": {"numpy": "2.0"},
    "settings": {"tier": "machine"},
    "tables": {"features.customer_features": [{"customer_id": "VARCHAR"}, 3, "17"]},
    "owes": ["2026-06-30-0123456789ab", "b" * 64],
}


def spec(**declared: Any) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "spend", "target": {"horizon_days": 30}, **declared})


def identity(stage: str = "predictions", of: WorkflowSpec | None = None, **changed: Any) -> str | None:
    return identity_of(stage, spec=of or spec(), **{**KNOWN, **changed})


def test_the_same_inputs_have_the_same_identity_in_any_order() -> None:
    tables = {"b.b": [{}, 1, "2"], "a.a": [{}, 3, "4"]}
    assert identity(tables=tables) == identity(tables=dict(reversed(tables.items()))) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "c" * 64),
        ("libraries", {"numpy": "2.1"}),
        ("settings", {"tier": "tier1"}),
        ("tables", {"features.customer_features": [{"customer_id": "VARCHAR"}, 3, "18"]}),
        ("tables", {"features.customer_features": [{"customer_id": "INTEGER"}, 3, "17"]}),
        ("owes", ["2026-06-30-0123456789ac", "b" * 64]),
    ],
)
def test_whatever_decides_the_result_changes_the_identity(name: str, value: Any) -> None:
    assert identity(**{name: value}) not in (None, identity())


def test_another_stage_or_another_specification_has_another_identity() -> None:
    found = {identity(), identity("drift"), identity(of=spec(target={"horizon_days": 60}))}
    assert len(found) == 3
    assert None not in found


def test_a_table_that_is_missing_leaves_no_identity() -> None:
    assert identity(tables={"features.customer_features": None}) is None


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ({}, True),
        ({"estimator": "sklearn.linear_model.Ridge"}, True),
        ({"estimator": "own_package.Learner"}, False),
        ({"estimator": "sklearn.linear_model.Ridge", "steps": [{"estimator": "own_package.Scaler"}]}, False),
    ],
)
def test_a_class_of_a_persons_own_is_never_taken_over(model: dict[str, Any], known: bool) -> None:
    declared = spec(model=model)
    assert is_versioned(declared) is known
    assert (identity(of=declared) is not None) is known


def row(follows: list[str] | None = None, version: str | None = None) -> dict[str, str]:
    return {
        "identity": "i",
        "made": "m",
        "follows": json.dumps(follows),
        "recorded": json.dumps({"model_version": version} if version else {}),
    }


@pytest.mark.parametrize(
    ("found", "now", "made", "taken"),
    [
        (row(), "i", "m", True),
        (None, "i", "m", False),
        (row(), "j", "m", False),
        (row(), "i", "n", False),
        (row(), None, "m", False),
        (row(), "i", None, False),
    ],
)
def test_nothing_is_taken_over_that_differs_or_cannot_be_proven(
    found: dict[str, Any] | None,
    now: str | None,
    made: str | None,
    taken: bool,
) -> None:
    assert may_be_taken_over(found, now, made) is taken


@pytest.mark.parametrize(
    ("found", "champion", "taken"),
    [
        (row(None, "v2"), None, True),
        (row(None, "v2"), ("v2", "hash"), True),
        (row(None, "v2"), ("v1", "hash"), False),
        (row(["v1", "hash"], "v2"), ("v1", "hash"), True),
        (row(["v1", "hash"], "v2"), ("v1", "other"), False),
        (row(["v1", "hash"], "v2"), ("v2", "hash"), True),
        (row(["v1", "hash"], "v2"), None, False),
        (row(["v1", "hash"]), ("v2", "hash"), False),
    ],
)
def test_a_result_that_follows_the_champion_is_taken_over_behind_the_same_champion_or_behind_itself(
    found: dict[str, Any], champion: tuple[str, str] | None, taken: bool
) -> None:
    assert may_be_taken_over(found, "i", "m", champion) is taken


def test_a_stage_has_one_row() -> None:
    assert results_contract("spend").slice_key == ("stage",)
