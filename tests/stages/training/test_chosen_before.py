"""The learner that a champion was made with, as the next training reads it."""

import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundles import BundleDamagedError
from tdml_assets.stages.training.asset import _chosen_before

SPEC = WorkflowSpec.model_validate({"name": "spend", "task": "regression", "target": {"horizon_days": 90}})


def test_the_choice_of_the_champion_is_read_where_the_estimator_is_chosen() -> None:
    auto = SPEC.model_copy(update={"model": SPEC.model.model_copy(update={"estimator": "auto"})})
    assert _chosen_before(auto, lambda: {"choice.json": b'{"name": "blend"}'}) == "blend"
    assert _chosen_before(auto, lambda: {"choice.json": b'{"name": "of another version"}'}) is None
    assert _chosen_before(auto, dict) is None


@pytest.mark.parametrize("damaged", [b"[", b"[]", b"\xff"])
def test_a_damaged_choice_is_refused_with_the_remedy(damaged: bytes) -> None:
    auto = SPEC.model_copy(update={"model": SPEC.model.model_copy(update={"estimator": "auto"})})
    with pytest.raises(BundleDamagedError, match=r"choice\.json"):
        _chosen_before(auto, lambda: {"choice.json": damaged})
