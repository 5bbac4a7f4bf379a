"""The settings that README shows are settings, and short."""

from __future__ import annotations

import re
from pathlib import Path

from tdml_assets.activation.syncing import check_destination, plan_sync
from tdml_assets.settings import Settings, load_settings
from tdml_assets.stages.audience.activation import load_permissions
from tdml_assets.stages.raw.contracts import PERMISSION_LISTS
from tests.activation.conftest import Published
from tests.activation.sfmc_stub import Stub

ROOT = Path(__file__).resolve().parents[2]


def settings_of_readme(folder: Path) -> Settings:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "sfmc:" in block]
    assert len(block.splitlines()) < 30
    (folder / "tdml.yaml").write_text(block, encoding="utf-8")
    return load_settings({"TDML_CONFIG": str(folder / "tdml.yaml"), "TDML_HOME": str(folder)})


def test_the_settings_of_the_readme_declare_two_destinations_in_under_thirty_lines(tmp_path: Path) -> None:
    settings = settings_of_readme(tmp_path)
    assert {name: one.purpose for name, one in settings.destinations.others.items()} == {
        "postgres": "analytics",
        "sfmc": "email",
    }
    assert settings.sources.consent is not None


def test_the_destinations_of_the_readme_can_be_planned_and_marketing_cloud_be_sent(tmp_path: Path) -> None:
    settings = settings_of_readme(tmp_path)
    published = Published(tmp_path)
    published.publish({f"{number:05d}": (0.5, "A") for number in range(1, 6)})
    published.run(
        "alter table audience.parent_segment_attributes add column cltv_decile bigint default 3",
        "insert into audience.attribute_catalog values ('cltv_decile', 'cltv', date '2026-06-30')",
    )
    (tmp_path / "do_not_contact.csv").write_text("customer\n00005\n", encoding="utf-8")
    (tmp_path / "consents.csv").write_text(
        "customer,purpose,given\n00001,email,yes\n00002,email,no\n00003,analytics,yes\n00005,email,yes\n",
        encoding="utf-8",
    )
    lists = {name: PERMISSION_LISTS[name].path for name in load_permissions(settings, published.warehouse, dict)}
    around = published.around(consent=lists)
    others = settings.destinations.others
    plans = {name: plan_sync(published.warehouse, name, declared, around) for name, declared in others.items()}
    assert {name: (plan.refusals, plan.count("added")) for name, plan in plans.items()} == {
        "postgres": ([], 1),
        "sfmc": ([], 1),
    }
    with Stub() as stub:
        published.environment |= {
            "SFMC_AUTH_URL": stub.url,
            "SFMC_CLIENT_ID": "id-canary",
            "SFMC_CLIENT_SECRET": "secret-canary",
        }
        check_destination(plans["sfmc"], around)
        # The stand-in has one data extension.
        quick = others["sfmc"].model_copy(update={"poll_seconds": 0.01, "data_extension": "Customers"})
        assert published.sync(quick, name="sfmc", consent=lists).added == 1
        (row,) = stub.state["rows"].values()
    assert {name: row[name] for name in ("SubscriberKey", "ChurnGrade", "ValueDecile")} == {
        "SubscriberKey": "00001",
        "ChurnGrade": "A",
        "ValueDecile": 3,
    }
