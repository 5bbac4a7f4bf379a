"""A suppressed customer leaves in no batch of any kind of destination, in no mode and by no command.

Clients are replaced by one that keeps the batches: what a kind declares (modes, whether it removes) decides what the core hands to
it. That the real clients send what they are handed is tested with each of them. The exports, which have no client, are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.activation.plan_file import applied_check, plan_content
from tdml_assets.activation.protocol import Batch, Receipt, Rejection
from tdml_assets.activation.syncing import plan_sync
from tdml_assets.declaration.destinations import DestinationSettings, destination_class, known_kinds, read_destination
from tests.activation.conftest import NOW, Published, people
from tests.activation.exported import Exporting

SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "azure": {"url": "abfs://lake/crm", "connection_string_env": "SECRET"},
    "postgres": {"url_env": "SECRET", "table": "crm.customers"},
    "s3": {"url": "s3://lake/crm"},
    "sfmc": {
        "auth_url_env": "SECRET",
        "client_id_env": "SECRET",
        "client_secret_env": "SECRET",
        "data_extension": "Customers",
    },
    "sfmc_sftp": {
        "host": "127.0.0.1",
        "user_env": "SECRET",
        "private_key_env": "SECRET",
        "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5cGFzc2J5cGFzc2J5cGFzc2J5cGFzc2J5cGFz",
        "file": "scores",
    },
    "treasure_data": {"api_key_env": "SECRET", "database": "marketing", "table": "predictions"},
    "webhook": {"url_env": "SECRET"},
}
CASES = [(kind, mode) for kind in known_kinds() for mode in destination_class(kind).modes]
LISTS = {"suppression": ("raw", "suppression")}
GUARDS = {"deletes": {"action": "off"}}


@dataclass
class Other:
    """The other side: batches that were sent, and the rows that it holds."""

    sent: list[Batch] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def send(self, batch: Batch) -> Receipt:
        self.sent.append(batch)
        keys = batch.rows.column(batch.key).to_pylist()
        return Receipt({place: Rejection("no", "no") for place, key in enumerate(keys) if key in self.refuses})

    def finish(self) -> dict[str, Any]:
        return {}

    def keys(self, *operations: str) -> set[str]:
        """Customers of the batches that remove, or of all others."""
        return {
            key
            for batch in self.sent
            if (batch.operation == "remove") == ("remove" in operations)
            for key in batch.rows.column(batch.key).to_pylist()
        }


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[Other]:
    kept = Other()

    @contextmanager
    def opened(settings: Any, opening: Any) -> Iterator[Other]:
        yield kept

    for kind in known_kinds():
        monkeypatch.setattr(destination_class(kind), "open", opened)
    return kept


def declared(kind: str, mode: str) -> DestinationSettings:
    return read_destination("crm", {"kind": kind, "mode": mode, "batch_rows": 2, "guards": GUARDS, **SECTIONS[kind]})


def suppress(published: Published, *customers: str) -> None:
    lines = ", ".join(f"('{customer}', null, null, null)" for customer in customers)
    published.run(
        "create schema if not exists raw",
        f"create or replace table raw.suppression as select * from (values {lines}) as "
        "t(customer_id, purpose, destination, allowed)",
    )


@pytest.mark.parametrize(("kind", "mode"), CASES, ids=[f"{kind} {mode}" for kind, mode in CASES])
def test_a_suppressed_customer_leaves_in_no_batch_and_is_removed_or_the_plan_says_who_has_to(
    published: Published, other: Other, kind: str, mode: str
) -> None:
    settings = declared(kind, mode)
    published.publish(people(5))
    suppress(published, "00002")
    other.refuses = {"00003"}
    first = published.sync(settings, consent=LISTS)
    assert first.excluded == {"suppressed": 1}
    assert other.keys("send") == {"00001", "00003", "00004", "00005"}

    # A refused row waits for a retry; by then the customer is suppressed. Nor is anybody sent with all the others.
    other.refuses, other.sent[:] = set(), []
    suppress(published, "00002", "00003")
    for options in ({"only_dead": True}, {"full": True}):
        published.sync(settings, consent=LISTS, **options)
    assert not other.keys("send") & {"00002", "00003"}

    # A plan that was reviewed before a customer was suppressed is applied after it.
    other.sent[:] = []
    published.publish(people(5, grade="B"))
    around = published.around(consent=LISTS)
    plan = plan_sync(published.warehouse, "crm", settings, around)
    suppress(published, "00002", "00003", "00004")
    late = published.sync(settings, consent=LISTS, check=applied_check(plan_content(plan, now=NOW), NOW, 24))
    assert (late.status, other.sent) == ("refused", [])

    # Who was sent before and is suppressed now.
    result = published.sync(settings, consent=LISTS)
    assert not other.keys("send") & {"00002", "00003", "00004"}
    if mode == "replace":
        assert (result.removed, other.keys("send")) == (1, {"00001", "00005"})
    elif settings.removes:
        assert (result.removed, other.keys("remove")) == (1, {"00004"})
    else:
        assert (result.removed, other.keys("remove")) == (0, set())
        assert any("1 customers were sent before and may be sent no more" in words for words in result.warnings)


def test_a_suppressed_customer_is_in_no_export_and_leaves_those_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Exporting(tmp_path, monkeypatch)
    shop.publish(people(5))
    shop.write("suppression", "99999,,,")
    shop.declare("suppression")
    shop.export()
    assert shop.holding("00002")

    # The attributes are the same, and the folder of before is not written again: who is suppressed leaves it all the same.
    shop.write("suppression", "00002,,,")
    done = shop.export()
    assert shop.holding("00002") == []
    customers, manifest = shop.latest()
    assert (customers, manifest["left_out"]) == (["00001", "00003", "00004", "00005"], {"suppressed": 1})
    (asset,) = done.asset_materializations_for_node("audience__files")
    assert asset.metadata["excluded"].value == {"suppressed": 1}
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True]
    runs = shop.published.rows("select destination, status, excluded from activation.sync_runs order by started_at")
    assert [(run["destination"], run["status"], run["excluded"]) for run in runs] == [
        ("files", "succeeded", 0),
        ("files", "succeeded", 1),
    ]

    # Nor does a command bring them out, whatever the format.
    for name in ("out.csv", "out.json", "out.parquet"):
        done = shop.command(str(tmp_path / name))
        assert (done.exit_code, "left out: 1 suppressed" in done.output) == (0, True), done.output
        assert b"00002" not in (tmp_path / name).read_bytes()
    assert "00002" not in shop.command("-", "--format", "csv").output


def test_every_kind_is_covered() -> None:
    assert set(SECTIONS) == set(known_kinds())
