"""A plan is reviewed in a file without customers, and applied only while it still is what would be sent."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tdml_assets.activation.plan_file import PlanFileError, applied_check, misfit, plan_content, read_plan
from tdml_assets.activation.planning import Plan
from tdml_assets.activation.syncing import plan_sync
from tests.activation.conftest import NOW, Published, people
from tests.activation.receiver import Receiver


def planned(published: Published) -> Plan:
    return plan_sync(published.warehouse, "crm", published.hook(), published.around())


def written(published: Published, path: Path) -> Path:
    path.write_text(json.dumps(plan_content(planned(published), now=NOW)), encoding="utf-8")
    return path


def test_a_plan_holds_figures_and_no_customer(published: Published, receiver: Receiver, tmp_path: Path) -> None:
    published.publish(people(3, grade="canary"))
    text = written(published, tmp_path / "plan.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert (content["added"], content["changed"], content["may_be_applied"]) == (3, 0, True)
    assert [column["name"] for column in content["columns"]] == ["churn_probability", "churn_grade"]
    assert "00001" not in text
    assert "canary" not in text
    assert receiver.requests == []


def test_a_plan_is_applied_once(published: Published, receiver: Receiver, tmp_path: Path) -> None:
    published.publish(people(3))
    check = applied_check(read_plan(written(published, tmp_path / "plan.json")), NOW, 24)
    assert published.sync(check=check).added == 3
    again = published.sync(check=check)
    assert (again.status, again.taken) == ("refused", 0)
    assert again.reason is not None
    assert "other rows would be sent" in again.reason


def test_a_plan_is_refused_when_stale_or_no_longer_fitting(published: Published, tmp_path: Path) -> None:
    published.publish(people(3))
    content = read_plan(written(published, tmp_path / "plan.json"))
    assert misfit(content, planned(published), now=NOW) is None
    assert "hours old" in (misfit(content, planned(published), now=NOW + timedelta(hours=25)) or "")
    published.publish({**people(3), "00002": (0.51, "A")})
    assert "other rows" in (misfit(content, planned(published), now=NOW) or "")
    published.publish(people(3))
    published.session(2)
    assert "another session" in (misfit(content, planned(published), now=NOW) or "")


def test_an_edited_file_and_another_file_are_refused(published: Published, tmp_path: Path) -> None:
    published.publish(people(3))
    path = written(published, tmp_path / "plan.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"added": 3', '"added": 2'), encoding="utf-8")
    with pytest.raises(PlanFileError, match="was edited"):
        read_plan(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(PlanFileError, match="not a plan"):
        read_plan(path)
    with pytest.raises(PlanFileError, match="cannot be read"):
        read_plan(tmp_path / "none.json")
