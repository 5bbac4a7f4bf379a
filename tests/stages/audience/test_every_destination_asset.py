"""Every kind of destination is an asset that reports alike: rows, duration, a link, a check, its own policy and pool.

A session of all kinds on their small servers is run four times: a first sync; a changed customer; one who is gone and one whom the
server refuses; and a sync that a guard refuses.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tdml_assets.settings import load_settings
from tdml_assets.stages.audience.destinations_asset import CHECK, build_destinations
from tests.activation.conftest import Published
from tests.activation.kinds import KINDS, missing

#: Where a person finds what was sent: metadata, and what it begins with.
_LINKS = {
    "webhook": ("address_in", "HOOK_URL"),
    "postgres": ("table", "marketing.customers"),
    "s3": ("location", "s3://lake/crm/session="),
    "azure": ("location", "abfs://lake/crm/session="),
    "sfmc": ("data_extension", "Customers"),
    "sfmc_sftp": ("location", "sftp://127.0.0.1/Import"),
    "treasure_data": ("parent_segment", "http"),
}
_FIRST_PAUSES = {"sfmc": 60, "sfmc_sftp": 30, "treasure_data": 60}
_OFF = {name: {"action": "off"} for name in ("score_age", "updates", "deletes")}
_MODES = {"webhook": "mirror", "postgres": "mirror", "sfmc_sftp": "replace"}
#: Marketing Cloud takes no key with a colon from a file; the other servers are told whom to refuse.
_REFUSED = "canary:new"
#: Files are taken or refused as a whole, and Marketing Cloud removes nobody.
_TAKES_EVERY_ROW, _REMOVES_NOBODY = ("s3", "azure"), ("sfmc",)

Session = dict[str, dg.ExecuteInProcessResult]


@pytest.fixture(scope="module")
def sessions() -> Iterator[Session]:
    # The path of PostgreSQL's socket is limited to some hundred characters.
    with (
        tempfile.TemporaryDirectory(prefix="all-", dir="/tmp") as place,
        ExitStack() as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(place)
        started = [start(stack, folder) for name, start in KINDS.items() if missing(name) is None]
        endpoint = next(kind.endpoint for kind in started if kind.endpoint)
        for kind in started:
            for name, value in {**kind.environment, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}.items():
                patch.setenv(name, value)
        (folder / "home").mkdir()
        published = Published(folder / "home")

        def run(guards: dict[str, Any]) -> dg.ExecuteInProcessResult:
            shared = {"guards": guards, "sync_retries": {"most": 0}, "failed_share": 1}
            declared = {
                kind.name: {**kind.settings, **shared, **({"mode": mode} if (mode := _MODES.get(kind.name)) else {})}
                for kind in started
            }
            content = {"destinations": declared, "s3": {"endpoint_url": endpoint, "region_name": "us-east-1"}}
            (folder / "tdml.yaml").write_text(json.dumps(content), encoding="utf-8")
            settings = load_settings({"TDML_CONFIG": str(folder / "tdml.yaml"), "TDML_HOME": str(folder / "home")})
            return dg.materialize(build_destinations(settings, []), resources={"warehouse": published.warehouse})

        customers = {f"canary-{number}": (0.5, "A") for number in range(4)}
        published.publish(customers)
        found = {"first": run(_OFF)}
        customers["canary-2"] = (0.5, "canary-grade")
        published.publish(customers)
        found["changed"] = run(_OFF)
        for refuse in filter(None, (kind.refuse for kind in started)):
            refuse(_REFUSED)
        del customers["canary-3"]
        published.publish({**customers, _REFUSED: (0.5, "A")})
        found["gone and refused"] = run(_OFF)
        found["refused"] = run({**_OFF, "score_age": {"most_days": 0, "action": "refuse"}})
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_rows_duration_link_and_check_are_reported(sessions: Session, kind: str) -> None:
    if (words := missing(kind)) is not None:
        pytest.skip(words)
    refused, gone = int(kind not in _TAKES_EVERY_ROW), int(kind not in _REMOVES_NOBODY)
    wanted = {
        "first": ("succeeded", 4, 0, 0, 0, 0, True),
        "changed": ("succeeded", 0, 1, 3, 0, 0, True),
        "gone and refused": ("succeeded", 1 - refused, 0, 3, gone, refused, not refused),
        "refused": ("refused", 0, 0, 4 - refused, 0, 0, False),
    }
    for session, figures in wanted.items():
        done = sessions[session]
        metadata = done.asset_materializations_for_node(f"audience__{kind}")[0].metadata
        (check,) = [one for one in done.get_asset_check_evaluations() if one.asset_key.path[-1] == kind]
        names = ("status", "added", "changed", "unchanged", "removed", "failed")
        assert (*(metadata[name].value for name in names), check.passed) == figures, session
        assert check.check_name == CHECK
        assert isinstance(metadata["seconds"].value, float)
        if session == "gone and refused":
            assert (check.metadata["failed"].value, f"{refused or 'none'} refused" in str(check.description)) == (
                refused,
                True,
            )
        if session != "refused":
            name, begin = _LINKS[kind]
            assert str(metadata[name].value).startswith(begin)
            assert isinstance(metadata[name], dg.UrlMetadataValue) == begin.startswith("http")
        else:
            assert "score_age" in str(check.description)
        events = " ".join(str(event) for event in done.all_events)
        assert not [word for word in ("canary", "postgresql://") if word in events], session


@pytest.mark.parametrize("kind", KINDS)
def test_each_has_a_pool_of_its_own_and_a_retry_policy_of_its_kind_or_of_its_section(tmp_path: Path, kind: str) -> None:
    keys = {
        "webhook": "url_env: X, secret_env: X",
        "postgres": "url_env: X, table: a.b",
        "s3": "url: 's3://a/b'",
        "azure": "url: 'abfs://lake/crm', connection_string_env: X",
        "sfmc": "auth_url_env: X, client_id_env: X, client_secret_env: X, data_extension: A",
        "sfmc_sftp": f"host: a, host_key: 'ssh-ed25519 {'A' * 68}', user_env: X, password_env: X, file: a",
        "treasure_data": "api_key_env: X, database: marketing, table: scores",
    }[kind]
    text = f"destinations: {{one: {{kind: {kind}, {keys}}}, two: {{kind: {kind}, {keys}, sync_retries: {{most: 5}}}}}}"
    (tmp_path / "tdml.yaml").write_text(text, encoding="utf-8")
    settings = load_settings({"TDML_CONFIG": str(tmp_path / "tdml.yaml"), "TDML_HOME": str(tmp_path)})
    one, two = (asset.op for asset in build_destinations(settings, []))
    assert (one.pool, two.pool) == ("destination_one", "destination_two")
    assert one.retry_policy is not None
    assert two.retry_policy is not None
    assert (one.retry_policy.max_retries, one.retry_policy.delay) == (2, _FIRST_PAUSES.get(kind, 10))
    assert two.retry_policy.max_retries == 5
